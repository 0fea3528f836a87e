//! Randomness for crates that ask the system for it: the module has none, so it is drawn from
//! the seed that the page gave. Before that there is none.
//!
//! In the node that is Automerge alone, for actors that are replaced before they write.

use std::cell::RefCell;

use getrandom::Error;
use rand_chacha::{ChaCha20Rng, rand_core::Rng as _};

thread_local! {
    static STREAM: RefCell<Option<ChaCha20Rng>> = const { RefCell::new(None) };
}

/// What is drawn from now on.
pub(crate) fn draw_from(stream: ChaCha20Rng) {
    STREAM.set(Some(stream));
}

/// The hook of `getrandom` (its README, "Custom backend").
///
/// # Safety
/// `dest` is the address of `length` bytes that are the caller's alone.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(dest: *mut u8, length: usize) -> Result<(), Error> {
    // SAFETY: as the caller promises; they are written before they are read.
    let bytes = unsafe {
        std::ptr::write_bytes(dest, 0, length);
        std::slice::from_raw_parts_mut(dest, length)
    };
    STREAM.with_borrow_mut(|stream| {
        let stream = stream.as_mut().ok_or(Error::UNSUPPORTED)?;
        stream.fill_bytes(bytes);
        Ok(())
    })
}
