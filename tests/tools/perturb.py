#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""perturb - a pcapng as it would be had the capture been less lucky.

usage: perturb.py shuffle SECONDS IN OUT      frames in any order within SECONDS, by a fixed seed;
                                             the file no longer claims to be podhop's
       perturb.py remove PERCENT NAME IN OUT  without PERCENT of the frames of interface NAME

Little endian, one section, nanoseconds, as podhop writes them. Prints how many frames it moved
or left out.
"""
import random
import struct
import sys

IDB, EPB, IF_NAME = 1, 6, 2


def blocks(data):
    at = 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        yield kind, data[at : at + length]
        at += length


def name_of(block):
    at = 16
    while at + 4 <= len(block) - 4:
        code, length = struct.unpack_from("<HH", block, at)
        if code == IF_NAME:
            return block[at + 4 : at + 4 + length].decode()
        at += 4 + (length + 3 & ~3)
    return "?"


def main():
    mode, amount, *name, source, target = sys.argv[1:]
    rng = random.Random(1)
    head, tail, frames, names = [], [], [], []
    with open(source, "rb") as f:
        for kind, block in blocks(f.read()):
            if kind == EPB:
                frames.append(block)
            else:
                (tail if frames else head).append(block)
                if kind == IDB:
                    names.append(name_of(block))
    changed = 0
    if mode == "shuffle":
        span = float(amount) * 1e9

        def moved(block):
            high, low = struct.unpack_from("<II", block, 12)
            return (high << 32 | low) + rng.uniform(0, span)

        order = sorted(range(len(frames)), key=lambda i: (moved(frames[i]), i))
        changed = sum(i != k for i, k in enumerate(order))
        frames = [frames[i] for i in order]
        # No longer in podhop's order, so no longer podhop's.
        head = [block.replace(b"podhop ", b"shuffle") for block in head]
    else:
        kept = []
        for block in frames:
            interface = struct.unpack_from("<I", block, 8)[0]
            if names[interface] == name[0] and rng.random() * 100 < float(amount):
                changed += 1
            else:
                kept.append(block)
        frames = kept
    with open(target, "wb") as f:
        f.writelines(head + frames + tail)
    print(changed)


main()
