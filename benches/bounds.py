#!/usr/bin/env python3
"""Makes objects that try to cost much and measures what ingesting and searching each costs.

    cargo build --release --locked
    python3 benches/bounds.py target/release/gzette [CASE ...]

Prints, for each object, its stored and decoded size, and the seconds and the peak resident memory of `ingest`, of a
search that counts and of those that show all lines with `level`, in each form of output and the newest 9 (the most of any);
then what was counted. Ends with 1 when a peak is over 300 MB, a search's over 150 MB, or what was counted is not what was
written.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib

NOW = "2026-01-31T12:00:00Z"
MOST_MB = 300
MOST_SEARCH_MB = 150
EVENT = '{"@timestamp":"2026-01-31T06:00:00Z","level":"error","message":"order %d failed"}\n'


class Member:
    """One gzip member, written in pieces."""

    def __init__(self, file):
        self.file, self.bytes = file, 0
        self.deflate = zlib.compressobj(6, zlib.DEFLATED, 31)

    def write(self, text):
        self.bytes += len(text)
        self.file.write(self.deflate.compress(text))

    def end(self):
        self.file.write(self.deflate.flush())
        return self.bytes


def in_one_member(pieces):
    def write(file):
        member = Member(file)
        for piece in pieces():
            member.write(piece)
        return member.end()
    return write


def event(number):
    return (EVENT % number).encode()


def zeros():
    """A gigabyte of zeros between two events."""
    yield event(1)
    for _ in range(1024):
        yield bytes(1 << 20)
    yield b"\n" + event(2)


def long_line():
    """A message of 64 MB, of words that are all different."""
    yield event(1)
    yield b'{"level":"error","message":"'
    for number in range(4_000_000):
        yield b"word_%010d " % number
    yield b'"}\n' + event(2)


def long_lines():
    """Eight messages of 30 MB."""
    yield event(1)
    for number in range(8):
        yield b'{"level":"error","message":"'
        yield b"word %d " % number * 3_750_000
        yield b'"}\n'
    yield event(2)


def fields():
    """An object of a million fields."""
    yield event(1)
    yield b'{"level":"error"'
    for number in range(1_000_000):
        yield b',"field_%d":%d' % (number, number)
    yield b"}\n" + event(2)


def newlines():
    """A hundred million empty lines."""
    yield event(1)
    for _ in range(100):
        yield b"\n" * 1_000_000
    yield event(2)


def streams():
    """A million streams, one record each."""
    for number in range(1_000_000):
        yield b'{"log":"2026-01-31T06:00:00Z ERROR order %d failed","container_id":"%032x","source":"stdout"}\n' % (number, number)


def endless():
    """One event of five million lines."""
    yield event(1)
    for _ in range(500):
        yield b"\tat com.acme.orders.Cart.pay(Cart.java:88)\n" * 10_000


def nesting():
    """A hundred thousand records that open a thousand objects and arrays each."""
    yield event(1)
    record = b'{"level":"error","a":' + b'[{"a":' * 500 + b"1\n"
    for _ in range(1000):
        yield record * 100
    yield event(2)


def members(file):
    """A million members, one a line."""
    lines = [event(number) for number in range(10_000)]
    batch = b"".join(zlib.compress(line, 6, 31) for line in lines)
    for _ in range(100):
        file.write(batch)
    return 100 * sum(map(len, lines))


def twice(file):
    """A gigabyte of zeros, compressed twice."""
    inner = zlib.compressobj(6, zlib.DEFLATED, 31)
    outer = Member(file)
    for _ in range(1024):
        outer.write(inner.compress(bytes(1 << 20)))
    outer.write(inner.flush())
    outer.end()
    return 1 << 30


# The writer, and the lines, events, continuation lines, cut lines and damaged objects expected.
# (A line of NULs is an empty one: it belongs to the event before it. Two compressions pass the ratio that one cannot: what was decoded by then is one cut line.)
CASES = {
    "zeros": (in_one_member(zeros), [3, 2, 1, 1, 0]),
    "zeros compressed twice": (twice, [1, 0, 0, 1, 1]),
    "a line of 64 MB": (in_one_member(long_line), [3, 3, 0, 1, 0]),
    "eight lines of 30 MB": (in_one_member(long_lines), [10, 10, 0, 8, 0]),
    "a million fields": (in_one_member(fields), [3, 3, 0, 1, 0]),
    "a million members": (members, [1_000_000, 1_000_000, 0, 0, 0]),
    "a million streams": (in_one_member(streams), [1_000_000, 1_000_000, 0, 0, 0]),
    "an event without an end": (in_one_member(endless), [5_000_001, 1, 5_000_000, 0, 0]),
    "hostile nesting": (in_one_member(nesting), [100_002, 2, 0, 0, 0]),
    "a hundred million empty lines": (in_one_member(newlines), [100_000_002, 2, 100_000_000, 0, 0]),
}


def measured(command, folder):
    """Runs a command; returns its seconds, its peak resident megabytes and what it printed."""
    with tempfile.TemporaryFile() as output:
        start = time.monotonic()
        child = subprocess.Popen(command, cwd=folder, stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read(1 << 20).decode(errors="replace")
    if child.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)} ended with {child.returncode}: {printed}")
    return seconds, usage.ru_maxrss / 1024, printed


def run(gzette, name, write, expected):
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, "logs/app/20260131/a.gz")
        os.makedirs(os.path.dirname(key))
        with open(key, "wb") as file:
            decoded = write(file)
        with open(os.path.join(folder, "gzette.toml"), "w") as file:
            file.write('[[source]]\nname = "prod"\nurl = "logs/"\n')
        stored = os.path.getsize(key)
        quiet = [gzette, "-q", "--now", NOW]
        measured([*quiet, "sync"], folder)
        ingest, ingest_mb, _ = measured([*quiet, "ingest"], folder)
        search, search_mb, found = measured([*quiet, "search", "--fixed", "--count", "order 2 "], folder)
        forms = [*(["--output", form] for form in ("raw", "text", "json", "csv", "table")), ["--limit", "9"]]
        shown = [measured([*quiet, "search", "--fixed", "level", *form], folder)[:2] for form in forms]
        show, show_mb = map(max, zip(*shown))
        _, _, status = measured([*quiet, "status", "--json"], folder)
    status = json.loads(status)
    lines = status["lines"]
    counted = [lines[part] for part in ("total", "events", "continuation", "truncated")]
    counted.append(status["objects"]["damaged"])
    is_fine = counted == expected and ingest_mb <= MOST_MB and max(search_mb, show_mb) <= MOST_SEARCH_MB
    print(f"{name}: {stored / 1e6:.1f} MB stored, {decoded / 1e6:.0f} MB decoded; "
          f"ingest {ingest:.1f} s, {ingest_mb:.0f} MB; search {search:.1f} s, {search_mb:.0f} MB; "
          f"show {show:.1f} s, {show_mb:.0f} MB; "
          f"{counted[0]} lines, {counted[1]} events, {counted[2]} continuation, {counted[3]} cut, "
          f"{counted[4]} damaged; found {found.strip()}"
          f"{'' if is_fine else '; NOT AS EXPECTED: ' + str(expected)}", flush=True)
    return is_fine


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    gzette = os.path.abspath(sys.argv[1])
    names = sys.argv[2:] or CASES
    results = [run(gzette, name, *CASES[name]) for name in names]
    sys.exit(0 if all(results) else 1)


main()
