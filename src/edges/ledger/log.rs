//! The log beside the ledger, `ledger.sqlite-wal`: what a run committed and did not yet copy into the file. `SQLite`
//! reads it up to the first frame whose checksum is wrong and takes the rest for the half-written end of a crash. Where
//! that frame was committed, its transaction would vanish without a word. So this reads the log first, and tells damage
//! from a crash by two witnesses:
//!
//! - `ledger.sqlite-shm` names the last committed frame. `SQLite` writes it after the log was synced, and a killed
//!   process leaves it; a power cut may take it.
//! - A frame of a later transaction: none is written before the one in front of it was synced.
//!
//! Formats: <https://sqlite.org/walformat.html>.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::{LedgerError, Result};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// What a log begins with; the last bit says that checksums are over big-endian numbers.
const MAGIC: u32 = 0x377f_0682;
/// The first bytes of `-shm`: two copies of the header read here, of this many bytes each,
const INDEX_HEADER_BYTES: usize = 48;
/// followed by the number of frames that were copied into the ledger.
const COPIED_BYTES: usize = 4;
/// The page that is assumed when neither the log nor the ledger says how long one is.
const USUAL_PAGE_BYTES: usize = 4096;

/// Returns the path of a file beside the ledger, which `SQLite` names after it.
pub(super) fn beside(ledger: &Path, ending: &str) -> PathBuf {
    let mut path = ledger.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Requires of the log, if there is one, that it still holds all that was committed to it.
pub(super) fn check(ledger: &Path) -> Result<()> {
    let (log, index) = (beside(ledger, "-wal"), beside(ledger, "-shm"));
    let promise = Promise::read(&index);
    let denied = |source| LedgerError::Denied { path: log.clone(), source };
    let file = match File::open(&log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        file => Some(file.map_err(denied)?),
    };
    let found =
        file.map(|file| walk(file, page_bytes(ledger))).transpose().map_err(denied)?.unwrap_or_default();
    // A run at work changes both while this looks on; what it says of itself has changed then, too.
    if !found.is_broken(promise.as_ref()) || Promise::read(&index) != promise {
        return Ok(());
    }
    let reason = "committed data is missing from it".to_owned();
    Err(LedgerError::Corrupt { path: Some(log), reason })
}

/// What `-shm` says was committed to a log.
#[derive(Debug, PartialEq, Eq)]
struct Promise {
    salts: [u8; 8],
    frames: u32,
    /// Of these, frames that the ledger itself holds.
    copied: u32,
}

impl Promise {
    /// Reads it; `None` when there is none, or a crash left half of one.
    fn read(index: &Path) -> Option<Self> {
        let mut both = [0; 2 * INDEX_HEADER_BYTES + COPIED_BYTES];
        File::open(index).ok()?.read_exact(&mut both).ok()?;
        let (both, copied) = both.split_at(2 * INDEX_HEADER_BYTES);
        let (one, two) = both.split_at(INDEX_HEADER_BYTES);
        let copied = u32::from_ne_bytes([copied[0], copied[1], copied[2], copied[3]]);
        let sum = Sum::default().over(&one[..40], cfg!(target_endian = "big"));
        let number = |at: usize| u32::from_ne_bytes([one[at], one[at + 1], one[at + 2], one[at + 3]]);
        let is_whole = one == two && sum == Sum(number(40), number(44)) && one[12] != 0;
        is_whole.then(|| Self { salts: eight(&one[32..40]), frames: number(16), copied })
    }
}

/// What a log holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    salts: [u8; 8],
    /// The frames up to the last commit whose checksums are right.
    committed: u32,
    /// Whether a wrong frame is followed by a commit of the same log and by another frame.
    goes_on: bool,
}

impl Found {
    fn is_broken(&self, promise: Option<&Promise>) -> bool {
        let is_short = |promise: &Promise| promise.salts == self.salts && promise.frames > self.committed;
        // Without a header nothing tells which log it was: all that was not copied is lost.
        let is_gone = |promise: &Promise| *self == Self::default() && promise.frames > promise.copied;
        self.goes_on || promise.is_some_and(|promise| is_short(promise) || is_gone(promise))
    }
}

/// Reads a log from its start to its end.
fn walk(file: File, usual_page_bytes: usize) -> io::Result<Found> {
    let mut log = BufReader::with_capacity(1 << 16, file);
    let mut header = [0; HEADER_BYTES];
    if !fills(&mut log, &mut header)? {
        return Ok(Found::default());
    }
    let is_big_endian = header[3] & 1 == 1;
    let mut sum = Sum::default().over(&header[..24], is_big_endian);
    let mut is_right = number(&header[..]) & !1 == MAGIC && sum == Sum::read(&header[24..]);
    let page_bytes = if is_right { number(&header[8..]) as usize } else { usual_page_bytes };
    let mut found = Found { salts: eight(&header[16..24]), ..Found::default() };
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
    let (mut number_of_frame, mut is_committed) = (0, false);
    while fills(&mut log, &mut frame)? {
        let (head, page) = frame.split_at(FRAME_HEADER_BYTES);
        number_of_frame += 1;
        // A wrong header does not know its salts any more.
        if number_of_frame == 1 && !is_right {
            found.salts = eight(&head[8..16]);
        }
        if head[8..16] != found.salts {
            // What an earlier round left, or a wrong frame.
            is_right = false;
            continue;
        }
        let commits = number(&head[4..]) != 0;
        if is_right {
            sum = sum.over(&head[..8], is_big_endian).over(page, is_big_endian);
            is_right = sum == Sum::read(&head[16..]) && number(head) != 0;
        }
        if is_right {
            found.committed = if commits { number_of_frame } else { found.committed };
        } else {
            found.goes_on |= is_committed;
            is_committed |= commits;
        }
    }
    Ok(found)
}

/// Reads as much as the buffer holds; `false` at the end.
fn fills(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

/// Returns how long the ledger's header says that a page is.
fn page_bytes(ledger: &Path) -> usize {
    let mut length = [0; 2];
    let read = File::open(ledger).and_then(|mut file| {
        file.seek(SeekFrom::Start(16))?;
        file.read_exact(&mut length)
    });
    match (read, u16::from_be_bytes(length)) {
        (Ok(()), 1) => 65536,
        (Ok(()), length) if length.is_power_of_two() && length >= 512 => usize::from(length),
        _ => USUAL_PAGE_BYTES,
    }
}

/// The running checksum of logs, updated by 8 bytes at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn read(bytes: &[u8]) -> Self {
        Self(number(bytes), number(&bytes[4..]))
    }

    fn over(self, bytes: &[u8], is_big_endian: bool) -> Self {
        let number = |bytes: &[u8]| match number(bytes) {
            number if is_big_endian => number,
            number => number.swap_bytes(),
        };
        bytes.chunks_exact(8).fold(self, |Self(one, two), chunk| {
            let one = one.wrapping_add(number(chunk)).wrapping_add(two);
            Self(one, two.wrapping_add(number(&chunk[4..])).wrapping_add(one))
        })
    }
}

/// Returns the big-endian number that some bytes begin with.
fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Returns the first eight of some bytes.
fn eight(bytes: &[u8]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    first
}
