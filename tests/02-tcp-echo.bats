#!/usr/bin/env bats
# Lesson 02: the stream. Every row of its table, and a test for each old bug that concerns TCP.
load helper

# The badly behaved ones come from python3 (itself, and not a shim before it, which takes longer
# than all the rest); the many come from a small C program.
setup_file() {
    PYTHON=$(python3 -c 'import sys; print(sys.executable)' 3>&- || true)
    export PYTHON
}
peer() {
    "$PYTHON" -S "$ROOT/tests/tools/peer.py" "$@" 3>&-
}
start_peer() {
    local name=$1
    shift
    start "$name" "$PYTHON" -S "$ROOT/tests/tools/peer.py" "$@"
}
start_listening_peer() {
    local name=$1
    shift
    start_server "$name" "$PYTHON" -S "$ROOT/tests/tools/peer.py" --listen 127.0.0.1 "$@"
}
many_clients() {
    "$NATIVE/tests/tools/echo_load" 127.0.0.1 "$PORT" all "$@" 3>&-
}
need_many_clients() {
    [ "$(uname -s)" = Linux ] || skip "the load generator runs on Linux"
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$ROOT" build/tests/tools/echo_load 3>&-
}
serve() { # serve PROGRAM [HOST PORT]
    prog "02-tcp-echo/$1"
    start_server "$1" "${PROG[@]}" "${2:-127.0.0.1}" "${3:-0}"
}
still_serves() {
    [ "$(lesson 02-tcp-echo/client 127.0.0.1 "$PORT" "still here")" = "still here" ]
}
time_wait_at() { # is a connection of this local port in TIME_WAIT?
    grep -qE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F]+:[0-9A-F]+ 06 " /proc/net/tcp
}

# ---- the stream is reliable, ordered, two-way ------------------------------------------------

@test "10 MB come back byte for byte from server and from server_poll" {
    local client clients=() server
    head -c 10485760 /dev/urandom >"$BATS_TEST_TMPDIR/in"
    prog 02-tcp-echo/client
    clients=("${PROG[*]}")
    # Windows and native programs talk to each other.
    [ "$SUITE" != windows ] || clients+=("$NATIVE/02-tcp-echo/client")
    for server in server server_poll; do
        serve $server
        for client in "${clients[@]}"; do
            # shellcheck disable=SC2086 # "wine PATH" is two words
            $client 127.0.0.1 "$PORT" <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 3>&-
            cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
        done
    done
}

@test "a native server serves a Windows client" {
    [ "$SUITE" = windows ] || skip "not on Windows: this is about Windows programs"
    local server
    for server in server server_poll framed_server; do
        start_server "native_$server" "$NATIVE/02-tcp-echo/$server" 127.0.0.1 0
        [ $server = framed_server ] || still_serves
    done
    run lesson 02-tcp-echo/framed_client 127.0.0.1 "$PORT" one ""
    [ "${lines[1]} ${lines[2]}" = "3 bytes: one 0 bytes: " ]
}

@test "a message comes back, and the server logs its client even before it ends" {
    serve server
    run lesson 02-tcp-echo/client 127.0.0.1 "$PORT" hello
    [ "$status" = 0 ]
    [ "$output" = hello ]
    # The log is a file here: a line must be in it at once, not when a buffer is full.
    wait_line server '^127\.0\.0\.1:[0-9]+: connected'
    wait_line server '^127\.0\.0\.1:[0-9]+: end of stream after 5 bytes'
}

@test "a client fed by a pipe half-closes and gets all of the reply" {
    serve server
    run lesson 02-tcp-echo/client 127.0.0.1 "$PORT" < <(printf 'from a pipe')
    [ "$status" = 0 ]
    [ "$output" = "from a pipe" ]
    wait_line server 'end of stream after 11 bytes'
}

@test "what the server says after the client's FIN is not lost" {
    need python3
    start_listening_peer peer recv=5 send=hello eof send=" and goodbye"
    run lesson 02-tcp-echo/client 127.0.0.1 "$PORT" < <(printf hello)
    [ "$status" = 0 ]
    [ "$output" = "hello and goodbye" ]
    wait_line peer 'end of stream'
}

@test "a server that closes too early is reported by the client" {
    need python3
    start_listening_peer peer recv=5 send=hel
    run lesson 02-tcp-echo/client 127.0.0.1 "$PORT" hello
    [ "$status" = 1 ]
    [[ $output = *"the server closed after 3 of 5 bytes"* ]]
}

@test "a name with several addresses: each is tried, by the client and by the server" {
    not_on_windows "a name of one's own needs a private /etc/hosts"
    need unshare
    printf '127.0.0.1 two-homes\n127.0.0.2 two-homes\n' >"$BATS_TEST_TMPDIR/hosts"
    cat >"$BATS_TEST_TMPDIR/at-home" <<END
mount --bind '$BATS_TEST_TMPDIR/hosts' /etc/hosts && exec "\$@"
END
    local at_home=(unshare -rm sh "$BATS_TEST_TMPDIR/at-home") address server tried=0
    "${at_home[@]}" true 2>/dev/null || skip "no private mounts here (unshare -rm)"
    for address in 127.0.0.1 127.0.0.2; do
        serve server $address
        prog 02-tcp-echo/client
        run "${at_home[@]}" "${PROG[@]}" two-homes "$PORT" hello 3>&-
        [ "$status" = 0 ]
        [ "${lines[-1]}" = hello ]
        [[ $output != *"(ECONNREFUSED)"* ]] || tried=$((tried + 1))
        # The same port is taken at one of the two: the server goes on to the other.
        for server in server server_poll framed_server; do
            prog 02-tcp-echo/$server
            start_server "$server$address" "${at_home[@]}" "${PROG[@]}" two-homes "$PORT"
            kill -9 "$SERVER_PID"
            wait_exit "$SERVER_PID" || true
        done
    done
    [ $tried = 1 ] # whichever address came first, one of the two servers was not there
}

@test "a server restarts at once although it closed first and its port is in TIME_WAIT" {
    not_on_windows "there a server ends with Ctrl-C, without closing in order"
    need python3
    local server
    for server in server server_poll framed_server; do
        serve $server
        start_peer client_$server 127.0.0.1 "$PORT" hex=0000000141 recv=5 eof
        wait_line client_$server received
        kill -TERM "$SERVER_PID"
        wait_exit "$SERVER_PID"
        wait_line $server '^stopped'
        wait_line client_$server 'end of stream'
        wait_exit "$STARTED_PID"
        [ ! -e /proc/net/tcp ] || time_wait_at "$PORT"
        serve $server 127.0.0.1 "$PORT"
    done
}

@test "a port in use is reported by name, and is not taken from its owner" {
    local server
    serve server
    for server in server server_poll framed_server; do
        run lesson 02-tcp-echo/$server 127.0.0.1 "$PORT"
        [ "$status" = 1 ]
        [[ ${output%$'\r'} =~ ^$server:\ bind\ 127\.0\.0\.1:$PORT:.*\((WSA)?E(ADDRINUSE|ACCES)\)$ ]]
    done
    still_serves
}

@test "a port where nobody listens is refused by name" {
    serve server
    kill -9 "$SERVER_PID"
    wait_exit "$SERVER_PID" || true
    local client
    for client in client framed_client; do
        run lesson 02-tcp-echo/$client 127.0.0.1 "$PORT" hello
        [ "$status" = 1 ]
        [[ ${output%$'\r'} =~ ^$client:\ connect\ 127\.0\.0\.1:$PORT:\ Connection\ refused\ \((WSA)?ECONNREFUSED\)$ ]]
    done
}

@test "usage errors exit 2 with one line, --help exits 0" {
    local program
    for program in server client server_poll framed_server framed_client no_boundaries; do
        run lesson 02-tcp-echo/$program --help
        [ "$status" = 0 ]
        [[ $output = "usage: $program"* ]]
        run lesson 02-tcp-echo/$program only-one-argument
        [ "$status" = 2 ]
        [ "${#lines[@]}" = 1 ]
    done
    run lesson 02-tcp-echo/framed_client --pieces 0 127.0.0.1 7000 hello
    [ "$status" = 2 ]
}

@test "a port above 65535 and an empty one are refused, and not taken for another" {
    local program wrong
    for program in server server_poll framed_server client framed_client; do
        for wrong in 70000 65536 -1 ""; do
            prog 02-tcp-echo/$program
            [[ $program != *client ]] || set -- hello
            run timeout 10 "${PROG[@]}" 127.0.0.1 "$wrong" "$@" 3>&-
            [ "$status" = 2 ]
            [[ ${output%$'\r'} = "$program: port \"$wrong\": not a name, nor a number of 16 bits" ]]
        done
    done
}

# ---- what is printed arrives, or it is said that it does not ----------------------------------

@test "a result that cannot be written makes the client fail and say so" {
    not_on_windows "no /dev/full there"
    local program
    for program in client framed_client no_boundaries; do
        set --
        if [ $program != no_boundaries ]; then
            serve "$([ $program = client ] && echo server || echo framed_server)"
            set -- 127.0.0.1 "$PORT" hi
        fi
        prog 02-tcp-echo/$program
        run --separate-stderr sh -c '"$@" >/dev/full' sh "${PROG[@]}" "$@" 3>&-
        [ "$status" = 1 ]
        # shellcheck disable=SC2154 # set by run
        [ "$stderr" = "$program: not all could be written to standard output" ]
    done
}

@test "a server serves on when its log cannot be written, and says so at its end" {
    not_on_windows "no /dev/full there"
    local server full
    for server in server server_poll framed_server; do
        serve $server # a port that is free
        kill "$SERVER_PID"
        wait_exit "$SERVER_PID"
        start full sh -c 'exec "$@" >/dev/full' sh "${PROG[@]}" 127.0.0.1 "$PORT"
        full=$STARTED_PID
        for _ in $(seq 250); do
            (: <>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && break
            sleep 0.02
        done
        if [ $server = framed_server ]; then
            lesson 02-tcp-echo/framed_client 127.0.0.1 "$PORT" hello
        else
            still_serves
            still_serves
        fi
        kill "$full"
        status=0
        wait_exit "$full" || status=$?
        [ "$status" = 1 ]
        [ "$(tail -n 1 "$BATS_TEST_TMPDIR/full")" = "$server: not all of the log could be written" ]
    done
}

# ---- no message boundaries -------------------------------------------------------------------

@test "three sends arrive in one recv, one send in several, and a send takes only a part" {
    run lesson 02-tcp-echo/no_boundaries
    [ "$status" = 0 ]
    [[ $output = *'recv(100) = 11: "onetwothree"'* ]]
    [[ $output = *'recv(10) = 10: "abcdefghij"'*'recv(10) = 10: "klmnopqrst"'*'recv(10) = 6: "uvwxyz"'* ]]
    local big taken got
    read -r big taken < <(sed -nE 's/^ +send\(([0-9]{5,})\) = ([0-9]+)$/\1 \2/p' <<<"$output")
    got=$(sed -nE "s/^ +recv\\($big\\) = ([0-9]+)$/\\1/p" <<<"$output")
    [ "$taken" -gt 0 ] && [ "$taken" -lt "$big" ]
    [ "$got" -gt 0 ] && [ "$got" -lt "$taken" ]
    [[ $output = *"$big bytes, each in its place" ]]
}

@test "a send takes only a part on a host with large buffers too" {
    need_wire
    cat >"$BATS_TEST_TMPDIR/large.scene" <<END
title    buffers of 32 MB, more than is sent
sysctl   client net.ipv4.tcp_wmem 4096 33554432 67108864
sysctl   client net.ipv4.tcp_rmem 4096 33554432 67108864
server   $BIN/02-tcp-echo/server 10.0.0.2 7000
client   $BIN/02-tcp-echo/no_boundaries
expect client : exit = 0
END
    run -0 timeout 60 "$BIN/wire" --events "$BATS_TEST_TMPDIR/large.scene" 3>&-
    [[ $output =~ 'send(16777216) = '([0-9]+)'"' ]]
    [ "${BASH_REMATCH[1]}" -gt 0 ] && [ "${BASH_REMATCH[1]}" -lt 16777216 ]
}

# ---- framing ---------------------------------------------------------------------------------

@test "framed messages keep their boundaries however the stream is cut" {
    serve framed_server
    local pieces
    for pieces in 1 3 5 100; do
        run lesson 02-tcp-echo/framed_client --pieces $pieces 127.0.0.1 "$PORT" hello "two words" "" x
        [ "$status" = 0 ]
        [ "${lines[0]}" = "4 messages, 31 bytes of stream, $(((31 + pieces - 1) / pieces)) send()" ]
        [ "${lines[1]}" = "5 bytes: hello" ]
        [ "${lines[2]}" = "9 bytes: two words" ]
        [ "${lines[3]}" = "0 bytes: " ]
        [ "${lines[4]}" = "1 bytes: x" ]
    done
    wait_line framed_server 'end of stream after 4 messages'
}

@test "the length is four bytes in network byte order, and the longest message passes" {
    need python3
    serve framed_server
    local long
    long=$(printf 'x%.0s' $(seq 16384))
    run lesson 02-tcp-echo/framed_client 127.0.0.1 "$PORT" "$long"
    [ "$status" = 0 ]
    [ "${lines[1]}" = "16384 bytes: $long" ]
    run lesson 02-tcp-echo/framed_client 127.0.0.1 "$PORT" "$long!"
    [ "$status" = 2 ]
    [[ $output = *"16385 bytes are too long"* ]]
    # 00 00 01 02 is 258 in network order; one message in three pieces, and half of the next.
    peer 127.0.0.1 "$PORT" hex=0000 hex=0102 bytes=258 recv=262 hex=00000001 send=A recv=5 fin eof
    wait_line framed_server 'message 1, 258 bytes'
    wait_line framed_server 'end of stream after 2 messages'
}

@test "an over-long length is refused, and costs the other clients nothing" {
    need python3
    serve framed_server
    local length
    for length in ffffffff 80000000 00004001; do
        run peer 127.0.0.1 "$PORT" hex=$length end
        [ "$status" = 0 ]
        wait_line framed_server "refused: length $((16#$length)) is over the limit of 16384"
    done
    peer 127.0.0.1 "$PORT" send="GET / HTTP/1.0" end
    wait_line framed_server 'refused: length 1195725856'
    run lesson 02-tcp-echo/framed_client 127.0.0.1 "$PORT" hello
    [ "${lines[1]}" = "5 bytes: hello" ]
}

@test "a truncated message is reported, in its length and in its body" {
    need python3
    serve framed_server
    peer 127.0.0.1 "$PORT" hex=000000 fin eof
    wait_line framed_server 'truncated: the stream ended after 3 of the 4 bytes of a length'
    peer 127.0.0.1 "$PORT" hex=00000001 send=A recv=5 hex=0000000a send=abc fin eof
    wait_line framed_server 'truncated: the stream ended after 3 of the 10 bytes of message 2'
}

@test "framed_client reports a truncated and an over-long reply" {
    need python3
    start_listening_peer short recv=9 hex=00000005 send=he
    run lesson 02-tcp-echo/framed_client 127.0.0.1 "$PORT" hello
    [ "$status" = 1 ]
    [[ $output = *"the server closed after 2 of 5 bytes"* ]]
    start_listening_peer long recv=9 hex=7fffffff end
    run lesson 02-tcp-echo/framed_client 127.0.0.1 "$PORT" hello
    [ "$status" = 1 ]
    [[ $output = *"refused: length 2147483647 is over the limit of 16384"* ]]
}

@test "codes in a reply do not reach the terminal, and other letters do" {
    need python3
    start_listening_peer codes recv=12 hex=000000081b5b324ae7bd9109
    run lesson 02-tcp-echo/framed_client 127.0.0.1 "$PORT" 12345678
    [ "$status" = 1 ]
    [[ $output = *$'\n'"8 bytes: ?[2J网 "* ]]
    [[ $output = *"that is not the message that was sent"* ]]
}

# ---- servers outlive their clients -----------------------------------------------------------

@test "a reset client does not kill the server" {
    need python3
    local server
    for server in server server_poll framed_server; do
        serve $server
        peer 127.0.0.1 "$PORT" hex=0000000141 recv=5 reset
        peer 127.0.0.1 "$PORT" reset
        if [ $server = framed_server ]; then
            lesson 02-tcp-echo/framed_client 127.0.0.1 "$PORT" hello
        else
            peer 127.0.0.1 "$PORT" flood reset
            still_serves
        fi
        [ "$SUITE" = windows ] || wait_line $server "^$server: (recv from|send to) .*ECONNRESET"
    done
}

# A server that writes to a connection whose FIN and RST have come gets SIGPIPE. It is stopped while
# they come, so that it still finds the bytes to echo before it finds out.
@test "SIGPIPE does not kill a server" {
    not_on_windows "there is no SIGPIPE"
    need python3
    local server
    for server in server server_poll framed_server; do
        serve $server
        kill -STOP "$SERVER_PID"
        peer 127.0.0.1 "$PORT" hex=0000000141 fin reset
        kill -CONT "$SERVER_PID"
        wait_line $server "^$server: send to .*EPIPE"
        peer 127.0.0.1 "$PORT" hex=0000000141 recv=5 fin eof
    done
}

@test "no byte is lost when the other side reads late and little" {
    need python3
    local server
    for server in server server_poll; do
        serve $server
        run peer 127.0.0.1 "$PORT" rcvbuf=4096 flood drain
        [ "$status" = 0 ]
        [[ ${lines[1]} =~ ^drained\ ([0-9]+)\ of\ ([0-9]+)$ ]]
        [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
    done
}

@test "programs work with descriptors beyond 1024" {
    not_on_windows "descriptors are no small numbers there"
    [ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -gt 1200 ] || skip "no more than 1200 descriptors here"
    # shellcheck disable=SC2016
    local many='ulimit -Sn "$(ulimit -Hn)"; for fd in {3..1100}; do eval "exec $fd</dev/null"; done; exec "$@"'
    local beyond=(bash -c "$many" bash) server
    for server in server server_poll; do
        prog 02-tcp-echo/$server
        start_server $server "${beyond[@]}" "${PROG[@]}" 127.0.0.1 0
        prog 02-tcp-echo/client
        [ "$("${beyond[@]}" "${PROG[@]}" 127.0.0.1 "$PORT" hello 3>&-)" = hello ]
    done
    prog 02-tcp-echo/framed_server
    start_server framed_server "${beyond[@]}" "${PROG[@]}" 127.0.0.1 0
    prog 02-tcp-echo/framed_client
    "${beyond[@]}" "${PROG[@]}" 127.0.0.1 "$PORT" hello 3>&-
}

@test "a server without descriptors says so, and serves when there are some again" {
    not_on_windows "there is no such limit there"
    need prlimit
    local server
    for server in server framed_server; do
        prog 02-tcp-echo/$server
        # 0, 1, 2 and the listener: there is none for a client
        # shellcheck disable=SC2016
        start_server $server sh -c 'ulimit -Sn 4; exec "$@"' sh "${PROG[@]}" 127.0.0.1 0
        prog 02-tcp-echo/framed_client
        [ $server = framed_server ] || prog 02-tcp-echo/client
        start client "${PROG[@]}" 127.0.0.1 "$PORT" hello
        wait_line $server "$server: accept: Too many open files \(EMFILE\)"
        prlimit --pid "$SERVER_PID" --nofile=64:
        wait_line client 'hello'
    done
}

# ---- silence, and Ctrl-C ------------------------------------------------------------------------

@test "a silent server is given up, and the client says that nothing came, and for how long" {
    need python3
    local client
    for client in client framed_client; do
        start_listening_peer silent$client recv=5 until=/never
        impatient 02-tcp-echo/$client
        run timeout 20 "${PROG[@]}" 127.0.0.1 "$PORT" hello 3>&-
        [ "$status" = 1 ]
        [[ ${lines[-1]%$'\r'} =~ ^$client:\ recv:\ nothing\ came\ for\ 1\ s\ \((EAGAIN|WSAETIMEDOUT)\)$ ]]
    done
}

@test "a silent client is given up, and the server says so and takes the next one" {
    need python3
    local server
    for server in server framed_server; do
        impatient 02-tcp-echo/$server
        start_server $server "${PROG[@]}" 127.0.0.1 0
        start_peer silent$server 127.0.0.1 "$PORT" end
        wait_line $server "^$server: recv from 127\.0\.0\.1:[0-9]+: silent for 1 s, given up \((EAGAIN|WSAETIMEDOUT)\)\$"
        wait_line silent$server 'end of stream'
        [ $server = framed_server ] || still_serves
    done
}

@test "Ctrl-C with a client connected is no error of that client" {
    not_on_windows "there Ctrl-C ends the program at once"
    need python3
    local server
    for server in server framed_server; do
        serve $server
        start_peer held$server 127.0.0.1 "$PORT" hex=0000000141 recv=5 end
        wait_line held$server received
        kill -TERM "$SERVER_PID"
        wait_exit "$SERVER_PID"
        [ "$(tail -n 1 "$BATS_TEST_TMPDIR/$server")" = stopped ]
        run ! grep -E '^[a-z_]+: ' "$BATS_TEST_TMPDIR/$server"
    done
}

# ---- many at once ----------------------------------------------------------------------------

@test "server_poll serves 10,000 clients at once" {
    need_many_clients
    local count=10000
    [ "$SUITE" != windows ] || count=500 # Wine's own tables are slow, Windows' are not
    [ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 10100 ] || skip "ulimit -Hn is below 10,100"
    # It is begun with the usual limit of 1024, and raises it by itself.
    prog 02-tcp-echo/server_poll
    # shellcheck disable=SC2016
    start_server server_poll sh -c 'ulimit -Sn 1024; exec "$@"' sh "${PROG[@]}" 127.0.0.1 0
    run many_clients $count 3
    echo "$output"
    [ "$status" = 0 ]
    [ "${lines[0]}" = "$count connected at once" ]
    [ "${lines[1]}" = "$((count * 3)) round trips, $count closed in order" ]
    wait_line server_poll "^0 clients now, $count since the start; $((count * 3 * 64)) bytes echoed"
}

@test "one that never reads, one that resets, one that drips: the others notice nothing" {
    need python3
    need_many_clients
    serve server_poll
    local go=$BATS_TEST_TMPDIR/go never drip
    start_peer never 127.0.0.1 "$PORT" rcvbuf=4096 flood until="$go" drain
    never=$STARTED_PID
    start_peer drip 127.0.0.1 "$PORT" drip=3 say=dripping drip=12 until="$go" fin eof
    drip=$STARTED_PID
    wait_line never flooded
    wait_line drip dripping
    peer 127.0.0.1 "$PORT" send=hello recv=5 reset
    run many_clients 100 100
    [ "$status" = 0 ]
    [ "${lines[1]}" = "10000 round trips, 100 closed in order" ]
    # and the two are served to their end as well
    touch "$go"
    wait_line drip 'end of stream'
    wait_exit "$drip"
    wait_exit "$never"
    [[ $(wait_line never drained) =~ ^drained\ ([0-9]+)\ of\ ([0-9]+)$ ]]
    [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ]
}

@test "clients that never read cost server_poll little memory" {
    not_on_windows "the memory of a program is read from /proc"
    need python3
    [ -r /proc/self/status ] || skip "no /proc here"
    serve server_poll
    resident() { awk '/^VmRSS/ { print $2 }' "/proc/$SERVER_PID/status"; }
    still_serves
    local before n
    before=$(resident)
    for n in $(seq 8); do
        start_peer "never$n" 127.0.0.1 "$PORT" rcvbuf=4096 flood recv=1 until=/never
    done
    for n in $(seq 8); do
        wait_line "never$n" flooded
    done
    # Each holds megabytes in the kernel's buffers; of our own, 16 KB and the allocator's rounding.
    [ $(($(resident) - before)) -lt 4000 ]
    still_serves
}

@test "server_poll out of descriptors says so once, does not spin, and serves those it has" {
    not_on_windows "there is no such limit there"
    need python3
    need_many_clients
    prog 02-tcp-echo/server_poll
    # shellcheck disable=SC2016
    start_server server_poll sh -c 'ulimit -n 32; exec "$@"' sh "${PROG[@]}" 127.0.0.1 0
    wait_line server_poll 'only 32 open files are allowed here'
    start_peer first 127.0.0.1 "$PORT" send=hello recv=5 until="$BATS_TEST_TMPDIR/go" send=again recv=5 fin eof
    wait_line first 'received hello'
    local first=$STARTED_PID crowd cpu
    # 60 clients, more than there can be: the last ones wait, connected by the kernel
    start crowd "$PYTHON" -c '
import socket, sys, time
all = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(60)]
print("crowded", flush=True)
time.sleep(60)' "$PORT"
    crowd=$STARTED_PID
    wait_line crowd crowded
    wait_line server_poll '^server_poll: [0-9]+ clients and Too many open files: the next wait'
    # what the processor did for it in a second, in hundredths
    cpu=$(awk '{ print $14 + $15 }' "/proc/$SERVER_PID/stat")
    sleep 1
    [ $(($(awk '{ print $14 + $15 }' "/proc/$SERVER_PID/stat") - cpu)) -lt 30 ]
    # one that it has is served
    touch "$BATS_TEST_TMPDIR/go"
    wait_line first 'received again'
    wait_exit "$first"
    # and all others when there is room again
    kill -9 "$crowd"
    wait_exit "$crowd" || true
    run many_clients 20 20
    [ "$status" = 0 ]
    [ "$(grep -c 'Too many open files' "$BATS_TEST_TMPDIR/server_poll")" = 1 ]
}

# ---- nothing is lost -------------------------------------------------------------------------

@test "servers end in order on SIGINT and SIGTERM: no leak, no lost descriptor" {
    not_on_windows "valgrind runs on POSIX systems"
    need python3
    local checker=() server signal
    if [ "$SUITE" = sanitize ]; then
        export ASAN_OPTIONS=detect_leaks=1
    else
        need valgrind
        checker=(valgrind --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all
            --error-exitcode=99 --track-fds=yes)
    fi
    for server in server server_poll framed_server; do
        for signal in INT TERM; do
            # a start under valgrind takes a second, and two of the three end in the same way
            [ "$server$signal" != serverINT ] && [ "$server$signal" != framed_serverTERM ] || continue
            prog 02-tcp-echo/$server
            start_server $server ${checker[@]+"${checker[@]}"} "${PROG[@]}" 127.0.0.1 0
            peer 127.0.0.1 "$PORT" hex=0000000141 recv=5 fin eof
            peer 127.0.0.1 "$PORT" hex=0000000141 recv=5 reset
            peer 127.0.0.1 "$PORT" hex=ffffffff fin end
            [ $server != server_poll ] || peer 127.0.0.1 "$PORT" rcvbuf=4096 flood reset
            # one is connected, and one has unsent bytes, when the signal comes
            start_peer client 127.0.0.1 "$PORT" hex=0000000141 recv=5 end
            wait_line client received
            [ $server != server_poll ] || {
                start_peer never 127.0.0.1 "$PORT" rcvbuf=4096 flood until=/never
                wait_line never flooded
            }
            kill -$signal "$SERVER_PID"
            wait_exit "$SERVER_PID"
            wait_line $server '^stopped'
            if [ "$SUITE" != sanitize ]; then
                ! grep -E 'Open AF_INET|definitely lost: [1-9]' "$BATS_TEST_TMPDIR/$server"
                wait_line $server 'ERROR SUMMARY: 0 errors'
            fi
        done
    done
}
