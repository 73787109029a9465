#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""cluster.py - what a cluster of many nodes sends and costs when each node correlates by itself.

    tests/bench/cluster.py [-n NODES] [-p PACKETS] [-f FLOWS] [-s PAYLOAD]

Simulated: the nodes. One node's capture is generated (build/bench/gen: PACKETS datagrams of PAYLOAD
bytes over four hops, FLOWS flows), and podhop reports on it for real; that report, with other node
names and addresses, stands for each of NODES. Real: the bytes of every form in which a node
can send what it saw, the CPU time of making it, and the merge of all reports by
samples/kubernetes/cluster.jq. Not in it: the network and the API server between.
"""
import argparse
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True  # pylint: disable=wrong-import-position
from command import GEN, POD, PODHOP, ROOT, run


def size(n):
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n < 1000 or unit == "TB":
            return f"{n:.3g} {unit}" if n < 1000 else f"{n:.0f} {unit}"
        n /= 1000
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("-n", type=int, default=1000, metavar="NODES")
    parser.add_argument("-p", type=int, default=50000, metavar="PACKETS")
    parser.add_argument("-f", type=int, default=200, metavar="FLOWS")
    parser.add_argument("-s", type=int, default=1000, metavar="PAYLOAD")
    o = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="podhop-cluster.") as tmp:
        def path(name):
            return os.path.join(tmp, name)
        for name, snaplen in (("in.pcapng", "65535"), ("short.pcapng", "128")):
            with open(path(name), "wb") as f:
                run([GEN, "-n", str(4 * o.p), "-f", str(o.f), "-s", str(o.s), "-l", snaplen],
                    stdout=f)
        print(f"a node: {o.p} packets of {o.s} bytes in {o.f} flows, seen at four hops")
        rows = []
        for name, source, options in (
                ("frames of four hops (pcapng)", "in.pcapng", ["-q", "-w", "-"]),
                ("the same, 128 bytes of each", "short.pcapng", ["-q", "-w", "-"]),
                ("a record a packet (jsonl)", "in.pcapng", ["-T", "jsonl"]),
                ("the report (json)", "in.pcapng", ["--json"])):
            with open(path("out"), "wb") as f:
                cost = run([PODHOP, "report", path(source), "--pod", POD, "--node", "node1"]
                           + options, stdout=f)
            rows.append((name, os.path.getsize(path("out")), cost["cpu_s"], cost["rss_mib"]))
        print(f"  {'what a node sends':<32}{'bytes':>10}{'x ' + str(o.n) + ' nodes':>16}{'CPU s':>8}{'MiB':>6}")
        for name, n, cpu, rss in rows:
            print(f"  {name:<32}{size(n):>10}{size(n * o.n):>16}{cpu:>8.2f}{rss:>6.0f}")
        with open(path("out"), encoding="utf-8") as f:
            text = f.read()
        reports = []
        for i in range(o.n):
            high, low = divmod(i + 1, 250)
            reports.append(path(f"{i}.json"))
            with open(reports[-1], "w", encoding="utf-8") as f:
                f.write(text.replace('"node1"', f'"node{i + 1}"')
                        .replace("10.244.1.", f"10.{100 + high}.{low}."))
        with open(path("cluster.json"), "wb") as f:
            cost = run(["jq", "-n", "-f", os.path.join(ROOT, "samples/kubernetes/cluster.jq")]
                       + reports, stdout=f)
        with open(path("cluster.json"), encoding="utf-8") as f:
            merged = json.load(f)
        one = json.loads(text)
        if merged["nodes"] != o.n or merged["packets"]["total"] != o.n * one["packets"]["total"]:
            sys.exit("cluster.py: the merged report does not add up")
        print(f"merging {o.n} reports (cluster.jq): {cost['cpu_s']:.2f} s of CPU, "
              f"{cost['rss_mib']:.0f} MiB; "
              f"{size(os.path.getsize(path('cluster.json')))} come of it, "
              f"{merged['packets']['total']} packets in all")


main()
