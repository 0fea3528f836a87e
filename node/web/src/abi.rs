//! What the module exports. The host writes a message into memory of ours, has it handled,
//! and reads the answer from memory of ours; there is nothing that it could give us a wrong
//! address of.

use std::cell::RefCell;

use crate::browser::Browser;

/// Most bytes that a message may have: the largest batch several times over.
const MESSAGE_BYTES_MAX: u32 = 256 * 1024 * 1024;

#[derive(Default)]
struct Instance {
    browser: Browser,
    input: Vec<u8>,
    output: Vec<u8>,
}

thread_local! {
    static INSTANCE: RefCell<Instance> = RefCell::default();
}

/// Makes room for a message of `length` bytes, and says where; 0 if that is too much.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn prepare(length: u32) -> usize {
    if length > MESSAGE_BYTES_MAX {
        return 0;
    }
    INSTANCE.with_borrow_mut(|instance| {
        instance.output = vec![];
        instance.input = vec![0; length as usize];
        instance.input.as_ptr() as usize
    })
}

/// Handles the message that was written there, and says how long the answer is.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn call() -> usize {
    INSTANCE.with_borrow_mut(|instance| {
        let input = std::mem::take(&mut instance.input);
        instance.output = instance.browser.call(&input);
        instance.output.len()
    })
}

/// Where the answer is, until room for the next message is made.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn output() -> usize {
    INSTANCE.with_borrow(|instance| instance.output.as_ptr() as usize)
}
