//! The methods of an open file.
//!
//! SQLite calls them for one file from one thread at a time, with the `sqlite3_file` that `open`
//! filled in, and never after `xClose`.

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::{ptr, slice};

use libsqlite3_sys as ffi;
use rand_chacha::rand_core::Rng as _;

use super::super::Shared;
use super::super::crash::SECTOR_BYTES;
use super::super::file::Lock;
use super::super::state::{Failure, Handle, Mode};
use super::berth::{Slot, seed_sqlite};
use super::outcome;

/// The types of file whose creation must last.
const JOURNALS: c_int =
    ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Version 1: neither shared memory nor memory maps.
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

/// What SQLite allocates for a file; begins with what SQLite knows of it.
#[repr(C)]
pub(super) struct OpenFile {
    base: ffi::sqlite3_file,
    /// A box that `close` takes back, or null.
    opened: *mut Opened,
}

impl OpenFile {
    pub(super) fn closed() -> Self {
        Self { base: ffi::sqlite3_file { pMethods: ptr::null() }, opened: ptr::null_mut() }
    }

    pub(super) fn open(opened: Opened) -> Self {
        Self {
            base: ffi::sqlite3_file { pMethods: &raw const METHODS },
            opened: Box::into_raw(Box::new(opened)),
        }
    }
}

/// An open file with the disk that it keeps alive.
pub(super) struct Opened {
    disk: Arc<Shared>,
    slot: &'static Slot,
    handle: Handle,
}

impl Opened {
    pub(super) fn new(
        disk: Arc<Shared>,
        slot: &'static Slot,
        path: Option<&str>,
        flags: c_int,
    ) -> Result<Self, Failure> {
        let mode = Mode {
            create: flags & ffi::SQLITE_OPEN_CREATE != 0,
            is_journal: flags & JOURNALS != 0,
        };
        let mut state = disk.state();
        let handle = state.open(path, mode)?;
        slot.file_opened();
        if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
            seed_sqlite(state.rng.next_u32());
        }
        drop(state);
        Ok(Self { disk, slot, handle })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.disk.state().close(&self.handle);
        self.slot.file_closed();
    }
}

/// # Safety
///
/// `file` was filled in by `open` and is not closed.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a Opened {
    // SAFETY: `base` is the first field of the `repr(C)` struct that `open` wrote there, whose
    // box lives until `close`. Only shared references to it exist meanwhile.
    unsafe { &*(*file.cast::<OpenFile>()).opened }
}

/// A length or an offset, which SQLite never makes negative.
fn size(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(0)
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let file = file.cast::<OpenFile>();
    // SAFETY: `open` made the box, and SQLite closes a file once; the null methods keep it so.
    unsafe {
        drop(Box::from_raw((*file).opened));
        file.write(OpenFile::closed());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: the file is open; the buffer has `length` bytes that nobody else uses, and zeroing
    // them first makes them initialised.
    let (file, buffer) = unsafe {
        ptr::write_bytes(buffer.cast::<u8>(), 0, size(length));
        let buffer = slice::from_raw_parts_mut(buffer.cast::<u8>(), size(length));
        (opened(file), buffer)
    };
    let result = file.disk.state().read(&file.handle, buffer, size(offset));
    outcome(result, ffi::SQLITE_IOERR_READ)
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: the file is open; SQLite passes `length` readable bytes.
    let (file, bytes) = unsafe {
        let bytes = slice::from_raw_parts(bytes.cast::<u8>(), size(length));
        (opened(file), bytes)
    };
    let result = file.disk.state().write(&file.handle, bytes, size(offset));
    outcome(result, ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, new_size: i64) -> c_int {
    // SAFETY: the file is open.
    let file = unsafe { opened(file) };
    let result = file.disk.state().truncate(&file.handle, size(new_size));
    outcome(result, ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: the file is open.
    let file = unsafe { opened(file) };
    let result = file.disk.state().sync(&file.handle);
    outcome(result, ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, answer: *mut i64) -> c_int {
    // SAFETY: the file is open.
    let file = unsafe { opened(file) };
    let result = file
        .disk
        .state()
        .file(&file.handle)
        // SAFETY: SQLite passes a valid place for the answer.
        .map(|content| unsafe { answer.write(content.current.len() as i64) });
    outcome(result, ffi::SQLITE_IOERR_FSTAT)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is open.
    let file = unsafe { opened(file) };
    let result = file.disk.state().lock(&file.handle, lock_level(level));
    outcome(result, ffi::SQLITE_IOERR_LOCK)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: the file is open.
    let file = unsafe { opened(file) };
    let result = file.disk.state().unlock(&file.handle, lock_level(level));
    outcome(result, ffi::SQLITE_IOERR_UNLOCK)
}

fn lock_level(level: c_int) -> Lock {
    match level {
        ffi::SQLITE_LOCK_SHARED => Lock::Shared,
        ffi::SQLITE_LOCK_RESERVED => Lock::Reserved,
        ffi::SQLITE_LOCK_PENDING => Lock::Pending,
        ffi::SQLITE_LOCK_EXCLUSIVE => Lock::Exclusive,
        _ => Lock::None,
    }
}

unsafe extern "C" fn check_reserved_lock(
    file: *mut ffi::sqlite3_file,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: the file is open.
    let file = unsafe { opened(file) };
    let result = file
        .disk
        .state()
        .file(&file.handle)
        // SAFETY: SQLite passes a valid place for the answer.
        .map(|content| unsafe { answer.write(c_int::from(content.is_reserved())) });
    outcome(result, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK)
}

/// Nothing is special about these files.
unsafe extern "C" fn file_control(
    _file: *mut ffi::sqlite3_file,
    _operation: c_int,
    _argument: *mut c_void,
) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    SECTOR_BYTES as c_int
}

unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}
