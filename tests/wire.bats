#!/usr/bin/env bats
# The wire: what it shows, what it says of mistakes, and that it leaves nothing behind.

load helper

WIRE=$BIN/wire
DEMO=$ROOT/04-handshake-trace/three-way-handshake.scene

setup() {
    need_wire
}

# A scene of these lines, in the test's own folder; its path in $SCENE.
scene() {
    SCENE=$BATS_TEST_TMPDIR/test.scene
    cat >"$SCENE"
}

# The echo programs of lesson 02 in a scene, and further lines.
echo_scene() {
    scene < <(
        echo "isn client 1000 server 2000"
        echo "server $BIN/02-tcp-echo/server 10.0.0.2 7777"
        echo "client $BIN/02-tcp-echo/client 10.0.0.2 7777 hello"
        cat
    )
}

events() {
    run --separate-stderr "$WIRE" --events "$SCENE" 3>&-
}

without_times() {
    sed -E 's/^ *[0-9.]+  //; s/10\.0\.0\.1:[0-9]+/10.0.0.1:PORT/g'
}

@test "the doctor finds all that the wire needs" {
    run "$WIRE" --doctor 3>&-
    [ "$status" -eq 0 ]
    [[ $output == *"The wire can play on this machine."* ]]
}

@test "the doctor names what is missing and the command that mends it" {
    [ "$(id -u)" = 0 ] || skip "not on Windows: only root can take /dev/net/tun away from itself"
    # a mount namespace in which there is no /dev/net/tun
    run unshare -m sh -c 'mount -t tmpfs none /dev/net && "$1" --doctor' sh "$WIRE" 3>&-
    [ "$status" -eq 1 ]
    [[ $output == *"missing"*"/dev/net/tun cannot be opened: No such file or directory"* ]]
    [[ $output == *"to mend it: sudo modprobe tun"* ]]
    run unshare -m sh -c 'mount -t tmpfs none /dev/net && "$1" "$2"' sh "$WIRE" "$DEMO" 3>&-
    [ "$status" -eq 3 ]
    [[ $output == *"to mend it"* ]]
}

@test "a handshake is seen from both ends: states, segments and calls in the order of cause" {
    run --separate-stderr "$WIRE" --events "$DEMO" 3>&-
    [ "$status" -eq 0 ]
    in_order 'server : socket\(.*\) = 3' 'server : bind\(3\) = 0' 'server = LISTEN' \
        'server : listen\(3\) = 0' 'server : accept\(3\)$' 'client : connect\(3\)$' \
        'client = SYN_SENT' 'client > SYN seq=1000' 'server < SYN seq=1000' 'server = SYN_RCVD' \
        'server > SYN,ACK seq=2000 ack=1001' 'client < SYN,ACK' 'client = ESTABLISHED' \
        'client > ACK seq=1001 ack=2001' 'client : connect\(3\) = 0' 'server < ACK' \
        'server = ESTABLISHED' 'server : accept\(3\) = 4' 'server < DATA' 'server > DATA' \
        'client > FIN' 'server = CLOSE_WAIT' 'server > FIN' 'client = TIME_WAIT'
}

@test "the ladder fits 80 columns and says that all came as expected" {
    run --separate-stderr "$WIRE" --width 80 "$DEMO" 3>&-
    [ "$status" -eq 0 ]
    [[ $output == *"SYN_SENT ●───────── SYN seq=1000 ──────────▶● SYN_RCVD"* ]]
    [[ $output == *"ESTABLISHED ●◀─── SYN,ACK seq=2000 ack=1001 ───│"* ]]
    [[ $output == *"All came as the scene expects"* ]]
    widest=$(wc -L <<<"$output")
    [ "$widest" -le 80 ]
}

@test "a wide terminal has the explanations beside the ladder" {
    run --separate-stderr "$WIRE" --width 140 "$DEMO" 3>&-
    [ "$status" -eq 0 ]
    grep -q '● LISTEN .* The passive open' <<<"$output"
}

@test "lines are ASCII when asked for, and colours stay off in a pipe" {
    run --separate-stderr env -u NO_COLOR "$WIRE" --ascii "$DEMO" 3>&-
    [ "$status" -eq 0 ]
    grep -q -- 'SYN_SENT \*-* SYN seq=1000 -*>\* SYN_RCVD' <<<"$output"
    run ! grep -qP '[^\x00-\x7F]|\x1b' <<<"$output"
}

@test "make demo plays it" {
    run make -s -C "$ROOT" demo 3>&-
    [ "$status" -eq 0 ]
    [[ $output == *"SYN,ACK seq=2000 ack=1001"* ]]
}

@test "the same scene gives the same events, on an idle machine and on a busy one" {
    busy=()
    for load in idle busy; do
        if [ "$load" = busy ]; then
            for _ in $(seq "$(nproc)"); do start busy sh -c 'while :; do :; done'; done
        fi
        for i in $(seq 8); do
            "$WIRE" --events "$DEMO" 3>&- | without_times >"$BATS_TEST_TMPDIR/$load.$i"
        done
    done
    [ "$(cat "$BATS_TEST_TMPDIR"/idle.* | wc -l)" -gt 400 ]
    [ "$(md5sum "$BATS_TEST_TMPDIR"/*.[0-9] | cut -d' ' -f1 | sort -u | wc -l)" = 1 ]
}

@test "an ordinary user plays it as well" {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups test -w /dev/net/tun ||
            skip "/dev/net/tun is not open to ordinary users: chmod 0666 /dev/net/tun"
        place=$(mktemp -d)
        mkdir -p "$place/02-tcp-echo"
        cp "$WIRE" "$DEMO" "$place"
        cp "$BIN"/02-tcp-echo/{server,client} "$place/02-tcp-echo"
        chmod -R a+rX "$place"
        run --separate-stderr setpriv --reuid=65534 --regid=65534 --clear-groups \
            "$place/wire" --events "$place/three-way-handshake.scene" 3>&-
        rm -rf "$place"
    else
        run --separate-stderr "$WIRE" --events "$DEMO" 3>&-
    fi
    [ "$status" -eq 0 ]
    in_order 'client = SYN_SENT' 'server = SYN_RCVD' 'client = TIME_WAIT'
}

@test "the scene in the README is one that passes" {
    awk '/^```/ { inside = !inside; next } inside && /^title/ { take = 1 } !inside { take = 0 } take' \
        "$ROOT/README.md" >"$BATS_TEST_TMPDIR/readme.scene"
    grep -q '^never' "$BATS_TEST_TMPDIR/readme.scene"
    run "$WIRE" "$BATS_TEST_TMPDIR/readme.scene" 3>&-
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"RTO after 1.0 s"* ]]
}

@test "anybody's programs draw their ladder: python and curl" {
    need python3 curl
    cd "$BATS_TEST_TMPDIR"
    run --separate-stderr "$WIRE" -- python3 -m http.server 8000 -- curl -s http://10.0.0.2:8000/ 3>&-
    [ "$status" -eq 0 ]
    in_order 'LISTEN' 'SYN seq=0' 'SYN,ACK seq=0 ack=1' 'accept\(3\) = 4' 'DATA' 'FIN'
}

@test "a lost SYN is drawn as lost, and sent again" {
    run --separate-stderr "$WIRE" --drop 'client > SYN #1' -- "$BIN/02-tcp-echo/server" 10.0.0.2 7777 \
        -- "$BIN/02-tcp-echo/client" 10.0.0.2 7777 hello 3>&-
    [ "$status" -eq 0 ]
    in_order 'SYN seq=0 .*╳' 'RTO after 1[.][0-9] s .* SYN seq=0 ' 'ESTABLISHED'
    [[ $output == *"1 lost"* ]]
}

@test "ARP, output and minor calls are shown only with --all" {
    run --separate-stderr "$WIRE" "$DEMO" 3>&-
    run ! grep -qE 'ARP|prints|setsockopt|listening on' <<<"$output"
    run --separate-stderr "$WIRE" --all "$DEMO" 3>&-
    in_order 'setsockopt' 'listening on' 'ARP who-has 10.0.0.2' 'ARP is-at'
}

@test "a rule drops, delays, doubles or damages one segment" {
    echo_scene <<<'on client > DATA #1: drop'
    events
    [ "$status" -eq 0 ]
    in_order 'client > DATA seq=1001 .*len=5' 'server x DATA seq=1001' 'client > DATA seq=1001' \
        'server < DATA seq=1001' 'server : recv\(4\) = 5'

    echo_scene <<<'on client > ACK #1: delay 50ms'
    events
    [ "$status" -eq 0 ]
    in_order 'client > ACK seq=1001' 'client > DATA' 'server < DATA' 'server = ESTABLISHED' 'server < ACK seq=1001'

    echo_scene <<<'on client > DATA #1: duplicate after 5ms'
    events
    [ "$status" -eq 0 ]
    in_order 'server < DATA seq=1001' 'server < DATA seq=1001 .*copy' 'server > ACK'
    [ "$(grep -c 'server : recv(4) = 5$' <<<"$output")" = 1 ]

    echo_scene <<<'on client > DATA #1: corrupt'
    events
    [ "$status" -eq 0 ]
    in_order 'server < DATA seq=1001 .*damaged' 'client > DATA seq=1001' 'server : recv\(4\) = 5'
}

@test "a rule holds a segment until an event, and kills, unplugs, plugs and starts a host" {
    echo_scene <<<'on client > FIN #1: hold until server : send = 5'
    events
    [ "$status" -eq 0 ]

    echo_scene <<'SCENE'
on client = SYN_SENT: kill client
expect client : exit = SIGKILL
expect client > RST
expect server = LISTEN
never  server : accept = *
SCENE
    events
    [ "$status" -eq 0 ]

    echo_scene <<'SCENE'
timeout 5s
on client > SYN #1: unplug server
on client > SYN #2: plug server
expect server x SYN
expect server < SYN
expect client : exit = 0
SCENE
    events
    [ "$status" -eq 0 ]

    echo_scene <<'SCENE'
on server : accept #1: start client
expect server : accept
expect client : socket = 3
expect client : exit = 0
SCENE
    events
    [ "$status" -eq 0 ]

    echo_scene <<<'on server : accept: start client'
    events
    [ "$status" -eq 1 ]
    [[ $stderr == *"starts a program again and again"* ]]
}

@test "an expectation that is not met is named with its line, and what came instead" {
    echo_scene <<'SCENE'
timeout 300ms
expect client = SYN_SENT
expect server = CLOSING
SCENE
    events
    [ "$status" -eq 1 ]
    [[ $stderr == *"test.scene:6: expected, and did not come:  server = CLOSING"* ]]
    [[ $stderr == *"after   client = SYN_SENT"* ]]
    [[ $stderr == *"came    client > SYN seq=1000"* ]]
}

@test "what should never come is named when it comes" {
    echo_scene <<<'never server : accept = *'
    events
    [ "$status" -eq 1 ]
    [[ $stderr == *"test.scene:4: this came, and should never:  server : accept(3) = 4"* ]]
}

@test "a mistake in a scene names its file, its line and what is wrong" {
    while IFS='|' read -r line message; do
        echo_scene <<<"$line"
        run "$WIRE" "$SCENE" 3>&-
        echo "$line: $output"
        [ "$status" -eq 2 ]
        [[ $output == *"test.scene:4: "*"$message"* ]]
    done <<'MISTAKES'
expct client > SYN|a line begins with title
expect clint > SYN|an event begins with client or server, not 'clint'
expect client > SYNC|'SYNC' is no kind of segment
expect client > SYN sec=1|'sec=1' is not seq=N
expect client ? SYN|after the host comes
expect client = SYN_RECEIVED|'SYN_RECEIVED' is no TCP state
expect client : |a call's name is expected
expect client : connect(x) = 0|a descriptor is expected
expect client : connect =|a result is expected
expect client > DATA #0|a number from 1 is expected
on client > SYN|expected: on EVENT: ACTION
on client > SYN: explode|an action is expected
on client > SYN: delay soon|a time is expected
on client : connect: drop|only a segment that is sent
on client > SYN: kill nobody|client or server is expected
on client > SYN: hold until client|after the host comes
latency fast|a time is expected
stack modernish|a stack is textbook or modern
isn client 1|expected: isn client NUMBER
sysctl client kernel.panic 1|expected: sysctl
sysctl client net.../../x 1|expected: sysctl
client another|this host has a program already
MISTAKES
    echo_scene <<<'sysctl client net.ipv4.no_such_setting 1'
    run "$WIRE" "$SCENE" 3>&-
    [ "$status" -eq 2 ]
    [[ $output == *"test.scene:4: sysctl net.ipv4.no_such_setting 1: No such file or directory"* ]]
}

@test "files that are no scenes get an error, not a crash" {
    cd "$BATS_TEST_TMPDIR"
    head -c 100000 /dev/urandom >noise.scene
    printf 'title x\0y\n' >zero.scene
    printf 'title %02000d\n' 1 >long.scene
    printf '   text before all\n' >text.scene
    : >empty.scene
    for file in noise zero long text empty absent; do
        run "$WIRE" "$file.scene" 3>&-
        echo "$file: $output"
        [ "$status" -eq 2 ]
        [[ $output == *"wire: $file.scene"* ]]
    done
}

@test "usage errors are one line and end with 2; --help explains all" {
    for args in "" "--nonsense" "--drop" "--latency soon x.scene" "a.scene b.scene" "-- server"; do
        # shellcheck disable=SC2086
        run "$WIRE" $args 3>&-
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
    run "$WIRE" --help 3>&-
    [ "$status" -eq 0 ]
    [[ $output == *"--doctor"* ]]
}

@test "a program that cannot be started, dies or never ends is said clearly" {
    run "$WIRE" -- /no/such/program -- true 3>&-
    [ "$status" -eq 1 ]
    [[ $output == *"/no/such/program cannot be started: No such file or directory"* ]]

    run "$WIRE" -- "$BIN/02-tcp-echo/server" 10.0.0.2 7777 -- sh -c 'kill -SEGV $$' 3>&-
    [ "$status" -eq 1 ]
    [[ $output == *"client : exit = SIGSEGV"* ]]

    run "$WIRE" --timeout 300ms -- "$BIN/02-tcp-echo/server" 10.0.0.2 7777 -- sleep 1000 3>&-
    [ "$status" -eq 1 ]
    [[ $output == *"nothing has happened for 0.3 s: client is in no socket call; server waits in accept(3)"* ]]
}

@test "a client that fails is quoted" {
    run "$WIRE" -- sleep 1 -- "$BIN/02-tcp-echo/client" 10.0.0.2 7777 hello 3>&-
    [[ $output == *"connect(3)"*"= ECONNREFUSED"* ]]
    [[ $output == *"it printed: client: connect 10.0.0.2:7777: Connection refused (ECONNREFUSED)"* ]]
}

@test "Ctrl-C ends the programs too, and leaves nothing behind" {
    for signal in INT TERM KILL; do
        mark=86000.$RANDOM$RANDOM
        start wire "$WIRE" --timeout 60s -- "$BIN/02-tcp-echo/server" 10.0.0.2 7777 -- sleep "$mark"
        for _ in $(seq 500); do
            pgrep -f "^sleep $mark" >/dev/null && break
            sleep 0.02
        done
        pgrep -f "^sleep $mark"
        kill -"$signal" "$STARTED_PID"
        wait_exit "$STARTED_PID" || true
        for _ in $(seq 500); do
            pgrep -f "^sleep $mark" >/dev/null || break
            sleep 0.02
        done
        run ! pgrep -f "^sleep $mark"
    done
}

@test "a program that only computes does not stop the cable" {
    need python3
    run --separate-stderr timeout 20 "$WIRE" -- "$BIN/02-tcp-echo/server" 10.0.0.2 7777 -- python3 -c '
import socket
s = socket.create_connection(("10.0.0.2", 7777))
s.setblocking(False)
s.send(b"x")
while True:  # no sleeping: it asks again and again
    try:
        if s.recv(1): break
    except BlockingIOError: pass
' 3>&-
    [ "$status" -eq 0 ]
    in_order 'SYN seq=0' 'ESTABLISHED'
}

@test "a program that prints without end: the rest is not kept, and the time limit holds" {
    need_wire
    run timeout 60 "$BIN/wire" --events --timeout 1s -- "$BIN/02-tcp-echo/server" 10.0.0.2 7777 -- yes 3>&-
    [ "$status" = 1 ]
    [[ $output == *"nothing has happened for 1.0 s"* ]]
    [ "$(grep -c 'client : prints' <<<"$output")" = 10000 ]
    [[ $output == *'prints "(and so on: no more of it is kept)"'* ]]
}

@test "a misspelt call or error is a mistake, and a rule that did nothing is told" {
    need_wire
    local event
    for event in 'never client : conect' 'expect client : connect = ECONREFUSED' 'never server : accept = four'; do
        printf '%s\n' 'title T' "server $BIN/02-tcp-echo/server 10.0.0.2 7777" \
            "client $BIN/02-tcp-echo/client 10.0.0.2 7777 hello" "$event" >"$BATS_TEST_TMPDIR/s.scene"
        run timeout 60 "$BIN/wire" --quiet "$BATS_TEST_TMPDIR/s.scene" 3>&-
        [ "$status" = 2 ]
        [[ $output == *"s.scene:4: '"* ]]
    done
    run timeout 60 "$BIN/wire" --quiet --drop 'client > SYN #9' -- "$BIN/02-tcp-echo/server" 10.0.0.2 7777 -- \
        "$BIN/02-tcp-echo/client" 10.0.0.2 7777 hello 3>&-
    [ "$status" = 0 ]
    [[ $output == *"this never came, so the rule did nothing:  client > SYN #9: drop"* ]]
}
