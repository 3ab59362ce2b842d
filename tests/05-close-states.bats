# Lesson 05: closing a connection. Programs on loopback, and scenes on the wire.
load helper

LESSON=$ROOT/05-close-states
FIGURE=$LESSON/figures/tcp-state-diagram.svg

# Every scene is played once, several at a time, while other tests run already; what each one prints
# goes to $BATS_FILE_TMPDIR/NAME.events, then its exit status to NAME.status. The countdown of a
# minute begins here as well.
setup_file() {
    local scenes=("$LESSON"/*.scene) other
    for other in $(edges | awk '$3 ~ /^04-/ { print $3 }' | sort -u); do
        scenes+=("$ROOT/$other.scene")
    done
    if [ "${SUITE:-native}" != windows ] && "$BIN/wire" --doctor --brief >/dev/null; then
        # shellcheck disable=SC2016 # the $ are for the inner shell
        printf '%s\0' "${scenes[@]}" | xargs -0 -P 3 -I{} sh -c '
            name=$1/$(basename "$3" .scene)
            "$2" --events "$3" </dev/null >"$name.events" 2>"$name.errors"
            echo $? >"$name.part" && mv "$name.part" "$name.status"
            ' sh "$BATS_FILE_TMPDIR" "$BIN/wire" {} 3>&- >/dev/null 2>&1 &
        echo $! >"$BATS_FILE_TMPDIR/player"
    fi
    prog 05-close-states/time_wait
    "${PROG[@]}" >"$BATS_FILE_TMPDIR/countdown" 2>&1 3>&- </dev/null &
    echo $! >"$BATS_FILE_TMPDIR/counter"
}

teardown_file() {
    ! jobs -p | grep -qx "$(cat "$BATS_FILE_TMPDIR/counter")" || kill "$(cat "$BATS_FILE_TMPDIR/counter")" || true
    [ ! -e "$BATS_FILE_TMPDIR/player" ] || wait "$(cat "$BATS_FILE_TMPDIR/player")" || true
}

# FROM TO SCENE of each edge in the picture; in place of the scene stands `reason` where it has one.
edges() {
    sed -nE 's/.* data-from="([A-Z_0-9]+)" data-to="([A-Z_0-9]+)" data-(scene="([^"]+)"|(reason)="..*").*/\1 \2 \4\5/p' "$FIGURE"
}

# Waits until the scene has been played, then fails unless it went as it says.
played() {
    [ -e "$BATS_FILE_TMPDIR/$1.status" ] || need_wire
    EVENTS=$BATS_FILE_TMPDIR/$1.events
    for _ in $(seq 1500); do
        [ ! -e "$BATS_FILE_TMPDIR/$1.status" ] || break
        kill -0 "$(cat "$BATS_FILE_TMPDIR/player")" 2>/dev/null || break
        sleep 0.02
    done
    if [ "$(cat "$BATS_FILE_TMPDIR/$1.status")" != 0 ]; then
        cat "$BATS_FILE_TMPDIR/$1.errors"
        return 1
    fi
}

# The events begin with these words, in this order; others may come in between.
order() {
    printf '%s\n' "$@" | awk '
        NR == FNR { wanted[++count] = $0; next }
        { sub(/^ *[0-9.]+  /, "") }
        at < count && index($0, wanted[at + 1]) == 1 { at++ }
        END {
            if (at == count) exit 0
            print "expected, and did not come in this order: " wanted[at + 1]
            exit 1
        }' - "$EVENTS"
}

never() {
    if sed -E 's/^ *[0-9.]+  //' "$EVENTS" | grep -F -- "$1"; then
        echo "this came, and should not"
        return 1
    fi
}

# The states of one host's end of the connection, in one line.
states_of() {
    awk -v host="$1" '$2 == host && $3 == "=" && $5 != "listener" && $4 != "LISTEN" {
        printf "%s%s", sep, $4; sep = " " } END { print "" }' "$EVENTS"
}

# Begins to play a copy of a scene, changed by a sed script, as NUMBER; `outcome NUMBER` waits for its end
# and sets $status and $output.
changed() {
    local folder=$BATS_TEST_TMPDIR/$1/05-close-states
    mkdir -p "$folder"
    sed -E "$3" "$LESSON/$2.scene" >"$folder/$2.scene"
    cmp -s "$LESSON/$2.scene" "$folder/$2.scene" && return 1
    start "$1.out" "$BIN/wire" --quiet --timeout 2s "$folder/$2.scene"
    PLAYING[$1]=$STARTED_PID
}

outcome() {
    status=0
    wait_exit "${PLAYING[$1]}" || status=$?
    output=$(cat "$BATS_TEST_TMPDIR/$1.out")
}

# ---- programs ----

@test "peer reads to the FIN and closes" {
    prog 05-close-states/peer
    start_server peer "${PROG[@]}" 127.0.0.1 0
    lesson 05-close-states/closer 127.0.0.1 "$PORT" close hello
    wait_line peer '^closed$'
    [ "$(tr -d '\r' <"$BATS_TEST_TMPDIR/peer" | sed '1,2d')" = 'read "hello"
end of stream: the other'\''s FIN
closed' ]
}

@test "after a half-close the answer still comes" {
    prog 05-close-states/peer
    start_server peer "${PROG[@]}" 127.0.0.1 0 answer
    run lesson 05-close-states/closer 127.0.0.1 "$PORT" half question
    [ "$status" = 0 ]
    [ "${lines[2]}" = "our FIN is sent; now we only read" ]
    [ "${lines[3]}" = 'read "you sent 8 bytes"' ]
    [ "${lines[4]}" = "end of stream: the other's FIN" ]
}

@test "a clean close ends without an error, as the kernel says when it is asked" {
    prog 05-close-states/peer
    start_server peer "${PROG[@]}" 127.0.0.1 0 ask
    lesson 05-close-states/closer 127.0.0.1 "$PORT" half hello
    wait_line peer '^no error: that is how it ended$'
}

@test "a client that resets is an error for one connection and not for the server" {
    not_on_windows "Wine reads a RST as the end of the stream"
    prog 05-close-states/peer
    start_server peer "${PROG[@]}" 127.0.0.1 0
    lesson 05-close-states/closer 127.0.0.1 "$PORT" reset
    wait_line peer 'peer: recv: Connection reset by peer \(ECONNRESET\)'
    lesson 05-close-states/closer 127.0.0.1 "$PORT" close "still there?"
    wait_line peer 'read "still there\?"'
}

@test "a close with unread bytes resets the client" {
    not_on_windows "Wine reads a RST as the end of the stream"
    prog 05-close-states/peer
    start_server peer "${PROG[@]}" 127.0.0.1 0 unread
    run lesson 05-close-states/closer 127.0.0.1 "$PORT" wait hello
    [ "$status" = 1 ]
    [[ $output == *"closer: recv: Connection reset by peer (ECONNRESET)"* ]]
}

@test "a server that forgets close() collects CLOSE_WAIT until accept() fails with EMFILE" {
    not_on_windows "it has no limit on descriptors"
    prog 05-close-states/leaky_server
    start_server leaky "${PROG[@]}" --descriptors 7 127.0.0.1 0
    lesson 05-close-states/closer -n 4 127.0.0.1 "$PORT" close
    # which descriptors these are depends on those that it was started with
    wait_line leaky 'open: [0-9]+ CLOSE_WAIT, [0-9]+ CLOSE_WAIT'
    wait_line leaky 'leaky_server: accept: Too many open files \(EMFILE\)'
    kill -0 "$SERVER_PID"
}

@test "the mended server serves any number of clients with the same descriptors" {
    prog 05-close-states/leaky_server
    start_server mended "${PROG[@]}" --mended --descriptors 7 127.0.0.1 0
    lesson 05-close-states/closer -n 6 127.0.0.1 "$PORT" close
    for _ in $(seq 500); do
        [ "$(grep -c 'open: nothing' "$BATS_TEST_TMPDIR/mended")" -lt 6 ] || break
        sleep 0.02
    done
    [ "$(grep -c 'open: nothing' "$BATS_TEST_TMPDIR/mended")" = 6 ]
    [ "$(grep -c EMFILE "$BATS_TEST_TMPDIR/mended")" = 0 ]
}

@test "the port of who closed first can be bound only with SO_REUSEADDR; on Windows always" {
    run lesson 05-close-states/time_wait --bind
    [ "$status" = 0 ]
    [[ ${lines[1]} =~ ^"we closed first: port "[0-9]+" is in TIME_WAIT"$ ]]
    [ "${lines[3]}" = "bind with SO_REUSEADDR: works" ]
    if [ "${SUITE:-native}" != windows ]; then
        [ "${lines[2]}" = "bind with no option: Address already in use (EADDRINUSE)" ]
        return
    fi
    [ "${lines[2]}" = "bind with no option: works" ]
    run lesson 05-close-states/time_wait
    [ "$status" = 0 ]
    [ "${lines[5]}" = "Nothing to wait for: this system does not mind." ]
}

@test "one connection is walked through seven states, as the system's table has them" {
    run lesson 05-close-states/states
    [ "$status" = 0 ]
    [ "$(printf '%s\n' "${lines[@]:1}" | cut -c45- | tr -s ' ')" = "- LISTEN
ESTABLISHED ESTABLISHED
FIN_WAIT_1 ESTABLISHED
FIN_WAIT_2 CLOSE_WAIT
FIN_WAIT_2 LAST_ACK
TIME_WAIT CLOSED
TIME_WAIT CLOSED" ]
}

@test "give_up closes whatever has become of its connection" {
    prog 05-close-states/peer
    start_server peer "${PROG[@]}" 127.0.0.1 0
    run lesson 05-close-states/give_up 0 127.0.0.1 "$PORT"
    [ "$status" = 0 ]
    [ "${lines[1]}" = "connected all the same; we close" ]
    wait_line peer "end of stream"
    kill "$SERVER_PID"
    wait_exit "$SERVER_PID" || true
    run lesson 05-close-states/give_up 0 127.0.0.1 "$PORT"
    if [ "${SUITE:-native}" != windows ]; then # Windows tries for two seconds
        [ "$status" = 1 ]
        [[ $output == *"Connection refused (ECONNREFUSED)"* ]]
    fi
}

@test "same_pair says what it lacks where the first number cannot be chosen" {
    run lesson 05-close-states/same_pair 7 127.0.0.1 7 1 reads 0
    [ "$status" = 0 ]
    [ -z "$output" ]
    if [ "${SUITE:-native}" = windows ]; then
        run lesson 05-close-states/same_pair 7 127.0.0.1 7 1 reads 1
        [ "$status" = 1 ]
        [[ $output == "same_pair: choosing the first sequence number: "*"(WSAEOPNOTSUPP)"* ]]
    fi
}

@test "each program has --help, and answers a usage error in one line and with 2" {
    local program
    for program in closer peer leaky_server time_wait states give_up same_pair; do
        run lesson "05-close-states/$program" --help
        [ "$status" = 0 ]
        [[ ${lines[0]} == "usage: $program"* ]]
    done
    usage() {
        local name=$1
        shift
        run lesson "05-close-states/$name" "$@"
        [ "$status" = 2 ] || { echo "$name $*: $status"; return 1; }
        [ "${#lines[@]}" = 1 ]
        [[ $output == "$name: "* ]]
    }
    usage closer
    usage closer 127.0.0.1 7000 gently
    usage closer -n 0 127.0.0.1 7000 close
    usage closer -n 5x 127.0.0.1 7000 close
    usage peer 127.0.0.1
    usage peer 127.0.0.1 0 never
    usage leaky_server --fast
    usage leaky_server --descriptors 4
    usage leaky_server 127.0.0.1
    usage time_wait 127.0.0.1
    usage states all
    usage give_up 0 127.0.0.1
    usage give_up -1 127.0.0.1 7000
    usage same_pair 0 127.0.0.1 7000 1 reads 1
    usage same_pair 7000 127.0.0.1 7000 1 listens 1
    usage same_pair 7000 127.0.0.1 7000 1 reads x
}

# ---- scenes ----

@test "four-way-close: each state at its segment" {
    played four-way-close
    [ "$(states_of client)" = "SYN_SENT ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT" ]
    [ "$(states_of server)" = "SYN_RCVD ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED" ]
    order "client = FIN_WAIT_1" "client > FIN seq=1006 ack=2001" "server < FIN" \
        "server = CLOSE_WAIT" "server > ACK seq=2001 ack=1007" "client < ACK seq=2001 ack=1007" \
        "client = FIN_WAIT_2" "server = LAST_ACK" "server > FIN seq=2001 ack=1007" \
        "client < FIN" "client = TIME_WAIT" "client > ACK seq=1007 ack=2002" "server < ACK" \
        "server = CLOSED"
}

@test "half-close: data flows from CLOSE_WAIT to FIN_WAIT_2" {
    played half-close
    order "client = FIN_WAIT_1" "server = CLOSE_WAIT" "server > DATA" "client < DATA" \
        "client = FIN_WAIT_2" "client : recv(3) = 16" "client = TIME_WAIT"
    order "server = CLOSE_WAIT" "server > DATA" "server = LAST_ACK"
    never "RST"
}

@test "data-after-close: the answer gets a RST, and the server's calls all succeed" {
    played data-after-close
    [ "$(states_of client)" = "SYN_SENT ESTABLISHED FIN_WAIT_1 CLOSED" ]
    order "client : exit = 0" "server > DATA" "server : send(4) = 16" "server : close(4) = 0" \
        "client < DATA" "client = CLOSED" "client > RST seq=1010" "server < RST" "server = CLOSED"
    never "ECONNRESET"
}

@test "fin-and-ack-together: three segments, without FIN_WAIT_2" {
    played fin-and-ack-together
    [ "$(states_of client)" = "SYN_SENT ESTABLISHED FIN_WAIT_1 TIME_WAIT" ]
    order "client > FIN" "server > FIN seq=2006 ack=1007" "client = TIME_WAIT" "client > ACK" \
        "server = CLOSED"
    [ "$(sed -n '/client > FIN/,$p' "$EVENTS" | grep -c ' > ')" = 3 ]
}

@test "simultaneous-close: both ends go through CLOSING" {
    played simultaneous-close
    [ "$(states_of client)" = "SYN_SENT ESTABLISHED FIN_WAIT_1 CLOSING TIME_WAIT" ]
    [ "$(states_of server)" = "SYN_RCVD ESTABLISHED FIN_WAIT_1 CLOSING TIME_WAIT" ]
}

@test "time-wait-lost-ack: TIME_WAIT answers the FIN that comes again" {
    played time-wait-lost-ack
    order "client = TIME_WAIT" "server x ACK" "server > FIN" "client < FIN" \
        "client > ACK seq=1007 ack=2002" "server < ACK" "server = CLOSED" \
        'server : prints "no error: that is how it ended"'
    [ "$(states_of client)" = "SYN_SENT ESTABLISHED FIN_WAIT_1 TIME_WAIT" ]
}

@test "no-time-wait: the same clean close ends in ECONNRESET" {
    played no-time-wait
    never "= TIME_WAIT"
    order "client = CLOSED" "server x ACK" "server > FIN" "client > RST" "server = CLOSED" \
        'server : prints "ECONNRESET: that is how it ended"'
}

@test "time-wait-old-segment: it is dropped, and its pair of addresses cannot be used" {
    played time-wait-old-segment
    order "client = TIME_WAIT" "client : connect(3) = EADDRNOTAVAIL" "client < DATA seq=2001" \
        "client > ACK"
    never "client = CLOSED"
    [ "$(grep -c 'client < DATA' "$EVENTS")" = 2 ]
    [ "$(grep -c 'client : recv(3) = 8' "$EVENTS")" = 1 ]
    [ "$(grep -c 'client > SYN seq' "$EVENTS")" = 1 ]
}

@test "no-time-wait-old-segment: the next connection reads it as its own data" {
    played no-time-wait-old-segment
    never "TIME_WAIT"
    [ "$(grep -c 'client : prints "read "pay 500' "$EVENTS")" = 2 ]
    never 'prints "read "pay 001'
    order 'server : prints "said "pay 001' 'client : prints "read "pay 500' "client : exit = 0" \
        "server : exit = 0"
    never "RST"
}

@test "time-wait-assassination: a RST ends TIME_WAIT early, unless tcp_rfc1337 is set" {
    played time-wait-assassination
    order "client = TIME_WAIT" "client < DATA" "client > ACK" "server > RST" "client < RST" \
        "client = CLOSED"
}

@test "time-wait-bind: EADDRINUSE, and with SO_REUSEADDR it works" {
    played time-wait-bind
    order "server = TIME_WAIT" "server : bind(3) = EADDRINUSE" "server : setsockopt(3) = 0" \
        "server : bind(3) = 0"
    [ "$(states_of server)" = "SYN_RCVD ESTABLISHED FIN_WAIT_1 TIME_WAIT" ]
}

@test "close-wait-leak: CLOSE_WAIT stays, and descriptors run out" {
    played close-wait-leak
    order "server : accept(3) = 4" "server : accept(3) = 5" "server : accept(3) = 6" \
        "server : accept(3) = EMFILE" "server : exit = SIGKILL" "server = LAST_ACK"
    [ "$(sed '/exit = SIGKILL/,$d' "$EVENTS" | grep -c 'server = CLOSE_WAIT')" = 4 ]
    [ "$(sed '/exit = SIGKILL/,$d' "$EVENTS" | grep -c 'server = LAST_ACK')" = 0 ]
}

@test "close-wait-mended: with close() every CLOSE_WAIT ends" {
    played close-wait-mended
    [ "$(grep -c 'server = CLOSE_WAIT' "$EVENTS")" = 4 ]
    [ "$(grep -c 'server = LAST_ACK' "$EVENTS")" = 4 ]
    never EMFILE
}

@test "reset-on-close: RST in place of FIN" {
    played reset-on-close
    [ "$(states_of client)" = "SYN_SENT ESTABLISHED CLOSED" ]
    never " FIN"
    order "client > RST" "server = CLOSED" "server : recv(4) = ECONNRESET"
}

@test "reset-unread-data: acknowledged bytes are lost, and the client is told" {
    played reset-unread-data
    never " FIN"
    order "server > ACK seq=2001 ack=1006" "server : close(4)" "server > RST" \
        "client : recv(3) = ECONNRESET"
}

@test "fin-wait-2-timeout: FIN_WAIT_2 is given up, CLOSE_WAIT is not" {
    played fin-wait-2-timeout
    [ "$(states_of client)" = "SYN_SENT ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 CLOSED" ]
    [ "$(states_of server)" = "SYN_RCVD ESTABLISHED CLOSE_WAIT" ]
}

@test "close-in-syn-sent and close-in-syn-rcvd: silence, and a FIN" {
    played close-in-syn-sent
    [ "$(states_of client)" = "SYN_SENT CLOSED" ]
    never "client > FIN"
    played close-in-syn-rcvd
    [ "$(states_of client)" = "SYN_SENT SYN_RCVD FIN_WAIT_1 TIME_WAIT" ]
}

@test "a scene whose fault or setting is taken away fails, and says what did not come" {
    need_wire
    local n PLAYING=()
    changed 1 time-wait-lost-ack '/^on /d'
    changed 2 simultaneous-close 's/^(server .*) first/\1 eof/; /^on /d'
    changed 3 no-time-wait '/^sysctl/d'
    changed 4 time-wait-old-segment '/^sysctl/d'
    changed 5 half-close 's/len=16/len=17/'
    changed 6 reset-on-close 's/ reset hello/ close hello/'
    changed 7 fin-and-ack-together 's/^expect client : recv = 5/on nonsense/'
    for n in 1 2 3 4 5 6; do
        outcome "$n"
        [ "$status" = 1 ] || { echo "scene $n: $status $output"; return 1; }
        case $n in
        1) [[ $output == *"expected, and did not come:  server x ACK"* ]] ;;
        3) [[ $output == *"this came, and should never:  client = TIME_WAIT"* ]] ;;
        4) [[ $output == *"this came, and should never:  client = CLOSED"* ]] ;;
        esac
    done
    outcome 7
    [ "$status" = 2 ]
    [[ $output == *".scene:"*"expected: on EVENT: ACTION"* ]]
}

@test "the ladder shows what a timer sends, and calls nothing else a retransmission" {
    need_wire
    run "$BIN/wire" --width 80 "$LESSON/four-way-close.scene" 3>&-
    [[ $output == *"FIN_WAIT_2 ●◀───── ACK seq=2001 ack=1007 ─────│"* ]]
    run "$BIN/wire" --width 80 "$LESSON/no-time-wait-old-segment.scene" 3>&-
    [ "$(grep -cE 'RTO after 2[0-9]{2} ms' <<<"$output")" = 1 ]
    [ "$(grep -cE 'seq=.* again|RTO|keepalive' <<<"$output")" = 1 ]
}

# ---- the picture ----

@test "every edge of RFC 9293 figure 5 is in the picture, and no other" {
    diff <(edges | awk '{ print $1, $2 }' | sort) <(sort <<'END'
CLOSED LISTEN
CLOSED SYN_SENT
LISTEN CLOSED
LISTEN SYN_RCVD
LISTEN SYN_SENT
SYN_SENT CLOSED
SYN_SENT SYN_RCVD
SYN_SENT ESTABLISHED
SYN_RCVD LISTEN
SYN_RCVD ESTABLISHED
SYN_RCVD FIN_WAIT_1
ESTABLISHED FIN_WAIT_1
ESTABLISHED CLOSE_WAIT
FIN_WAIT_1 FIN_WAIT_2
FIN_WAIT_1 CLOSING
FIN_WAIT_1 TIME_WAIT
FIN_WAIT_2 TIME_WAIT
CLOSING TIME_WAIT
TIME_WAIT CLOSED
CLOSE_WAIT LAST_ACK
LAST_ACK CLOSED
END
    )
}

# FROM TO of each step that a host made, from a scene's events. One connection at a time.
walked() {
    awk '$3 == "=" {
        host = $2; to = $4
        if ($5 == "listener") { print "LISTEN", to; listens[host] = 0; next }
        if (to == "LISTEN") {
            print (at[host] == "SYN_RCVD" ? "SYN_RCVD" : "CLOSED"), to
            listens[host] = 1; delete at[host]; next
        }
        from = host in at ? at[host] : (listens[host] ? "LISTEN" : "CLOSED")
        print from, to
        if (to == "CLOSED") delete at[host]; else at[host] = to
    }' "$1"
}

@test "every edge in the picture is walked by its scene, or says why not" {
    need_wire
    local from to scene count=0
    while read -r from to scene; do
        count=$((count + 1))
        [ "$scene" != reason ] || continue
        played "$(basename "$scene")"
        walked "$EVENTS" | grep -qx "$from $to" || {
            echo "$scene does not go from $from to $to"
            return 1
        }
        grep -F "data-from=\"$from\" data-to=\"$to\"" "$FIGURE" | grep -qF ">$(basename "$scene")</text>"
    done < <(edges)
    [ "$count" = 21 ]
    [ "$(edges | grep -c reason)" = 2 ]
}

@test "the picture is for light and dark, with its text as text, and asks for nothing else" {
    grep -q 'prefers-color-scheme: dark' "$FIGURE"
    grep -q '>TIME_WAIT</text>' "$FIGURE"
    run grep -iE '<script|<image|href|://|@import|@font' <(sed 's|xmlns="http://www.w3.org/2000/svg"||' "$FIGURE")
    [ -z "$output" ]
}

# ---- what takes a minute ----

@test "time_wait counts down from the minute that Linux keeps TIME_WAIT" {
    not_on_windows "bind() does not mind TIME_WAIT there"
    local file=$BATS_FILE_TMPDIR/countdown
    for _ in $(seq 500); do
        [ "$(grep -c 's left$' "$file")" -lt 2 ] || break
        sleep 0.02
    done
    run grep 's left$' "$file"
    [[ ${lines[0]} =~ ^\[\.{30}\]\ (59|60)\ s\ left$ ]]
    [[ ${lines[1]} =~ ^\[##?\.{28,29}\]\ 5[3-6]\ s\ left$ ]]
    [ "${LONG:-0}" = 1 ] || return 0 # LONG=1 waits for the end
    for _ in $(seq 700); do
        ! grep -q CLOSED "$file" || break
        sleep 0.1
    done
    [[ $(grep CLOSED "$file") =~ ^"bind with no option: works after "6[0-4]\.[0-9]" s: CLOSED"$ ]]
}

@test "a port of more than 16 bits is refused, and not cut" {
    refuse_port 05-close-states "closer 127.0.0.1 70000 close" \
        "peer 127.0.0.1 70000" \
        "leaky_server 127.0.0.1 70000" \
        "time_wait 127.0.0.1 70000"
}
