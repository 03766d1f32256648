//! The transport that needs nothing: every mail becomes an .eml file that any mail program opens.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

use super::{Letter, MailError, MailErrorKind, MailFuture, Receipt, Transport};

/// The longest part of a Message-ID in a file name; most file systems take 255 bytes in all.
const SLUG_BYTES: usize = 120;

/// Writes mails into a folder, readable by its owner only.
pub struct FileTransport {
    dir: PathBuf,
}

impl FileTransport {
    /// Returns a transport into `dir`, which is made with the first mail.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Writes the file whole or not at all. The same mail has the same name, so sending it again changes nothing.
    fn write(&self, letter: &Letter<'_>) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let name = file_name(letter);
        // A crash leaves this one; it has no other name with the next try.
        let unfinished = format!(".{name}.tmp");
        match fs::remove_file(self.dir.join(&unfinished)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = tempfile::Builder::new().prefix(&unfinished).rand_bytes(0).tempfile_in(&self.dir)?;
        file.write_all(letter.eml)?;
        file.as_file().sync_all()?;
        file.persist(self.dir.join(name))?;
        File::open(&self.dir)?.sync_all()
    }
}

impl Transport for FileTransport {
    fn send<'a>(&'a self, letter: Letter<'a>) -> MailFuture<'a> {
        Box::pin(async move {
            self.write(&letter)
                .map(|()| Receipt::default())
                .map_err(|error| MailError::new(MailErrorKind::Local, &self.describe(), &error.to_string()))
        })
    }

    fn describe(&self) -> String {
        self.dir.display().to_string()
    }
}

/// Returns `20261124T070000Z-slug.eml`.
fn file_name(letter: &Letter<'_>) -> String {
    let stamp = jiff::Timestamp::from_millisecond(letter.created_ms)
        .unwrap_or_default()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    let slug: String = letter
        .message_id
        .trim_matches(['<', '>'])
        .bytes()
        .take(SLUG_BYTES)
        .map(|byte| if byte.is_ascii_alphanumeric() || byte == b'.' { byte as char } else { '-' })
        .collect();
    format!("{stamp}-{slug}.eml")
}
