//! The SQLite VFS: C calls in, calls of the safe `State` out.
//!
//! Purpose: translation only. No decision about data or faults is made here.
//!
//! What the unsafe code relies on, throughout:
//! - SQLite passes the `sqlite3_vfs` that `berth` registered; its `pAppData` points to the `Slot`
//!   that contains it, and slots are never freed.
//! - SQLite passes valid pointers of the documented sizes, and null only where documented.
//! - A panic in an `extern "C"` function aborts; it never unwinds into SQLite.

mod berth;
mod io;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;
use std::{ptr, slice};

use libsqlite3_sys as ffi;
use rand_chacha::rand_core::Rng as _;

pub(super) use self::berth::Berth;
use self::berth::Slot;
use super::Shared;
use super::state::Failure;

/// Longer than any path of a simulated node.
const PATH_BYTES_MAX: usize = 512;

/// The Julian day number of 1970-01-01, in milliseconds.
const JULIAN_UNIX_EPOCH_MS: i64 = 210_866_760_000_000;

/// A VFS that calls the functions below; `berth` fills in the name and the slot.
fn template() -> ffi::sqlite3_vfs {
    ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: size_of::<io::OpenFile>() as c_int,
        mxPathname: PATH_BYTES_MAX as c_int,
        pNext: ptr::null_mut(),
        zName: ptr::null(),
        pAppData: ptr::null_mut(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: Some(load_nothing),
        xDlError: Some(explain_nothing),
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: None,
        xCurrentTimeInt64: Some(current_time_ms),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }
}

/// The disk that a VFS belongs to, if it still exists, and the boot in which it was registered.
///
/// # Safety
///
/// `vfs` was registered by `berth`.
unsafe fn disk(vfs: *mut ffi::sqlite3_vfs) -> Result<(Arc<Shared>, &'static Slot, u64), Failure> {
    // SAFETY: the caller vouches for `vfs`, whose `pAppData` was set once, to a slot that is
    // never freed and of which only shared references exist.
    let slot: &'static Slot = unsafe { &*(*vfs).pAppData.cast::<Slot>() };
    let (shared, boot) = slot.target().ok_or(Failure::Dead)?;
    if shared.state().boot != boot {
        return Err(Failure::Dead);
    }
    Ok((shared, slot, boot))
}

/// # Safety
///
/// `text` is null or ends with a zero byte and lives as long as the caller uses the result.
unsafe fn path<'a>(text: *const c_char) -> Result<Option<&'a str>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, and the caller vouches for the rest.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|_| Failure::CannotOpen)
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let file = file.cast::<io::OpenFile>();
    // SAFETY: SQLite allocated `szOsFile` bytes for an `OpenFile`, suitably aligned. Without
    // methods it will not call `xClose`.
    unsafe { file.write(io::OpenFile::closed()) };
    let opened = || {
        // SAFETY: `vfs` is ours, and the name outlives this call.
        let ((shared, slot, _), path) = unsafe { (disk(vfs)?, path(name)?) };
        io::Opened::new(shared, slot, path, flags)
    };
    match opened() {
        Ok(opened) => {
            // SAFETY: as above; `flags_out` is null or valid.
            unsafe {
                file.write(io::OpenFile::open(opened));
                if !flags_out.is_null() {
                    flags_out.write(flags);
                }
            }
            ffi::SQLITE_OK
        }
        Err(failure) => code(failure, ffi::SQLITE_IOERR),
    }
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_directory: c_int,
) -> c_int {
    let deleted = || {
        // SAFETY: `vfs` is ours, and the name outlives this call.
        let ((shared, _, _), path) = unsafe { (disk(vfs)?, path(name)?) };
        let path = path.ok_or(Failure::NoSuchFile)?;
        shared.state().delete(path, sync_directory != 0)
    };
    outcome(deleted(), ffi::SQLITE_IOERR_DELETE)
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    answer: *mut c_int,
) -> c_int {
    let exists = || {
        // SAFETY: `vfs` is ours, and the name outlives this call.
        let ((shared, _, _), path) = unsafe { (disk(vfs)?, path(name)?) };
        let exists = path.is_some_and(|path| shared.state().exists(path));
        // SAFETY: SQLite passes a valid place for the answer.
        unsafe { answer.write(c_int::from(exists)) };
        Ok(())
    };
    outcome(exists(), ffi::SQLITE_IOERR_ACCESS)
}

/// Every path is full: there is no current directory.
unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite passes a C string, and a buffer of `length` bytes that it does not overlap.
    unsafe {
        let name = CStr::from_ptr(name).to_bytes_with_nul();
        if name.len() > usize::try_from(length).unwrap_or(0) {
            return ffi::SQLITE_CANTOPEN;
        }
        ptr::copy_nonoverlapping(name.as_ptr().cast::<c_char>(), out, name.len());
    }
    ffi::SQLITE_OK
}

/// Extensions are not files of this disk.
unsafe extern "C" fn load_nothing(
    _vfs: *mut ffi::sqlite3_vfs,
    _name: *const c_char,
) -> *mut c_void {
    ptr::null_mut()
}

unsafe extern "C" fn explain_nothing(
    _vfs: *mut ffi::sqlite3_vfs,
    length: c_int,
    message: *mut c_char,
) {
    if length > 0 {
        // SAFETY: SQLite passes a buffer of `length` bytes.
        unsafe { message.write(0) };
    }
}

unsafe extern "C" fn randomness(
    vfs: *mut ffi::sqlite3_vfs,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    let length_bytes = usize::try_from(length).unwrap_or(0);
    // SAFETY: SQLite passes a buffer of `length` bytes that nobody else uses.
    let out = unsafe {
        ptr::write_bytes(out, 0, length_bytes);
        slice::from_raw_parts_mut(out.cast::<u8>(), length_bytes)
    };
    // SAFETY: `vfs` is ours.
    if let Ok((shared, ..)) = unsafe { disk(vfs) } {
        shared.state().rng.fill_bytes(out);
    }
    length
}

/// Virtual time does not pass inside a call.
unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    let mut julian_ms = 0;
    // SAFETY: `vfs` is ours, and SQLite passes a valid place for the answer.
    unsafe {
        let result = current_time_ms(vfs, &raw mut julian_ms);
        out.write(julian_ms as f64 / 86_400_000.0);
        result
    }
}

unsafe extern "C" fn current_time_ms(vfs: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    let now = || {
        // SAFETY: `vfs` is ours.
        let (shared, ..) = unsafe { disk(vfs)? };
        let julian_ms = JULIAN_UNIX_EPOCH_MS.saturating_add(shared.state().unix_ms);
        // SAFETY: SQLite passes a valid place for the answer.
        unsafe { out.write(julian_ms) };
        Ok(())
    };
    outcome(now(), ffi::SQLITE_IOERR)
}

/// The result of a call; `dead` is its code if the power was cut.
fn outcome(result: Result<(), Failure>, dead: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(failure) => code(failure, dead),
    }
}

fn code(failure: Failure, dead: c_int) -> c_int {
    match failure {
        Failure::Dead => dead,
        Failure::CannotOpen => ffi::SQLITE_CANTOPEN,
        Failure::NoSuchFile => ffi::SQLITE_IOERR_DELETE_NOENT,
        Failure::ShortRead => ffi::SQLITE_IOERR_SHORT_READ,
        Failure::Write => ffi::SQLITE_IOERR_WRITE,
        Failure::Sync => ffi::SQLITE_IOERR_FSYNC,
        Failure::Full => ffi::SQLITE_FULL,
        Failure::Busy => ffi::SQLITE_BUSY,
    }
}
