//! The driver of every commit: each target with its seeds, its corpus and mutations of both.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fuzz::{
    frames, heap, learnt,
    mutate::Mutator,
    targets::{TARGETS, Target},
};

#[global_allocator]
static HEAP: heap::Counted = heap::Counted;

/// Inputs between two looks at the clock.
const INPUTS_A_LOOK: usize = 100;

/// Bytes of a seed at which it is cut, each in turn.
const CUTS_MAX: usize = 1_024;

macro_rules! drive {
    ($($name:ident),+ $(,)?) => {
        const DRIVEN: &[&str] = &[$(stringify!($name)),+];

        $(
            #[test]
            fn $name() {
                drive(stringify!($name));
            }
        )+
    };
}

drive! {
    ids, tickets, ticket_bodies, issued_tickets, attestations, signed_envelopes, signed_claims,
    trust_messages, pairing_messages, sync_messages, search_messages, entries, signed_headers, entry_bodies,
    blob_headers, blob_infos, packs, pack_frames, digests, sketch_parts, pointers, patches, changes,
    change_contents,
    bundles,
    history_contents,
}

#[test]
fn every_target_is_driven() {
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, DRIVEN);
}

#[test]
fn what_was_learnt_reads_back() {
    let inputs = vec![b"bb".to_vec(), vec![], b"a".to_vec(), b"a".to_vec()];
    let bytes = learnt::to_bytes(inputs);
    let read = learnt::from_bytes(&bytes).expect("it was written here");
    assert_eq!(read, [&b""[..], b"a", b"bb"]);
    assert_eq!(learnt::from_bytes(&bytes[..bytes.len() - 1]), None);
    let large = learnt::to_bytes([vec![1; learnt::FILE_BYTES_MAX], b"a".to_vec()]);
    assert_eq!(learnt::from_bytes(&large), Some(vec![b"a".to_vec()]));
}

#[test]
fn the_heap_is_counted() {
    let peak = heap::peak_of(|| drop(vec![0_u8; 1 << 20]));
    assert!((1 << 20..1 << 21).contains(&peak), "{peak}");
}

/// The largest frame, full of items of one byte each: what it costs must not multiply.
#[test]
fn a_frame_full_of_nothing_costs_little() {
    for (run, frame) in frames::full_of_nothing() {
        let peak = heap::peak_of(|| run(&frame));
        assert!(peak < 1 << 20, "{peak} bytes of memory for a frame of {}", frame.len());
    }
}

fn drive(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("it is in the table");
    let mut seeds = corpus(name);
    seeds.extend((target.seeds)());
    let number = std::env::var("KITH_FUZZ_SEED").ok().and_then(|text| text.parse().ok());
    let learnt = learnt(name);
    let from = [&seeds[..], &learnt].concat();
    let mut mutator = Mutator::new(number.unwrap_or(1), name, from);
    let trial = Trial::begin(target);
    learnt.iter().for_each(|input| trial.of(input));
    for seed in &seeds {
        trial.of(seed);
        trial.of(&[seed, &[0][..]].concat());
        for end in 0..seed.len().min(CUTS_MAX) {
            trial.of(&seed[..end]);
        }
    }
    let mut budget = Budget::new(target.inputs);
    while budget.has_more() {
        for _ in 0..INPUTS_A_LOOK {
            trial.of(&mutator.next_input());
        }
    }
}

/// Inputs by number, or by time where somebody asked for it.
enum Budget {
    Inputs(usize),
    Time { end: std::time::Instant },
}

#[expect(clippy::disallowed_methods, reason = "whoever asks for an hour means the clock's")]
impl Budget {
    fn new(inputs: usize) -> Self {
        let seconds = std::env::var("KITH_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
        match seconds {
            Some(seconds) => {
                Self::Time { end: std::time::Instant::now() + Duration::from_secs(seconds) }
            }
            None => Self::Inputs(inputs),
        }
    }

    fn has_more(&mut self) -> bool {
        match self {
            Self::Inputs(left) => {
                let has_more = *left > 0;
                *left = left.saturating_sub(INPUTS_A_LOOK);
                has_more
            }
            Self::Time { end } => std::time::Instant::now() < *end,
        }
    }
}

/// Runs a target; panics that the product itself catches stay silent.
struct Trial<'a> {
    target: &'a Target,
    last_panic: Arc<Mutex<String>>,
}

impl<'a> Trial<'a> {
    fn begin(target: &'a Target) -> Self {
        let last_panic = Arc::new(Mutex::new(String::new()));
        let noted = Arc::clone(&last_panic);
        set_hook(Box::new(move |panic| {
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
        }));
        Self { target, last_panic }
    }

    fn of(&self, input: &[u8]) {
        let Target { name, heap_bytes_max, .. } = self.target;
        let mut peak = 0;
        let run = || peak = heap::peak_of(|| (self.target.run)(input));
        let is_quiet = catch_unwind(AssertUnwindSafe(run)).is_ok();
        if is_quiet && peak <= *heap_bytes_max {
            return;
        }
        // From here on a panic is for people.
        drop(take_hook());
        let kept = keep(name, input);
        let panic = self.last_panic.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert!(is_quiet, "{name}: {panic}\n{kept}");
        panic!("{name}: {peak} bytes of memory, {heap_bytes_max} at most\n{kept}");
    }
}

/// Files of former failures, in order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new("corpus").join(name);
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a file of the corpus")).collect()
}

/// What a search led by coverage has learnt.
fn learnt(name: &str) -> Vec<Vec<u8>> {
    let Ok(bytes) = fs::read(Path::new("corpus").join(format!("{name}.inputs"))) else {
        return vec![];
    };
    learnt::from_bytes(&bytes).expect("it was written by tests/run fuzz")
}

/// Keeps an input that failed, and says where.
fn keep(name: &str, input: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(name);
    let path = folder.join(&blake3::hash(input).to_hex()[..16]);
    let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, input));
    match kept {
        Ok(()) => format!("the input is in {}", path.display()),
        Err(error) => format!("the input is {input:02x?} ({error})"),
    }
}
