#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# terminal.sh - colours and progress: on a terminal, and nowhere else (TAP).
#
# The terminal is a pseudo-terminal of 40 or 100 columns. How long a run takes is in the test's hand:
# the capture comes through a pipe, and its end only when the progress line was seen.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$root/build}
PODHOP=${PODHOP:-$BUILD/podhop}
PYTHON=${PYTHON:-/usr/bin/python3}
command -v "$PYTHON" >/dev/null || { echo "1..0 # SKIP no python3"; exit 0; }
exec env PYTHONPATH="$root/tests/lib" "$PYTHON" -B - "$PODHOP" "$root/samples" "$BUILD/preload/haste.so" <<'PY'
import fcntl, os, pty, re, select, signal, struct, subprocess, sys, termios, time

import made, tap

PODHOP, SAMPLES, HASTE = sys.argv[1:4]
signal.alarm(100)


def terminal(columns):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    mode = termios.tcgetattr(theirs)
    mode[1] &= ~termios.OPOST
    termios.tcsetattr(theirs, termios.TCSANOW, mode)
    return ours, theirs


def read(fd, until=None):
    """What comes, up to a pattern or the end."""
    text = b""
    while until is None or not re.search(until, text):
        try:
            more = os.read(fd, 65536)
        except OSError:  # EIO: the other end has closed
            break
        if not more:
            break
        text += more
    return text


def on_terminal(arguments, **env):
    ours, theirs = terminal(100)
    e = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TERM")}
    p = subprocess.Popen([PODHOP] + arguments, stdin=subprocess.DEVNULL, stdout=theirs,
                         stderr=theirs, env=dict(e, **env))
    os.close(theirs)
    text = read(ours)
    os.close(ours)
    p.wait()
    return text


COLOR = re.compile(rb"\033\[[0-9;]*m")
report = ["report", SAMPLES + "/loss.pcapng"]
text = on_terminal(report, TERM="xterm")
tap.ok(COLOR.search(text) and b"losses" in text, "colours on a terminal", text[:200])
for name, env in (("NO_COLOR", {"TERM": "xterm", "NO_COLOR": "1"}), ("TERM=dumb", {"TERM": "dumb"})):
    text = on_terminal(report, **env)
    tap.ok(b"\033" not in text and b"losses" in text, f"no colours with {name}", text[:200])
text = on_terminal(report, TERM="xterm", NO_COLOR="")
tap.ok(COLOR.search(text), "an empty NO_COLOR is none", text[:200])
for command in (report, ["help", "capture"], ["verify", SAMPLES + "/remote.pcapng"],
                ["report", "/nonexistent"], ["list", "--frobnicate"]):
    p = subprocess.run([PODHOP] + command, capture_output=True, env=dict(os.environ, TERM="xterm"),
                       check=False)
    tap.ok(b"\033" not in p.stdout + p.stderr, "none into a pipe: " + command[0], p.stderr)
p = subprocess.run([PODHOP] + report, capture_output=True, check=False)
tap.ok(p.stderr == b"", "no progress into a pipe", p.stderr)


def with_progress(columns, term, options, wait):
    """Output on stderr of a run that lasts until progress was seen (wait), or 1.5 s of none."""
    ours, theirs = terminal(columns)
    with open(SAMPLES + "/segments-off.pcapng", "rb") as f:
        capture = f.read()
    p = subprocess.Popen([PODHOP, "report", "-", "--json"] + options, stdin=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, stderr=theirs, env=dict(os.environ, TERM=term))
    os.close(theirs)
    # The second half only when the line was drawn twice: then the first was drawn over.
    p.stdin.write(capture[:len(capture) // 2])
    p.stdin.flush()
    text = b""
    if wait:
        text = read(ours, rb"podhop: [\d,]+[^\r]*\r[^\r]*podhop: [\d,]+|podhop: [\d,]+.*\r.*podhop: ")
    else:
        time.sleep(1.5)  # nothing is to come: there is nothing to wait for
    p.stdin.write(capture[len(capture) // 2:])
    p.stdin.close()
    text += read(ours)
    os.close(ours)
    return p.wait(), text


status, text = with_progress(40, "xterm", [], True)
tap.ok(status == 0 and b"frames" in text, "progress on a terminal", text)
lines = [COLOR.sub(b"", part).replace(b"\033[K", b"") for part in text.split(b"\r")]
tap.ok(b"\n" not in text and max(map(len, lines)) < 40, "one line, within the terminal's width", lines)
tap.ok(text.endswith(b"\r\033[K"), "it is gone at the end", text)
status, text = with_progress(40, "dumb", [], True)
tap.ok(b"\033" not in text and text.endswith(b" \r"), "a dumb terminal: blanks instead", text)
status, text = with_progress(40, "xterm", ["-q"], False)
tap.ok(status == 0 and text == b"", "none with -q", text)


def on_usr1(arguments, capture, seen):
    """SIGUSR1 while there is nothing to read, again and again until it was heard; then the end."""
    reader, writer = os.pipe()
    p = subprocess.Popen([PODHOP] + arguments, stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(reader)
    os.write(writer, capture)
    while not select.select([p.stderr], [], [], 0.05)[0]:
        # Until its handler is in place the signal would end it.
        with open(f"/proc/{p.pid}/status", encoding="ascii") as f:
            caught = int(re.search(r"SigCgt:\s*(\w+)", f.read())[1], 16)
        if caught & 1 << signal.SIGUSR1 - 1:
            p.send_signal(signal.SIGUSR1)
    text = read(p.stderr.fileno(), seen)
    os.close(writer)
    out = p.communicate()[0]
    return p.returncode, text, out


with open(SAMPLES + "/segments-off.pcapng", "rb") as f:
    whole = f.read()
for command, line in (("report", rb"podhop: \d+ packets, \d+ frames read\n"), ("verify", rb"podhop: so far: [^\n]*\n")):
    status, text, out = on_usr1([command, "-", "-q"], whole, line)
    tap.ok(re.match(line, text), command + ": SIGUSR1 tells how far it is", text)
    tap.ok(status == 0 and out, "and it goes on to its end", (status, out))

# The first 10 packets of a file that tells nothing of its order are those with the earliest stamps,
# wherever they stand in it: all of it is looked at. The clock makes haste, so that this is seen.
frames = [(made.T0 + i * made.US, "veth", made.datagram(made.A, made.B, b"", i, 64, False), True) for i in range(1000)]
strangers = made.file("strangers.pcapng", made.dumpcap(frames * 140, roles=("veth",)))
first = ["report", strangers, "--json", "-c", "10", "--pod", made.A, "--hops", "veth=veth0"]
libraries = subprocess.run(["ldd", PODHOP], capture_output=True, text=True, check=False).stdout
if re.search("lib[atu]b?san", libraries):
    print("# a sanitizer's build: no LD_PRELOAD")
else:
    text = on_terminal(first, TERM="xterm", LD_PRELOAD=HASTE)
    tap.ok(re.search(rb"podhop: 131,072 frames looked at, for their order\r\033\[K", text),
           "a look at all frames of a file is seen, and gone behind it", text[:300])
    text = on_terminal(first + ["-q"], TERM="xterm", LD_PRELOAD=HASTE)
    tap.ok(b"looked at" not in text, "... not with -q", text[:300])
tap.done_testing()
PY
