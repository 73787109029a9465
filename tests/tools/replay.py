#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""replay - a capture of podhop's, reported as it would be had the capture been less lucky.

usage: replay.py PODHOP FILE SCRATCH

FILE, whose ids are right, is reported as it is: that is the truth. Then
  shuffled   its frames in any order within 200 ms, by a fixed seed (and in a file that
             does not say it is podhop's, which are believed to be in order): the report and
             every packet with its observations are the same.
  removed    without 1, 10 and 50 % of the frames of each hop in turn, at random: no two frames
             are of one packet that were not; every packet that lost frames is incomplete, and
             said to be missing where they were removed; nobody else is.
Of packets that look alike nobody can say which one lost a frame (equal datagrams without an id;
bytes of a TCP stream that were sent again at once over IPv6): they are ambiguous, and counted. A
packet that began within the window of the file's ends is an edge; one of whose flow nothing is
left at that hop is alone: nothing tells that it should have been there.

Prints a line for each way, "NAME key=value...", and what is wrong in lines that begin with #.
Little endian, one section, nanoseconds, as podhop writes them. Exit status: 0 all as it should
be, 1 something is not, 2 not to be replayed.
"""
import json
import os
import random
import re
import struct
import subprocess
import sys

SHB, IDB, EPB = 0x0A0D0D0A, 1, 6
IF_NAME, IF_DESCRIPTION, OPT_COMMENT, EPB_PACKETID = 2, 3, 1, 5
SHUFFLE_NS = 200_000_000
WINDOW_MS = 100  # the rows are short; what takes longer is none of theirs
PERCENTS = (1, 10, 50)
SHOW = 3  # of each kind of fault


def options(block, at):
    """(code, value) of the options that begin there."""
    while at + 4 <= len(block) - 4:
        code, length = struct.unpack_from("<HH", block, at)
        if code == 0:
            return
        yield code, block[at + 4 : at + 4 + length]
        at += 4 + (length + 3 & ~3)


def is_multicast(address):
    """Its copies come back to who sent it: nobody waits for them."""
    return address.startswith("ff") or re.match(r"2(2[4-9]|3\d)\.", address) is not None


class Capture:
    """A pcapng's blocks: head, frames, tail; of each frame interface, time and packet id."""

    def __init__(self, path):
        self.head, self.frames, self.tail = [], [], []
        self.interface, self.time, self.id = [], [], []
        self.names, self.roles, self.pods = [], [], []
        with open(path, "rb") as f:
            data = memoryview(f.read())
        at = 0
        while at + 12 <= len(data):
            kind, length = struct.unpack_from("<II", data, at)
            block = data[at : at + length]
            at += length
            if kind == EPB:
                self.frame(block)
                continue
            (self.tail if self.frames else self.head).append(bytes(block))
            if kind == IDB:
                named = dict(options(block, 16))
                self.names.append(bytes(named[IF_NAME]).decode())
                says = re.search(r"role=(\w+)", bytes(named[IF_DESCRIPTION]).decode())
                self.roles.append(says.group(1))
            elif kind == SHB:
                for code, value in options(block, 24):
                    says = re.search(r"pods=(\S+)", bytes(value).decode())
                    if code == OPT_COMMENT and says:
                        self.pods += re.findall(r":([0-9a-f.:]+?)(?=,|$)", says.group(1))

    def frame(self, block):
        interface, high, low, caplen = struct.unpack_from("<IIII", block, 8)
        packet = 0
        for code, value in options(block, 28 + (caplen + 3 & ~3)):
            if code == EPB_PACKETID:
                packet = struct.unpack("<Q", value)[0]
        self.frames.append(block)
        self.interface.append(interface)
        self.time.append(high << 32 | low)
        self.id.append(packet)

    def write(self, path, order, foreign=False):
        head = self.head
        if foreign:
            head = [block.replace(b"podhop ", b"replay ") for block in head]
        with open(path, "wb") as f:
            f.writelines(head)
            f.writelines(self.frames[i] for i in order)
            f.writelines(self.tail)


class Replay:
    def __init__(self, podhop, path, scratch):
        self.podhop, self.scratch = podhop, scratch
        self.failed = False
        report, packets = self.report(path, "base")
        self.base = Capture(self.file("base"))
        self.report0, self.packets0 = report, packets

    def file(self, name):
        return os.path.join(self.scratch, name + ".pcapng")

    def report(self, path, name, *more, write=True):
        command = [self.podhop, "report", path, "-q", "-T", "jsonl", "--window", str(WINDOW_MS)]
        command += (["-w", self.file(name)] if write else []) + list(more)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            print("#", done.stderr.decode().strip())
            sys.exit(2)
        lines = done.stdout.splitlines()
        packets = {}
        for line in lines[:-1]:
            p = json.loads(line)
            packets[p["packet_id"]] = p
        return json.loads(lines[-1]), packets

    def wrong(self, kind, text):
        self.failed = True
        self.faults[kind] = self.faults.get(kind, 0) + 1
        if self.faults[kind] <= SHOW:
            print("#", kind, text)

    # ---- in another order

    def told(self, order, name):
        """What is said of the frames in that order, in a form that knows neither file nor cost."""
        base = self.base
        words = [w for pod in base.pods for w in ("--pod", pod)]
        words += [w for k, n in enumerate(base.names) for w in ("--hops", f"{base.roles[k]}={n}")]
        base.write(self.file("in"), order, foreign=True)
        report, packets = self.report(self.file("in"), name, *words, write=False)
        for gone in ("cpu_ns", "max_rss_bytes"):
            del report["capture"][gone]
        report["inputs"] = None
        report["capture"]["interfaces"].sort(key=lambda i: i["name"])
        # Of two frames of one stamp at one hop nothing says which was first; nor then of their
        # packets, which has which number.
        for p in packets.values():
            del p["packet_id"]
            p["observations"].sort(key=lambda o: (o["time_ns"], json.dumps(o)))
        return report, sorted(json.dumps(p) for p in packets.values())

    def shuffled(self):
        self.faults = {}
        base, n = self.base, len(self.base.frames)
        rng = random.Random(1)
        at = [base.time[i] + rng.uniform(0, SHUFFLE_NS) for i in range(n)]
        order = sorted(range(n), key=lambda i: (at[i], i))
        one, two = self.told(range(n), "ordered"), self.told(order, "shuffled")
        for key in one[0]:
            if one[0][key] != two[0][key]:
                self.wrong("report", f"{key}: {json.dumps(one[0][key])[:400]}\n# "
                           f"{json.dumps(two[0][key])[:400]}")
        for p, q in zip(one[1], two[1]):
            if p != q:
                self.wrong("packet", f"{p}\n# {q}")
        if len(one[1]) != len(two[1]):
            self.wrong("packets", f"{len(one[1])} {len(two[1])}")
        moved = sum(i != k for i, k in enumerate(order))
        print(f"shuffled moved={moved} {'DIFFERS' if self.faults else 'same'}")

    # ---- without some

    def flow(self, packet):
        p = self.packets0[packet]
        return (p["direction"], p["protocol"], p["src"], p["sport"], p["dst"], p["dport"])

    def are_alike(self, packet, were):
        """Said to be ambiguous (or at the edge, which goes before), and equal as far as is told."""
        looks = {(self.flow(i), self.packets0[i]["length"]) for i in were & self.packets0.keys()}
        return (packet and packet["status"] in ("ambiguous", "edge") and
                (len(looks) == 1 or self.are_sent_again(were)))

    def are_sent_again(self, were):
        """The same bytes of a TCP stream in frames of different sizes, without an IP id."""
        said = [self.packets0[i] for i in sorted(were & self.packets0.keys())]
        flows = {self.flow(i) for i in were & self.packets0.keys()}
        return (len(said) == len(were) and len(flows) == 1 and said[0]["protocol"] == "tcp" and
                ":" in said[0]["src"] and any(p["retransmission"] for p in said[1:]))

    def evident(self, keep, hop):
        """Flows of which a packet is left that was seen at the hop: where they go is known."""
        ids = {self.base.id[i] for i in keep if self.base.interface[i] == hop}
        return {self.flow(i) for i in ids & self.packets0.keys()}

    def removed(self, hop, percent):
        self.faults = {}
        base = self.base
        rng = random.Random(percent)
        keep, gone = [], []
        for i, interface in enumerate(base.interface):
            out = interface == hop and rng.random() * 100 < percent
            (gone if out else keep).append(i)
        if not gone:
            return
        base.write(self.file("in"), keep)
        report, packets = self.report(self.file("in"), "less")
        less = Capture(self.file("less"))
        if len(less.frames) != len(keep) or less.time != [base.time[i] for i in keep]:
            self.wrong("frames", "others, or in another order")
            return
        evident = self.evident(keep, hop)
        of_base, of_less = {}, {}
        for k, i in enumerate(keep):
            of_less.setdefault(less.id[k], set()).add(base.id[i])
            of_base.setdefault(base.id[i], set()).add(less.id[k])
        wrong_pairs = ambiguous = 0
        for packet, were in of_less.items():
            if len(were) > 1:
                if self.are_alike(packets.get(packet), were):
                    continue
                wrong_pairs += 1
                self.wrong("merged", f"{packet} is {sorted(were)[:6]}, "
                           f"{packets.get(packet, {}).get('status')} {packets.get(packet, {}).get('path')}")
        count = dict.fromkeys(("named", "edge", "ambiguous", "alone", "elsewhere", "unnamed", "other"), 0)
        role = base.roles[hop]
        lost = {base.id[i] for i in gone if base.id[i]}
        touched = set()
        for packet in lost & of_base.keys():
            now = of_base[packet]
            touched |= now
            says = [packets[i] for i in now if i in packets]
            kinds = {p["status"] for p in says}
            where = {p["loss"]["next_expected"] for p in says if p["loss"]}
            # What br_netfilter sends from veth to veth shows at the bridge while the neighbour
            # is not cached: no hop that its path needs.
            passing = role == "bridge" and self.packets0[packet]["path"] == "veth>bridge>veth"
            if passing or all(p["direction"] == "other" or is_multicast(p["dst"]) for p in says):
                count["other"] += 1
            elif role in where:
                count["named"] += 1
            elif "edge" in kinds or "ambiguous" in kinds:
                count["edge" if "edge" in kinds else "ambiguous"] += 1
            elif not where and self.flow(packet) not in evident:
                count["alone"] += 1
            elif where:
                count["elsewhere"] += 1
                self.wrong("elsewhere", f"{packet} as {sorted(now)}: {where}, {says[0]['path']}")
            else:
                count["unnamed"] += 1
                self.wrong("unnamed", f"{packet} ({self.packets0[packet]['direction']} "
                           f"{self.packets0[packet]['path']}) as {sorted(now)}: "
                           f"{kinds} {[p['path'] for p in says]}")
        invented = 0
        for packet, p in packets.items():
            if packet in touched or p["status"] not in ("incomplete", "ambiguous"):
                continue
            were = of_less.get(packet, set())
            if all(self.packets0[b]["status"] == p["status"] for b in were if b in self.packets0):
                continue
            if p["status"] == "ambiguous":
                ambiguous += 1
                continue
            invented += 1
            self.wrong("invented", f"{packet} was {sorted(were)}: {p['path']} {p['loss']}")
        split = sum(len(now) > 1 for now in of_base.values())
        print(f"removed hop={base.names[hop]} role={role} percent={percent} frames={len(gone)} "
              f"merged={wrong_pairs} split={split} " + " ".join(f"{k}={v}" for k, v in count.items()) +
              f" invented={invented} alike={ambiguous} gone={len(lost - of_base.keys())}")

    def all(self):
        status = {}
        for p in self.packets0.values():
            status[p["status"]] = status.get(p["status"], 0) + 1
        print(f"base frames={len(self.base.frames)}", *(f"{k}={v}" for k, v in status.items()))
        self.shuffled()
        for hop in range(len(self.base.names)):
            for percent in PERCENTS:
                self.removed(hop, percent)
        return 1 if self.failed else 0


def main():
    podhop, path, scratch = sys.argv[1:]
    sys.exit(Replay(podhop, path, scratch).all())


main()
