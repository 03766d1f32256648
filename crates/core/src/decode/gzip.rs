//! Gzip (RFC 1952) with any number of members, one decompressor for all of them. Files with a member a
//! line are common, so that what a member costs beside its bytes counts.

use std::io::{self, Read};

use flate2::Crc;

use super::inflate::{Inflate, Status};
use super::input::Input;
use super::point::{Point, Points};
use super::{Budget, DamageLog, TOO_DENSE, TOO_LONG, TOO_MANY};

/// The longest header that is read: an extra field of 64 KiB, a name and a comment.
const HEADER_BYTES: usize = 96 << 10;
/// A header without its optional fields.
const FIXED_BYTES: usize = 10;
/// The checksum and the length after a member.
const TRAILER_BYTES: usize = 8;
/// The stretches after which no further member is searched for: a hostile object could make each search
/// decode the same bytes again.
const MAX_STRETCHES: u64 = 10_000;

/// A reader of the decoded bytes of gzip members.
pub(super) struct Gzip<R> {
    input: Input<R>,
    inflate: Inflate,
    /// The current member's checksum; `None` where it was begun at a point.
    crc: Option<Crc>,
    state: State,
    budget: Budget,
    log: DamageLog,
    members: u64,
    /// Where the current or last member starts.
    member_at: u64,
    /// Where the compressed bytes of a member start whose checksum was wrong: its end may be wrong as well.
    suspect_at: Option<u64>,
    /// Whether the decoded bytes are compressed themselves.
    holds_compressed: bool,
    /// Whether the last byte given ends a line.
    at_line_start: bool,
    /// Whether damage ended the last line.
    torn: bool,
    /// Where decoding could begin, when that is wanted.
    points: Option<Points>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between members.
    Boundary,
    /// In a member's compressed bytes.
    Body,
    /// After a member's compressed bytes.
    Trailer,
    /// Looking for the next member.
    Search,
    Done,
}

impl<R: Read> Gzip<R> {
    pub(super) fn new(input: Input<R>, budget: Budget) -> Self {
        Self {
            input,
            inflate: Inflate::new(),
            crc: Some(Crc::new()),
            state: State::Boundary,
            budget,
            log: DamageLog::default(),
            members: 0,
            member_at: 0,
            suspect_at: None,
            holds_compressed: false,
            at_line_start: true,
            torn: false,
            points: None,
        }
    }

    /// Returns a reader that begins at a point; `input` must be positioned there. `None`: the point is unusable.
    pub(super) fn resume(input: Input<R>, budget: Budget, point: &Point) -> Option<Self> {
        let mut gzip = Self::new(input, budget);
        let window = point.unpacked_window().ok()?;
        gzip.member_at = point.stored_at;
        gzip.members = 1;
        gzip.crc = None;
        gzip.state = State::Body;
        gzip.inflate.resume(point.bits, point.byte, &window).then_some(gzip)
    }

    /// Has the points noted from here on.
    pub(super) fn note_points(&mut self) {
        self.points = Some(Points::new());
    }

    pub(super) fn take_points(&mut self) -> Vec<Point> {
        self.points.take().map_or_else(Vec::new, Points::into_points)
    }

    pub(super) fn input(&self) -> &Input<R> {
        &self.input
    }

    pub(super) fn log(&self) -> &DamageLog {
        &self.log
    }

    pub(super) fn members(&self) -> u64 {
        self.members
    }

    pub(super) fn set_holds_compressed(&mut self) {
        self.holds_compressed = true;
    }

    /// Fills `out` as far as it can without waiting for more stored bytes once something is in it.
    pub(super) fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut made = 0;
        while made < out.len() && self.state != State::Done {
            let wanted = match self.state {
                State::Boundary => self.begin_member(),
                State::Body => match self.inflate(&mut out[made..]) {
                    Some(bytes) => {
                        made += bytes;
                        Wanted::Nothing
                    }
                    None => Wanted::Input,
                },
                State::Trailer => self.end_member(),
                State::Search => self.search(),
                State::Done => Wanted::Nothing,
            };
            if wanted == Wanted::Input {
                if made > 0 {
                    break;
                }
                if !self.input.fill(self.member_at)? {
                    self.input_ended();
                }
            }
        }
        Ok(made)
    }

    fn begin_member(&mut self) -> Wanted {
        if self.members > 0 {
            self.skip_zeros();
        }
        match Header::read(self.input.unread()) {
            Header::Cut => return Wanted::Input,
            Header::None => self.leave_stretch(self.input.offset(), "no gzip member starts here"),
            Header::Of(_) if self.members == self.budget.limits.max_members => {
                self.log.add(self.input.offset(), self.members, TOO_MANY, true);
                self.state = State::Done;
            }
            Header::Of(bytes) => {
                self.member_at = self.input.offset();
                self.members += 1;
                self.suspect_at = None;
                self.input.consume(bytes);
                self.inflate.reset();
                self.crc = Some(Crc::new());
                self.state = State::Body;
            }
        }
        Wanted::Nothing
    }

    /// Skips zeros after a member, which gzip, too, treats as padding (from tapes and block devices).
    fn skip_zeros(&mut self) {
        let unread = self.input.unread();
        let zeros = unread.iter().take_while(|&&byte| byte == 0).count();
        self.input.consume(zeros);
    }

    /// Decodes into `out` and returns the bytes made; `None` when more input is needed for any.
    fn inflate(&mut self, out: &mut [u8]) -> Option<usize> {
        // A torn line ends before the next member's first byte.
        if self.torn {
            self.torn = false;
            self.at_line_start = true;
            out[0] = b'\n';
            return Some(1);
        }
        // With no room left, one more byte is what tells a limit that is passed from one that is met.
        let mut spare = [0];
        let room = self.budget.room().min(out.len());
        let target = if room == 0 { &mut spare[..] } else { &mut out[..room] };
        let step = self.inflate.step(self.input.unread(), target, self.points.is_some());
        let made = step.made;
        // A block may end within a byte, whose rest a resumed decoder needs. It is gone from the input after this.
        let last_byte = self.input.unread().get(step.read.wrapping_sub(1)).copied();
        self.input.consume(step.read);
        if room == 0 && made > 0 {
            self.stop(TOO_LONG);
            return Some(0);
        }
        self.take(&target[..made]);
        match step.status {
            Status::Ended => self.state = State::Trailer,
            Status::More if made == 0 && step.read == 0 => return None,
            Status::More => self.note_point(last_byte),
            Status::Broken => self.leave_stretch(self.member_at, "broken compressed data"),
        }
        if self.budget.too_dense(self.input.offset()) {
            self.stop(TOO_DENSE);
        }
        Some(made)
    }

    fn take(&mut self, bytes: &[u8]) {
        if let Some(crc) = &mut self.crc {
            crc.update(bytes);
        }
        self.budget.made += bytes.len() as u64;
        if let Some(&last) = bytes.last() {
            self.at_line_start = last == b'\n';
        }
    }

    /// Notes a point where a block has ended and the last point is far.
    fn note_point(&mut self, last_byte: Option<u8>) {
        let Some(points) = self.points.as_mut().filter(|points| points.wants(self.budget.made)) else {
            return;
        };

        let (Some(bits), Some(byte)) = (self.inflate.boundary(), last_byte) else {
            return;
        };
        let point = Point {
            decoded_at: self.budget.made,
            stored_at: self.input.offset(),
            byte,
            bits,
            window: self.inflate.window(),
        };
        if points.add(&point).is_err() {
            // Without points an object is read from its start.
            self.points = None;
        }
    }

    /// Checks the checksum and the length after a member.
    fn end_member(&mut self) -> Wanted {
        let Some(trailer) = self.input.unread().first_chunk::<TRAILER_BYTES>() else {
            return Wanted::Input;
        };
        let [c0, c1, c2, c3, l0, l1, l2, l3] = *trailer;
        let (sum, length) = (u32::from_le_bytes([c0, c1, c2, c3]), u32::from_le_bytes([l0, l1, l2, l3]));
        // Of a member that was begun at a point only a part is known. Its reader compares the checksums of blocks
        // instead.
        let right_crc = self.crc.as_ref().is_none_or(|crc| crc.sum() == sum);
        let right_length = self.crc.as_ref().is_none_or(|crc| crc.amount() == length);
        if !(right_crc && right_length) {
            let reason = if right_crc { "wrong length" } else { "wrong checksum" };
            self.log.add(self.input.offset(), self.members, reason, false);
            self.suspect_at = Some(self.member_at + FIXED_BYTES as u64);
            self.torn = !self.at_line_start;
        }
        self.input.consume(TRAILER_BYTES);
        self.state = State::Boundary;
        Wanted::Nothing
    }

    fn input_ended(&mut self) {
        match self.state {
            State::Boundary if self.input.unread().is_empty() => self.state = State::Done,
            State::Boundary => {
                self.input.consume(self.input.unread().len());
                self.leave_stretch(self.input.offset(), "ends within a header");
            }
            State::Body | State::Trailer => {
                self.suspect_at = Some(self.member_at + FIXED_BYTES as u64);
                self.input.consume(self.input.unread().len());
                self.leave_stretch(self.input.offset(), "ends within a member");
            }
            State::Search | State::Done => self.state = State::Done,
        }
    }

    /// Records a stretch that yields nothing and searches for the next member. What was read as a broken member may
    /// have swallowed the next ones, so the search goes back to just after its header.
    fn leave_stretch(&mut self, offset: u64, reason: &str) {
        self.log.add(offset, self.members, reason, true);
        if self.state == State::Body {
            self.suspect_at = Some(self.member_at + FIXED_BYTES as u64);
        }
        match self.suspect_at.take() {
            Some(suspect) => self.input.step_back(suspect),
            None => self.input.consume(1),
        }
        self.torn = !self.at_line_start;
        self.state = State::Search;
        // Inner compressed bytes may be visible as stored blocks: their headers do not belong to this layer.
        if self.holds_compressed || self.log.stretches == MAX_STRETCHES {
            self.state = State::Done;
        }
    }

    /// Looks for the next member. Fields that RFC 1952 fixes keep a chance match within compressed bytes rare.
    fn search(&mut self) -> Wanted {
        let unread = self.input.unread();
        let at = memchr::memmem::find(unread, &[0x1f, 0x8b, 8]);
        // The first two bytes of a magic number may be at the end.
        self.input.consume(at.unwrap_or(unread.len().saturating_sub(2)));
        let (Some(_), Some(header)) = (at, self.input.unread().first_chunk::<FIXED_BYTES>()) else {
            return Wanted::Input;
        };
        let (compression, system) = (header[8], header[9]);
        if matches!(compression, 0 | 2 | 4) && matches!(system, 0..=13 | 255) {
            self.state = State::Boundary;
        } else {
            self.input.consume(1);
        }
        Wanted::Nothing
    }

    fn stop(&mut self, reason: &str) {
        self.log.add(self.input.offset(), self.members, reason, true);
        self.state = State::Done;
    }
}

/// What a step needs before it can go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Input,
}

/// What bytes at a member's start are.
enum Header {
    /// A header of this many bytes.
    Of(usize),
    /// The start of a header, as far as the bytes go.
    Cut,
    /// No header.
    None,
}

impl Header {
    fn read(bytes: &[u8]) -> Self {
        const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
        let Some(fixed) = bytes.first_chunk::<FIXED_BYTES>() else {
            let magic = &MAGIC[..bytes.len().min(3)];
            return if bytes.starts_with(magic) { Self::Cut } else { Self::None };
        };
        let flags = fixed[3];
        // Reserved bits must be zero (RFC 1952, 2.3.1.2): a header with one of them is not a header, or has a format
        // to come.
        if !fixed.starts_with(&MAGIC) || flags & 0xe0 != 0 {
            return Self::None;
        }
        let bytes = &bytes[..bytes.len().min(HEADER_BYTES)];
        match Self::end(bytes, flags) {
            Some(end) => Self::Of(end),
            // An optional field without an end would have the whole object read as a header.
            None if bytes.len() == HEADER_BYTES => Self::None,
            None => Self::Cut,
        }
    }

    /// Returns where the optional fields end; `None` when that is past the bytes.
    fn end(bytes: &[u8], flags: u8) -> Option<usize> {
        const HEADER_CRC: u8 = 2;
        const EXTRA: u8 = 4;
        const NAME: u8 = 8;
        const COMMENT: u8 = 16;
        let mut end = FIXED_BYTES;
        if flags & EXTRA != 0 {
            let length = bytes.get(end..)?.first_chunk::<2>()?;
            end += 2 + usize::from(u16::from_le_bytes(*length));
        }
        for text in [NAME, COMMENT] {
            if flags & text != 0 {
                end += memchr::memchr(0, bytes.get(end..)?)? + 1;
            }
        }
        if flags & HEADER_CRC != 0 {
            end += 2;
        }
        (end <= bytes.len()).then_some(end)
    }
}
