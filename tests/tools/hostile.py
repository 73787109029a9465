#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""hostile.py - captures that an adversary of the correlator would send (classic pcap, Ethernet).

    tests/tools/hostile.py KIND FRAMES >FILE

KIND: alike (the same datagram again and again, IP id 0), flows (a flow a frame), fragments (first
fragments whose rest never comes), vni (VXLAN of foreign VNIs), nested (VXLAN in VXLAN, as deep as
a frame holds), extensions (chains of IPv6 extension headers), clock (stamps that jump by days),
collide (a flow a frame, IPv6, with the addresses that made all of them fall into one bucket whatever
the key was), scatter (the same with other addresses).
"""
import random
import struct
import sys

POD, PEER = bytes([10, 244, 1, 2]), bytes([10, 244, 2, 2])
POD6 = bytes([0xfd] + 6 * [0] + [1] + 7 * [0] + [2])
ETH = bytes.fromhex("0a0000000001" "0a0000000002")
START = 1704067200
# A product is 0 where one factor is: hash_mix() turns this into 0, whatever is mixed with it.
ZERO = struct.pack("<Q", 0xa0761d6478bd642f)


def ip4(src, dst, proto, payload, ident=0, frag=0x4000):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, frag, 64, proto, 0,
                       src, dst) + payload


def udp(sport, dport, payload):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def frame(ip, kind=0x0800):
    return ETH + struct.pack("!H", kind) + ip


def vxlan(vni, inner, n):
    body = struct.pack("!II", 0x08000000, vni << 8) + inner
    return frame(ip4(bytes([192, 168, 77, 11]), bytes([192, 168, 77, 12]), 17,
                     udp(32768 + n % 28000, 8472, body), n & 0xffff))


def make(kind, n, rng):
    plain = frame(ip4(POD, PEER, 17, udp(4000, 5301, b"alike" * 4)))
    if kind == "alike":
        return plain
    if kind == "flows":
        return frame(ip4(POD, struct.pack("!I", 0x0af40000 | n & 0xffff), 17,
                         udp(n >> 16 & 0xffff, n * 7 & 0xffff, struct.pack("!I", n)), n & 0xffff))
    if kind == "fragments":
        return frame(ip4(POD, PEER, 17, udp(4000, 5301, bytes(24)), n & 0xffff, 0x2000 | n % 3))
    if kind == "vni":
        return vxlan(rng.randrange(1 << 24), plain, n)
    if kind == "nested":
        inner = plain
        while len(inner) + 50 < 1400:
            inner = vxlan(rng.randrange(1 << 24), inner, n)
        return inner
    if kind == "extensions":
        head = b"".join(bytes([60, 0]) + bytes(6) for _ in range(rng.randrange(1, 150)))
        ip = struct.pack("!IHBB", 0x60000000, len(head), 60, 64) + bytes(15) + b"\1" + bytes(15) + b"\2"
        return frame(ip + head, 0x86dd)
    if kind in ("collide", "scatter"):
        low = ZERO if kind == "collide" else struct.pack("!Q", 0x0123456789abcdef)
        src = struct.pack("!Q", 0xfd00000000000000 + n) + low
        body = udp(4000, 5301, struct.pack("!I", n))
        return frame(struct.pack("!IHBB", 0x60000000, len(body), 17, 64) + src + POD6 + body, 0x86dd)
    return frame(ip4(POD, PEER, 17, udp(4000, 5301, struct.pack("!I", n)), n & 0xffff))


def main():
    kind, frames = sys.argv[1], int(sys.argv[2])
    rng = random.Random(1)
    out = sys.stdout.buffer
    out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
    for n in range(frames):
        data = make(kind, n, rng)
        at = START + (rng.randrange(-30, 30) * 86400 if kind == "clock" else n // 100000)
        out.write(struct.pack("<IIII", at, n % 100000 * 10, len(data), len(data)) + data)


main()
