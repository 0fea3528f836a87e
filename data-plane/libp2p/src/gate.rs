//! What a peer's frames pass on their way to the node.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Open while a peer may deliver: for pairing from `Connected` to
/// `Disconnected`, for other lanes from `Admit` to `Forbid`. A reader that is a
/// moment late delivers nothing.
#[derive(Debug)]
pub(crate) struct Gate {
    is_open: Mutex<bool>,
    has_paired: AtomicBool,
}

impl Gate {
    pub(crate) fn open() -> Self {
        Self { is_open: Mutex::new(true), has_paired: AtomicBool::new(false) }
    }

    /// Delivers, unless the gate is closed. `deliver` must not block.
    pub(crate) fn pass(&self, deliver: impl FnOnce()) -> bool {
        let is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_open {
            deliver();
        }
        *is_open
    }

    /// When this returns, nothing passes any more.
    pub(crate) fn close(&self) {
        *self.is_open.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// Notes that the peer sent a pairing frame.
    pub(crate) fn note_pairing(&self) {
        self.has_paired.store(true, Ordering::Relaxed);
    }

    /// Whether the peer ever sent a pairing frame.
    pub(crate) fn has_paired(&self) -> bool {
        self.has_paired.load(Ordering::Relaxed)
    }
}
