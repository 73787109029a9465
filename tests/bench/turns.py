# SPDX-License-Identifier: BSD-3-Clause
"""turns.py - who runs when: each in turn, in changing order, disturbed runs once more; medians."""
import statistics

MORE = 2  # rounds in all, for each round asked for, where runs were disturbed


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


def in_turn(watch, n, what, tidy=lambda: None):
    """{name: function that runs it and returns figures}, n times: {name: summary}.

    tidy is called before each run, outside of its figures."""
    rows = {name: [] for name in what}

    def missing(name):
        return n - sum(not r["disturbed"] for r in rows[name])
    for i in range(MORE * n):
        for name in order(list(what), i):
            if i >= n and missing(name) <= 0:
                continue
            tidy()
            watch.before()
            row = what[name]()
            row["disturbed"] = watch.after()
            rows[name].append(row)
    return {name: summary(r, n) for name, r in rows.items()}
