#!/usr/bin/env bats
# Windows programs, run by Wine, and native ones at the two ends of one connection.
load helper

setup() {
    local reason
    [ "${SUITE:-native}" = windows ] || skip "only in the Windows suite: make test-windows"
    if reason=$(wine_missing); then skip "$reason"; fi
}

many_bytes() {
    awk 'BEGIN { for (i = 0; i < 100000; i++) print "line", i }' >"$BATS_TEST_TMPDIR/sent"
}

@test "a Windows client gets its bytes back from a native server" {
    start_server server "$NATIVE/02-tcp-echo/server" 127.0.0.1 0
    run lesson 02-tcp-echo/client 127.0.0.1 "$PORT" "from Windows"
    [ "$status" = 0 ]
    [ "$output" = "from Windows" ]
}

@test "a native client gets its bytes back from a Windows server" {
    prog 02-tcp-echo/server
    start_server server "${PROG[@]}" 127.0.0.1 0
    run "$NATIVE/02-tcp-echo/client" 127.0.0.1 "$PORT" "from here"
    [ "$status" = 0 ]
    [ "$output" = "from here" ]
}

@test "a Windows client sends a file to a native server, and no byte is changed" {
    many_bytes
    start_server server "$NATIVE/02-tcp-echo/server" 127.0.0.1 0
    prog 02-tcp-echo/client
    "${PROG[@]}" 127.0.0.1 "$PORT" <"$BATS_TEST_TMPDIR/sent" >"$BATS_TEST_TMPDIR/back" 3>&-
    cmp "$BATS_TEST_TMPDIR/sent" "$BATS_TEST_TMPDIR/back"
}

@test "a native client sends a file to a Windows server, and no byte is changed" {
    many_bytes
    prog 02-tcp-echo/server
    start_server server "${PROG[@]}" 127.0.0.1 0
    "$NATIVE/02-tcp-echo/client" 127.0.0.1 "$PORT" \
        <"$BATS_TEST_TMPDIR/sent" >"$BATS_TEST_TMPDIR/back" 3>&-
    cmp "$BATS_TEST_TMPDIR/sent" "$BATS_TEST_TMPDIR/back"
}

@test "a native client reaches a Windows server over IPv6" {
    prog 02-tcp-echo/server
    start_server server "${PROG[@]}" ::1 0
    run "$NATIVE/02-tcp-echo/client" ::1 "$PORT" six
    [ "$output" = six ]
}

@test "a native client that goes away without reading does not stop a Windows server" {
    prog 02-tcp-echo/server
    start_server server "${PROG[@]}" 127.0.0.1 0
    exec 4<>"/dev/tcp/127.0.0.1/$PORT"
    echo unread >&4
    wait_line server 'connected'
    exec 4>&-
    run "$NATIVE/02-tcp-echo/client" 127.0.0.1 "$PORT" "still there"
    [ "$output" = "still there" ]
}

@test "a Windows program gives its errors their Winsock names, and its exit status" {
    run lesson 02-tcp-echo/client 127.0.0.1 1 hello
    [ "$status" = 1 ]
    [[ $output == *"client: connect 127.0.0.1:1: Connection refused (WSAECONNREFUSED)"* ]]
    run lesson 02-tcp-echo/client
    [ "$status" = 2 ]
}

@test "_read() works on a file, _write() on a SOCKET fails with EBADF, and send() works" {
    run lesson 01-socket-basics/fd_is_a_file
    [ "$status" = 0 ]
    [[ $output == *'_read(file) = 2: "MZ"'* ]]
    [[ $output == *'_write(SOCKET) = -1: Bad file descriptor (EBADF)'* ]]
    [[ $output == *'send(SOCKET) = 5'* ]]
    [[ $output == *'recv(SOCKET) = 5: "hello"'* ]]
}
