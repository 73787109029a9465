#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ipvs.py - what a node shows whose kube-proxy is in IPVS mode (pcapng, all hops, to stdout).

    tests/tools/ipvs.py [direct] >FILE

Put together from what the kernel does, for machines without IPVS. The Service's address is the
node's own (kube-ipvs0), so that a packet to it is routed to the node and translated only in
LOCAL_IN (ip_vs_remote_request4), then routed again and masqueraded in POSTROUTING. Thus:

    pod > Service > pod of another node   veth and cni0 show the Service, whatever br_netfilter
                                          says; flannel.1 and eth0 the pod. Of the answer FORWARD
                                          (ip_vs_reply4) makes the Service's again before cni0.
    pod > Service > itself                goes up to the node and comes back through cni0, with
                                          the bridge's address as its source
    client > NodePort > pod elsewhere     plain on eth0, then translated and masqueraded on
                                          flannel.1 and in VXLAN on eth0; with `direct`, which
                                          is this alone, plain on eth0 once more

Each over IPv4 and IPv6; UDP with a number in each datagram, TCP with the stream's offsets
(tests/tools/groundtruth.c) as a super-frame that eth0 shows in segments.
"""
import ipaddress
import struct
import sys

VETH, CNI0, ETH0, FLANNEL, FLANNEL6 = range(5)
NAMES = ["vethweb", "cni0", "eth0", "flannel.1", "flannel-v6.1"]
POD_MAC, BRIDGE_MAC, VETH_MAC = b"\x0a\0\0\0\1\2", b"\x0a\0\0\0\1\1", b"\x0a\0\0\0\1\3"
VTEP, VTEP_FAR = b"\2\0\x0a\xf4\1\0", b"\2\0\x0a\xf4\2\0"
NODE_MAC, FAR_MAC = b"\2\0\xc0\xa8\x4d\x0b", b"\2\0\xc0\xa8\x4d\x0c"
CLIENT_MAC = b"\2\0\xc0\xa8\x4d\x64"
FAMILIES = [
    {"pod": "10.244.1.2", "vip": "10.96.0.10", "far": "10.244.2.2", "bridge": "10.244.1.1",
     "vtep": "10.244.1.0", "node": "192.168.77.11", "node_far": "192.168.77.12",
     "client": "192.168.77.100", "flannel": FLANNEL},
    {"pod": "fd00:10:244:1::2", "vip": "fd00:10:96::10", "far": "fd00:10:244:2::2",
     "bridge": "fd00:10:244:1::1", "vtep": "fd00:10:244:1::", "node": "fd77::11",
     "node_far": "fd77::12", "client": "fd77::100", "flannel": FLANNEL6},
]
MSS = 1300
UDP, TCP = 17, 6

out = sys.stdout.buffer
now = 1700000000 * 10**6
ident = 0


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def option(code, data):
    return struct.pack("<HH", code, len(data)) + data + bytes(-len(data) % 4)


def show(hop, frame):
    """One frame, 5 us behind the one before."""
    global now
    now += 5
    out.write(block(6, struct.pack("<IIIII", hop, now >> 32, now & 0xffffffff, len(frame),
                                   len(frame)) + frame))


def ip(src, dst, proto, ttl, number, body):
    s, d = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if s.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), proto, ttl) + s.packed + d.packed + body
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number & 0xffff, 0x4000, ttl, proto,
                       0) + s.packed + d.packed + body


def ethernet(to, of, packet):
    return to + of + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0") + packet


def vxlan(a, inner, leaves):
    global ident
    ident += 1
    body = struct.pack("!HHHHII", 40000, 8472, 16 + len(inner), 0xabcd, 0x08000000, 1 << 8) + inner
    ends = (a["node"], a["node_far"]) if leaves else (a["node_far"], a["node"])
    macs = (FAR_MAC, NODE_MAC) if leaves else (NODE_MAC, FAR_MAC)
    return ethernet(*macs, ip(*ends, UDP, 64, ident, body))


class Datagram:
    """UDP with a number; the same bytes under other addresses at each hop."""

    def __init__(self, number, size):
        self.number = number
        self.payload = struct.pack("!Q", number) + bytes(i * 7 + number & 255 for i in range(size))

    def packets(self, src, sport, dst, dport, ttl, _):
        head = struct.pack("!HHHH", sport, dport, 8 + len(self.payload), 0)
        return [ip(src, dst, UDP, ttl, self.number, head + self.payload)]


class Segments:
    """TCP data from a stream's offset on; cut where the hop shows segments."""

    def __init__(self, tag, seq, offset, size):
        self.seq, self.number = seq + offset, offset // MSS + 1
        self.payload = b"".join(struct.pack("!Q", tag << 48 | offset + i)
                                for i in range(0, size, 8))

    def packets(self, src, sport, dst, dport, ttl, cut):
        result, step = [], MSS if cut else len(self.payload)
        for at in range(0, len(self.payload), step):
            last = at + step >= len(self.payload)
            head = struct.pack("!HHIIHHHH", sport, dport, self.seq + at, 1, 0x5018 if last else 0x5010,
                               500, 0, 0)
            result.append(ip(src, dst, TCP, ttl, self.number + at // MSS,
                             head + self.payload[at:at + step]))
        return result


def pass_hops(a, what, ends):
    """ends: (hop, destination MAC, source MAC, TTL, src, sport, dst, dport) at each."""
    for hop, to, of, ttl, *tuple_ in ends:
        wire = to is None
        for packet in what.packets(*tuple_, ttl, wire):
            if wire:
                leaves = of == VTEP
                frame = ethernet(*((VTEP_FAR, VTEP) if leaves else (VTEP, VTEP_FAR)), packet)
                show(hop, vxlan(a, frame, leaves))
            else:
                show(hop, ethernet(to, of, packet))


def out_through_service(a, sport, what):
    sent, real = (a["pod"], sport, a["vip"], 80), (a["pod"], sport, a["far"], 8080)
    pass_hops(a, what, [(VETH, BRIDGE_MAC, POD_MAC, 64, *sent), (CNI0, BRIDGE_MAC, POD_MAC, 64, *sent),
                     (a["flannel"], VTEP_FAR, VTEP, 63, *real), (ETH0, None, VTEP, 63, *real)])


def back_through_service(a, sport, what):
    real, seen = (a["far"], 8080, a["pod"], sport), (a["vip"], 80, a["pod"], sport)
    pass_hops(a, what, [(ETH0, None, VTEP_FAR, 63, *real), (a["flannel"], VTEP, VTEP_FAR, 63, *real),
                     (CNI0, POD_MAC, BRIDGE_MAC, 62, *seen), (VETH, POD_MAC, BRIDGE_MAC, 62, *seen)])


def hairpin(a, sport, request, answer):
    sent, real = (a["pod"], sport, a["vip"], 80), (a["bridge"], 61000, a["pod"], 8080)
    pass_hops(a, request, [(VETH, BRIDGE_MAC, POD_MAC, 64, *sent), (CNI0, BRIDGE_MAC, POD_MAC, 64, *sent),
                        (CNI0, POD_MAC, BRIDGE_MAC, 63, *real), (VETH, POD_MAC, BRIDGE_MAC, 63, *real)])
    sent, seen = (a["pod"], 8080, a["bridge"], 61000), (a["vip"], 80, a["pod"], sport)
    pass_hops(a, answer, [(VETH, BRIDGE_MAC, POD_MAC, 64, *sent), (CNI0, BRIDGE_MAC, POD_MAC, 64, *sent),
                       (CNI0, POD_MAC, BRIDGE_MAC, 63, *seen), (VETH, POD_MAC, BRIDGE_MAC, 63, *seen)])


def between(a, direct, request, answer):
    own = a["node"] if direct else a["vtep"]
    sent, real = (a["client"], 5000, a["node"], 30080), (own, 62000, a["far"], 8080)
    tunnel = [(a["flannel"], VTEP_FAR, VTEP, 63, *real), (ETH0, None, VTEP, 63, *real)]
    plain = [(ETH0, FAR_MAC, NODE_MAC, 63, *real)]
    pass_hops(a, request, [(ETH0, NODE_MAC, CLIENT_MAC, 64, *sent)] + (plain if direct else tunnel))
    sent, seen = (a["far"], 8080, own, 62000), (a["node"], 30080, a["client"], 5000)
    tunnel = [(ETH0, None, VTEP_FAR, 63, *sent), (a["flannel"], VTEP, VTEP_FAR, 63, *sent)]
    plain = [(ETH0, NODE_MAC, FAR_MAC, 63, *sent)]
    pass_hops(a, answer, (plain if direct else tunnel) + [(ETH0, CLIENT_MAC, NODE_MAC, 62, *seen)])


def main():
    reply, number, direct = 1 << 63, 0, sys.argv[1:] == ["direct"]
    out.write(block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)))
    for name in NAMES:
        out.write(block(1, struct.pack("<HHI", 1, 0, 262144) + option(2, name.encode()) + bytes(4)))
    for family, a in enumerate(FAMILIES):
        for k in range(0 if direct else 8):
            number += 1
            out_through_service(a, 40000, Datagram(number, 50 + 100 * k))
            back_through_service(a, 40000, Datagram(reply | number, 50 + 100 * k))
            tag, size = family * 2 + 1, 2 * MSS
            out_through_service(a, 41000, Segments(tag, 1000, k * size, size))
            back_through_service(a, 41000, Segments(tag + 1, 9000, k * size, size))
        for k in range(4):
            number += 1
            if not direct:
                hairpin(a, 42000, Datagram(number, 60 + k), Datagram(reply | number, 60 + k))
            number += 1
            between(a, direct, Datagram(number, 60 + k), Datagram(reply | number, 60 + k))


main()
