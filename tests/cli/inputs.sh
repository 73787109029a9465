#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# inputs.sh - what files tell of hops, pods, drops and times, through `podhop report` and `verify`; limits (TAP).
#
# A pod of node n sends datagrams to one of another node: 400 in 20 s, two of them lost between bridge and VTEP.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${PYTHON:-/usr/bin/python3}
exec "$PYTHON" - "${PODHOP:-$root/build/podhop}" "$root/tests/lib" <<'PY'
import fcntl, json, os, select, struct, subprocess, sys, tempfile, termios

podhop = os.path.abspath(sys.argv[1])
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[2])
from made import A, B, MS, S, T0, US, block, datagram, dumpcap, in_vxlan, option, pcap, pcapng

tmp = tempfile.TemporaryDirectory()
EVERY = "veth", "bridge", "vtep", "underlay"
DEVICES = "v0", "cni0", "flannel.1", "eth0"
OWN = [("v0", "role=veth node=n"), ("cni0", "role=bridge node=n"), ("flannel.1", "role=vtep node=n vni=1 port=8472"),
       ("eth0", "role=underlay node=n vni=1 port=8472")]
N = 400
LOST = 101, 302  # 10 s apart


def file(name, data):
    path = os.path.join(tmp.name, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def walk(i, pod=A):
    """Datagram i at the hops that see it: (time, hop, bytes)."""
    sent, routed = (datagram(pod, B, b"number %08d" % i, 1 + i, ttl, False) for ttl in (64, 63))
    seen = sent, sent, routed, in_vxlan("192.168.7.1", "192.168.7.2", routed)
    return [(T0 + i * 50 * MS + k * 10 * US, k, data) for k, data in enumerate(seen) if k < 2 or i not in LOST]


def capture(frames, interfaces=OWN, pods="default/web:" + A, drops={}, dropped=0, span=None, node="n", comment=None):
    """A file of podhop's. drops: {frame's number: how many went before it}; dropped: in all, of each interface or {interface: n}."""
    comment = comment or "podhop node=%s pods=%s filter=" % (node, pods)
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option(1, comment.encode()))
    for name, told in interfaces:
        out += block(1, struct.pack("<HHI", 1, 0, 262144) + option(2, name.encode()) +
                     (option(3, b"podhop " + told.encode()) if told else b"") + option(9, b"\x09"))
    for i, (time, k, data) in enumerate(sorted(frames)):
        out += block(6, struct.pack("<IIIII", k, time >> 32, time & 0xffffffff, len(data), len(data)) + data +
                     b"\0" * (-len(data) % 4) + (option(4, struct.pack("<Q", drops[i])) if i in drops else b""))
    begin, end = span or (T0 - S, T0 + N * 50 * MS + 5 * S)
    stamp = lambda t: struct.pack("<II", t >> 32, t & 0xffffffff)
    for k in range(len(interfaces) if dropped is not None else 0):
        n = dropped.get(k, 0) if isinstance(dropped, dict) else dropped
        out += block(5, struct.pack("<I", k) + stamp(end) + option(2, stamp(begin)) + option(3, stamp(end)) +
                     option(5, struct.pack("<Q", n)) + option(7, struct.pack("<Q", n)))
    return out


number, failed = 0, 0


def check(name, got, want):
    global number, failed
    number += 1
    if got == want:
        print("ok %d - %s" % (number, name))
        return
    failed += 1
    print("not ok %d - %s\n# got    %s\n# wanted %s" % (number, name, got, want))


def run(*args):
    p = subprocess.run([podhop, *args], capture_output=True, text=True, timeout=60)
    try:
        return p.returncode, json.loads(p.stdout), p.stderr
    except ValueError:
        return p.returncode, None, p.stderr


def counts(report):
    return {k: v for k, v in report["packets"].items() if v}


def losses(report):
    return sorted((l["next_expected"], l["verdict"], l["packets"]) for l in report["losses"])


def report(name, want, data, *args, of=counts):
    code, j, err = run("report", file("in.pcapng", data), "--json", *args)
    check(name, (code, of(j) if j else err), (0, want))
    return j


every = [f for i in range(N) for f in walk(i)]
both = dict(total=N, complete=N - 2, incomplete=2)

# ---- when a capture dropped something, and how much
report("none dropped: both are lost", [("vtep", "lost", 2)], capture(every), of=losses)
at = next(i for i, f in enumerate(sorted(every)) if f[1] == 2 and f[0] > T0 + (LOST[0] + 1) * 50 * MS)
early = [("vtep", "lost", 1), ("vtep", "unknown", 1)]
j = report("dropped around the first one's time: it is unknown, the other lost", early,
           capture(every, drops={at: 1}, dropped={2: 1}), of=losses)
check("the report tells how many at which hop", [i["dropped_kernel"] for i in j["capture"]["interfaces"]], [0, 0, 1, 0])
report("one more in all than frames tell of: nobody knows when", [("vtep", "unknown", 1)] * 2,
       capture(every, drops={at: 1}, dropped={2: 2}), of=losses)
report("dropped before the hop's first frame", [("vtep", "lost", 2)],
       capture(every, drops={2: 7}, dropped={2: 7}), of=losses)
report("a capture that was cut short: its frames told, what was behind them nobody knows",
       ["the capture does not say whether it dropped frames at vtep and the hops behind it"],
       capture(every, dropped=None), of=lambda j: j["losses"][0]["evidence"])

# ---- a pod that came again under other addresses (--follow)
again = [(t, 4 if k == 0 else k, d) for i in range(200, N) for t, k, d in walk(i, "10.244.1.9")]
follow = [f for i in range(200) for f in walk(i)] + again
late = OWN + [("v1", "role=veth node=n pod=default/web ip=10.244.1.9,nonsense")]
report("a veth that came later tells its pod's new address", both, capture(follow, late))
report("... a pod that the file did not know before", dict(total=N, complete=N - 2, incomplete=2),
       capture(follow, OWN + [("v1", "role=veth node=n pod=default/other ip=10.244.1.9")]))
report("--pod: those alone", dict(total=200, complete=199, incomplete=1), capture(follow, late), "--pod", A)
report("a pod without a namespace is none", dict(total=200, complete=199, incomplete=1),
       capture(follow, OWN + [("v1", "role=veth node=n pod=other ip=10.244.1.9")]))

# ---- what makes no sense in what a file tells
report("pods that are none", both, capture(every, pods="x,default/y:none,:,default/web:" + A))
eight = ",".join("default/web:10.9.0.%d" % i for i in range(7))
report("a pod with eight addresses", both, capture(every, pods=eight + ",default/web:" + A))
report("ports that are none", both, capture(every, [OWN[0], OWN[1], (OWN[2][0], "role=vtep vni=1 port=0"),
                                                      (OWN[3][0], "role=underlay port=70000")]))
j = report("a node's name is as long as one can be", "x" * 253, capture(every, node="x" * 900), of=lambda j: j["node"])

# ---- limits, each of which is told
many = ",".join("default/p%d:10.9.%d.1" % (i, i) for i in range(64))
code, j, err = run("report", file("in.pcapng", capture(every, pods=many + ",default/web:" + A)), "--json")
check("a 65th pod is told not to be one", (code, counts(j), err.count("more than 64 pods")), (0, {}, 1))
code, j, err = run("report", file("in.pcapng", capture(every, pods=eight + ",default/web:10.9.0.8,default/web:" + A)), "--json")
check("so is a pod's ninth address", (code, counts(j), err.count("or than 8 addresses of one")), (0, {}, 1))
names = [("d%d" % i, "") for i in range(65)]
spread = [(t, i % 65, d) for i in range(N) for t, k, d in walk(i)[:1]]
code, j, err = run("report", file("in.pcapng", capture(spread, names, dropped=None, comment="c")))
check("65 devices are too many", (code, err), (2, "podhop: %s/in.pcapng: more than 64 interfaces\n" % tmp.name))
# As in a file that was merged of many: interfaces of one name are one hop.
parts = [OWN[0]] * 70 + OWN[1:]
report("one device as 70 interfaces", both, capture([(t, i % 70 if k == 0 else 69 + k, d) for i in range(N) for t, k, d in walk(i)], parts))
foreign = [(t, i % 70 if k == 0 else 69 + k, d) for i in range(N) for t, k, d in walk(i)]
report("the same, from others", both, capture(foreign, [(name, "") for name, _ in parts], comment="c"), "--pod", A,
       *[x for role, name in zip(EVERY, DEVICES) for x in ("--hops", "%s=%s" % (role, name))])
one = file("one.pcapng", capture(every))
code, j, err = run("report", *[one] * 257)
check("257 files are too many", (code, err), (2, "podhop: more than 256 files\n"))

# ---- several files of one node
half = N * 50 * MS // 2 + T0
first = file("ring1.pcapng", capture([f for f in every if f[0] < half], span=(T0 - S, half)))
second = file("ring2.pcapng", capture([f for f in every if f[0] >= half], span=(half, T0 + N * 50 * MS + 5 * S)))
code, j, err = run("report", first, second, "--json")
check("the files of a ring are one capture", (code, counts(j), losses(j)), (0, both, [("vtep", "lost", 2)]))
arrived = [(time + 10 * MS, "veth", datagram(A, B, b"number %08d" % i, 1 + i, 62, True), False)
           for i in range(N) if i not in LOST for time in (T0 + i * 50 * MS,)]
other = file("m.pcapng", pcapng("m", B, arrived, ("veth",)))
code, j, err = run("verify", first, second, other, "--json")
lost = [(os.path.basename(l["file"]), l["frame"] > 0) for d in j["directions"] for l in d["lost_packets"]] if j else err
check("verify names the file that a lost packet is in", (code, lost), (3, [("ring1.pcapng", True), ("ring2.pcapng", True)]))

frames = lambda times: [(t, EVERY[k], d, False) for t, k, d in every if times(t)]
hops = [x for role in EVERY for x in ("--hops", "%s=%s" % (role, {"veth": "veth0", "bridge": "cni0", "vtep": "flannel.1", "underlay": "eth0"}[role]))]
bridge = bytes((10, 244, 1, 1, 255, 255, 255, 0))
parts = [file("part%d.pcapng" % i, dumpcap(frames(times), 0, EVERY, filters, bridge)) for i, (times, filters) in enumerate((
    (lambda t: t < half, {"vtep": "udp"}), (lambda t: t >= half, {})))]
code, j, err = run("report", *parts, "--json", "--pod", A, *hops)
check("files of a hop with and without a filter: which would have shown it?",
      (code, losses(j) if j else err, "flannel.1 was captured with a filter that is not known" in err), (0, [("vtep", "unknown", 2)], True))
copy = os.path.join(tmp.name, "copy.pcapng")
whole = file("whole.pcapng", dumpcap(frames(lambda t: True), 0, EVERY, {"underlay": "udp port 8472"}, bridge))
code = subprocess.run([podhop, "report", whole, "-q", "-w", copy, "--pod", A, *hops], capture_output=True).returncode
code2, j, err = run("report", copy, "--json")
check("a copy of an underlay's capture by its port: what it passed is known", (code, code2, losses(j) if j else err),
      (0, 0, [("vtep", "lost", 2)]))

# Two sections of one file: the second one's interfaces are new ones, with the same names.
with open(first, "rb") as f, open(second, "rb") as g:
    sections = f.read() + g.read()
report("the sections of one file, too", both, sections)


# ---- pipes, which come in pieces
def fed(command, streams, pieces=23, cuts=()):
    """
    The command with FIFOs in place of files, each piece written when the one before has been read; cuts: bytes that
    come first.
    """
    left = []
    for name in streams:
        os.mkfifo(os.path.join(tmp.name, name))
    p = subprocess.Popen([podhop, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp.name)
    for name, data in streams.items():
        fd = os.open(os.path.join(tmp.name, name), os.O_WRONLY)
        step = len(data) // pieces + 1
        ends = [*cuts, *range(max(cuts, default=0) + step, len(data), step), len(data)]
        left.append((fd, [data[a:b] for a, b in zip([0, *ends], ends)]))
    while any(pieces for _, pieces in left):
        for fd, pieces in left:
            waits = lambda: struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]
            while waits() and p.poll() is None:
                select.select([], [], [], 0.001)
            if pieces:
                os.write(fd, pieces.pop(0))
    for (fd, _), name in zip(left, streams):
        os.close(fd)
        os.unlink(os.path.join(tmp.name, name))
    out, err = p.communicate(timeout=60)
    return p.returncode, json.loads(out) if out else err


with open(one, "rb") as f, open(other, "rb") as g, open(whole, "rb") as h:
    ours, theirs, others = f.read(), g.read(), h.read()
code, j = fed(["report", "a", "--json"], {"a": ours})
check("a capture that comes in pieces", (code, counts(j)), (0, both))
code, j = fed(["report", "a", "--json", "--pod", A, *hops], {"a": others})
check("... one of others", (code, counts(j), losses(j)), (0, both, [("vtep", "lost", 2)]))
code, j = fed(["verify", "a", "b", "--json"], {"a": ours, "b": theirs})
check("two that come at once", (code, sum(d["lost"] for d in j["directions"])), (3, 2))
code, j = fed(["verify", "a", "b", "--json"], {"a": ours, "b": theirs}, cuts=(4, 20, 70, 90))
check("... their headers, too, in pieces", (code, sum(d["lost"] for d in j["directions"])), (3, 2))
code, j = fed(["verify", "a", other, "--json"], {"a": ours}, cuts=(30, 31))
check("one beside a file", (code, sum(d["lost"] for d in j["directions"])), (3, 2))
code, j = fed(["report", "a", "--json"], {"a": ours[:-100]})
check("one that is cut short: what came before counts", (code, counts(j), j["inputs"][0]["truncated_at"] > 0), (1, both, True))

unnamed = file("unnamed.pcapng", capture(every, [OWN[0][:1] + ("role=veth",)] + OWN[1:], comment="of nobody"))
code, j, err = run("verify", unnamed, other, "--json", "--pod", "n=" + A)
check("a node that interfaces tell alone", j["nodes"] if j else err, ["n", "m"])

# ---- what a device carries: a jumbo frame is one datagram, a super-frame is many
BIG = b"jumbo" * 1600
routed = datagram(A, B, BIG, 1, 63, False)
jumbo = [(T0 + k * 10 * US, k, data) for k, data in enumerate(
    (datagram(A, B, BIG, 1, 64, False),) * 2 + (routed, in_vxlan("192.168.7.1", "192.168.7.2", routed)))]


def datagrams(j):
    return j["encapsulation"]["outer_datagrams"], j["encapsulation"]["basis"]


told = capture(jumbo, [(name, role + " mtu=9000") for name, role in OWN])
report("a datagram that the devices are not known to carry", (0, "unknown"), capture(jumbo), of=datagrams)
report("... and that they are known to carry", (1, "observed"), told, of=datagrams)
again = os.path.join(tmp.name, "again.pcapng")
report("what they carry is written again", (1, "observed"), told, "-w", again, of=datagrams)
with open(again, "rb") as f:
    report("... and read again", (1, "observed"), f.read(), of=datagrams)
low = [(name, role + " mtu=1400") for name, role in OWN]  # what the VTEP carries bounds segments
code, j, err = run("report", file("low.pcapng", capture(every, low)), "-w", again, "--json")
with open(again, "rb") as f:
    check("... less than usual, too", (code, f.read().count(b" mtu=1400")), (0, len(OWN)))

# ---- roles that nobody can tell
alone = [file(n + ".pcap", pcap([(t, None, d, False) for t, k, d in every if k == 1])) for n in "nm"]
code, j, err = run("verify", "n=" + alone[0], "m=" + alone[1])
check("verify says of which node's capture nobody knows what it is",
      (code, err.startswith("podhop: n: what n.pcap is in the datapath cannot be told")), (2, True))
print("1..%d" % number)
sys.exit(failed != 0)
PY
