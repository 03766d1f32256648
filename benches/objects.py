#!/usr/bin/env python3
"""Measures very many small objects in a folder: the first run, runs with nothing new, and searches.

    cargo build --release --locked
    python3 benches/objects.py target/release/gzette [--objects 300000] [--apps 30] [--days 10] [--keep FOLDER] [--rounds 5]

Writes the objects from a seed, each of one to three lines, one in fifty with an error, by `{app}/{date}/`. Then takes them in
(the first run), and repeats in turns: an idle run, searches for a text that is nowhere (alone, with `--app`, with `--on`) and
for one that is in one object. Prints a Markdown table of medians of wall time, CPU and peak resident memory, and the list
requests of the idle run. Stops with an error where an answer is wrong. FOLDER is kept, and used again when it is there.
"""
import argparse
import datetime
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib

LAST_DAY = datetime.date(2026, 3, 10)
NOW = "2026-03-10T23:30:00Z"
SEED = 7


def measure(command, folder, codes=(0,)):
    """Runs a command; returns its wall seconds, CPU seconds, peak megabytes and output."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder)
    output = process.stdout.read()
    told = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        sys.exit(f"{command}: exit code {process.returncode}\n{told.decode()}")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output.decode()


def days(count):
    return [LAST_DAY - datetime.timedelta(back) for back in reversed(range(count))]


def lines(pick, app, day):
    for _ in range(pick.randint(1, 3)):
        stamp = f"{day}T{pick.randrange(24):02}:{pick.randrange(60):02}:{pick.randrange(60):02}.{pick.randrange(1000):03}Z"
        is_error = pick.random() < 0.02
        level, message = ("ERROR", "cannot reserve stock for order") if is_error else ("INFO", "order accepted")
        yield f'{{"@timestamp":"{stamp}","logLevel":"{level}","message":"{message} {pick.getrandbits(64):016x}","app":"{app}"}}\n'


def packed(text):
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(text.encode()) + packer.flush()


def write(folder, objects, apps, count):
    """Writes the objects; returns a text that one of them holds, once."""
    pick = random.Random(SEED)
    places = [(f"app-{app:04}", day) for app in range(apps) for day in days(count)]
    sought = ""
    for number in range(objects):
        app, day = places[number * len(places) // objects]
        at = os.path.join(folder, "logs", app, f"{day:%Y%m%d}")
        os.makedirs(at, exist_ok=True)
        text = "".join(lines(pick, app, day))
        if number == objects // 3:
            sought = text.partition('","app"')[0].rpartition(" ")[2]
        with open(os.path.join(at, f"{app}_{number:07}.gz"), "wb") as file:
            file.write(packed(text))
    with open(os.path.join(folder, "gzette.toml"), "w") as file:
        file.write('state_dir = "state"\n[[source]]\nname = "prod"\nurl = "logs/"\nlayout = "{app}/{date:%Y%m%d}/"\n[site]\ndir = "site"\n')
    with open(os.path.join(folder, "objects.json"), "w") as file:
        json.dump({"objects": objects, "apps": apps, "days": count, "sought": sought}, file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--objects", type=int, default=300_000)
    parser.add_argument("--apps", type=int, default=30)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep")
    asked = parser.parse_args()
    binary = os.path.abspath(asked.binary)
    folder = os.path.abspath(asked.keep) if asked.keep else tempfile.mkdtemp(prefix="gzette-objects-")
    if not os.path.exists(os.path.join(folder, "objects.json")):
        os.makedirs(folder, exist_ok=True)
        write(folder, asked.objects, asked.apps, asked.days)
    with open(os.path.join(folder, "objects.json")) as file:
        made = json.load(file)
    base = [binary, "--now", NOW]
    rows = []
    if not os.path.exists(os.path.join(folder, "state")):
        wall, cpu, peak, output = measure([*base, "run", "--json"], folder)
        if json.loads(output)["objects"]["new"] != made["objects"]:
            sys.exit(f"the first run took in something else: {output}")
        rows.append(("first run", wall, cpu, peak))
    day = f"{LAST_DAY - datetime.timedelta(1)}"
    absent = [*base, "search", "--count", "not in any line 0123"]
    commands = {
        "idle run": ([*base, "run", "--json"], None),
        "absent text": (absent, 0),
        "absent text, `--app`": ([*absent, "--app", "app-0003"], 0),
        "absent text, `--on`": ([*absent, "--on", day], 0),
        "rare text": ([*base, "search", "--count", made["sought"]], 1),
        "newest of one application, `-n 10`": ([*base, "search", "-n", "10", "--app", "app-0003", "accepted"], None),
    }
    times = {name: [] for name in commands}
    requests = {}
    for _ in range(asked.rounds):
        for name, (command, count) in commands.items():
            *figures, output = measure(command, folder, (0, 1))
            times[name].append(figures)
            if count is not None and int(output) != count:
                sys.exit(f"{name}: {output} instead of {count}")
            if name == "idle run":
                requests = json.loads(output)["requests"]
    rows += [(name, *(statistics.median(column) for column in zip(*runs))) for name, runs in times.items()]
    print(f"| {made['objects']:,} objects, {made['apps']:,} applications, {made['days']} days | wall s | CPU s | peak MB |")
    print("|---|--:|--:|--:|")
    for name, wall, cpu, peak in rows:
        print(f"| {name} | {wall:.2f} | {cpu:.2f} | {peak:.0f} |")
    print(f"\nList requests of the idle run: {requests['list']}")
    if not asked.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
