#!/usr/bin/env python3
"""Compares searches with ripgrep on the corpus of `cargo bench --bench corpus`, whole processes, interleaved.

    cargo build --release --locked
    cargo bench --bench corpus -- /tmp/corpus
    python3 benches/search.py target/release/gzette /tmp/corpus [ROUNDS [STATE]]

STATE is a state directory that is kept and used again; without it, one is made and removed. Prints a Markdown table: medians
of wall and CPU time and peak memory, and the ratio of wall times. Stops with an error when the answers differ.
"""
import datetime
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



def measure(command):
    """Runs a command; returns (wall s, CPU s, stdout)."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        sys.exit(f"{command}: {process.returncode}: {errors.decode()}")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, output


def peak_mb(command):
    """Returns the peak of a command's memory, run by a small process: a child starts with its parent's."""
    time_command = ["/usr/bin/time", "-f", "%M", *command]
    done = subprocess.run(time_command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    return int(done.stderr.split()[-1]) / 1024


def decoded(name):
    return subprocess.run(["zcat", name], stdout=subprocess.PIPE, check=True).stdout


def ids(files, count):
    """Cuts request ids out of lines of the corpus, the same ones on every run."""
    picked = random.Random(11)
    found = [picked.choice(re.findall(rb"requestId=([0-9a-f]{16})", decoded(picked.choice(files)))) for _ in range(count)]
    return [needle.decode() for needle in found]


def fragments(needles):
    picked = random.Random(12)
    for needle in needles:
        length = picked.randint(7, 15)
        start = picked.randint(0, 16 - length)
        yield needle[start : start + length]


def last_day(files):
    return max(os.path.basename(os.path.dirname(name)) for name in files)


def searches(files, rounds):
    """Yields (name, gzette's arguments, ripgrep's command, target, whether lines are compared) for each round."""
    day = last_day(files)
    end = datetime.datetime.strptime(day, "%Y%m%d").replace(tzinfo=datetime.timezone.utc) + datetime.timedelta(hours=14)
    app = os.path.basename(os.path.dirname(os.path.dirname(files[-1])))
    of_app = [name for name in files if f"/{app}/" in name]
    begin = end - datetime.timedelta(hours=4)
    window = ["--from", begin.isoformat(), "--to", end.isoformat(), "--app", app]
    three = ["accepted for customer", "exec-12", "items=7"]
    rg = ["rg", "-z", "-I", "-N"]
    fixed = rg + ["-F"]
    needles = ids(files, rounds)
    for needle, fragment in zip(needles, fragments(needles)):
        yield "rare id", [needle], fixed + [needle, *files], "1/50 (10 GB: 1/300)", True
        yield "rare id, --fixed", ["--fixed", needle], fixed + [needle, *files], "", True
        yield "7 to 15 letters of an id", ["--fixed", fragment], fixed + [fragment, *files], "1/25 (10 GB: 1/50)", True
        yield "absent word", ["--fixed", "qzjxkvwy0absent"], fixed + ["qzjxkvwy0absent", *files], "1/50", True
        yield "absent text", ["--fixed", "vwy0 abs=ent"], fixed + ["vwy0 abs=ent", *files], "1/50", True
        # ripgrep knows no times, and has to be asked thrice.
        piped = " | ".join(["rg -z -F -I -N \"$1\" \"${@:4}\"", "rg -F \"$2\"", "rg -F \"$3\""])
        peer = ["bash", "-c", piped, "bash", *three, *of_app]
        yield "three texts ANDed, one application, 4 hours", ["--fixed", *three, *window], peer, "1/50", False
        common = "accepted for customer"
        yield "common text, --limit 100", ["--fixed", common, "--limit", "100"], fixed + [common, *files], "1/30", False
        yield "common text, --count", ["--fixed", common, "--count"], fixed + ["--count", common, *files], "1/3", False
        yield "common text, --histogram", ["--fixed", common, "--histogram"], fixed + ["--count", common, *files], "1/3", False
        literal = rf"requestId={needle[:9]}[0-9a-f]+ in \d+ ms"
        yield "regex with a literal", [f"/{literal}/"], rg + [literal, *files], "1/10", True
        yield "regex without one, --count", [r"/\d{7}[a-f]{5}\d[a-f]/", "--count"], rg + ["--count", r"\d{7}[a-f]{5}\d[a-f]", *files], "1", False


def main():
    gzette, corpus = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    files = sorted(glob.glob(os.path.join(corpus, "logs/*/*/*.gz")))
    work = tempfile.mkdtemp(prefix="gzette-search-")
    state = os.path.abspath(sys.argv[4]) if len(sys.argv) > 4 else os.path.join(work, "state")
    config = os.path.join(work, "gzette.toml")
    with open(config, "w") as out:
        out.write(
            f'state_dir = "{state}"\n[[source]]\nname = "corpus"\nurl = "{corpus}/logs/"\n'
            'layout = "{app}/{date:%Y%m%d}/"\nbackfill_days = 0\n[site]\ndir = "site"\n'
        )
    day = last_day(files)
    base = [gzette, "--config", config, "--now", f"{day[:4]}-{day[4:6]}-{day[6:]}T23:59:59Z"]
    for stage in ("sync", "ingest"):
        subprocess.run(base + [stage], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples, targets, peaks = {}, {}, {}
    for name, ours, theirs, target, compares in searches(files, rounds):
        peer = measure(theirs)
        own = measure(base + ["search", "-q", *ours])
        if compares and sorted(peer[2].splitlines()) != sorted(own[2].splitlines()):
            sys.exit(f"{name}: the answers for {ours} differ")
        if "--count" in ours and sum(int(count) for count in peer[2].split()) != int(own[2]):
            sys.exit(f"{name}: the counts for {ours} differ")
        if os.path.exists("/usr/bin/time"):
            peaks[name] = max(peaks.get(name, 0), peak_mb(base + ["search", "-q", *ours]))
        samples.setdefault(name, []).append((own, peer))
        targets[name] = target
    nothing = [measure(base + ["count", "--since", "1s"]) for _ in range(2 * rounds)]
    raw = sum(int(subprocess.run(["sh", "-c", 'zcat "$1" | wc -c', "sh", name], stdout=subprocess.PIPE).stdout) for name in files)
    print(f"{len(files)} objects, {raw / 1e6:.0f} MB raw, {rounds} rounds\n")
    print("| search | gzette wall s | CPU s | peak MB | rg wall s | CPU s | ratio of wall | asked for |\n|---|---|---|---|---|---|---|---|")
    for name, pairs in samples.items():
        median = lambda of: statistics.median(of(own, peer) for own, peer in pairs)
        ratio = median(lambda own, peer: own[0]) / median(lambda own, peer: peer[0])
        shown = f"{ratio:.2f}" if ratio >= 0.5 else f"1/{1 / ratio:.1f}"
        print(
            f"| {name} | {median(lambda own, _: own[0]):.4f} | {median(lambda own, _: own[1]):.3f} | "
            f"{peaks.get(name, 0):.0f} | {median(lambda _, peer: peer[0]):.3f} | "
            f"{median(lambda _, peer: peer[1]):.3f} | **{shown}** | {targets[name]} |"
        )
    print(f"\nA count that finds nothing: {1000 * statistics.median(sample[0] for sample in nothing):.1f} ms")
    parts = {}
    for at, _, names in os.walk(state):
        part = os.path.relpath(at, state).split(os.sep)[0]
        for name in names:
            parts[part if part != "." else name] = parts.get(part if part != "." else name, 0) + os.path.getsize(os.path.join(at, name))
    print("; ".join(f"{part} {100 * size / raw:.2f} % of raw" for part, size in sorted(parts.items()) if size * 1000 > raw))
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
