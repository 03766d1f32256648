#!/usr/bin/env python3
"""Writes a corpus of log objects by a recipe: other sizes, lines, ids and wrappings than those of `cargo bench --bench corpus`.

    python3 benches/corpora.py DIR [CELL] [--size MB] [--SWITCH VALUE ...]

CELL is a name of `CELLS` (default: base); each switch is a field of `Recipe`. The objects lie where FluentD puts them,
`logs/{application}/{yyyyMMdd}/{application}_{part}.gz`. The same arguments give the same lines on every machine. Ends by
writing `DIR/corpus.json`, which holds the recipe, what was written and some ids to search for; a folder whose file holds the
same recipe is left as it is.
"""
import argparse
import base64
import dataclasses
import functools
import json
import multiprocessing
import os
import random
import re
import shutil
import sys
import time
import urllib.parse
import zlib

# Raised when a recipe gives other bytes than before: kept corpora are then written again.
VERSION = 1
DAY_MS = 86_400_000
# 2026-01-05T00:00:00Z, a Monday.
START_MS = 1_767_571_200_000
APPS = ("orders-api", "billing_worker", "search.front", "mailer", "edge-proxy", "stock2")
# Text that one of the first templates holds, and so about an eighth of the lines.
COMMON = "accepted for buyer"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a corpus consists of; the defaults are the base cell."""

    size_mb: float = 150  # raw
    object_kb: float = 1024  # compressed, about
    member_lines: int = 0  # lines of a gzip member; 0: one member an object
    line_bytes: int = 300  # about
    blob_every: int = 0  # one line in so many holds a blob; 0: none
    blob_kind: str = "mixed"  # or a key of `BLOBS`
    blob_bytes: int = 600  # about
    escapes: str = "none"  # or html (as Gson writes < > & = '), ascii (all that is not ASCII)
    text: str = "ascii"  # or utf8
    ids: str = "hex"  # or a key of `IDS`
    repetition: str = "normal"  # or high, low
    wrap: str = "none"  # or docker, cri
    format: str = "json"  # or plain
    keys: str = "fixed"  # or mixed (another order in each line)
    errors: float = 0.02  # share of lines
    groups: int = 24  # different errors
    apps: int = 3
    days: int = 3
    objects: int = 0  # 0: as many as the sizes give
    seed: int = 1


# ---------------------------------------------------------------------------------------------------------------------
# Pieces


def hex_id(pick, _):
    return "%016x" % pick.getrandbits(64)


def decimal_id(pick, now_ms):
    """A snowflake: milliseconds, then 22 random bits."""
    return "%d" % ((now_ms - 1_288_834_974_657) << 22 | pick.getrandbits(22))


def uuid_id(pick, _):
    digits = "%032x" % pick.getrandbits(128)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def pairs(alphabet):
    return [left + right for left in alphabet for right in alphabet]


CROCKFORD = pairs("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
BASE62 = pairs("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


def ulid_id(pick, now_ms):
    bits = now_ms << 80 | pick.getrandbits(80)
    return "".join([CROCKFORD[bits >> at & 1023] for at in range(120, -1, -10)])


def base62_id(pick, _):
    draw = pick.random
    return "".join([BASE62[int(draw() * 3844)] for _ in range(10)])


IDS = {"hex": hex_id, "decimal": decimal_id, "uuid": uuid_id, "ulid": ulid_id, "base62": base62_id}


def jwt(pick, size):
    """A token of three parts, with a payload that differs."""
    encode = lambda part: base64.urlsafe_b64encode(part).rstrip(b"=").decode()
    claims = {"iss": "https://id.example", "sub": hex_id(pick, 0), "iat": 1767571200 + pick.getrandbits(20), "scope": "read"}
    body = json.dumps(claims).encode() + pick.randbytes(max(size * 3 // 4 - 330, 16)).hex().encode()
    return ".".join(map(encode, (b'{"alg":"RS256","typ":"JWT","kid":"2026-01"}', body, pick.randbytes(256))))


def url_encoded(pick, size):
    """A form with bytes, about half of which need an escape."""
    return "data=" + urllib.parse.quote(pick.randbytes(size // 2), safe="")


def base64_blob(pick, size):
    return base64.b64encode(pick.randbytes(size * 3 // 4)).decode()


BLOBS = {
    "hex": lambda pick, size: pick.randbytes(size // 2).hex(),
    "base64": base64_blob,
    "base64url": lambda pick, size: base64_blob(pick, size).replace("+", "-").replace("/", "_").rstrip("="),
    "jwt": jwt,
    "upper-hex": lambda pick, size: pick.randbytes(size // 2).hex().upper(),
    "url": url_encoded,
    # Hex, or base64 that happens to hold neither `+` nor `/`: one long word.
    "letters": lambda pick, size: (
        pick.randbytes(size // 2).hex() if pick.random() < 0.5 else re.sub("[+/=]", "", base64_blob(pick, size))
    ),
}
MIXED = ("hex", "base64", "base64url", "jwt", "upper-hex", "url")

# The corpora that `sweep.py` measures: one with every switch at its default, one for each other value of a switch, and pairs
# that were or may be bad.
SINGLE = {
    "object-10k": {"object_kb": 10},
    "object-100k": {"object_kb": 100},
    "object-100m": {"object_kb": 100 * 1024, "apps": 1},
    "members": {"member_lines": 1},
    "line-80": {"line_bytes": 80},
    "line-2k": {"line_bytes": 2048},
    "line-64k": {"line_bytes": 65_536},
    "blobs-1000": {"blob_every": 1000},
    "blobs-100": {"blob_every": 100},
    "blobs-all": {"blob_every": 1},
    **{f"blobs-{kind}": {"blob_every": 100, "blob_kind": kind} for kind in BLOBS},
    "escapes-html": {"escapes": "html"},
    "escapes-ascii": {"escapes": "ascii"},
    "utf8": {"text": "utf8"},
    **{f"ids-{alphabet}": {"ids": alphabet} for alphabet in IDS if alphabet != Recipe.ids},
    "repetition-high": {"repetition": "high"},
    "repetition-low": {"repetition": "low"},
    "docker": {"wrap": "docker"},
    "cri": {"wrap": "cri"},
    "plain": {"format": "plain"},
    "keys-mixed": {"keys": "mixed"},
    "errors-half": {"errors": 0.5},
    "groups-2000": {"errors": 0.1, "groups": 2000},
}
PAIRS = {
    # Three applications, a week, an object every ten minutes, one line in 360 with a word of hundreds of letters.
    "blobs-small": {
        "size_mb": 561, "object_kb": 30, "line_bytes": 305, "blob_every": 360, "blob_kind": "letters", "days": 7,
        "objects": 3024,
    },
    "small-blobs-all": {"object_kb": 10, "blob_every": 1},
    "small-docker": {"object_kb": 10, "wrap": "docker"},
    "small-groups": {"object_kb": 10, "errors": 0.1, "groups": 2000},
    "long-blobs-all": {"line_bytes": 65_536, "blob_every": 1, "blob_bytes": 16_384},
    "short-blobs-all": {"line_bytes": 80, "blob_every": 1, "blob_bytes": 300},
    "blobs-all-hex": {"blob_every": 1, "blob_kind": "hex"},
    "blobs-all-url": {"blob_every": 1, "blob_kind": "url"},
    "members-short": {"member_lines": 1, "line_bytes": 80},
    "short-low": {"line_bytes": 80, "repetition": "low"},
    "docker-html": {"wrap": "docker", "escapes": "html"},
    "docker-plain-utf8": {"wrap": "docker", "format": "plain", "text": "utf8"},
    "decimal-low": {"ids": "decimal", "repetition": "low"},
    "ulid-blobs": {"ids": "ulid", "blob_every": 100},
}
CELLS = {"base": {}, **SINGLE, **PAIRS}

SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu ar en is ol un".split()
FOREIGN = (
    "für Größe Übergabe Straße façade naïve señor año Łódź żółw čaj öğe заказ оплата склад ошибка клиент 注文 在庫 支払い "
    "エラー 注文を受け付けました 订单 库存 결제 주문 مرحبا שלום ελλάδα 🚚 ✅ ⚠️ — … €"
).split()

# Slots: # a number, @ an id, ~ a word of the pool, % an address.
MESSAGES = (
    ("INFO", "order @ accepted for buyer # with # items by ~"),
    ("INFO", "GET /v3/items/#/price?zone=~&rev=# -> 200 in #ms trace=@"),
    ("INFO", "charge @ settled: amount=#.# currency=EUR gateway=~"),
    ("DEBUG", "cache miss for key ~:# after # us (shard #) trace=@"),
    ("INFO", "consumed offset # of topic ~ partition # key=@"),
    ("INFO", "user # logged in from % by <~>, session=@"),
    ("WARN", "slow answer of ~: # ms, retry # of 3, trace=@"),
    ("INFO", "mail 'welcome-~' queued as @ size=#"),
)
SHORT = (
    ("INFO", "@ accepted for buyer"),
    ("INFO", "done @"),
    ("DEBUG", "hit @ #"),
    ("WARN", "slow @ #"),
)
# Hardly anything varies: a poller, a health check, and an id now and then.
REPEATED = (
    ("INFO", "health check passed, all # probes fine"),
    ("INFO", "polling queue ~ for messages, none found"),
    ("DEBUG", "lock of leader renewed for 30 s"),
    ("INFO", "request accepted for buyer"),
    *(("INFO", "scheduled job ~ has nothing to do"),) * 11,
    ("INFO", "batch @ closed"),
)
ERRORS = (
    ("java.net.SocketTimeoutException", "Read timed out after # ms calling ~, trace=@"),
    ("java.lang.IllegalStateException", "order @ is not payable in state ~"),
    ("org.postgresql.util.PSQLException", "ERROR: deadlock detected while updating row # of ~"),
    ("com.example.stock.OutOfStockException", "no stock of sku # at ~ (request @)"),
    ("java.lang.NullPointerException", "Cannot invoke ~.price() because it is null, trace=@"),
    ("com.example.mail.RejectedException", "550 mailbox unavailable for message @"),
)
FRAMES = [
    f"com.example.{package}.{name}.{method}({name}.java:{line})"
    for package, name in (("orders", "OrderFlow"), ("web", "Dispatcher"), ("stock", "Shelf"), ("pay", "Gateway"))
    for method, line in (("handle", 88), ("call", 141), ("invoke", 302), ("lambda$run$0", 57))
]


def words(recipe):
    """The vocabulary: as often as not in words of other scripts when the text is UTF-8."""
    pick = random.Random(7)
    made = ["".join(pick.choice(SYLLABLES) for _ in range(pick.randint(2, 4))) for _ in range(3000)]
    if recipe.text == "utf8" or recipe.escapes == "ascii":
        made = [pick.choice(FOREIGN) if pick.random() < 0.5 else word for word in made]
    return made[:12] if recipe.repetition == "high" else made


def clauses(recipe, pool):
    """Text that fills lines up: pairs and words, a number in each."""
    pick = random.Random(8)
    word = lambda: pick.choice(pool)
    shapes = (
        " {0}={1} {2}=%d {3}={4}", " {0} {1} of {2} %d {3} {4}", " {0}.{1}=%d {2} {3}", " ({0} {1}, {2}: %d {3} & {4})",
        " <{0} n='%d'>{1} {2} {3}</{0}>",
    )
    count = 16 if recipe.repetition == "high" else 4096
    return [pick.choice(shapes).format(*(word() for _ in range(5))) for _ in range(count)]


# ---------------------------------------------------------------------------------------------------------------------
# Lines


def html_safe(text):
    return re.sub("[<>&=']", lambda found: "\\u%04x" % ord(found[0]), text)


def encoder(recipe):
    """Returns how literal text is written inside a line of the format, before any wrapping."""
    if recipe.format == "plain":
        return lambda text: text
    quoted = lambda text: json.dumps(text, ensure_ascii=recipe.escapes == "ascii")[1:-1]
    return (lambda text: html_safe(quoted(text))) if recipe.escapes == "html" else quoted


def wrapped(recipe, parts):
    """Puts a line's parts (literals, slots) into the record of a container runtime."""
    if recipe.wrap == "docker":
        quoted = [json.dumps(part, ensure_ascii=False)[1:-1] if part[0] != "\0" else part for part in parts]
        return ['{"log":"', *quoted, '\\n","stream":"stdout","time":"', "\0time", '"}\n']
    if recipe.wrap == "cri":
        return ["\0time", " stdout F ", *parts, "\n"]
    return [*parts, "\n"]


def slots(encode, message):
    """Splits a message into encoded literals and slots."""
    names = {"#": "\0number", "@": "\0id", "~": "\0word", "%": "\0address"}
    return [names.get(part) or encode(part) for part in re.split("([#@~%])", message) if part]


def filled(level):
    """Returns the slot behind a message: an error is not filled up with words, of which each would make a group."""
    return "\0blob_only" if level == "ERROR" else "\0more"


def joined(fields):
    """Joins (name, parts of a value) to a JSON object of strings."""
    parts = []
    for number, (name, value) in enumerate(fields):
        parts += ["," if number else "{", f'"{name}":"', *value, '"']
    return [*parts, "}"]


def orders(recipe, fields):
    """Yields the orders of keys that a recipe asks for."""
    if recipe.keys == "fixed":
        return [fields]
    pick = random.Random(9)
    return [pick.sample(fields, len(fields)) for _ in range(6)]


def json_shapes(recipe, level, message, trace):
    """The lines of one message as JSON, in each order of keys."""
    encode = encoder(recipe)
    said = [*slots(encode, message), filled(level), *[encode(frame) for frame in trace]]
    if recipe.line_bytes < 120:
        return [joined([("time", ["\0time"]), ("level", [level]), ("msg", said)])]
    fields = [
        ("time", ["\0time"]), ("level", [level]), ("logger", ["com.example.Flow"]),
        ("thread", ["worker-", "\0small"]), ("message", said),
    ]
    return [joined(fields) for fields in orders(recipe, fields)]


def plain_shapes(level, message, trace):
    """The lines of one message as a text head with what follows; a trace takes lines of its own."""
    said = [*slots(lambda text: text, message), filled(level), *trace]
    return [["\0time", f" {level:5} [worker-", "\0small", "] com.example.Flow - ", *said]]


def shapes_of(recipe, level, message, trace=()):
    if recipe.format == "plain":
        made = plain_shapes(level, message, trace)
    else:
        made = json_shapes(recipe, level, message, trace)
    return [wrapped(recipe, parts) for parts in made]


def shapes(recipe):
    """Returns the shapes of usual lines and of errors."""
    templates = SHORT if recipe.line_bytes < 120 else REPEATED if recipe.repetition == "high" else MESSAGES
    usual = [shape for level, message in templates for shape in shapes_of(recipe, level, message)]
    return usual, [shape for level, message, trace in errors(recipe) for shape in shapes_of(recipe, level, message, trace)]


def errors(recipe):
    """Yields the errors, each a level, a message whose wording is always the same, and a trace."""
    pick = random.Random(10)
    word = lambda: "".join(pick.choice(SYLLABLES) for _ in range(3))
    has_trace = recipe.line_bytes >= 120 and not (recipe.wrap != "none" and recipe.format == "plain")
    for number in range(recipe.groups):
        kind, message = ERRORS[number % len(ERRORS)]
        step = f" in step {word()}" if number >= len(ERRORS) else ""
        depth = max(pick.randint(4, 12), recipe.line_bytes // 100)
        frames = [f"\n\tat {pick.choice(FRAMES)}" for _ in range(depth)]
        trace = [f"\n{kind}: failed", *frames] if has_trace else []
        yield "ERROR", f"{kind}: {message.replace('~', word())}{step}", trace


class Lines:
    """Makes lines, object by object."""

    def __init__(self, recipe):
        self.recipe = recipe
        self.is_fresh = recipe.repetition == "low"
        self.millis = [".%03dZ" % milli for milli in range(1000)]
        self.make_id = IDS[recipe.ids]
        pool = words(recipe)
        outer = (lambda text: json.dumps(text, ensure_ascii=False)[1:-1]) if recipe.wrap == "docker" else str
        encode = encoder(recipe)
        self.words = [outer(encode(word)) for word in pool]
        self.clauses = [outer(encode(clause)) for clause in clauses(recipe, pool)]
        usual, errors = shapes(recipe)
        self.usual, self.errors = [self.compiled(shape) for shape in usual], [self.compiled(shape) for shape in errors]
        self.start(0)

    def start(self, number):
        """Begins the object of this number."""
        self.pick = random.Random(self.recipe.seed << 32 | number)
        self.now_ms, self.second, self.stamp = 0, -1, ""
        self.last_id, self.blob, self.room = "", "", 0

    def compiled(self, shape):
        """Returns a format, the functions of its slots, and its length."""
        texts = ["%s" if part[0] == "\0" else part.replace("%", "%%") for part in shape]
        fills = [getattr(self, part[1:]) for part in shape if part[0] == "\0"]
        plain = "".join(texts)
        return plain, fills, len(plain) + 10 * len(fills)

    def time(self):
        second, milli = divmod(self.now_ms, 1000)
        if second != self.second:
            self.second, self.stamp = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return self.stamp + self.millis[milli]

    def id(self):
        self.last_id = self.make_id(self.pick, self.now_ms)
        return self.last_id

    def number(self):
        return int(10 ** (self.pick.random() * 4))

    def small(self):
        return int(self.pick.random() * 24)

    def word(self):
        if self.is_fresh:
            return "%x" % self.pick.getrandbits(40)
        return self.words[int(self.pick.random() * len(self.words))]

    def address(self):
        bits = self.pick.getrandbits(24)
        return f"10.{bits >> 16}.{bits >> 8 & 255}.{bits & 255}"

    def more(self):
        """Returns the line's blob, if it has one, and clauses up to its length."""
        draw, pool, room = self.pick.random, self.clauses, self.room
        count, made = len(pool), [self.blob]
        # A message has the same keys each time: its clauses follow one of a few courses through the pool.
        at, most = int(draw() * 12) * (count // 12), 100
        if self.is_fresh:
            at, most = int(draw() * count), 1e12
        while room > 20:
            clause = pool[at % count]
            made.append(clause % (draw() * most))
            room -= len(clause)
            at += 1
        return "".join(made)

    def blob_only(self):
        return self.blob

    def next(self, now_ms):
        """Returns a line."""
        recipe, draw = self.recipe, self.pick.random
        self.now_ms = now_ms
        kinds = self.errors if draw() < recipe.errors else self.usual
        line, fills, length = kinds[int(draw() * len(kinds))]
        self.room = int(recipe.line_bytes * (0.5 + draw())) - length
        self.blob = self.next_blob() if recipe.blob_every and draw() * recipe.blob_every < 1 else ""
        return line % tuple([fill() for fill in fills])

    def next_blob(self):
        recipe, pick = self.recipe, self.pick
        kind = recipe.blob_kind if recipe.blob_kind != "mixed" else MIXED[int(pick.random() * len(MIXED))]
        return " body=" + BLOBS[kind](pick, int(recipe.blob_bytes * (0.5 + pick.random())))


# ---------------------------------------------------------------------------------------------------------------------
# Objects


@functools.lru_cache(1)
def lines_of(recipe):
    """Returns the maker of a recipe's lines, one a process: to set it up takes longer than to write a small object."""
    return Lines(recipe)


class Deflate:
    """Writes gzip members: one, or one for every so many lines."""

    def __init__(self, file, member_lines):
        self.file, self.member_lines = file, member_lines
        self.one = zlib.compressobj(6, zlib.DEFLATED, 31) if not member_lines else None

    def write(self, lines):
        """Writes events; returns their lines (a trace has its own) and bytes."""
        step = self.member_lines or len(lines)
        count = size = 0
        for at in range(0, len(lines), step):
            text = "".join(lines[at : at + step]).encode()
            count += text.count(b"\n")
            size += len(text)
            self.file.write(self.one.compress(text) if self.one else zlib.compress(text, 6, 31))
        return count, size

    def end(self):
        if self.one:
            self.file.write(self.one.flush())


def raw_of_object(recipe):
    """Returns the raw bytes that give an object of the recipe's size, by a sample."""
    lines = lines_of(recipe)
    lines.start(0)
    sample, size = [], 0
    while size < min(recipe.object_kb * 8192, 1 << 20) or len(sample) < 16:
        sample.append(lines.next(START_MS + len(sample) * 37))
        size += len(sample[-1])
    raw = "".join(sample).encode()
    if recipe.member_lines:
        count = recipe.member_lines
        parts = ("".join(sample[at : at + count]).encode() for at in range(0, len(sample), count))
        stored = sum(len(zlib.compress(part, 6, 31)) for part in parts)
    else:
        stored = len(zlib.compress(raw, 6, 31))
    return recipe.object_kb * 1024 * len(raw) / stored


def plan(recipe):
    """Returns the objects, each with its number, key, first and last time and raw bytes."""
    size = recipe.size_mb * 1e6
    count = recipe.objects or max(1, round(size / raw_of_object(recipe)))
    apps, days = min(recipe.apps, count), min(recipe.days, -(-count // min(recipe.apps, count)))
    parts = -(-count // (apps * days))
    objects = []
    for number in range(count):
        app, day, part = APPS[number % apps], number // apps % days, number // apps // days
        start_ms = START_MS + day * DAY_MS + part * DAY_MS // parts
        date = time.strftime("%Y%m%d", time.gmtime(start_ms / 1000))
        key = f"logs/{app}/{date}/{app}_{date}-{part:04}.gz"
        objects.append((number + 1, key, start_ms, DAY_MS // parts, size / count))
    return objects


def write_object(recipe, folder, planned):
    """Writes one object; returns its lines, its raw bytes and some ids that it holds."""
    number, key, start_ms, span_ms, size = planned
    lines, ids = lines_of(recipe), []
    lines.start(number)
    raw = count = 0
    step = span_ms * min(recipe.line_bytes + (recipe.blob_bytes if recipe.blob_every == 1 else 0), size) / size / 1.5
    now_ms = float(start_ms)
    with open(os.path.join(folder, key), "wb") as file:
        deflate = Deflate(file, recipe.member_lines)
        while raw < size:
            batch, room = [], min(size - raw, 1 << 16)
            while room > 0:
                batch.append(lines.next(int(now_ms)))
                now_ms += step
                room -= len(batch[-1])
            now_ms = min(now_ms, start_ms + span_ms - 1000.0)
            ids.append(lines.last_id)
            count, raw = (have + more for have, more in zip((count, raw), deflate.write(batch)))
        deflate.end()
    return count, raw, ids


def stamp(recipe):
    return {"version": VERSION, "recipe": dataclasses.asdict(recipe)}


def kept(recipe, folder):
    """Returns what a folder's corpus.json says, if it was written by this recipe."""
    try:
        with open(os.path.join(folder, "corpus.json")) as file:
            told = json.load(file)
    except (OSError, ValueError):
        return None
    return told if all(told.get(name) == value for name, value in stamp(recipe).items()) else None


def write(recipe, folder, jobs=0):
    """Writes a corpus, unless the folder holds it; returns what corpus.json says."""
    if told := kept(recipe, folder):
        return told
    shutil.rmtree(os.path.join(folder, "logs"), ignore_errors=True)
    objects = plan(recipe)
    for place in {os.path.dirname(planned[1]) for planned in objects}:
        os.makedirs(os.path.join(folder, place))
    with multiprocessing.Pool(jobs or os.cpu_count()) as pool:
        written = pool.map(functools.partial(write_object, recipe, folder), objects, chunksize=1)
    stored = sum(os.path.getsize(os.path.join(folder, planned[1])) for planned in objects)
    ids = [name for _, _, names in written for name in names if name]
    picked = random.Random(recipe.seed)
    told = {
        **stamp(recipe), "objects": len(objects), "lines": sum(lines for lines, _, _ in written),
        "raw_bytes": sum(raw for _, raw, _ in written), "stored_bytes": stored,
        "last_day": max(planned[1].split("/")[2] for planned in objects), "ids": picked.sample(ids, min(64, len(ids))),
    }
    with open(os.path.join(folder, "corpus.json"), "w") as file:
        json.dump(told, file, indent=1)
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir")
    parser.add_argument("cell", nargs="?", default="base", choices=CELLS)
    for field in dataclasses.fields(Recipe):
        names = [f"--{field.name.replace('_', '-')}"] + (["--size"] if field.name == "size_mb" else [])
        parser.add_argument(*names, dest=field.name, type=field.type)
    parser.add_argument("--jobs", type=int, default=0)
    given = vars(parser.parse_args())
    folder, cell, jobs = given.pop("dir"), given.pop("cell"), given.pop("jobs")
    switches = {name: value for name, value in given.items() if value is not None}
    told = write(Recipe(**{**CELLS[cell], **switches}), folder, jobs)
    print(f"{told['objects']} objects, {told['lines']} lines, {told['stored_bytes'] / 1e6:.1f} MB gz in {folder}")


if __name__ == "__main__":
    main()
