#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ctrl-c.py - runs a command at a terminal of its own and types Ctrl-C when it has said something.

    ctrl-c.py TEXT COMMAND...    half a second behind TEXT; what is printed goes to stdout, and the exit
                                 status is the command's
"""
import os
import pty
import select
import sys
import time

TIME_LIMIT_S = 60
DELAY_S = 0.5

text, argv = sys.argv[1].encode(), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(argv[0], argv)
out, typed_at, begin = b"", None, time.monotonic()
while time.monotonic() - begin < TIME_LIMIT_S:
    if select.select([terminal], [], [], 0.05)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break  # Linux's way of saying that the other side is closed
        if not data:
            break
        out += data
    if typed_at is None and text in out:
        typed_at = time.monotonic() + DELAY_S
    if typed_at and time.monotonic() >= typed_at:
        os.write(terminal, b"\x03")
        typed_at = 0
else:
    os.kill(child, 9)
sys.stdout.buffer.write(out.replace(b"\r\n", b"\n"))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
