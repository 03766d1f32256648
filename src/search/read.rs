//! Reading stretches of one object back from the mirror and picking the lines that match.

use std::io::{self, BufReader, Read};

use super::{Hit, Request};
use crate::decode::Decoder;
use crate::index::BlockAddress;
use crate::ledger::GenerationRow;
use crate::mirror::Mirror;
use crate::model::{Day, Level, UtcMs};
use crate::parse::{Parsed, Parser};
use crate::partial::{ReadSettings, add_trace_line, day_start_ms, group_of, may_carry_trace};
use crate::query::{Expr, Pieces};

/// A stretch is read in pieces of so many bytes, cut at a line's end.
const PIECE_BYTES: usize = 256 << 10;
/// The most bytes of a line that are held and handed out; the rest of a longer one is searched and dropped.
const HELD_LINE_BYTES: usize = 64 << 20;
/// Read ahead of a mirrored file.
const READ_BYTES: usize = 128 << 10;

/// A stretch of lines of a decoded object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    offset: u64,
    length: u64,
    first_line: u64,
    carry_ms: UtcMs,
    carry_level: Level,
}

impl Range {
    pub(super) fn of_block(block: &BlockAddress) -> Self {
        Self {
            offset: block.offset,
            length: block.length,
            first_line: block.first_line,
            carry_ms: block.carry_ms,
            carry_level: block.carry_level,
        }
    }

    /// The whole object of a day.
    pub(super) fn whole(settings: &ReadSettings, day: Option<Day>) -> Self {
        let carry_ms = day_start_ms(day, &settings.parse);
        Self { offset: 0, length: u64::MAX, first_line: 1, carry_ms, carry_level: Level::Unknown }
    }
}

/// The search through one object.
pub(super) struct Scan<'s> {
    request: &'s Request,
    settings: &'s ReadSettings,
    row: &'s GenerationRow,
    place: String,
    parser: Parser,
    /// What was found and not yet handed over.
    pub(super) hits: Vec<Hit>,
    /// The bytes in `hits`.
    pub(super) held_bytes: usize,
    /// How many lines were found.
    pub(super) counted: u64,
    carry_ms: UtcMs,
    carry_level: Level,
    event: Option<OpenEvent>,
}

/// The lines of an error event whose group is not yet known.
#[derive(Default)]
struct OpenEvent {
    level: Level,
    message: String,
    trace: String,
    lines: Vec<Hit>,
}

impl<'s> Scan<'s> {
    pub(super) fn new(request: &'s Request, settings: &'s ReadSettings, row: &'s GenerationRow) -> Self {
        Self {
            request,
            settings,
            row,
            place: row.place(),
            parser: Parser::new(&settings.parse, row.object.day),
            hits: Vec::new(),
            held_bytes: 0,
            counted: 0,
            carry_ms: 0,
            carry_level: Level::Unknown,
            event: None,
        }
    }

    /// Reads the stretches in order; after each piece asks `go_on`.
    pub(super) fn read(
        &mut self,
        mirror: &Mirror,
        ranges: &[Range],
        go_on: &mut dyn FnMut(&mut Self) -> bool,
    ) -> io::Result<()> {
        let object = &self.row.object;
        let file = mirror.open(&object.source, &object.key, object.generation)?;
        let mut decoder = Decoder::new(BufReader::with_capacity(READ_BYTES, file), &self.settings.limits);
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut at = 0;
        for range in ranges {
            io::copy(&mut (&mut decoder).take(range.offset.saturating_sub(at)), &mut io::sink())?;
            // Where all lines are followed, what one stretch begins goes on in one that adjoins it.
            if self.request.group.is_none() || range.offset != at || at == 0 {
                self.close_event();
                (self.carry_ms, self.carry_level) = (range.carry_ms, range.carry_level);
                self.parser.resume(range.carry_level);
            }
            at = range.offset.saturating_add(range.length);
            let mut left = range.length;
            let mut stretch = (&mut decoder).take(range.length);
            let mut number = range.first_line;
            loop {
                let len = fill(&mut stretch, &mut piece)?;
                if len == 0 {
                    break;
                }
                left = left.saturating_sub(len as u64);
                if len >= HELD_LINE_BYTES && piece[len - 1] != b'\n' {
                    left = left.saturating_sub(self.scan_long(&mut piece, &mut stretch, number)?);
                    number += 1;
                } else {
                    self.scan(&piece[..len], number, left > 0);
                    number += memchr::memchr_iter(b'\n', &piece[..len]).count() as u64;
                    piece.drain(..len);
                }
                if !go_on(self) {
                    return Ok(());
                }
            }
        }
        self.close_event();
        Ok(())
    }

    /// Picks the matching lines of a piece that begins with line `number`; `goes_on` when another follows.
    fn scan(&mut self, piece: &[u8], number: u64, goes_on: bool) {
        if self.request.group.is_some() {
            return self.scan_events(piece, number);
        }
        let mut matches = Vec::new();
        each_match(&self.request.expr, piece, number, |line| matches.push(line));
        if self.request.count_only && !self.request.needs_events() {
            self.counted += matches.len() as u64;
        } else if goes_on || !matches.is_empty() {
            self.date_and_keep(piece, number, &matches);
        }
    }

    /// Searches the line that `piece` begins with and `stretch` goes on with, too long to be held. What is left in
    /// `piece` stands behind it. Returns how much of the line was read from the stretch.
    fn scan_long(&mut self, piece: &mut Vec<u8>, stretch: &mut impl Read, number: u64) -> io::Result<u64> {
        let request = self.request;
        let mut pieces = Pieces::new(&request.expr);
        pieces.add(piece);
        let mut next = Vec::with_capacity(PIECE_BYTES);
        let mut read_bytes = 0;
        let rest = loop {
            next.clear();
            let read = stretch.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut next)?;
            let newline = memchr::memchr(b'\n', &next);
            pieces.add(&next[..newline.unwrap_or(read)]);
            read_bytes += newline.map_or(read, |newline| newline + 1) as u64;
            if read == 0 || newline.is_some() {
                break newline.map_or(read, |newline| newline + 1);
            }
        };
        let line = Line { start: 0, end: piece.len(), number };
        if request.group.is_some() {
            self.scan_events(piece, number);
        } else {
            self.follow(piece);
            if pieces.end() {
                self.keep(piece, line);
            }
        }
        piece.clear();
        piece.shrink_to(PIECE_BYTES);
        piece.extend_from_slice(&next[rest..]);
        Ok(read_bytes)
    }

    /// Follows the events of a piece, so that each match gets its time and level, and keeps those wanted.
    fn date_and_keep(&mut self, piece: &[u8], number: u64, matches: &[Line]) {
        let mut matches = matches.iter().peekable();
        for line in lines(piece, number) {
            self.follow(&piece[line.start..line.end]);
            if matches.next_if(|found| found.number == line.number).is_some() {
                self.keep(piece, line);
            }
        }
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

    fn keep(&mut self, piece: &[u8], line: Line) {
        let request = self.request;
        if !request.window.holds(self.carry_ms) || request.levels & self.carry_level.bit() == 0 {
            return;
        }
        self.counted += 1;
        if !request.count_only {
            let hit = self.hit(&piece[line.start..line.end], line.number);
            self.held_bytes += hit.raw.len() + 64;
            self.hits.push(hit);
        }
    }

    fn hit(&self, raw: &[u8], line: u64) -> Hit {
        Hit {
            time_ms: self.carry_ms,
            level: self.carry_level,
            app: self.row.object.app.clone(),
            object: self.place.clone(),
            line,
            raw: raw.to_vec(),
        }
    }

    /// Gathers the lines of each error event and keeps those of the wanted group.
    fn scan_events(&mut self, piece: &[u8], number: u64) {
        for line in lines(piece, number) {
            let raw = &piece[line.start..line.end];
            match parse(&mut self.parser, raw, self.settings) {
                Parsed::Event(event) => {
                    self.close_event();
                    self.carry_ms = event.time_ms.unwrap_or(self.carry_ms);
                    self.carry_level = event.level;
                    if event.level.is_error() || may_carry_trace(&event) {
                        self.event = Some(OpenEvent {
                            level: event.level,
                            message: event.message.text().into_owned(),
                            trace: event.trace.map(|trace| trace.text().into_owned()).unwrap_or_default(),
                            lines: vec![self.hit(raw, line.number)],
                        });
                    }
                }
                Parsed::Continuation => self.continue_event(raw, line.number),
                Parsed::Unparsed => self.close_event(),
            }
        }
    }

    fn continue_event(&mut self, raw: &[u8], line: u64) {
        let hit = self.hit(raw, line);
        if let Some(event) = &mut self.event {
            add_trace_line(&mut event.trace, raw);
            event.lines.push(hit);
        }
    }

    fn close_event(&mut self) {
        let Some(event) = self.event.take() else { return };
        let group = group_of(event.level, &event.message, &event.trace);
        if group.is_none_or(|group| Some(group.id) != self.request.group) {
            return;
        }
        let request = self.request;
        for hit in event.lines {
            let wanted = request.window.holds(hit.time_ms)
                && request.levels & hit.level.bit() != 0
                && request.expr.matches(&hit.raw);
            if wanted {
                self.counted += 1;
                self.held_bytes += hit.raw.len();
                if !request.count_only {
                    self.hits.push(hit);
                }
            }
        }
    }
}

/// Reads a line as the ingest did: of one over the limit only its beginning.
fn parse<'l>(parser: &mut Parser, line: &'l [u8], settings: &ReadSettings) -> Parsed<'l> {
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

/// Tops the piece up and returns the length of its whole lines; at the end of the stretch, of all of it, and of all
/// that was read of a line of at least [`HELD_LINE_BYTES`].
fn fill(stretch: &mut impl Read, piece: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        let before = piece.len();
        let want = PIECE_BYTES.saturating_sub(before).max(PIECE_BYTES / 2) as u64;
        let read = stretch.take(want).read_to_end(piece)?;
        if read == 0 {
            return Ok(piece.len());
        }
        if let Some(newline) = memchr::memrchr(b'\n', &piece[before..]) {
            return Ok(before + newline + 1);
        }
        if piece.len() >= HELD_LINE_BYTES {
            return Ok(piece.len());
        }
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

/// Calls `found` with each line for which `expr` holds, in order. Where the expression requires some bytes,
/// only the lines that hold them are looked at.
fn each_match(expr: &Expr, piece: &[u8], first: u64, mut found: impl FnMut(Line)) {
    let Some(finder) = expr.required_bytes() else {
        return lines(piece, first).filter(|line| expr.matches(&piece[line.start..line.end])).for_each(found);
    };
    let (mut from, mut number) = (0, first);
    while let Some(at) = finder.find(&piece[from..]).map(|at| from + at) {
        let start = memchr::memrchr(b'\n', &piece[from..at]).map_or(from, |newline| from + newline + 1);
        number += memchr::memchr_iter(b'\n', &piece[from..start]).count() as u64;
        let end = memchr::memchr(b'\n', &piece[at..]).map_or(piece.len(), |newline| at + newline);
        let line = Line { start, end, number };
        if expr.matches(&piece[start..end]) {
            found(line);
        }
        from = (end + 1).min(piece.len());
        number += 1;
    }
}
