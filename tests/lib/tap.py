# SPDX-License-Identifier: BSD-3-Clause
"""TAP for tests in Python; tap.sh is the same for those in bash. A test ends with done_testing()."""
import sys

n_tests = n_failed = 0


def ok(right, name, why=""):
    """why: lines that a failure goes along with."""
    global n_tests, n_failed
    n_tests += 1
    n_failed += not right
    print("%s %d - %s" % ("ok" if right else "not ok", n_tests, name), flush=True)
    if not right and str(why):
        print("\n".join("# " + line for line in str(why).splitlines()), flush=True)


def same(name, found, wanted):
    ok(found == wanted, name, "found:  %s\nwanted: %s" % (found, wanted))


def done_testing():
    print("1..%d" % n_tests)
    sys.exit(n_failed != 0)
