#!/usr/bin/env python3
"""Measures what a large ledger costs: its size, and CPU and memory of runs with nothing new, with one new object, and of a
report.

    cargo build --release --locked
    python3 benches/ledger.py target/release/gzette [--groups 5000] [--days 30] [--apps 10] [--rounds 5] [--before OLD_BINARY]
                              [--folder DIR]

One object for each application and day, with one error of every group (and some lines that are no errors): by default
1.5 million errors in 491 MB of lines, written from a seed. Each binary has a state of its own; they take turns. Prints a
Markdown table. Stops with an error when a count is wrong. The objects stay in DIR (default: gzette-ledger in the folder for
temporary files) for the next run.
"""
import argparse
import datetime
import gzip
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

END = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
LETTERS = "bdfgklmnprstvz"


def word(number):
    """Returns a word of its own for each number, without digits: digits would be masked."""
    text = ""
    for _ in range(4):
        number, at = divmod(number, 70)
        text += LETTERS[at // 5] + "aeiou"[at % 5]
    return text


def errors(groups):
    return [f"could not {word(7 * number + 1)} the {word(number)} of the order, no answer from the service behind it: "
            for number in range(groups)]


def write_object(path, seed, day, messages):
    """Writes an object: one error of each message in any order, and one line in ten that is no error."""
    pick = random.Random(seed)
    order = list(messages)
    pick.shuffle(order)
    lines, at_ms, step_ms = [], 0, 86_000_000 // max(1, len(order))
    for number, message in enumerate(order):
        at_ms += pick.randrange(2 * step_ms) + 1 if at_ms < 85_000_000 else 1
        stamp = (day + datetime.timedelta(milliseconds=min(at_ms, 86_399_999))).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        tail = "".join(f"{pick.getrandbits(64):016x} " for _ in range(5))
        line = {"@timestamp": stamp, "level": "ERROR", "logger": "com.example.Flow", "thread": f"worker-{number % 16}"}
        lines.append(json.dumps({**line, "message": f"{message}order={number * 31 % 100_003} ids={tail}"}))
        if number % 10 == 0:
            lines.append(json.dumps({**line, "level": "INFO", "message": f"took order {number}"}))
    with gzip.open(path, "wb", 3) as file:
        file.write(("\n".join(lines) + "\n").encode())


def corpus(folder, options):
    """Writes what is missing of the objects."""
    messages = errors(options.groups)
    for back in range(options.days):
        day = END - datetime.timedelta(days=back + 1)
        for app in range(options.apps):
            place = os.path.join(folder, "logs", f"app{app}", day.strftime("%Y%m%d"))
            path = os.path.join(place, "all.gz")
            if not os.path.exists(path):
                os.makedirs(place, exist_ok=True)
                write_object(path + "~", back * 1000 + app, day, messages)
                os.rename(path + "~", path)


def measure(command, folder):
    """Runs a command; returns its output, CPU seconds and peak memory in MB."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as told:
        child = subprocess.Popen(command, cwd=folder, stdout=output, stderr=told)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            told.seek(0)
            sys.exit(f"{command}: {child.returncode}: {told.read(2000).decode(errors='replace')}")
        output.seek(0)
        return output.read().decode(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


class State:
    """A binary and its state; all states read one folder of objects."""

    def __init__(self, name, binary, folder, options):
        self.name, self.options = name, options
        self.folder = os.path.join(folder, name)
        self.logs = os.path.join(folder, "logs")
        self.base = [os.path.abspath(binary), "--now", END.strftime("%Y-%m-%dT12:00:00Z")]
        self.samples = {}
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)
        with open(os.path.join(self.folder, "gzette.toml"), "w") as file:
            file.write(f'state_dir = "state"\n[[source]]\nname = "prod"\nurl = "{self.logs}/"\n'
                       f'layout = "{{app}}/{{date:%Y%m%d}}/"\nbackfill_days = {options.days + 2}\n[site]\ndir = "site"\n')

    def run(self, name, command):
        output, cpu, peak = measure(self.base + command, self.folder)
        self.samples.setdefault(name, []).append((cpu, peak))
        return output

    def take_in(self):
        self.run("first sync", ["sync"])
        self.run("first ingest", ["ingest"])
        self.check(self.options.days)

    def check(self, days, more=0):
        rows = json.loads(self.run("count --by level", ["--json", "count", "--by", "level"]))
        errors = sum(row["events"] for row in rows if row["level"] == "error")
        expected = days * self.options.apps * self.options.groups + more
        if errors != expected:
            sys.exit(f"{self.name}: {errors} errors instead of {expected}")

    def size_mb(self):
        state = os.path.join(self.folder, "state")
        return sum(os.path.getsize(entry) for entry in os.scandir(state) if entry.name.startswith("ledger.")) / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--before")
    parser.add_argument("--groups", type=int, default=5000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--apps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "gzette-ledger"))
    options = parser.parse_args()
    folder = os.path.join(os.path.abspath(options.folder), f"{options.groups}x{options.days}x{options.apps}")
    today = os.path.join(folder, "logs", "app0", END.strftime("%Y%m%d"))
    shutil.rmtree(today, ignore_errors=True)
    corpus(folder, options)
    binaries = [("old", options.before)] * bool(options.before) + [("new", options.binary)]
    states = [State(name, binary, folder, options) for name, binary in binaries]
    messages = errors(options.groups)
    for state in states:
        state.take_in()
    sizes = {state.name: state.size_mb() for state in states}
    for turn in range(options.rounds):
        for state in states:
            state.run("run after news" if turn else "first run", ["run"])
        for state in states:
            state.run("run, nothing new", ["run"])
            state.run("ingest, nothing new", ["ingest"])
            state.run("report", ["report"])
            state.run("group list", ["--json", "group", "list"])
        os.makedirs(today, exist_ok=True)
        write_object(os.path.join(today, f"{turn}.gz"), 10**9 + turn, END, messages[:20])
        for state in states:
            state.run("run, one new object", ["run"])
            state.check(options.days, 20 * (turn + 1))
    shutil.rmtree(today)
    print(f"{options.groups} groups, {options.days} days, {options.apps} applications: "
          f"{options.groups * options.days * options.apps / 1e6:.1f} million errors")
    print(f"| | {' | '.join(f'{name}: CPU s | MB' for name, _ in binaries)} |\n|---|{'--:|--:|' * len(states)}")
    print(f"| size of the ledger, MB | {' | '.join(f'| {sizes[state.name]:.1f}' for state in states)} |")
    for name in states[0].samples:
        cells = []
        for state in states:
            cpu, peak = (statistics.median(values) for values in zip(*state.samples[name]))
            cells.append(f"{cpu:.3f} | {peak:.0f}")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
