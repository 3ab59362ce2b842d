#!/usr/bin/env bats
# ladder --step: forward and back through a recording by keys, on a terminal that tmux plays.

load helper

LADDER=$BIN/ladder
RECORDING=$ROOT/04-handshake-trace/figures/three-way-handshake.pcapng

setup() {
    not_on_windows "tmux is a terminal of POSIX"
    need tmux
    TERMINALS=0
}

teardown() {
    [ -z "${TERMINAL:-}" ] || tmux -L "$TERMINAL" kill-server 2>/dev/null || true
}

# A terminal of so many columns and lines, in which a command runs. Each is a tmux server of its own,
# for one that is just ending would take a new session down with it.
terminal() {
    TERMINALS=$((TERMINALS + 1))
    TERMINAL=ladder-$$-$BATS_TEST_NUMBER-$TERMINALS
    t -f /dev/null new-session -d -x "$1" -y "$2" "$3"
}

# The command steps through the recording between two looks at the terminal's settings.
stepping() {
    cat >"$BATS_TEST_TMPDIR/run" <<END
cd '$BATS_TEST_TMPDIR'
trap : INT TERM HUP
stty -a >before
sh -c 'echo \$\$ >pid; exec "$LADDER" "$RECORDING" --step'
echo "ended with \$?"
stty -a >after
echo done
read -r _
END
    terminal "$1" "$2" "sh '$BATS_TEST_TMPDIR/run'"
    wait_screen '^ 0 of '
}

# Keys, each with what the status line says then.
keys() {
    while [ $# -gt 0 ]; do
        t send-keys "$1"
        wait_screen "^ $2 of [0-9]+ "
        shift 2
    done
}

# The cursor is seen, and the terminal shows its first screen.
has_left_the_screen() {
    [ "$(t display-message -p '#{cursor_flag}#{alternate_on}')" = 10 ]
}

is_restored() {
    wait_screen '^done'
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
    has_left_the_screen
}

@test "keys lead forward and back, event by event, and to both ends" {
    stepping 80 24
    keys Space 1 j 2 Down 3 Right 4 Enter 5 k 4 Up 3 Left 2 BSpace 1 k 0 k 0 \
        NPage 10 PPage 0 G '[0-9]+' g 0 End '[0-9]+' Home 0
    t send-keys End
    wait_screen '\(the end\)'
    last=$(screen | sed -nE 's/^ ([0-9]+) of .*/\1/p')
    [ "$last" -gt 40 ]
    keys Space "$last" k $((last - 1))
}

@test "keys that mean nothing, and unknown sequences, change nothing" {
    stepping 80 24
    keys j 1 z 1 F5 1 Escape 1 M-x 1 S-F3 1 j 2
}

@test "the ladder is shown as far as the event, which stands out, and no further" {
    stepping 80 24
    for _ in $(seq 40); do
        t send-keys j
        wait_screen '^ [1-9]'
        if screen | grep -q '^ [0-9.]* ms   client > SYN seq=1000'; then break; fi
    done
    wait_screen 'SYN_SENT ●─* SYN seq=1000 ─*╮'
    run ! grep -qE 'SYN_RCVD|SYN,ACK' <<<"$(screen)"
    lit=$(t capture-pane -p -e | grep -E $'\e\\[([0-9;]*;)?7m')
    [ "$(wc -l <<<"$lit")" = 1 ]
    [[ $lit == *SYN*seq=1000* ]]
    t send-keys j
    wait_screen 'SYN_SENT ●─* SYN seq=1000 ─*▶│'
    t send-keys k
    wait_screen 'SYN seq=1000 ─*╮'
}

@test "below stands why: in the scene's words, or what follows from the event" {
    stepping 80 24
    wait_screen 'A client opens a connection, sends five bytes'
    t send-keys j
    wait_screen '^ [0-9.]+ ms   server : socket\(.*\) = 3'
    wait_screen '^ A new socket: a descriptor, and nothing on the cable yet.'
    t send-keys n
    wait_screen 'ms   server = LISTEN'
    wait_screen '^ The passive open. From now on'
    t send-keys n
    wait_screen 'ms   server : accept\(3\)'
    t send-keys N
    wait_screen 'ms   server = LISTEN'
}

@test "both hosts' states at that moment stand under their names" {
    stepping 80 24
    t send-keys n
    wait_screen '^ {40,}LISTEN'
    t send-keys End
    wait_screen '^ +TIME_WAIT +CLOSED'
}

@test "? shows the keys, and the next key goes back" {
    stepping 80 24
    keys j 1
    t send-keys '?'
    wait_screen 'PgDn'
    t send-keys Space
    wait_screen 'A new socket'
    keys j 2
}

@test "it fits a terminal of 80 by 24, and uses one of 120 by 40" {
    for size in '80 24' '120 40'; do
        read -r columns lines <<<"$size"
        stepping "$columns" "$lines"
        t send-keys End
        wait_screen '\(the end\)'
        screen | sed -n 1p | grep -q '^ Three segments open a connection'
        screen | sed -n "${lines}p" | grep -q 'q: quit'
        [ "$(screen | wc -L)" = "$columns" ] # the rule
        screen | grep -q '● CLOSED'
        t send-keys q
        wait_screen '^done'
        t kill-server
    done
}

@test "a resized terminal is drawn again, and one that is too small says so" {
    stepping 80 24
    keys j 1 j 2
    t resize-window -x 120 -y 40
    wait_screen '─{120}'
    screen | sed -n 40p | grep -q '^ 2 of'
    t resize-window -x 60 -y 20
    wait_screen '60 x 20: too small'
    t resize-window -x 80 -y 24
    wait_screen '─{80}'
    screen | sed -n 24p | grep -q '^ 2 of'
    t send-keys q
    wait_screen '^ended with 0'
}

@test "q puts the terminal back as it was" {
    stepping 80 24
    keys j 1
    t send-keys q
    is_restored
    wait_screen '^ended with 0'
}

@test "Ctrl-C puts the terminal back as it was" {
    stepping 80 24
    keys j 1
    t send-keys C-c
    is_restored
    wait_screen '^ended with 130'
}

@test "SIGTERM, SIGHUP and SIGQUIT put the terminal back as it was" {
    for signal in TERM HUP QUIT; do
        stepping 80 24
        keys j 1
        kill -"$signal" "$(cat "$BATS_TEST_TMPDIR/pid")"
        is_restored
        wait_screen "^ended with $((128 + $(kill -l "$signal")))"
        t kill-server
    done
}

@test "Ctrl-Z gives the terminal back for a while; fg draws the same again" {
    terminal 80 24 "env PS1='ready: ' bash --norc --noprofile -i"
    wait_screen '^ready:'
    t send-keys "stty -a >'$BATS_TEST_TMPDIR/before'; clear; echo set" Enter
    wait_screen '^set'
    t send-keys "'$LADDER' '$RECORDING' --step" Enter
    wait_screen '^ 0 of '
    keys j 1 j 2
    t send-keys C-z
    wait_screen 'Stopped'
    has_left_the_screen
    t send-keys "stty -a >'$BATS_TEST_TMPDIR/after'; echo saved" Enter
    wait_screen '^saved'
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
    t send-keys fg Enter
    wait_screen '^ 2 of '
    keys j 3
    t send-keys q
    wait_screen '^ready:'
    t send-keys "stty -a >'$BATS_TEST_TMPDIR/again'; echo written" Enter
    wait_screen '^written'
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/again"
}

@test "when the terminal goes away it ends" {
    stepping 80 24
    pid=$(cat "$BATS_TEST_TMPDIR/pid")
    t kill-server
    for _ in $(seq 500); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.02
    done
    run ! kill -0 "$pid"
}

@test "without a terminal it says that it needs one" {
    run "$LADDER" "$RECORDING" --step </dev/null 3>&-
    [ "$status" -eq 1 ]
    [ "$output" = "ladder: --step: standard input and output must be a terminal" ]
}
