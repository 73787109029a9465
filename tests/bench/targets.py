# SPDX-License-Identifier: BSD-3-Clause
"""targets.py - what has to be shown beside what was measured: goal, target, measured, met."""
import collections

import live
import offline
from turns import beside

MEMORY_MIB = 64
START_MS = 50
GROWTH = 1.10   # the dearest frame beside the cheapest, 1 to 100 million
LONG = 100      # million frames
FILES = {"dumpcap": "dumpcap's file", "podhop": "podhop's file", "generated": "a file in order"}

# said: in place of the value; sources: the summaries that it is made of
Measured = collections.namedtuple("Measured", "value sources said interval", defaults=(None, None))


def at_most(limit, unit="x"):
    return ("<= %g %s" % (limit, unit), lambda m: m.value <= limit)


def at_least(limit, unit="x"):
    return (">= %g %s" % (limit, unit), lambda m: m.value >= limit)


def no_less(limit):
    """Of two that may be equal, chance decides who is ahead: not where the interval has both."""
    return ("not < %g x" % limit, lambda m: (m.interval[1] if m.interval else m.value) >= limit)


def ratio(rows, a, b, key="cpu_s"):
    """a's figure beside b's, and the results it is made of; None where one did not run."""
    if not rows or a not in rows or b not in rows or not rows[b][key]:
        return None
    value, interval = beside(rows[a], rows[b], key)
    return Measured(value, [rows[a], rows[b]], interval=interval)


def lossless(rows, kind):
    """Of all runs, disturbed ones too: what was lost was lost."""
    if not rows or kind not in rows:
        return None
    all_runs = rows[kind]["rows"]
    good = sum(not r["lost"] for r in all_runs)
    return Measured(good / len(all_runs), [rows[kind]], "%d of %d" % (good, len(all_runs)))


def memory(rows, kind):
    if not rows or kind not in rows:
        return None
    return Measured(max(r["own_mib"] for r in rows[kind]["rows"]), [rows[kind]])


def grown(result):
    rows = result.get("growth")
    if not rows or rows[-1]["frames"] < LONG * 1000000:
        return None
    each = [r["ns_a_frame"] for r in rows]
    return Measured(max(each) / min(each), rows)


def grown_memory(result):
    rows = result.get("growth")
    return Measured(max(r["rss_mib"] for r in rows), rows) if rows else None


def start(rows):
    if not rows:
        return None
    whole, rings = rows[live.WHOLE], rows[live.RINGS_SET_UP]
    return Measured(1000 * (whole["wall_s"] - rings["wall_s"]), [whole, rings])


def goals(result):
    """(goal, (target, whether a value meets it), measured or None)"""
    lives = result.get("live", {})
    main, many = lives.get(live.MAIN), lives.get(live.MANY)
    apart = result.get("apart", {}).get(live.MAIN)
    for kind in (live.DEFAULT, live.TERSE):
        yield "%s: runs without loss" % kind, ("all", lambda m: m.value == 1), lossless(main, kind)
    for rows, where in ((main, ""), (apart, ", CPUs apart")):
        yield ("%s: CPU beside %s%s" % (live.TERSE, live.BASE, where), at_most(1.0),
               ratio(rows, live.TERSE, live.BASE))
        yield ("%s: CPU beside %s%s" % (live.DEFAULT, live.BASE, where), at_most(1.3),
               ratio(rows, live.DEFAULT, live.BASE))
    yield ("%s: CPU beside %s" % (live.DEFAULT, live.RAISED), at_most(0.125),
           ratio(main, live.DEFAULT, live.RAISED))
    for rows, where in ((main, ""), (apart, ", CPUs apart")):
        for kind in (live.DEFAULT, live.TERSE):
            yield ("%s: sender's rate beside %s%s" % (kind, live.BASE, where), no_less(1.0),
                   ratio(rows, kind, live.BASE, "sender_per_s"))
    files = dict(result.get("captured", {}))
    files["generated"] = result.get("offline", {}).get(offline.MAIN)
    for name, label in FILES.items():
        rows = files.get(name)
        yield ("report beside %s, %s" % (offline.BASE, label), at_most(0.5),
               ratio(rows, "podhop report", offline.BASE))
        yield ("reordercap beside report -w, %s" % label, at_least(8),
               ratio(rows, "reordercap", "podhop report -w"))
    for name in ("dumpcap", "generated"):
        yield ("tshark -T fields beside report, %s" % FILES[name], at_least(150),
               ratio(files.get(name), "tshark -T fields", "podhop report"))
    for label, rows in ((live.MAIN, main), (live.MANY, many)):
        yield ("capture's memory without rings, %s" % label, at_most(MEMORY_MIB, "MiB"),
               memory(rows, live.DEFAULT))
    yield "report's memory, any length", at_most(MEMORY_MIB, "MiB"), grown_memory(result)
    yield ("CPU a frame, dearest beside cheapest, 1 to %d million" % LONG, at_most(GROWTH),
           grown(result))
    yield ("start to capturing beyond the rings', 100 pods", at_most(START_MS, "ms"),
           start(result.get("start")))


def row(goal, target, measured):
    text, meets = target
    if measured is None:
        return {"goal": goal, "target": text, "measured": None, "met": None, "disturbed": 0}
    said = measured.said or "%.3g %s" % (measured.value, text.split(" ")[-1])
    if measured.interval:
        said += " (%.3g to %.3g)" % measured.interval
    return {"goal": goal, "target": text, "measured": measured.value,
            "interval": measured.interval, "met": meets(measured), "said": said,
            "disturbed": sum(s["disturbed"] for s in measured.sources)}


def targets(result):
    return [row(*g) for g in goals(result)]


def show(rows):
    """In brackets: where the median of all such runs is, 95 % sure."""
    print("\n%-62s %-10s %-26s %s" % ("goal", "target", "measured", "met"))
    for r in rows:
        said = "not run" if r["met"] is None else r["said"]
        met = "" if r["met"] is None else "yes" if r["met"] else "NO"
        print("%-62s %-10s %-26s %s%s" % (r["goal"], r["target"], said, met,
                                          "  (of disturbed runs)" * bool(r["disturbed"])))
