#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench.py - podhop beside tcpdump, dumpcap, capinfos, reordercap and tshark.

Commands of one comparison run in turn, as often as asked for; the ratio of their CPU times (user
and system, all processes) is taken round by round, and the median of that. Results go to
build/bench/result.json, a table to standard output, plots to build/bench/*.svg.

usage: bench.py [-n REPETITIONS] [--long] [PART...]
PART: stages offline growth verify captured start apart live (default: all; the last four: root),
or targets: of offline, growth, captured, start, apart and live what the table at the end needs
"""
import argparse
import json
import os
import signal
import sys

sys.dont_write_bytecode = True  # pylint: disable=wrong-import-position
import draw
import live
import offline
import targets
from command import OUT
from quiet import Awake, Watch, machine

GROWTH = [1, 10, 50]  # million frames
PARTS = {"stages": lambda watch, o: offline.stages(),
         "offline": lambda watch, o: offline.offline(watch, o.n),
         "growth": lambda watch, o: offline.growth(watch, o.n, GROWTH + [targets.LONG] * o.long),
         "verify": lambda watch, o: offline.verify(watch, o.n),
         "captured": lambda watch, o: live.captured(watch, o.n),
         "start": lambda watch, o: live.start(watch, o.n),
         "apart": lambda watch, o: live.apart(watch, o.n),
         "live": lambda watch, o: live.live(watch, o.n)}
# Of these parts what the table of targets needs, no more.
TARGETS = {"start": PARTS["start"],
           "apart": PARTS["apart"],
           "live": lambda watch, o: live.live_targets(watch, o.n),
           "captured": PARTS["captured"],
           "offline": lambda watch, o: offline.offline(watch, o.n, [offline.MAIN]),
           "growth": lambda watch, o: offline.growth(watch, o.n, GROWTH + [targets.LONG])}
AS_ROOT = {"captured", "start", "apart", "live"}


def chosen(names, is_root):
    """{part: what measures it}"""
    if "targets" in names:
        return TARGETS
    return {p: PARTS[p] for p in names or [p for p in PARTS if is_root or p not in AS_ROOT]}


def plots(result):
    if "offline" in result:
        draw.bars(OUT + "/offline.svg", "offline, " + offline.MAIN,
                  result["offline"][offline.MAIN], offline.BASE)
    if "live" in result:
        draw.bars(OUT + "/live.svg", "live, " + live.MAIN, result["live"][live.MAIN], live.BASE)
        if "loss_curve" in result["live"]:
            draw.loss_lines(OUT + "/loss.svg", result["live"]["loss_curve"])


def save(result):
    with open(OUT + "/result.json", "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("-n", type=int, default=5, help="repetitions (5)")
    parser.add_argument("--long", action="store_true", help="growth up to 100 million frames")
    parser.add_argument("part", nargs="*", choices=[[], "targets"] + list(PARTS))
    o = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by SIGTERM"))  # the lab goes
    result, watch = {"machine": machine(), "repetitions": o.n}, Watch()
    print("%(cpu)s, %(cpus)d CPUs, %(memory_mib)d MiB, Linux %(kernel)s, load %(load).2f" %
          result["machine"], flush=True)
    with Awake():
        for part, measure in chosen(o.part, os.geteuid() == 0).items():
            result[part] = measure(watch, o)
            result["machine"].update(load_at_end=os.getloadavg()[0], memory=watch.said())
            save(result)
    print("\nload at the end: %.2f" % result["machine"]["load_at_end"])
    result["targets"] = targets.targets(result)
    targets.show(result["targets"])
    save(result)
    plots(result)


if __name__ == "__main__":
    main()
