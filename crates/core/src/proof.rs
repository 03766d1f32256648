//! Whether stored bytes are the version of an object that they are taken for. Files rot: what differs is never counted,
//! indexed or adopted as that version.

use std::io::{self, Read, Seek};

use md5::{Digest as _, Md5};

use crate::decode::Limits;
use crate::human::{count, plural};
use crate::model::{Checksum, KnownBytes};
use crate::partial::decoded_checksum;

/// How many bytes are read at a time.
const PIECE_BYTES: usize = 64 << 10;
/// What a gzip member begins with (RFC 1952, 2.3.1); each ends with a checksum of what it holds.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why bytes are not taken for a version.
#[derive(Debug, thiserror::Error)]
pub enum Unproved {
    /// They could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// They are other bytes, or nothing shows that they are not.
    #[error("the mirrored file holds {0}")]
    Other(String),
}

/// Reads a file to its end and returns the checksum of its bytes, if they are the version with this etag. They are if
/// their checksum is that of the fetched bytes; without a recorded checksum, if the etag is their MD5, or if
/// they decode to the counted bytes. For a version that was never counted, undamaged gzip is accepted.
/// Afterwards the file is positioned at its start again.
///
/// # Errors
/// [`Unproved`] if they are not, or cannot be read.
pub fn prove<F: Read + Seek>(
    file: &mut F,
    etag: &str,
    known: &KnownBytes,
    limits: &Limits,
) -> Result<Checksum, Unproved> {
    let summed = sum(file, known.stored.is_none().then_some(etag))?;
    file.rewind()?;
    if summed.bytes != known.size_bytes {
        let wanted = count(known.size_bytes);
        return Err(Unproved::Other(format!("{} instead of {wanted}", plural(summed.bytes, "byte"))));
    }
    // In the order of what they prove: the bytes that were fetched, then the etag, then what was counted.
    match known.stored {
        Some(stored) if stored == summed.checksum => return Ok(stored),
        Some(_) => return Err(Unproved::Other("other bytes than those fetched".to_owned())),
        None if summed.is_etag => return Ok(summed.checksum),
        None => {}
    }
    let (decoded, damage) = decoded_checksum(&mut *file, limits)?;
    file.rewind()?;
    match known.counted {
        Some(counted) if counted == decoded => Ok(summed.checksum),
        Some(_) => Err(Unproved::Other("other bytes than those counted".to_owned())),
        None if summed.is_gzip && damage.is_none() => Ok(summed.checksum),
        None => Err(Unproved::Other("bytes that no checksum confirms".to_owned())),
    }
}

/// What the bytes of a file come to.
struct Summed {
    bytes: u64,
    checksum: Checksum,
    is_etag: bool,
    is_gzip: bool,
}

/// Adds the bytes up; compares them with an etag if one is given.
fn sum(file: &mut impl Read, etag: Option<&str>) -> io::Result<Summed> {
    let (mut hasher, mut md5, mut bytes) = (blake3::Hasher::new(), etag.map(|_| Md5::new()), 0);
    let mut piece = vec![0; PIECE_BYTES];
    let mut is_gzip = false;
    loop {
        let read = match file.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            break;
        }
        let read = &piece[..read];
        is_gzip |= bytes == 0 && read.starts_with(&GZIP);
        hasher.update(read);
        if let Some(md5) = &mut md5 {
            md5.update(read);
        }
        bytes += read.len() as u64;
    }
    let md5 = md5.map(|md5| hex(&md5.finalize()));
    let is_etag = md5.zip(etag).is_some_and(|(md5, etag)| md5.eq_ignore_ascii_case(etag));
    Ok(Summed { bytes, checksum: *hasher.finalize().as_bytes(), is_etag, is_gzip })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write as _};

    fn gz(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn proved(bytes: &[u8], etag: &str, known: &KnownBytes) -> Result<Checksum, String> {
        prove(&mut Cursor::new(bytes), etag, known, &Limits::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_known_best_decides() {
        let (whole, plain) = (gz(b"one\ntwo\n"), b"one\ntwo\n".to_vec());
        let sum = |bytes: &[u8]| *blake3::hash(bytes).as_bytes();
        let size = |bytes: &[u8]| KnownBytes { size_bytes: bytes.len() as u64, ..KnownBytes::default() };
        let md5 = hex(&Md5::digest(&plain));
        let mut torn = whole.clone();
        torn[12] ^= 1;
        for (bytes, etag, known, expected) in [
            (&whole, "x", KnownBytes { stored: Some(sum(&whole)), ..size(&whole) }, Ok(&whole)),
            (&torn, "x", KnownBytes { stored: Some(sum(&whole)), ..size(&whole) }, Err("than those fetched")),
            (&plain, md5.as_str(), size(&plain), Ok(&plain)),
            // The checksum of the fetch is newer than the counts, and takes precedence over the etag.
            (
                &plain,
                md5.as_str(),
                KnownBytes { stored: Some(sum(&whole)), ..size(&plain) },
                Err("than those fetched"),
            ),
            (&whole, "x", KnownBytes { counted: Some(sum(&plain)), ..size(&whole) }, Ok(&whole)),
            (
                &torn,
                "x",
                KnownBytes { counted: Some(sum(&plain)), ..size(&whole) },
                Err("than those counted"),
            ),
            (&whole, "x", size(&whole), Ok(&whole)),
            (&torn, "x", size(&whole), Err("no checksum confirms")),
            (&plain, "x", size(&plain), Err("no checksum confirms")),
            (&whole, "x", size(&plain), Err("bytes instead of 8")),
        ] {
            match (proved(bytes, etag, &known), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, sum(expected)),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}: {expected}"),
                (found, expected) => panic!("{known:?}: {found:?} instead of {expected:?}"),
            }
        }
    }
}
