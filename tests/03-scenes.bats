#!/usr/bin/env bats
# The scenes of lesson 03: what a network does to datagrams, and what the programs see of it.

load helper

setup() {
    need_wire
}

play() {
    run --separate-stderr "$BIN/wire" --events "$ROOT/03-udp-echo/$1.scene" 3>&-
    echo "$stderr"
    [ "$status" -eq 0 ]
}

# What the server printed, in one line.
server_prints() {
    sed -n 's/.*server : prints "\([0-9]*\)"$/\1/p' <<<"$output" | tr '\n' ' '
}

@test "a lost datagram is not missed by anyone" {
    play lost
    [ "$(server_prints)" = "1 3 " ]
    grep -q 'server x UDP' <<<"$output"
    [ "$(grep -c 'client : send(3) = 1' <<<"$output")" = 3 ]
    run ! grep -E 'server > (UDP|ICMP)' <<<"$output"
}

@test "datagrams arrive in another order" {
    play reordered
    [ "$(server_prints)" = "1 3 2 " ]
}

@test "a datagram sent once is received twice" {
    play duplicated
    [ "$(server_prints)" = "1 2 3 2 " ]
    [ "$(grep -c 'client > UDP' <<<"$output")" = 3 ]
}

@test "a damaged datagram reaches the host but not the program; the kernel counts it" {
    play corrupted
    [ "$(server_prints)" = "1 3 " ]
    grep -q 'server < UDP len=1 damaged' <<<"$output"
    grep -q 'prints "1 more reached this host damaged' <<<"$output"
}

@test "the same 200 bytes cost TCP ten segments and UDP two datagrams" {
    run --separate-stderr "$BIN/wire" "$ROOT/03-udp-echo/overhead-tcp.scene" 3>&-
    [ "$status" -eq 0 ]
    [[ $output == *"10 frames, 0 lost. Bytes: data 400, Ethernet 140, IP 200, TCP 208."* ]]
    run --separate-stderr "$BIN/wire" "$ROOT/03-udp-echo/overhead-udp.scene" 3>&-
    [ "$status" -eq 0 ]
    [[ $output == *"2 frames, 0 lost. Bytes: data 400, Ethernet 28, IP 40, UDP 16."* ]]
}
