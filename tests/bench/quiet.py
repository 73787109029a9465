# SPDX-License-Identifier: BSD-3-Clause
"""quiet.py - whether the machine lets figures be compared: memory that is backed, nobody at work.

A virtual machine often gives memory that is free back to its host (free page reporting, within
seconds), which backs a page anew when it is touched again. Writing a file into such pages costs ten
times as much, and who has to is chance. What is reported are free blocks of a page block (2 MiB)
and more. So `Memory` touches memory and then frees all of it but the last page of each page
block: what is free there is backed and stays so, in pieces of up to 1 MiB, and the kernel takes
smaller pieces first. `Watch` looks before and after each run whether that still holds, and who
else used the CPU.

A recorder sleeps most of its time. What a CPU does meanwhile (a lower clock; a virtual one gives
its host's CPU away) makes the next milliseconds dearer, by up to half, and how much is chance. So
`Awake` gives each CPU a loop that runs when nothing else wants to, for all commands alike.
"""
import array
import ctypes
import mmap
import os
import platform
import re
import subprocess
import sys
import time

from command import OUT

MIB = 1 << 20
TOUCHED_MIB = 4096       # several runs' files, dumpcap's queue: 1 GiB in pieces of 1 MiB
PROBE_MIB = 32           # some 5 ms
PROBE_RATIO = 1.6        # backed memory differs by a tenth, memory that is not by 2 to 10
STRAY_SHARE = 0.03       # of one CPU
STRAY_S = 0.03           # three clock ticks: less cannot be told from none
IDLE_S = 0.25            # how long nobody else may be at work before a run begins
WAIT_S = 120             # for that, in all
STOLEN_SHARE = 0.03      # of all CPUs, by the host
PF_KTHREAD = 0x200000    # in /proc/PID/stat
PFN_MASK = (1 << 55) - 1  # of an entry of /proc/PID/pagemap
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def available_mib():
    return int(re.search(r"MemAvailable:\s*(\d+)", read("/proc/meminfo")).group(1)) // 1024


def machine():
    model = re.search(r"model name\s*: (.*)", read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", read("/proc/meminfo"))
    return {"cpu": model.group(1) if model else platform.machine(), "cpus": os.cpu_count(),
            "memory_mib": int(memory.group(1)) // 1024, "kernel": platform.release(),
            "load": os.getloadavg()[0]}


def page_block():
    try:
        return int(read("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")) // mmap.PAGESIZE
    except (OSError, ValueError):
        return 512


class Memory:
    """Free memory that stays backed as long as this process lives."""

    def __init__(self):
        self.held = []
        self.touched_mib = 0

    def back(self, mib):
        """Touches mib MiB and frees them but one page a page block. Only root sees which."""
        area = mmap.mmap(-1, mib * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        area.madvise(mmap.MADV_NOHUGEPAGE)
        for at in range(0, len(area), mmap.PAGESIZE):
            area[at] = 1
        block = page_block()
        kept = [i for i, pfn in enumerate(self.frames(area)) if pfn % block == block - 1]
        begin = 0
        for i in kept + [len(area) // mmap.PAGESIZE]:
            if i > begin:
                area.madvise(mmap.MADV_DONTNEED, begin * mmap.PAGESIZE,
                             (i - begin) * mmap.PAGESIZE)
            begin = i + 1
        self.held.append(area)
        self.touched_mib += mib

    @staticmethod
    def frames(area):
        """The page frame numbers of a mapping's pages; 0 for all who is not root."""
        first = ctypes.c_char.from_buffer(area)
        entries = array.array("Q")
        with open("/proc/self/pagemap", "rb") as f:
            f.seek(ctypes.addressof(first) // mmap.PAGESIZE * entries.itemsize)
            entries.frombytes(f.read(len(area) // mmap.PAGESIZE * entries.itemsize))
        return [entry & PFN_MASK for entry in entries]

    @staticmethod
    def probe():
        """Microseconds of CPU time that a MiB of a new file costs."""
        path, piece = os.path.join(OUT, "probe"), bytes(MIB)
        fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        begin = time.thread_time()
        for _ in range(PROBE_MIB):
            os.write(fd, piece)
        cost = time.thread_time() - begin
        os.close(fd)
        os.unlink(path)
        return 1e6 * cost / PROBE_MIB


def processes():
    """{pid: (parent, name, CPU seconds with its waited-for children)} of all programs."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = read("/proc/%s/stat" % pid)
        except OSError:
            continue  # it has ended
        name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        if not int(rest[6]) & PF_KTHREAD:
            found[int(pid)] = int(rest[1]), name, sum(map(int, rest[11:15])) * TICK_S
    return found


def strangers():
    """{pid: (name, CPU seconds)} of programs that are neither this one nor its descendants."""
    all_of_them, mine = processes(), {}

    def is_mine(pid):
        if pid not in mine:
            mine[pid] = pid == os.getpid() or (pid in all_of_them and is_mine(all_of_them[pid][0]))
        return mine[pid]
    return {pid: (name, cpu) for pid, (_, name, cpu) in all_of_them.items() if not is_mine(pid)}


def stolen_s():
    """Seconds of CPU time that the host gave to others since it started."""
    return int(read("/proc/stat").split("\n", 1)[0].split()[8]) * TICK_S


class Awake:
    """No CPU sleeps. The loops end with this process, however it ends."""

    def __init__(self):
        self.loops = []

    def __enter__(self):
        for cpu in sorted(os.sched_getaffinity(0)):
            self.loops.append(subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "chrt", "--idle", "0", "taskset", "-c", str(cpu),
                 sys.executable, "-c", "while True: pass"]))
        return self

    def __exit__(self, *_):
        for loop in self.loops:
            loop.kill()
            loop.wait()


class Watch:
    """Before and after each run."""

    def __init__(self):
        self.memory = Memory()
        self.best = self.cold = None  # us a MiB of a new file: backed, and before any was touched
        self.at_begin = None
        self.waited_s = 0.0

    def prepare(self):
        """Backs memory, once, and says so."""
        os.sync()
        self.cold = self.memory.probe()
        if os.geteuid() == 0:
            self.memory.back(min(TOUCHED_MIB, available_mib() // 4))
        self.best = min(self.cold, self.memory.probe())
        print("memory: a MiB of a new file took %.0f us; %d MiB touched; now %.0f us" % (
            self.cold, self.memory.touched_mib, self.best), flush=True)

    def before(self):
        """What a run before left to be written is written; its memory is backed."""
        if self.best is None:
            self.prepare()
        os.sync()
        self.wait_for_others()
        probe = self.memory.probe()
        if probe > PROBE_RATIO * self.best and os.geteuid() == 0 and \
                available_mib() > 2 * TOUCHED_MIB:
            self.memory.back(TOUCHED_MIB // 2)
            probe = self.memory.probe()
            print("memory: %d MiB touched in all; a MiB of a new file takes %.0f us" % (
                self.memory.touched_mib, probe), file=sys.stderr)
        self.best = min(self.best, probe)
        self.at_begin = probe, time.monotonic(), stolen_s(), strangers()

    def wait_for_others(self):
        while True:
            begin, others = time.monotonic(), strangers()
            time.sleep(IDLE_S)
            idle = not self.at_work(others, strangers(), IDLE_S)
            if idle or self.waited_s > WAIT_S:
                return
            self.waited_s += time.monotonic() - begin

    def said(self):
        """For the results: MiB touched, and what a MiB of a new file costs."""
        return {"touched_mib": self.memory.touched_mib, "us_a_mib_at_first": self.cold,
                "us_a_mib": self.best, "waited_for_others_s": self.waited_s}

    def after(self):
        """Why the run since `before` should not be compared; nothing if it may be."""
        probe, begin, stolen, others = self.at_begin
        wall, reasons = time.monotonic() - begin, []
        stolen = (stolen_s() - stolen) / wall / os.cpu_count()
        if stolen > STOLEN_SHARE:
            reasons.append("the host took %.0f %% of the CPUs" % (100 * stolen))
        reasons += self.at_work(others, strangers(), wall)
        worst = max(probe, self.memory.probe())
        if worst > PROBE_RATIO * self.best:
            reasons.append("memory not backed: %.0f us a MiB, %.0f at best" % (worst, self.best))
        return reasons

    @staticmethod
    def at_work(before, after, wall):
        """Others' CPU time. A process that ended is in its parent's: the sum stays whole."""
        stray = sum(cpu for _, cpu in after.values()) - sum(cpu for _, cpu in before.values())
        if stray < max(STRAY_S, STRAY_SHARE * wall):
            return []
        used = sorted(((cpu - before.get(pid, ("", 0.0))[1], name)
                       for pid, (name, cpu) in after.items()), reverse=True)
        return ["others used %.0f %% of a CPU: %s" % (
            100 * stray / wall, ", ".join(name for cpu, name in used[:3] if cpu > 0) or "ended")]
