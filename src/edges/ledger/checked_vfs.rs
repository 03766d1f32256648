//! A layer between `SQLite` and the files of the ledger: the last 8 bytes of each page hold a checksum, written with
//! the page and checked whenever the page is read. A changed byte is an error then, never another number.
//!
//! This is what `SQLite`'s own `cksumvfs` does (<https://sqlite.org/cksumvfs.html>, which is not part of the bundled
//! library), with these differences:
//! - The checksum covers the page and its position, so that a page in the wrong position is noticed, too.
//! - A ledger with checksums is marked as such in a second place, the application id: a changed byte in the header
//!   cannot switch the check off.
//! - The end of a cut file is an error; `SQLite` itself takes the missing part of a page for zeros.
//! - A sync that a signal interrupts is repeated.
//! - A file that is read without locks ([`super::reader`]) must not change while it is read.
//!
//! The log has checksums of its own, which [`super::log`] checks. A page gets its checksum when it is copied from the
//! log into the file.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::ptr;
use std::slice;
use std::sync::OnceLock;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

/// The bytes at the end of each page that `SQLite` leaves to this layer.
pub(super) const CHECKSUM_BYTES: u8 = 8;
/// The application id of a ledger with checksums: `gzck`.
pub(super) const MARK: i32 = i32::from_be_bytes(*b"gzck");

/// The name of the layer.
const NAME: &CStr = c"gzette-checked";
/// Tells a file that all its pages are to have checksums; far from the numbers that `SQLite` uses itself.
const HAVE_CHECKSUMS: c_int = 0x677a_0001;
/// What a database begins with, and where its header says how many bytes are left free in a page, and what wrote it.
const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;
const RESERVED_AT: usize = 20;
const MARK_AT: usize = 68;
/// The lengths that a page may have, powers of two; other reads and writes are of parts of the header.
const PAGE_BYTES: std::ops::RangeInclusive<usize> = 512..=65536;
/// The statements that are kept prepared: more than a batch of any flow goes through for each object.
const STATEMENTS: usize = 64;
/// How often an interrupted sync is made again.
const SYNC_TRIES: usize = 100;

/// Opens a database through this layer.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    register()?;
    let connection = Connection::open_with_flags_and_vfs(path, flags, NAME)?;
    // Otherwise `SQLite` plans a statement again for nearly every value that is bound to it: a fifth of an ingest of small
    // objects (`benches/objects.py`).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Gives every page that is written from now on its checksum.
#[expect(unsafe_code, reason = "rusqlite has no safe call for a file control")]
pub(super) fn write_checksums(connection: &Connection) -> rusqlite::Result<()> {
    // SAFETY: the handle is that of an open connection, and the control takes no argument.
    let code = unsafe {
        ffi::sqlite3_file_control(connection.handle(), c"main".as_ptr(), HAVE_CHECKSUMS, ptr::null_mut())
    };
    outcome(code)
}

/// Asks for `wanted` free bytes at the end of each page that is made from now on, or with `None` for nothing; returns
/// how many there were.
#[expect(unsafe_code, reason = "rusqlite has no safe call for a file control")]
pub(super) fn reserve_bytes(connection: &Connection, wanted: Option<u8>) -> rusqlite::Result<c_int> {
    let mut bytes: c_int = wanted.map_or(-1, c_int::from);
    // SAFETY: the handle is that of an open connection; this control reads and writes one `int`.
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            (&raw mut bytes).cast(),
        )
    };
    outcome(code).map(|()| bytes)
}

fn outcome(code: c_int) -> rusqlite::Result<()> {
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }
}

/// Makes the layer known to `SQLite`, once.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
fn register() -> rusqlite::Result<()> {
    static DONE: OnceLock<c_int> = OnceLock::new();
    let code = *DONE.get_or_init(|| {
        // SAFETY: the default layer is static, and so is the leaked copy, as `SQLite` requires for registration.
        // Of a layer's own fields the other calls of the default one use only those copied here; `open` hands over
        // the default one itself, which looks into `pAppData`.
        unsafe {
            let default = ffi::sqlite3_vfs_find(ptr::null());
            let Some(copied) = default.as_ref() else { return ffi::SQLITE_ERROR };
            let layer = ffi::sqlite3_vfs {
                szOsFile: copied.szOsFile + size_of::<CheckedFile>() as c_int,
                pNext: ptr::null_mut(),
                zName: NAME.as_ptr(),
                pAppData: default.cast(),
                xOpen: Some(open),
                ..*copied
            };
            ffi::sqlite3_vfs_register(Box::leak(Box::new(layer)), 0)
        }
    });
    outcome(code)
}

/// An open file, in memory that `SQLite` provides. The default layer's file follows it in memory.
#[repr(C)]
struct CheckedFile {
    methods: *const ffi::sqlite3_io_methods,
    /// What is known of a database's pages; the log and the journal have none.
    pages: Option<Pages>,
}

/// What is known of a database's pages.
#[derive(Default)]
struct Pages {
    /// Whether they have checksums.
    are_checked: bool,
    /// The file as it must stay, when it is read without locks.
    watched: Option<(PathBuf, Stamp)>,
}

/// What changes when a file does: inode, length, seconds and nanoseconds of its last change.
type Stamp = (u64, u64, i64, i64);

fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

impl Pages {
    /// Takes note of a header: what it says of the pages' ends.
    fn note_header(&mut self, bytes: &[u8], offset: i64) {
        if offset == 0 && bytes.len() >= HEADER_BYTES && bytes.starts_with(MAGIC) {
            let is_marked = bytes[MARK_AT..MARK_AT + 4] == MARK.to_be_bytes();
            // For good: a header that says otherwise later is a damaged one.
            self.are_checked |= is_marked || bytes[RESERVED_AT] == CHECKSUM_BYTES;
        }
    }

    /// Whether these bytes are a page that has to have a checksum.
    fn is_checked(&self, bytes: &[u8]) -> bool {
        self.are_checked && bytes.len().is_power_of_two() && PAGE_BYTES.contains(&bytes.len())
    }

    /// Returns the result code for `SQLite` after bytes were read.
    fn judge(&mut self, bytes: &[u8], offset: i64) -> c_int {
        if self.watched.as_ref().is_some_and(|(path, before)| stamp(path) != Some(*before)) {
            return ffi::SQLITE_BUSY_SNAPSHOT;
        }
        self.note_header(bytes, offset);
        if self.is_checked(bytes) && !bytes.ends_with(&checksum(bytes, offset)) {
            return ffi::SQLITE_IOERR_DATA;
        }
        ffi::SQLITE_OK
    }
}

/// Returns the checksum of a page at its position: CRC-32 of both, as little endian, after a marker. Its own bytes do
/// not count.
fn checksum(page: &[u8], offset: i64) -> [u8; CHECKSUM_BYTES as usize] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&page[..page.len() - CHECKSUM_BYTES as usize]);
    hasher.update(&offset.to_le_bytes());
    let [a, b, c, d] = hasher.finalize().to_le_bytes();
    [b'c', b'r', b'c', b'1', a, b, c, d]
}

/// Opens a file of the default layer, and this layer's in front of it.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe extern "C" fn open(
    layer: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    const OURS: c_int = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL;
    // SAFETY: `layer` is the one that `register` made, so `pAppData` is the default layer; `file` points to as much
    // memory as `szOsFile` says, enough for both structures. `name` is handed on as it came, for parameters stand
    // behind it.
    unsafe {
        let default = (*layer).pAppData.cast::<ffi::sqlite3_vfs>();
        let Some(open) = (*default).xOpen else { return ffi::SQLITE_CANTOPEN };
        if flags & OURS == 0 {
            return open(default, name, file, flags, out_flags);
        }
        let checked = file.cast::<CheckedFile>();
        ptr::write(checked, CheckedFile { methods: ptr::null(), pages: None });
        let code = open(default, name, inner(file), flags, out_flags);
        if code == ffi::SQLITE_OK {
            (*checked).methods = &raw const METHODS;
            if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
                (*checked).pages = Some(pages_of(name));
            }
        }
        code
    }
}

/// Returns what is known of a database that was just opened.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe fn pages_of(name: ffi::sqlite3_filename) -> Pages {
    // SAFETY: a database's name is a C string that `SQLite` made, followed by its parameters.
    unsafe {
        if name.is_null() || ffi::sqlite3_uri_boolean(name, c"immutable".as_ptr(), 0) == 0 {
            return Pages::default();
        }
        let path = PathBuf::from(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
        let watched = stamp(&path).map(|before| (path, before));
        Pages { watched, ..Pages::default() }
    }
}

/// Returns the default layer's file, which follows this layer's in memory.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: the caller's memory holds both, see `open`.
    unsafe { file.cast::<CheckedFile>().add(1).cast() }
}

/// Reads, and checks whole pages.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: `file` was opened by `open`; `buffer` has `length` bytes, all of them set once the default layer has read
    // (it fills up with zeros what a file is short of).
    unsafe {
        let code = forward_read(file, buffer, length, offset);
        let Some(pages) = &mut (*file.cast::<CheckedFile>()).pages else { return code };
        let bytes = slice::from_raw_parts(buffer.cast::<u8>(), length as usize);
        match code {
            ffi::SQLITE_OK => pages.judge(bytes, offset),
            // A part of a page was there: the file was cut.
            ffi::SQLITE_IOERR_SHORT_READ
                if pages.is_checked(bytes) && bytes.iter().any(|&byte| byte != 0) =>
            {
                ffi::SQLITE_IOERR_DATA
            }
            code => code,
        }
    }
}

/// Writes; a page with its checksum. `SQLite`'s own copy of the page stays as it is.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: `file` was opened by `open`, and `buffer` has `length` bytes.
    unsafe {
        let Some(pages) = &mut (*file.cast::<CheckedFile>()).pages else {
            return forward_write(file, buffer, length, offset);
        };
        let bytes = slice::from_raw_parts(buffer.cast::<u8>(), length as usize);
        pages.note_header(bytes, offset);
        if !pages.is_checked(bytes) {
            return forward_write(file, buffer, length, offset);
        }
        let mut page = bytes.to_vec();
        let start = page.len() - CHECKSUM_BYTES as usize;
        page[start..].copy_from_slice(&checksum(bytes, offset));
        forward_write(file, page.as_ptr().cast(), length, offset)
    }
}

/// Syncs; once more when a signal came between.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    let mut code = ffi::SQLITE_OK;
    for _ in 0..SYNC_TRIES {
        let mut errno: c_int = 0;
        // SAFETY: `file` was opened by `open`; the control writes one `int`.
        unsafe {
            code = forward_sync(file, flags);
            if code == ffi::SQLITE_OK {
                break;
            }
            forward_control(file, ffi::SQLITE_FCNTL_LAST_ERRNO, (&raw mut errno).cast());
        }
        if errno != libc::EINTR {
            break;
        }
    }
    code
}

/// Closes both files.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `file` was opened by `open` and is not used after this.
    unsafe {
        let code = forward_close(file);
        ptr::drop_in_place(&raw mut (*file.cast::<CheckedFile>()).pages);
        code
    }
}

/// Takes note of what [`write_checksums`] says; hands on all else.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe extern "C" fn control(file: *mut ffi::sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: `file` was opened by `open`.
    unsafe {
        match &mut (*file.cast::<CheckedFile>()).pages {
            Some(pages) if operation == HAVE_CHECKSUMS => {
                pages.are_checked = true;
                ffi::SQLITE_OK
            }
            _ => forward_control(file, operation, argument),
        }
    }
}

/// Reports the capabilities of the file, except reading parts of pages, which cannot be checked.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe extern "C" fn characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `file` was opened by `open`.
    unsafe { forward_characteristics(file) & !ffi::SQLITE_IOCAP_SUBPAGE_READ }
}

/// Maps nothing into memory, because mapped pages cannot be checked.
#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe extern "C" fn fetch(
    _file: *mut ffi::sqlite3_file,
    _offset: i64,
    _length: c_int,
    page: *mut *mut c_void,
) -> c_int {
    // SAFETY: `page` is where `SQLite` wants the address.
    unsafe { *page = ptr::null_mut() };
    ffi::SQLITE_OK
}

#[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
unsafe extern "C" fn unfetch(_file: *mut ffi::sqlite3_file, _offset: i64, _page: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

/// Makes functions that call the default layer's file.
macro_rules! forward {
    ($($name:ident = $method:ident($($argument:ident: $of:ty),*) -> $result:ty, $otherwise:expr;)*) => {$(
        #[expect(unsafe_code, reason = "SQLite's interface for layers is one of C")]
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $of)*) -> $result {
            // SAFETY: `file` was opened by `open`, so the default layer's file behind it is open, too.
            unsafe {
                let file = inner(file);
                match (*file).pMethods.as_ref().and_then(|methods| methods.$method) {
                    Some(call) => call(file $(, $argument)*),
                    None => $otherwise,
                }
            }
        }
    )*};
}

forward! {
    forward_close = xClose() -> c_int, ffi::SQLITE_OK;
    forward_read = xRead(buffer: *mut c_void, length: c_int, offset: i64) -> c_int, ffi::SQLITE_IOERR_READ;
    forward_write = xWrite(buffer: *const c_void, length: c_int, offset: i64) -> c_int, ffi::SQLITE_IOERR_WRITE;
    forward_truncate = xTruncate(length: i64) -> c_int, ffi::SQLITE_IOERR_TRUNCATE;
    forward_sync = xSync(flags: c_int) -> c_int, ffi::SQLITE_IOERR_FSYNC;
    forward_size = xFileSize(length: *mut i64) -> c_int, ffi::SQLITE_IOERR_FSTAT;
    forward_lock = xLock(kind: c_int) -> c_int, ffi::SQLITE_IOERR_LOCK;
    forward_unlock = xUnlock(kind: c_int) -> c_int, ffi::SQLITE_IOERR_UNLOCK;
    forward_check_lock = xCheckReservedLock(found: *mut c_int) -> c_int, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK;
    forward_control = xFileControl(operation: c_int, argument: *mut c_void) -> c_int, ffi::SQLITE_NOTFOUND;
    forward_sector = xSectorSize() -> c_int, 0;
    forward_characteristics = xDeviceCharacteristics() -> c_int, 0;
    forward_shm_map = xShmMap(region: c_int, length: c_int, extend: c_int, out: *mut *mut c_void) -> c_int,
        ffi::SQLITE_IOERR_SHMMAP;
    forward_shm_lock = xShmLock(offset: c_int, number: c_int, flags: c_int) -> c_int, ffi::SQLITE_IOERR_SHMLOCK;
    forward_shm_barrier = xShmBarrier() -> (), ();
    forward_shm_unmap = xShmUnmap(delete: c_int) -> c_int, ffi::SQLITE_OK;
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(forward_truncate),
    xSync: Some(sync),
    xFileSize: Some(forward_size),
    xLock: Some(forward_lock),
    xUnlock: Some(forward_unlock),
    xCheckReservedLock: Some(forward_check_lock),
    xFileControl: Some(control),
    xSectorSize: Some(forward_sector),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(forward_shm_map),
    xShmLock: Some(forward_shm_lock),
    xShmBarrier: Some(forward_shm_barrier),
    xShmUnmap: Some(forward_shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with checksums and more pages than are read at once.
    fn database(path: &Path) -> Connection {
        let connection = connect(path, OpenFlags::default()).unwrap();
        reserve_bytes(&connection, Some(CHECKSUM_BYTES)).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, b); WITH RECURSIVE n (i) AS
                 (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99) INSERT INTO t SELECT i, zeroblob(3000) FROM n",
            )
            .unwrap();
        connection
    }

    fn bytes(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT sum(length(b)) FROM t", [], |row| row.get(0))
    }

    #[test]
    fn every_page_has_a_checksum_of_its_own_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        drop(database(&path));
        let file = std::fs::read(&path).unwrap();
        assert!(file.len() > 40 * 4096);
        for (number, page) in file.chunks(4096).enumerate() {
            assert!(page.ends_with(&checksum(page, number as i64 * 4096)), "page {number}");
        }
        // A page in another's place.
        let mut moved = file.clone();
        moved.copy_within(20 * 4096..21 * 4096, 30 * 4096);
        std::fs::write(&path, moved).unwrap();
        let error = bytes(&connect(&path, OpenFlags::default()).unwrap()).unwrap_err();
        assert_eq!(error.sqlite_error().unwrap().extended_code, ffi::SQLITE_IOERR_DATA);
    }

    #[test]
    fn a_statement_is_planned_once_whatever_is_bound_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let connection = database(&dir.path().join("db"));
        let mut statement = connection.prepare("SELECT id FROM t WHERE id > ?1 LIMIT ?2").unwrap();
        for (from, limit) in [(90, 1), (1, 2), (50, 1)] {
            assert_eq!(statement.query_row([from, limit], |row| row.get(0)), Ok(from + 1));
        }
        assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
    }

    #[test]
    fn a_file_that_is_read_without_locks_must_not_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let writer = database(&path);
        let uri = format!("file:{}?immutable=1", path.display());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let reader = connect(Path::new(&uri), flags).unwrap();
        assert_eq!(reader.query_row("SELECT id FROM t", [], |row| row.get(0)), Ok(1));
        writer.execute("UPDATE t SET b = NULL WHERE id = 99", []).unwrap();
        let error = bytes(&reader).unwrap_err();
        assert_eq!(error.sqlite_error().unwrap().extended_code, ffi::SQLITE_BUSY_SNAPSHOT);
        drop(reader);
        assert_eq!(bytes(&connect(Path::new(&uri), flags).unwrap()), Ok(98 * 3000));
    }
}
