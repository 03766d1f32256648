//! The transport that needs nothing: every mail becomes an .eml file that any mail program opens.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::{Letter, MailError, MailErrorKind, MailFuture, Receipt, Transport, TransportKind};
use crate::edges::disk;

/// The longest part of a Message-ID in a file name; most file systems take 255 bytes in all.
const SLUG_BYTES: usize = 120;
/// What the name of a file that is not yet whole ends with.
const UNFINISHED: &str = ".eml.tmp";

/// Writes mails into a folder.
pub struct FileTransport {
    dir: PathBuf,
}

impl FileTransport {
    /// Returns a transport into `dir`, which is made with the first mail.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn error(&self, error: &io::Error) -> MailError {
        let (kind, transport) = (MailErrorKind::Local, Some(TransportKind::Folder));
        MailError::new(kind, transport, &self.describe(), &error.to_string())
    }

    /// Writes the file whole or not at all. The same mail has the same name, so sending it again changes nothing.
    fn write(&self, letter: &Letter<'_>) -> io::Result<()> {
        disk::create_folder(&self.dir)?;
        let path = self.dir.join(file_name(letter));
        let unfinished = self.dir.join(format!(".{}.tmp", file_name(letter)));
        disk::write(&path, &unfinished, letter.eml)?;
        // Of mails that were given up after a crash.
        let written = fs::metadata(path)?.modified()?;
        let is_unfinished = |name: &str| name.starts_with('.') && name.ends_with(UNFINISHED);
        disk::remove_unfinished(&self.dir, Some(written), is_unfinished).map(drop)
    }
}

impl Transport for FileTransport {
    fn send<'a>(&'a self, letter: Letter<'a>) -> MailFuture<'a> {
        Box::pin(async move {
            self.write(&letter).map(|()| Receipt::default()).map_err(|error| self.error(&error))
        })
    }

    fn describe(&self) -> String {
        self.dir.display().to_string()
    }
}

/// Returns `20261124T070000Z-slug.eml`.
fn file_name(letter: &Letter<'_>) -> String {
    let stamp = letter.created_ms.stamp().unwrap_or_default().strftime("%Y%m%dT%H%M%SZ").to_string();
    let slug: String = letter
        .message_id
        .trim_matches(['<', '>'])
        .bytes()
        .take(SLUG_BYTES)
        .map(|byte| if byte.is_ascii_alphanumeric() || byte == b'.' { byte as char } else { '-' })
        .collect();
    format!("{stamp}-{slug}.eml")
}
