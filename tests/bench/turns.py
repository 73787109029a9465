# SPDX-License-Identifier: BSD-3-Clause
"""turns.py - who runs when: each in turn, in changing order, disturbed runs once more; medians."""
import itertools
import math
import statistics

MORE = 2  # rounds in all, for each round asked for, where runs were disturbed
SURE = 0.95  # of the interval in which a median is
serial = itertools.count()


def order(names, i):
    """Round i's order: over 2 x len(names) rounds each comes behind each other one twice."""
    n = len(names)
    zigzag = [(j + 1) // 2 if j % 2 else n - j // 2 for j in range(n)]  # 0, 1, -1, 2, -2, ...
    turned = [names[(z + i // 2) % n] for z in zigzag]
    return turned[::-1] if i % 2 else turned


def summary(rows, n):
    """Medians of what was not disturbed, if that is half of n; else of all, and it says so."""
    good = [r for r in rows if not r["disturbed"]]
    used = good[:n] if 2 * len(good) >= n else rows
    keys = [k for k, v in rows[0].items() if isinstance(v, (int, float))]
    result = {k: statistics.median(r[k] for r in used) for k in keys}
    return dict(result, runs=len(used), disturbed=sum(bool(r["disturbed"]) for r in used),
                left_out=sum(bool(r["disturbed"]) for r in rows if r not in used), rows=rows)


def note(result):
    """What has to be said beside a figure whose runs were not all left alone."""
    why = [reason for r in result["rows"] for reason in r["disturbed"]]
    if result["disturbed"]:
        return "  DISTURBED, %d of %d runs: %s" % (result["disturbed"], result["runs"], why[-1])
    return "  (%d disturbed runs left out: %s)" % (result["left_out"], why[-1]) if why else ""


def pairs(a, b):
    """Two summaries' runs of one round each, both undisturbed: [(a's, b's)]."""
    there = {tuple(r["turn"]): r for r in b["rows"] if not r["disturbed"]}
    found = [(r, there.get(tuple(r["turn"]))) for r in a["rows"] if not r["disturbed"]]
    return [(x, y) for x, y in found if y]


def interval(values):
    """Where the median of all such values is, SURE of it, whatever their distribution."""
    n, tail, k = len(values), 0.0, 0
    while k < n // 2:
        tail += 2 * math.comb(n, k) / 2 ** n
        if tail > 1 - SURE:
            break
        k += 1
    k = max(k, 1) - 1
    return sorted(values)[k], sorted(values)[n - 1 - k]


def beside(a, b, key):
    """
    How a's figure is beside b's: (ratio, interval), or None where b has none. Of what ran in the
    same rounds, the median of the rounds' ratios: what changes with the hour is in both. Else, or
    where most rounds were disturbed, the ratio of the medians, and no interval.
    """
    if not b[key]:
        return None
    both = pairs(a, b)
    if 2 * len(both) < max(a["runs"], b["runs"]) or not all(y[key] for _, y in both):
        return a[key] / b[key], None
    ratios = [x[key] / y[key] for x, y in both]
    return statistics.median(ratios), interval(ratios) if len(ratios) > 1 else None


def in_turn(watch, n, what, tidy=lambda: None, base=None):
    """{name: function that runs it and returns figures}, n times: {name: summary}.

    tidy is called before each run, outside of its figures. base: what the others are compared
    with, so a round counts where neither was disturbed."""
    rows = {name: [] for name in what}
    call = next(serial)

    def missing(name):
        quiet = {r["turn"][1] for r in rows[name] if not r["disturbed"]}
        if base in rows:
            quiet &= {r["turn"][1] for r in rows[base] if not r["disturbed"]}
        return n - len(quiet)
    for i in range(MORE * n):
        wanted = [name for name in what if i < n or missing(name) > 0]
        for name in order(list(what), i):
            if name not in wanted and not (wanted and name == base):
                continue
            tidy()
            watch.before()
            row = what[name]()
            row["disturbed"], row["turn"] = watch.after(), (call, i)
            rows[name].append(row)
    return {name: summary(r, n) for name, r in rows.items()}
