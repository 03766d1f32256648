//! Reading stretches of one object back from the mirror and picking the lines that match.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Arc;

use super::follow::{Fact, Follower};
use super::object::{Object, read_full};
use super::piece::{PIECE_BYTES, Piece};
use super::range::{HELD_LINE_BYTES, Range};
use super::{Hit, Request};
use crate::edges::ledger::GenerationRow;
use gzette_core::model::{GroupId, Level, SourceName, UtcMs};
use gzette_core::parse::Parser;
use gzette_core::partial::{About, ReadSettings};
use gzette_core::query::{Expr, Facts, Pieces};

/// Asked after each piece whether to go on.
type GoOn<'g, 's> = &'g mut dyn FnMut(&mut Scan<'s>, &mut Object<'_>) -> io::Result<bool>;

/// The search through one object.
pub(super) struct Scan<'s> {
    request: &'s Request,
    expr: &'s Expr,
    follows_groups: bool,
    settings: &'s ReadSettings,
    row: &'s GenerationRow,
    /// The object, its application and its source, as every line found names them.
    place: Arc<str>,
    app: Arc<str>,
    source: Arc<SourceName>,
    /// Follows the events.
    follower: Follower<'s>,
    /// Reads the fields of single lines.
    field_parser: Parser,
    /// Only these lines are wanted; `None`: all that match.
    only: Option<&'s HashSet<u64>>,
    /// No more bytes of lines are held than this; those of earlier lines are given up.
    most_bytes: usize,
    /// The bytes of lines in `hits`.
    raw_bytes: usize,
    /// Matches that were not handed over yet.
    pub(super) hits: Vec<Hit>,
    /// The bytes in `hits`.
    pub(super) held_bytes: usize,
    /// How many lines were found.
    pub(super) counted: u64,
}

impl<'s> Scan<'s> {
    pub(super) fn new(
        request: &'s Request,
        expr: &'s Expr,
        settings: &'s ReadSettings,
        row: &'s GenerationRow,
    ) -> Self {
        let follows_groups = expr.asks_about_groups() || request.with_groups;
        let place = row.place();
        let about = About { day: row.object.day, app: &row.object.app, place: &place, asked: &[] };
        Self {
            request,
            expr,
            follows_groups,
            settings,
            row,
            field_parser: Parser::new(&settings.parse, row.object.day),
            follower: Follower::new(settings, &about, follows_groups),
            only: None,
            most_bytes: usize::MAX,
            raw_bytes: 0,
            hits: Vec::new(),
            held_bytes: 0,
            counted: 0,
            place: place.into(),
            app: row.object.app.as_str().into(),
            source: Arc::new(row.object.source.clone()),
        }
    }

    /// Keeps only these lines.
    pub(super) fn of_lines(self, only: Option<&'s HashSet<u64>>) -> Self {
        Self { only, ..self }
    }

    /// Holds at most this many bytes of lines: of those that are too many, only the place is kept.
    pub(super) fn holding(self, most_bytes: usize) -> Self {
        Self { most_bytes, ..self }
    }

    /// Whether all lines that are wanted alone were found.
    pub(super) fn has_all(&self) -> bool {
        self.only.is_some_and(|only| only.len() == self.hits.len())
    }

    /// Reads the stretches in order and checks each before it searches its lines. A whole object is checked at its end,
    /// or when `go_on`, which is called after each piece, requires it. After an error, matches must not be used
    /// unless they were handed over before.
    pub(super) fn read(
        &mut self,
        object: &mut Object<'_>,
        ranges: &[Range],
        piece: &mut Piece,
        go_on: GoOn<'_, 's>,
    ) -> io::Result<()> {
        // Events go on from a stretch to the one that adjoins it.
        for adjoining in ranges.chunk_by(|a, b| a.bytes().1 == b.bytes().0) {
            object.skip_to(adjoining[0].bytes().0)?;
            self.begin(&adjoining[0]);
            let mut left = adjoining;
            while let [first, rest @ ..] = left {
                let goes_on = if first.is_held() {
                    let taken = piece.fill_with_blocks(object, left)?;
                    self.scan_blocks(piece.bytes(), &left[..taken]);
                    left = &left[taken..];
                    go_on(self, object)?
                } else {
                    left = rest;
                    object.check_ahead(first)?;
                    if !self.follows_groups {
                        self.begin(first);
                    }
                    self.read_long(object, first, piece, go_on)?
                };
                if !goes_on {
                    return Ok(());
                }
            }
        }
        self.finish();
        object.check_end()
    }

    /// Begins to follow the events at a stretch that does not adjoin the one before it.
    fn begin(&mut self, range: &Range) {
        self.finish();
        self.follower.begin(range.place(), range.first_line());
    }

    /// Keeps the rest after the last line of a stretch.
    fn finish(&mut self) {
        self.follower.end();
        self.take_known(true);
    }

    /// Reads a stretch that is not held, piece by piece. Returns whether to go on.
    fn read_long(
        &mut self,
        object: &mut Object<'_>,
        range: &Range,
        piece: &mut Piece,
        go_on: GoOn<'_, 's>,
    ) -> io::Result<bool> {
        let (mut left, mut number) = (range.length(), range.first_line());
        piece.clear();
        loop {
            let mut stretch = object.take(left);
            let len = piece.fill(&mut stretch)?;
            if len == 0 {
                return Ok(true);
            }
            let lines = &piece.bytes()[..len];
            if len >= HELD_LINE_BYTES && lines[len - 1] != b'\n' {
                self.scan_long(piece, &mut stretch, number)?;
                number += 1;
            } else {
                number = self.scan(lines, number);
                piece.drop_first(len);
            }
            left = stretch.limit();
            if !go_on(self, object)? {
                return Ok(false);
            }
        }
    }

    /// Drops all but the newest `limit` matches.
    pub(super) fn keep_newest(&mut self, limit: usize) {
        self.hits.sort_by_key(|hit| (hit.time_ms, hit.line));
        self.hits.drain(..self.hits.len().saturating_sub(limit));
        self.raw_bytes = self.hits.iter().map(|hit| hit.raw.len()).sum();
    }

    /// Picks the matching lines of whole blocks.
    fn scan_blocks(&mut self, piece: &[u8], blocks: &[Range]) {
        let mut rest = piece;
        for block in blocks {
            let bytes = rest.split_off(..block.length() as usize).unwrap_or_default();
            if self.follows_groups {
                self.scan(bytes, block.first_line());
            } else {
                self.scan_block(bytes, block);
            }
        }
    }

    /// Picks the matching lines of a block, and reads no more of it than is needed to know their events.
    fn scan_block(&mut self, bytes: &[u8], block: &Range) {
        let mut matches = Vec::new();
        // The words first: only a block with a match needs its events followed, and that costs far more than the
        // search for bytes.
        each_match(self.expr, bytes, block.first_line(), |line| matches.push(line));
        if self.counts_lines_alone() {
            self.counted += matches.len() as u64;
            return;
        }
        let Some(last) = matches.last() else { return };
        // JSON lines mostly state their time and level. When all matches do, no other line of the block is read.
        if let Some(alone) =
            matches.iter().map(|line| self.follower.alone(line.of(bytes))).collect::<Option<Vec<_>>>()
        {
            for (line, (time_ms, level)) in matches.iter().zip(alone) {
                self.judge(line.number, line.of(bytes), time_ms, level);
            }
            return;
        }
        self.begin(block);
        let mut left = matches.iter().peekable();
        for line in lines(bytes, block.first_line()) {
            if line.number > last.number && self.follower.is_settled() {
                break;
            }
            if left.next_if_eq(&&line).is_some() {
                self.follower.read_match(line.number, line.of(bytes));
            } else {
                self.follower.read(line.number, line.of(bytes));
            }
        }
        self.finish();
    }

    /// Whether lines are only counted, whatever they belong to.
    fn counts_lines_alone(&self) -> bool {
        self.request.count_only && !self.request.needs_events() && !self.expr.asks_about_events()
    }

    /// Picks the matching lines of a piece that begins with line `number`, and follows the events in it. Returns the number
    /// of the line behind it.
    fn scan(&mut self, piece: &[u8], number: u64) -> u64 {
        if self.counts_lines_alone() && !self.follows_groups {
            let counted = &mut self.counted;
            return each_match(self.expr, piece, number, |_| *counted += 1);
        }
        let mut next = number;
        for line in lines(piece, number) {
            let raw = line.of(piece);
            if self.expr.judge(raw) == Some(false) {
                self.follower.read(line.number, raw);
            } else {
                self.follower.read_match(line.number, raw);
            }
            self.take_known(false);
            next = line.number + 1;
        }
        next
    }

    /// Judges the lines whose events are known by now.
    fn take_known(&mut self, is_end: bool) {
        while let Some(known) = self.follower.next_known(is_end) {
            let time_ms = self.follower.latest(0).time_ms;
            let unknown = [(Fact::unknown(time_ms), None)];
            let facts = if known.facts.is_empty() { &unknown[..] } else { &known.facts };
            let fulfils = |(fact, group): &&(Fact, Option<GroupId>)| {
                let (request, expr) = (self.request, self.expr);
                request.window.holds(fact.time_ms)
                    && request.levels & fact.level.bit() != 0
                    && expr.holds(
                        &known.raw,
                        &mut facts_of(&mut self.field_parser, self.settings, &known.raw, fact.level, *group),
                    )
            };
            if let Some(&(fact, group)) = facts.iter().find(fulfils) {
                self.keep(known.line, &known.raw, fact.time_ms, fact.level, group);
            }
        }
    }

    /// Keeps a line if it matches.
    fn judge(&mut self, line: u64, raw: &[u8], time_ms: UtcMs, level: Level) {
        let request = self.request;
        if !request.window.holds(time_ms) || request.levels & level.bit() == 0 {
            return;
        }
        let expr = self.expr;
        let mut facts = facts_of(&mut self.field_parser, self.settings, raw, level, None);
        if expr.judge(raw).unwrap_or_else(|| expr.holds(raw, &mut facts)) {
            self.keep(line, raw, time_ms, level, None);
        }
    }

    /// Searches a line that is too long to be held: `piece` has its beginning, `stretch` the rest. What remains in
    /// `piece` follows the line. Returns how much of the line was read from the stretch.
    fn scan_long(&mut self, piece: &mut Piece, stretch: &mut impl Read, number: u64) -> io::Result<u64> {
        let mut pieces = Pieces::new(self.expr);
        pieces.add(piece.bytes());
        let mut next = vec![0; PIECE_BYTES];
        let mut read_bytes = 0;
        let rest = loop {
            let read = read_full(stretch, &mut next)?;
            let newline = memchr::memchr(b'\n', &next[..read]);
            let end = newline.map_or(read, |newline| newline + 1);
            pieces.add(&next[..newline.unwrap_or(read)]);
            read_bytes += end as u64;
            if read == 0 || newline.is_some() {
                break &next[end..read];
            }
        };
        let head = piece.bytes();
        if self.follows_groups {
            self.scan(head, number);
        } else {
            self.follower.read(number, head);
            self.take_known(false);
            let Fact { time_ms, level, .. } = self.follower.latest(number);
            let is_wanted = self.request.window.holds(time_ms) && self.request.levels & level.bit() != 0;
            if pieces.end(head, &mut facts_of(&mut self.field_parser, self.settings, head, level, None))
                && is_wanted
            {
                self.keep(number, head, time_ms, level, None);
            }
        }
        piece.replace(rest);
        Ok(read_bytes)
    }

    fn keep(&mut self, line: u64, raw: &[u8], time_ms: UtcMs, level: Level, group: Option<GroupId>) {
        if self.only.is_some_and(|only| !only.contains(&line)) {
            return;
        }
        self.counted += 1;
        if self.request.count_only {
            return;
        }
        let raw = if self.request.with_bytes { raw } else { &[] };
        let length = raw.len();
        let raw = self.make_room_for(raw);
        self.held_bytes += raw.len() + 64;
        self.hits.push(Hit {
            time_ms,
            level,
            app: self.app.clone(),
            source: self.source.clone(),
            day: self.row.object.day,
            object: self.place.clone(),
            line,
            raw: raw.to_vec(),
            length,
            group,
            is_match: true,
        });
    }

    /// Gives up the bytes of the lines so far where they and the next line are too many; returns as much of that as is held.
    fn make_room_for<'r>(&mut self, raw: &'r [u8]) -> &'r [u8] {
        if self.raw_bytes + raw.len() > self.most_bytes {
            self.hits.iter_mut().for_each(Hit::forget);
            self.raw_bytes = 0;
        }
        let held = if raw.len() > self.most_bytes { &[] } else { raw };
        self.raw_bytes += held.len();
        held
    }
}

/// What is known about a line besides its bytes.
fn facts_of<'f>(
    parser: &'f mut Parser,
    settings: &ReadSettings,
    line: &'f [u8],
    level: Level,
    group: Option<GroupId>,
) -> Facts<'f> {
    let head = line.get(..settings.limits.max_line_bytes).unwrap_or(line);
    Facts { level, group, head, is_cut: head.len() < line.len(), parser }
}

/// The place of a line in a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    start: usize,
    end: usize,
    number: u64,
}

impl Line {
    fn of<'p>(&self, piece: &'p [u8]) -> &'p [u8] {
        &piece[self.start..self.end]
    }
}

fn lines(piece: &[u8], first: u64) -> impl Iterator<Item = Line> {
    let mut start = 0;
    let mut number = first;
    std::iter::from_fn(move || {
        if start == piece.len() {
            return None;
        }
        let end = memchr::memchr(b'\n', &piece[start..]).map_or(piece.len(), |newline| start + newline);
        let line = Line { start, end, number };
        start = (end + 1).min(piece.len());
        number += 1;
        Some(line)
    })
}

/// Calls `found` with each line that `expr` may match, in order. If the expression requires certain bytes,
/// only lines that contain them are tested. Returns the number of the line after the last one.
fn each_match(expr: &Expr, piece: &[u8], first: u64, mut found: impl FnMut(Line)) -> u64 {
    let may_match = |line: &[u8]| expr.judge(line) != Some(false);
    let Some(mut places) = expr.places(piece) else {
        lines(piece, first).filter(|line| may_match(&piece[line.start..line.end])).for_each(found);
        return first + newlines(piece);
    };
    let (mut from, mut number) = (0, first);
    while let Some(at) = places.next_from(from) {
        let start = memchr::memrchr(b'\n', &piece[from..at]).map_or(from, |newline| from + newline + 1);
        number += newlines(&piece[from..start]);
        let end = memchr::memchr(b'\n', &piece[at..]).map_or(piece.len(), |newline| at + newline);
        let line = Line { start, end, number };
        if may_match(&piece[start..end]) {
            found(line);
        }
        from = (end + 1).min(piece.len());
        number += 1;
    }
    number + newlines(&piece[from..])
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
