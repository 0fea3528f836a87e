//! What it costs to find the difference of two sets of entry ids: our sketch, the
//! range-based protocol negentropy, and a Bloom summary of 10 bits an id.
//!
//! All three begin with what a store keeps and end when one side knows the difference
//! and has told the other side which ids. Entries do not travel.

use std::collections::BTreeSet;

use negentropy::{Id, Negentropy, NegentropyStorageVector};
use node_model::EntryId;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use sync_engine_core::sketch::{
    Counts, Decoder, Progress, Run, Shard, ShortId, Sketch, symbols_for,
};

use crate::cost::{Meter, cpu_seconds, rounded};

/// Ids in each set, and how many differ, half of them on each side.
const CASES: [(usize, usize); 3] = [(1_000_000, 1_000), (1_000_000, 10), (100_000, 1)];

/// More than one sketch decodes, and the bits of the shards that nodes would begin with.
const SHARDED: (usize, usize, u8) = (1_000_000, 10_000, 6);

/// How often what takes milliseconds is done: the processor's time comes in ticks of 10 ms.
const REPEATS: u32 = 1_000;

/// The sets of both sides.
struct Sets {
    asker: Vec<EntryId>,
    holder: Vec<EntryId>,
    differences: usize,
}

impl Sets {
    fn new(seed: u64, ids: usize, differences: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut id = || {
            let mut bytes = [0; 32];
            random.fill_bytes(&mut bytes);
            EntryId(bytes)
        };
        let shared: Vec<EntryId> = (0..ids).map(|_| id()).collect();
        let mut with = |more: usize| {
            let only = (0..more).map(|_| id());
            shared.iter().copied().chain(only).collect::<Vec<_>>()
        };
        let (asker, holder) = (with(differences / 2), with(differences.div_ceil(2)));
        Self { asker, holder, differences }
    }
}

/// What an exchange took. The last round trip names ids, 16 or 32 bytes each.
#[derive(Clone, Copy, Default)]
struct Exchange {
    bytes: usize,
    round_trips: usize,
    found: usize,
}

/// Measures all cases: of each a name and its numbers.
#[must_use]
pub fn measure(seed: u64) -> Vec<(String, Value)> {
    let mut results = Vec::new();
    for (ids, differences) in CASES {
        let sets = Sets::new(seed, ids, differences);
        for (how, result) in
            [("sketch", sketch(&sets)), ("negentropy", range_based(&sets)), ("bloom", bloom(&sets))]
        {
            results.push((format!("sets-{ids}-{differences}-{how}"), result));
        }
    }
    let (ids, differences, bits) = SHARDED;
    let sets = Sets::new(seed, ids, differences);
    for (how, result) in [("shards", shards(&sets, bits)), ("negentropy", range_based(&sets))] {
        results.push((format!("sets-{ids}-{differences}-{how}"), result));
    }
    results
}

/// One sketch after the other, each made when it is asked for, from ids that are sorted as in
/// a store.
fn shards(sets: &Sets, bits: u8) -> Value {
    let meter = Meter::start();
    let [asker, holder] = [&sets.asker, &sets.holder].map(|ids| {
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted
    });
    let built = meter.seconds();
    let before = cpu_seconds();
    let mut done = Exchange::default();
    for shard in Shard::all(bits) {
        let sketch = |ids: &[EntryId]| {
            let first = ids.partition_point(|id| *id < shard.first());
            let end = ids.partition_point(|id| *id <= shard.last());
            ids[first..end].iter().copied().collect::<Sketch>()
        };
        let one = sketches(&sketch(&asker), &sketch(&holder));
        done.bytes += one.bytes;
        // The ids of all shards are named at the end, together.
        done.round_trips += one.round_trips - 1;
        done.found += one.found;
    }
    done.round_trips += 1;
    result(done, cpu_seconds() - before, built, sets)
}

fn result(exchange: Exchange, cpu_seconds: f64, built_seconds: f64, sets: &Sets) -> Value {
    json!({
        "bytes": exchange.bytes,
        "round_trips": exchange.round_trips,
        "found": exchange.found,
        "differences": sets.differences,
        "cpu_ms": rounded(cpu_seconds * 1_000.0),
        "built_seconds": rounded(built_seconds),
    })
}

fn sketch(sets: &Sets) -> Value {
    let meter = Meter::start();
    let [asker, holder] =
        [&sets.asker, &sets.holder].map(|ids| ids.iter().copied().collect::<Sketch>());
    let built = meter.seconds();
    let before = cpu_seconds();
    let exchanges: Vec<Exchange> = (0..REPEATS).map(|_| sketches(&asker, &holder)).collect();
    let cpu = (cpu_seconds() - before) / f64::from(REPEATS);
    result(exchanges[0], cpu, built, sets)
}

fn sketches(asker: &Sketch, holder: &Sketch) -> Exchange {
    let mut done = Exchange::default();
    let asked = asker.counts().encode();
    done.bytes += asked.len();
    let counts = Counts::decode(&asked).expect("they are ours");
    let mut range = 0..symbols_for(holder.estimate(&counts));
    let mut decoder = Decoder::new(asker.symbols());
    loop {
        let answer = holder.run(range).encode();
        done.bytes += answer.len();
        done.round_trips += 1;
        match decoder.receive(&Run::decode(&answer).expect("it is ours")) {
            Progress::NeedMore(more) => decoder = more,
            Progress::Decoded(difference) => {
                done.found = difference.theirs.len() + difference.ours.len();
                done.bytes += done.found * size_of::<ShortId>();
                done.round_trips += 1;
                return done;
            }
            Progress::Hopeless => panic!("our sketches decode"),
        }
        range = decoder.received()..decoder.received() + decoder.more();
    }
}

fn range_based(sets: &Sets) -> Value {
    let meter = Meter::start();
    let [asker, holder] = [&sets.asker, &sets.holder].map(|ids| {
        let mut storage = NegentropyStorageVector::with_capacity(ids.len());
        for id in ids {
            // Entries have no time that both sides agree on.
            storage.insert(0, Id::from_byte_array(id.0)).expect("it is not sealed");
        }
        storage.seal().expect("ids are distinct");
        storage
    });
    let built = meter.seconds();
    let before = cpu_seconds();
    let exchange = ranges(&asker, &holder);
    result(exchange, cpu_seconds() - before, built, sets)
}

fn ranges(asker: &NegentropyStorageVector, holder: &NegentropyStorageVector) -> Exchange {
    let mut done = Exchange::default();
    // Zero: frames of any size, which takes the fewest round trips.
    let mut asker = Negentropy::borrowed(asker, 0).expect("it is sealed");
    let mut holder = Negentropy::borrowed(holder, 0).expect("it is sealed");
    let (mut have, mut need) = (vec![], vec![]);
    let mut next = Some(asker.initiate().expect("it begins"));
    while let Some(asked) = next {
        let answer = holder.reconcile(&asked).expect("it is ours");
        done.bytes += asked.len() + answer.len();
        done.round_trips += 1;
        next = asker.reconcile_with_ids(&answer, &mut have, &mut need).expect("it is ours");
    }
    done.found = have.len() + need.len();
    done.bytes += done.found * 32;
    done.round_trips += 1;
    done
}

/// A summary with 10 bits and 7 hashes an id, which lets 1 % through.
struct Bloom(Vec<u64>);

impl Bloom {
    fn new(ids: &[EntryId]) -> Self {
        let mut bloom = Self(vec![0; (ids.len() * 10).div_ceil(64)]);
        for id in ids {
            for bit in bloom.bits(*id) {
                bloom.0[bit / 64] |= 1 << (bit % 64);
            }
        }
        bloom
    }

    /// An id is a hash already: two words of it make all seven.
    fn bits(&self, id: EntryId) -> [usize; 7] {
        let word = |at: usize| {
            u64::from_le_bytes(id.0[at..at + 8].try_into().expect("an id has 32 bytes"))
        };
        let count = self.0.len() as u64 * 64;
        [0, 1, 2, 3, 4, 5, 6]
            .map(|hash| (word(0).wrapping_add(word(8).wrapping_mul(hash)) % count) as usize)
    }

    fn holds(&self, id: EntryId) -> bool {
        self.bits(id).into_iter().all(|bit| self.0[bit / 64] & (1 << (bit % 64)) != 0)
    }
}

fn bloom(sets: &Sets) -> Value {
    let meter = Meter::start();
    let summaries = [Bloom::new(&sets.asker), Bloom::new(&sets.holder)];
    let built = meter.seconds();
    let before = cpu_seconds();
    let missing = |ids: &[EntryId], summary: &Bloom| {
        ids.iter().copied().filter(|id| !summary.holds(*id)).collect::<BTreeSet<_>>().len()
    };
    let found = missing(&sets.asker, &summaries[1]) + missing(&sets.holder, &summaries[0]);
    let cpu = cpu_seconds() - before;
    let bytes = summaries.iter().map(|summary| summary.0.len() * 8).sum::<usize>() + found * 32;
    result(Exchange { bytes, round_trips: 2, found }, cpu, built, sets)
}
