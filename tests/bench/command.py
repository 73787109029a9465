# SPDX-License-Identifier: BSD-3-Clause
"""command.py - where things are, and what running one command costs (by cost.c)."""
import json
import os
import shlex
import signal
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD") or os.path.join(ROOT, "build"))
PODHOP = os.environ.get("PODHOP", os.path.join(BUILD, "podhop"))
OUT = os.path.join(BUILD, "bench")
COST, GEN, STAGES = (os.path.join(OUT, name) for name in ("cost", "gen", "stages"))
POD = "10.244.1.2"  # what gen and the lab give node1's pod
ENV = dict(os.environ, PODHOP_LAB="bench%d" % os.getpid(), LC_ALL="C", TZ="UTC")
ENV["PATH"] += ":/usr/sbin:/sbin"
os.environ["PATH"] = ENV["PATH"]


class Command:
    """A command that runs. Its standard streams are popen's arguments."""

    def __init__(self, argv, **popen):
        self.argv = argv
        self.pipe, end = os.pipe()
        self.process = subprocess.Popen([COST, str(end)] + argv, pass_fds=[end], env=ENV,
                                        start_new_session=True, **popen)
        os.close(end)

    def ended(self):
        return self.process.poll() is not None

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)

    def cost(self, statuses=(0,)):
        """Waits for its end: cpu_s, user_s, rss_mib and wall_s. Another status ends the benchmark."""
        with os.fdopen(self.pipe) as f:
            text = f.read()
        self.process.wait()
        cost = json.loads(text) if text else {"status": None}
        if cost.pop("status") not in statuses:
            sys.exit("bench: failed: %s" % shlex.join(self.argv))
        return cost


def run(command, stdin=None, stdout=subprocess.DEVNULL, statuses=(0,)):
    """cpu_s, user_s, rss_mib and wall_s of one command, a line as in a shell or a list."""
    argv = shlex.split(command) if isinstance(command, str) else command
    return Command(argv, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL).cost(statuses)
