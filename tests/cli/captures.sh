#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# captures.sh - report on real captures of VXLAN: frames, VNIs and inner protocols as they are (TAP).
#
# The files are not part of the source: $PODHOP_CAPTURES, else ../shared/captures. MANIFEST.tsv
# there says what is in each; where tshark is installed it is asked as well, so that neither
# podhop nor the manifest is its own judge. A file without VXLAN is refused or has no tunnel.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${PYTHON:-/usr/bin/python3}
exec env PYTHONPATH="$root/tests/lib" "$PYTHON" -B - "${PODHOP:-${BUILD:-$root/build}/podhop}" \
	"${PODHOP_CAPTURES:-$root/../shared/captures}" <<'PY'
import collections, csv, json, os, re, shutil, subprocess, sys

from tap import done_testing, same

podhop, folder = sys.argv[1:]
ENV = dict(os.environ, LC_ALL="C", PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
# What is VXLAN in the manifest and not for podhop, which looks into UDP of the underlay itself,
# and for one level: inside Geneve, and VXLAN-GPE, which is another protocol on another port.
ELSEWHERE = ("geneve-vxlan", "vxlan-gpe")
# UDP's length is 0 in BIG TCP's super-frames: tshark 4.0 stops there, tcpdump does not.
TSHARK_STOPS = ("bigtcp-",)
PROTOCOLS = {"icmp": "icmp", "tcp": "tcp", "udp": "udp", "igmp": 2, "arp": "arp"}

def inner_of(protocols):
    """The protocol inside the first VXLAN header: of eth:ethertype:ip:tcp:http it is tcp."""
    words = [w for w in protocols.split(":") if w not in ("eth", "ethertype", "ip", "ipv6")]
    return PROTOCOLS[words[0]]


def of_manifest(truth):
    """Frames, {VNI: frames} and {inner protocol: frames} of one row."""
    words = dict(w.split("=", 1) for w in truth.split("; ") if "=" in w)
    def counts(text):
        pairs = [] if text == "-" else [re.fullmatch(r"(.*)x(\d+)", w).groups()
                                        for w in text.split(",")]
        return [(k, int(n)) for k, n in pairs]
    frames, vnis, inner = int(words["vxlan_frames"]), {}, collections.Counter()
    for vni, n in counts(words["vnis"]):
        # VXLAN in VXLAN is one frame: the outermost header is meant, which stands first.
        if sum(vnis.values()) < frames:
            vnis[int(vni)] = n
    for protocols, n in counts(words["inner"]):
        inner[inner_of(protocols)] += n
    return frames, vnis, dict(inner)


def of_tshark(path):
    out = subprocess.run(
        ["tshark", "-n", "-r", path, "-d", "udp.port==8472,vxlan", "-Y", "vxlan", "-T", "fields", "-e",
         "vxlan.vni", "-e", "frame.protocols"], capture_output=True, text=True, env=ENV, check=True)
    vnis, inner = collections.Counter(), collections.Counter()
    for line in out.stdout.splitlines():
        vni, protocols = line.split("\t")
        if not vni: # something else that uses the port
            continue
        vnis[int(vni.split(",")[0])] += 1
        inner[inner_of(protocols.split("vxlan:", 1)[1])] += 1
    return sum(vnis.values()), dict(vnis), dict(inner)


def of_podhop(path, has_vxlan):
    """The same of the report: its packets with a tunnel, and datagrams that carry no packet."""
    name = os.path.basename(path)
    # What has no VXLAN shows no role either; it is asked about as an underlay all the same.
    hops = [] if has_vxlan else ["--hops", "underlay=" + name]
    p = subprocess.run([podhop, "report", "-q", "-T", "jsonl"] + hops + [path], capture_output=True,
                       text=True, env=ENV)
    if p.returncode:
        return p.stderr
    lines = [json.loads(line) for line in p.stdout.splitlines()]
    report = lines.pop()
    vnis, inner, bare = collections.Counter(), collections.Counter(), collections.Counter()
    for packet in lines:
        if packet["outer"]:
            vnis[packet["outer"]["vni"]] += 1
            bare[packet["outer"]["vni"]] -= packet["outer"]["datagrams"] or 0
            inner[packet["protocol"]] += 1
    for tunnel in report["encapsulation"]["tunnels"]:
        bare[tunnel["vni"]] += tunnel["outer_datagrams"]
    for vni, n in bare.items():
        vnis[vni] += n
        if n:
            inner["arp"] += n
    total = report["encapsulation"]
    if total["inner_packets"] != len([p for p in lines if p["outer"]]):
        return "encapsulation.inner_packets is %d" % total["inner_packets"]
    # Where every frame is one datagram, the report's own sum is the number of frames.
    if total["basis"] == "observed" and total["outer_datagrams"] != sum(vnis.values()):
        return "encapsulation.outer_datagrams is %d" % total["outer_datagrams"]
    return sum(vnis.values()), dict(vnis), dict(inner)


if not os.path.exists(folder + "/MANIFEST.tsv"):
    print("1..0 # SKIP no MANIFEST.tsv in %s: set PODHOP_CAPTURES" % folder)
    sys.exit(0)
with open(folder + "/MANIFEST.tsv", newline="") as f:
    rows = [r for r in csv.DictReader(f, delimiter="\t") if r["file"].startswith("vxlan/")]
n_frames = 0
for row in rows:
    path, name = folder + "/" + row["file"], row["file"].split("/")[-1]
    if any(w in name for w in ELSEWHERE):
        wanted = (0, {}, {})
    else:
        wanted = of_manifest(row["ground_truth"])
        if shutil.which("tshark", path=ENV["PATH"]) and not any(w in name for w in TSHARK_STOPS):
            same("%s: tshark sees what the manifest says" % name, of_tshark(path), wanted)
    n_frames += wanted[0]
    same("%s: %d VXLAN frames" % (name, wanted[0]), of_podhop(path, wanted[0] > 0), wanted)
same("files with VXLAN, and without", len(rows) >= 20 and n_frames > 80, True)
done_testing()
PY
