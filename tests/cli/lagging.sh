#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# lagging.sh - files in which the frames of one interface come seconds before those of the next (TAP).
#
# So write a dumpcap that was stopped or waited for its disk, and `mergecap -a`. What report and verify say
# of such a file is compared with what they say of the same frames in the order in which they were captured.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${PYTHON:-/usr/bin/python3}
exec "$PYTHON" - "${PODHOP:-$root/build/podhop}" "$root/tests/lib" <<'PY'
import gzip, json, os, subprocess, sys

podhop = sys.argv[1]
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[2])
import tap
from made import A, B, DEVICE, FOLDER, MS, S, T0, US, datagram, dumpcap, file, in_vxlan

HOPS = "veth", "bridge", "vtep", "underlay"
NODES = {A: "192.168.77.11", B: "192.168.77.12"}
WHO = {"report": ["--pod", A], "verify": ["--pod", "a=" + A, "--pod", "b=" + B]}
ROLES = [x for hop in HOPS for x in ("--hops", "%s=%s" % (hop, DEVICE[hop]))]


def carried(src, dst, frame, comes):
    """In VXLAN, on its way from this node or, between the same two devices, to it."""
    outer = in_vxlan(NODES[src], NODES[dst], frame)
    return outer[6:12] + outer[:6] + outer[12:] if comes else outer


def story(n=300, pod=A, every=40 * MS, lost=()):
    """As node of pod's hops show n datagrams to and fro. Those lost are not seen behind its bridge."""
    peer, frames = B if pod == A else A, []
    for i in range(n):
        src, dst = (A, B) if i % 2 == 0 else (B, A)
        time = T0 + i * every + (0 if src == pod else 300 * US)
        for k, hop in enumerate(HOPS if src == pod else reversed(HOPS)):
            if i in lost and k > 1:
                continue
            ttl = (63 if dst == pod else 64) - (k > 1)
            data = datagram(src, dst, b"number %08d" % i, i + 1, ttl, dst == pod)
            if hop == "underlay":
                data = carried(src, dst, data, dst == pod)
            frames.append((time + 10 * US * k, hop, data, src == pod))
    return frames


def stepped(frames, when, by):
    """The clock was set back in front of frame `when`."""
    return frames[:when] + [(f[0] - by, *f[1:]) for f in frames[when:]]


def hop_by_hop(frames, first, last, order=HOPS):
    return frames[:first] + [f for hop in order for f in frames[first:last] if f[1] == hop] + frames[last:]


def run(command, args, stdin=None, roles=ROLES):
    p = subprocess.run([podhop, command] + WHO[command] + roles + args, capture_output=True, timeout=120, stdin=stdin)
    return p.returncode, p.stdout, p.stderr


def told(code, out, err):
    """All that is said, but for what it cost and where in which file frames are."""
    lines = []
    for j in map(json.loads, [out] if out.startswith(b"{\n") else out.splitlines()):
        j.pop("inputs", None)
        for part in j, j.get("capture", {}):
            for cost in "cpu_ns", "max_rss_bytes", "files":
                part.pop(cost, None)
        lines.append(j)
    return code, lines, err


def written(path):
    """Time, interface, id and bytes of a capture's frames, and whether they are in order."""
    fields = "frame.time_epoch", "frame.interface_id", "frame.packet_id", "frame.comment", "udp.payload"
    p = subprocess.run(["tshark", "-r", path, "-T", "fields"] + [x for f in fields for x in ("-e", f)],
                       capture_output=True, text=True, check=True, timeout=120)
    return p.stdout.splitlines()


def check(name, *problems):
    tap.ok(not any(problems), name, "\n".join(p[:2000] for p in problems if p))


def same(found, wanted):
    return "" if found == wanted else "found: %s\nwanted: %s" % (found, wanted)


def summary(args, roles=ROLES):
    code, lines, err = told(*run("report", ["-q", "--json"] + args, roles=roles))
    return code, json.dumps(lines), err


def report_is_same(name, lagging, ordered, complete=None):
    """ordered, lagging: lists of files."""
    found, wanted = (summary(f) for f in (lagging, ordered))
    packets = json.loads(wanted[1])[0]["packets"]
    check(name + ": summary", same(found, wanted),
          complete is not None and same((packets["complete"], packets["incomplete"]), complete))
    lists = [told(*run("report", ["--format", "jsonl"] + f)) for f in (lagging, ordered)]
    check(name + ": a line a packet", same(*lists))
    out = [os.path.join(FOLDER.name, n) for n in ("out-lagging.pcapng", "out-ordered.pcapng")]
    texts = [run("report", ["-q", "-w", o] + f)[0] for o, f in zip(out, (lagging, ordered))]
    check(name + ": -w", same(*texts), same(*(written(o) for o in out)))


whole = story()
ordered = file("ordered.pcapng", dumpcap(whole, 0, HOPS, as_listed=True))
mid = hop_by_hop(whole, 300, 900)
lagging = file("lagging.pcapng", dumpcap(mid, 0, HOPS, as_listed=True))
report_is_same("six seconds of each hop in turn", [lagging], [ordered], (300, 0))
times = [float(line.split("\t")[0]) for line in written(os.path.join(FOLDER.name, "out-lagging.pcapng"))]
check("what was written is in order of time", same(times, sorted(times)), same(len(times), 1200))
packed = file("lagging.pcapng.gz", gzip.compress(dumpcap(mid, 0, HOPS, as_listed=True)))
report_is_same("the same, packed", [packed], [ordered])
every = dumpcap(hop_by_hop(whole, 0, len(whole), HOPS[::-1]), 0, HOPS, as_listed=True)
report_is_same("each hop's frames in one piece", [file("every.pcapng", every)], [ordered])
sections = b"".join(dumpcap([f for f in whole if f[1] == hop], 0, [hop]) for hop in HOPS)
report_is_same("sections of one hop each", [file("sections.pcapng", sections)], [ordered])
parts = [file("ring%d.pcapng" % i, dumpcap(f, 0, HOPS, as_listed=True)) for i, f in enumerate((mid[:620], mid[620:]))]
report_is_same("a ring's files", parts, [ordered])

# More frames of the first hop than a sample has, in a file that no capture ended: mergecap -a.
lldp = b"\x01\x80\xc2\0\0\x0e\x02\0\0\0\0\2\x88\xcc" + b"\0" * 46
many = sorted(whole + [(T0 + i * 60 * US, "veth", lldp, True) for i in range(200500)])
files = [file(n, dumpcap(f, None, HOPS, as_listed=True)) for n, f in (
    ("merged.pcapng", hop_by_hop(many, 0, len(many))), ("many.pcapng", many))]
check("more of the first hop than a sample has", same(*(summary([f], ["--hops", "bridge=cni0"]) for f in files)))

lossy = story(lost={70, 71, 200})
report_is_same("with losses", *([file(n, dumpcap(f, 0, HOPS, as_listed=True))] for n, f in (
    ("lossy-lagging.pcapng", hop_by_hop(lossy, 200, 700)), ("lossy.pcapng", lossy))), (297, 3))

for name, when in ("before them", 200), ("among them", 500), ("behind them", 1000):
    back = stepped(whole, when, 40 * S)
    files = [[file("%s%d.pcapng" % (n, when), dumpcap(f, 0, HOPS, as_listed=True))]
             for n, f in (("back-lagging", hop_by_hop(back, 300, 900)), ("back", back))]
    report_is_same("the clock is set back " + name, *files, (300, 0))
for when, by in (500, -40 * S), (500, 300 * MS):
    moved = stepped(whole, when, by)
    # A small step back breaks the order of each hop's own frames: those are late, as they are in an ordered file.
    found, wanted = (json.loads(summary([file("moved-%s.pcapng" % n, dumpcap(f, 0, HOPS, as_listed=True))])[1])[0]
                     for n, f in (("lagging", hop_by_hop(moved, 300, 900)), ("ordered", moved)))
    check("the clock is set by %g s" % (-by / S), same(found["packets"], wanted["packets"]),
          same(found["losses"], wanted["losses"]))

def called_lost(j):
    return sum(p["packets"] for p in j["losses"] if p["verdict"] == "lost")


# What cannot be read twice, or told from a step of the clock, is at least not called lost.
with open(lagging, "rb") as f:
    cat = subprocess.Popen(["cat"], stdin=f, stdout=subprocess.PIPE)
    code, out, err = run("report", ["-q", "--json", "-"], cat.stdout)
    j = json.loads(out)
    check("six seconds of each hop, through a pipe", same((code, called_lost(j)), (0, 0)),
          same(j["packets"]["incomplete"] > 0, True))
back = [f for i, f in enumerate(stepped(whole, 600, 20 * S)) if f[1] != "bridge" or i >= 640]
silent = file("silent.pcapng", dumpcap(hop_by_hop(back, 300, 700), 0, HOPS, as_listed=True))
code, out, err = run("report", ["-q", "--json", silent])
check("a hop that is silent around a step of the clock", same((code, called_lost(json.loads(out))), (0, 0)))

two = [story(pod=A), story(pod=B)]
nodes = {n: [name + "=" + file("%s-%s.pcapng" % (name, n), dumpcap(
    hop_by_hop(f, 300, 900) if n == "lagging" else f, 0, HOPS, as_listed=True)) for name, f in zip("ab", two)]
    for n in ("ordered", "lagging")}
wanted = told(*run("verify", ["-q", "--json"] + nodes["ordered"]))
check("verify: all is delivered", same((wanted[0], wanted[1][0]["verdict"]), (0, "delivered")))
for name, files in ("both nodes lag", nodes["lagging"]), ("one lags", [nodes["lagging"][0], nodes["ordered"][1]]):
    check("verify: " + name, same(told(*run("verify", ["-q", "--json"] + files)), wanted))
with open(nodes["lagging"][0].split("=")[1], "rb") as f:
    cat = subprocess.Popen(["cat"], stdin=f, stdout=subprocess.PIPE)
    code, out, err = run("verify", ["-q", "--json", "a=-", nodes["ordered"][1]], cat.stdout)
check("verify: one lags, through a pipe", same(json.loads(out)["verdict"] == "lost", False))
tap.done_testing()
PY
