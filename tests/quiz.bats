#!/usr/bin/env bats
# ladder --quiz: predict, then see; from a pipe, and by keys on a terminal that tmux plays.

load helper

RECORDING=$ROOT/04-handshake-trace/figures/three-way-handshake.pcapng

setup() {
    TERMINAL=quiz-$$-$BATS_TEST_NUMBER
}

teardown() {
    tmux -L "$TERMINAL" kill-server 2>/dev/null || true
}

# Answers, a line each, to the quiz of a seed; what it says in $output.
answer() {
    local seed=$1
    shift
    run --separate-stderr quiz "$seed" < <(printf '%s\n' "$@")
}

quiz() {
    lesson ladder "$RECORDING" --quiz --seed "$1" 2>&1
}

# The letters of the right answers to the quiz of a seed.
right_letters() {
    yes a | quiz "$1" | sed -nE 's/^(Right:|It is) ([a-d])\) .*/\2/p'
}

@test "who answers all rightly has predicted all" {
    mapfile -t letters < <(right_letters 1)
    [ "${#letters[@]}" -ge 10 ]
    answer 1 "${letters[@]}"
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "${#letters[@]} of ${#letters[@]} predicted." ]
    [ "$(grep -c '^Right: ' <<<"$output")" = "${#letters[@]}" ]
    run ! grep -q '^Not ' <<<"$output"
}

@test "who answers all wrongly is told the right one each time, and what to look at again" {
    mapfile -t letters < <(right_letters 1)
    answer 1 "${letters[@]/%[abc]/d}" # d is wrong for all that are not d
    wrong=$(printf '%s\n' "${letters[@]}" | grep -c '[abc]')
    [ "$(grep -c '^Not d) ' <<<"$output")" = "$wrong" ]
    grep -q "^$((${#letters[@]} - wrong)) of ${#letters[@]} predicted. Look again at:" <<<"$output"
    [ "$(grep -cE '^  [0-9.]+ ms  the (client|server)' <<<"$output")" = "$wrong" ]
}

@test "the same seed gives the same quiz, another one another" {
    yes b | quiz 7 >"$BATS_TEST_TMPDIR/one"
    yes b | quiz 7 >"$BATS_TEST_TMPDIR/two"
    yes b | quiz 8 >"$BATS_TEST_TMPDIR/other"
    cmp "$BATS_TEST_TMPDIR/one" "$BATS_TEST_TMPDIR/two"
    run ! cmp -s "$BATS_TEST_TMPDIR/one" "$BATS_TEST_TMPDIR/other"
}

@test "without a seed it says which one it has taken" {
    prog ladder
    seed=$(yes a | "${PROG[@]}" "$RECORDING" --quiz 3>&- | sed -nE 's/.*--seed ([0-9]+).*/\1/p')
    [ "$seed" -gt 0 ]
}

@test "each question has four different choices" {
    for seed in 1 2 3; do
        yes a | quiz "$seed" | awk '
            /What happens next\?/ { if (asked && n != 4) exit 1; asked++; n = 0; split("", seen) }
            /^  [a-d]\) / { text = substr($0, 6); if (text in seen) exit 1; seen[text] = 1; n++ }
            END { if (n != 4 || asked < 10) exit 1 }'
    done
}

@test "a wrong choice is not what comes right after" {
    # the steps behind each right answer are on the ladder before the next question
    for seed in 1 2 3 4 5 6; do
        yes a | quiz "$seed" | awk '
            /What happens next\?/ { for (text in wrong) if (text == right_now) bad = 1; split("", wrong) }
            /^  [a-d]\) / { offered[substr($0, 6)] = 1 }
            /^(Right:|It is) / {
                sub(/^(Right:|It is) [a-d]\) /, ""); right_now = $0
                if (right_now in wrong) bad = 1
                split("", wrong)
                for (text in offered) if (text != right_now) wrong[text] = 1
                split("", offered)
            }
            END { exit bad }'
    done
}

@test "what is asked for is not on the ladder before, and is there after" {
    mapfile -t letters < <(right_letters 1)
    states=0
    for number in $(seq ${#letters[@]}); do
        letter=${letters[number - 1]}
        answer 1 "${letters[@]:0:number-1}"
        asked=$(grep -A4 "^$number of .* What happens next" <<<"$output" |
            sed -nE "s/^  $letter\\) the server goes to ([A-Z_]+)$/\\1/p")
        [ -n "$asked" ] || continue
        states=$((states + 1))
        if grep -q "● $asked\$" <<<"$output"; then
            echo "$asked is seen before it is asked for"
            return 1
        fi
    done
    [ "$states" -ge 3 ]
    answer 1 "${letters[@]}"
    grep -q '● CLOSED' <<<"$output"
}

@test "the scene's own words say why" {
    mapfile -t letters < <(right_letters 1)
    answer 1 "${letters[@]}"
    grep -A1 -E "^Right: [a-d]\) the client's connect\(3\) returns 0" <<<"$output" |
        grep -q '^connect() returns on the second segment'
    grep -A1 -E '^Right: [a-d]\) the server goes to LISTEN' <<<"$output" |
        grep -q '^The passive open'
}

@test "an event that the scene says nothing of is explained by its own facts" {
    found=0
    for seed in 1 2 3 4 5 6 7 8; do
        yes a | quiz "$seed" | grep -A1 -E '^(Right:|It is) [a-d]\) the server goes to CLOSED' |
            grep -q '^Its FIN is acknowledged' && found=1
    done
    [ "$found" = 1 ]
}

@test "a wrong number is told apart from the right one" {
    told=
    for seed in $(seq 30); do
        told+=$(yes c | quiz "$seed" | grep -A1 -E '^Not c\) the server sends ACK seq=2001 ack=1007$' || true)
        [ -z "$told" ] || break
    done
    grep -q '^ack is the next number expected. All before 1006 has come; 1006 has not.' <<<"$told"
}

@test "letters, capitals and numbers are answers; anything else is asked again" {
    answer 1 "" x "a b" "$(printf 'a%.0s' $(seq 500))" $'\e[A' 5 A
    [ "$status" -eq 0 ]
    [ "$(grep -c 'That is none of' <<<"$output")" = 6 ]
    grep -q '^. of 1 right' <<<"$output"
    first=$(grep -m1 -oE '^(Right:|It is) [a-d]' <<<"$output")
    answer 1 1
    [ "$(grep -m1 -oE '^(Right:|It is) [a-d]' <<<"$output")" = "$first" ]
    grep -q '^. of 1 right' <<<"$output"
    answer 1 ' b) '
    grep -q '^. of 1 right' <<<"$output"
}

@test "when the answers end, or at q, the score so far is told" {
    answer 1 a a
    [ "$status" -eq 0 ]
    grep -qE '^[0-2] of 2 predicted' <<<"$output"
    answer 1 a q a
    grep -qE '^[01] of 1 predicted' <<<"$output"
    run quiz 1 </dev/null
    [ "$status" -eq 0 ]
    grep -q '^0 of 0 predicted' <<<"$output"
}

@test "a seed that is none, and --step besides, are mistakes in the command line" {
    prog ladder
    run "${PROG[@]}" "$RECORDING" --quiz --seed x 3>&-
    [ "$status" -eq 2 ]
    [[ $output == *"--seed needs a number"* ]]
    run "${PROG[@]}" "$RECORDING" --quiz --step 3>&-
    [ "$status" -eq 2 ]
    [[ $output == *"one at a time: --step or --quiz"* ]]
}

# ---- on a terminal --------------------------------------------------------------------------------

on_terminal() {
    not_on_windows "tmux is a terminal of POSIX"
    need tmux
    mapfile -t letters < <(right_letters 1)
    cat >"$BATS_TEST_TMPDIR/run" <<END
trap : INT
stty -a >'$BATS_TEST_TMPDIR/before'
'$BIN/ladder' '$RECORDING' --quiz --seed 1
stty -a >'$BATS_TEST_TMPDIR/after'
echo done
read -r _
END
    t -f /dev/null new-session -d -x "$1" -y "$2" "sh '$BATS_TEST_TMPDIR/run'"
    wait_screen "^ 1 of ${#letters[@]}. What happens next"
}

@test "on a terminal a key is an answer, and the score stands below" {
    on_terminal 80 24
    wait_screen '^ 0 of 0 right   a b c d: your answer'
    t send-keys x
    t send-keys "${letters[0]}"
    wait_screen "^ Right: ${letters[0]}\\) the server goes to LISTEN"
    wait_screen '^ The passive open'
    wait_screen '● LISTEN'
    wait_screen '^ 1 of 1 right   space: go on'
    t send-keys Space
    wait_screen '^ 2 of .*What happens next'
    wrong=$(tr abcd bcda <<<"${letters[1]}")
    t send-keys "$wrong"
    wait_screen "^ Not $wrong\\)"
    wait_screen "^ It is ${letters[1]}\\)"
    wait_screen '^ 1 of 2 right'
    t send-keys q
    wait_screen '^1 of 2 predicted. Look again at:'
    wait_screen '^done'
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "on a terminal it goes to the end, whatever size the terminal takes" {
    on_terminal 120 40
    for number in $(seq ${#letters[@]}); do
        wait_screen "^ $number of .*What happens next"
        t send-keys "${letters[number - 1]}"
        wait_screen '^ Right:'
        [ "$number" != 3 ] || t resize-window -x 80 -y 24
        t send-keys Space
    done
    wait_screen "^ ${#letters[@]} of ${#letters[@]} predicted"
    t send-keys Space
    wait_screen '^done'
}

@test "Ctrl-C in a quiz puts the terminal back as it was" {
    on_terminal 80 24
    t send-keys C-c
    wait_screen '^done'
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}
