//! A node of a space, as several tests need it.

use node_model::{DocumentId, Epoch, SpaceId, Timestamp, seal::SealKey, sign::Signer};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};

use super::{Compacted, SyncEngine, Writer};
use crate::{
    document::Meta,
    entry::{
        Draft, EntryKind, VerifiedEntry,
        covers::{Covers, Run},
    },
    json::Pointer,
    store::{Batch, EntryStore, MemoryStore, StoreEpoch},
};

pub(super) const SPACE: SpaceId = SpaceId([1; 32]);
pub(super) const DOCUMENT: DocumentId = DocumentId([2; 16]);

/// A node with what its store holds from others.
pub(super) struct Node {
    pub(super) engine: SyncEngine,
    pub(super) signer: Signer,
    pub(super) entropy: ChaCha8Rng,
}

impl Node {
    pub(super) fn new(number: u8, stored: &[VerifiedEntry]) -> Self {
        Self::in_run(number, [number; 16], stored)
    }

    pub(super) fn in_run(number: u8, run: [u8; 16], stored: &[VerifiedEntry]) -> Self {
        let signer = Signer::from_secret(&[number; 32]);
        let mut store = MemoryStore::new(StoreEpoch([number; 16]));
        let batch = Batch { entries: stored.to_vec(), ..Batch::default() };
        store.append(&[batch]).expect("memory");
        let mut engine = SyncEngine::new(signer.device(), run);
        engine.open_space(SPACE, Box::new(store)).expect("memory");
        let mut node = Self { engine, signer, entropy: ChaCha8Rng::seed_from_u64(number.into()) };
        node.use_epoch(Epoch::FIRST);
        node
    }

    /// Everybody has the same key of an epoch.
    pub(super) fn use_epoch(&mut self, epoch: Epoch) {
        let key = key_of(epoch);
        self.engine.use_epoch(SPACE, epoch, key.clone());
        self.engine.write_with(SPACE, Some((epoch, key)));
    }

    pub(super) fn write<T>(
        &mut self,
        write: impl FnOnce(&mut SyncEngine, &mut Writer<'_>) -> T,
    ) -> T {
        let Self { engine, signer, entropy } = self;
        let written = write(engine, &mut Writer { signer, entropy, now: Timestamp(5_000) });
        engine.flush().result(SPACE).expect("memory");
        written
    }

    pub(super) fn stored(&self) -> Vec<VerifiedEntry> {
        let documents = self.engine.documents_with_removed(SPACE).expect("the space");
        let stored = |id| self.engine.stored(SPACE, id).expect("the document");
        let all = documents.into_iter().flat_map(stored);
        all.map(|bytes| VerifiedEntry::read(bytes).expect("an entry")).collect()
    }

    pub(super) fn fill(&mut self, value: &Value) {
        let meta = Meta { kind: "note".into(), app: None, path: None, source: None };
        self.write(|engine, writer| {
            engine.write_document(writer, SPACE, DOCUMENT, &meta, value).expect("it is small");
        });
    }

    pub(super) fn set(&mut self, path: &str, value: &Value) {
        let pointer = Pointer::parse(path).expect("a pointer");
        self.write(|engine, writer| {
            engine.set(writer, SPACE, DOCUMENT, (&pointer, value)).expect("it is there");
        });
    }

    pub(super) fn begin(&mut self) {
        self.fill(&json!({"list": []}));
    }

    pub(super) fn add(&mut self, count: usize) {
        (0..count).for_each(|number| self.set("/list/-", &json!(number)));
    }

    pub(super) fn compact(&mut self, one_epoch: bool) -> Option<Compacted> {
        let order = self.engine.bundle_order(SPACE, DOCUMENT, one_epoch).expect("it is there");
        let made = order?.make();
        self.write(|engine, writer| engine.take_bundle(writer, made)).expect("it is there")
    }

    pub(super) fn take(&mut self, entries: Vec<VerifiedEntry>) {
        let results = entries.into_iter().map(Ok).collect();
        self.engine.on_carried(SPACE, results, &mut |_| true).expect("memory");
        self.engine.flush().result(SPACE).expect("memory");
    }

    pub(super) fn value(&mut self) -> Value {
        self.engine.document(SPACE, DOCUMENT).expect("the document").value()
    }
}

pub(super) fn key_of(epoch: Epoch) -> SealKey {
    SealKey::from_bytes([epoch.0.to_le_bytes()[0]; 32])
}

/// The first entry of somebody whose change is whatever they want.
pub(super) fn forged(change: &[u8]) -> VerifiedEntry {
    let mut mallory = Node::new(9, &[]);
    let draft = Draft {
        space: SPACE,
        document: DOCUMENT,
        kind: EntryKind::Change,
        run: Run([9; 8]),
        sequence: 0,
        prev: None,
        deps: vec![],
        covers: Covers::default(),
        blobs: vec![],
    };
    let key = (Epoch::FIRST, &key_of(Epoch::FIRST));
    draft.seal(&mut mallory.entropy, &mallory.signer, key, change).expect("it fits into an entry")
}

/// A bundle by node 1 that stands for all of its `singles`, and holds the first `count`.
pub(super) fn lying_bundle(singles: &[VerifiedEntry], count: usize) -> VerifiedEntry {
    let numbers = singles.iter().map(|entry| (entry.header().run, entry.header().sequence));
    let covers = Covers::of(&numbers.collect()).expect("few");
    let mut liar = Node::new(1, &singles[..count]);
    let ids = singles[..count].iter().map(VerifiedEntry::id).collect();
    let bundled = liar
        .engine
        .document(SPACE, DOCUMENT)
        .expect("there")
        .bundle(&ids, vec![])
        .run()
        .expect("some");
    let draft = Draft {
        space: SPACE,
        document: DOCUMENT,
        kind: EntryKind::Bundle,
        run: singles[0].header().run,
        sequence: singles.len() as u64,
        prev: None,
        deps: vec![],
        covers,
        blobs: vec![],
    };
    let key = (Epoch::FIRST, &key_of(Epoch::FIRST));
    draft.seal(&mut liar.entropy, &liar.signer, key, &bundled.body).expect("small")
}
