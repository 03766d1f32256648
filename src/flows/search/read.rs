//! Reading stretches of one object back from the mirror and picking the lines that match.

use std::io::{self, Read};
use std::sync::Arc;

use super::object::Object;
use super::piece::{PIECE_BYTES, Piece, read_full};
use super::{Hit, Request};
use crate::edges::index::BlockAddress;
use crate::edges::ledger::GenerationRow;
use gzette_core::model::{Day, GroupId, Level, UtcMs};
use gzette_core::parse::{Parsed, Parser};
use gzette_core::partial::{About, EventGrouper, ReadSettings, day_start_ms};
use gzette_core::query::{Expr, Facts, Pieces};

/// The most bytes of a line that are held and handed out; the rest of a longer one is searched and dropped.
pub(super) const HELD_LINE_BYTES: usize = 64 << 20;

/// A block of no more bytes than this is held and checked before any of its lines is looked at. Only one with a very long
/// line is longer; it is read once more to be checked.
const HELD_BLOCK_BYTES: u64 = 4 << 20;

/// A stretch of lines of a decoded object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    offset: u64,
    length: u64,
    first_line: u64,
    carry_ms: UtcMs,
    carry_level: Level,
    /// The CRC-32 of its bytes; `None` for a whole object.
    crc: Option<u32>,
}

impl Range {
    /// Returns its first byte and the first one after it.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.offset, self.offset.saturating_add(self.length))
    }

    /// Returns the number of its first line.
    pub(super) fn first_line(&self) -> u64 {
        self.first_line
    }

    /// Returns the level of the event that goes on at its start.
    pub(super) fn carry_level(&self) -> Level {
        self.carry_level
    }

    /// Returns the time of its lines before the first event.
    pub(super) fn carry_ms(&self) -> UtcMs {
        self.carry_ms
    }

    /// Returns the CRC-32 of its bytes; `None` for a whole object without known blocks.
    pub(super) fn crc(&self) -> Option<u32> {
        self.crc
    }

    /// Whether it is a block that is held while it is looked at.
    pub(super) fn is_held(&self) -> bool {
        self.crc.is_some() && self.length <= HELD_BLOCK_BYTES
    }

    pub(super) fn of_block(block: &BlockAddress) -> Self {
        Self {
            offset: block.offset,
            length: block.length,
            first_line: block.first_line,
            carry_ms: block.carry_ms,
            carry_level: block.carry_level,
            crc: Some(block.crc),
        }
    }

    /// The whole object of a day.
    pub(super) fn whole(settings: &ReadSettings, day: Option<Day>) -> Self {
        let carry_ms = day_start_ms(day, &settings.parse);
        Self { offset: 0, length: u64::MAX, first_line: 1, carry_ms, carry_level: Level::Unknown, crc: None }
    }
}

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
    source: Arc<str>,
    /// Follows the events.
    parser: Parser,
    /// Reads the fields of single lines.
    field_parser: Parser,
    /// Matches that were not handed over yet.
    pub(super) hits: Vec<Hit>,
    /// The bytes in `hits`.
    pub(super) held_bytes: usize,
    /// How many lines were found.
    pub(super) counted: u64,
    carry_ms: UtcMs,
    carry_level: Level,
    /// Follows the groups of the events.
    grouper: EventGrouper<'s>,
    /// The lines of the event whose group is not yet known.
    event: Vec<Hit>,
}

impl<'s> Scan<'s> {
    pub(super) fn new(
        request: &'s Request,
        expr: &'s Expr,
        settings: &'s ReadSettings,
        row: &'s GenerationRow,
    ) -> Self {
        let parser = Parser::new(&settings.parse, row.object.day);
        let place = row.place();
        let about = About { day: row.object.day, app: &row.object.app, place: &place, asked: &[] };
        Self {
            request,
            expr,
            follows_groups: expr.asks_about_groups() || request.with_groups,
            settings,
            row,
            field_parser: parser.clone(),
            parser,
            hits: Vec::new(),
            held_bytes: 0,
            counted: 0,
            carry_ms: 0,
            carry_level: Level::Unknown,
            grouper: EventGrouper::new(settings, &about),
            place: place.into(),
            app: row.object.app.as_str().into(),
            source: row.object.source.as_str().into(),
            event: Vec::new(),
        }
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
        for adjoining in ranges.chunk_by(|a, b| a.bytes().1 == b.offset) {
            object.skip_to(adjoining[0].offset)?;
            self.begin(&adjoining[0]);
            let mut left = adjoining;
            while let [first, rest @ ..] = left {
                let goes_on = if first.is_held() {
                    let taken = piece.fill_with_blocks(object, left)?;
                    left = &left[taken..];
                    self.scan(piece.bytes(), first.first_line, !left.is_empty());
                    go_on(self, object)?
                } else {
                    left = rest;
                    object.check_ahead(first)?;
                    self.read_long(object, first, piece, go_on)?
                };
                if !goes_on {
                    return Ok(());
                }
            }
        }
        self.close_event();
        object.check_end()
    }

    fn begin(&mut self, range: &Range) {
        self.close_event();
        (self.carry_ms, self.carry_level) = (range.carry_ms, range.carry_level);
        self.parser.resume(range.carry_level);
    }

    /// Reads a stretch that is not held, piece by piece. Returns whether to go on.
    fn read_long(
        &mut self,
        object: &mut Object<'_>,
        range: &Range,
        piece: &mut Piece,
        go_on: GoOn<'_, 's>,
    ) -> io::Result<bool> {
        let (mut left, mut number) = (range.length, range.first_line);
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
                number = self.scan(lines, number, true);
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
    }

    /// Collects the matching lines of a piece that begins with line `number`; `goes_on` if another follows. Returns the
    /// number of the line after it.
    fn scan(&mut self, piece: &[u8], number: u64, goes_on: bool) -> u64 {
        if self.follows_groups {
            self.scan_events(piece, number);
            return number + newlines(piece);
        }
        let mut matches = Vec::new();
        let next = each_match(self.expr, piece, number, |line| matches.push(line));
        if self.request.count_only && !self.request.needs_events() && !self.expr.asks_about_events() {
            self.counted += matches.len() as u64;
        } else if goes_on || !matches.is_empty() {
            self.date_and_keep(piece, &matches, goes_on);
        }
        next
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
            self.scan_events(head, number);
        } else {
            self.follow(head);
            if pieces.end(head, &mut self.facts(head, None)) {
                self.keep(head, Line { start: 0, end: head.len(), number });
            }
        }
        piece.replace(rest);
        Ok(read_bytes)
    }

    /// Gives each match its time and level, and keeps those wanted; `goes_on` when another piece follows.
    fn date_and_keep(&mut self, piece: &[u8], matches: &[Line], goes_on: bool) {
        let mut followed = 0;
        for &line in matches {
            self.follow_to(piece, &mut followed, line.end);
            if self.holds(&piece[line.start..line.end]) {
                self.keep(piece, line);
            }
        }
        if goes_on {
            self.follow_to(piece, &mut followed, piece.len());
        }
    }

    /// Follows the events from `followed` up to the line that ends at `end`. Lines
    /// before an event with its own time do not affect what comes after it.
    fn follow_to(&mut self, piece: &[u8], followed: &mut usize, end: usize) {
        let (from, limit) = (*followed, self.settings.limits.max_line_bytes);
        if from >= end {
            return;
        }
        let mut line_end = if piece[end - 1] == b'\n' { end - 1 } else { end };
        let start = loop {
            let newline = memchr::memrchr(b'\n', &piece[from..line_end]);
            let Some(start) = newline.map(|newline| from + newline + 1) else { break from };
            let line = &piece[start..line_end];
            let head = line.get(..limit).unwrap_or(line);
            if self.parser.begins_dated_event(head, head.len() < line.len()) {
                break start;
            }
            line_end = start - 1;
        };
        for line in lines(&piece[start..end], 0) {
            self.follow(&piece[start + line.start..start + line.end]);
        }
        *followed = end + 1;
    }

    fn follow(&mut self, line: &[u8]) {
        match parse(&mut self.parser, line, self.settings) {
            Parsed::Event(event) => {
                self.carry_ms = event.time_ms.unwrap_or(self.carry_ms);
                self.carry_level = event.level;
            }
            Parsed::Continuation => {}
            Parsed::Unparsed => self.carry_level = Level::Unknown,
        }
    }

    /// Whether the expression holds for a line whose event was followed.
    fn holds(&mut self, line: &[u8]) -> bool {
        let expr = self.expr;
        expr.judge(line).unwrap_or_else(|| expr.holds(line, &mut self.facts(line, None)))
    }

    fn facts<'f>(&'f mut self, line: &'f [u8], group: Option<GroupId>) -> Facts<'f> {
        let head = line.get(..self.settings.limits.max_line_bytes).unwrap_or(line);
        Facts {
            level: self.carry_level,
            group,
            head,
            is_cut: head.len() < line.len(),
            parser: &mut self.field_parser,
        }
    }

    fn keep(&mut self, piece: &[u8], line: Line) {
        let request = self.request;
        if !request.window.holds(self.carry_ms) || request.levels & self.carry_level.bit() == 0 {
            return;
        }
        self.counted += 1;
        if !request.count_only {
            let raw = if request.with_bytes { &piece[line.start..line.end] } else { &[] };
            let hit = self.hit(raw, line.number);
            self.held_bytes += hit.raw.len() + 64;
            self.hits.push(hit);
        }
    }

    fn hit(&self, raw: &[u8], line: u64) -> Hit {
        Hit {
            time_ms: self.carry_ms,
            level: self.carry_level,
            app: self.app.clone(),
            source: self.source.clone(),
            day: self.row.object.day,
            object: self.place.clone(),
            line,
            raw: raw.to_vec(),
            group: None,
            is_match: true,
        }
    }

    /// Follows the events, gathers the lines of each until its group is known, and keeps those wanted.
    fn scan_events(&mut self, piece: &[u8], number: u64) {
        for line in lines(piece, number) {
            let raw = &piece[line.start..line.end];
            let head = raw.get(..self.settings.limits.max_line_bytes).unwrap_or(raw);
            match parse(&mut self.parser, raw, self.settings) {
                Parsed::Event(event) => {
                    self.close_event();
                    self.carry_ms = event.time_ms.unwrap_or(self.carry_ms);
                    self.carry_level = event.level;
                    self.grouper.begin(head, head.len() < raw.len(), &event);
                }
                Parsed::Continuation => self.grouper.add(head),
                Parsed::Unparsed => {
                    self.close_event();
                    self.carry_level = Level::Unknown;
                }
            }
            if self.expr.judge(raw) != Some(false) {
                self.event.push(self.hit(raw, line.number));
            }
        }
    }

    fn close_event(&mut self) {
        let group = self.grouper.close().map(|(group, _)| group.id);
        let (expr, request) = (self.expr, self.request);
        for hit in std::mem::take(&mut self.event) {
            let wanted = request.window.holds(hit.time_ms)
                && request.levels & hit.level.bit() != 0
                && expr.holds(&hit.raw, &mut self.facts(&hit.raw, group));
            if wanted {
                self.counted += 1;
                self.held_bytes += hit.raw.len();
                if !request.count_only {
                    self.hits.push(Hit { group, ..hit });
                }
            }
        }
    }
}

/// Reads a line as the ingest did: of one over the limit only its beginning.
pub(super) fn parse<'l>(parser: &mut Parser, line: &'l [u8], settings: &ReadSettings) -> Parsed<'l> {
    match line.get(..settings.limits.max_line_bytes) {
        Some(start) if start.len() < line.len() => parser.parse_cut(start),
        _ => parser.parse(line),
    }
}

/// The place of a line in a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    start: usize,
    end: usize,
    number: u64,
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
    let Some(finder) = expr.required_bytes() else {
        lines(piece, first).filter(|line| may_match(&piece[line.start..line.end])).for_each(found);
        return first + newlines(piece);
    };
    let (mut from, mut number) = (0, first);
    while let Some(at) = finder.find(&piece[from..]).map(|at| from + at) {
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
