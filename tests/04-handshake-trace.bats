#!/usr/bin/env bats
# Lesson 04: each scene is played once, and what happened is read from its log of events; then the
# programs on their own, without the wire.
# shellcheck disable=SC2153 # start_server sets PORT
load helper
bats_require_minimum_version 1.5.0

LESSON=04-handshake-trace
WAITING=(server-unreachable lost-syn-linear old-duplicate-syn lost-syn lost-syn-ack lost-last-ack backlog-full)
QUICK=(three-way-handshake simultaneous-open client-crashes refused no-such-host old-duplicate-syn-figure-8
    lost-last-ack-data half-open half-open-data listen-without-accept)
BROKEN=(client-crashes simultaneous-open lost-syn lost-last-ack-data server-unreachable
    old-duplicate-syn-figure-8 listen-without-accept half-open)

# play NAME FILE [TIMEOUT]: its events, with and without their times, and its exit status.
play() {
    local to=$BATS_FILE_TMPDIR/$1 status=0
    "$BIN/wire" --timeout "${3:-10s}" --events "$2" >"$to.timed" 2>"$to.errors" 3>&- || status=$?
    echo "$status" >"$to.status"
    sed -i 's/ why=[a-z-]*//I' "$to.timed" # why a segment is sent again is lesson 06's matter
    sed -E 's/^ *[0-9.]+  //' "$to.timed" >"$to"
}

# A copy of a scene without its rules, and with other programs: what it expects cannot come.
break_scene() {
    mkdir -p "$BATS_FILE_TMPDIR/$LESSON"
    sed -E '/^on /d; s/^(server +)late_accept (.*)/\1late_accept \2 0/
        s/^(client +forget .*) again/\1/; s/^(client +connect_from) 7777/\1 7776/' "$ROOT/$LESSON/$1.scene" >"$BATS_FILE_TMPDIR/$LESSON/$1.scene"
}

setup_file() {
    local scene
    { [ "${SUITE:-native}" != windows ] && "$BIN/wire" --doctor --brief; } >/dev/null 2>&1 || return 0
    for scene in "${WAITING[@]}"; do
        play "$scene" "$ROOT/$LESSON/$scene.scene" &
    done
    for scene in "${QUICK[@]}"; do
        play "$scene" "$ROOT/$LESSON/$scene.scene"
    done
    for scene in "${BROKEN[@]}"; do
        break_scene "$scene"
        play "$scene.broken" "$BATS_FILE_TMPDIR/$LESSON/$scene.scene" 1s &
    done
    wait
}

# in_order SCENE EVENT...: these events came, in this order, whatever else came in between.
in_order() {
    local scene=$1 line
    shift
    while [ $# -gt 0 ] && IFS= read -r line; do
        [ "$line" != "$1" ] || shift
    done <"$BATS_FILE_TMPDIR/$scene"
    [ $# = 0 ] && return
    echo "$scene: not in its place: $1"
    cat "$BATS_FILE_TMPDIR/$scene"
    return 1
}

# count SCENE REGEX: how many events match.
count() {
    grep -cE -- "$2" "$BATS_FILE_TMPDIR/$1" || true
}

# states SCENE HOST: the states that the host went through, in one line.
states() {
    sed -nE "s/^$2 = ([A-Z_0-9]+)$/\1/p" "$BATS_FILE_TMPDIR/$1" | paste -sd' '
}

# gaps SCENE EVENT: the seconds between one such event and the next, rounded.
gaps() {
    awk -v event="$2" '{ time = $1; sub(/^ *[0-9.]+  /, "") }
        $0 == event { if (n++) printf "%s%.0f", (n > 2 ? " " : ""), (time - last) / 1000; last = time }' \
        "$BATS_FILE_TMPDIR/$1.timed"
}

@test "every scene comes as it says" {
    need_wire
    local scene bad=0
    for scene in "$ROOT/$LESSON"/*.scene; do
        scene=$(basename "$scene" .scene)
        [ "$scene" != lost-syn-linear ] || [ -e /proc/sys/net/ipv4/tcp_syn_linear_timeouts ] || continue
        [ "$(cat "$BATS_FILE_TMPDIR/$scene.status")" = 0 ] || {
            bad=1
            echo "$scene:"
            cat "$BATS_FILE_TMPDIR/$scene.errors" "$BATS_FILE_TMPDIR/$scene"
        }
    done
    [ "$bad" = 0 ]
}

@test "a scene without its rules or with other programs fails, and says what did not come" {
    need_wire
    local scene
    for scene in "${BROKEN[@]}"; do
        echo "$scene"
        [ "$(cat "$BATS_FILE_TMPDIR/$scene.broken.status")" = 1 ]
        grep -qE 'expected, and did not come|this came, and should never' \
            "$BATS_FILE_TMPDIR/$scene.broken.errors"
    done
}

@test "isn takes one number or more for each host, and says so otherwise" {
    need_wire
    local bad scene=$BATS_TEST_TMPDIR/isn.scene
    for bad in 'client 1' 'client server 2' 'client 1x server 2' 'server 1 client 2' 'client 1 server 4294967296' \
        'client 1 2 3 4 5 6 7 8 9 server 1'; do
        printf 'title isn\nisn %s\nclient true\n' "$bad" >"$scene"
        run -2 "$BIN/wire" "$scene"
        [[ "$output" = *"isn.scene:2: expected: isn client NUMBER... server NUMBER..."* ]]
    done
    printf 'title isn\nisn client 90 100 server 300\nclient true\n' >"$scene"
    run -0 "$BIN/wire" --quiet "$scene"
}

@test "each scene has a title, expectations, and explanations" {
    local scene
    for scene in "$ROOT/$LESSON"/*.scene; do
        echo "$scene"
        grep -q '^title ' "$scene"
        [ "$(grep -c '^expect ' "$scene")" -ge 5 ]
        [ "$(grep -c '^    ' "$scene")" -ge 3 ]
    done
}

@test "three-way-handshake: three segments, numbered as in the picture, and the states of both ends" {
    need_wire
    local s=three-way-handshake
    in_order $s 'client > SYN seq=1000' 'server > SYN,ACK seq=2000 ack=1001' 'client > ACK seq=1001 ack=2001'
    [[ "$(states $s client)" = 'SYN_SENT ESTABLISHED '* ]]
    [[ "$(states $s server)" = 'LISTEN SYN_RCVD ESTABLISHED '* ]]
}

@test "three-way-handshake: connect() returns on the second segment, accept() on the third" {
    need_wire
    in_order three-way-handshake 'client < SYN,ACK seq=2000 ack=1001' 'client : connect(3) = 0' \
        'server < ACK seq=1001 ack=2001' 'server : accept(3) = 4'
}

@test "simultaneous-open: both ends go by SYN_RCVD to one connection, from port 7777 to port 8888" {
    need_wire
    local s=simultaneous-open
    [[ "$(states $s client)" = 'SYN_SENT SYN_RCVD ESTABLISHED '* ]]
    [[ "$(states $s server)" = 'SYN_SENT SYN_RCVD ESTABLISHED '* ]]
    [ "$(count $s '= LISTEN|: accept')" = 0 ]
    in_order $s 'server > SYN seq=300' 'client > SYN seq=100' 'client < SYN seq=300' 'server < SYN seq=100'
    in_order $s 'client > SYN,ACK seq=100 ack=301' 'server < SYN,ACK seq=100 ack=301' 'server = ESTABLISHED'
    in_order $s 'server > SYN,ACK seq=300 ack=101' 'client < SYN,ACK seq=300 ack=101' 'client = ESTABLISHED'
    in_order $s 'client : prints "connected: 10.0.0.1:7777 to 10.0.0.2:8888"'
    in_order $s 'server : prints "connected: 10.0.0.2:8888 to 10.0.0.1:7777"'
}

@test "client-crashes: a RST answers the SYN,ACK, SYN_RCVD goes back to LISTEN, accept() never returns" {
    need_wire
    local s=client-crashes
    in_order $s 'client = SYN_SENT' 'client : exit = SIGKILL' 'client = CLOSED' 'server = SYN_RCVD' \
        'client < SYN,ACK seq=2000 ack=1001' 'client > RST seq=1001' 'server < RST seq=1001' 'server = LISTEN'
    [ "$(states $s server)" = 'LISTEN SYN_RCVD LISTEN' ]
    [ "$(count $s 'server : accept.* = ')" = 0 ]
}

@test "refused: one SYN, a RST, and ECONNREFUSED after one round trip" {
    need_wire
    local s=refused
    in_order $s 'server = LISTEN' 'server : exit = SIGKILL' 'client > SYN seq=1000' \
        'server > RST seq=0 ack=1001' 'client = CLOSED' 'client : connect(3) = ECONNREFUSED' 'client : exit = 1'
    [ "$(states $s client)" = 'SYN_SENT CLOSED' ]
    [ "$(count $s 'client > SYN')" = 1 ]
    [ "$(count $s 'prints "10.0.0.2:7777: refused after .*\(ECONNREFUSED\)"')" = 1 ]
}

@test "server-unreachable: the SYN again after 1 and 2 s, and after 4 s more ETIMEDOUT" {
    need_wire
    local s=server-unreachable
    [ "$(gaps $s 'client > SYN seq=1000')" = '1 2' ]
    [ "$(count $s 'server x SYN')" = 3 ]
    [ "$(count $s 'server [<>]')" = "$(count $s 'server [<>] ARP')" ]
    in_order $s 'client = SYN_SENT' 'client = CLOSED' 'client : connect(3) = ETIMEDOUT'
    [ "$(count $s 'prints "10.0.0.2:7777: timed out after 7...\.. ms: .*\(ETIMEDOUT\)"')" = 1 ]
}

@test "no-such-host: ARP asks three times, no SYN goes out, EHOSTUNREACH" {
    need_wire
    local s=no-such-host
    [ "$(count $s 'client > ARP who-has 10.0.0.9')" = 3 ]
    [ "$(count $s 'SYN seq')" = 0 ]
    in_order $s 'client = SYN_SENT' 'client > ARP who-has 10.0.0.9' 'client = CLOSED' \
        'client : connect(3) = EHOSTUNREACH'
    [ "$(count $s 'unreachable after .*\(EHOSTUNREACH\)')" = 1 ]
}

@test "old-duplicate-syn: the stale SYN is answered, refused with RST, and nothing is accepted" {
    need_wire
    local s=old-duplicate-syn
    [ "$(gaps $s 'client > SYN seq=1000')" = 1 ]
    in_order $s 'server = CLOSED' 'server < SYN seq=1000' 'server = SYN_RCVD' \
        'server > SYN,ACK seq=3000 ack=1001' 'client > RST seq=1001' 'server < RST seq=1001' 'server = LISTEN'
    [ "$(count $s 'server : accept.* = ')" = 1 ]
    [ "$(count $s 'server = ESTABLISHED')" = 1 ]
}

@test "old-duplicate-syn-figure-8: the old SYN is reset, the new one connects, as the figure numbers them" {
    need_wire
    local s=old-duplicate-syn-figure-8
    in_order $s 'client > SYN seq=90' 'client > SYN seq=100' 'server < SYN seq=90' \
        'server > SYN,ACK seq=300 ack=91' 'client > RST seq=91' 'server < RST seq=91' 'server = LISTEN' \
        'server < SYN seq=100' 'server > SYN,ACK seq=400 ack=101' 'client = ESTABLISHED' \
        'client > ACK seq=101 ack=401' 'server = ESTABLISHED'
    [ "$(count $s 'server : accept.* = ')" = 1 ]
}

@test "lost-syn: the same SYN after one second" {
    need_wire
    [ "$(gaps lost-syn 'client > SYN seq=1000')" = 1 ]
    in_order lost-syn 'server x SYN seq=1000' 'client > SYN seq=1000' 'server = SYN_RCVD' 'client : connect(3) = 0'
    [ "$(count lost-syn 'prints "connection 1: after 1...\.. ms"')" = 1 ]
}

@test "lost-syn-linear: as Linux is shipped, the SYN again after 1, 1 and 1 s" {
    need_wire
    [ -e /proc/sys/net/ipv4/tcp_syn_linear_timeouts ] || skip "this kernel has no tcp_syn_linear_timeouts"
    [ "$(gaps lost-syn-linear 'client > SYN seq=1000')" = '1 1 1' ]
}

@test "lost-syn-ack: the SYN comes again, and the server repeats its answer with the same number" {
    need_wire
    in_order lost-syn-ack 'client x SYN,ACK seq=2000 ack=1001' 'client > SYN seq=1000' 'server < SYN seq=1000' \
        'server > SYN,ACK seq=2000 ack=1001' 'client = ESTABLISHED'
    [ "$(count lost-syn-ack 'server = SYN_RCVD')" = 1 ]
}

@test "lost-last-ack: a silent client makes the server repeat its SYN,ACK, and accept() a second late" {
    need_wire
    local s=lost-last-ack
    in_order $s 'server x ACK seq=1001 ack=2001' 'client : connect(3) = 0' 'server > SYN,ACK seq=2000 ack=1001' \
        'client > ACK seq=1001 ack=2001' 'server < ACK seq=1001 ack=2001' 'server = ESTABLISHED' \
        'server : accept(3) = 4'
    [ "$(gaps $s 'server > SYN,ACK seq=2000 ack=1001')" = 1 ]
}

@test "lost-last-ack-data: the first data do the lost segment's work, and nothing is sent twice" {
    need_wire
    local s=lost-last-ack-data
    in_order $s 'server x ACK seq=1001 ack=2001' 'server < DATA seq=1001 ack=2001 len=5' 'server = ESTABLISHED' \
        'server : accept(3) = 4'
    [ "$(count $s 'server > SYN,ACK')" = 1 ]
    [ "$(count $s 'client > DATA')" = 1 ]
}

@test "half-open: a SYN in the midst of a connection is only answered by an ACK; the RST then ends it" {
    need_wire
    local s=half-open
    in_order $s 'client = ESTABLISHED' 'client = CLOSED' 'client = SYN_SENT' 'client > SYN seq=400' \
        'server < SYN seq=400' 'server > ACK seq=300 ack=100' 'client > RST seq=100' 'server < RST seq=100' \
        'server = CLOSED' 'server : recv(4) = ECONNRESET' 'server < SYN seq=400' \
        'server > SYN,ACK seq=500 ack=401' 'client = ESTABLISHED' 'server = ESTABLISHED'
    [ "$(sed '/client = CLOSED/q' "$BATS_FILE_TMPDIR/$s" | grep -cE 'client > (FIN|RST)')" = 0 ]
}

@test "half-open-data: bytes for a host that has forgotten are answered by a RST" {
    need_wire
    local s=half-open-data
    in_order $s 'client = ESTABLISHED' 'client = CLOSED' 'server = ESTABLISHED' \
        'server > DATA seq=300 ack=100 len=10' 'server : send(4) = 10' 'client > RST seq=100' 'server = CLOSED' \
        'server : recv(4) = ECONNRESET'
    [ "$(count $s '> FIN')" = 0 ]
}

@test "backlog-full: the SYN of the one too many is ignored until accept() makes room" {
    need_wire
    local s=backlog-full
    in_order $s 'client : connect(3) = 0' 'client : connect(4)' 'server = ESTABLISHED' 'server < SYN seq=1000' \
        'server : accept(3) = 4' 'client > SYN seq=1000' 'server = SYN_RCVD' 'client : connect(4) = 0'
    [ "$(count $s 'RST')" = 0 ]
    [ "$(count $s 'prints "connection 2: after 1...\.. ms"')" = 1 ]
}

@test "listen-without-accept: connect() succeeds and data are acknowledged, though accept() is never called" {
    need_wire
    local s=listen-without-accept
    in_order $s 'client : connect(3) = 0' 'server = ESTABLISHED' 'server > ACK seq=2001 ack=1006' \
        'client < ACK seq=2001 ack=1006' 'server = CLOSE_WAIT'
    [ "$(count $s 'server : accept')" = 0 ]
}

# ---- the programs, without the wire ------------------------------------------------------------

# A port of loopback on which nobody listens (any more).
free_port() {
    start_server closed "${PROG[@]}" 127.0.0.1 0 5
    kill -9 "$SERVER_PID"
    wait "$SERVER_PID" 2>/dev/null || true
}

@test "connect_result says connected, with and without a time limit" {
    prog $LESSON/late_accept
    start_server server "${PROG[@]}" 127.0.0.1 0 5 0
    run -0 lesson $LESSON/connect_result 127.0.0.1 "$PORT"
    [[ "$output" =~ ^"127.0.0.1:$PORT: connected after "[0-9.]+" ms"$ ]]
    run -0 lesson $LESSON/connect_result 127.0.0.1 "$PORT" --timeout 5000
    [[ "$output" =~ ^"127.0.0.1:$PORT: connected after "[0-9.]+" ms"$ ]]
    kill -0 "$SERVER_PID" # which has greeted two clients that were gone
}

@test "connect_result says refused by name, with and without a time limit" {
    prog $LESSON/late_accept
    free_port
    run -1 lesson $LESSON/connect_result 127.0.0.1 "$PORT"
    [[ "$output" =~ ^"127.0.0.1:$PORT: refused after "[0-9.]+" ms: Connection refused (".*"ECONNREFUSED)"$ ]]
    run -1 lesson $LESSON/connect_result 127.0.0.1 "$PORT" --timeout 5000
    [[ "$output" =~ ^"127.0.0.1:$PORT: refused after "[0-9.]+" ms: Connection refused (".*"ECONNREFUSED)"$ ]]
}

@test "connect_result gives up by its own limit where nobody answers" {
    prog $LESSON/late_accept
    start_server server "${PROG[@]}" 127.0.0.1 0 0 # a queue of one, which the first client fills
    lesson $LESSON/connect_result 127.0.0.1 "$PORT"
    run -1 lesson $LESSON/connect_result 127.0.0.1 "$PORT" --timeout 300
    [[ "$output" =~ ^"127.0.0.1:$PORT: no answer after "([0-9]+)"."[0-9]" ms: our own time limit"$ ]]
    [ "${BASH_REMATCH[1]}" -ge 290 ]
}

@test "connect_result says unreachable by name" {
    run -1 lesson $LESSON/connect_result 255.255.255.255 7000 # no connection is made to everybody
    [[ "$output" =~ ^"255.255.255.255:7000: unreachable after ".*"ENETUNREACH)"$ ]]
}

@test "connect_result says that a name is not found, and why" {
    run -1 lesson $LESSON/connect_result no-such-name.invalid 7000
    [[ "$output" =~ ^"no-such-name.invalid port 7000: name not found after "[0-9.]+" ms: ".+" (EAI_"[A-Z]+")"$ ]]
}

@test "connect_result tries the next address of a name when one is refused" {
    not_on_windows "Wine asks no hosts file that a test may change"
    unshare -rm true 2>/dev/null || skip "no private mount namespace can be made"
    prog $LESSON/late_accept
    start_server server "${PROG[@]}" 127.0.0.1 0 5 0
    printf '::1 twohomes\n127.0.0.1 twohomes\n' >"$BATS_TEST_TMPDIR/hosts"
    prog $LESSON/connect_result
    # shellcheck disable=SC2016 # for the inner shell, which has a hosts file of its own
    run -0 unshare -rm sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh \
        "$BATS_TEST_TMPDIR/hosts" "${PROG[@]}" twohomes "$PORT"
    [[ "${lines[-1]}" =~ ^"127.0.0.1:$PORT: connected" ]]
}

@test "connect_from connects to itself: a simultaneous open without a second program" {
    local port out try
    for try in 1 2 3 4 5; do # a port that is free, by trying; below those that the kernel gives out
        port=$((20000 + (RANDOM + try) % 10000))
        out=$(lesson $LESSON/connect_from "$port" 127.0.0.1 "$port" hello) && break
    done
    echo "$out"
    [ "$out" = "connected: 127.0.0.1:$port to 127.0.0.1:$port
hello" ]
}

@test "connect_from comes from the port that it was given" {
    prog 02-tcp-echo/server
    start_server server "${PROG[@]}" 127.0.0.1 0
    local own try
    for try in 1 2 3 4 5; do
        own=$((20000 + (RANDOM + try) % 10000))
        run lesson $LESSON/connect_from "$own" 127.0.0.1 "$PORT" hello
        [ "$status" != 0 ] || break
    done
    [ "${lines[0]}" = "connected: 127.0.0.1:$own to 127.0.0.1:$PORT" ]
    [ "${lines[1]}" = hello ]
    wait_line server "^127.0.0.1:$own: connected"
}

@test "connect_many is connected before accept() is called, and greeted by each after it" {
    prog $LESSON/late_accept
    start_server server "${PROG[@]}" 127.0.0.1 0 5 500
    run -0 lesson $LESSON/connect_many 127.0.0.1 "$PORT" 3
    [ "$(grep -cE '^connection [123]: after ' <<<"$output")" = 3 ]
    [ "$(grep -cE '^connection [123]: good day!' <<<"$output")" = 3 ]
    [ "$(grep -c accepted "$BATS_TEST_TMPDIR/server")" = 3 ]
}

@test "late_accept outlives clients that are gone before it greets them" {
    prog $LESSON/late_accept
    start_server server "${PROG[@]}" 127.0.0.1 0 5 0
    for _ in 1 2 3; do lesson $LESSON/connect_result 127.0.0.1 "$PORT"; done
    run -0 lesson $LESSON/connect_many 127.0.0.1 "$PORT" 2
    [[ "${lines[-1]}" = "connection 2: good day!" ]]
}

@test "forget makes the server find out by a RST, or says that it may not" {
    prog 02-tcp-echo/server
    start_server server "${PROG[@]}" 127.0.0.1 0
    run lesson $LESSON/forget $((20000 + RANDOM % 10000)) 127.0.0.1 "$PORT" again
    if [ "$status" = 0 ]; then
        [ "${lines[0]}" = "connected, and now forgotten: no FIN, no RST" ]
        [ "${lines[1]}" = "connected again from the same port" ]
        wait_line server 'Connection reset by peer \(ECONNRESET\)'
    else
        [[ "$output" = *"(EPERM)" || "$output" = *"only Linux can"* ]]
    fi
}

@test "each program has --help, and answers a usage error with one line and status 2" {
    local program
    for program in connect_result connect_from late_accept connect_many forget; do
        [ "$program" != forget ] || [ "${SUITE:-native}" != windows ] || continue
        echo "$program"
        run -0 lesson $LESSON/$program --help
        [[ "${lines[0]}" = "usage: $program "* ]]
        run -2 lesson $LESSON/$program
        [ "${#lines[@]}" = 1 ]
        [[ "$output" = "$program: expected "* ]]
        run -2 lesson $LESSON/$program 1 2 3 4 5 6 7
        [ "${#lines[@]}" = 1 ]
    done
    run -2 lesson $LESSON/connect_result 127.0.0.1 7000 --timeout 10x
    run -2 lesson $LESSON/connect_result 127.0.0.1 7000 --timeout 0
    run -2 lesson $LESSON/connect_many 127.0.0.1 7000 501
    run -2 lesson $LESSON/late_accept 127.0.0.1 7000 -1
}

@test "a port of more than 16 bits is refused, and not cut" {
    refuse_port 04-handshake-trace "connect_result 127.0.0.1 70000" \
        "late_accept 127.0.0.1 70000 1" \
        "connect_many 127.0.0.1 70000 1"
}
