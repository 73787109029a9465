#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# filters.sh - captures that a filter left a part out of, through `podhop report` and `verify` (TAP).
#
# A pod of node a sends datagrams to two ports of a pod of node b. Each of the hops may have been captured
# with a filter of its own, as dumpcap -f writes it: what it left out is not lost.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${PYTHON:-/usr/bin/python3}
exec env PYTHONPATH="$root/tests/lib" "$PYTHON" -B - "${PODHOP:-$root/build/podhop}" <<'PY'
import json, os, subprocess, sys

podhop = sys.argv[1]
from made import A, B, FOLDER, MS, T0, US, datagram, echo, dumpcap, file, in_vxlan, pcapng
from tap import done_testing, same

EVERY = "veth", "bridge", "vtep", "underlay"
NODE, OTHER = "192.168.7.1", "192.168.7.2"
BRIDGE = bytes((10, 244, 1, 1, 255, 255, 255, 0))
PORTS = 7001, 7002
N = 400  # datagrams, as many to each port
LOST = 101, 102  # by their number, one to each port: between bridge and VTEP of node a


def story(leaves_out):
    """The frames of node a and of node b; leaves_out(node, role, port): the filter of that hop does."""
    a, b = [], []
    for i in range(N):
        time, port = T0 + i * 50 * MS, PORTS[i % 2]
        sent, routed, come = (datagram(A, B, b"number %08d" % i, 1 + i, ttl, ttl == 62, port) for ttl in (64, 63, 62))
        outer = in_vxlan(NODE, OTHER, routed)
        for node, k, role, data, into in (
                (a, 0, "veth", sent, True), (a, 1, "bridge", sent, True), (a, 2, "vtep", routed, False),
                (a, 3, "underlay", outer, False), (b, 9, "underlay", outer, True), (b, 10, "vtep", routed, True),
                (b, 11, "bridge", come, False), (b, 12, "veth", come, False)):
            if not (i in LOST and k > 1) and not leaves_out("a" if node is a else "b", role, port):
                node.append((time + k * 10 * US, role, data, into))
    return a, b


def run(*args):
    p = subprocess.run([podhop, *args], capture_output=True, text=True, timeout=60)
    try:
        return p.returncode, json.loads(p.stdout), p.stderr
    except ValueError:
        return p.returncode, None, p.stderr


def hops(roles=EVERY):
    device = {"veth": "veth0", "bridge": "cni0", "vtep": "flannel.1", "underlay": "eth0"}
    return [x for role in roles for x in ("--hops", "%s=%s" % (role, device[role]))]


def losses(report):
    return sorted((l["next_expected"], l["verdict"], l["packets"],
                   "which left" in l["reason"], "may have left" in l["reason"]) for l in report["losses"])


def report(name, filters, leaves_out, want, warned, *args):
    a, _ = story(leaves_out)
    path = file("report.pcapng", dumpcap(a, 0, EVERY, filters, BRIDGE))
    given = [*hops(), "--pod", A, *args] if not args else list(args)
    code, j, err = run("report", path, "--json", *given)
    same(name, (code, losses(j) if j else err, err.count("was captured with")), (0, want, warned))
    return path


nothing = lambda node, role, port: False
inner = lambda node, role, port: role in ("bridge", "vtep", "underlay") and port == 7002
report("no filter: both are lost", {}, nothing, [("vtep", "lost", 2, False, False)], 0)
report("a filter that leaves out nothing of the tunnel", {"underlay": "udp port 8472"}, nothing,
       [("vtep", "lost", 2, False, False)], 0)
asked = dict.fromkeys(("bridge", "vtep"), "udp port 7001")
report("what two hops' filter left out is not lost, the rest is", asked, inner,
       [("bridge", "unknown", 160, True, False), ("vtep", "lost", 1, False, False)], 2)
report("of a filter that looks at bytes nobody knows", {"bridge": "udp[2:2] = 7001", "vtep": "udp[2:2] = 7001"}, inner,
       [("bridge", "unknown", 160, False, True), ("vtep", "unknown", 1, False, True)], 2)
report("nor of one that is a program", {"vtep": b"\x06\0\0\0\0\0\4\0"}, nothing,
       [("vtep", "unknown", 2, False, True)], 1)
report("nor of one that names a host", {"vtep": "host web"}, nothing, [("vtep", "unknown", 2, False, True)], 1)
far = lambda node, role, port: role == "underlay"
report("of the tunnel to another node", {"underlay": "udp port 8472 and host 192.168.7.9"}, far,
       [("underlay", "unknown", 318, False, True), ("vtep", "unknown", 2, False, True)], 1)

# Without an underlay: one filter everywhere.
a, _ = story(nothing)
three = EVERY[:3]
path = file("alike.pcapng", dumpcap([f for f in a if f[1] != "underlay"], 0, three,
                                    dict.fromkeys(three, "udp[2:2] < 7003"), BRIDGE))
code, j, err = run("report", path, "--json", *hops(three), "--pod", A)
same("all hops have the same filter: what it passed at one it passes at the next",
      (code, losses(j), err), (0, [("vtep", "lost", 2, False, False)], ""))

path = file("alike.pcapng", dumpcap([f for f in a if f[1] != "underlay"], 0, three,
                                    dict.fromkeys(three, "ip[8] > 60"), BRIDGE))
code, j, err = run("report", path, "--json", *hops(three), "--pod", A)
same("but not one that looks at what hops change", (code, losses(j), err.count("was captured with")),
      (0, [("vtep", "unknown", 2, False, True)], 3))

# What podhop writes of it tells the filter, and so does its pseudonymous copy.
a, _ = story(inner)
path = file("foreign.pcapng", dumpcap(a, 0, EVERY, asked, BRIDGE))
want = losses(run("report", path, "--json", *hops(), "--pod", A)[1])
for name, args in ("plain", []), ("pseudonymous", ["--anonymize", "--no-payload"]):
    out = os.path.join(FOLDER.name, name + ".pcapng")
    subprocess.run([podhop, "report", path, "-q", "-w", out, *hops(), "--pod", A, *args], capture_output=True)
    shown = subprocess.run(["tshark", "-r", out, "-Y", "frame.interface_name == cni0 && frame.number < 9", "-T", "fields", "-e",
                            "frame.interface_description"], capture_output=True, text=True).stdout
    with open(out, "rb") as f:
        has = f.read().count(b"udp port 7001")
    same("%s: the copy tells the filters" % name, (has, "filtered=yes" in shown), (2, True))
    same("%s: its report says the same" % name, losses(run("report", out, "--json")[1]), want)

COUNTS = "sent", "delivered", "lost", "unknown", "unprovable", "out_of_scope"


def verify(name, files, status, there, *reasons):
    code, j, err = run("verify", "--json", *files)
    got = {k: j["directions"][0][k] for k in COUNTS if j["directions"][0][k]} if j else err
    told = [r for r in reasons if j and any(r in x for x in j["reasons"])]
    same(name, (code, got, told), (status, there, list(reasons)))


def pair(filters, leaves_out, roles_b=("veth",), roles_a=("veth", "bridge")):
    a, b = story(leaves_out)
    fa = file("a.pcapng", pcapng("a", A, [f for f in a if f[1] in roles_a], roles_a))
    fb = file("b.pcapng", dumpcap([f for f in b if f[1] in roles_b], 0, roles_b, filters))
    return ["--pod", "b=" + B, *hops(roles_b), "a=" + fa, "b=" + fb]


port = lambda node, role, port: node == "b" and role == "veth" and port == 7002
verify("no filter: both are lost", pair({}, nothing), 3, dict(sent=N, delivered=N - 2, lost=2))
verify("what the receiver's filter left out is out of scope", pair({"veth": "udp port 7001"}, port), 3,
       dict(sent=200, delivered=199, lost=1, out_of_scope=200), "199 from a to b out of scope: left out by the filter")
verify("the same, its underlay shows all", pair({"veth": "udp port 7001", "underlay": "udp port 8472"}, port,
                                                ("veth", "underlay")), 3,
       dict(sent=200, delivered=199, lost=1, out_of_scope=200))
# The last one is too near the end.
verify("of a filter that looks at bytes nobody knows", pair({"veth": "udp[2:2] = 7001"}, port), 4,
       dict(sent=N - 1, delivered=199, unknown=200, out_of_scope=1), "200 of 399 from a to b unknown: the last hop was captured with a filter")
verify("a filter at a hop that is not the last one", pair({"underlay": "udp[50:2] = 7001"}, lambda node, role, port: (
    node == "b" and role == "underlay" and port == 7002), ("veth", "underlay")), 3,
       dict(sent=N, delivered=N - 2, lost=2))
verify("the tunnel between the two nodes", pair({"underlay": "host %s and host %s and udp port 8472" % (NODE, OTHER)},
                                                nothing, ("underlay",), EVERY), 3, dict(sent=N, delivered=N - 2, lost=2))
verify("the tunnel to another node: what came shows that nobody knows",
       pair({"underlay": "host %s and udp port 8472 and less 100000" % OTHER}, nothing, ("underlay",), EVERY), 4,
       dict(sent=N, delivered=N - 2, unknown=2))

# One filter at both nodes, though it looks at bytes.
a, b = story(nothing)
both = [file(n + ".pcapng", dumpcap([f for f in x if f[1] == "veth"], 0, ("veth",), {"veth": "udp[2:2] < 7003"}))
        for n, x in (("a", a), ("b", b))]
verify("both nodes have the same filter", ["--pod", "a=" + A, "--pod", "b=" + B, "--hops", "veth=veth0",
                                           "a=" + both[0], "b=" + both[1]], 3, dict(sent=N, delivered=N - 2, lost=2))

# podhop's own, with a filter that pseudonyms cannot tell.
a, b = story(port)
key = file("key", os.urandom(32))
copies = []
for node, pod, frames, kept in ("a", A, a, ""), ("b", B, b, "udp[2:2] = 7001"):
    own = file(node + ".pcapng", pcapng(node, pod, [f for f in frames if f[1] == "veth"], ("veth",), kept))
    copies.append(os.path.join(FOLDER.name, node + "-copy.pcapng"))
    subprocess.run([podhop, "report", own, "-q", "-w", copies[-1], "--anonymize=" + key], capture_output=True)
verify("a filter that pseudonyms cannot tell leaves nothing lost", copies, 4, dict(sent=N - 1, delivered=199, unknown=200, out_of_scope=1))
again = copies[1] + "2"
subprocess.run([podhop, "report", copies[1], "-q", "-w", again], capture_output=True)
verify("nor in a copy of the copy", [copies[0], again], 4, dict(sent=N - 1, delivered=199, unknown=200, out_of_scope=1))
# One node's capture alone: an answer that was left out proves nothing, and does not fail to come.
asked = [(T0 + i * 100 * MS, "veth", echo(A, B, i, 1 + i, 64, False), True) for i in range(200)]
answers = [(time + MS, "veth", echo(B, A, i, 1 + i, 62, True, 0), False) for i, (time, *_) in enumerate(asked)]


def alone(kept, frames):
    return [file("alone.pcapng", pcapng("a", A, frames, ("veth",), kept))]


left_out = "200 from a to peers unprovable: a filter left their answers out"
verify("alone: answers prove", alone("", asked + answers), 0, dict(sent=200, delivered=200))
verify("alone: answers that are missing", alone("", asked + answers[:150]), 4,
       dict(sent=180, delivered=150, unknown=30, out_of_scope=20))
verify("alone: captured with -Q out", alone("src host " + A, asked), 4, dict(unprovable=200), left_out)
verify("alone: captured with a filter of what it sends", alone("(icmp) and (src host %s)" % A, asked), 4,
       dict(unprovable=200), left_out)
verify("alone: dumpcap's filter", ["--pod", A, "--hops", "veth=veth0", file("alone.pcapng", dumpcap(
    asked, 0, ("veth",), {"veth": "icmp and src host " + A}))], 4, dict(unprovable=200))
verify("alone: a filter that keeps answers", alone("host " + A, asked), 4, dict(sent=180, unknown=180, out_of_scope=20))
done_testing()
PY
