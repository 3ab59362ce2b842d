# 03-udp-echo: the datagram. (tcp_vs_udp has its own file: tcp-vs-udp.bats.)

load helper

# A server on any free port, in $PORT; its log is the file `server`.
start_echo() {
    prog 03-udp-echo/server
    start_server server "${PROG[@]}" "${1:-127.0.0.1}" 0
}
start_listener() {
    prog 03-udp-echo/listener
    start_server listener "${PROG[@]}" "$@" 127.0.0.1 0
}
client() { lesson 03-udp-echo/client "$@"; }

# A UDP port that was free a moment ago.
free_port() {
    start_listener
    kill "$SERVER_PID"
    wait_exit "$SERVER_PID" || true
}

@test "the echo comes back and its round trip is measured" {
    start_echo
    run client 127.0.0.1 "$PORT" hello
    [ "$status" = 0 ]
    [[ ${lines[0]} =~ ^'"hello" (5 bytes) came back, RTT '[0-9]+\.[0-9]{3}' ms'$ ]]
    [ "${lines[1]}" = "1 of 1 answered" ]
}

@test "each message is a datagram of its own" {
    start_echo
    run client 127.0.0.1 "$PORT" one three fifteen
    [ "$status" = 0 ]
    [[ $output == *'"one" (3 bytes)'*'"three" (5 bytes)'*'"fifteen" (7 bytes)'*"3 of 3 answered" ]]
    wait_line server ': 7 bytes'
    run grep -oE '[0-9]+ bytes' "$BATS_TEST_TMPDIR/server"
    [ "${lines[*]}" = "3 bytes 5 bytes 7 bytes" ]
}

@test "an empty datagram is data and not an end of file" {
    start_echo
    run client 127.0.0.1 "$PORT" "" after ""
    [ "$status" = 0 ]
    [[ ${lines[0]} == '"" (0 bytes) came back, RTT '* ]]
    [[ ${lines[1]} == '"after" (5 bytes) came back, RTT '* ]]
    [ "${lines[3]}" = "3 of 3 answered" ]
    wait_line server ': 0 bytes'
    client 127.0.0.1 "$PORT" | grep -F '1 of 1 answered' # without a message: an empty one
}

@test "a lost datagram does not hang the client: it sends again, so often and no more" {
    start_listener # takes the datagrams and never answers, which is the same to the client
    prog 03-udp-echo/client
    start client "${PROG[@]}" --timeout 50 --tries 3 127.0.0.1 "$PORT" hello
    status=0
    wait_exit "$STARTED_PID" || status=$?
    [ "$status" = 1 ]
    for n in 1 2 3; do wait_line client "try $n of 3: no answer within 50 ms"; done
    wait_line client '^0 of 1 answered'
    wait_line listener hello
    [ "$(grep -c hello "$BATS_TEST_TMPDIR/listener")" = 3 ]
}

@test "a message that is lost does not keep the next from being sent" {
    start_listener
    run client --timeout 20 --tries 1 127.0.0.1 "$PORT" one two
    [ "$status" = 1 ]
    [[ $output == *"0 of 2 answered" ]]
    wait_line listener two
}

@test "late answers are told from the one that is awaited" {
    start_echo
    kill -STOP "$SERVER_PID" # its datagrams wait in the kernel, and are all answered later
    prog 03-udp-echo/client
    start client "${PROG[@]}" --timeout 200 --tries 100 127.0.0.1 "$PORT" first second
    client=$STARTED_PID
    wait_line client 'try 2 of 100'
    kill -CONT "$SERVER_PID"
    wait_exit "$client"
    wait_line client '^"first" \(5 bytes\) came back [0-9]+ ms after the first of [0-9]+ tries'
    wait_line client '^\(5 bytes that answer something else: ignored\)'
    wait_line client '^"second" \(6 bytes\) came back'
    wait_line client '^2 of 2 answered'
}

@test "a port where nobody listens is reported by name" {
    free_port
    run client --timeout 300 127.0.0.1 "$PORT" hello
    [ "$status" = 1 ]
    # Windows itself says WSAECONNRESET, Wine says WSAECONNREFUSED
    [[ $output =~ "client: 127.0.0.1:$PORT: Connection "(refused|reset by peer)" ("(E|WSAE)CONNRE(FUSED|SET)")" ]]
    [[ $output == *"0 of 1 answered" ]]
}

@test "the client takes answers from its peer only" {
    [ -r /proc/net/udp ] || skip "not on Windows: needs /proc/net/udp to find the client's port"
    start_listener
    prog 03-udp-echo/client
    start client "${PROG[@]}" --timeout 1000 --tries 2 127.0.0.1 "$PORT" hello
    client=$STARTED_PID
    wait_line listener hello
    # the socket whose peer is the listener is the client's
    local_port=$(awk -v peer="$(printf '0100007F:%04X' "$PORT")" \
        '$3 == peer { sub(/.*:/, "", $2); print $2 }' /proc/net/udp)
    printf hello >/dev/udp/127.0.0.1/"$PORT"
    printf hello >/dev/udp/127.0.0.1/$((16#$local_port))
    status=0
    wait_exit "$client" || status=$?
    [ "$status" = 1 ]
    wait_line client 'try 2 of 2: no answer'
    wait_line client '0 of 1 answered'
    # all the same the stranger can send: to a socket that is not connected
    [ "$(grep -c hello "$BATS_TEST_TMPDIR/listener")" = 3 ]
}

@test "a name with several addresses: each is tried" {
    not_on_windows "Wine asks no hosts file that a test may change"
    start_echo
    printf '::1 twohomes\n127.0.0.1 twohomes\n' >"$BATS_TEST_TMPDIR/hosts"
    # in a mount namespace of its own the client has a hosts file of its own
    unshare -rm true 2>/dev/null || skip "no private mount namespace can be made"
    prog 03-udp-echo/client
    # shellcheck disable=SC2016 # for the inner shell
    run unshare -rm sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh \
        "$BATS_TEST_TMPDIR/hosts" "${PROG[@]}" twohomes "$PORT" hello
    [ "$status" = 0 ]
    [[ $output == *"1 of 1 answered"* ]]
}

@test "IPv6 works as IPv4 does" {
    grep -q 00000000000000000000000000000001 /proc/net/if_inet6 2>/dev/null ||
        skip "this machine has no IPv6 loopback"
    start_echo ::1
    grep -F '[::1]' "$BATS_TEST_TMPDIR/server"
    client ::1 "$PORT" hello | grep -F '1 of 1 answered'
    run lesson 03-udp-echo/too_big ::1
    [[ $output == *"the largest that passes: 65527 bytes = 65535 - 8 (UDP header)" ]]
}

@test "the server outlives a client that has gone before its answer" {
    start_echo
    kill -STOP "$SERVER_PID"
    run client --timeout 50 --tries 2 127.0.0.1 "$PORT" gone
    [ "$status" = 1 ]
    kill -CONT "$SERVER_PID"
    wait_line server ': 4 bytes'
    client 127.0.0.1 "$PORT" here | grep -F '1 of 1 answered'
}

@test "many clients at once share the server's one socket" {
    start_echo
    pids=()
    for i in 1 2 3 4 5 6 7 8; do
        prog 03-udp-echo/client
        start "client$i" "${PROG[@]}" --tries 20 127.0.0.1 "$PORT" "from $i" again
        pids+=("$STARTED_PID")
    done
    for i in 1 2 3 4 5 6 7 8; do
        wait_exit "${pids[i - 1]}"
        wait_line "client$i" "^\"from $i\" \(6 bytes\) came back"
        wait_line "client$i" '^2 of 2 answered'
    done
}

@test "the largest datagram goes there and back, and one byte more is refused by name" {
    not_on_windows "a command line is shorter there"
    start_echo
    big=$(head -c 65507 /dev/zero | tr '\0' x)
    run client 127.0.0.1 "$PORT" "$big"
    [ "$status" = 0 ]
    [[ $output == *"x\" (65507 bytes) came back, RTT"* ]]
    run client 127.0.0.1 "$PORT" "${big}x"
    [ "$status" = 1 ]
    [[ $output == *"Message too long (EMSGSIZE)"* ]]
}

@test "a port in use is reported by name" {
    start_echo
    for program in server listener; do
        run lesson "03-udp-echo/$program" 127.0.0.1 "$PORT"
        [ "$status" = 1 ]
        [[ $output =~ ^$program": bind 127.0.0.1:$PORT: Address already in use ("(WSA)?EADDRINUSE")" ]]
    done
}

@test "the server stops in order when it is told to" {
    not_on_windows "signals end a program there"
    start_echo
    client 127.0.0.1 "$PORT" hello
    kill "$SERVER_PID"
    wait_exit "$SERVER_PID"
    wait_line server '^stopped$'
}

@test "the server loses no memory and no descriptor" {
    [ "${SUITE:-native}" = native ] || skip "not on Windows and not under sanitizers: valgrind"
    need valgrind
    log=$BATS_TEST_TMPDIR/valgrind
    start_server server valgrind --leak-check=full --show-leak-kinds=all --track-fds=yes \
        --error-exitcode=9 --log-file="$log" "$BIN/03-udp-echo/server" 127.0.0.1 0
    client --timeout 2000 127.0.0.1 "$PORT" one "" three
    # valgrind hands a signal over late: it may find the server just before it waits (see server.c)
    for _ in $(seq 100); do
        kill "$SERVER_PID" 2>/dev/null || break
        sleep 0.05
    done
    wait_exit "$SERVER_PID"
    grep -F 'All heap blocks were freed' "$log"
    grep -F 'ERROR SUMMARY: 0 errors' "$log"
    run grep -E 'Open (AF_INET|socket)' "$log"
    [ "$status" = 1 ]
}

@test "the listener prints what arrives, one line for each datagram" {
    start_listener --count 4
    run lesson 03-udp-echo/talker 127.0.0.1 "$PORT" 1 2 "" 3
    [ "$status" = 0 ]
    [ "$output" = "sent 4 datagrams to 127.0.0.1:$PORT" ]
    wait_exit "$SERVER_PID"
    run tr -d '\r' <"$BATS_TEST_TMPDIR/listener"
    [ "$output" = "listening on 127.0.0.1:$PORT"$'\n1\n2\n\n3\n4 datagrams received' ]
}

@test "the listener ends when nothing has come for a while" {
    start_listener --idle 300
    lesson 03-udp-echo/talker 127.0.0.1 "$PORT" one
    wait_exit "$SERVER_PID"
    wait_line listener '^one$'
    wait_line listener '^1 datagrams received$'
}

@test "what is not text is shown, not given to the terminal" {
    start_listener --count 1
    printf '\033[31mred\\\t\377' >/dev/udp/127.0.0.1/"$PORT"
    wait_exit "$SERVER_PID"
    grep -F '\x1b[31mred\x5c\x09\xff' "$BATS_TEST_TMPDIR/listener"
}

@test "a sender is not told that nobody listens" {
    free_port
    run lesson 03-udp-echo/talker 127.0.0.1 "$PORT" 1 2 3
    [ "$status" = 0 ]
    [ "$output" = "sent 3 datagrams to 127.0.0.1:$PORT" ]
}

@test "as many receives as sends, of equal sizes" {
    run lesson 03-udp-echo/boundaries
    [ "$status" = 0 ]
    for row in '1 1 1 1' '2 100 2 100' '3 0 3 0' '4 5 4 5' '5 1400 5 1400'; do
        grep -qxE " *${row// / +}" <<<"$output"
    done
    [[ $output =~ "5 of 5 sizes are equal; one recv more: "(EAGAIN|WSAEWOULDBLOCK) ]]
}

@test "a short buffer loses the rest of a datagram" {
    run lesson 03-udp-echo/boundaries
    [ "$status" = 0 ]
    if [ "${SUITE:-native}" = windows ]; then
        [[ $output == *"fails: Message too long (WSAEMSGSIZE), and has filled the 100 bytes"* ]]
        [[ $output == *"recv    fails: WSAEMSGSIZE"* ]]
    else
        [[ $output == *"recvmsg returns 100, MSG_TRUNC is set"* ]]
        [[ $output == *"recv    returns 100, and no word of the other 900"* ]]
    fi
    [[ $output == *'recv    returns 4: "next"' ]]
}

@test "65507 bytes pass, 65508 are refused by name" {
    run lesson 03-udp-echo/too_big
    [ "$status" = 0 ]
    [[ $output == *"65507 bytes: sent, and 65507 received"* ]]
    [[ $output =~ "65508 bytes: Message too long ("(WSA)?EMSGSIZE")" ]]
    [[ $output == *"the largest that passes: 65507 bytes = 65535 - 20 (IP header) - 8 (UDP header)" ]]
}

# shellcheck disable=SC2030,SC2031 # $output is that of the test's own `run`
# overrun_value NAME: the number after NAME in the output of overrun
overrun_value() { sed -nE "s/^$1 +([0-9]+).*/\1/p" <<<"$output"; }
rcvbuf_errors() { awk '/^Udp: [0-9]/ { print $6 }' /proc/net/snmp; }

@test "a small receive buffer loses datagrams, and no send fails" {
    [ ! -r /proc/net/snmp ] || before=$(rcvbuf_errors)
    run lesson 03-udp-echo/overrun
    [ "$status" = 0 ]
    [[ $output == *"1000 datagrams of 100 bytes; 0 sends failed"* ]]
    sent=$(overrun_value sent) received=$(overrun_value received) lost=$(overrun_value lost)
    [ "$sent" = 1000 ]
    [ "$received" -gt 0 ]
    [ "$lost" -gt 0 ]
    [ $((received + lost)) = "$sent" ]
    # Linux counts the same, at the socket and for the host
    if [ -r /proc/net/snmp ]; then
        [ $(($(rcvbuf_errors) - before)) -ge "$lost" ]
        [ "${SUITE:-native}" = windows ] ||
            [[ $output == *"counted $lost dropped for want of room: the same" ]]
    fi
    # it is the buffer that decides
    run lesson 03-udp-echo/overrun 1000 100000
    [ "$(overrun_value lost)" -lt "$lost" ]
}

@test "a receive buffer that is large enough loses nothing" {
    run lesson 03-udp-echo/overrun 100 200000
    [ "$status" = 0 ]
    [ "$(overrun_value received)" = 100 ]
    [ "$(overrun_value lost)" = 0 ]
}

@test "native and Windows programs understand each other" {
    [ "${SUITE:-native}" = windows ] || return 0 # asked once, by the suite that has both
    start_echo
    "$NATIVE/03-udp-echo/client" 127.0.0.1 "$PORT" hello "" | grep -F '2 of 2 answered'
    start_server server "$NATIVE/03-udp-echo/server" 127.0.0.1 0
    client 127.0.0.1 "$PORT" hello "" | grep -F '2 of 2 answered'
}

@test "every program has a help text, and one line for a usage error" {
    for program in server client talker listener boundaries too_big overrun; do
        run lesson "03-udp-echo/$program" --help
        [ "$status" = 0 ]
        [[ $output == "usage: $program"* ]]
        run lesson "03-udp-echo/$program" a b c d e
        case $program in client | talker) continue ;; esac # any messages are right for these
        [ "$status" = 2 ]
        [ "${#lines[@]}" = 1 ]
        [[ $output == "$program: "* ]]
    done
    for wrong in "client" "client 127.0.0.1" "client --tries 0 127.0.0.1 9 x" \
        "client --timeout 1x 127.0.0.1 9 x" "client --nothing 1 127.0.0.1 9 x" \
        "talker 127.0.0.1 9" "listener --count" "listener --idle -1" "overrun 0" "overrun 1 x"; do
        # shellcheck disable=SC2086 # a program and its arguments
        run lesson 03-udp-echo/$wrong
        [ "$status" = 2 ]
        [ "${#lines[@]}" = 1 ]
        [[ $output == "${wrong%% *}: "* ]]
    done
}

@test "an address that cannot be is reported in the resolver's words" {
    for program in server client talker listener; do
        run lesson "03-udp-echo/$program" 127.0.0.1 notaport x
        [ "$program" = client ] || [ "$program" = talker ] ||
            run lesson "03-udp-echo/$program" 127.0.0.1 notaport
        [ "$status" = 1 ]
        [[ $output == "$program: 127.0.0.1 port notaport: "* ]]
    done
}

@test "a port of more than 16 bits is refused, and not cut" {
    refuse_port 03-udp-echo "client 127.0.0.1 70000" \
        "listener 127.0.0.1 70000" \
        "server 127.0.0.1 70000" \
        "talker 127.0.0.1 70000 x"
}

@test "a result that cannot be written is an error" {
    not_on_windows "there is no /dev/full"
    local words
    for words in boundaries too_big "talker 127.0.0.1 9 x"; do
        # shellcheck disable=SC2086 # words
        run -1 bash -c "\"$BIN\"/03-udp-echo/$words >/dev/full"
        [[ $output = *"not all could be written to standard output"* ]]
    done
}

@test "the client looks for an answer even when it has a millisecond" {
    not_on_windows "its clock is coarser"
    start_echo
    for _ in $(seq 50); do # on a busy machine one may be late
        run client --timeout 1 --tries 1 127.0.0.1 "$PORT" hello
        [ "$status" = 0 ] && return
    done
    false
}
