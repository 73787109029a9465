#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# bench.sh - how the benchmarks measure and judge, without measuring anything that takes time (TAP).
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
command -v python3 >/dev/null || { echo '1..0 # SKIP no python3'; exit 0; }
BUILD=$BUILD PYTHONPATH=tests/lib:tests/bench exec python3 -B - <<'END_OF_TEST'
import collections
import os
import subprocess
import sys
import tempfile
import time
import xml.dom.minidom

import tap
import command
import draw
import live
import offline
import quiet
import targets
import turns

# Commands: what they cost is theirs alone.
parent_mib = 100
ballast = b"x" * (parent_mib << 20)
true = command.run("true")
tap.ok(0 < true["rss_mib"] < parent_mib / 4, "a command's memory is not that of who starts it", true)
busy = command.run([sys.executable, "-c", "for _ in range(300000): pass"])
tap.ok(0 < busy["cpu_s"], "CPU time is counted", busy)
tap.same("another status is allowed for", command.run("sh -c 'exit 3'", statuses=(3,)).keys(), true.keys())
try:
    command.run("false")
    tap.ok(False, "a command that fails ends the benchmark")
except SystemExit as e:
    tap.ok("false" in str(e), "a command that fails ends the benchmark", e)
c = command.Command(["sh", "-c", "trap 'exit 0' INT; echo ready; while :; do sleep 1; done"],
                    stdout=subprocess.PIPE)
c.process.stdout.readline()
c.interrupt()
tap.ok(c.cost()["wall_s"] > 0, "SIGINT reaches the command, and its cost is told")

# Turns.
for n in (2, 3, 6, 7):
    rounds = [turns.order(list(range(n)), i) for i in range(2 * n)]
    tap.ok(all(sorted(r) == list(range(n)) for r in rounds), "%d commands: a round has each once" % n)
    behind = collections.Counter(pair for r in rounds for pair in zip(r, r[1:]))
    tap.ok(len(behind) == n * (n - 1) and set(behind.values()) == {2},
           "%d commands: each comes behind each other one equally often" % n, behind)


class Said:
    """A machine that is disturbed as told, run by run."""

    def __init__(self, *disturbed):
        self.disturbed = list(disturbed)

    def before(self):
        pass

    def after(self):
        return ["noise"] if self.disturbed and self.disturbed.pop(0) else []


def measured(*disturbed, n=3):
    values = iter(range(1, 100))
    return turns.in_turn(Said(*disturbed), n, {"a": lambda: {"cpu_s": next(values)}})["a"]


def beside(a, b, noise=(), base=None):
    """Two commands' figures, round by round."""
    figures = {"a": iter(a), "b": iter(b)}
    rows = turns.in_turn(Said(*noise), 3, {k: lambda v=v: {"cpu_s": next(v)} for k, v in figures.items()},
                         base=base)
    return turns.beside(rows["a"], rows["b"], "cpu_s"), {k: len(r["rows"]) for k, r in rows.items()}


def told(r):
    return r["cpu_s"], r["runs"], r["disturbed"], r["left_out"]


tap.same("medians", told(measured()), (2, 3, 0, 0))
tap.same("a disturbed run is left out and done again", told(measured(1, 0, 0, 0)), (3, 3, 0, 1))
tap.same("nothing but disturbed runs: they are marked", told(measured(*[1] * 6)), (3.5, 6, 6, 0))
tap.ok("DISTURBED" in turns.note(measured(*[1] * 6)), "and the table says so")
tap.ok("left out" in turns.note(measured(1)), "what is left out is said")
tap.same("nothing is said of quiet runs", turns.note(measured()), "")

# Rounds: a b, b a, a b, b a ...
tap.same("a ratio is that of its rounds", beside([1, 20, 30], [2, 20, 40])[0], (0.75, (0.5, 1.0)))
tap.same("without a base a disturbed run is done again alone",
         beside([1, 20, 30], [99, 20, 40, 8], (0, 1))[1], {"a": 3, "b": 4})
tap.same("a round is done again whose base was disturbed",
         beside([1, 20, 30, 8], [99, 20, 40, 8], (0, 1), "b"), ((1.0, (0.75, 1.0)), {"a": 4, "b": 4}))
tap.same("a base runs beside what is done again",
         beside([99, 20, 30, 8], [1, 20, 40, 8], (1,), "b"), ((1.0, (0.75, 1.0)), {"a": 4, "b": 4}))
tap.same("nothing but disturbed rounds: the medians'", beside([1] * 6, [2] * 6, [1] * 12)[0], (0.5, None))
tap.same("of different turns: the medians'", turns.beside(measured(), measured(), "cpu_s"), (1.0, None))
tap.same("nothing to compare with", turns.beside(measured(), {"cpu_s": 0.0}, "cpu_s"), None)
tap.same("the interval of few: all", turns.interval([3, 1, 2]), (1, 3))
tap.same("of ten: without the outermost", turns.interval(list(range(10))), (1, 8))
tap.same("of twenty: from the sixth on", turns.interval(list(range(20))), (5, 14))

# The machine.
work = quiet.Watch.at_work
tap.same("nobody at work", work({1: ("init", 5.0)}, {1: ("init", 5.01)}, 5), [])
tap.ok("cc1" in str(work({1: ("init", 5.0)}, {1: ("init", 5.0), 7: ("cc1", 1.0)}, 5)),
       "a process that came")
tap.same("a process whose time its parent has now", work(
    {1: ("sh", 1.0), 2: ("cc1", 4.0)}, {1: ("sh", 5.0)}, 5), [])
mine = quiet.strangers()
tap.ok(os.getpid() not in mine and mine, "this process is no stranger")
with quiet.Awake() as awake:
    loops = [loop.pid for loop in awake.loops]
    tap.same("a loop a CPU", len(loops), len(os.sched_getaffinity(0)))
    # It has its policy a moment after it was started.
    while any(os.sched_getscheduler(pid) != os.SCHED_IDLE for pid in loops):
        time.sleep(0.01)
    tap.same("loops are no strangers", set(loops) & set(quiet.strangers()), set())
tap.same("no loop is left", [pid for pid in loops if os.path.exists("/proc/%d" % pid)], [])
with tempfile.TemporaryDirectory() as tmp:
    quiet.OUT = tmp
    tap.ok(quiet.Memory.probe() > 0, "a probe")
    tap.same("it leaves nothing behind", os.listdir(tmp), [])
    memory = quiet.Memory()
    memory.back(4)
    tap.same("memory that was touched", memory.touched_mib, 4)

    # Targets.
    tap.ok(all(r["met"] is None for r in targets.targets({})), "what did not run is not met")

    def row(**figures):
        return dict(figures, runs=1, disturbed=0, rows=[dict(figures, disturbed=[], turn=(0, 0))])

    def live_with(**podhop):
        base = dict(cpu_s=1.0, sender_per_s=100.0, lost=0, own_mib=1.0)
        return {"live": {live.MAIN: {live.BASE: row(**base), live.TERSE: row(**dict(base, **podhop)),
                                     live.DEFAULT: row(**dict(base, **podhop))}}}

    def failed(result):
        return [r["goal"] for r in targets.targets(result) if r["met"] is False]
    tap.same("all met", failed(live_with()), [])
    tap.same("a frame lost", len(failed(live_with(lost=1))), 2)
    tap.same("a slower sender", len(failed(live_with(sender_per_s=90.0))), 2)
    tap.same("not slower, as far as is known",
             [targets.no_less(1)[1](targets.Measured(0.98, [], interval=i))
              for i in ((0.95, 1.01), (0.95, 0.99), None)], [True, False, False])
    tap.same("more memory", len(failed(live_with(own_mib=65.0))), 1)
    tap.same("1.2 x the CPU: too much for --terse", len(failed(live_with(cpu_s=1.2))), 1)
    tap.same("1.4 x the CPU", len(failed(live_with(cpu_s=1.4))), 2)
    base = {offline.BASE: row(cpu_s=1.0), "podhop report": row(cpu_s=0.6)}
    tap.same("report dearer than half", len(failed({"captured": {"dumpcap": base}})), 1)
    grown = [dict(frames=m * 1000000, ns_a_frame=ns, rss_mib=9, disturbed=0)
             for m, ns in ((1, 100.0), (100, 111.0))]
    tap.same("more than linear", len(failed({"growth": grown})), 1)
    tap.ok(targets.row("goal", targets.at_most(1),
                       targets.Measured(1, [{"disturbed": 2}]))["disturbed"] == 2,
           "a target shows that its runs were disturbed")

    # Plots are XML.
    draw.bars(tmp + "/bars.svg", "a <b>", {"x": row(cpu_s=1.0), "podhop": row(cpu_s=2.0)}, "x")
    draw.loss_lines(tmp + "/loss.svg", [
        {"rate": r, "lost_share": {"a & b": r / 1e6, "podhop": 0.0}} for r in (50000, 100000)])
    for name in ("bars", "loss"):
        root = xml.dom.minidom.parse("%s/%s.svg" % (tmp, name)).documentElement
        tap.same(name + ".svg", root.tagName, "svg")
tap.done_testing()
END_OF_TEST
