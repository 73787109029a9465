# SPDX-License-Identifier: BSD-3-Clause
"""offline.py - podhop report and verify on files, beside what others do with the same files."""
import glob
import json
import os
import subprocess

from command import ENV, GEN, OUT, POD, PODHOP, STAGES, run
from draw import table
from turns import in_turn, note

MAIN = "64-byte frames, 1 flow"  # what the targets are about
CASES = {MAIN: "-n 1600000 -b 400",
         "512-byte frames, 1 flow": "-n 800000 -b 400 -s 470 -l 65535",
         "1400-byte frames, 1 flow": "-n 400000 -b 400 -s 1358 -l 65535",
         "64-byte frames, 100 flows": "-n 1600000 -b 400 -f 100",
         "64-byte frames, 10,000 flows": "-n 1600000 -b 400 -f 10000",
         "64-byte frames, 1,000,000 flows": "-n 4000000 -b 400 -f 1000000"}
BASE = "capinfos -c"
WRITTEN = os.path.join(OUT, "written.")  # by a command that is measured


def generate(name, options):
    path = os.path.join(OUT, name)
    with open(path, "wb") as f:
        subprocess.run([GEN] + options.split(), stdout=f, check=True)
    return path


def tidy(files):
    """No command pays for emptying the file of another, or for reading its input from the disk."""
    for old in glob.glob(WRITTEN + "*"):
        os.unlink(old)
    for path in files:
        with open(path, "rb") as f:
            while f.read(1 << 20):
                pass


def compare(watch, n, files, commands):
    result = in_turn(watch, n, {name: lambda c=c: run(c) for name, c in commands.items()},
                     lambda: tidy(files))
    tidy([])
    return {name: dict(r, command=commands[name].replace(OUT + "/", ""))
            for name, r in result.items()}


def on_file(watch, n, label, f, pod="", tshark=False):
    """podhop report beside the others on one file."""
    report = "%s report %s -q --json%s" % (PODHOP, f, pod)
    result = compare(watch, n, [f], {
        BASE: "capinfos -c %s" % f, "podhop report": report,
        "tcpdump -r -w": "tcpdump -r %s -w %stcpdump.pcap" % (f, WRITTEN),
        "podhop report -w": "%s -w %spodhop.pcapng" % (report, WRITTEN),
        "reordercap": "reordercap %s %sreordercap.pcapng" % (f, WRITTEN)})
    if tshark:  # slow, and far from the others: once
        result.update(compare(watch, 1, [f], {
            "tshark -T fields": "tshark -n -r %s -T fields -e frame.time_epoch -e ip.src -e ip.dst"
                                % f}))
    table("offline, " + label, result, BASE)
    return result


def offline(watch, n, labels=CASES):
    result = {}
    for label in labels:
        f = generate("in.pcapng", CASES[label])
        result[label] = on_file(watch, n, label, f, " --pod " + POD, label == MAIN)
        os.unlink(f)
    return result


def generated(millions):
    """podhop report on a capture that is made as it is read."""
    with subprocess.Popen([GEN, "-n", str(millions * 1000000)], stdout=subprocess.PIPE) as gen:
        row = run("%s report - -q --json --pod %s" % (PODHOP, POD), gen.stdout)
        gen.stdout.close()
    return dict(row, frames=millions * 1000000, ns_a_frame=row["cpu_s"] * 1000 / millions)


def growth(watch, n, millions):
    result = []
    for m in millions:
        r = in_turn(watch, n if m < 10 else 1, {m: lambda m=m: generated(m)})[m]
        result.append(r)
        print("growth: %4d million frames  %6.1f ns a frame  %6.1f MiB%s" % (
            m, r["ns_a_frame"], r["rss_mib"], note(r)), flush=True)
    return result


def verify(watch, n):
    """Two nodes' captures of the same traffic, in one pass, beside capinfos on the same files."""
    result = []
    for millions in [1, 2, 5, 10]:
        # Of 50 packets one is answered, of 10,000 one is lost between the nodes.
        files = [generate("node%d.pcapng" % node, "-n %d -e 50 -x 10000 -N %d" %
                          (millions * 1000000, node)) for node in (1, 2)]
        command = [PODHOP, "verify", "-q", "--json", "--pod", "a=10.244.1.2", "--pod",
                   "b=10.244.2.2", "a=" + files[0], "b=" + files[1]]
        said = json.loads(subprocess.run(command, capture_output=True, env=ENV,
                                         check=False).stdout)
        lost = [d["lost"] for d in said["directions"]]
        wanted = millions * 1000000 // 4 // 10000
        if lost != [wanted, 0]:
            raise SystemExit("bench: verify found %s lost, %d are" % (lost, wanted))
        rows = in_turn(watch, n, {"capinfos": lambda f=files: run(["capinfos"] + f),
                                  "podhop verify": lambda c=command: run(c, statuses=(3,))},
                       lambda f=files: tidy(f))
        result.append(dict(rows, frames_each=millions * 1000000, lost=wanted))
        table("verify, 2 x %d million frames, %d lost and found" % (millions, wanted), rows,
              "capinfos")
        for f in files:
            os.unlink(f)
    return result


def stages():
    f = generate("stages.pcapng", "-n 200000")
    result = json.loads(subprocess.run([STAGES, f], capture_output=True, check=True).stdout)
    os.unlink(f)
    print("stages, ns a frame: " + ", ".join("%s %s" % (k[:-3], v) for k, v in result.items()
                                              if k.endswith("_ns")), flush=True)
    return result
