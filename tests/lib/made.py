# SPDX-License-Identifier: BSD-3-Clause
"""Captures that tests make, byte by byte: as podhop, tcpdump and dumpcap write them."""
import os, struct, tempfile

US, MS, S = 10**3, 10**6, 10**9
T0 = 1700000000 * S
A, B = "10.244.1.2", "10.244.2.2"
FOLDER = tempfile.TemporaryDirectory()  # gone with the test
DEVICE = {"veth": "veth0", "bridge": "cni0", "vtep": "flannel.1", "underlay": "eth0"}


def file(name, data):
    path = os.path.join(FOLDER.name, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def datagram(src, dst, payload, ip_id, ttl, into_pod, port=7001):
    """A UDP datagram as a veth shows it; its checksum is left to the hardware."""
    src, dst = (bytes(map(int, a.split("."))) for a in (src, dst))
    udp = struct.pack(">HHHH", 7000, port, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), ip_id, 0x4000, ttl, 17, 0, src, dst)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    pod, gateway = b"\x02\0\0\0\0\1", b"\x02\0\0\0\0\2"
    return (pod + gateway if into_pod else gateway + pod) + b"\x08\0" + ip + udp


def echo(src, dst, seq, ip_id, ttl, into_pod, kind=8):
    """An ICMP echo request (0: its answer) as a veth shows it."""
    frame = datagram(src, dst, b"", ip_id, ttl, into_pod)[:34]
    icmp = struct.pack(">BBHHH", kind, 0, 0, 7, seq) + b"0123456789abcdef"
    icmp = icmp[:2] + struct.pack(">H", checksum(icmp)) + icmp[4:]
    ip = frame[14:16] + struct.pack(">H", 20 + len(icmp)) + frame[18:23] + b"\x01\0\0" + frame[26:]
    return frame[:14] + ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + icmp


def in_vxlan(src, dst, inner):
    """The datagram that carries a frame between two nodes, as flannel sends it."""
    src, dst = (bytes(map(int, a.split("."))) for a in (src, dst))
    udp = struct.pack(">HHHH", 50000, 8472, 16 + len(inner), 0) + b"\x08\0\0\0\0\0\1\0" + inner
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, src, dst)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return b"\x02\0\0\0\1\2\x02\0\0\0\1\1\x08\0" + ip + udp


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


def pcapng(node, pod, frames, roles, kept=""):
    """As podhop writes it. Frames: (time, role, bytes, into the device?)."""
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option(
        1, ("podhop node=%s pods=default/%s:%s filter=%s" % (node, node, pod, kept)).encode()))
    for role in roles:
        vxlan = " vni=1 port=8472" if role in ("vtep", "underlay") else ""
        out += block(1, struct.pack("<HHI", 1, 0, 262144) + option(2, DEVICE[role].encode()) + option(
            3, ("podhop role=%s node=%s%s" % (role, node, vxlan)).encode()) + option(9, b"\x09"))
    for time, role, data, into in sorted(frames, key=lambda f: f[0]):
        out += block(6, struct.pack("<IIIII", roles.index(role), time >> 32, time & 0xffffffff, len(data),
                                    len(data)) + data + b"\0" * (-len(data) % 4) +
                     option(2, struct.pack("<I", 1 if into else 2)))
    return out


def pcap(frames):
    """As tcpdump writes it: of one device, whose name it does not say."""
    out = struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1)
    for time, _, data, _ in sorted(frames, key=lambda f: f[0]):
        out += struct.pack("<IIII", time // S, time % S, len(data), len(data)) + data
    return out


def dumpcap(frames, dropped=None, roles=("veth",), filters={}, address=None, as_listed=False):
    """As dumpcap writes it: the filter (-f) of each device, at the end how many frames were dropped.

    A filter that is no text is a program of instructions. address: of the bridge, with its prefix's length.
    as_listed: the frames are written in the order in which they are given."""
    out = bytearray(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    for role in roles:
        kept = filters.get(role)
        out += block(1, struct.pack("<HHI", 1, 0, 262144) + option(2, DEVICE[role].encode()) + option(9, b"\x09") +
                     (option(11, b"\0" + kept.encode() if isinstance(kept, str) else b"\1" + kept) if kept else b"") +
                     (option(4, address) if address and role == "bridge" else b""))
    for time, role, data, _ in frames if as_listed else sorted(frames, key=lambda f: f[0]):
        out += block(6, struct.pack("<IIIII", roles.index(role), time >> 32, time & 0xffffffff, len(data),
                                    len(data)) + data)
    for i, role in enumerate(roles if dropped is not None else ()):
        out += block(5, struct.pack("<III", i, 0, 0) + option(5, struct.pack("<Q", dropped)))
    return out
