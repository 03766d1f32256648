#!/usr/bin/env python3
"""Counts a corpus twice, with gzette and with a few lines of Python, and prints the difference.

    cargo build --release --locked
    cargo bench --bench corpus -- /tmp/corpus-1m 1000000
    python3 benches/recount.py target/release/gzette /tmp/corpus-1m

The lines of the corpus are put into about 700 objects anew: 3 % of them come late, after the first run, and 20 are
damaged (cut at any byte, a byte of the deflate stream or of the checksum changed). The recount reads the gz files
with Python's own zlib and json. Exit code 1 if anything differs.
"""
import collections
import glob
import gzip
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import zlib

OBJECT_LINES = 1430
LATE_SHARE = 0.03
DAMAGED = 20
LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
STAMP = re.compile(r"20\d\d-(0\d|1[0-2])-([0-2]\d|3[01]) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}")
NOW = ["2026-01-09T00:00:00Z", "2026-01-09T00:10:00Z"]


def write_objects(corpus, folder):
    """Writes the objects; returns the paths of all and those of the late ones."""
    picked = random.Random(5)
    paths = []
    for name in sorted(glob.glob(os.path.join(corpus, "logs/*/*/*.gz"))):
        with gzip.open(name, "rb") as lines:
            text = lines.read().splitlines(keepends=True)
        target = os.path.join(folder, os.path.relpath(name, os.path.join(corpus, "logs")))[:-3]
        os.makedirs(os.path.dirname(target), exist_ok=True)
        for at in range(0, len(text), OBJECT_LINES):
            paths.append(f"{target}_{at // OBJECT_LINES}.gz")
            with open(paths[-1], "wb") as out:
                out.write(gzip.compress(b"".join(text[at:at + OBJECT_LINES]), 1, mtime=0))
    for number, path in enumerate(picked.sample(paths, DAMAGED)):
        damage(path, number % 3, picked)
    return paths, picked.sample(paths, round(len(paths) * LATE_SHARE))


def damage(path, kind, picked):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    if kind == 0:
        del data[picked.randrange(20, len(data)):]
    else:
        # The last eight bytes are checksum and length, the first ten the header.
        at = picked.randrange(10, len(data) - 8) if kind == 1 else len(data) - 8
        data[at] ^= 0xff
    with open(path, "wb") as file:
        file.write(data)


def decoded(path):
    """Returns what can be decoded, a byte of input at a time, so that nothing before an error is lost."""
    decoder = zlib.decompressobj(wbits=31)
    out = []
    with open(path, "rb") as file:
        data = file.read()
    try:
        out.append(decoder.decompress(data))
    except zlib.error:
        decoder, out = zlib.decompressobj(wbits=31), []
        try:
            for byte in data:
                out.append(decoder.decompress(bytes([byte])))
        except zlib.error:
            pass
    return b"".join(out)


def recount(paths, folder):
    """Returns the events by (application, level, hour) and the lines, events and unparsed lines of all."""
    events, lines = collections.Counter(), collections.Counter()
    for path in paths:
        app = os.path.relpath(path, folder).split(os.sep)[0]
        text = decoded(path)
        for line in text.removesuffix(b"\n").split(b"\n") if text else []:
            lines["total"] += 1
            try:
                event = json.loads(line)
            except ValueError:
                lines["unparsed"] += 1
                continue
            lines["events"] += 1
            # A changed byte may have hit a key, a level or a stamp: then the level is unknown, and the time that of
            # the event before.
            stamp = event.get("@timestamp", "")
            if STAMP.fullmatch(stamp):
                hour = stamp[:13].replace(" ", "T") + ":00:00Z"
            level = event.get("logLevel", "").lower()
            events[app, level if level in LEVELS else "unknown", hour] += 1
    return events, lines


def main():
    gzette, corpus = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    work = tempfile.mkdtemp(prefix="gzette-recount-")
    folder = os.path.join(work, "logs")
    paths, late = write_objects(corpus, folder)
    config = os.path.join(work, "gzette.toml")
    with open(config, "w") as out:
        out.write('[[source]]\nname = "corpus"\nurl = "logs/"\nlayout = "{app}/{date:%Y%m%d}/"\n')
    waiting = os.path.join(work, "late")
    os.mkdir(waiting)
    for number, path in enumerate(late):
        os.rename(path, os.path.join(waiting, str(number)))
    ask = [gzette, "--config", config, "--now", NOW[1]]
    for run, now in enumerate(NOW):
        if run == 1:
            for number, path in enumerate(late):
                os.rename(os.path.join(waiting, str(number)), path)
        done = subprocess.run([gzette, "--config", config, "--now", now, "run", "--json"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        summary = json.loads(done.stdout)
        print(f"run {run + 1}: exit {done.returncode}, {summary['objects']}, {summary['lines']['total']} lines")
    expected, lines = recount(paths, folder)
    rows = json.loads(subprocess.run(ask + ["count", "--by", "app,level,hour", "--json"], stdout=subprocess.PIPE,
                                     check=True).stdout)
    counted = collections.Counter({(row["app"], row["level"], row["hour"]): row["events"] for row in rows})
    status = json.loads(subprocess.run(ask + ["status", "--json"], stdout=subprocess.PIPE, check=True).stdout)
    difference = sum(abs(counted[key] - expected[key]) for key in counted.keys() | expected.keys())
    for key in sorted(counted.keys() | expected.keys()):
        if counted[key] != expected[key]:
            print("differs:", key, counted[key], expected[key])
    verified = subprocess.run(ask + ["verify", "--json"], stdout=subprocess.PIPE)
    for name in ("total", "events", "unparsed"):
        print(f"{name}: gzette {status['lines'][name]}, recount {lines[name]}")
        difference += abs(status["lines"][name] - lines[name])
    print(f"objects: {len(paths)}, late {len(late)}, damaged {status['objects']['damaged']}")
    print(f"rows of app, level, hour: {len(expected)}; difference: {difference}; verify: exit {verified.returncode}")
    shutil.rmtree(work)
    sys.exit(1 if difference or verified.returncode else 0)


if __name__ == "__main__":
    main()
