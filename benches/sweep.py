#!/usr/bin/env python3
"""Measures gzette on many kinds of logs, so that the worst is known and not only our own corpus.

    cargo build --release --locked
    python3 benches/sweep.py GZETTE [--cells CELL,...] [--size MB] [--rounds N] [--before OLD_BINARY]
                             [--folder DIR] [--drop] [--json FILE] [--prepare]

Each cell is a recipe of `corpora.py`: a name, or `single` (base and each switch alone), `pairs` or `all`. In each round,
`zcat | wc -l` and an ingest take turns, then `rg -z` with two threads and each kind of search; CPU and wall time are those of
the whole process tree. Stops with an error when an answer of GZETTE differs from that of its peer.

The corpora stay in DIR (default: gzette-sweep in the folder for temporary files) for the next run; `--drop` removes each when
it is measured, `--prepare` only writes them. `--json FILE` keeps the medians, and shows the cells that FILE holds already with
the new ones, so that a sweep can be run in pieces. `--before` lets an older binary take turns, and shows new to old.
"""
import argparse
import contextlib
import dataclasses
import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # no `__pycache__` beside the scripts
import corpora  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Target:
    """What a figure should not exceed, in most cells and in those with a blob in every line; None: no target."""

    most: float | None
    with_blobs: float | None = None

    def of(self, recipe):
        return self.with_blobs if self.with_blobs and recipe["blob_every"] == 1 else self.most


SEARCH = Target(1 / 50, 1 / 15)
# Searches: wall time to that of `rg -z`. Ingest: to `zcat | wc -l`. Sizes: % of the raw bytes.
TARGETS = {
    "rare id": SEARCH,
    "rare id, --fixed": SEARCH,
    "fragment": SEARCH,
    "absent word": SEARCH,
    "absent text": SEARCH,
    "regex": SEARCH,
    "--count": Target(1 / 8),
    "--histogram": Target(1 / 6),
    "by level": Target(1 / 500),
    "ingest CPU": Target(1.4),
    "ingest wall": Target(0.7),
    "index %": Target(5, 12),
    "ledger %": Target(1),
    "peak MB": Target(None),
}
RG = ["rg", "-z", "-j", "2", "-uu", "-I", "-N"]
READ = "find logs -name '*.gz' -print0 | xargs -0 zcat | wc -l"
ABSENT_WORD, ABSENT_TEXT = "qzjxkvwy0absent", "vwy0 abs=ent"


@dataclasses.dataclass
class Sample:
    """One run of a command and its children."""

    wall: float
    cpu: float
    peak_mb: float
    output: bytes


def measure(command, folder):
    """Runs a command in a folder."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        child = subprocess.Popen(command, cwd=folder, stdout=output, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        # 1 is what rg and grep return when they find nothing.
        if child.returncode not in (0, 1) or child.returncode == 1 and errors.read(1):
            errors.seek(0)
            sys.exit(f"{command} in {folder} ended with {child.returncode}: {errors.read(2000).decode(errors='replace')}")
        return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output.read())


# ---------------------------------------------------------------------------------------------------------------------
# Searches and their peers


def lines(output):
    return sorted(output.splitlines())


def total(output):
    """Sums the counts that rg prints, one a file."""
    return sum(map(int, output.split()))


def counted(output):
    return int(output)


def drawn(output):
    """Sums the lines of a histogram."""
    return sum(bucket["lines"] for bucket in json.loads(output)["buckets"])


def levels_told(output):
    return {row["level"]: row["events"] for row in json.loads(output)}


def levels_counted(output):
    rows = (row.split() for row in output.decode().splitlines())
    return {level.lower(): int(count) for level, count in rows}


def level_command(recipe):
    """Counts the lines by level: rg cuts the levels out, awk adds them up."""
    json_level = r'\\?"level\\?":\\?"([A-Z]+)'
    text_level = r'^(?:\S+ stdout F |\{"log":")?\S+ ([A-Z]+) +\['
    pattern = text_level if recipe["format"] == "plain" else json_level
    script = f"{' '.join(RG)} -o -r '$1' \"$0\" logs | awk '{{ n[$1]++ }} END {{ for (level in n) print level, n[level] }}'"
    return ["sh", "-c", script, pattern]


@dataclasses.dataclass
class Question:
    """What both programs are asked: gzette's arguments, the peer's command, and how each answer is read."""

    figure: str
    ours: list
    theirs: list
    read_ours: object = lines
    read_theirs: object = lines


def fragment_of(pick, needle):
    """Cuts 7 to 12 characters out of an id, near its end: ids of one time begin alike."""
    size = pick.randint(7, min(12, len(needle) - 2))
    start = len(needle) - size - pick.randint(1, min(3, len(needle) - size))
    return needle[start : start + size]


def questions(recipe, pick, ids):
    """Returns the searches of a round."""
    needle, common = pick.choice(ids), corpora.COMMON
    fragment, end = fragment_of(pick, needle), needle[-9:]
    grep = lambda text, *options: [*RG, "-F", *options, "--", text, "logs"]
    fixed = lambda text, *options: ["search", "--fixed", *options, "--", text]
    pattern = f"[0-9A-Za-z-]+{end}\\b"
    return [
        Question("rare id", ["search", needle], grep(needle)),
        Question("rare id, --fixed", fixed(needle), grep(needle)),
        Question("fragment", fixed(fragment), grep(fragment)),
        Question("absent word", fixed(ABSENT_WORD), grep(ABSENT_WORD)),
        Question("absent text", fixed(ABSENT_TEXT), grep(ABSENT_TEXT)),
        Question("regex", ["search", f"/{pattern}/"], [*RG, "--", pattern, "logs"]),
        Question("--count", fixed(common, "--count"), grep(common, "--count"), counted, total),
        Question("--histogram", ["--json", *fixed(common, "--histogram")], grep(common, "--count"), drawn, total),
        Question("by level", ["--json", "count", "--by", "level"], level_command(recipe), levels_told, levels_counted),
    ]


# ---------------------------------------------------------------------------------------------------------------------
# A cell


class Program:
    """A binary with a state of its own."""

    def __init__(self, binary, name, corpus, told):
        self.corpus, self.state = corpus, os.path.join(corpus, f"state-{name}")
        config = os.path.join(corpus, f"{name}.toml")
        with open(config, "w") as out:
            out.write(
                f'state_dir = "{self.state}"\n[[source]]\nname = "corpus"\nurl = "{corpus}/logs/"\n'
                'layout = "{app}/{date:%Y%m%d}/"\nbackfill_days = 0\n'
            )
        day = told["last_day"]
        self.base = [binary, "-q", "--config", config, "--now", f"{day[:4]}-{day[4:6]}-{day[6:]}T23:59:59Z"]

    def run(self, *arguments):
        return measure([*self.base, *arguments], self.corpus)

    def take_in(self):
        """Mirrors and ingests everything from nothing; returns both samples."""
        self.remove()
        return self.run("sync"), self.run("ingest")

    def remove(self):
        shutil.rmtree(self.state, ignore_errors=True)

    def sizes(self):
        """Returns the bytes of index and access points, and those of the ledger without the points."""
        points = self.points_bytes()
        ledger = sum(os.path.getsize(entry) for entry in os.scandir(self.state) if entry.name.startswith("ledger."))
        index = sum(entry.stat().st_size for entry in os.scandir(os.path.join(self.state, "index")) if entry.is_file())
        return index + points, ledger - points

    def points_bytes(self):
        ledger = os.path.join(self.state, "ledger.sqlite")
        with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
            try:
                return connection.execute("SELECT coalesce(sum(length(window) + 24), 0) FROM point").fetchone()[0]
            except sqlite3.OperationalError:
                return 0


class Cell:
    """The samples of one cell, by command: `zcat`, `rg QUESTION` and `PROGRAM QUESTION`."""

    def __init__(self, name, corpus, told, programs):
        self.name, self.corpus, self.told, self.programs = name, corpus, told, programs
        self.samples, self.sizes = {}, {}

    def add(self, name, sample):
        self.samples.setdefault(name, []).append(sample)

    def ingest(self, turn):
        """Reads everything with zcat and with each program."""
        read = measure(["sh", "-c", READ], self.corpus)
        if int(read.output) != self.told["lines"]:
            sys.exit(f"{self.name}: {self.corpus} is not what it was: remove it")
        self.add("zcat", read)
        for name, program in in_turn(self.programs, turn):
            sync, ingest = program.take_in()
            self.add(f"{name} sync", sync)
            self.add(f"{name} ingest", ingest)

    def search(self, turn, pick):
        """Asks each question of rg and of each program. Questions that are one to rg share a run of it."""
        peers = {}
        for question in questions(self.told["recipe"], pick, self.told["ids"]):
            key = tuple(question.theirs)
            peer = peers[key] = peers.get(key) or measure(question.theirs, self.corpus)
            self.add(f"rg {question.figure}", peer)
            for name, program in in_turn(self.programs, turn):
                own = program.run(*question.ours)
                self.add(f"{name} {question.figure}", own)
                self.check(name, question, own, peer)

    def check(self, name, question, own, peer):
        ours, theirs = question.read_ours(own.output), question.read_theirs(peer.output)
        if ours == theirs:
            return
        shown = f"{len(ours)} and {len(theirs)} lines" if isinstance(ours, list) else f"{ours} and {theirs}"
        told = f"{self.name}: {question.figure}: {question.ours} of {name} and {question.theirs} differ: {shown}"
        # An older binary may know fewer formats.
        sys.exit(told) if name == "new" else print(told, file=sys.stderr)

    def median(self, name, field):
        return statistics.median(getattr(sample, field) for sample in self.samples[name])

    def ratio(self, name, peer, field):
        return self.median(name, field) / self.median(peer, field)

    def figures(self, name):
        """Returns what one program reached."""
        index, ledger = self.programs[name].sizes()
        searches = [figure for figure in TARGETS if f"rg {figure}" in self.samples]
        raw = self.told["raw_bytes"]
        return {
            **{figure: self.ratio(f"{name} {figure}", f"rg {figure}", "wall") for figure in searches},
            "ingest CPU": self.ratio(f"{name} ingest", "zcat", "cpu"),
            "ingest wall": self.ratio(f"{name} ingest", "zcat", "wall"),
            "index %": 100 * index / raw,
            "ledger %": 100 * ledger / raw,
            "peak MB": max(sample.peak_mb for key, own in self.samples.items() if key.startswith(f"{name} ") for sample in own),
        }

    def report(self):
        """Returns what is kept of the cell."""
        fields = ("wall", "cpu", "peak_mb")
        told = {key: self.told[key] for key in ("recipe", "objects", "lines", "raw_bytes", "stored_bytes")}
        figures = {f"figures of {name}": self.figures(name) for name in self.programs}
        medians = {name: {field: self.median(name, field) for field in fields} for name in self.samples}
        return {**told, "rounds": len(self.samples["zcat"]), **figures, "medians": medians}


def in_turn(programs, turn):
    """Returns the programs, in the other order every other time."""
    pairs = list(programs.items())
    return pairs if turn % 2 == 0 else pairs[::-1]


def run_cell(name, recipe, folder, binaries, rounds):
    """Measures a cell; returns what is kept of it."""
    corpus = os.path.join(folder, name)
    told = corpora.kept(recipe, corpus)
    programs = {label: Program(binary, label, corpus, told) for label, binary in binaries.items()}
    cell = Cell(name, corpus, told, programs)
    pick = random.Random(11)
    for turn in range(rounds):
        cell.ingest(turn)
    for turn in range(rounds):
        cell.search(turn, pick)
    report = cell.report()
    for program in programs.values():
        program.remove()
    return report


def prepare(name, recipe, folder):
    """Writes a cell's corpus, in a process of its own: a child's peak of memory begins at its parent's."""
    corpus = os.path.join(folder, name)
    os.makedirs(corpus, exist_ok=True)
    if not corpora.kept(recipe, corpus):
        writer = multiprocessing.get_context("spawn").Process(target=corpora.write, args=(recipe, corpus))
        writer.start()
        writer.join()
        if writer.exitcode != 0:
            sys.exit(f"{name}: the corpus could not be written")


# ---------------------------------------------------------------------------------------------------------------------
# Tables


def shown(figure, value):
    if value is None:
        return ""
    if figure == "peak MB":
        return f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.5 or figure.endswith("%") else f"1/{1 / value:.0f}"


def share(figure, cell):
    """Returns a figure as a share of its target: over 1 is a miss; a figure without one is taken as it is."""
    value = cell["figures of new"][figure]
    return value / (TARGETS[figure].of(cell["recipe"]) or 1)


def row(*columns):
    return f"| {' | '.join(map(str, columns))} |"


def print_cells(cells):
    """Prints all figures, the cell with the worst share of a target first."""
    limited = [figure for figure in TARGETS if TARGETS[figure].most]
    print(row("cell", "objects", "raw MB", "gz MB", *TARGETS), row(*["---"] * (4 + len(TARGETS))), sep="\n")
    for name, cell in sorted(cells.items(), key=lambda item: -max(share(figure, item[1]) for figure in limited)):
        own = cell["figures of new"]
        sizes = f"{cell['raw_bytes'] / 1e6:.0f}", f"{cell['stored_bytes'] / 1e6:.0f}"
        values = [f"**{shown(figure, own[figure])}**" if figure in limited and share(figure, cell) > 1 else
                  shown(figure, own[figure]) for figure in TARGETS]
        print(row(name, cell["objects"], *sizes, *values))


def print_order(cells, most=8):
    """Prints the worst cells of each figure, worst first."""
    print("\n" + row("figure", "worst cells first"), row("---", "---"), sep="\n")
    for figure in TARGETS:
        order = sorted(cells, key=lambda name: -share(figure, cells[name]))[:most]
        print(row(figure, ", ".join(f"{name} {with_time(figure, cells[name])}" for name in order)))


def with_time(figure, cell):
    """Returns a figure, for a search with gzette's time: that of a start is all of it in a small corpus."""
    value = shown(figure, cell["figures of new"][figure])
    own = cell["medians"].get(f"new {figure}")
    return f"{value} ({1000 * own['wall']:.0f} ms)" if own else value


def print_verdict(cells):
    """Prints the worst cell of each figure against its target."""
    print("\n" + row("figure", "worst cell", "value", "target", "reached", "cells that miss it"), row(*["---"] * 6), sep="\n")
    for figure, target in TARGETS.items():
        if not target.most:
            continue
        worst = max(cells, key=lambda name: share(figure, cells[name]))
        missed = sum(share(figure, cell) > 1 for cell in cells.values())
        most = target.of(cells[worst]["recipe"])
        reached = "no" if missed else "yes"
        value = shown(figure, cells[worst]["figures of new"][figure])
        print(row(figure, worst, value, shown(figure, most), reached, f"{missed} of {len(cells)}"))


def changes(cell):
    """Yields each command that both binaries ran, with new to old by CPU and by wall time; then the sizes."""
    medians = cell["medians"]
    for name, new in medians.items():
        old = medians.get("old" + name.removeprefix("new")) if name.startswith("new ") else None
        if old:
            yield name.removeprefix("new "), new["cpu"] / max(old["cpu"], 1e-4), new["wall"] / old["wall"]
    for figure in ("index %", "ledger %"):
        ratio = cell["figures of new"][figure] / cell["figures of old"][figure]
        yield figure, ratio, ratio


def print_changes(cells):
    """Prints new to old, worst first."""
    rows = [(wall, cpu, cell, what) for cell, kept in cells.items() if "figures of old" in kept
            for what, cpu, wall in changes(kept)]
    if rows:
        print("\n" + row("cell", "what", "CPU, new to old", "wall, new to old"), row(*["---"] * 4), sep="\n")
    for wall, cpu, cell, what in sorted(rows, reverse=True):
        print(row(cell, what, f"{cpu:.2f}", f"{wall:.2f}"))


# ---------------------------------------------------------------------------------------------------------------------


def chosen(names, size):
    """Returns the recipes of the named cells; `blobs-small` keeps the size that it is about."""
    groups = {"single": ["base", *corpora.SINGLE], "pairs": list(corpora.PAIRS), "all": list(corpora.CELLS)}
    names = [cell for name in names.split(",") for cell in groups.get(name, [name])]
    if unknown := [name for name in names if name not in corpora.CELLS]:
        sys.exit(f"no cell `{unknown[0]}`; there are: {', '.join(corpora.CELLS)}")
    return {name: corpora.Recipe(**{"size_mb": size, **corpora.CELLS[name]}) for name in names}


def read_kept(path):
    try:
        with open(path) as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gzette")
    parser.add_argument("--cells", default="all")
    parser.add_argument("--size", type=float, default=150, help="MB of raw lines in each cell")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before")
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "gzette-sweep"))
    parser.add_argument("--drop", action="store_true")
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--json")
    return parser.parse_args()


def main():
    given = arguments()
    if not shutil.which("rg"):
        sys.exit("rg is missing: `apt-get install ripgrep` or `cargo install ripgrep`")
    folder = os.path.abspath(given.folder)
    binaries = {"new": os.path.abspath(given.gzette)}
    if given.before:
        binaries["old"] = os.path.abspath(given.before)
    cells = read_kept(given.json) if given.json else {}
    for name, recipe in chosen(given.cells, given.size).items():
        print(name, end=" ", flush=True, file=sys.stderr)
        prepare(name, recipe, folder)
        if given.prepare:
            continue
        cells[name] = run_cell(name, recipe, folder, binaries, given.rounds)
        if given.json:
            with open(given.json, "w") as out:
                json.dump(cells, out, indent=1)
        if given.drop:
            shutil.rmtree(os.path.join(folder, name))
    print(file=sys.stderr)
    if cells and not given.prepare:
        print_cells(cells)
        print_order(cells)
        print_verdict(cells)
        print_changes(cells)


if __name__ == "__main__":
    main()
