#!/usr/bin/env python3
"""Lets two binaries take turns over one corpus, and shows what each command of the new one costs against the old one.

    python3 benches/turns.py OLD NEW CORPUS [ROUNDS]

Commands of a few milliseconds take more rounds, since a single run of them says little. CORPUS is a folder of `cargo bench --bench corpus` or of `corpora.py`. Each binary has a state of its own. In each round
both mirror and ingest the corpus from nothing, in the other order every other time; then they run each kind of search, a run with
nothing new, a report and the commands that read the ledger. Prints the medians of CPU and wall time, their ratios, and
whether both printed the same bytes and ended with the same code; the worst ratio first at the end.
"""
import dataclasses
import glob
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# A command is run so many times as often, or for so many seconds a round, whichever is less.
SHORT_ROUNDS, SHORT_SECONDS = 20, 0.3

# The ids of `cargo bench --bench corpus`.
ID = re.compile(rb"requestId=([0-9a-f]{16})")


@dataclasses.dataclass
class Sample:
    """One run of a command and its children."""

    wall: float
    cpu: float
    peak_mb: float
    code: int
    output: bytes


class Program:
    """A binary with a state of its own."""

    def __init__(self, binary, folder, corpus, now):
        self.binary, self.folder, self.now = binary, folder, now
        os.makedirs(folder)
        with open(os.path.join(folder, "gzette.toml"), "w") as out:
            out.write(
                f'[[source]]\nname = "corpus"\nurl = "{corpus}/logs/"\nlayout = "{{app}}/{{date:%Y%m%d}}/"\n'
                'backfill_days = 0\n[site]\ndir = "site"\n'
            )

    def run(self, *arguments):
        """Runs a command to its end."""
        command = [self.binary, "-q", "--now", self.now, *arguments]
        with tempfile.TemporaryFile() as output:
            begin = time.perf_counter()
            child = subprocess.Popen(command, cwd=self.folder, stdout=output, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.perf_counter() - begin
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode not in (0, 3):
                sys.exit(f"{command} in {self.folder} ended with {child.returncode}")
            output.seek(0)
            told = output.read().replace(self.folder.encode(), b"")  # the only thing in which outputs have to differ
            return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, child.returncode, told)

    def ingest(self):
        """Mirrors everything from nothing and returns the sample of the ingest."""
        shutil.rmtree(os.path.join(self.folder, "state"), ignore_errors=True)
        self.run("sync")
        return self.run("ingest")


def some_ids(corpus, files, count):
    """Returns ids that `corpora.py` noted down, or cuts them out of lines; the same ones on every run."""
    noted = os.path.join(corpus, "corpus.json")
    if os.path.exists(noted):
        with open(noted) as file:
            return json.load(file)["ids"][:count]
    pick, found = random.Random(11), []
    for name in pick.sample(files, count):
        text = subprocess.run(["zcat", name], stdout=subprocess.PIPE, check=True).stdout
        found.append(pick.choice(ID.findall(text)).decode())
    return found


def commands(corpus, files):
    """Returns the commands to compare, by name."""
    word, fixed, part, literal = some_ids(corpus, files, 4)
    day = os.path.basename(os.path.dirname(files[-1]))
    app = os.path.basename(os.path.dirname(os.path.dirname(files[-1])))
    day = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    window = ["--app", app, "--from", f"{day}T06:00", "--to", f"{day}T10:00"]
    search = lambda *arguments: ["search", *arguments]
    return {
        "rare id": search(word),
        "rare id, --fixed": search("--fixed", fixed),
        "fragment": search("--fixed", part[3:13]),
        "absent word": search("--fixed", "qzjxkvwy0absent"),
        "absent text": search("--fixed", "vwy0 abs=ent"),
        "three texts, one application, 4 hours": search("--fixed", "accepted for", "INFO", "order", *window),
        "common text, --limit 100": search("--fixed", "accepted for", "--limit", "100"),
        "common text, all lines": search("--fixed", "accepted for"),
        "common text, --count": search("--fixed", "accepted for", "--count"),
        "common text, --histogram": search("--fixed", "accepted for", "--histogram"),
        "level and word, --count": search("level:error timeout", "--count"),
        "regex with a literal": search(f"/{literal[:9]}[0-9A-Za-z-]+/"),
        "regex without one, --count": search(r"/\d{7}[a-f]{5}\d[a-f]/", "--count"),
        "search of one second": search("--since", "1s", "order"),
        "count": ["count"],
        "count by application and level": ["count", "--by", "app,level"],
        "count by group": ["count", "--by", "group"],
        "groups": ["group", "list"],
        "status": ["status"],
        "ingest, nothing new": ["ingest"],
        "sync, nothing new": ["sync"],
        "report": ["report"],
    }


class Table:
    """The samples of both programs, by command."""

    def __init__(self):
        self.rows = []

    def add(self, name, old, new):
        """Prints a command's row as soon as it is measured, and keeps its ratios."""
        median = lambda samples, field: statistics.median(getattr(sample, field) for sample in samples)
        ratios = {field: median(new, field) / max(median(old, field), 1e-4) for field in ("cpu", "wall")}
        same = all(a.output == b.output and a.code == b.code for a, b in zip(old, new))
        columns = []
        for field in ("cpu", "wall"):
            columns += [f"{1000 * median(samples, field):.1f}" for samples in (old, new)] + [f"{ratios[field]:.3f}"]
        columns += [f"{max(sample.peak_mb for sample in samples):.0f}" for samples in (old, new)]
        columns.append("same" if same else f"DIFFERENT (exit {old[0].code} and {new[0].code})")
        print(f"| {' | '.join([name, *columns])} |", flush=True)
        self.rows.append((name, ratios, same))

    def print_worst(self):
        """Prints the ratios, worst first."""
        print("\nworst first:")
        for name, ratios, same in sorted(self.rows, key=lambda row: -max(row[1].values())):
            print(f"  {ratios['cpu']:.3f} x CPU, {ratios['wall']:.3f} x wall: {name}{'' if same else ' (DIFFERENT output)'}")


def in_turns(rounds, programs, run):
    """Runs both programs in each round, in the other order every other time; returns the samples of each."""
    samples = [[], []]
    for turn in range(rounds):
        for at in (0, 1) if turn % 2 == 0 else (1, 0):
            samples[at].append(run(programs[at]))
    return samples


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    old, new, corpus = map(os.path.abspath, sys.argv[1:4])
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    files = sorted(glob.glob(os.path.join(corpus, "logs/*/*/*.gz")))
    last = max(os.path.basename(os.path.dirname(name)) for name in files)
    now = f"{last[:4]}-{last[4:6]}-{last[6:]}T23:59:59Z"
    work = tempfile.mkdtemp(prefix="gzette-turns-")
    programs = [Program(binary, os.path.join(work, name), corpus, now) for name, binary in (("old", old), ("new", new))]
    print(f"{rounds} rounds, {len(files)} objects; ms, MB\n")
    print("| command | CPU old | new | ratio | wall old | new | ratio | peak old | new | output |\n" + "|---" * 10 + "|")
    table = Table()
    table.add("ingest", *in_turns(rounds, programs, Program.ingest))
    for name, command in commands(corpus, files).items():
        # Warms the cache, and renders what there is to render.
        slowest = max(program.run(*command).wall for program in programs)
        enough = rounds * max(1, min(SHORT_ROUNDS, int(SHORT_SECONDS / slowest)))
        table.add(name, *in_turns(enough, programs, lambda program: program.run(*command)))
    table.print_worst()
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
