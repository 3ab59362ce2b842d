#!/usr/bin/env python3
"""Makes capture files for the tests of the ladder.

  captures.py talk FILE [--link L] [--order O] [--time T] [--ip V] [--snap N]
      one TCP conversation of every sort of segment: a handshake, data, a retransmission, segments that overtake
      each other, duplicate ACKs, a window of zero, a close from either end; and a UDP exchange beside it
  captures.py many FILE COUNT
      COUNT packets: conversations of 100 packets each, 1000 at a time side by side;
      the last one has 100 more

  L: ethernet vlan raw null loop sll sll2     O: little big     T: us ns ng     V: 4 6
"""
import argparse
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
LINKS = {"null": 0, "ethernet": 1, "vlan": 1, "raw": 101, "loop": 108, "sll": 113, "sll2": 276}
CLIENT, SERVER = 0, 1
ADDRESSES = {
    4: (bytes([192, 168, 1, 5]), bytes([93, 184, 216, 34])),
    6: (bytes.fromhex("20010db8000000000000000000000001"), bytes.fromhex("fe80" + "00" * 13 + "02")),
}


def ip(version, source, target, protocol, body):
    if version == 4:
        return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0) + source + target + body
    return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + source + target + body


def tcp(ports, seq, ack, flags, window, data, options=b""):
    offset = (5 + len(options) // 4) << 4
    return struct.pack(">HHIIBBHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset, flags, window, 0, 0) + options + data


def udp(ports, data):
    return struct.pack(">HHHH", *ports, 8 + len(data), 0) + data


def on_link(link, order, version, packet):
    ethertype = 0x0800 if version == 4 else 0x86DD
    family = 2 if version == 4 else 30  # as macOS numbers them
    macs = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
    return {
        "ethernet": lambda: macs + struct.pack(">H", ethertype),
        "vlan": lambda: macs + struct.pack(">HHH", 0x8100, 5, ethertype),
        "raw": lambda: b"",
        "null": lambda: struct.pack(order + "I", family),
        "loop": lambda: struct.pack(">I", family),
        "sll": lambda: struct.pack(">HHH8sH", 0, 1, 6, macs[:8], ethertype),
        "sll2": lambda: struct.pack(">HHIHBB8s", ethertype, 0, 1, 1, 0, 6, macs[:8]),
    }[link]() + packet


class File:
    """A capture: pcap with times in us or ns, or pcapng."""

    def __init__(self, path, link="ethernet", order="<", time="us", snap=0):
        self.out, self.order, self.time, self.snap = open(path, "wb"), order, time, snap
        number = LINKS[link]
        if time == "ng":
            self.block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
            self.block(1, struct.pack(order + "HHIHHB3xI", number, 0, 0, 9, 1, 9, 0))
        else:
            magic = 0xA1B2C3D4 if time == "us" else 0xA1B23C4D
            self.out.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap or 262144, number))

    def block(self, kind, body):
        body += bytes(-len(body) % 4)
        self.out.write(struct.pack(self.order + "II", kind, len(body) + 12) + body)
        self.out.write(struct.pack(self.order + "I", len(body) + 12))

    def packet(self, ns, frame):
        length = len(frame)
        frame = frame[: self.snap or length]
        if self.time == "ng":
            head = struct.pack(self.order + "IIIII", 0, ns >> 32, ns & 0xFFFFFFFF, len(frame), length)
            self.block(6, head + frame)
        else:
            part = ns % 10**9 // (1000 if self.time == "us" else 1)
            self.out.write(struct.pack(self.order + "IIII", ns // 10**9, part, len(frame), length) + frame)


# who, seq and ack from each one's first number on, flags, bytes of data, window, ms since the one before
CONVERSATION = [
    (CLIENT, 0, None, SYN, 0, 64240, 0),
    (SERVER, 0, 1, SYN | ACK, 0, 65160, 20),
    (CLIENT, 1, 1, ACK, 0, 502, 0.1),
    (CLIENT, 1, 1, PSH | ACK, 100, 502, 1),
    (CLIENT, 101, 1, PSH | ACK, 50, 502, 1),
    (SERVER, 1, 101, ACK, 0, 509, 20),
    (SERVER, 1, 101, ACK, 400, 509, 1),
    (CLIENT, 101, 401, PSH | ACK, 50, 502, 230),  # again
    (SERVER, 401, 151, ACK, 0, 509, 20),
    (SERVER, 801, 151, ACK, 400, 509, 5),  # the one before it is late
    (CLIENT, 151, 401, ACK, 0, 502, 0.2),
    (SERVER, 401, 151, ACK, 400, 509, 0.5),  # out of order
    (CLIENT, 151, 1201, ACK, 0, 502, 0.1),
    (SERVER, 1601, 151, ACK, 400, 509, 9),  # a hole
    (CLIENT, 151, 1201, ACK, 0, 502, 0.1),  # duplicate ACKs
    (SERVER, 2001, 151, ACK, 400, 509, 0.1),
    (CLIENT, 151, 1201, ACK, 0, 502, 0.1),
    (SERVER, 1201, 151, ACK, 400, 509, 30),  # again, and never seen before
    (CLIENT, 151, 2401, ACK, 0, 0, 0.1),  # a window of zero
    (SERVER, 2400, 151, ACK, 0, 509, 400),  # a probe
    (CLIENT, 151, 2401, ACK, 0, 502, 0.1),
    (SERVER, 2401, 151, FIN | ACK, 0, 509, 10),
    (CLIENT, 151, 2402, ACK, 0, 502, 20),
    (CLIENT, 151, 2402, FIN | PSH | ACK, 20, 502, 5),
    (SERVER, 2402, 172, ACK, 0, 509, 20),
]
FIRST = (0xFFFFFFF0, 3000000000)  # the client's numbers wrap round


def talk(options):
    order = "<" if options.order == "little" else ">"
    file = File(options.file, options.link, order, options.time, options.snap)
    ends, ports = ADDRESSES[options.ip], (40001, 443)
    ns = 1700000000 * 10**9

    def send(who, protocol, body):
        packet = ip(options.ip, ends[who], ends[1 - who], protocol, body)
        file.packet(ns, on_link(options.link, order, options.ip, packet))

    for who, seq, ack, flags, size, window, after in CONVERSATION:
        ns += int(after * 10**6)
        mine, others = (ports[who], ports[1 - who]), FIRST[1 - who]
        send(who, 6, tcp(mine, FIRST[who] + seq, others + ack if ack is not None else 0, flags, window, b"x" * size))
        if flags == SYN:
            send(CLIENT, 17, udp((50000, 53), b"question"))
            send(SERVER, 17, udp((53, 50000), b"answer"))


def many(options):
    file = File(options.file)
    side_by_side, each = 1000, 100
    ns = 1700000000 * 10**9
    for first in range(0, options.count // each, side_by_side):
        ends = [
            (bytes([10, n >> 16, n >> 8 & 255, n & 255]), bytes([192, 0, 2, n % 200]), (20000 + n % 40000, 443))
            for n in range(first, min(first + side_by_side, options.count // each))
        ]
        for step in range(each):
            for client, server, ports in ends:
                ns += 1000
                if step == 0:
                    body = tcp(ports, 1000, 0, SYN, 64240, b"")
                elif step == 1:
                    body = tcp(ports[::-1], 2000, 1001, SYN | ACK, 64240, b"")
                elif step == 2:
                    body = tcp(ports, 1001, 2001, ACK, 502, b"")
                elif step % 2:
                    body = tcp(ports[::-1], 2001 + 100 * (step - 3), 1001, ACK, 502, b"x" * 200)
                else:
                    body = tcp(ports, 1001, 2001 + 100 * (step - 2), ACK, 502, b"")
                pair = (server, client) if step == 1 or (step > 2 and step % 2) else (client, server)
                file.packet(ns, on_link("ethernet", "<", 4, ip(4, *pair, 6, body)))
    for step in range(each):
        ns += 1000
        file.packet(ns, on_link("ethernet", "<", 4, ip(4, client, server, 6, tcp(ports, 1001, 2001, ACK, 502, b""))))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("talk")
    one.add_argument("file")
    one.add_argument("--link", choices=LINKS, default="ethernet")
    one.add_argument("--order", choices=["little", "big"], default="little")
    one.add_argument("--time", choices=["us", "ns", "ng"], default="us")
    one.add_argument("--ip", type=int, choices=[4, 6], default=4)
    one.add_argument("--snap", type=int, default=0)
    one.set_defaults(run=talk)
    big = commands.add_parser("many")
    big.add_argument("file")
    big.add_argument("count", type=int)
    big.set_defaults(run=many)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
