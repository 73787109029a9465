#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# two-nodes.sh - captures of two nodes that are made here, through `podhop verify` (TAP).
#
# Datagrams go to and fro between two pods for 20 s. What the files leave out, or show alike, is what a
# case is about: verdict, exit status and every count are compared.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${PYTHON:-/usr/bin/python3}
exec env PYTHONPATH="$root/tests/lib" "$PYTHON" -B - "${PODHOP:-$root/build/podhop}" <<'PY'
import json, os, struct, subprocess, sys, threading

podhop = sys.argv[1]
from made import A, B, FOLDER, MS, S, T0, datagram, dumpcap, file, pcap, pcapng
from tap import done_testing, ok

COUNTS = "sent", "delivered", "lost", "altered", "duplicated", "reordered", "unknown", "out_of_scope"


def story(beat=0):
    """Ten a second each way; beat: also one that is always the same, each so many ms, both ways."""
    sent = [(T0 + i * 50 * MS, i % 2, b"number %08d" % i, 1 + i) for i in range(400)]
    if beat:
        sent += [(T0 + t * MS + (7 + 5 * way) * MS, way, b"up=1;host=%s;v=3" % (b"web", b"log")[way], 0)
                 for t in range(0, 20000, beat) for way in (0, 1)]
    a, b = [], []
    for time, way, payload, ip_id in sent:
        src, dst, out, come = (B, A, b, a) if way else (A, B, a, b)
        out.append((time, "veth", datagram(src, dst, payload, ip_id, 64, False), True))
        come.append((time + 100000, "veth", datagram(src, dst, payload, ip_id, 62, True), False))
    return a, b


def inwards(frames):
    return [f for f in frames if not f[3]]


def between(frames, first_ms, last_ms):
    return [f for f in frames if T0 + first_ms * MS <= f[0] < T0 + last_ms * MS]


def without(frames, ip_ids):
    return [f for f in frames if f[3] or struct.unpack(">H", f[2][18:20])[0] not in ip_ids]


def at_bridge(frames):
    """The same packets a little nearer the wire."""
    return [(t + 20000 if into else t - 20000, "bridge", data, not into) for t, _, data, into in frames]


def both(name, a, b, roles=("veth",)):
    return [file(name + "-a.pcapng", pcapng("a", A, a, roles)), file(name + "-b.pcapng", pcapng("b", B, b, roles))]


def run(args):
    p = subprocess.run([podhop, "verify", "-q", "--json"] + args, capture_output=True, text=True, timeout=60)
    return p.returncode, json.loads(p.stdout) if p.stdout else {"directions": [], "reasons": [p.stderr]}


def in_turn(first, second):
    """Through pipes: all of one file, and only then the other; the command line's order stays."""
    fifos = [os.path.join(FOLDER.name, "fifo%d" % i) for i in range(2)]
    for f in fifos:
        os.mkfifo(f)
    began = threading.Event()

    def feed():
        # Both are opened at once, as verify waits for both headers.
        with open(fifos[0], "wb") as one, open(fifos[1], "wb") as two:
            files = {first: one, second: two}
            for path, out in files.items():
                with open(path, "rb") as f:
                    files[path] = f.read()
                out.write(files[path][:2000])
                out.flush()
            for path, out in ((first, one), (second, two)):
                out.write(files[path][2000:])
                out.close()
        began.set()

    t = threading.Thread(target=feed)
    t.start()
    names = sorted(zip((first, second), fifos))
    result = run([n[1] for n in names])
    t.join()
    for f in fifos:
        os.unlink(f)
    return result


def check(name, result, status, verdict, there, back, *reasons):
    """there, back: counts of the directions a to b and b to a; those not named are 0."""
    code, j = result
    problems = []
    if (code, j.get("verdict")) != (status, verdict):
        problems.append("status %d, %s" % (code, j.get("verdict")))
    for d, want in zip(j["directions"], (there, back)):
        got = {k: d[k] for k in COUNTS if d[k]}
        if got != want:
            problems.append("%s to %s: %s, not %s" % (d["from"], d["to"], got, want))
        if len(d["lost_packets"]) != d["lost"]:
            problems.append("%d lost packets listed" % len(d["lost_packets"]))
    if any(str(c["drift_ppm"]) == "-0.0" for c in j["clocks"]):
        problems.append("a drift of minus nothing")
    for part in reasons:
        if not any(part in r for r in j["reasons"]):
            problems.append("no reason says: " + part)
    ok(not problems, name, "\n".join(problems + j["reasons"]))


def all_of(n, **other):
    return dict(sent=n, delivered=n, **other)


a, b = story()
check("all arrives", run(both("all", a, b)), 0, "delivered", all_of(200), all_of(200))

fa = file("hole-a.pcapng", pcapng("a", A, a, ("veth",)))
parts = [file("hole-b%d.pcapng" % i, pcapng("b", B, between(b, *t), ("veth",)))
         for i, t in enumerate([(0, 7000), (13000, 99999)])]
check("a hole between two files of b", run([fa] + parts), 0, "delivered",
      all_of(140, out_of_scope=60), all_of(140), "60 from a to b out of scope: due in a hole")
ring = [file("ring-b%d.pcap" % i, pcap(between(b, *t))) for i, t in enumerate([(0, 7000), (13000, 99999)])]
fa = file("ring-a.pcap", pcap(a))
foreign = ["--pod", "a=" + A, "--pod", "b=" + B] + [x for f in [fa] + ring for x in ("--hops", "veth=" + f)]
check("the same of tcpdump's files", run(foreign + ["a=" + fa] + ["b=" + f for f in ring]), 0, "delivered",
      all_of(140, out_of_scope=60), all_of(140), "60 from a to b out of scope: due in a hole")
check("a loss beside the hole", run(foreign + ["a=" + fa] + ["b=" + file("ring-b0.pcap", pcap(
    without(between(b, 0, 7000), {101}))), "b=" + ring[1]]), 3, "lost",
      dict(sent=140, delivered=139, lost=1, out_of_scope=60), all_of(140),
      "the capture of a does not say whether it dropped frames", "the capture of b does not say")

for dropped, verdict in (0, (3, "lost", dict(sent=200, delivered=199, lost=1))), (
        3, (4, "inconclusive", dict(sent=200, delivered=199, unknown=1))):
    told = file("told-b.pcapng", dumpcap(without(b, {101}), dropped))
    check("a loss, and the file's end says that the capture dropped %d" % dropped,
          run(foreign[:6] + ["--hops", "veth=" + told, "a=" + fa, "b=" + told]), *verdict, all_of(200))

short = [file("short-%s.pcapng" % r, pcapng("b", B, f, (r,)))
         for r, f in (("veth", between(b, 0, 8000)), ("bridge", at_bridge(b)))]
check("b's veth was captured for 8 s only", run([file("short-a.pcapng", pcapng("a", A, a, ("veth",)))] + short),
      4, "inconclusive", dict(sent=200, delivered=80, unknown=120), all_of(200),
      "120 of 200 from a to b unknown: the last hop was not captured when they were due")

a, b = story()
# What b's capture was told to leave out, in the words that podhop -Q out writes.
left = [file("left-a.pcapng", pcapng("a", A, a, ("veth",))),
        file("left-b.pcapng", pcapng("b", B, [f for f in b if f[3]], ("veth",), "src host " + B))]
check("b kept only what it sent", run(left), 0, "delivered", dict(out_of_scope=200), all_of(200))
apart = [file("apart-a.pcapng", pcapng("a", A, [], ("veth",), "tcp")), left[1]]
check("together the filters leave nothing", run(["-f", "udp"] + apart), 4, "inconclusive", {}, dict(out_of_scope=200))
check("one capture, of which the user wants a part", run(["-f", "src host " + B, left[0]]), 4, "inconclusive",
      dict(out_of_scope=200), {})

every = ("veth", "bridge", "vtep", "underlay")
check("nothing leaves the bridges", run(both("out", *[
    x + at_bridge(x) for x in ([f for f in a if f[3]], [f for f in b if f[3]])], roles=every)), 3, "lost",
      dict(sent=180, lost=180, out_of_scope=20), dict(sent=180, lost=180, out_of_scope=20),
      "180 of 180 lost between a:bridge and a:vtep", "180 of 180 lost between b:bridge and b:vtep")

for beat in (1000, 100):
    a, b = story(beat)
    n, late = 200 + 20000 // beat, 1000 // beat + 10
    check("heartbeats each %d ms, b began between two of them" % beat, run(both("late", a, between(b, 1000, 99999))),
          0, "delivered", all_of(n - late, out_of_scope=late), all_of(n - late))
a, b = story(1000)
lossy = both("order", a, without(between(b, 700, 99999), {101, 103, 205}))
counts = dict(sent=212, delivered=209, lost=3, out_of_scope=8), all_of(212)
check("three are lost, and b began late", run(lossy), 3, "lost", *counts)
check("the same, a is read before b", in_turn(*lossy), 3, "lost", *counts)
check("the same, b is read before a", in_turn(*reversed(lossy)), 3, "lost", *counts)

# b's bridge shows one of its equal ones less: which, its node knows seconds later than what b's others are.
a, b = story(200)
middle = at_bridge(b)
middle.remove([f for f in middle if f[2][18:20] == b"\0\0" and not f[3]][3])
check("one of many equal ones was not seen at b's bridge", run(both("middle", a + at_bridge(a), b + middle,
                                                                  roles=("veth", "bridge"))),
      0, "delivered", all_of(300), all_of(300))

alike = both("alike", *[[f for f in x if f[2][18:20] == b"\0\0"] for x in story(1000)])
check("nothing but heartbeats", run(alike), 4, "inconclusive", dict(sent=20, unknown=20),
      dict(sent=20, unknown=20), "only look like each other")
check("the same, told the offset", run(["--clock-offset", "0"] + alike), 0, "delivered", all_of(20), all_of(20))

# A third node: each pair has its directions and its clock, and nothing is said of pairs that are silent.
C, names = "10.244.3.2", {A: "a", B: "b", "10.244.3.2": "c"}
for silent in (), (B, C):
    frames = {A: [], B: [], C: []}
    for i in range(400):
        for n, (src, dst) in enumerate([(A, B), (B, A), (B, C), (C, B), (C, A), (A, C)]):
            if silent and src != A and dst != A:
                continue
            payload = b"%s to %s %08d" % (names[src].encode(), names[dst].encode(), i)
            time, ahead = T0 + i * 50 * MS + n * MS, {A: 0, B: 3 * S, C: -2 * S}
            frames[src].append((time + ahead[src], "veth", datagram(src, dst, payload, 1 + i, 64, False), True))
            if (src, dst, i) not in {(C, A, 100), (C, A, 101), (A, B, 200)}:
                frames[dst].append((time + ahead[dst] + 200000, "veth",
                                    datagram(src, dst, payload, 1 + i, 62, True), False))
    code, j = run([file("three-%s.pcapng" % names[p], pcapng(names[p], p, f, ("veth",)))
                   for p, f in frames.items()])
    got = {(d["from"], d["to"]): (d["sent"], d["delivered"], d["lost"]) for d in j["directions"]}
    lost = {("c", "a"): 2, ("a", "b"): 1}
    want = {p: (400, 400 - lost.get(p, 0), lost.get(p, 0)) for p in [(x, y) for x in "abc" for y in "abc" if x != y]
            if not silent or "a" in p}
    clocks = {(c["reference"], c["node"]): round(c["offset_ns"] / S, 3) for c in j["clocks"]}
    wanted = 3, "lost", want, {p: o for p, o in {
        ("a", "b"): 3, ("a", "c"): -2, ("b", "c"): -5}.items() if not silent or "a" in p}
    ok((code, j["verdict"], got, clocks) == wanted, "three nodes%s" % (", two of which are silent" if silent else ""),
       (code, got, clocks))
done_testing()
PY
