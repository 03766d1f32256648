#!/usr/bin/env python3
"""Compares gzette with its peers on the corpus of `cargo bench --bench corpus`, whole processes, interleaved.

    cargo build --release --locked
    cargo bench --bench corpus -- /tmp/corpus
    python3 benches/compare.py target/release/gzette /tmp/corpus [ROUNDS]

Prints a Markdown table: medians of wall and CPU time, the peak of memory, and the ratio to the peer.
"""
import glob
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def measure(command, **options):
    """Runs a command; returns (wall s, CPU s of it and its children, peak RSS in MB, exit code, stdout)."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **options)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    return wall, cpu, usage.ru_maxrss / 1024, process.returncode, output


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)


def rare_needles(files, count):
    """Cuts request ids out of lines of the corpus, the same ones on every run."""
    picked = random.Random(11)
    needles = []
    for name in picked.sample(files, count):
        text = subprocess.run(["zcat", name], stdout=subprocess.PIPE, check=True).stdout
        needles.append(picked.choice(re.findall(rb"requestId=([0-9a-f]{16})", text)).decode())
    return needles


class Table:
    def __init__(self):
        self.rows = {}

    def add(self, name, sample):
        self.rows.setdefault(name, []).append(sample)

    def median(self, name, field):
        return statistics.median(sample[field] for sample in self.rows[name])

    def row(self, name, peer, field):
        wall, cpu, rss = (self.median(name, at) for at in range(3))
        ratio = self.median(name, field) / self.median(peer, field)
        unit = "CPU" if field == 1 else "wall"
        shown = f"{ratio:.2f} ×" if ratio >= 0.5 else f"1/{1 / ratio:.0f}"
        print(f"| {name} | {wall:.3f} | {cpu:.3f} | {rss:.0f} | {shown} {unit} of {peer} |")


def main():
    gzette, corpus = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    files = sorted(glob.glob(os.path.join(corpus, "logs/*/*/*.gz")))
    work = tempfile.mkdtemp(prefix="gzette-compare-")
    config = os.path.join(work, "gzette.toml")
    with open(config, "w") as out:
        out.write(
            f'state_dir = "state"\n[[source]]\nname = "corpus"\nurl = "{corpus}/logs/"\n'
            'layout = "{app}/{date:%Y%m%d}/"\nbackfill_days = 0\n[site]\ndir = "site"\n'
        )
    # The corpus is dated; a clock that stands behind its last day makes every run the same.
    last = max(os.path.basename(os.path.dirname(name)) for name in files)
    base = [gzette, "--config", config, "--now", f"{last[:4]}-{last[4:6]}-{last[6:]}T23:59:59Z"]
    subprocess.run(base + ["sync"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    needles = rare_needles(files, rounds)
    absent = "qzjxkvwy0absent"
    grep = ["rg", "-z", "-F", "-I", "-N"] if shutil.which("rg") else ["zgrep", "-h", "-F"]
    peer = grep[0]
    state = os.path.join(work, "state")
    table = Table()
    raw_bytes = 0
    for needle in needles:
        table.add("zcat \\| wc -l", measure(["sh", "-c", 'zcat "$@" | wc -l', "sh", *files]))
        # All of it: a ledger that is lost alone is told as a loss, with exit code 3.
        shutil.rmtree(state, ignore_errors=True)
        subprocess.run(base + ["sync"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        table.add("gzette ingest", measure(base + ["ingest"]))
        for name, text in (("rare id", needle), ("absent word", absent)):
            theirs = measure(grep + [text, *files])
            ours = measure(base + ["search", "--fixed", text])
            table.add(f"{peer}, {name}", theirs)
            table.add(f"gzette search, {name}", ours)
            if sorted(theirs[4].splitlines()) != sorted(ours[4].splitlines()):
                sys.exit(f"the answers for {text} differ")
    for name in files:
        raw_bytes += int(subprocess.run(["sh", "-c", 'zcat "$1" | wc -c', "sh", name], stdout=subprocess.PIPE).stdout)
    print(f"{len(files)} objects, {raw_bytes / 1e6:.0f} MB raw, {sum(map(os.path.getsize, files)) / 1e6:.0f} MB gz, "
          f"{rounds} rounds\n")
    print("| command | wall s | CPU s | peak MB | ratio |\n|---|---|---|---|---|")
    table.row("zcat \\| wc -l", "zcat \\| wc -l", 1)
    table.row("gzette ingest", "zcat \\| wc -l", 1)
    for name in ("rare id", "absent word"):
        table.row(f"{peer}, {name}", f"{peer}, {name}", 0)
        table.row(f"gzette search, {name}", f"{peer}, {name}", 0)
    index = folder_bytes(os.path.join(state, "index"))
    print(f"\nindex directory: {index / 1e6:.1f} MB, {100 * index / raw_bytes:.2f} % of raw")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
