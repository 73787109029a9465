#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# malformed.sh - files that made other programs crash, through every command that reads files (TAP).
#
#   tests/cli/malformed.sh          $PODHOP: another binary, as make malformed's with sanitizers
#
# The files are not part of the source: $PODHOP_CAPTURES/malformed, else
# ../shared/captures/malformed; besides these, some that are made here. Of each run: no signal, no
# sanitizer's word, less than a second of CPU, a status of the contract. A file that is no capture is
# refused with its name; one that ends too early, as a walk over its records here tells, is never
# status 0.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${PYTHON:-/usr/bin/python3}
exec "$PYTHON" - "$root" "${PODHOP:-$root/build/podhop}" \
	"${PODHOP_CAPTURES:-$root/../shared/captures}/malformed" <<'PY'
import gzip, os, resource, signal, struct, subprocess, sys, tempfile

root, podhop, folder = sys.argv[1:]
CPU_MAX = 1.0
# Leaks cannot be looked for in a process that nobody may trace; the unit tests look for them.
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=0:exitcode=99", UBSAN_OPTIONS="halt_on_error=1",
           LC_ALL="C")
tmp = tempfile.TemporaryDirectory()
out = tmp.name + "/out.pcapng"
key = tmp.name + "/key"
with open(key, "wb") as f:
    f.write(os.urandom(32))

COMMANDS = [
    ("report", ["report", "-q", "FILE"], None),
    ("report as underlay, JSON", ["report", "-q", "-T", "json", "--hops", "underlay=FILE", "FILE"], None),
    ("report as veth, packets", ["report", "-q", "-T", "jsonl", "--hops", "veth=FILE", "--pod",
                                 "10.0.0.1", "FILE"], None),
    ("report from a pipe, all that is written",
     ["report", "-q", "--hops", "underlay=-", "-w", out, "--html", tmp.name + "/r.html", "--report",
      tmp.name + "/r.json", "-f", "ip or ip6", "-"], "FILE"),
    ("report, anonymous", ["report", "-q", "--hops", "veth=FILE", "-w", out, "--no-payload",
                           "--anonymize=" + key, "FILE"], None),
    ("report of what was written", ["report", "-q", "-T", "json", out], None),
    ("verify, alone", ["verify", "-q", "-T", "json", "--hops", "veth=FILE", "FILE"], None),
    ("verify, with a sound one", ["verify", "-q", root + "/samples/loss.pcapng", "other=FILE"], None),
    ("names", ["report", "-q", "--pods", "FILE", root + "/samples/loss.pcapng"], None),
]


def is_cut(data):
    """Does a classic pcap end inside a record? None: not one that this knows."""
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\x4d\x3c\xb2\xa1": "<",
             b"\xa1\xb2\x3c\x4d": ">"}.get(data[:4])
    if not order or len(data) < 24 or struct.unpack_from(order + "HH", data, 4) != (2, 4):
        return None
    at = 24
    while at < len(data):
        if len(data) - at < 16:
            return True
        at += 16 + struct.unpack_from(order + "I", data, at + 8)[0]
    return at > len(data)


def run(args, stdin, path):
    argv = [podhop] + [a.replace("FILE", path) for a in args]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(path if stdin else "/dev/null", "rb") as f:
        # A pipe, not the file itself.
        cat = subprocess.Popen(["cat"], stdin=f, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) if stdin else None
        try:
            p = subprocess.run(argv, stdin=cat.stdout if cat else f, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=ENV, timeout=60)
        except subprocess.TimeoutExpired:
            return None, "", 60.0
        finally:
            if cat:
                cat.stdout.close()
                cat.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return p.returncode, p.stderr.decode("utf-8", "replace"), cpu


def judge(status, said, cpu):
    if status is None:
        return "did not end"
    if status < 0:
        return "killed by " + signal.Signals(-status).name
    if status not in (0, 1, 2, 3, 4) or "Sanitizer" in said or "runtime error" in said:
        return f"status {status}: {said[-600:]}"
    if cpu > CPU_MAX:
        return f"{cpu:.1f} s of CPU"
    if status in (1, 2) and not said.strip():
        return f"status {status} without a word"
    return None


def made():
    """Files that are no captures, and captures that are damaged."""
    with open(root + "/samples/loss.pcapng", "rb") as f:
        good = f.read()
    no = {"empty": b"", "a-byte": b"\n", "text": b"hello world\n" * 100, "zeros": bytes(4096),
          "png": b"\x89PNG\r\n\x1a\n" + bytes(64), "gzip-of-text": gzip.compress(b"text\n" * 100),
          "gzip-of-nothing": gzip.compress(b""), "elf": b"\x7fELF" + bytes(200), "json": b'{"a":1}'}
    cut = {"cut-in-the-header": good[:20], "cut-in-a-block": good[:len(good) // 2 + 1],
           "gzip-cut": gzip.compress(good)[:-20],
           "block-length-0": good[:len(good) // 2 & ~3] + struct.pack("<II", 6, 0) + bytes(64),
           "block-length-huge": good + struct.pack("<II", 6, 0xfffffff0) + bytes(64),
           "pcap-header-only-cut": struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)[:-1],
           "pcap-record-huge": struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) +
           struct.pack("<IIII", 1, 2, 0x7fffffff, 0x7fffffff) + bytes(64)}
    for kind, files in (("no", no), ("cut", cut)):
        for name, data in files.items():
            path = f"{tmp.name}/{name}"
            with open(path, "wb") as f:
                f.write(data)
            yield path, kind
    yield tmp.name, "no"
    yield tmp.name + "/none", "no"


files = list(made())
if os.path.isdir(folder):
    for name in sorted(os.listdir(folder)):
        with open(f"{folder}/{name}", "rb") as f:
            data = f.read()
        files.append((f"{folder}/{name}", "cut" if is_cut(data) else "whole"))
else:
    print(f"# no {folder}: set PODHOP_CAPTURES")

bad = {name: [] for name, _, _ in COMMANDS}
runs, slowest, statuses = 0, 0.0, {}
for path, kind in files:
    if os.path.exists(out):
        os.unlink(out)
    for name, args, stdin in COMMANDS:
        if (stdin and not os.path.isfile(path)) or (out in args and "-w" not in args and not os.path.exists(out)):
            continue
        status, said, cpu = run(args, stdin, path)
        runs, slowest = runs + 1, max(slowest, cpu)
        statuses[status] = statuses.get(status, 0) + 1
        why = judge(status, said, cpu)
        reads_it = path in [a.replace("FILE", path) for a in args] + ["other=" + path] or stdin
        if not why and kind != "whole" and name not in ("names", "report of what was written"):
            if status == 0:
                why = "a silent success"
            elif kind == "no" and status not in (1, 2):
                why = f"status {status}"
            elif kind == "no" and os.path.basename(path) not in said and not stdin:
                why = f"does not name the file: {said}"
        # Names that are no names are refused as well.
        if not why and kind == "no" and name == "names" and status == 0 and os.path.basename(path) != "json":
            why = "a silent success"
        if why:
            bad[name].append(f"{os.path.basename(path)}: {why}")
print(f"1..{len(COMMANDS)}")
for n, (name, _, _) in enumerate(COMMANDS, 1):
    print(f"{'not ok' if bad[name] else 'ok'} {n} - {name}: {len(files)} files")
    for line in bad[name][:20]:
        print("# " + line.replace("\n", "\n# "))
print(f"# {runs} runs, at most {slowest:.2f} s of CPU, by status: " +
      ", ".join(f"{s}: {n}" for s, n in sorted(statuses.items(), key=str)))
sys.exit(any(bad.values()))
PY
