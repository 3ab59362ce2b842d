#!/usr/bin/env bats
# wire --hold: each frame waits for a key, from a pipe or on a terminal that tmux plays.

load helper

WIRE=$BIN/wire
DEMO=$ROOT/04-handshake-trace/three-way-handshake.scene

setup() {
    need_wire
    KEYS=$BATS_TEST_TMPDIR/keys
    TERMINALS=0
}

teardown() {
    [ -z "${TERMINAL:-}" ] || tmux -L "$TERMINAL" kill-server 2>/dev/null || true
    end_started
}

# A scene of the echo programs of lesson 02, and further lines; its path in $SCENE.
echo_scene() {
    SCENE=$BATS_TEST_TMPDIR/test.scene
    {
        echo "isn client 1000 server 2000"
        echo "server $BIN/02-tcp-echo/server 10.0.0.2 7777"
        echo "client $BIN/02-tcp-echo/client 10.0.0.2 7777 hello"
        cat
    } >"$SCENE"
}

# press KEYS WIRE-ARGUMENT...: all keys are there from the beginning; behind them it goes on without asking.
press() {
    run --separate-stderr "$WIRE" --hold "${@:2}" < <(printf '%s' "$1") 3>&-
}

# The wire runs in the background, and its keys come one at a time, by `key`; `no_more_keys` ends them.
begin() {
    mkfifo "$KEYS"
    exec 4<>"$KEYS"
    # shellcheck disable=SC2016
    start wire sh -c 'exec <"$1"; shift; exec "$@" 4>&-' sh "$KEYS" "$WIRE" --hold "$@"
}

key() {
    printf '%s' "$1" >&4
}

no_more_keys() {
    exec 4>&-
}

@test "who delivers every frame has a complete connection, and all comes as expected" {
    press "$(printf ' %.0s' $(seq 40))" "$DEMO"
    [ "$status" -eq 0 ]
    in_order 'hold: client > SYN seq=1000\?' 'hold: delivered' '▶● SYN_RCVD' \
        'hold: server > SYN,ACK seq=2000 ack=1001\?' 'hold: delivered' 'ESTABLISHED ●◀' \
        'connect\(3\) = 0' 'hold: client > ACK seq=1001 ack=2001\? 1 more waits behind it' \
        '▶● ESTABLISHED' 'hold: client > DATA' '▶● CLOSE_WAIT' 'TIME_WAIT ●◀' '▶● CLOSED' \
        'All came as the scene expects'
    frames=$(sed -nE 's/^([0-9]+) frames, 0 lost.*/\1/p' <<<"$output")
    [ "$frames" -ge 9 ]
    [ "$(grep -c '^hold: delivered$' <<<"$output")" = "$frames" ]
}

@test "a SYN that is dropped comes again by the client's timer" {
    echo_scene </dev/null
    press x --events "$SCENE"
    [ "$status" -eq 0 ]
    in_order 'hold: client > SYN seq=1000\?$' 'hold: dropped' 'server x SYN seq=1000' \
        'client > SYN seq=1000 why=RTO' 'server < SYN seq=1000' 'client : connect\(3\) = 0' \
        'server : accept\(3\) = 4' 'client : exit = 0'
    [ "$(grep -c 'server x' <<<"$output")" = 1 ]
}

@test "a frame that is doubled arrives twice, and its bytes once" {
    echo_scene </dev/null
    press '   2' --events "$SCENE"
    [ "$status" -eq 0 ]
    in_order 'hold: client > DATA' 'hold: delivered twice' 'server < DATA seq=1001 .*len=5$' \
        'server < DATA seq=1001 .*len=5 copy'
    [ "$(grep -c 'server : recv(4) = 5$' <<<"$output")" = 1 ]
}

@test "a frame that is late is overtaken" {
    echo_scene </dev/null
    press '  l' --events "$SCENE"
    [ "$status" -eq 0 ]
    in_order 'client > ACK seq=1001 ack=2001$' 'client > DATA seq=1001' 'hold: 3 s late' \
        'server < DATA seq=1001' 'server = ESTABLISHED' 'server : accept\(3\) = 4' \
        'server < ACK seq=1001 ack=2001$'
}

@test "what is sent again while it is held is counted, lost, and not asked about" {
    echo_scene </dev/null
    begin --events "$SCENE"
    key '   '
    wait_line wire 'hold: client > DATA .*\?$'
    wait_line wire 'hold: client > DATA .* sent again 1 time meanwhile, by its retransmission timer$'
    wait_line wire 'hold: client > DATA .* sent again 2 times meanwhile, by its retransmission timer$'
    key ' '
    no_more_keys
    wait_exit "$STARTED_PID"
    output=$(cat "$BATS_TEST_TMPDIR/wire")
    in_order 'client > DATA seq=1001 .*len=5$' 'client > DATA seq=1001 .*why=' 'server x DATA seq=1001' \
        'client > DATA seq=1001 .*why=' 'server x DATA seq=1001' 'hold: delivered' \
        'server < DATA seq=1001' 'server : recv\(4\) = 5'
    sent=$(grep -c 'client > DATA seq=1001 .*why=RTO' <<<"$(grep -v hold: <<<"$output")")
    [ "$sent" -ge 2 ]
    [ "$(grep -c 'server x DATA seq=1001 .*why=RTO' <<<"$output")" = "$sent" ]
    [ "$(grep -c 'server < DATA seq=1001' <<<"$output")" = 1 ]
}

@test "while a frame is held the hosts go on, and the scene's timeout does not run" {
    echo_scene <<'SCENE'
timeout 300ms
sysctl client net.ipv4.tcp_syn_retries 1
SCENE
    begin --events "$SCENE"
    wait_line wire 'client : connect\(3\) = ETIMEDOUT'
    wait_line wire 'client : exit = 1'
    key ' '
    no_more_keys
    wait_exit "$STARTED_PID"
    output=$(cat "$BATS_TEST_TMPDIR/wire")
    in_order 'hold: client > SYN seq=1000\?' 'client = CLOSED' 'client : connect\(3\) = ETIMEDOUT' \
        'hold: delivered' 'server < SYN seq=1000' 'server = SYN_RCVD' 'client > RST'
    run ! grep 'nothing has happened' <<<"$output"
}

@test "g, and the end of the keys, let all go on without asking" {
    echo_scene </dev/null
    begin --events "$SCENE"
    key '  '
    wait_line wire '1 more waits behind it'
    key gxxxx
    wait_exit "$STARTED_PID"
    output=$(cat "$BATS_TEST_TMPDIR/wire")
    in_order 'hold: client > ACK' 'hold: goes on without asking' 'server < ACK' 'server < DATA' 'client : exit = 0'
    [ "$(grep -c '^hold: .*[?]' <<<"$output")" = 3 ]

    press '' "$DEMO"
    [ "$status" -eq 0 ]
    [[ $output == *"All came as the scene expects"* ]]
}

@test "what a rule deals with is not asked about" {
    echo_scene <<<'on client > SYN #1: drop'
    press "$(printf ' %.0s' $(seq 40))" --events "$SCENE"
    [ "$status" -eq 0 ]
    in_order 'hold: client > SYN seq=1000 is not asked about: a rule drops it' 'server x SYN' \
        'hold: client > SYN seq=1000, by its retransmission timer\?' 'hold: delivered' 'client : exit = 0'
}

@test "ARP is asked about only with --all" {
    echo_scene </dev/null
    press ' ' --events "$SCENE"
    run ! grep -q 'hold: .*ARP' <<<"$output"
    press ' ' --all --events "$SCENE"
    [ "$status" -eq 0 ]
    in_order 'hold: client > ARP who-has 10.0.0.2\?' 'hold: delivered' 'server > ARP is-at' 'client : exit = 0'
}

@test "what came of the keys is told, and not judged" {
    echo_scene <<<'never server x SYN'
    press x "$SCENE"
    [ "$status" -eq 0 ]
    [[ $stderr == *"test.scene:4: this came, and should never:  server x SYN"* ]]
    [[ $stderr == *"wire: the frames went by hand: what the scene expects is not judged"* ]]
    [[ $output != *"All came"* ]]

    echo_scene <<<'expect server = CLOSING'
    press ' ' "$SCENE"
    [ "$status" -eq 0 ]
    [[ $stderr == *"expected, and did not come:  server = CLOSING"*"not judged"* ]]

    echo_scene <<<'never server < SYN' # no key has done it
    press '' "$SCENE"
    [ "$status" -eq 1 ]
    [[ $stderr != *"by hand"* ]]
}

@test "the recording has what the keys did, and draws the same ladder" {
    press '  l2' --record "$BATS_TEST_TMPDIR/r.pcapng" --width 80 "$DEMO"
    [ "$status" -eq 0 ]
    grep -v '^hold: ' <<<"$output" >"$BATS_TEST_TMPDIR/live"
    "$BIN/ladder" --width 80 "$BATS_TEST_TMPDIR/r.pcapng" 3>&- | diff "$BATS_TEST_TMPDIR/live" -
    grep -q 'copy' "$BATS_TEST_TMPDIR/live"
}

@test "? tells the keys; a key that is none changes nothing" {
    press '?zZ9 ' "$DEMO"
    [ "$status" -eq 0 ]
    [[ $output == *"x              drop it: it never arrives"* ]]
    [ "$(grep -c 'hold: delivered' <<<"$output")" = 1 ]
}

@test "q ends: with 0, and nothing is left" {
    mark=held$RANDOM$RANDOM
    begin -- "$BIN/02-tcp-echo/server" 10.0.0.2 7777 -- "$BIN/02-tcp-echo/client" 10.0.0.2 7777 "$mark"
    key ' '
    wait_line wire 'hold: server > SYN,ACK'
    pgrep -f "client 10.0.0.2 7777 $mark\$"
    key q
    wait_exit "$STARTED_PID" # and with it both hosts: nothing but its descriptors keeps them
    run ! pgrep -f "client 10.0.0.2 7777 $mark\$"
    wait_line wire '^[0-9]+ frames, '
}

# ---- on a terminal --------------------------------------------------------------------------------

# The demonstration on a terminal of so many columns and lines, between two looks at its settings.
holding() {
    need tmux
    TERMINALS=$((TERMINALS + 1))
    TERMINAL=hold-$$-$BATS_TEST_NUMBER-$TERMINALS
    cat >"$BATS_TEST_TMPDIR/run" <<END
cd '$BATS_TEST_TMPDIR'
trap : INT TERM HUP QUIT
stty -a >before
sh -c 'echo \$\$ >pid; exec "$WIRE" --hold "$DEMO"'
echo "ended with \$?"
stty -a >after
echo done
read -r _
END
    t -f /dev/null new-session -d -x "$1" -y "$2" "sh '$BATS_TEST_TMPDIR/run'"
    wait_screen '^ client > SYN seq=1000\?'
}

is_restored() {
    wait_screen '^done'
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
    [ "$(t display-message -p '#{cursor_flag}#{alternate_on}')" = 10 ]
}

@test "on a terminal the question stands below the ladder, and leaves it when it is answered" {
    for size in '80 24' '120 40'; do
        read -r columns lines <<<"$size"
        holding "$columns" "$lines"
        wait_screen 'SYN_SENT ●─* SYN seq=1000 ─*╮ '
        [ "$(screen | wc -L)" -le "$columns" ]
        [[ $(screen | grep -v '^$' | tail -n 1) == " space: deliver  x: drop "*"q: end" ]]
        wait_screen '^ held [0-9]+ s$'
        wait_screen '^ sent again [0-9]+ times? meanwhile, by its retransmission timer: lost'
        wait_screen 'RTO after [0-9.]+ s │─* SYN seq=1000 ─*┼╳'
        t send-keys '?'
        wait_screen '^ x +drop it: it never arrives'
        t send-keys x
        wait_screen '^ client > SYN seq=1000\?' # that key has only ended the help
        t send-keys Space
        wait_screen '╰──▶● SYN_RCVD'
        wait_screen '^ server > SYN,ACK seq=2000 ack=1001\?'
        run ! grep -E '^ client > SYN|RTO.*\?' <<<"$(screen)"
        t send-keys Enter
        wait_screen '^ client > ACK seq=1001 ack=2001\?'
        wait_screen '[0-9] more waits? behind it$'
        t send-keys g
        wait_screen 'TIME_WAIT ●◀'
        is_restored
        run ! grep -E 'space: deliver|[?] $' <<<"$(screen)"
        wait_screen '^ended with 0'
        t kill-server
    done
}

@test "q puts the terminal back as it was" {
    holding 80 24
    t send-keys q
    is_restored
    wait_screen '^wire: it was ended by hand: what the scene expects is not judged'
    wait_screen '^ended with 0'
    run ! grep 'expected, and did not come' <<<"$(screen)"
}

@test "Ctrl-C puts the terminal back as it was" {
    holding 80 24
    t send-keys C-c
    is_restored
    wait_screen '^wire: interrupted'
    wait_screen '^ended with 1$'
    run ! grep -E '^ (client >|space:)' <<<"$(screen)"
}

@test "SIGTERM, SIGHUP and SIGQUIT put the terminal back as it was" {
    for signal in TERM HUP QUIT; do
        holding 80 24
        kill -"$signal" "$(cat "$BATS_TEST_TMPDIR/pid")"
        is_restored
        wait_screen "^ended with"
        t kill-server
    done
}

@test "Ctrl-Z gives the terminal back for a while; fg asks again" {
    need tmux
    TERMINAL=hold-$$-$BATS_TEST_NUMBER
    # a shell that does not put the terminal right by itself, as bash does
    t -f /dev/null new-session -d -x 80 -y 24 "env PS1='ready: ' sh -i"
    wait_screen '^ready:'
    t send-keys "stty -a >'$BATS_TEST_TMPDIR/before'; clear; echo set" Enter
    wait_screen '^set'
    t send-keys "'$WIRE' --hold '$DEMO'" Enter
    wait_screen '^ client > SYN seq=1000\?'
    t send-keys C-z
    wait_screen 'Stopped'
    t send-keys "stty -a >'$BATS_TEST_TMPDIR/after'; clear; echo saved" Enter
    wait_screen '^saved'
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
    t send-keys fg Enter
    wait_screen '^ client > SYN seq=1000\?'
    t send-keys Space
    wait_screen '^ server > SYN,ACK'
    t send-keys q
    wait_screen 'ended by hand'
}
