# 06-retransmit: arq_sender, arq_receiver, lossy_relay. (100 runs at each loss: tests/arq-soak.)

load helper

# A receiver on any free port, in $RECEIVER; it writes $OUT. Its log is the file `receiver`.
start_receiver() {
    OUT=$BATS_TEST_TMPDIR/out
    prog 06-retransmit/arq_receiver
    : >"$BATS_TEST_TMPDIR/receiver" # the line "listening on" of a former one is not waited for
    start_server receiver "${PROG[@]}" "$@" 127.0.0.1 "${RECEIVER:-0}" "$OUT"
    RECEIVER=$PORT RECEIVER_PID=$SERVER_PID
}
# A relay before it, on any free port, in $PORT. Its log is the file `relay`.
start_relay() { start_relay_to "$RECEIVER" "$@"; }
start_relay_to() {
    local to=$1
    shift
    prog 06-retransmit/lossy_relay
    : >"$BATS_TEST_TMPDIR/relay"
    start_server relay "${PROG[@]}" "$@" 127.0.0.1 0 127.0.0.1 "$to"
    RELAY_PID=$SERVER_PID
}
# An arq_sender that runs on, its log in the file NAME: start_sender NAME ARG...
start_sender() {
    local name=$1
    shift
    prog 06-retransmit/arq_sender
    start "$name" "${PROG[@]}" "$@"
}
sender() { lesson 06-retransmit/arq_sender "$@"; }
random_file() { head -c "$1" /dev/urandom >"$BATS_TEST_TMPDIR/in"; IN=$BATS_TEST_TMPDIR/in; }
same() { cmp "$IN" "$OUT"; }

# segment TYPE CONNECTION NUMBER [PAYLOAD]: one of the protocol's segments, made by hand, as printf
# wants it. Numbers in decimal, the payload in hexadecimal.
segment() {
    local hex i bit crc=$((0xffffffff))
    hex=$(printf '%08x%08x00000000%02x00%04x%s' "$2" "$3" "$1" $((${#4} / 2)) "${4-}")
    for ((i = 0; i < ${#hex}; i += 2)); do
        crc=$((crc ^ 0x${hex:i:2}))
        for ((bit = 0; bit < 8; bit++)); do crc=$((crc >> 1 ^ (0xedb88320 & -(crc & 1)))); done
    done
    printf '%08x%s' $((crc ^ 0xffffffff)) "$hex" | sed 's/../\\x&/g'
}
# ask SEGMENT: sends it to the receiver and prints the answer's type and number, and what it expects
ask() {
    local answer
    exec 5<>"/dev/udp/127.0.0.1/$RECEIVER"
    # shellcheck disable=SC2059 # the segment is written as printf's escapes
    printf "$1" >&5
    answer=$(timeout 5 dd bs=2000 count=1 <&5 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
    exec 5>&-
    [ -n "$answer" ] || return 1
    echo "$((0x${answer:32:2})) $((0x${answer:16:8})) $((0x${answer:24:8}))"
}
EMPTY=0000000000000000     # START of an empty file announces this length
EMPTY_HASH=cbf29ce484222325 # and its FIN this hash

@test "a file arrives whole, and each round trip gives a sample" {
    start_receiver
    random_file 100000
    run sender --verbose 127.0.0.1 "$PORT" "$IN"
    echo "$output"
    [ "$status" = 0 ]
    same
    [[ $output == *"100000 bytes in 85 segments"*"whole: the receiver has all 100000 bytes"* ]]
    [[ $output == *"> 0 START"*"< ACK 1 for 0: RTT "*"> 1 DATA"*"> 86 FIN"*"< ACK 87 for 86"* ]]
    [[ $output == *" RTO 10.000"* ]] # the least, as there is hardly a delay
    hash=$(grep -oE 'hash [0-9a-f]{16}' <<<"$output")
    wait_line receiver "is whole: 100000 bytes, $hash"
}

@test "files of every awkward size arrive whole" {
    start_receiver
    for size in 0 1 1179 1180 1181 2360; do
        random_file "$size"
        for window in 1 4; do
            rm -f "$OUT"
            sender --window "$window" 127.0.0.1 "$PORT" "$IN"
            same
        done
    done
}

@test "5 MB arrive whole at 30% loss each way, doubled, reordered and damaged, by window 256" {
    start_receiver
    start_relay --loss 30 --duplicate 5 --reorder 10 --damage 1 --delay 2 --seed 30
    random_file 5242880
    run sender --window 256 127.0.0.1 "$PORT" "$IN"
    echo "$output"
    [ "$status" = 0 ]
    same
    # Both windows are measured, and the large one gains at least fivefold, on any machine.
    slow=$(sed -nE 's|^window +1: +([0-9]+) KB/s .*|\1|p' <<<"$output")
    fast=$(sed -nE 's|^window +256: +([0-9]+) KB/s .*|\1|p' <<<"$output")
    [ "$fast" -gt $((5 * slow)) ]
    [[ $output == *"TCP does not wait for each ACK either"* ]]
    # The relay did what it was asked to, in both directions, and says so when all is quiet.
    wait_line relay '^to the client +[0-9]'
    for way in server client; do
        read -r came lost damaged doubled _ _ overtaken < <(wait_line relay "^to the $way +[0-9]" |
            sed "s/to the $way//")
        [ "$lost" -gt $((came * 25 / 100)) ] && [ "$lost" -lt $((came * 35 / 100)) ]
        [ "$damaged" -gt 0 ] && [ "$doubled" -gt 0 ] && [ "$overtaken" -gt 0 ]
    done
    # Only what is missing is sent again: few segments come twice, though as many ACKs are lost.
    line=$(wait_line receiver '[1-9][0-9]* ahead of their turn \(held\), [1-9][0-9]* again \(dropped\); [1-9]')
    [[ $line =~ ([0-9]+)" segments came: ".*" (held), "([0-9]+)" again" ]]
    echo "$line"
    [ $((4 * BASH_REMATCH[2])) -lt "${BASH_REMATCH[1]}" ]
}

@test "nothing is lost and nothing doubled at 0, 10, 30 and 50% loss" {
    BIN=$BIN EXE=$EXE RUNNER="${RUNNER[*]-}" JOBS=6 run "$ROOT/tests/arq-soak" 2
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"0 % loss: 2 of 2 whole"*"10 %"*"2 of 2"*"30 %"*"2 of 2"*"50 % loss: 2 of 2 whole"* ]]
}

@test "damage is caught by the protocol's own checksum, and counted at both ends" {
    start_receiver
    start_relay --damage 40 --seed 1
    random_file 30000
    run sender --window 8 127.0.0.1 "$PORT" "$IN"
    echo "$output"
    [ "$status" = 0 ]
    same
    [[ $output =~ [1-9][0-9]*" damaged answers" ]]
    wait_line receiver '[1-9][0-9]* damaged datagrams \(dropped\)'
}

@test "SRTT, RTTVAR and RTO follow RFC 6298, and a segment sent twice gives no sample" {
    start_receiver
    start_relay --loss 20 --delay 3 --reorder 40 --seed 2
    random_file 40000
    run sender --verbose --window 4 127.0.0.1 "$PORT" "$IN"
    [ "$status" = 0 ]
    grep -E '^< ACK [0-9]+ for [0-9]+: sent [2-9] times, so it is no sample' <<<"$output"
    # All is worked out again from the RTTs printed; 2 us are allowed for their rounding.
    tr -d ':,' <<<"$output" | awk '
        function off(a, b) { return a > b ? a - b : b - a }
        / RTT / {
            rtt = $7
            if (n++ == 0) { srtt = rtt; rttvar = rtt / 2 }
            else { rttvar = 3/4 * rttvar + 1/4 * off(srtt, rtt); srtt = 7/8 * srtt + 1/8 * rtt }
            rto = srtt + (4 * rttvar > 1 ? 4 * rttvar : 1)
            if (rto < 10) rto = 10
            if (off($10, srtt) > 0.002 || off($12, rttvar) > 0.002 || off($14, rto) > 0.01) {
                print "wrong: " $0 " (should be " srtt, rttvar, rto ")"; bad = 1
            }
        }
        /^> [0-9]+ .* again/ { twice[$2] = 1 }
        / RTT / && twice[$5] { print "a sample of a segment sent twice: " $0; bad = 1 }
        END { exit bad || n < 10 }'
}

@test "with a window a lost segment is sent again because later ones overtook it" {
    start_receiver
    start_relay --loss 10 --delay 5 --seed 3
    random_file 200000
    run sender --verbose --window 32 127.0.0.1 "$PORT" "$IN"
    [ "$status" = 0 ]
    same
    grep -E '^> [0-9]+ DATA again: overtaken by [0-9]+ later ones' <<<"$output"
}

@test "the same seed gives each datagram the same fate, another seed another" {
    local n run_number=0 seed
    for seed in 5 5 6; do
        run_number=$((run_number + 1))
        start_relay_to 9 --verbose --loss 30 --duplicate 20 --reorder 20 --damage 20 --seed "$seed"
        for n in $(seq 60); do echo "$n" >"/dev/udp/127.0.0.1/$PORT"; done
        wait_line relay '^to the server 60: '
        grep '^to the server [0-9]*: ' "$BATS_TEST_TMPDIR/relay" >"$BATS_TEST_TMPDIR/fates.$run_number"
    done
    cd "$BATS_TEST_TMPDIR"
    [ "$(wc -l <fates.1)" = 60 ]
    cmp fates.1 fates.2
    run cmp fates.1 fates.3
    [ "$status" = 1 ]
    for fate in lost damaged twice 'held back'; do grep "$fate" fates.1; done
}

@test "a relay survives datagrams that are too large or empty, and a server that is not there" {
    start_relay_to 9
    head -c 5000 /dev/zero | dd bs=5000 iflag=fullblock 2>/dev/null >"/dev/udp/127.0.0.1/$PORT"
    echo x >"/dev/udp/127.0.0.1/$PORT"
    kill -0 "$RELAY_PID"
    wait_line relay '^to the server +1 +0 +0 +0 +[12] '
}

@test "retransmissions are limited, and the sender says of what" {
    start_receiver
    start_relay --loss 100
    random_file 100
    run sender --tries 3 127.0.0.1 "$PORT" "$IN"
    [ "$status" = 1 ]
    [[ $output == *"arq_sender: 127.0.0.1:$PORT: no answer to segment 0 (START), sent 3 times"* ]]
}

@test "nobody at the port: the sender ends at once, by name" {
    not_on_windows "Wine does not report an unreachable UDP port"
    start_receiver
    kill "$RECEIVER_PID"
    wait_exit "$RECEIVER_PID" || true
    random_file 100
    run sender 127.0.0.1 "$PORT" "$IN"
    [ "$status" = 1 ]
    [[ $output == *"arq_sender: 127.0.0.1:$PORT: Connection refused (ECONNREFUSED)"* ]]
}

@test "each address of a name is tried" {
    not_on_windows "Wine does not report an unreachable UDP port"
    start_receiver
    random_file 5000
    sender localhost "$PORT" "$IN" # ::1 may come first, where nobody listens
    same
}

@test "a sender that vanishes is given up, leaves no file, and the next one is served" {
    start_receiver --idle 300
    start_relay --delay 20
    random_file 200000
    start_sender vanished 127.0.0.1 "$PORT" "$IN"
    wait_line receiver '200000 bytes announced'
    kill -9 "$STARTED_PID"
    [ "${SUITE:-native}" != windows ] || kill -9 "$RELAY_PID" # so that no late segment is heard
    wait_line receiver 'not received: the sender has been silent too long'
    [ ! -e "$OUT" ] && [ ! -e "$OUT.part" ]
    sender --window 8 127.0.0.1 "$RECEIVER" "$IN"
    same
}

@test "an interrupted sender tells the receiver" {
    not_on_windows "a Windows program cannot be asked to end by a signal"
    start_receiver
    start_relay --delay 20
    random_file 200000
    start_sender interrupted 127.0.0.1 "$PORT" "$IN"
    wait_line receiver '200000 bytes announced'
    kill -TERM "$STARTED_PID"
    wait_exit "$STARTED_PID" && return 1
    wait_line interrupted 'arq_sender: interrupted'
    wait_line receiver 'not received: the sender has given up'
}

@test "a receiver started anew knows nothing of the transfer, and says so to its sender" {
    start_receiver
    start_relay --delay 20
    random_file 200000
    start_sender stale --verbose 127.0.0.1 "$PORT" "$IN"
    stale=$STARTED_PID
    wait_line stale '^> 3 DATA' # no copy of START is on its way now, to begin it all anew
    kill -9 "$RECEIVER_PID"
    wait "$RECEIVER_PID" || true
    for _ in $(seq 200); do # Wine gives the port back a moment after the program's end
        grep -qi ":$(printf %04X "$RECEIVER") " /proc/net/udp 2>/dev/null || break
        sleep 0.02
    done
    start_receiver
    wait_exit "$stale" && return 1
    wait_line stale 'the receiver has ended it: it knows no such transfer'
    [ ! -e "$OUT" ]
}

@test "a second sender waits while the receiver is busy, and both files arrive" {
    start_receiver
    start_relay --delay 20
    random_file 30000
    start_sender first 127.0.0.1 "$PORT" "$IN"
    first=$STARTED_PID
    wait_line receiver '30000 bytes announced'
    mv "$IN" "$IN.first" && random_file 5000 # the first goes on reading its own
    run sender 127.0.0.1 "$RECEIVER" "$IN"
    [ "$status" = 0 ]
    [[ $output == *"the receiver is busy with another transfer: trying on"* ]]
    wait_exit "$first"
    wait_line receiver 'is whole: 30000 bytes'
    wait_line receiver 'is whole: 5000 bytes'
    same
}

@test "a late copy of a former START begins nothing, and a repeated FIN is answered again" {
    need dd od
    start_receiver
    [ "$(ask "$(segment 1 77 0 $EMPTY)")" = "4 0 1" ]         # START: ACK, number 1 is expected
    [ "$(ask "$(segment 3 77 1 $EMPTY_HASH)")" = "4 1 2" ]    # FIN: ACK
    wait_line receiver '^0000004d: .* is whole: 0 bytes'
    [ "$(ask "$(segment 3 77 1 $EMPTY_HASH)")" = "4 1 2" ]    # FIN again: ACK again
    [ "$(ask "$(segment 1 77 0 $EMPTY)")" = "4 0 2" ]         # START again: it is over long since
    [ "$(ask "$(segment 2 78 5 61)")" = "5 2 0" ]             # DATA of nobody: RESET, unknown
    [ "$(ask "$(segment 1 79 0 $EMPTY)")" = "4 0 1" ]         # a START of another begins
    [ "$(ask "$(segment 1 80 0 $EMPTY)")" = "5 1 0" ]         # a second one: RESET, busy
    [ "$(grep -c 'bytes announced' "$BATS_TEST_TMPDIR/receiver")" = 2 ]
}

@test "a file that is not what was announced never gets its name" {
    need dd od
    start_receiver
    [ "$(ask "$(segment 1 1 0 $EMPTY)")" = "4 0 1" ]
    [ "$(ask "$(segment 3 1 1 0123456789abcdef)")" = "5 3 0" ] # FIN with a wrong hash
    wait_line receiver 'not received: length or hash'
    [ "$(ask "$(segment 1 2 0 $EMPTY)")" = "4 0 1" ]
    [ "$(ask "$(segment 2 2 1 616263)")" = "5 3 0" ] # more than announced
    wait_line receiver 'not received: more data than announced'
    [ ! -e "$OUT" ] && [ ! -e "$OUT.part" ]
}

@test "segments far ahead, early ones and noise do a receiver no harm" {
    need dd od
    start_receiver
    [ "$(ask "$(segment 1 7 0 0000000000000003)")" = "4 0 1" ]
    for n in 1025 4294967295; do # outside the window: no room, no answer
        # shellcheck disable=SC2059
        printf "$(segment 2 7 "$n" 7a)" >"/dev/udp/127.0.0.1/$RECEIVER"
    done
    for _ in 1 2 3 4 5; do
        head -c 900 /dev/urandom | dd bs=900 iflag=fullblock 2>/dev/null >"/dev/udp/127.0.0.1/$RECEIVER"
    done
    [ "$(ask "$(segment 2 7 2 62)")" = "4 2 1" ]  # ahead of its turn: held, 1 is still missing
    [ "$(ask "$(segment 2 7 2 78)")" = "4 2 1" ]  # the same number again: not taken
    [ "$(ask "$(segment 2 7 3 63)")" = "4 3 1" ]
    [ "$(ask "$(segment 2 7 1 61)")" = "4 1 4" ]  # the gap is filled
    [ "$(ask "$(segment 2 7 1 79)")" = "4 1 4" ]
    [ "$(ask "$(segment 3 7 4 e71fa2190541574b)")" = "4 4 5" ]
    [ "$(cat "$OUT")" = abc ]
    wait_line receiver '5 damaged datagrams \(dropped\)'
}

@test "with --once a receiver stays after the file for a lost last ACK, and then ends" {
    start_receiver --once
    random_file 5000
    sender 127.0.0.1 "$PORT" "$IN"
    wait_line receiver 'staying 3 s'
    kill -0 "$RECEIVER_PID"
    wait_exit "$RECEIVER_PID"
    same
}

@test "a FIN without an answer: the sender stops, and says what it does not know" {
    need python3
    start silent python3 "$BATS_TEST_DIRNAME/tools/arq-no-last-ack"
    line=$(wait_line silent 'listening on')
    random_file 3000
    run sender --tries 4 127.0.0.1 "${line##*:}" "$IN"
    [ "$status" = 1 ]
    [[ $output == *"no answer to segment 4 (FIN), sent 4 times"* ]]
    [[ $output == *"it has all the data; whether it has found the file whole is not known"* ]]
}

@test "a native receiver takes a file from this build's sender" {
    OUT=$BATS_TEST_TMPDIR/out
    start_server receiver "$NATIVE/06-retransmit/arq_receiver" 127.0.0.1 0 "$OUT"
    random_file 50000
    sender --window 16 127.0.0.1 "$PORT" "$IN"
    same
}

@test "a progress bar is drawn on a terminal, and a line each two seconds elsewhere" {
    not_on_windows "there is no terminal under Wine here"
    need script
    start_receiver
    random_file 3000
    script -qec "$BIN/06-retransmit/arq_sender 127.0.0.1 $PORT $IN" /dev/null 3>&- </dev/null |
        grep -F '[########################################] 100 % of 0.0 MB'
    run sender 127.0.0.1 "$PORT" "$IN" # that does not take two seconds
    [[ $output != *%* ]]
    start_relay --delay 130
    random_file 9000
    run sender 127.0.0.1 "$PORT" "$IN" # 10 segments of 260 ms do
    [[ $output == *" % of 0.0 MB, RTO "* ]]
}

@test "mistakes in the command line end with status 2, and a file that is none with 1" {
    for program in arq_sender arq_receiver lossy_relay; do
        lesson "06-retransmit/$program" --help | grep "usage: $program"
        run lesson "06-retransmit/$program" --nonsense
        [ "$status" = 2 ]
        [ "${#lines[@]}" = 1 ]
        run lesson "06-retransmit/$program" onlyone
        [ "$status" = 2 ]
    done
    for window in 0 -1 1025 x ''; do
        run sender --window "$window" 127.0.0.1 1 "$BATS_TEST_DIRNAME/arq.bats"
        [ "$status" = 2 ]
    done
    for option in '--loss 101' '--loss -1' '--loss x' '--loss' '--delay 10001' '--seed 1x'; do
        # shellcheck disable=SC2086 # an option and its value
        run lesson 06-retransmit/lossy_relay $option
        [ "$status" = 2 ]
    done
    run lesson 06-retransmit/arq_receiver --idle 0
    [ "$status" = 2 ]
    run sender 127.0.0.1 1 "$BATS_TEST_TMPDIR/none"
    [ "$status" = 1 ]
    run sender 127.0.0.1 1 "$BATS_TEST_TMPDIR"
    [ "$status" = 1 ]
}

@test "a port that is taken is an error by name" {
    start_receiver
    for program in arq_receiver lossy_relay; do
        args=(127.0.0.1 "$PORT")
        [ "$program" = arq_receiver ] || args+=(127.0.0.1 9)
        run lesson "06-retransmit/$program" "${args[@]}"
        [ "$status" = 1 ]
        [[ $output == *"$program: bind 127.0.0.1:$PORT: "*ADDRINUSE* ]]
    done
}
