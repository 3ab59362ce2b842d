#!/usr/bin/env bats
# Lesson 06: the scenes, played once each (all of them at the start, the slow ones side by side), and the
# programs that act in them, alone on loopback.
load helper
bats_require_minimum_version 1.5.0

SLOW='give-up keepalive-dead-peer zero-window rto-adapts'
QUICK='data-transfer lost-data damaged-data lost-ack lost-ack-covered karn send-buffer fast-retransmit sack
    reordered-not-lost nagle-delayed-ack nagle-off'

# Events go to NAME.events, the ladder with its table to NAME.ladder, the result to NAME.status.
play() {
    "$BIN/wire" --events "$ROOT/06-retransmit/$1.scene" >"$BATS_FILE_TMPDIR/$1.events" \
        2>"$BATS_FILE_TMPDIR/$1.errors" </dev/null 3>&-
    echo $? >"$BATS_FILE_TMPDIR/$1.status"
}
draw() {
    "$BIN/wire" --width 80 --rto-svg "$BATS_FILE_TMPDIR/$1-rto.svg" \
        --sequence-svg "$BATS_FILE_TMPDIR/$1-sequence.svg" "$ROOT/06-retransmit/$1.scene" \
        >"$BATS_FILE_TMPDIR/$1.ladder" 2>&1 </dev/null 3>&-
}

setup_file() {
    [ "${SUITE:-native}" != windows ] && "$BIN/wire" --doctor --brief >/dev/null || return 0
    local scene pids=()
    for scene in $SLOW; do
        play "$scene" &
        pids+=("$!")
    done
    for scene in $QUICK; do play "$scene"; done
    for scene in rto-adapts karn fast-retransmit nagle-delayed-ack; do draw "$scene" || true; done
    wait "${pids[@]}"
}

# The scene came as it expects: its own test. Sets E to its events.
played() {
    need_wire
    E=$BATS_FILE_TMPDIR/$1.events
    cat "$BATS_FILE_TMPDIR/$1.errors"
    [ "$(cat "$BATS_FILE_TMPDIR/$1.status")" = 0 ]
}

# Each pattern matches a line of $E behind the line that the one before it matched.
in_order() {
    local at=0 found pattern
    for pattern; do
        found=$(tail -n +$((at + 1)) "$E" | grep -nEm1 -- "$pattern") || {
            echo "not found behind line $at: $pattern"
            cat "$E"
            return 1
        }
        at=$((at + ${found%%:*}))
    done
}

# How many lines of $E match.
count() {
    grep -cE -- "$1" "$E" || true
}

# The time in ms of the nth line of $E that matches: time N PATTERN
time_of() {
    grep -E -- "$2" "$E" | awk -v n="$1" 'NR == n { print $1 }'
}

# true TEST: arithmetic on fractions
true_that() {
    awk "BEGIN { exit !($1) }" || {
        echo "not so: $1"
        return 1
    }
}

# ---- the scenes ---------------------------------------------------------------------------------

@test "every scene of the lesson is played here" {
    for file in "$ROOT"/06-retransmit/*.scene; do
        grep -qw -- "$(basename "$file" .scene)" <<<"$SLOW $QUICK"
    done
}

@test "data-transfer: each ack is seq + length, 1300 and 1400, and no ack is 1 more" {
    played data-transfer
    in_order 'client > DATA seq=1200 ack=2001 len=100$' 'server > ACK seq=2001 ack=1300$' \
        'client > DATA seq=1300 ack=2001 len=100$' 'server > ACK seq=2001 ack=1400$'
    awk '$2 == "client" && $3 == ">" && $4 == "DATA" {
             split($5, s, "="); split($7, l, "="); due = s[2] + l[2] }
         $2 == "server" && $3 == ">" && $4 == "ACK" {
             split($6, a, "="); if (a[2] != due) exit 1; n++ }
         END { exit n != 2 }' "$E"
    [ "$(count 'ack=1301|ack=1201')" = 0 ]
}

@test "lost-data: after the RTO the same number goes again, and the program gets all in order" {
    played lost-data
    in_order 'client > DATA seq=1300' 'server x DATA seq=1300' 'client > DATA seq=1300.* why=RTO' \
        'server < DATA seq=1300' 'server : recv\(4\) = 100' 'client < ACK .*ack=1400'
    true_that "$(time_of 2 'client > DATA seq=1300') - $(time_of 1 'client > DATA seq=1300') > 200"
    [ "$(count 'server : recv\(4\) = 100')" = 2 ]
}

@test "damaged-data: it arrives, is not acknowledged, and goes again by the timer" {
    played damaged-data
    in_order 'server < DATA seq=1300.* damaged' 'client > DATA seq=1300.* why=RTO' 'server > ACK .*ack=1400'
    [ "$(count 'server : recv\(4\) = 100')" = 2 ]
}

@test "lost-ack: the bytes go again and are not delivered twice" {
    played lost-ack
    in_order 'server : recv\(4\) = 100' 'client > DATA seq=1200.* why=RTO' 'server < DATA seq=1200' \
        'server > ACK .*ack=1300' 'server : recv\(4\) = 0'
    [ "$(count 'server : recv\(4\) = 100')" = 1 ]
}

@test "lost-ack-covered: a later ACK covers the lost one and nothing goes again" {
    played lost-ack-covered
    in_order 'client x ACK .*ack=1300' 'client < ACK .*ack=1400'
    [ "$(count 'why=')" = 0 ]
    [ "$(count 'client > DATA')" = 2 ]
}

@test "rto-adapts: no slow segment is taken for a lost one" {
    played rto-adapts
    [ "$(count 'client > DATA')" = 13 ]
    [ "$(count 'why=')" = 0 ]
}

# Lines of a table: ms ack RTT | SRTT RTTVAR RTO | SRTT mdev RTO | rtt rttvar rto
table() {
    need_wire
    awk '/its kernel says/ { inside = 1 } /^RFC:/ { inside = 0 } inside && /^ *[0-9.]+ +[0-9]+ /' \
        "$BATS_FILE_TMPDIR/$1.ladder" | tr '|' ' '
}

@test "the RTO worked out by Linux's rule is the kernel's, within one tick, at every sample" {
    need_wire
    tick=$(sed -n 's/.*ticks of \([0-9]*\) ms.*/\1/p' "$BATS_FILE_TMPDIR/rto-adapts.ladder")
    [ "$tick" -ge 1 ] && [ "$tick" -le 10 ]
    for scene in rto-adapts karn; do
        table "$scene" | awk -v tick="$tick" '
            $10 == "-" { next }
            { n++; most = $3 == "RTO" || $3 == "Karn" ? 2 * tick : tick
              over = $12 - $9; srtt = $10 - $7; mdev = $11 - $8
              # the tables show tenths
              if (over < -0.5 || over > most + 0.5 || srtt < -0.5 || srtt > 0.5 || mdev < -0.5 || mdev > 0.5) {
                  print "off:", $0; bad = 1 } }
            END { exit bad || n < 7 }'
    done
}

@test "SRTT and RTTVAR in the table follow RFC 6298 from the RTTs beside them" {
    table rto-adapts >"$BATS_TEST_TMPDIR/table"
    awk 'function off(a, b) { return a - b > 0.25 || b - a > 0.25 }
        NR == 1 { s = $3; v = $3 / 2 }
        NR > 1 { d = s - $3; if (d < 0) d = -d; v = 0.75 * v + 0.25 * d; s = 0.875 * s + 0.125 * $3 }
        off($4, s) || off($5, v) || off($6 / 4, $4 / 4 + $5) { print "off:", $0, s, v; bad = 1 }
        END { exit bad || NR != 15 }' "$BATS_TEST_TMPDIR/table"
}

@test "the RTO rises with six slow round trips and falls slowly after them" {
    table rto-adapts >"$BATS_TEST_TMPDIR/table"
    awk '{ rto[NR] = $12 } END { exit !(rto[10] > rto[4] + 60 && rto[11] <= rto[10] && rto[11] > rto[4] + 40) }' \
        "$BATS_TEST_TMPDIR/table"
}

@test "karn: the ACK of a segment sent twice is no sample, and the RTO stays doubled until there is one" {
    played karn
    in_order 'server x DATA seq=1400' 'client > DATA seq=1400.* why=RTO' 'client < ACK .*ack=1500' \
        'client > DATA seq=1500' 'client < ACK .*ack=1600'
    table karn >"$BATS_TEST_TMPDIR/table"
    awk '$3 == "RTO" { fired = $12; srtt = $10 } $3 == "Karn" { karn = $12; same = $10 == srtt; next }
         karn && !after { after = $12 } !fired { before = $12 }
         END { exit !(same && fired > 1.9 * before && karn == fired && after < 1.2 * before) }' "$BATS_TEST_TMPDIR/table"
}

@test "give-up: the intervals double, and then connect's old promise ends in ETIMEDOUT" {
    played give-up
    [ "$(count 'client > DATA .*why=RTO')" = 3 ]
    in_order 'client = CLOSED' 'client : recv\(3\) = ETIMEDOUT' 'client : exit = 1'
    local t=() i
    for i in 1 2 3 4; do t[i]=$(time_of "$i" 'client > DATA seq=1200'); done
    t[5]=$(time_of 1 'client = CLOSED')
    for i in 2 3 4; do
        true_that "(${t[i + 1]} - ${t[i]}) / (${t[i]} - ${t[i - 1]}) > 1.6"
        true_that "(${t[i + 1]} - ${t[i]}) / (${t[i]} - ${t[i - 1]}) < 2.4"
    done
}

@test "send-buffer: full while the data are under way and even read, empty when the ACK is there" {
    played send-buffer
    in_order 'client > DATA seq=1200' 'client : prints "in buffer: 100' 'server < DATA' \
        'server : recv\(4\) = 100' 'client < ACK .*ack=1300' 'client : prints "in buffer: 0"'
    [ "$(count 'in buffer')" = 2 ]
}

@test "zero-window: nothing but probes while the window is 0, then the rest, and all bytes are read" {
    played zero-window
    in_order 'server > ACK .*win=0' 'client > ACK seq=5579.* why=window-probe' 'server > ACK .*win=0' \
        'client > ACK seq=5579.* why=window-probe' 'server : recv\(4\) = 4380' 'client > DATA seq=5580'
    # between the window's closing and the program's first recv() no data is sent
    awk '/client < ACK.*win=0/ { shut = 1 } /server : recv\(4\) = / { shut = 0 } shut && /client > DATA/ { exit 1 }' "$E"
    awk '/server : recv\(4\) = / { sum += $NF } END { exit sum != 8000 }' "$E"
}

@test "fast-retransmit: the third duplicate ACK sends the segment again, long before the RTO" {
    played fast-retransmit
    in_order 'client < ACK .*ack=1300' 'client < ACK .*ack=1300' 'client < ACK .*ack=1300' \
        'client < ACK .*ack=1300' 'client > DATA seq=1300.* why=fast' 'server > ACK .*ack=1800' 'server : recv\(4\) = 500'
    true_that "$(time_of 2 'client > DATA seq=1300') - $(time_of 1 'client > DATA seq=1300') < 150"
    # not before the third
    awk '/client < ACK.*ack=1300/ { n++ } /why=fast/ { exit n != 4 }' "$E"
    [ "$(count 'client > DATA .*why=')" = 1 ]
}

@test "sack: the ACKs name what arrived, and only the two holes are sent again, within one round trip" {
    played sack
    in_order 'server > ACK .*ack=1300 sack=1400-1500$' 'server > ACK .*ack=1300 sack=1600-1700,1400-1500$' \
        'client > DATA seq=1300.* why=fast' 'client > DATA seq=1500.* why=fast' 'server > ACK .*ack=2000'
    [ "$(count 'client > DATA .*why=')" = 2 ]
    true_that "$(time_of 2 'client > DATA .*why=fast') - $(time_of 1 'client > DATA .*why=fast') < 10"
}

@test "reordered-not-lost: two duplicate ACKs, and nothing is sent again" {
    played reordered-not-lost
    in_order 'server < DATA seq=1500' 'server < DATA seq=1300' 'server : recv\(4\) = 300'
    [ "$(count 'client < ACK .*ack=1300')" = 3 ]
    [ "$(count 'why=')" = 0 ]
}

@test "nagle-delayed-ack: the second question waits for the delayed ACK; with TCP_NODELAY it does not" {
    played nagle-delayed-ack
    in_order 'client > DATA seq=1350' 'client : send\(3\) = 50' 'server > ACK .*ack=1450' 'client > DATA seq=1450'
    slow=$(awk "BEGIN { print $(time_of 2 'client : recv\(3\) = 1$') - $(time_of 1 'client : recv\(3\) = 1$') }")
    played nagle-off
    in_order 'client > DATA seq=1350' 'client > DATA seq=1450' 'server < DATA seq=1350'
    [ "$(count 'server > ACK .*ack=1450')" = 0 ]
    fast=$(awk "BEGIN { print $(time_of 2 'client : recv\(3\) = 1$') - $(time_of 1 'client : recv\(3\) = 1$') }")
    true_that "$slow > $fast + 30"
}

@test "keepalive-dead-peer: three probes of number 1199, no answer, ETIMEDOUT" {
    played keepalive-dead-peer
    [ "$(count 'client > ACK seq=1199 .*why=keepalive')" = 3 ]
    in_order 'why=keepalive' 'client = CLOSED' 'client : recv\(3\) = ETIMEDOUT'
}

@test "a delayed ACK has a row of its own on the ladder" {
    need_wire
    awk '/recv\(4\) = 100/ { n++ } n == 2 && /◀.* ACK seq=2002 ack=1450/ { found = 1 }
         found && /DATA seq=1450/ { both = 1 } END { exit !both }' "$BATS_FILE_TMPDIR/nagle-delayed-ack.ladder"
}

# ---- the wire's part ----------------------------------------------------------------------------

@test "a scene that expects the wrong reason, or a segment sent again that is not, fails" {
    need_wire
    sed 's/why=fast/why=TLP/' "$ROOT/06-retransmit/fast-retransmit.scene" >"$BATS_TEST_TMPDIR/wrong.scene"
    mkdir "$BATS_TEST_TMPDIR/06-retransmit"
    mv "$BATS_TEST_TMPDIR/wrong.scene" "$BATS_TEST_TMPDIR/06-retransmit"
    run "$BIN/wire" --quiet --timeout 1s "$BATS_TEST_TMPDIR/06-retransmit/wrong.scene" 3>&-
    [ "$status" = 1 ]
    [[ $output == *"expected, and did not come:  client > DATA seq=1300 len=100 why=TLP"* ]]
    grep -v '^on ' "$ROOT/06-retransmit/lost-data.scene" >"$BATS_TEST_TMPDIR/06-retransmit/wrong.scene"
    run "$BIN/wire" --quiet --timeout 1s "$BATS_TEST_TMPDIR/06-retransmit/wrong.scene" 3>&-
    [ "$status" = 1 ]
    [[ $output == *"server x DATA seq=1300"* ]]
}

@test "with the kernel's own settings the last segment is sent again by a tail loss probe" {
    need_wire
    E=$BATS_TEST_TMPDIR/events
    "$BIN/wire" --stack modern --drop 'client > DATA #2' --events -- \
        "$BIN/06-retransmit/receiver" 10.0.0.2 7777 -- \
        "$BIN/06-retransmit/sender" 10.0.0.2 7777 --confirm 100 100 >"$E" 3>&- </dev/null
    in_order 'client > DATA' 'client > DATA' 'server x DATA' 'client > DATA .*why=TLP'
    [ "$(count 'why=RTO')" = 0 ]
}

@test "the ladder says how long after the first sending a segment went again" {
    need_wire
    grep -E 'RTO after [0-9.]+ m?s .* DATA seq=1400' "$BATS_FILE_TMPDIR/karn.ladder"
    grep -E 'fast retransmit .* DATA seq=1300' "$BATS_FILE_TMPDIR/fast-retransmit.ladder"
    awk 'length > 80' "$BATS_FILE_TMPDIR/karn.ladder" | tr -d '─│╮╰╭╯┼╳●…▶◀' >"$BATS_TEST_TMPDIR/long"
    awk 'length > 80 { exit 1 }' "$BATS_TEST_TMPDIR/long"
}

@test "the pictures are well-formed SVG, without a script, light and dark, with the marks in them" {
    need_wire
    need xmllint
    for file in rto-adapts-rto karn-rto fast-retransmit-sequence; do
        xmllint --noout "$BATS_FILE_TMPDIR/$file.svg"
        run ! grep -q '<script' "$BATS_FILE_TMPDIR/$file.svg"
        grep -q 'prefers-color-scheme:dark' "$BATS_FILE_TMPDIR/$file.svg"
    done
    # 15 round trips, and a ring for each time that the kernel told its RTO
    [ "$(grep -c 'class="fc" cx=".*r="3.5"' "$BATS_FILE_TMPDIR/rto-adapts-rto.svg")" = 15 ]
    [ "$(grep -c '>Karn: no sample<' "$BATS_FILE_TMPDIR/karn-rto.svg")" = 1 ]
    [ "$(grep -c '>R</text>' "$BATS_FILE_TMPDIR/fast-retransmit-sequence.svg")" = 1 ]
}

@test "mistakes in a table line or a why are told with their line" {
    need_wire
    printf 'server x\ntable rto nobody\n' >"$BATS_TEST_TMPDIR/a.scene"
    run "$BIN/wire" "$BATS_TEST_TMPDIR/a.scene"
    [ "$status" = 2 ]
    [[ $output == *"a.scene:2: expected: table rto client, or table rto server"* ]]
    printf 'server x\nexpect client > DATA why=luck\n' >"$BATS_TEST_TMPDIR/a.scene"
    run "$BIN/wire" "$BATS_TEST_TMPDIR/a.scene"
    [ "$status" = 2 ]
    [[ $output == *"a.scene:2: why= is RTO, after-RTO, fast, TLP, window-probe or keepalive"* ]]
}

# ---- the programs alone -------------------------------------------------------------------------

# A receiver on a free port, with options.
receive() {
    prog 06-retransmit/receiver
    start_server receiver "${PROG[@]}" 127.0.0.1 0 "$@"
}

@test "receiver counts what sender sends, client after client" {
    receive
    lesson 06-retransmit/sender 127.0.0.1 "$PORT" 100 200 300
    wait_line receiver ': 600 bytes'
    lesson 06-retransmit/sender 127.0.0.1 "$PORT" --nodelay 1000000 1
    wait_line receiver ': 1000001 bytes'
}

@test "sender gets an answer for each question, and says how long it took when asked" {
    receive --reply 150
    run lesson 06-retransmit/sender 127.0.0.1 "$PORT" --ask 3 --nodelay --time 100 50
    [ "$status" = 0 ]
    [ "$(grep -cE '^answer [123] after [0-9.]+ ms$' <<<"$output")" = 3 ]
    wait_line receiver ': 450 bytes'
}

@test "sender --confirm watches its send buffer become empty, where the system tells of it" {
    receive --after 50
    run lesson 06-retransmit/sender 127.0.0.1 "$PORT" --confirm --time 100 100
    if [ "${SUITE:-native}" = windows ]; then
        [ "$status" = 1 ]
        [[ $output == *"this system does not tell what is confirmed"* ]]
    else
        [ "$status" = 0 ]
        [ "$(grep -cE '^in buffer: 0 after [0-9.]+ ms$' <<<"$output")" = 2 ]
    fi
}

@test "a receiver that reads late and has little room gets all the same" {
    receive --after 300 --buffer 4000
    lesson 06-retransmit/sender 127.0.0.1 "$PORT" 300000
    wait_line receiver ': 300000 bytes'
}

@test "a reset client does not stop the receiver" {
    need python3
    receive
    python3 -c '
import socket, struct, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.send(b"x"); s.close()' "$PORT" 3>&-
    lesson 06-retransmit/sender 127.0.0.1 "$PORT" 77
    wait_line receiver ': 77 bytes'
}

@test "keepalive ends when its peer closes" {
    need python3
    start closer python3 -c '
import socket
l = socket.create_server(("127.0.0.1", 0)); print("listening on 127.0.0.1:%d" % l.getsockname()[1], flush=True)
s, _ = l.accept(); s.close()'
    line=$(wait_line closer 'listening on')
    run lesson 06-retransmit/keepalive 127.0.0.1 "${line##*:}" 2 1 3
    [ "$status" = 0 ]
    [[ $output == *"connected to 127.0.0.1:"*"the peer has closed"* ]]
}

@test "a refused connection and a mistaken command line are told in one line" {
    # a port that was free a moment ago
    receive
    kill "$SERVER_PID"
    wait_exit "$SERVER_PID" || true
    for program in sender keepalive; do
        args=("$PORT")
        [ $program = sender ] && args+=(1)
        run lesson 06-retransmit/$program 127.0.0.1 "${args[@]}"
        [ "$status" = 1 ]
        [[ $output == *"$program: connect 127.0.0.1:$PORT: Connection refused ("*"ECONNREFUSED)"* ]]
    done
    for line in 'sender' 'sender h 1' 'sender h 1 0' 'sender h 1 1x' 'sender h 1 --ask 5' 'sender h 1 1000001' \
        'receiver --reply' 'receiver h' 'receiver h 1 --after x' 'receiver --what 1' \
        'keepalive h' 'keepalive h 1 1 1 0' 'keepalive h 1 1 1'; do
        # shellcheck disable=SC2086
        run lesson 06-retransmit/$line
        [ "$status" = 2 ]
        [ "${#lines[@]}" = 1 ]
        [[ ${lines[0]%$'\r'} == "${line%% *}: expected "*"--help" ]]
    done
    for program in sender receiver keepalive; do
        run lesson 06-retransmit/$program --help
        [ "$status" = 0 ]
        [[ ${lines[0]} == "usage: $program "* ]]
    done
}

@test "a port of more than 16 bits is refused, and not cut" {
    refuse_port 06-retransmit "sender 127.0.0.1 70000 10" \
        "receiver 127.0.0.1 70000" \
        "keepalive 127.0.0.1 70000 1 1 1" \
        "arq_sender 127.0.0.1 70000 /dev/null" \
        "arq_receiver 127.0.0.1 70000"
}
