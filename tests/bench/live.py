# SPDX-License-Identifier: BSD-3-Clause
"""live.py - podhop capture beside tcpdump and dumpcap in a lab of its own (root)."""
import glob
import json
import os
import re
import subprocess
import sys
import time

import offline
from command import ENV, OUT, PODHOP, ROOT, BUILD, Command, run
from draw import table
from turns import in_turn, note

LAB = os.path.join(ROOT, "samples/lab/lab")
UDPGEN = os.path.join(BUILD, "tools/udpgen")
N_HOPS = 4
RING_KIB = 16384     # -B of tcpdump and podhop
SNAP_LENGTH = "128"
DRAINED_S = 1.2      # tcpdump is given a block that is not full after a second
START_RUNS = 20
MEMORY_RUNS = 3

MAIN = "64-byte frames, 1 flow"  # what the targets are about
MANY = "64-byte frames, 10,000 flows"
CASES = {MAIN: ("-s 22", 400000),
         "64-byte frames, 100 flows": ("-s 22 -f 100", 400000),
         MANY: ("-s 22 -f 10000", 400000),
         "512-byte frames": ("-s 470", 300000),
         "1400-byte frames": ("-s 1358", 200000),
         "super-frames of 40 datagrams": ("-s 1200 -G 40", 400000)}
RATES = [50000, 100000, 150000, 200000, 250000, 300000]

BASE, TERSE, DEFAULT = "4 x tcpdump", "podhop --terse", "podhop"
RAISED, DUMPCAP, NOTHING = "dumpcap, limits raised", "dumpcap", "nothing"
KINDS = [NOTHING, BASE, TERSE, DEFAULT, RAISED, DUMPCAP]
# Of all rings of a recorder; they are mapped, so its resident set has them too.
RINGS_MIB = {NOTHING: 0, RAISED: N_HOPS * 64, DUMPCAP: N_HOPS * 2}


class Lab:
    def __init__(self, options=(), apart=False):
        self.options = list(options)
        self.apart = apart

    def __enter__(self):
        subprocess.run([LAB, "up", "-q"] + self.options, env=ENV, check=True)
        text = subprocess.run([LAB, "env"], env=ENV, check=True, capture_output=True, text=True)
        self.vars = dict(line.split("=", 1) for line in text.stdout.split("\n") if "=" in line)
        self.vars = {k: v.strip("'") for k, v in self.vars.items()}
        return self

    def __exit__(self, *_):
        subprocess.run([LAB, "down", "-q"], env=ENV, check=False)

    def inside(self, where):
        return ["ip", "netns", "exec", self.vars[where]]

    def on_cpus(self, sends):
        """The sender on the first CPU, recorders on all others; else the scheduler's choice."""
        cpus = sorted(os.sched_getaffinity(0))
        return ["taskset", "-c", ",".join(str(c) for c in (cpus[:1] if sends else cpus[1:]))] \
            if self.apart else []

    def devices(self):
        return [self.vars["POD_CLIENT_VETH"], "cni0", "flannel.1", "eth0"]


def recorders(lab, kind):
    """Command lines, and what each says on stderr once it captures."""
    d = lab.devices()
    if kind == BASE:
        return [(["tcpdump", "-p", "-i", i, "-s", SNAP_LENGTH, "-B", str(RING_KIB), "-Z", "root",
                  "-w", "%s/%s.pcap" % (OUT, i)], "listening on") for i in d]
    if kind in (RAISED, DUMPCAP):
        limits = ["-B", "64", "-C", "500000000", "-N", "1000000"] if kind == RAISED else []
        return [(["dumpcap", "-q", "-p", "-s", SNAP_LENGTH] + limits +
                 [x for i in d for x in ("-i", i)] + ["-w", OUT + "/dumpcap.pcapng"], "File:")]
    if kind in (TERSE, DEFAULT):
        return [([PODHOP, "capture", "client", "--host-root", lab.vars["NODE1_ROOT"], "-s",
                  SNAP_LENGTH, "-B", str(RING_KIB), "-w", OUT + "/podhop.pcapng", "--json"] +
                 (["--terse"] if kind == TERSE else []), "capturing on")]
    return []


def counted(kind, out, err):
    """Frames that a recorder says it recorded, and that it says were dropped."""
    if kind in (TERSE, DEFAULT):
        hops = json.loads(out)["capture"]["interfaces"]
        return (sum(i["observations"] for i in hops),
                sum(i[k] or 0 for i in hops for k in ("dropped_kernel", "dropped_podhop")))
    if kind in (RAISED, DUMPCAP):
        pairs = re.findall(r"'[^']*': (\d+)/(\d+)", err)
        return sum(int(kept) for kept, _ in pairs), sum(int(lost) for _, lost in pairs)
    return (sum(map(int, re.findall(r"(\d+) packets? captured", err))),
            sum(map(int, re.findall(r"(\d+) packets? dropped by kernel", err))))


def start_recorder(lab, i, command, ready):
    log = open("%s/err.%d" % (OUT, i), "w+", encoding="utf-8")
    c = Command(lab.inside("NODE1_NS") + lab.on_cpus(False) + command, stdout=subprocess.PIPE, stderr=log, text=True)
    while True:
        ended = c.ended()
        with open(log.name, encoding="utf-8") as f:
            said = f.read()
        if ready in said:
            return c, log
        if ended:
            sys.exit("bench: failed: %s" % said)
        time.sleep(0.02)


def one(lab, kind, options, count):
    """Sends count datagrams while kind records: its CPU time, memory, losses; the sender's rate."""
    running = [start_recorder(lab, i, *r) for i, r in enumerate(recorders(lab, kind))]
    gen = lab.inside("POD_CLIENT_NS") + lab.on_cpus(True) + [UDPGEN, "-n", str(count), "-p", "9999"] + options.split()
    sender = json.loads(subprocess.run(gen + [lab.vars["POD_API_IP"]], check=True,
                                       capture_output=True).stdout)
    time.sleep(DRAINED_S)
    row = {"cpu_s": 0.0, "user_s": 0.0, "rss_mib": 0.0, "lost": 0,
           "sender_per_s": sender["per_second"]}
    recorded = dropped = 0
    for c, log in running:
        c.interrupt()
        out = c.process.stdout.read()
        cost = c.cost()
        log.seek(0)
        kept, lost = counted(kind, out, log.read())
        log.close()
        recorded, dropped = recorded + kept, dropped + lost
        for key in ("cpu_s", "user_s", "rss_mib"):
            row[key] += cost[key]
    if running:
        row["own_mib"] = row["rss_mib"] - RINGS_MIB.get(kind, N_HOPS * RING_KIB / 1024)
        # How many frames a hop shows of super-frames is the kernel's business.
        missing = 0 if "-G" in options else N_HOPS * sender["sent"] - recorded
        row["lost"] = max(dropped, missing)
    return row


def tidy():
    """No recorder pays for emptying the file of another."""
    for old in glob.glob(OUT + "/*.pcap") + glob.glob(OUT + "/*.pcapng"):
        os.unlink(old)


def case(watch, lab, n, label, kinds):
    options, count = CASES[label]
    rows = in_turn(watch, n, {k: lambda k=k: one(lab, k, options, count) for k in kinds}, tidy,
                   BASE)
    tidy()
    for r in rows.values():
        r["lossless_runs"] = sum(not row["lost"] for row in r["rows"])
    table("live, " + label, rows, BASE)
    return rows


def loss_curve(watch, lab, n):
    curve = []
    for rate in RATES:
        rows = in_turn(watch, n, {k: lambda k=k: one(lab, k, "-s 22 -r %d" % rate, rate)
                                  for k in KINDS[1:]}, tidy)
        curve.append({"rate": rate, "lost_share": {k: r["lost"] / (N_HOPS * rate)
                                                   for k, r in rows.items()},
                      "disturbed": {k: r["disturbed"] for k, r in rows.items()}})
        print("loss at %7d/s: " % rate + ", ".join(
            "%s %.2f %%%s" % (k, 100 * v, note(rows[k]))
            for k, v in curve[-1]["lost_share"].items()), flush=True)
    tidy()
    return curve


def live(watch, n):
    with Lab() as lab:
        result = {label: case(watch, lab, n, label, KINDS) for label in CASES}
        result["loss_curve"] = loss_curve(watch, lab, n)
    return result


def live_targets(watch, n):
    """What the targets are about; of many flows it is podhop's memory alone."""
    with Lab() as lab:
        return {MAIN: case(watch, lab, n, MAIN, KINDS),
                MANY: case(watch, lab, min(n, MEMORY_RUNS), MANY, [DEFAULT])}


def apart(watch, n):
    """
    The CPU that a sender keeps busy handles its packets' interrupts, too, and who runs there
    pays for them: where the scheduler chooses, twice the time in one run of four.
    """
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: apart: needs two CPUs")
    with Lab(apart=True) as lab:
        return {MAIN: case(watch, lab, n, MAIN, [BASE, TERSE, DEFAULT])}


def captured(watch, n):
    """What others and podhop itself wrote of live traffic: in whose order frames then stand."""
    result = {}
    with Lab() as lab:
        for kind, name in {RAISED: "dumpcap", DEFAULT: "podhop"}.items():
            tidy()
            one(lab, kind, "-s 64", 400000)
            label = "1.6 million frames as %s wrote them" % name
            result[name] = offline.on_file(watch, n, label, "%s/%s.pcapng" % (OUT, name),
                                           tshark=name == "dumpcap")
    tidy()
    return result


# What libpcap asks the kernel for: TPACKET_V3, blocks of 256 KiB, 16 MiB (-B's default) a device.
RINGS = """
import mmap, socket, struct, sys, time
begin, cpu = time.monotonic(), time.process_time()
keep = []
for _ in range(int(sys.argv[1])):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(263, 10, 2)  # SOL_PACKET, PACKET_VERSION, TPACKET_V3
    s.setsockopt(263, 5, struct.pack("7I", 1 << 18, 64, 1 << 18, 64, 0, 0, 0))  # PACKET_RX_RING
    keep.append((s, mmap.mmap(s.fileno(), 1 << 24)))
print(time.monotonic() - begin, time.process_time() - cpu)
"""
WHOLE, RINGS_SET_UP = "capture, to its first frame", "of it the kernel's rings"


def start_capture(command):
    begin = time.monotonic()
    c = Command(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for line in c.process.stderr:
        if b"capturing on" in line:
            break
    wall = time.monotonic() - begin
    c.interrupt()
    c.process.stderr.read()
    c.process.stderr.close()
    return dict(c.cost(), wall_s=wall)


def set_up_rings(inside):
    text = subprocess.run(inside + ["python3", "-c", RINGS, str(N_HOPS)], env=ENV, check=True,
                          capture_output=True, text=True).stdout
    wall, cpu = map(float, text.split())
    return {"cpu_s": cpu, "rss_mib": 0.0, "wall_s": wall}


def start(watch, n):
    """What a user, a shell's <Tab> and Wireshark wait for on a node with 100 pods."""
    pods = [x for i in range(98) for x in ("--pod", "node1:shop/web-%d" % i)]
    with Lab(pods) as lab:
        inside = lab.inside("NODE1_NS")
        root = ["--host-root", lab.vars["NODE1_ROOT"]]
        # `true` is what starting any program in the namespace costs here.
        commands = {"true": ["true"],
                    "list": [PODHOP, "list", "-q"] + root,
                    "resolve": [PODHOP, "resolve", "shop/web-50", "--json"] + root,
                    "extcap list": [PODHOP, "--extcap-interfaces"] + root,
                    "extcap options": [PODHOP, "--extcap-config", "--extcap-interface",
                                       "podhop-shop-web-50"],
                    "help capture": [PODHOP, "help", "capture"]}
        what = {name: lambda c=c: run(inside + c) for name, c in commands.items()}
        what[WHOLE] = lambda: start_capture(inside + [PODHOP, "capture", "shop/web-50"] + root)
        what[RINGS_SET_UP] = lambda: set_up_rings(inside)
        result = in_turn(watch, max(n, START_RUNS), what)
    print("\nstart: 100 pods, medians of %d\n  %-28s %8s %8s" % (
        result[WHOLE]["runs"], "", "ms", "CPU ms"))
    for name, r in result.items():
        print("  %-28s %8.1f %8.1f%s" % (name, 1000 * r["wall_s"], 1000 * r["cpu_s"],
                                         note(r)), flush=True)
    return result
