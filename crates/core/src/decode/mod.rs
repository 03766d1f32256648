//! Bytes of an object to members to lines, streaming and bounded; damage is data.
//!
//! [`Decoder`] finds out by the first bytes how an object is compressed and gives the decoded bytes;
//! [`Lines`] cuts them into lines. What the lines mean is [`parse`](crate::parse)'s concern.

mod gzip;
mod inflate;
mod input;
mod lines;
mod point;
#[cfg(test)]
mod tests;
mod zstd;

pub use lines::Lines;
pub use point::Point;

use std::io::{self, Cursor, Read};

use self::gzip::Gzip;
use self::input::Input;
use self::zstd::Zstd;
use crate::model::Damage;

/// What an object may cost. Reading stops with a [`Damage`] where one is passed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// The bytes of a line that are kept; the rest of it is counted and dropped.
    pub max_line_bytes: usize,
    /// The decoded bytes of an object.
    pub max_decoded_bytes: u64,
    /// Decoded bytes per stored byte, looked at once [`RATIO_FLOOR_BYTES`] have been decoded.
    pub max_ratio: u64,
    /// The gzip members or zstd frames of an object.
    pub max_members: u64,
}

/// The decoded bytes below which no ratio is suspicious.
pub const RATIO_FLOOR_BYTES: u64 = 64 << 20;

impl Default for Limits {
    /// Deflate cannot pass 1032:1 (zlib's technical notes), so a plain gzip file never meets the ratio.
    fn default() -> Self {
        Self {
            max_line_bytes: 1 << 20,
            max_decoded_bytes: 64 << 30,
            max_ratio: 1100,
            max_members: 50_000_000,
        }
    }
}

/// The damages of an object that are kept in words; more are only counted.
pub const DAMAGES_KEPT: usize = 16;

/// The decoded bytes of one object: gzip with any number of members, zstd, either of them once more inside,
/// or plain.
///
/// Damage is not an error: whatever can be decoded is returned, then reading continues after the damage where a gzip
/// member starts, or ends. A line that damage broke, or may have broken, ends there: a newline that is not in the object
/// keeps it from running into the next one.
pub struct Decoder<R> {
    chain: Chain<R>,
    limits: Limits,
    log: DamageLog,
    decoded_bytes: u64,
    notes_points: bool,
}

/// A stage whose first bytes were looked at and put back.
type Peeked<R> = io::Chain<Cursor<Vec<u8>>, Stage<R>>;

enum Chain<R> {
    Unopened(R),
    Once(Peeked<R>),
    Twice(Box<Peeked<Peeked<R>>>),
    Ended,
}

impl<R: Read> Decoder<R> {
    /// Returns a decoder of `reader`'s bytes; nothing is read yet.
    pub fn new(reader: R, limits: &Limits) -> Self {
        Self::of(Chain::Unopened(reader), limits)
    }

    fn of(chain: Chain<R>, limits: &Limits) -> Self {
        Self {
            chain,
            limits: limits.clone(),
            log: DamageLog::default(),
            decoded_bytes: 0,
            notes_points: false,
        }
    }

    /// Returns a decoder from a point of an undamaged object on; `reader` must be positioned at its `stored_at`.
    /// `None`: the point is unusable, so the object must be read from its start.
    pub fn resume(reader: R, limits: &Limits, point: &Point) -> Option<Self> {
        // Counted from the object's start, so that a limit is met at the same byte wherever decoding begins.
        let budget = Budget { made: point.decoded_at, ..Budget::new(limits) };
        let gzip = Gzip::resume(Input::at(reader, point.stored_at), budget, point)?;
        let chain = Chain::Once(Cursor::new(Vec::new()).chain(Stage::Gzip(Box::new(gzip))));
        Some(Self { decoded_bytes: point.decoded_at, ..Self::of(chain, limits) })
    }

    /// Has the decoder note where decoding can begin again.
    #[must_use]
    pub fn noting_points(self) -> Self {
        Self { notes_points: true, ..self }
    }

    /// Returns the points of an object that has been read to its end; none for one that is damaged, small or not
    /// gzip, or that is compressed more than once.
    pub fn take_points(&mut self) -> Vec<Point> {
        match &mut self.chain {
            Chain::Once(peeked) if self.log.total == 0 => match &mut peeked.get_mut().1 {
                Stage::Gzip(gzip) => gzip.take_points(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Returns the first damage met so far. Complete once reading has given `Ok(0)`.
    pub fn damage(&self) -> Option<&Damage> {
        self.log.kept.first()
    }

    /// Returns the damages met so far, at most the first [`DAMAGES_KEPT`].
    pub fn damages(&self) -> &[Damage] {
        &self.log.kept
    }

    /// Returns how many stretches of stored bytes gave nothing: broken or cut members, bytes between members.
    /// A member with a wrong checksum is damage, but was read.
    pub fn stretches(&self) -> u64 {
        self.log.stretches
    }

    /// Returns the bytes given so far.
    pub fn decoded_bytes(&self) -> u64 {
        self.decoded_bytes
    }

    fn open(&mut self, reader: R) -> io::Result<()> {
        let mut outer = Stage::open(reader, &self.limits)?;
        if matches!(outer, Stage::Plain(_)) {
            self.chain = Chain::Once(Cursor::new(Vec::new()).chain(outer));
            return Ok(());
        }
        let head = outer.peek()?;
        if Compression::of(&head).is_none() {
            if let (Stage::Gzip(gzip), true) = (&mut outer, self.notes_points) {
                gzip.note_points();
            }
            self.chain = Chain::Once(Cursor::new(head).chain(outer));
            return Ok(());
        }
        outer.set_holds_compressed();
        let mut inner = Stage::open(Cursor::new(head).chain(outer), &self.limits)?;
        let head = inner.peek()?;
        if Compression::of(&head).is_some() {
            // No logger writes this. A file that is nested more deeply is made to exhaust its reader.
            self.log.add(0, 1, "compressed more than twice", true);
            return Ok(());
        }
        self.chain = Chain::Twice(Box::new(Cursor::new(head).chain(inner)));
        Ok(())
    }

    /// Ends reading where two compressions together pass the ratio that each of them keeps.
    fn check_ratio(&mut self) {
        let Chain::Twice(peeked) = &self.chain else {
            return;
        };
        // Each stage keeps its own ratio, so two of them may make a million bytes of one: only here both are seen.
        let outer = &peeked.get_ref().1.source().get_ref().1;
        let budget = Budget { limits: self.limits.clone(), made: self.decoded_bytes };
        let stored_bytes = outer.input().offset();
        if budget.too_dense(stored_bytes) {
            self.log.add(stored_bytes, outer.members(), TOO_DENSE, true);
            self.chain = Chain::Ended;
        }
    }

    /// Takes over what the stages have noted.
    fn note_damage(&mut self) {
        let (outer, inner) = match &self.chain {
            Chain::Once(peeked) => (peeked.get_ref().1.log(), None),
            Chain::Twice(peeked) => {
                let inner = &peeked.get_ref().1;
                (inner.source().get_ref().1.log(), Some(inner.log()))
            }
            Chain::Unopened(_) | Chain::Ended => return,
        };
        // Asked after each read, so the common case, nothing new, must cost nothing.
        if outer.total + inner.map_or(0, |log| log.total) == self.log.total {
            return;
        }
        self.log = outer.clone();
        if let Some(log) = inner {
            self.log.add_inner(log);
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if matches!(self.chain, Chain::Unopened(_))
            && let Chain::Unopened(reader) = std::mem::replace(&mut self.chain, Chain::Ended)
        {
            self.open(reader)?;
        }
        let made = match &mut self.chain {
            Chain::Once(peeked) => peeked.read(out)?,
            Chain::Twice(peeked) => peeked.read(out)?,
            Chain::Unopened(_) | Chain::Ended => 0,
        };
        self.decoded_bytes += made as u64;
        self.note_damage();
        self.check_ratio();
        Ok(made)
    }
}

/// One compression: stored bytes in, decoded bytes out.
enum Stage<R> {
    Plain(Box<Plain<R>>),
    Gzip(Box<Gzip<R>>),
    Zstd(Box<Zstd<R>>),
}

impl<R: Read> Stage<R> {
    fn open(reader: R, limits: &Limits) -> io::Result<Self> {
        let mut input = Input::new(reader);
        // A reader may give one byte at a time.
        while input.unread().len() < MAGIC_BYTES && input.fill(0)? {}
        let budget = Budget::new(limits);
        Ok(match Compression::of(input.unread()) {
            Some(Compression::Gzip) => Self::Gzip(Box::new(Gzip::new(input, budget))),
            Some(Compression::Zstd) => Self::Zstd(Box::new(Zstd::new(input, budget)?)),
            None => Self::Plain(Box::new(Plain { input, budget, log: DamageLog::default() })),
        })
    }

    /// Reads the first decoded bytes, as many as tell a compression.
    fn peek(&mut self) -> io::Result<Vec<u8>> {
        let mut head = Vec::with_capacity(MAGIC_BYTES);
        self.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut head)?;
        Ok(head)
    }

    /// Says that the decoded bytes are compressed themselves, so that a header seen among the stored bytes
    /// may be one of theirs.
    fn set_holds_compressed(&mut self) {
        if let Self::Gzip(gzip) = self {
            gzip.set_holds_compressed();
        }
    }

    fn input(&self) -> &Input<R> {
        match self {
            Self::Plain(plain) => &plain.input,
            Self::Gzip(gzip) => gzip.input(),
            Self::Zstd(zstd) => zstd.input(),
        }
    }

    fn source(&self) -> &R {
        self.input().get_ref()
    }

    fn log(&self) -> &DamageLog {
        match self {
            Self::Plain(plain) => &plain.log,
            Self::Gzip(gzip) => gzip.log(),
            Self::Zstd(zstd) => zstd.log(),
        }
    }

    fn members(&self) -> u64 {
        match self {
            Self::Plain(_) => 0,
            Self::Gzip(gzip) => gzip.members(),
            Self::Zstd(zstd) => zstd.members(),
        }
    }
}

impl<R: Read> Read for Stage<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(plain) => plain.read(out),
            Self::Gzip(gzip) => gzip.read(out),
            Self::Zstd(zstd) => zstd.read(out),
        }
    }
}

/// Bytes that mean themselves.
struct Plain<R> {
    input: Input<R>,
    budget: Budget,
    log: DamageLog,
}

impl<R: Read> Plain<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() || (self.input.unread().is_empty() && !self.input.fill(0)?) {
            return Ok(0);
        }
        let room = self.budget.room().min(out.len());
        if room == 0 {
            if self.log.total == 0 {
                self.log.add(self.input.offset(), 0, TOO_LONG, true);
            }
            return Ok(0);
        }
        let made = room.min(self.input.unread().len());
        out[..made].copy_from_slice(&self.input.unread()[..made]);
        self.input.consume(made);
        self.budget.made += made as u64;
        Ok(made)
    }
}

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstd,
}

/// The bytes that [`Compression::of`] wants to see, where there are as many.
const MAGIC_BYTES: usize = 4;

impl Compression {
    /// Returns the compression that bytes starting like `head` have; `None` for plain bytes. A head cut off
    /// within a magic number counts, except a lone `(`.
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] | [0x1f] => Some(Self::Gzip),
            _ if zstd::starts_frame(head) => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// The reason given where [`Limits::max_decoded_bytes`] is passed.
const TOO_LONG: &str = "decodes to more bytes than the limit";
/// The reason given where [`Limits::max_ratio`] is passed.
const TOO_DENSE: &str = "decodes to more bytes per stored byte than the limit";
/// The reason given where [`Limits::max_members`] is passed.
const TOO_MANY: &str = "more members than the limit";

/// What may still be decoded.
struct Budget {
    limits: Limits,
    made: u64,
}

impl Budget {
    fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), made: 0 }
    }

    /// Returns how many bytes may still be given.
    fn room(&self) -> usize {
        usize::try_from(self.limits.max_decoded_bytes - self.made).unwrap_or(usize::MAX)
    }

    fn too_dense(&self, stored_bytes: u64) -> bool {
        self.made > RATIO_FLOOR_BYTES && self.made / self.limits.max_ratio.max(1) > stored_bytes
    }
}

/// The damages of a stage, bounded.
#[derive(Clone, Debug, Default)]
struct DamageLog {
    kept: Vec<Damage>,
    total: u64,
    stretches: u64,
}

impl DamageLog {
    fn add(&mut self, offset: u64, member: u64, reason: impl Into<String>, gave_nothing: bool) {
        self.total += 1;
        self.stretches += u64::from(gave_nothing);
        if self.kept.len() < DAMAGES_KEPT {
            let reason = reason.into();
            self.kept.push(Damage { offset, member, reason });
        }
    }

    /// Adds the damages of the compression inside; their offsets are places in what the outer one gave.
    fn add_inner(&mut self, inner: &Self) {
        for damage in &inner.kept {
            let reason = format!("in the inner compressed data: {}", damage.reason);
            self.add(damage.offset, damage.member, reason, false);
        }
        // Those in words were added one by one above.
        self.total += inner.total - inner.kept.len() as u64;
        self.stretches += inner.stretches;
    }
}
