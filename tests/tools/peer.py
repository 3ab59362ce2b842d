#!/usr/bin/env python3
"""A TCP peer that does exactly what it is told, badly behaved if need be.

    peer.py HOST PORT STEP...         connects, then takes the steps in turn
    peer.py --listen HOST STEP...     listens, says where, accepts one connection, takes the steps

Steps:
    rcvbuf=N     a receive buffer of N bytes (before the connection is made)
    send=TEXT    all of TEXT          hex=0005ff   the same, bytes in hexadecimal
    bytes=N      N bytes of a pattern
    drip=N       N bytes, one each 0.1 s, each answered before the next
    flood        sends until nothing has been taken for 0.3 s, and never reads
    recv=N       waits for N bytes of the pattern or whatever comes, prints them if they are text
    drain        half-closes, reads to the FIN: prints how many bytes of the flood came back right
    eof          waits for the FIN (any bytes before it are an error)
    end          waits for the FIN or the RST, whichever comes
    fin          half-closes
    reset        closes with a RST
    say=TEXT     prints TEXT
    until=FILE   waits until FILE exists
"""
import os
import select
import socket
import struct
import sys
import time

LIMIT = 20  # seconds: no step waits longer
FLOOD = 256 << 20  # bytes: the buffers of two kernels hold far less


def pattern(start, count):
    """Bytes start to start + count of an endless sequence in which none can be lost unseen."""
    first = start // 8
    block = b"".join(struct.pack(">Q", n * 2654435761 % 2**64) for n in range(first, first + count // 8 + 2))
    return block[start - first * 8:][:count]


def fail(text):
    sys.exit("peer: " + text)


class Peer:
    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(LIMIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0  # bytes of the pattern

    def step(self, name, value):
        s = self.socket
        if name == "send":
            s.sendall(value.encode())
        elif name == "hex":
            s.sendall(bytes.fromhex(value))
        elif name == "bytes":
            s.sendall(pattern(self.sent, int(value)))
            self.sent += int(value)
        elif name == "drip":
            for n in range(int(value)):
                time.sleep(0.1)
                s.sendall(b"%d" % (n % 10))
                if s.recv(9) != b"%d" % (n % 10):
                    fail("another byte came back")
        elif name == "flood":
            s.setblocking(False)
            data = pattern(0, 1 << 20)
            while select.select([], [s], [], 0.3)[1]:
                if self.sent > FLOOD:
                    fail("nobody holds this flood up: %d bytes" % self.sent)
                at = self.sent % len(data)
                self.sent += s.send(data[at:at + 65536])
            s.settimeout(LIMIT)
            print("flooded with", self.sent, "bytes", flush=True)
        elif name == "recv":
            got = b""
            while len(got) < int(value):
                more = s.recv(int(value) - len(got))
                if not more:
                    fail("FIN after %d of %s bytes" % (len(got), value))
                got += more
            print("received", got.decode("latin1") if got.isascii() else len(got), flush=True)
        elif name == "drain":
            data = pattern(0, 1 << 20)
            s.shutdown(socket.SHUT_WR)
            got = 0
            while more := s.recv(65536):
                at = got % len(data)
                if (data[at:] + data)[:len(more)] != more:
                    fail("other bytes came back near %d" % got)
                got += len(more)
            print("drained", got, "of", self.sent, flush=True)
        elif name == "eof":
            more = s.recv(100)
            if more:
                fail("expected the FIN, got %r" % more)
            print("end of stream", flush=True)
        elif name == "end":
            try:
                while s.recv(65536):
                    pass
                print("end of stream", flush=True)
            except ConnectionResetError:
                print("reset", flush=True)
        elif name == "fin":
            s.shutdown(socket.SHUT_WR)
        elif name == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        elif name == "say":
            print(value, flush=True)
        elif name == "until":
            limit = time.monotonic() + LIMIT
            while not os.path.exists(value):
                if time.monotonic() > limit:
                    fail("no file " + value)
                time.sleep(0.01)
        else:
            fail("no such step: " + name)


def main(arguments):
    steps = [a.partition("=")[::2] for a in arguments[2:]]
    s = socket.socket()
    while steps and steps[0][0] == "rcvbuf":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(steps.pop(0)[1]))
    if arguments[0] == "--listen":
        s.bind((arguments[1], 0))
        s.listen()
        s.settimeout(LIMIT)
        print("listening on %s:%d" % s.getsockname(), flush=True)
        listener, (s, _) = s, s.accept()
        listener.close()
    else:
        s.connect((arguments[0], int(arguments[1])))
    peer = Peer(s)
    for name, value in steps:
        peer.step(name, value)


main(sys.argv[1:])
