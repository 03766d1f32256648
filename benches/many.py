#!/usr/bin/env python3
"""Searches a state of very many small objects, and compares the CPU with that of reading each mirrored file once.

    cargo build --release --locked
    python3 benches/many.py target/release/gzette [OBJECTS [STATE]]

Makes OBJECTS (300,000) objects of one line each in a folder, ingests them, and runs searches for a text that is in every
line, in turns with `find -print0 | xargs -0 gzip -dc | grep -c` over the mirror: gzip opens and inflates each file once, many
in one process. (`rg -z` starts a process for each file.) STATE is a folder that is kept and used again. Prints a Markdown
table of the medians of CPU and wall time and the ratio of the CPU to that of gzip. Stops with an error when a count is
wrong.
"""
import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 3
READ = 'find "$0" -type f -print0 | xargs -0 gzip -dc | grep -c common'


def measure(command, cwd):
    """Runs a command; returns (wall s, CPU s, stdout)."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=cwd)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command}: {process.returncode}")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, output.decode()


def make(binary, folder, objects):
    """Puts the objects into a folder and ingests them."""
    for number in range(objects):
        place = os.path.join(folder, "logs", "api", "20260301")
        if number == 0:
            os.makedirs(place)
        minute, second = divmod(number % 3600, 60)
        line = f'{{"@timestamp":"2026-03-01T12:{minute:02}:{second:02}.000Z","logLevel":"INFO","message":"common {number}"}}\n'
        with open(os.path.join(place, f"api_{number:06}.gz"), "wb") as file:
            file.write(gzip.compress(line.encode(), 1))
    with open(os.path.join(folder, "gzette.toml"), "w") as file:
        file.write('state_dir = "state"\n[[source]]\nname = "prod"\nurl = "logs/"\n[site]\ndir = "site"\n')
    now = ["--now", "2026-03-01T13:30:00Z"]
    for command in ("sync", "ingest"):
        wall, cpu, _ = measure([binary, *now, command], folder)
        print(f"{command}: {wall:.1f} s, {cpu:.1f} s CPU", file=sys.stderr)


def main():
    binary = os.path.abspath(sys.argv[1])
    objects = int(sys.argv[2]) if len(sys.argv) > 2 else 300_000
    folder = sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp(prefix="gzette-many-")
    if not os.path.exists(os.path.join(folder, "state")):
        os.makedirs(folder, exist_ok=True)
        make(binary, folder, objects)
    mirror = os.path.join(folder, "state", "mirror")
    commands = {
        "gzip -dc": ["sh", "-c", READ, mirror],
        "search --count": [binary, "search", "--count", "common"],
        "search -n 10": [binary, "search", "-n", "10", "common"],
    }
    times = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            wall, cpu, output = measure(command, folder)
            times[name].append((wall, cpu))
            if name in ("gzip -dc", "search --count") and int(output) != objects:
                sys.exit(f"{name}: {output} instead of {objects}")
    base = statistics.median(cpu for _, cpu in times["gzip -dc"])
    print(f"| {objects:,} objects | CPU s | wall s | CPU, ratio |\n|---|---|---|---|")
    for name, runs in times.items():
        wall, cpu = (statistics.median(values) for values in zip(*runs))
        print(f"| {name} | {cpu:.2f} | {wall:.2f} | {cpu / base:.2f} |")
    if len(sys.argv) <= 3:
        shutil.rmtree(folder)


main()
