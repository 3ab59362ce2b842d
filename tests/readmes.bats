# What the READMEs show is what comes: each of their ```console blocks is run (tests/readme-run).

load helper

# Blocks that need the wire are run last, so that without one the others are tested all the same.
shows_what_comes() {
    [ "${SUITE:-native}" = native ] ||
        skip "not on Windows and not under sanitizers: READMEs show the native programs"
    cd "$ROOT" || return 1
    tests/readme-run "$1" plain 3>&-
    if grep -qE '^ *\$ .*(build/wire|make demo)' "$1"; then
        need_wire
        tests/readme-run "$1" wire 3>&-
    fi
}

@test "README.md shows what comes" { shows_what_comes README.md; }
@test "01-socket-basics/README.md shows what comes" { shows_what_comes 01-socket-basics/README.md; }
@test "02-tcp-echo/README.md shows what comes" { shows_what_comes 02-tcp-echo/README.md; }
@test "03-udp-echo/README.md shows what comes" { shows_what_comes 03-udp-echo/README.md; }

@test "04-handshake-trace/README.md shows what comes" { shows_what_comes 04-handshake-trace/README.md; }

@test "05-close-states/README.md shows what comes" { shows_what_comes 05-close-states/README.md; }
@test "06-retransmit/README.md shows what comes" { shows_what_comes 06-retransmit/README.md; }

@test "no README is left out of these tests" {
    cd "$ROOT"
    for file in README.md [0-9]*/README.md; do
        [ ! -e "$file" ] || grep -qF "{ shows_what_comes $file; }" tests/readmes.bats || {
            echo "to be added to tests/readmes.bats:"
            echo "@test \"$file shows what comes\" { shows_what_comes $file; }"
            return 1
        }
    done
}

# The tester itself, on small READMEs of its own. write LINE...: the lines of one console block.
write() {
    { echo text; echo '```console'; printf '%s\n' "$@"; echo '```'; } >"$BATS_TEST_TMPDIR/R.md"
}
tester() {
    "$ROOT/tests/readme-run" "$BATS_TEST_TMPDIR/R.md" "$@" 3>&-
}

@test "a README that is right passes" {
    write '$ echo one; echo two 22 "[*]?" \\' 'one' 'two ... [*]? \' '$ true' \
        '$ seq 5' '1' '...' '4' '5' '$ seq 3' '...' '$ echo; echo x' '' 'x'
    tester
}

@test "a README that is wrong fails, and its line is named" {
    write '$ seq 3' 1 2 4
    run tester
    [ "$status" = 1 ]
    [[ $output == *"R.md:6: expected: 4"*"this came: 3"* ]]
    write '$ seq 2' 1 2 3
    run tester
    [ "$status" = 1 ]
    [[ $output == *"R.md:6: expected: 3"*"nothing more came"* ]]
    write '$ seq 3' 1 2
    run tester
    [ "$status" = 1 ]
    [[ $output == *"R.md:6: expected: (no more output)"*"this came: 3"* ]]
    write '$ seq 9' ... 7 9
    run tester
    [ "$status" = 1 ]
    [[ $output == *"R.md:6: expected: 9"*"no such line"* ]]
    write '$ echo "a?"' 'ab'
    run tester
    [ "$status" = 1 ]
}

@test "a command left running is compared too, and ended with its block" {
    write '$ echo up; sleep 0.2; echo again; echo $$ >'"$BATS_TEST_TMPDIR"'/pid; sleep 300; true &' up again '$ echo x' x
    tester
    run kill -0 "$(cat "$BATS_TEST_TMPDIR/pid")"
    [ "$status" = 1 ]
    write '$ echo down; sleep 300 &' up '$ echo x' x
    run tester
    [ "$status" = 1 ]
    [[ $output == *"R.md:4: expected: up"* ]]
}

@test "blocks that need the wire are told from those that do not" {
    write '$ : build/wire; echo a' b
    tester plain
    run tester wire
    [ "$status" = 1 ]
    write '$ echo a' b
    tester wire
    run tester plain
    [ "$status" = 1 ]
}

@test "a block without a command or without an end is refused" {
    write 'text'
    run tester
    [ "$status" = 2 ]
    printf '```console\n$ true\n' >"$BATS_TEST_TMPDIR/R.md"
    run tester
    [ "$status" = 2 ]
    [[ $output == *"R.md:1: this block has no end"* ]]
}
