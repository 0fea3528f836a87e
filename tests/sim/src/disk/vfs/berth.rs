//! Where disks are registered with SQLite.
//!
//! A *slot* is one `sqlite3_vfs` at a fixed address. A connection remembers the address of its
//! VFS, so each boot of a disk gets a slot of its own under the same name: what a dead connection
//! still calls ends at the slot of its boot, which refuses.
//!
//! A *berth* is a name with its slots. Both are leaked, because SQLite does not tell when the last
//! connection has forgotten a VFS, and used again, so that memory stays bounded by how many disks
//! and dead boots exist at once. Reuse is sound even if a connection without open files is still
//! there: it would then see another disk, never freed memory.

use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use libsqlite3_sys as ffi;

use super::super::Shared;

/// Berths of dropped disks.
static FREE: Mutex<Vec<Free>> = Mutex::new(Vec::new());

/// How many names exist.
static NAMES: AtomicU64 = AtomicU64::new(0);

/// A `sqlite3_vfs` that is never freed.
pub(super) struct Slot {
    /// Written by SQLite only, under its own mutex.
    vfs: UnsafeCell<ffi::sqlite3_vfs>,
    /// The disk, and the boot in which this slot is its VFS.
    target: Mutex<(Weak<Shared>, u64)>,
    open_files: AtomicU64,
}

// SAFETY: `vfs` is the only part that is not `Sync` by itself. After construction Rust never
// writes it and reads only `pAppData`, which SQLite never writes.
unsafe impl Sync for Slot {}
// SAFETY: as above; and the raw pointers inside point to leaked memory, bound to no thread.
unsafe impl Send for Slot {}

impl Slot {
    fn leak(name: &'static CStr) -> &'static Self {
        let mut vfs = super::template();
        vfs.zName = name.as_ptr();
        let slot = Box::into_raw(Box::new(Self {
            vfs: UnsafeCell::new(vfs),
            target: Mutex::new((Weak::new(), 0)),
            open_files: AtomicU64::new(0),
        }));
        // SAFETY: the box is leaked, so the pointer is valid for ever; no reference exists yet,
        // and from the last line on only shared ones do.
        unsafe {
            (*(*slot).vfs.get()).pAppData = slot.cast::<c_void>();
            &*slot
        }
    }

    pub(super) fn target(&self) -> Option<(Arc<Shared>, u64)> {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        Some((target.0.upgrade()?, target.1))
    }

    pub(super) fn file_opened(&self) {
        self.open_files.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn file_closed(&self) {
        self.open_files.fetch_sub(1, Ordering::Relaxed);
    }

    fn is_unused(&self) -> bool {
        self.open_files.load(Ordering::Relaxed) == 0
    }

    fn register(&self, disk: Weak<Shared>, boot: u64) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = (disk, boot);
        // SAFETY: the VFS is complete, lives for ever, and is not registered now; SQLite
        // initialises itself on the first call.
        let result = unsafe { ffi::sqlite3_vfs_register(self.vfs.get(), 0) };
        assert_eq!(result, ffi::SQLITE_OK, "registering fails only without memory");
    }

    fn unregister(&self) {
        // SAFETY: the VFS lives for ever, so it does not matter who still points to it.
        let result = unsafe { ffi::sqlite3_vfs_unregister(self.vfs.get()) };
        assert_eq!(result, ffi::SQLITE_OK, "unregistering cannot fail");
    }
}

/// A name without a disk.
struct Free {
    name: &'static CStr,
    slots: Vec<&'static Slot>,
}

/// The name of a disk and its slots; at most one of them is registered.
pub(in super::super) struct Berth {
    name: &'static CStr,
    disk: Weak<Shared>,
    registered: Option<&'static Slot>,
    /// The slots of earlier boots.
    others: Vec<&'static Slot>,
}

impl Berth {
    /// A name that no living disk has.
    pub(in super::super) fn claim() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Free { name, slots } =
            free.unwrap_or_else(|| Free { name: new_name(), slots: Vec::new() });
        Self { name, disk: Weak::new(), registered: None, others: slots }
    }

    pub(in super::super) fn name(&self) -> &'static str {
        self.name.to_str().expect("names are ASCII")
    }

    /// Registers the disk for its first boot.
    pub(in super::super) fn mount(&mut self, disk: Weak<Shared>) {
        self.disk = disk;
        self.remount(0);
    }

    /// Gives the name to a slot that no open file uses; the present slot is dead from now on.
    pub(in super::super) fn remount(&mut self, boot: u64) {
        if let Some(slot) = self.registered.take() {
            slot.unregister();
            self.others.push(slot);
        }
        let unused = self.others.iter().position(|slot| slot.is_unused());
        let slot = match unused {
            Some(at) => self.others.swap_remove(at),
            None => Slot::leak(self.name),
        };
        slot.register(self.disk.clone(), boot);
        self.registered = Some(slot);
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        // Open files keep the disk, so none is left.
        if let Some(slot) = self.registered.take() {
            slot.unregister();
            self.others.push(slot);
        }
        let slots = std::mem::take(&mut self.others);
        let name = self.name;
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(Free { name, slots });
    }
}

impl std::fmt::Debug for Berth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Berth").field(&self.name).finish()
    }
}

fn new_name() -> &'static CStr {
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    let name = CString::new(format!("kith-sim-disk-{number}")).expect("no zero byte in it");
    // SAFETY: `into_raw` gives up ownership of a C string that is never taken back.
    unsafe { CStr::from_ptr(name.into_raw()) }
}

/// Seeds SQLite's generator, from which it draws salts, nonces and `random()`.
pub(super) fn seed_sqlite(seed: u32) {
    // Zero means "ask the system".
    let seed = (seed | 1) as c_int;
    let no_database = ptr::null_mut::<ffi::sqlite3>();
    // SAFETY: these are the arguments that this operation documents. It stores an aligned int and
    // resets the generator under SQLite's mutex; a thread that draws meanwhile sees either seed.
    unsafe { ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, seed, no_database) };
}
