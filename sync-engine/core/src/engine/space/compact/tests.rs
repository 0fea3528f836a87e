use node_model::{Epoch, SpaceId, Timestamp, seal::SealKey, sign::Signer};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};

use super::*;
use crate::{
    SyncEngine,
    document::Meta,
    json::Pointer,
    store::{Batch, EntryStore, MemoryStore, StoreEpoch},
};

const SPACE: SpaceId = SpaceId([1; 32]);
const DOCUMENT: DocumentId = DocumentId([2; 16]);

struct Node {
    engine: SyncEngine,
    signer: Signer,
    entropy: ChaCha8Rng,
}

impl Node {
    fn new(number: u8) -> Self {
        Self::with(number, [number; 16], &[])
    }

    fn with(number: u8, run: [u8; 16], entries: &[VerifiedEntry]) -> Self {
        let signer = Signer::from_secret(&[number; 32]);
        let mut store = MemoryStore::new(StoreEpoch([number; 16]));
        let batch = Batch { entries: entries.to_vec(), ..Batch::default() };
        store.append(&[batch]).expect("memory");
        let mut engine = SyncEngine::new(signer.device(), run);
        engine.open_space(SPACE, Box::new(store)).expect("memory");
        let mut node = Self { engine, signer, entropy: ChaCha8Rng::seed_from_u64(number.into()) };
        node.use_epoch(1);
        node
    }

    fn use_epoch(&mut self, number: u8) {
        let key = SealKey::from_bytes([number; 32]);
        let epoch = Epoch(number.into());
        self.engine.use_epoch(SPACE, epoch, key.clone());
        self.engine.write_with(SPACE, Some((epoch, key)));
    }

    fn write<T>(&mut self, write: impl FnOnce(&mut SyncEngine, &mut Writer<'_>) -> T) -> T {
        let Self { engine, signer, entropy } = self;
        let written = write(engine, &mut Writer { signer, entropy, now: Timestamp(5_000) });
        engine.flush().result(SPACE).expect("memory");
        written
    }

    fn fill(&mut self) {
        let meta = Meta { kind: "note".into(), path: None, source: None };
        self.write(|engine, writer| {
            engine.write_document(writer, SPACE, DOCUMENT, &meta, &json!({"list": []}))
        })
        .expect("it is small");
    }

    fn add(&mut self, count: usize) {
        let pointer = Pointer::parse("/list/-").expect("a pointer");
        for number in 0..count {
            let value = json!(number);
            self.write(|engine, writer| engine.set(writer, SPACE, DOCUMENT, (&pointer, &value)))
                .expect("it is there");
        }
    }

    fn compact(&mut self, one_epoch: bool) -> Option<Compacted> {
        self.write(|engine, writer| engine.compact(writer, SPACE, DOCUMENT, one_epoch))
            .expect("it is there")
    }

    fn entries(&self) -> Vec<VerifiedEntry> {
        let all = self.engine.stored(SPACE, DOCUMENT).expect("reads").into_iter();
        all.map(|bytes| VerifiedEntry::read(bytes).expect("ours")).collect()
    }

    fn take(&mut self, entries: Vec<VerifiedEntry>) {
        let results = entries.into_iter().map(Ok).collect();
        self.engine.on_carried(SPACE, results, &mut |_| true).expect("memory");
        self.engine.flush().result(SPACE).expect("memory");
    }

    fn value(&mut self) -> Value {
        self.engine.document(SPACE, DOCUMENT).expect("it is there").value()
    }
}

#[test]
fn what_one_wrote_becomes_one_entry_and_reads_the_same() {
    let mut ada = Node::new(1);
    ada.fill();
    ada.add(40);
    let singles = ada.entries();
    assert_eq!(ada.engine.take_written(), [(SPACE, DOCUMENT, 41)]);
    let compacted = ada.compact(false).expect("it is worth it");
    assert_eq!((compacted.entries, compacted.changes), (41, 41));
    assert!(compacted.bundle_bytes * 8 < compacted.entry_bytes, "{compacted:?}");
    assert_eq!(ada.engine.head(SPACE).map(|head| (head.entries, head.arrivals)), Some((1, 42)));
    assert_eq!(ada.compact(false), None, "there is nothing more to do");
    assert!(ada.engine.take_written().is_empty(), "a bundle is no change");
    let value = ada.value();

    // Whoever had them all, whoever had some, and whoever had none.
    let bundle = ada.entries();
    for had in [41, 17, 0] {
        let mut ben = Node::with(2, [2; 16], &singles[..had]);
        ben.take(bundle.clone());
        assert_eq!(ben.value(), value, "{had}");
        assert_eq!(ben.engine.head(SPACE).map(|head| head.entries), Some(1));
        ben.add(1);
        ada.take(ben.entries());
        assert_eq!(ada.value(), ben.value());
    }
}

#[test]
fn bundles_grow_and_stay_few() {
    let mut ada = Node::new(1);
    ada.fill();
    let mut written = 0;
    for _ in 0..60 {
        ada.add(16);
        written += ada.compact(false).map_or(0, |compacted| compacted.entries);
        assert!(ada.entries().len() <= 3);
    }
    assert!(written < 60 * 19, "{written} entries were bundled for 960 changes");
    assert_eq!(ada.entries().len(), 1, "a small document is one bundle");
    let mut ben = Node::with(2, [2; 16], &ada.entries());
    assert_eq!(ben.value(), ada.value());
}

#[test]
fn only_what_one_wrote_oneself_is_bundled() {
    let (mut ada, mut ben) = (Node::new(1), Node::new(2));
    ada.fill();
    ben.take(ada.entries());
    for _ in 0..10 {
        ada.add(2);
        ben.take(ada.entries());
        ben.add(2);
        ada.take(ben.entries());
    }
    let before = ada.entries().len();
    assert_eq!(ada.compact(false).map(|compacted| compacted.entries), Some(21));
    assert_eq!(ada.entries().len(), before - 20);
    ben.take(ada.entries());
    assert_eq!(ben.compact(false).map(|compacted| compacted.entries), Some(20));
    ada.take(ben.entries());
    let heads = [&ada, &ben].map(|node| node.engine.head(SPACE).expect("open").digest);
    assert_eq!(heads[0], heads[1]);
    let mut cyd = Node::with(3, [3; 16], &ada.entries());
    assert_eq!(ada.entries().len(), 2);
    assert_eq!([cyd.value(), ben.value()], [ada.value(), ada.value()]);
}

#[test]
fn a_device_that_was_set_back_loses_nothing_to_its_bundles() {
    let mut ada = Node::new(1);
    ada.fill();
    let backup = ada.entries();
    ada.add(5);
    let lost = ada.entries();
    // It numbers its entries anew, like those that it lost.
    let mut again = Node::with(1, [9; 16], &backup);
    again.add(7);
    again.compact(false).expect("it is worth it");
    let mut ben = Node::with(2, [2; 16], &lost);
    ben.take(again.entries());
    assert_eq!(ben.engine.head(SPACE).map(|head| head.entries), Some(1 + 5));
    again.take(ben.entries());
    assert_eq!(again.value(), ben.value());
    assert_eq!(again.value()["list"].as_array().map(Vec::len), Some(12));
}

#[test]
fn a_history_that_newcomers_may_not_read_is_bundled_by_key() {
    let mut ada = Node::new(1);
    ada.fill();
    ada.add(5);
    ada.use_epoch(2);
    ada.add(5);
    assert_eq!(ada.compact(true).map(|compacted| compacted.entries), Some(5));
    let of_bundles = |entry: &VerifiedEntry| {
        (entry.header().kind == EntryKind::Bundle).then_some(entry.header().epoch)
    };
    let epochs: Vec<Epoch> = ada.entries().iter().filter_map(of_bundles).collect();
    assert_eq!(epochs, [Epoch(2)]);
    assert_eq!(ada.entries().len(), 7, "six of the first epoch and the bundle");
}

#[test]
fn what_a_lying_bundle_left_out_is_found_where_it_was_kept() {
    let mut ada = Node::new(1);
    ada.fill();
    ada.add(6);
    let singles = ada.entries();
    let value = ada.value();
    // It stands for all, and holds all but one.
    let some: Vec<VerifiedEntry> = singles[..3].to_vec();
    let numbers = singles.iter().map(|entry| (entry.header().run, entry.header().sequence));
    let covers = Covers::of(&numbers.collect()).expect("few");
    let mut liar = Node::with(1, [1; 16], &some);
    let ids = some.iter().map(VerifiedEntry::id).collect();
    let bundled = liar.engine.document(SPACE, DOCUMENT).expect("there").bundle(&ids).expect("some");
    let draft = Draft {
        space: SPACE,
        document: DOCUMENT,
        kind: EntryKind::Bundle,
        run: singles[0].header().run,
        sequence: 7,
        prev: None,
        deps: vec![],
        covers,
        blobs: vec![],
    };
    let key = SealKey::from_bytes([1; 32]);
    let lie = draft
        .seal(&mut liar.entropy, &liar.signer, (Epoch(1), &key), &bundled.body)
        .expect("small");
    let mut ben = Node::with(2, [2; 16], &singles);
    ben.add(1);
    let with_own = ben.value();
    ben.take(vec![lie]);
    let stored = ben.entries();
    assert_eq!(stored.len(), 2);
    // Loaded anew, with the superseded ones.
    ben.use_epoch(3);
    assert_eq!(ben.value(), with_own);
    assert_ne!(with_own, value);
}
