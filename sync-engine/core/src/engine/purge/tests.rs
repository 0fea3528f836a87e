use node_model::{Epoch, Timestamp};
use serde_json::json;

use super::*;
use crate::{
    Writer,
    document::Meta,
    engine::testing::{DOCUMENT, Node, SPACE},
};

const OTHER: DocumentId = DocumentId([7; 16]);

impl Node {
    fn purge(&mut self, documents: &[DocumentId]) -> Purged {
        let documents = documents.iter().copied().collect();
        self.engine.purge(SPACE, &documents, StoreEpoch([9; 16])).expect("memory")
    }

    fn fill_other(&mut self) -> Result<(), EngineError> {
        let Self { engine, signer, entropy } = self;
        let mut writer = Writer { signer, entropy, now: Timestamp(5_000) };
        let (meta, value) = (Meta::default(), json!({"text": "stays"}));
        let written = engine.write_document(&mut writer, SPACE, OTHER, &meta, &value);
        engine.flush().result(SPACE).expect("memory");
        written
    }

    fn try_to_fill(&mut self) -> Result<(), EngineError> {
        let Self { engine, signer, entropy } = self;
        let mut writer = Writer { signer, entropy, now: Timestamp(5_000) };
        let (meta, value) = (Meta::default(), json!({"text": "again"}));
        let written = engine.write_document(&mut writer, SPACE, DOCUMENT, &meta, &value);
        engine.flush().result(SPACE).expect("memory");
        written
    }
}

#[test]
fn a_purged_document_is_gone_with_its_history_and_cannot_be_begun_again() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    ada.add(40);
    ada.compact(false).expect("it is worth it");
    ada.fill_other().expect("writes");
    assert_eq!(ada.engine.documents(SPACE).expect("memory").len(), 2);
    while ada.engine.poll_output().is_some() {}

    let purged = ada.purge(&[DOCUMENT]);
    assert_eq!(purged.entries, 41 + 1, "the bundle and what it stands for");
    let told: Vec<Output> = std::iter::from_fn(|| ada.engine.poll_output()).collect();
    let documents = BTreeSet::from([DOCUMENT]);
    assert_eq!(told, [Output::Changed { space: SPACE, documents }]);
    assert_eq!(ada.engine.documents(SPACE).expect("memory").keys().collect::<Vec<_>>(), [&OTHER]);
    let gone = ada.engine.document(SPACE, DOCUMENT).err();
    assert!(matches!(gone, Some(EngineError::NoSuchDocument)), "{gone:?}");
    assert!(ada.engine.next_superseded(SPACE, None).expect("memory").is_none());
    assert!(matches!(ada.try_to_fill(), Err(EngineError::Purged(_))));
    ada.use_epoch(Epoch(2));
    assert!(matches!(ada.try_to_fill(), Err(EngineError::Purged(_))), "with other keys, too");
    ada.fill_other().expect("others are written to");
    assert_eq!(ada.engine.tips(SPACE).expect("memory").len(), 1);

    assert_eq!(ada.purge(&[DOCUMENT]), Purged::default(), "nothing is left");
    // Whoever purged it had no right to: what is still elsewhere may come back.
    ada.purge(&[]);
    ada.try_to_fill().expect("writes");
}

#[test]
fn numbers_of_purged_entries_are_not_used_again() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    ada.add(3);
    let tip = ada.engine.tips(SPACE).expect("memory")[&ada.signer.device()];
    ada.purge(&[DOCUMENT]);
    ada.fill_other().expect("writes");
    let next = ada.engine.tips(SPACE).expect("memory")[&ada.signer.device()];
    assert_eq!(next.sequence, tip.sequence + 1);
}

#[test]
fn blobs_that_nothing_else_names_are_told() {
    let mut ada = Node::new(1, &[]);
    let (own, shared) = (node_model::BlobId([5; 32]), node_model::BlobId([6; 32]));
    let naming = |blobs: &[node_model::BlobId]| {
        let blobs = blobs.iter().map(|blob| json!({"blob": blob.to_string()}));
        json!({"blobs": blobs.collect::<Vec<_>>()})
    };
    ada.fill(&naming(&[own, shared]));
    ada.write(|engine, writer| {
        let (meta, value) = (Meta::default(), naming(&[shared]));
        engine.write_document(writer, SPACE, OTHER, &meta, &value).expect("it is small");
    });
    while ada.engine.poll_output().is_some() {}
    ada.purge(&[DOCUMENT]);
    let blobs = BTreeSet::from([own]);
    assert_eq!(ada.engine.poll_output(), Some(Output::Unreferenced { space: SPACE, blobs }));
}
