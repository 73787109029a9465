#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench.py - podhop beside tcpdump, dumpcap, capinfos, reordercap and tshark.

Commands of one comparison run in turn, as often as asked for; medians of their CPU time (user
and system, all processes) are compared, not times of different runs. Results go to
build/bench/result.json, a table to standard output, plots to build/bench/*.svg.

usage: bench.py [-n REPETITIONS] [--long] [PART...]
PART: offline captured growth stages verify start live (default: all; captured, start, live: root)
"""
import argparse
import glob
import html
import json
import os
import platform
import re
import shlex
import signal
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
PODHOP = os.environ.get("PODHOP", os.path.join(BUILD, "podhop"))
GEN, STAGES = os.path.join(BUILD, "bench/gen"), os.path.join(BUILD, "bench/stages")
UDPGEN = os.path.join(BUILD, "tools/udpgen")
LAB = os.path.join(ROOT, "samples/lab/lab")
OUT = os.path.join(BUILD, "bench")
POD = "10.244.1.2"  # what gen and the lab give node1's pod
ENV = dict(os.environ, PODHOP_LAB="bench%d" % os.getpid(), LC_ALL="C", TZ="UTC")
ENV["PATH"] += ":/usr/sbin:/sbin"


def machine():
    model = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    memory = re.search(r"MemTotal:\s*(\d+)", open("/proc/meminfo").read())
    return {"cpu": model.group(1) if model else platform.machine(), "cpus": os.cpu_count(),
            "memory_mib": int(memory.group(1)) // 1024, "kernel": platform.release(),
            "load": os.getloadavg()[0]}


def run(command, stdin=None):
    """CPU seconds, largest resident set in MiB and wall seconds of one command."""
    begin = time.monotonic()
    p = subprocess.Popen(shlex.split(command), stdin=stdin, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, env=ENV)
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = status
    if status:
        sys.exit("bench: failed: %s" % command)
    return {"cpu_s": usage.ru_utime + usage.ru_stime, "rss_mib": usage.ru_maxrss / 1024,
            "wall_s": time.monotonic() - begin}


def median(rows):
    return {k: statistics.median(r[k] for r in rows) for k in rows[0]}


def compare(n, commands):
    """Commands {name: command} in turn, n times: medians."""
    rows = {name: [] for name in commands}
    for _ in range(n):
        for name, command in commands.items():
            rows[name].append(run(command))
    return {name: dict(median(r), command=commands[name].replace(OUT + "/", ""))
            for name, r in rows.items()}


def generate(name, options):
    path = os.path.join(OUT, name)
    with open(path, "wb") as f:
        subprocess.run([GEN] + options.split(), stdout=f, check=True)
    return path


# ---- offline

def offline_one(n, f, pod):
    report = "%s report %s -q --json%s" % (PODHOP, f, pod)
    return compare(n, {"capinfos -c": "capinfos -c %s" % f, "podhop report": report,
                       "tcpdump -r -w": "tcpdump -r %s -w %s/tcpdump.pcap" % (f, OUT),
                       "podhop report -w": "%s -w %s/out.pcapng" % (report, OUT),
                       "reordercap": "reordercap %s %s/ordered.pcapng" % (f, OUT)})


def captured(n):
    """What others and podhop itself wrote of live traffic: in whose order frames then stand."""
    result = {}
    with Lab() as lab:
        for kind, name in {"dumpcap, limits raised": "dumpcap", "podhop": "podhop"}.items():
            one_live(lab, kind, "-s 64", 400000)
            label = "1.6 million frames as %s wrote them" % name
            result[label] = offline_one(n, "%s/%s.pcapng" % (OUT, name), "")
            table("offline, " + label, result[label], "capinfos -c")
    return result


def offline(n):
    result = {}
    for label, options in {
            "64-byte frames, 1 flow": "-n 1600000 -b 400",
            "512-byte frames, 1 flow": "-n 800000 -b 400 -s 470 -l 65535",
            "1400-byte frames, 1 flow": "-n 400000 -b 400 -s 1358 -l 65535",
            "64-byte frames, 100 flows": "-n 1600000 -b 400 -f 100",
            "64-byte frames, 10,000 flows": "-n 1600000 -b 400 -f 10000",
            "64-byte frames, 1,000,000 flows": "-n 4000000 -b 400 -f 1000000"}.items():
        f = generate("in.pcapng", options)
        result[label] = offline_one(n, f, " --pod " + POD)
        if label == "64-byte frames, 1 flow":  # slow, and far from the others: once
            result[label].update(compare(1, {"tshark -T fields": "tshark -n -r %s -T fields "
                                             "-e frame.time_epoch -e ip.src -e ip.dst" % f}))
        table("offline, " + label, result[label], "capinfos -c")
    return result


def growth(n, long_run):
    result = []
    for millions in [1, 10, 50] + ([100] if long_run else []):
        rows = []
        for _ in range(n if millions < 10 else 1):
            g = subprocess.Popen([GEN, "-n", str(millions * 1000000)], stdout=subprocess.PIPE)
            rows.append(run("%s report - -q --json --pod %s" % (PODHOP, POD), g.stdout))
            g.stdout.close()
            g.wait()
        m = median(rows)
        result.append({"frames": millions * 1000000, "ns_a_frame": m["cpu_s"] * 1000 / millions,
                       "rss_mib": m["rss_mib"]})
        print("growth: %4d million frames  %6.1f ns a frame  %6.1f MiB" %
              (millions, result[-1]["ns_a_frame"], result[-1]["rss_mib"]), flush=True)
    return result


def verify(n):
    """Two nodes' captures of the same traffic, in one pass, beside capinfos on the same files."""
    result = []
    for millions in [1, 2, 5, 10]:
        # Of 50 packets one is answered, of 10,000 one is lost between the nodes.
        files = [generate("node%d.pcapng" % node, "-n %d -e 50 -x 10000 -N %d" %
                          (millions * 1000000, node)) for node in (1, 2)]
        command = "%s verify -q --json --pod a=10.244.1.2 --pod b=10.244.2.2 a=%s b=%s" % (
            PODHOP, files[0], files[1])
        said = json.loads(subprocess.run(shlex.split(command), capture_output=True, env=ENV,
                                         check=False).stdout)
        lost = [d["lost"] for d in said["directions"]]
        rows = {"capinfos": [], "verify": []}
        for _ in range(n):
            rows["capinfos"].append(run("capinfos %s %s" % tuple(files)))
            rows["verify"].append(run("sh -c '%s; test $? = 3'" % command))
        c, v = median(rows["capinfos"]), median(rows["verify"])
        wanted = millions * 1000000 // 4 // 10000
        result.append({"frames_each": millions * 1000000, "lost": lost[0], "capinfos": c,
                       "verify": v})
        print("verify 2 x %2d million frames: %6.2f s (%5.1f CPU s, %6.1f MiB); capinfos %6.2f s "
              "(%5.1f CPU s, %5.1f MiB); lost %d" % (
                  millions, v["wall_s"], v["cpu_s"], v["rss_mib"], c["wall_s"], c["cpu_s"],
                  c["rss_mib"], lost[0]), flush=True)
        if lost != [wanted, 0]:
            sys.exit("bench: verify found %s lost, %d are" % (lost, wanted))
        for f in files:
            os.unlink(f)
    return result


def stages(_):
    f = generate("stages.pcapng", "-n 200000")
    result = json.loads(subprocess.run([STAGES, f], capture_output=True, check=True).stdout)
    print("stages, ns a frame: " + ", ".join("%s %s" % (k[:-3], v) for k, v in result.items()
                                              if k.endswith("_ns")), flush=True)
    return result


# ---- live

class Lab:
    def __init__(self, options=""):
        self.options = options.split()

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

    def devices(self):
        return [self.vars["POD_CLIENT_VETH"], "cni0", "flannel.1", "eth0"]


def recorders(lab, kind):
    """Command lines, and the line on stderr that says that it captures."""
    d = lab.devices()
    if kind == "4 x tcpdump":
        return [(["tcpdump", "-p", "-i", i, "-s", "128", "-B", "16384", "-Z", "root", "-w",
                  "%s/%s.pcap" % (OUT, i)], "listening on") for i in d]
    if kind.startswith("dumpcap"):
        limits = ["-B", "64", "-C", "500000000", "-N", "1000000"] if "raised" in kind else []
        return [(["dumpcap", "-q", "-p", "-s", "128"] + limits +
                 [x for i in d for x in ("-i", i)] + ["-w", OUT + "/dumpcap.pcapng"], "File:")]
    if kind.startswith("podhop"):
        return [([PODHOP, "capture", "client", "--host-root", lab.vars["NODE1_ROOT"], "-s", "128",
                  "-B", "16384", "-w", OUT + "/podhop.pcapng", "--json"] +
                 (["--terse"] if "terse" in kind else []), "capturing on")]
    return []


def lost_by(kind, out, err, sent):
    if kind.startswith("podhop"):
        r = json.loads(out)
        return 4 * sent - min(4 * sent, sum(i["observations"] for i in r["capture"]["interfaces"]))
    if kind.startswith("dumpcap"):
        counts = re.findall(r"'[^']*': (\d+)/", err)
        return 4 * sent - min(4 * sent, sum(int(x) for x in counts))
    return sum(int(x) for x in re.findall(r"(\d+) packets? dropped by kernel", err))


def one_live(lab, kind, options, count):
    # Emptying the file of the run before is no part of a capture, and costs up to a sixth of it.
    for old in glob.glob(OUT + "/*.pcap") + glob.glob(OUT + "/*.pcapng"):
        os.unlink(old)
    procs = []
    for i, (command, ready) in enumerate(recorders(lab, kind)):
        log = open("%s/err.%d" % (OUT, i), "w+")
        p = subprocess.Popen(lab.inside("NODE1_NS") + command, stdout=subprocess.PIPE, stderr=log,
                             env=ENV, text=True)
        procs.append((p, log))
        while ready not in open(log.name).read() and p.poll() is None:
            time.sleep(0.05)
        if p.poll() is not None:
            sys.exit("bench: failed: %s" % open(log.name).read())
    gen = lab.inside("POD_CLIENT_NS") + [UDPGEN, "-n", str(count), "-p", "9999"] + options.split()
    sender = json.loads(subprocess.run(gen + [lab.vars["POD_API_IP"]], check=True,
                                       capture_output=True).stdout)
    time.sleep(0.5)
    row = {"cpu_s": 0.0, "lost": 0, "rss_mib": 0.0, "sender_per_s": sender["per_second"]}
    for p, log in procs:
        p.send_signal(signal.SIGINT)
        out = p.stdout.read()
        _, _, usage = os.wait4(p.pid, 0)
        p.returncode = 0
        log.close()
        row["cpu_s"] += usage.ru_utime + usage.ru_stime
        row["rss_mib"] += usage.ru_maxrss / 1024
        row["lost"] += lost_by(kind, out, open(log.name).read(), sender["sent"])
    return row


def live(n):
    kinds = ["nothing", "4 x tcpdump", "podhop --terse", "podhop", "dumpcap, limits raised",
             "dumpcap"]
    result = {}
    with Lab() as lab:
        for label, options, count in [
                ("64-byte frames, 1 flow", "-s 22", 400000),
                ("64-byte frames, 100 flows", "-s 22 -f 100", 400000),
                ("64-byte frames, 10,000 flows", "-s 22 -f 10000", 400000),
                ("512-byte frames", "-s 470", 300000),
                ("1400-byte frames", "-s 1358", 200000),
                ("super-frames of 40 datagrams", "-s 1200 -G 40", 400000)]:
            rows = {k: [] for k in kinds}
            for _ in range(n):
                for k in kinds:
                    rows[k].append(one_live(lab, k, options, count))
            result[label] = {k: median(r) for k, r in rows.items()}
            table("live, " + label, result[label], "4 x tcpdump")
        curve = []
        for rate in [50000, 100000, 150000, 200000, 250000, 300000]:
            row = {"rate": rate}
            for k in kinds[1:]:
                row[k] = statistics.median(
                    one_live(lab, k, "-s 22 -r %d" % rate, rate)["lost"] / (4 * rate)
                    for _ in range(n))
            curve.append(row)
            print("loss at %7d/s: " % rate + ", ".join("%s %.2f %%" % (k, 100 * row[k])
                                                      for k in kinds[1:]), flush=True)
        result["loss_curve"] = curve
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


def start(n):
    """What a user, a shell's <Tab> and Wireshark wait for on a node with 100 pods."""
    n = max(n, 20)
    with Lab(" ".join("--pod node1:shop/web-%d" % i for i in range(98))) as lab:
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
        whole, rings = "capture, to its first frame", "of it the kernel's rings"
        rows = {name: [] for name in list(commands) + [whole, rings]}
        for _ in range(n):
            for name, command in commands.items():
                rows[name].append(run(shlex.join(inside + command)))
            begin = time.monotonic()
            p = subprocess.Popen(inside + [PODHOP, "capture", "shop/web-50"] + root, env=ENV,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for line in p.stderr:
                if b"capturing on" in line:
                    break
            wall = time.monotonic() - begin
            p.send_signal(signal.SIGINT)
            p.stderr.close()
            _, _, usage = os.wait4(p.pid, 0)
            p.returncode = 0
            rows[whole].append({
                "cpu_s": usage.ru_utime + usage.ru_stime, "rss_mib": usage.ru_maxrss / 1024,
                "wall_s": wall})
            text = subprocess.run(inside + ["python3", "-c", RINGS, "4"], env=ENV, check=True,
                                  capture_output=True, text=True).stdout
            wall, cpu = map(float, text.split())
            rows[rings].append({"cpu_s": cpu, "rss_mib": 0.0, "wall_s": wall})
        result = {name: median(r) for name, r in rows.items()}
    print("\nstart: 100 pods, medians of %d\n  %-28s %8s %8s" % (n, "", "ms", "CPU ms"))
    for name, r in result.items():
        print("  %-28s %8.1f %8.1f" % (name, 1000 * r["wall_s"], 1000 * r["cpu_s"]), flush=True)
    return result


# ---- output

def table(title, rows, base):
    print("\n%s\n  %-26s %8s %8s %9s %9s" % (title, "", "CPU s", "ratio", "MiB", "lost"))
    for name, r in rows.items():
        ratio = r["cpu_s"] / rows[base]["cpu_s"] if rows[base]["cpu_s"] else 0
        lost = "%9d" % r["lost"] if "lost" in r else ""
        sender = "  sender %d/s" % r["sender_per_s"] if "sender_per_s" in r else ""
        print("  %-26s %8.3f %8.2f %9.1f %s%s" % (name, r["cpu_s"], ratio, r["rss_mib"], lost,
                                                  sender), flush=True)


def plot(path, title, rows, base):
    """Bars of CPU time relative to base."""
    values = [(k, r["cpu_s"] / rows[base]["cpu_s"]) for k, r in rows.items() if r["cpu_s"]]
    most, bar, text = max(v for _, v in values), 24, []
    for i, (name, v) in enumerate(values):
        y = 40 + i * (bar + 8)
        text.append('<text x="10" y="%d">%s</text>' % (y + 17, html.escape(name)))
        text.append('<rect x="190" y="%d" width="%.1f" height="%d" fill="%s"/>' % (
            y, max(1.0, 380 * v / most), bar, "#326ce5" if "podhop" in name else "#999"))
        text.append('<text x="%.1f" y="%d">%.2f</text>' % (196 + 380 * v / most, y + 17, v))
    with open(path, "w", encoding="utf-8") as f:
        f.write('<svg xmlns="http://www.w3.org/2000/svg" width="640" height="%d" '
                'font-family="sans-serif" font-size="13"><text x="10" y="22" font-weight="bold">'
                '%s: CPU time, %s = 1</text>%s</svg>\n' % (
                    50 + len(values) * (bar + 8), html.escape(title), html.escape(base),
                    "".join(text)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("-n", type=int, default=5, help="repetitions (5)")
    parser.add_argument("--long", action="store_true", help="growth up to 100 million frames")
    parser.add_argument("part", nargs="*", choices=[[], "offline", "captured", "growth", "stages",
                                                    "verify", "start", "live"])
    o = parser.parse_args()
    parts = o.part or ["stages", "offline", "growth", "verify"] + (
        ["captured", "start", "live"] if os.geteuid() == 0 else [])
    os.makedirs(OUT, exist_ok=True)
    os.environ["PATH"] = ENV["PATH"]
    result = {"machine": machine(), "repetitions": o.n}
    print("%(cpu)s, %(cpus)d CPUs, %(memory_mib)d MiB, Linux %(kernel)s, load %(load).1f" %
          result["machine"], flush=True)
    for part in parts:
        if part == "growth":
            result[part] = growth(o.n, o.long)
        else:
            result[part] = {"offline": offline, "captured": captured, "stages": stages,
                            "start": start, "live": live, "verify": verify}[part](o.n)
        with open(OUT + "/result.json", "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
    for part, base in (("offline", "capinfos -c"), ("live", "4 x tcpdump")):
        if part in result:
            label = "64-byte frames, 1 flow"
            plot("%s/%s.svg" % (OUT, part), part + ", " + label, result[part][label], base)


if __name__ == "__main__":
    main()
