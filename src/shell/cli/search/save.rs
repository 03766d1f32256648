//! `--save`: everything that was found in a file, which is whole or not there.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::{Builder, TempPath};

use super::output::Output;
use crate::shell::error::Failure;

/// A file that is being written. If dropped before [`SavedFile::finish`], it leaves nothing behind.
pub(super) struct SavedFile {
    path: PathBuf,
    writer: Writer,
    /// Where it is written until it is complete; `None` if the target is not a regular file, but a pipe, for example.
    temporary: Option<TempPath>,
}

enum Writer {
    Plain(BufWriter<File>),
    Gz(Box<GzEncoder<BufWriter<File>>>),
}

impl SavedFile {
    /// Begins a file; one that is there already stays as it is until the new one is whole.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let told = |error: io::Error| refused(path, &error);
        // What a link leads to is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (file, temporary) = match fs::metadata(&path) {
            Ok(found) if found.is_dir() => return Err(told(io::ErrorKind::IsADirectory.into())),
            // A pipe or a device cannot be replaced by a rename; it is written to as it stands.
            Ok(found) if !found.is_file() => (File::options().write(true).open(&path).map_err(told)?, None),
            found => {
                let (file, temporary) =
                    beside(&path, found.ok().map(|found| found.permissions())).map_err(told)?;
                (file, Some(temporary))
            }
        };
        let file = BufWriter::with_capacity(256 << 10, file);
        let is_gz = path.extension() == Some(OsStr::new("gz"));
        let writer = if is_gz {
            Writer::Gz(Box::new(GzEncoder::new(file, Compression::default())))
        } else {
            Writer::Plain(file)
        };
        Ok(Self { path, writer, temporary })
    }

    /// Has something written to it.
    pub(super) fn write(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let written = match &mut self.writer {
            Writer::Plain(file) => write(file),
            Writer::Gz(encoder) => write(encoder),
        };
        written.map_err(|error| refused(&self.path, &error))
    }

    /// Puts the file in its place; returns its length.
    pub(super) fn finish(self) -> Result<u64, Failure> {
        let told = |error: &io::Error| refused(&self.path, error);
        let file = match self.writer {
            Writer::Plain(file) => Ok(file),
            Writer::Gz(encoder) => encoder.finish(),
        };
        let file = file.map_err(|error| told(&error))?;
        let file = file.into_inner().map_err(|error| told(error.error()))?;
        let length = file.metadata().map_or(0, |found| found.len());
        if let Some(temporary) = self.temporary {
            temporary.persist(&self.path).map_err(|error| told(&error.error))?;
        }
        Ok(length)
    }
}

/// Makes a file beside `path`, to be renamed to it.
fn beside(path: &Path, permissions: Option<Permissions>) -> io::Result<(File, TempPath)> {
    // In the same folder, because a rename cannot cross file systems.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As a redirection would have it: the file's own, or what the umask leaves.
    let permissions = permissions.unwrap_or_else(|| Permissions::from_mode(0o666));
    let file = Builder::new().prefix(".gzette-save-").permissions(permissions).tempfile_in(folder)?;
    Ok(file.into_parts())
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "create the folder first",
        io::ErrorKind::IsADirectory => "name a file in it",
        io::ErrorKind::PermissionDenied => "name a file in a folder that you may write to",
        io::ErrorKind::StorageFull => "the disk is full; a name that ends with .gz saves space",
        _ => "the file that was there before is unchanged",
    };
    Failure::failed(format!("cannot save to `{}`: {error}", path.display())).hint(hint)
}

/// Returns how lines are written to a file of that name.
pub(super) fn format_of(path: &Path, asked: Option<Output>) -> Output {
    let name = path.to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match Path::new(name).extension().and_then(OsStr::to_str) {
        Some("csv") => Output::Csv,
        Some("json" | "jsonl" | "ndjson") => Output::Json,
        _ => asked.unwrap_or(Output::Raw),
    }
}
