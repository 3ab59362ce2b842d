# What all tests share. Load it first:  load helper
#
#   $BIN, $EXE, $RUNNER   where the programs under test are, their ending, and what runs them
#   prog LESSON/NAME      the command line of a program, as an array in $PROG
#   impatient LESSON/NAME the same, of the same source with time limits of 1 s in place of 30 and 60
#   start NAME CMD...     starts CMD in the background; its output goes to $BATS_TEST_TMPDIR/NAME
#   wait_line NAME REGEX  waits until that output has a matching line (30 s at most), prints the line
#   start_server NAME CMD...   start, then wait for "listening on"; sets PORT and SERVER_PID
#   wait_exit PID         waits for the end of a started program (30 s at most), returns its status
#   browse URL            opens it in a browser without a window; $output is the page as it then is
#   in_order REGEX...     the expressions match lines of $output in this order
#   t, screen, wait_screen REGEX   of a terminal: a tmux command, what is on it, and until that matches
#   refuse_port LESSON "PROGRAM ARG..."...   each refuses port 70000, by name
#   need COMMAND...       skips the test, by name, where a command is absent
#   need_wire             skips, with the doctor's reason, where no private network can be made
#
#   end_started           ends all that was started, by its pid; what teardown does, unless a test has its own
# shellcheck disable=SC2034 # what is set here, the tests use

bats_require_minimum_version 1.5.0
ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
RUNNER=()
EXE=
case ${SUITE:-native} in
native) BIN=$ROOT/build ;;
sanitize)
    BIN=$ROOT/build/sanitize
    export UBSAN_OPTIONS=print_stacktrace=1
    ;;
windows)
    BIN=$ROOT/build/windows
    EXE=.exe
    RUNNER=(wine)
    # shellcheck source=tests/wine.bash
    . "$ROOT/tests/wine.bash"
    ;;
esac
NATIVE=$ROOT/build
export LC_ALL=C.UTF-8 NO_COLOR=1
STARTED=()

prog() {
    PROG=(${RUNNER[@]+"${RUNNER[@]}"} "$BIN/$1$EXE")
}

impatient() {
    local from=$BATS_TEST_TMPDIR/impatient to=$BATS_TEST_TMPDIR/impatient/${1##*/}$EXE
    local compile=(cc -o "$to" "$from/$1.c")
    [ "${SUITE:-native}" != windows ] || compile=(x86_64-w64-mingw32-gcc -D_WIN32_WINNT=0x0A00
        -D__USE_MINGW_ANSI_STDIO=1 -o "$to" "$from/$1.c" -lws2_32)
    need "${compile[0]}"
    mkdir -p "$from/${1%/*}"
    ln -sfn "$ROOT/common" "$from/common"
    sed -E 's/= *[36]0 \* 1000/= 1000/; s/^ +[36]0 \* 1000/1000/' "$ROOT/$1.c" >"$from/$1.c"
    ! cmp -s "$ROOT/$1.c" "$from/$1.c" || return 1
    "${compile[@]}" 3>&- || return 1
    PROG=(${RUNNER[@]+"${RUNNER[@]}"} "$to")
}

# Runs a program of a lesson in the foreground, without carriage returns in its output.
lesson() {
    prog "$1"
    shift
    "${PROG[@]}" "$@" 3>&- | tr -d '\r'
    return "${PIPESTATUS[0]}"
}

start() {
    local name=$1
    shift
    : >"$BATS_TEST_TMPDIR/$name" # what a former program of this name has printed is gone at once
    "$@" >"$BATS_TEST_TMPDIR/$name" 2>&1 3>&- </dev/null &
    STARTED_PID=$!
    STARTED+=("$STARTED_PID")
}

wait_line() {
    local file=$BATS_TEST_TMPDIR/$1 line
    for _ in $(seq 1500); do
        line=$(tr -d '\r' <"$file" | grep -m1 -E -- "$2") && {
            printf '%s\n' "$line"
            return 0
        }
        sleep 0.02
    done
    echo "no line matches '$2' in the output of $1:" >&2
    cat "$file" >&2
    return 1
}

start_server() {
    local line
    start "$@"
    SERVER_PID=$STARTED_PID
    line=$(wait_line "$1" 'listening on') || return 1
    PORT=${line##*:}
}

wait_exit() {
    for _ in $(seq 1500); do
        kill -0 "$1" 2>/dev/null || {
            wait "$1"
            return
        }
        sleep 0.02
    done
    echo "process $1 has not ended" >&2
    return 124
}

browse() {
    local name browser=
    for name in chromium chromium-browser google-chrome; do
        browser=$(command -v "$name") && break
    done
    [ -n "$browser" ] || skip "chromium is not installed"
    run timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$BATS_TEST_TMPDIR/browser" --dump-dom "$1" 3>&-
}

# Of a terminal made by tmux, whose socket's name is in $TERMINAL.
t() {
    tmux -L "$TERMINAL" "$@" 3>&-
}

screen() {
    t capture-pane -p
}

wait_screen() {
    for _ in $(seq 1500); do
        screen | grep -qE -- "$1" && return 0
        sleep 0.02
    done
    echo "the screen does not come to show '$1':" >&2
    screen >&2
    return 1
}

# The regular expressions, one an argument, match lines of $output in this order.
in_order() {
    # shellcheck disable=SC2154 # set by run
    local rest=$output want
    for want in "$@"; do
        if ! grep -qE -- "$want" <<<"$rest"; then
            echo "not in this order: $want"
            echo "$output"
            return 1
        fi
        rest=$(awk -v want="$want" 'found { print } !found && $0 ~ want { found = 1 }' <<<"$rest")
    done
}

refuse_port() {
    local lesson=$1 words
    shift
    for words; do
        # shellcheck disable=SC2086 # words
        run lesson "$lesson"/$words
        # shellcheck disable=SC2154 # set by run
        [ "$status" = 2 ]
        [[ $output = *"port \"70000\": not a name, nor a number of 16 bits"* ]]
    done
}

need() {
    local command
    for command in "$@"; do
        command -v "$command" >/dev/null || skip "$command is not installed"
    done
}

not_on_windows() {
    [ "${SUITE:-native}" != windows ] || skip "not on Windows: $1"
}

need_wire() {
    local reason
    [ "${SUITE:-native}" != windows ] || skip "not on Windows: the wire runs on Linux"
    reason=$("$BIN/wire" --doctor --brief) || skip "$reason"
}

end_started() {
    local pid alive
    # Only those which still run: the pid of one that has ended may be another program's by now.
    alive=" $(jobs -pr; jobs -ps) "
    alive=${alive//$'\n'/ }
    for pid in ${STARTED[@]+"${STARTED[@]}"}; do
        [[ $alive != *" $pid "* ]] || kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    STARTED=()
}

teardown() {
    end_started
}
