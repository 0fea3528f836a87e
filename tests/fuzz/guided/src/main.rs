//! The same targets, led by coverage: libFuzzer chooses what to try next.
//!
//! `tests/run fuzz` builds and runs it. `KITH_FUZZ_TARGET` names the target; without it they are
//! all named. With
//! `KITH_FUZZ_SEEDS` it writes that target's seeds into this folder, and with
//! `KITH_FUZZ_LEARNT` the inputs of this folder into the file `KITH_FUZZ_INTO`; then it ends.

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
    heap, learnt,
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
    let Ok(name) = std::env::var("KITH_FUZZ_TARGET") else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        end(writeln!(io::stdout(), "{}", names.join("\n")), "their names");
    };
    let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
        say(&format!("KITH_FUZZ_TARGET names no target: '{name}'; without it all are named"));
        exit(2);
    };
    let var = |name: &str| std::env::var(name).ok();
    if let Some(folder) = var("KITH_FUZZ_SEEDS") {
        end(write_seeds(target, Path::new(&folder)), &folder);
    }
    if let (Some(folder), Some(into)) = (var("KITH_FUZZ_LEARNT"), var("KITH_FUZZ_INTO")) {
        end(write_learnt(Path::new(&folder), Path::new(&into)), &into);
    }
    CHOSEN.get_or_init(|| target);
}

fn end(written: io::Result<()>, place: &str) -> ! {
    match written {
        Ok(()) => exit(0),
        Err(error) => {
            say(&format!("cannot write {place}: {error}"));
            exit(1)
        }
    }
}

fn write_learnt(folder: &Path, into: &Path) -> io::Result<()> {
    let files = fs::read_dir(folder)?.map(|file| fs::read(file?.path()));
    fs::write(into, learnt::to_bytes(files.collect::<io::Result<Vec<_>>>()?))
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
