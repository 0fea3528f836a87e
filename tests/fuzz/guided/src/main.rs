//! The same targets, led by coverage: libFuzzer chooses what to try next.
//!
//! `tests/run fuzz` builds and runs it. `KITH_FUZZ_TARGET` names the target; with
//! `KITH_FUZZ_SEEDS` it writes that target's seeds into this folder and ends.

#![no_main]

use std::{
    fs,
    io::{self, Write as _},
    panic::set_hook,
    path::Path,
    process::exit,
    sync::{Mutex, OnceLock, PoisonError},
};

use fuzz::{
    heap,
    targets::{TARGETS, Target},
};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static HEAP: heap::Counted = heap::Counted;

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fuzz_target!(
    init: begin(),
    |input: &[u8]| {
        let target = CHOSEN.get().expect("libFuzzer initialises first");
        let mut peak = 0;
        let run = || peak = heap::peak_of(|| (target.run)(input));
        if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
            say(&LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner));
            std::panic::resume_unwind(panic);
        }
        if peak > target.heap_bytes_max {
            say(&format!("{peak} bytes of memory, {} at most", target.heap_bytes_max));
            std::process::abort();
        }
    }
);

/// Panics that the product itself catches are no findings, so libFuzzer's hook, which aborts at
/// once, makes way for one that only takes a note.
fn begin() {
    set_hook(Box::new(|panic| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    let name = std::env::var("KITH_FUZZ_TARGET").unwrap_or_default();
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        say(&format!("KITH_FUZZ_TARGET names no target: '{name}'. There are:"));
        for target in TARGETS {
            say(target.name);
        }
        exit(2);
    };
    if let Ok(folder) = std::env::var("KITH_FUZZ_SEEDS") {
        if let Err(error) = write_seeds(target, Path::new(&folder)) {
            say(&format!("cannot write seeds to {folder}: {error}"));
            exit(1);
        }
        exit(0);
    }
    CHOSEN.get_or_init(|| target);
}

fn write_seeds(target: &Target, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, seed) in (target.seeds)().iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

fn say(line: &str) {
    // Who closed standard error does not want to know.
    drop(writeln!(io::stderr(), "{line}"));
}
