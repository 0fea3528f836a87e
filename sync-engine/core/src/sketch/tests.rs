use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::*;

pub(super) fn random_ids(random: &mut ChaCha8Rng, count: usize) -> Vec<EntryId> {
    let mut id = || {
        let mut bytes = [0; 32];
        random.fill_bytes(&mut bytes);
        EntryId(bytes)
    };
    (0..count).map(|_| id()).collect()
}

/// Ids of two sets: shared by both, of theirs only, of ours only.
pub(super) struct Sets {
    pub(super) shared: Vec<EntryId>,
    pub(super) theirs: Vec<EntryId>,
    pub(super) ours: Vec<EntryId>,
}

impl Sets {
    pub(super) fn new(seed: u64, shared: usize, differences: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let shared = random_ids(&mut random, shared);
        // From all theirs to all ours, and between.
        let of_theirs = differences * (seed as usize % 5) / 4;
        let theirs = random_ids(&mut random, of_theirs);
        let ours = random_ids(&mut random, differences - of_theirs);
        Self { shared, theirs, ours }
    }

    pub(super) fn symbols(&self, length: usize) -> [Vec<CodedSymbol>; 2] {
        [&self.theirs, &self.ours]
            .map(|only| coded_symbols(self.shared.iter().chain(only).copied(), 0..length))
    }

    pub(super) fn difference(&self) -> Difference {
        let short = |ids: &[EntryId]| ids.iter().map(|id| ShortId::of(*id)).collect();
        Difference { theirs: short(&self.theirs), ours: short(&self.ours) }
    }

    /// Symbols that it takes, one at a time.
    fn needed(&self, length: usize) -> usize {
        let [theirs, ours] = self.symbols(length);
        let mut decoder = Decoder::new(&ours);
        for (first, symbol) in theirs.into_iter().enumerate() {
            match decoder.receive(&Run { size: 0, first, symbols: vec![symbol] }) {
                Progress::NeedMore(next) => decoder = next,
                Progress::Decoded(difference) => {
                    assert_eq!(difference, self.difference());
                    return first + 1;
                }
                Progress::Hopeless => break,
            }
        }
        panic!("{length} symbols do not decode it");
    }
}

#[test]
fn equal_sets_take_one_symbol() {
    for shared in [0, 1, 1_000] {
        assert_eq!(Sets::new(1, shared, 0).needed(8), 1);
    }
}

#[test]
fn few_differences_take_few_symbols() {
    for seed in 0..40 {
        assert_eq!(Sets::new(seed, 10, 1).needed(8), 1);
        let needed = Sets::new(seed, 10, 10).needed(256);
        assert!(needed <= 60, "{needed}");
    }
}

#[test]
fn many_differences_take_less_than_twice_as_many_symbols() {
    for (differences, seeds) in [(100, 40), (1_000, 10), (5_000, 5)] {
        let needed: Vec<usize> = (0..seeds)
            .map(|seed| Sets::new(seed, 50, differences).needed(4 * differences))
            .collect();
        let each = needed.iter().sum::<usize>() as f64 / (seeds as usize * differences) as f64;
        assert!((1.0..=1.75).contains(&each), "{differences}: {each}");
    }
}

#[test]
fn large_sets_take_no_more_than_small_ones() {
    for (differences, length) in [(1, 8), (10, 60), (1_000, 1_750), (5_000, 8_750)] {
        Sets::new(2, 100_000, differences).needed(length);
    }
}

#[test]
fn a_sketch_that_is_kept_is_the_one_made_anew() {
    let ids = random_ids(&mut ChaCha8Rng::seed_from_u64(3), 3_000);
    let mut kept = Sketch::default();
    for id in &ids[..2_000] {
        kept.insert(*id);
    }
    for id in &ids[1_000..2_000] {
        kept.remove(*id);
    }
    for id in &ids[2_000..] {
        kept.insert(*id);
    }
    let anew: Sketch = ids[..1_000].iter().chain(&ids[2_000..]).copied().collect();
    assert_eq!(kept, anew);
    assert_eq!(kept.size(), 2_000);
    assert_eq!(Sketch::from_bytes(&kept.to_bytes()), Some(kept.clone()));
    for id in ids[..1_000].iter().chain(&ids[2_000..]) {
        kept.remove(*id);
    }
    assert_eq!(kept, Sketch::default());
}

#[test]
fn a_stored_sketch_of_another_length_is_refused() {
    let bytes = Sketch::default().to_bytes();
    assert_eq!(bytes.len(), STATE_BYTES);
    for wrong in [&[], &bytes[1..], &[bytes.as_slice(), &[0]].concat()] {
        assert_eq!(Sketch::from_bytes(wrong), None);
    }
}

#[test]
fn symbols_behind_the_kept_ones_follow_on() {
    let ids = random_ids(&mut ChaCha8Rng::seed_from_u64(4), 2_000);
    let kept: Sketch = ids.iter().copied().collect();
    let all = coded_symbols(ids.iter().copied(), 0..5_000);
    assert_eq!(kept.symbols(), &all[..KEPT_SYMBOLS]);
    assert_eq!(coded_symbols(ids, KEPT_SYMBOLS..5_000), &all[KEPT_SYMBOLS..]);
    assert_eq!(
        kept.run(2_000..9_000),
        Run { size: 2_000, first: 2_000, symbols: all[2_000..2_048].to_vec() }
    );
    assert_eq!(kept.run(9_000..9_010).symbols, []);
    assert_eq!(coded_symbols([], usize::MAX - 1..usize::MAX), []);
    assert_eq!(coded_symbols([], 0..usize::MAX).len(), SYMBOLS_MAX);
}

/// How an exchange went: symbols sent at first, and runs that it took.
fn exchange(sets: &Sets) -> (usize, usize) {
    let sketch = |only: &[EntryId]| sets.shared.iter().chain(only).copied().collect::<Sketch>();
    let (theirs, ours) = (sketch(&sets.theirs), sketch(&sets.ours));
    let counts = Counts::decode(&ours.counts().encode()).expect("they are ours");
    let length = symbols_for(theirs.estimate(&counts));
    let mut decoder = Decoder::new(ours.symbols());
    let mut asked = 0..length;
    for runs in 1.. {
        let run = Run::decode(&theirs.run(asked).encode()).expect("it is ours");
        match decoder.receive(&run) {
            Progress::NeedMore(next) => decoder = next,
            Progress::Decoded(difference) => {
                assert_eq!(difference, sets.difference());
                return (length, runs);
            }
            Progress::Hopeless => panic!("it does not decode"),
        }
        asked = decoder.received()..decoder.received() + decoder.more();
    }
    unreachable!("it decodes or runs out of symbols");
}

#[test]
fn counts_tell_how_many_symbols_to_send() {
    for (differences, most) in [(0, 20), (1, 20), (10, 60), (100, 300), (1_000, 2_000)] {
        let seeds = 20;
        let mut again = 0;
        for seed in 0..seeds {
            let (length, runs) = exchange(&Sets::new(seed, 2_000, differences));
            assert!(length <= most, "{differences}: {length}");
            assert!(runs <= 3, "{differences}: {runs} runs");
            again += usize::from(runs > 1);
        }
        assert!(again <= seeds as usize / 3, "{differences}: {again} took a second run");
    }
}

#[test]
fn arbitrary_bytes_are_read_within_their_length() {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let sketch: Sketch = random_ids(&mut random, 300).into_iter().collect();
    let good = sketch.run(10..40).encode();
    for _ in 0..5_000 {
        let mut bytes = vec![0; random.next_u32() as usize % 200];
        random.fill_bytes(&mut bytes);
        let mut changed = good.clone();
        let at = random.next_u32() as usize % changed.len();
        changed[at] ^= 1 << (random.next_u32() % 8);
        for bytes in [&bytes, &changed, &good[..at].to_vec()] {
            if let Ok(run) = Run::decode(bytes) {
                assert!(run.symbols.len() * SYMBOL_BYTES_MIN <= bytes.len());
                assert_eq!(&run.encode(), bytes, "one run, one byte string");
            }
            if let Ok(counts) = Counts::decode(bytes) {
                assert_eq!(&counts.encode(), bytes);
                assert!(symbols_for(sketch.estimate(&counts)) <= SYMBOLS_MAX);
            }
        }
        assert_eq!(Run::decode(&good[..at]), Err(Malformed));
    }
}

#[test]
fn odd_runs_are_refused() {
    let symbols = vec![CodedSymbol::default(); 2];
    let good = Run { size: 0, first: 0, symbols: symbols.clone() }.encode();
    assert_eq!(good.len(), 3 + 2 * SYMBOL_BYTES_MIN);
    assert!(Run::decode(&good).is_ok());
    let beyond = Run { size: 0, first: SYMBOLS_MAX - 1, symbols: symbols.clone() };
    assert_eq!(Run::decode(&beyond.encode()), Err(Malformed));
    let last = Run { size: u64::MAX, first: SYMBOLS_MAX - 2, symbols };
    assert_eq!(Run::decode(&last.encode()), Ok(last));
    // A length of 16,384 without symbols, one byte more, a size of 0 in two bytes.
    for bytes in [&[0, 0, 0x80, 0x80, 1][..], &[good.as_slice(), &[0]].concat(), &[0x80, 0, 0, 0]] {
        assert_eq!(Run::decode(bytes), Err(Malformed), "{bytes:?}");
    }
}

#[test]
fn counts_that_are_no_sets_are_an_estimate_of_something() {
    for count in [i64::MIN, i64::MAX, -1, 0] {
        let mut bytes = vec![];
        wire::put_varint(&mut bytes, 5);
        for index in 0..COUNTS {
            wire::put_count(&mut bytes, 5, index, count);
        }
        let counts = Counts::decode(&bytes).expect("they are well formed");
        assert!(symbols_for(Sketch::default().estimate(&counts)) <= SYMBOLS_MAX);
    }
    assert_eq!(Sketch::default().estimate(&Sketch::default().counts()), 0);
}
