#!/usr/bin/env bats
# wire --record and ladder: what was played is drawn again, and anybody's capture is drawn too.

load helper

CAPTURES=$ROOT/tests/tools/captures.py
DEMO=$ROOT/04-handshake-trace/three-way-handshake.scene
FIGURE=$ROOT/04-handshake-trace/figures/three-way-handshake.pcapng

ladder() { # with what it says on standard error
    prog ladder
    "${PROG[@]}" "$@" 2>&1 3>&- | tr -d '\r'
    return "${PIPESTATUS[0]}"
}

# One TCP and one UDP conversation, in every sort of file: talk NAME OPTION...; its path in $TALK.
talk() {
    need python3
    TALK=$BATS_TEST_TMPDIR/$1.pcap
    python3 "$CAPTURES" talk "$TALK" "${@:2}" 3>&-
}

# The TCP segments of a file, one a line: sender, flags (of FIN SYN RST ACK), seq, ack, len.
# By the ladder: sender is client or server.
by_ladder() {
    ladder --raw --events "$@" | awk '$3 == ">" && / seq=/ {
        n = split($4, kinds, ","); flags = 0; ack = 0; len = 0
        for (i = 1; i <= n; i++)
            flags += kinds[i] == "FIN" ? 1 : kinds[i] == "SYN" ? 2 : kinds[i] == "RST" ? 4 : 0
        for (i = 5; i <= NF; i++) {
            split($i, field, "=")
            if (field[1] == "seq") seq = field[2]
            if (field[1] == "ack") { ack = field[2]; flags += 16 }
            if (field[1] == "len") len = field[2]
        }
        print $2, flags, seq, ack, len
    }'
}

# By tshark, for the file and the address or port of its client.
by_tshark() {
    tshark -r "$1" -Y 'tcp && !icmp && !icmpv6' -T fields -E separator=' ' -E occurrence=f \
        -e "$2" -e tcp.flags -e tcp.seq_raw -e tcp.ack_raw -e tcp.len 2>/dev/null 3>&- |
        while read -r sender flags seq ack len; do
            [ "$sender" = "$3" ] && sender=client || sender=server
            flags=$((flags & 0x17))
            [ $((flags & 16)) != 0 ] || ack=0
            echo "$sender $flags $seq $ack $len"
        done
}

# Plays a scene and draws its recording: the same lines, and tshark sees the same segments.
same_as_live() {
    local name
    name=$(basename "$1" .scene)
    cd "$BATS_TEST_TMPDIR" || return 1
    # A scene may fail on a busy machine: its ladder is then one of a failure, and the same all the same.
    "$BIN/wire" --record "$name.pcapng" "$1" >"$name.live" 2>"$name.errors" 3>&- </dev/null
    [ -s "$name.pcapng" ] || { cat "$name.errors"; return 1; }
    "$BIN/ladder" "$name.pcapng" >"$name.drawn" 3>&- || return 1
    diff "$name.live" "$name.drawn" || return 1
    by_ladder "$name.pcapng" >"$name.segments"
    by_tshark "$name.pcapng" ip.src 10.0.0.1 | diff - "$name.segments"
}
export -f same_as_live by_ladder by_tshark ladder prog
export BIN EXE

@test "for every scene: the ladder of its recording is the live ladder, and tshark sees the same segments" {
    need_wire
    need tshark
    # shellcheck disable=SC2016 # the inner shell expands it
    find "$ROOT" -maxdepth 2 -name '*.scene' | sort |
        xargs -P 6 -I{} bash -c 'same_as_live "$1" >"$BATS_TEST_TMPDIR/$(basename "$1").told" 2>&1 ||
            echo "$1"' bash {} >"$BATS_TEST_TMPDIR/different"
    while read -r scene; do
        echo "== $scene"
        cat "$BATS_TEST_TMPDIR/$(basename "$scene").told"
    done <"$BATS_TEST_TMPDIR/different"
    [ ! -s "$BATS_TEST_TMPDIR/different" ]
    [ -s "$BATS_TEST_TMPDIR/three-way-handshake.segments" ]
}

@test "a recording keeps every event, and all that --all and a wide terminal show" {
    need_wire
    local file=$BATS_TEST_TMPDIR/r.pcapng
    for options in --events "--all" "--width 140" "--ascii --width 200 --all"; do
        # shellcheck disable=SC2086 # several words
        "$BIN/wire" $options --table 'rto client' --on 'client > DATA #1: drop' --record "$file" "$DEMO" \
            >"$BATS_TEST_TMPDIR/live" 2>"$BATS_TEST_TMPDIR/errors" 3>&- || true
        # shellcheck disable=SC2086
        "$BIN/ladder" $options "$file" 3>&- | diff "$BATS_TEST_TMPDIR/live" -
    done
    grep -q RTO "$BATS_TEST_TMPDIR/live"
}

@test "a frame that was held and then let go by an event that is not shown arrives on a row of its own" {
    need_wire
    local file=$BATS_TEST_TMPDIR/r.pcapng
    # shellcheck disable=SC2016 # the inner shell expands it
    "$BIN/wire" --record "$file" --on 'client > SYN #1: hold until server : prints "now"' -- \
        sh -c '"$1" 10.0.0.2 7777 & sleep 0.2; echo now; wait' sh "$BIN/02-tcp-echo/server" -- \
        "$BIN/02-tcp-echo/client" 10.0.0.2 7777 hello >"$BATS_TEST_TMPDIR/live" 3>&-
    "$BIN/ladder" "$file" 3>&- | diff "$BATS_TEST_TMPDIR/live" -
    grep -qE 'SYN_SENT ●─+ SYN seq=0 ─+╮   │' "$BATS_TEST_TMPDIR/live"
    grep -qE '╰──▶● SYN_RCVD' "$BATS_TEST_TMPDIR/live"
}

@test "tshark reads a recording without complaint and shows the states and calls" {
    need_wire
    need tshark
    "$BIN/wire" --quiet --record "$BATS_TEST_TMPDIR/r.pcapng" "$DEMO" 3>&-
    run --separate-stderr tshark -r "$BATS_TEST_TMPDIR/r.pcapng" -T fields -e frame.encap_type \
        -e frame.interface_id -e frame.time_epoch -e frame.comment 3>&-
    [ "$status" -eq 0 ]
    grep -qP '^1\t0\t\d+\.\d{9}\tclient > SYN seq=1000: at the server \d+\.\d+ ms after it was sent' <<<"$output"
    [[ $output == *'server = SYN_RCVD'* ]]
    [[ $output == *'client : connect(3) = 0'* ]]
    # shellcheck disable=SC2154 # set by run
    run ! grep -v '^Running as user' <<<"$stderr"
    run tshark -r "$BATS_TEST_TMPDIR/r.pcapng" -q -z io,phs 3>&-
    [ "$status" -eq 0 ]
}

@test "a playing in which no frame was sent is recorded too" {
    need_wire
    local file=$BATS_TEST_TMPDIR/r.pcapng
    "$BIN/wire" --all --record "$file" -- /bin/echo hello -- /bin/echo 'say "there"' \
        >"$BATS_TEST_TMPDIR/live" 3>&-
    "$BIN/ladder" --all "$file" 3>&- | diff "$BATS_TEST_TMPDIR/live" -
    grep -q '"hello"' "$BATS_TEST_TMPDIR/live"
}

@test "a recording that cannot be written is said, and the wire fails" {
    need_wire
    run "$BIN/wire" --quiet --record "$BATS_TEST_TMPDIR/no/such/folder/r.pcapng" "$DEMO" 3>&-
    [ "$status" -eq 1 ]
    [[ $output == *"no/such/folder/r.pcapng: No such file or directory"* ]]
}

@test "the checked-in recording is drawn on every system" {
    run ladder "$FIGURE"
    [ "$status" -eq 0 ]
    [[ $output == "Three segments open a connection"* ]]
    [[ $output == *"SYN,ACK seq=2000 ack=1001"* ]]
    [[ $output == *"All came as the scene expects"* ]]
}

@test "a recording that others have changed is drawn as a capture, and says so" {
    need editcap
    editcap "$FIGURE" "$BATS_TEST_TMPDIR/less.pcapng" 1-3 3>&-
    run ladder "$BATS_TEST_TMPDIR/less.pcapng"
    [ "$status" -eq 0 ]
    [[ $output == *"this recording was changed after it was made"* ]]
    [[ $output == *"inferred"* ]]
}

@test "a capture's states are inferred and marked; what is out of the ordinary is named" {
    talk t
    run ladder --follow 443 "$TALK"
    [ "$status" -eq 0 ]
    grep -qE 'SYN_SENT\? ●─+ SYN seq=0 ─+▶│' <<<"$output"
    grep -qE 'ESTABLISHED\? ●◀─+ SYN,ACK seq=0 ack=1 ─+● SYN_RCVD\?' <<<"$output"
    grep -qE ' retransmission │─+ DATA seq=101 ' <<<"$output"
    grep -qE 'DATA seq=801 .*│ a hole before it' <<<"$output"
    grep -qE 'DATA seq=401 .*│ out of order' <<<"$output"
    grep -qE 'DATA seq=1201 .*│ retransmission' <<<"$output"
    grep -qE ' duplicate ACK 2 │─+ ACK .*ack=1201' <<<"$output"
    grep -qE ' zero window │─+ ACK .*win=0' <<<"$output"
    grep -qE 'CLOSE_WAIT\? ●◀─+ FIN seq=2401 .*● FIN_WAIT_1\?' <<<"$output"
    grep -qE 'CLOSED\? ●◀─+ ACK seq=2402 ' <<<"$output"
    grep -qE 'LAST_ACK\? ●─+ DATA,FIN .*● TIME_WAIT\?' <<<"$output"
    [[ $output == *"retransmissions 2, out of order 1, holes 2, duplicate ACKs 3,"*"zero windows 1" ]]
}

@test "tshark judges the same segments in the same way" {
    need tshark
    talk t
    tshark -r "$TALK" -Y tcp -T fields -e tcp.analysis.retransmission -e tcp.analysis.out_of_order \
        -e tcp.analysis.lost_segment -e tcp.analysis.duplicate_ack -e tcp.analysis.zero_window 2>/dev/null 3>&- |
        sed 's/[^\t1]/1/g' | awk -F'\t' '{ mark = "-" }
            $5 { mark = "zero-window" } $4 { mark = "duplicate-ACK" } $3 { mark = "hole-before" }
            $2 { mark = "out-of-order" } $1 { mark = "retransmission" } { print mark }' >"$BATS_TEST_TMPDIR/theirs"
    ladder --events --follow 443 "$TALK" | grep ' > ' | sed -E '/mark=/!s/.*/-/; s/.*mark=//' |
        diff "$BATS_TEST_TMPDIR/theirs" -
}

@test "every link type, byte order, unit of time and version of IP gives the same segments as tshark" {
    need tshark
    talk plain
    by_ladder --follow 443 "$TALK" >"$BATS_TEST_TMPDIR/plain"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/plain")" = 25 ]
    for link in ethernet vlan raw null loop sll sll2; do
        for version in 4 6; do
            case $link$version in # every pair of the others is met by some of these
            *net*4) set -- --order big --time ns ;;
            *4) set -- --order little --time ng ;;
            *l*6) set -- --order big --time ng ;;
            *) set -- --order little --time us --snap 90 ;;
            esac
            talk "$link$version" --link $link --ip $version "$@"
            by_ladder --follow 443 "$TALK" | diff "$BATS_TEST_TMPDIR/plain" -
            by_tshark "$TALK" tcp.srcport 40001 | diff "$BATS_TEST_TMPDIR/plain" -
        done
    done
}

@test "several conversations are listed with their sizes; a port or a number chooses one" {
    talk t --ip 6
    run ladder "$TALK"
    [ "$status" -eq 0 ]
    grep -qE '^ +1 .* 25 +[0-9]+ +TCP +\[2001:db8::1\]:40001 -> \[fe80::2\]:443$' <<<"$output"
    grep -qE '^ +2 .* 2 +[0-9]+ +UDP ' <<<"$output"
    run ladder --number 2 "$TALK"
    grep -qE 'UDP len=8 "question"' <<<"$output"
    run ladder --follow 53 "$TALK"
    grep -qE 'UDP len=6 "answer"' <<<"$output"
    run ladder --follow 54 "$TALK"
    [ "$status" -eq 1 ]
    [[ $output == *"no conversation in this capture is on that port" ]]
    run ladder --svg "$BATS_TEST_TMPDIR/none.svg" "$TALK" # nothing is drawn: that is no success
    [ "$status" -eq 2 ]
    [[ $output == *"Choose one by --number N"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/none.svg" ]
    run ladder --number 3 "$TALK"
    [ "$status" -eq 1 ]
    [[ $output == *"there are only 2 conversations in this capture" ]]
    python3 "$CAPTURES" many "$BATS_TEST_TMPDIR/many.pcap" 10000 3>&-
    run ladder "$BATS_TEST_TMPDIR/many.pcap"
    [[ ${lines[-2]} == "   100 "*" 200 "* ]] # the largest, though it is the last
    [[ ${lines[-1]} == "and 50 more, none of them larger: --all lists them too" ]]
    run ladder --all "$BATS_TEST_TMPDIR/many.pcap"
    [ "$(grep -c ' -> 192.0.2.' <<<"$output")" = 100 ]
}

@test "what tcpdump captures on the loopback is drawn" {
    not_on_windows "tcpdump captures on Linux"
    need tcpdump
    local file=$BATS_TEST_TMPDIR/lo.pcap
    start_server echo "$BIN/02-tcp-echo/server" 127.0.0.1 0
    start tcpdump tcpdump -i lo -s 100 -U --immediate-mode -w "$file" "tcp port $PORT"
    TCPDUMP_PID=$STARTED_PID
    for _ in $(seq 500); do
        ! grep -qE 'permission|not permitted' "$BATS_TEST_TMPDIR/tcpdump" || skip "not on Windows: tcpdump may not capture"
        ! grep -q 'listening on lo' "$BATS_TEST_TMPDIR/tcpdump" || break
        sleep 0.02
    done
    "$BIN/02-tcp-echo/client" 127.0.0.1 "$PORT" hello 3>&-
    for _ in $(seq 500); do
        ladder "$file" >"$BATS_TEST_TMPDIR/drawn" || true
        ! grep -q 'LAST_ACK?' "$BATS_TEST_TMPDIR/drawn" || break
        sleep 0.02
    done
    kill "$TCPDUMP_PID"
    cat "$BATS_TEST_TMPDIR/drawn"
    grep -qE 'SYN_SENT\? ●─+ SYN seq=0 ' "$BATS_TEST_TMPDIR/drawn"
    grep -qE 'DATA seq=1 .*len=5' "$BATS_TEST_TMPDIR/drawn"
    grep -qE '● LAST_ACK\?' "$BATS_TEST_TMPDIR/drawn"
}

@test "the ladder fits the width, and is ASCII when asked for" {
    talk t
    run ladder --follow 443 "$TALK"
    run ! grep -E '^.{81}' <<<"$output"
    run ladder --follow 443 --ascii "$TALK"
    run ! grep -P '[^\x00-\x7F]' <<<"$output"
    ladder --follow 443 --width 140 "$TALK" | grep -q '● SYN_RCVD?'
}

@test "files that are no captures get one line, and end with 1" {
    local bad=$BATS_TEST_TMPDIR/bad
    refused() { # with these words
        run ladder "$bad"
        [ "$status" -eq 1 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ $output == "ladder: "*": $1" ]] || { echo "$output"; false; }
    }
    rm -f "$bad"
    refused "No such file or directory"
    : >"$bad"
    refused "this is no capture: it is shorter than a capture's first word"
    echo "no capture at all" >"$bad"
    refused "this is neither a pcap nor a pcapng file"
    printf '\x1f\x8b\x08\x00' >"$bad"
    refused "this is packed by gzip: unpack it first, with gunzip"
    head -c 20 "$FIGURE" >"$bad"
    refused "this capture ends within its header"
    talk t
    head -c 24 "$TALK" >"$bad"
    refused "there is no packet in this capture"
    { head -c 24 "$TALK"; printf '\0\0\0\0\0\0\0\0\377\377\377\377\377\377\377\377'; } >"$bad"
    refused "behind packet 0: a packet in this capture claims to be longer than 16 MB"
}

@test "of a capture that is cut the packets before are drawn" {
    talk t
    head -c 2000 "$TALK" >"$BATS_TEST_TMPDIR/cut.pcap"
    run ladder --follow 443 "$BATS_TEST_TMPDIR/cut.pcap"
    [ "$status" -eq 0 ]
    [[ $output == *"the file ends in the middle of a packet, behind packet "* ]]
    [[ $output == *"SYN,ACK seq=0 ack=1"* ]]
}

@test "usage errors are one line and end with 2; --help explains all" {
    for words in "" "a b" "--follow" "--follow 0 x" "--follow 70000 x" "--number x x" "--width 0 x" "--nothing x"; do
        # shellcheck disable=SC2086 # several words
        run ladder $words
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ $output == "ladder: "*"; see ladder --help" ]]
    done
    run ladder --help
    [ "$status" -eq 0 ]
    [[ $output == *"--follow PORT"* ]]
}

@test "make demo draws the recording where no private network can be made, and says why" {
    not_on_windows "the wire runs on Linux"
    [ "$(id -u)" = 0 ] || skip "not on Windows: only root can take /dev/net/tun away from itself"
    # shellcheck disable=SC2016 # the inner shell expands it
    run unshare -m sh -c 'mount -t tmpfs none /dev/net && exec make -s -C "$1" demo' sh "$ROOT" 3>&-
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "no private network: /dev/net/tun cannot be opened: No such file or directory; a recording:" ]]
    [[ $output == *"SYN,ACK seq=2000 ack=1001"* ]]
}
