//! What documents held, and who changed them.

use std::collections::BTreeMap;

use node_model::{DeviceId, DocumentId, EntryId, SpaceId};

use super::{EngineError, SyncEngine};
use crate::{
    document::{At, ChangeName, HistoryPage, Meta, PastValue},
    entry::VerifiedEntry,
    store::StoreError,
};

impl SyncEngine {
    /// A part of a document's history, newest first, also of a removed one: at most
    /// `limit` changes, from the one before `before` on, or from the newest.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn history(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        before: Option<&ChangeName>,
        limit: usize,
    ) -> Result<HistoryPage, EngineError> {
        Ok(self.space_mut(space)?.document(document)?.history(before, limit)?)
    }

    /// Whose devices signed the entries of a page. One that is missing is in no store yet:
    /// it was written here.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn writers(
        &self,
        space: SpaceId,
        page: &HistoryPage,
    ) -> Result<BTreeMap<EntryId, DeviceId>, EngineError> {
        let store = &self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?.store;
        let mut writers = BTreeMap::new();
        for item in &page.items {
            if writers.contains_key(&item.entry) {
                continue;
            }
            if let Some(bytes) = store.entry(item.entry)? {
                let entry = VerifiedEntry::from_storage(bytes);
                let entry = entry.map_err(|error| StoreError::Damaged(error.to_string()))?;
                writers.insert(item.entry, entry.header().author);
            }
        }
        Ok(writers)
    }

    /// The entry that carries a change of a document.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn carrier(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        change: &ChangeName,
    ) -> Result<EntryId, EngineError> {
        Ok(self.space_mut(space)?.document(document)?.carrier(change)?)
    }

    /// What a document held, and what Kith notes about it now; also of a removed one.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn value_at(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        at: &At,
    ) -> Result<(PastValue, Meta), EngineError> {
        let document = self.space_mut(space)?.document(document)?;
        Ok((document.value_at(at)?, document.meta()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        document::DocumentError,
        engine::testing::{DOCUMENT, Node, SPACE},
        patch::PatchOp,
    };

    impl Node {
        fn count(&mut self, by: i64) {
            let operations = [PatchOp::Increment { path: "/n".into(), by }];
            self.write(|engine, writer| {
                engine.patch(writer, SPACE, DOCUMENT, &operations).expect("it counts");
            });
        }

        fn history(&mut self) -> HistoryPage {
            self.engine.history(SPACE, DOCUMENT, None, 100).expect("the newest")
        }
    }

    #[test]
    fn two_nodes_count_apart_and_are_named_in_the_history() {
        let mut ada = Node::new(1, &[]);
        ada.fill(&json!({"title": "Practice"}));
        let mut ben = Node::new(2, &ada.stored());
        ada.count(2);
        ben.count(3);
        let all = [ada.stored(), ben.stored()].concat();
        let mut cyd = Node::new(3, &all);
        assert_eq!(cyd.value(), json!({"title": "Practice", "n": 5}));
        let page = cyd.history();
        let writers = cyd.engine.writers(SPACE, &page).expect("the space");
        let writers: Vec<_> = page.items.iter().map(|item| writers[&item.entry]).collect();
        let [of_ada, of_ben] = [&ada, &ben].map(|node| node.signer.device());
        // The newest two are what was added; the last one made the counter.
        assert_eq!(page.total, 4);
        assert!(writers[..2].contains(&of_ada) && writers[..2].contains(&of_ben));
        assert_eq!(writers[2], of_ada);
        cyd.count(1);
        assert_eq!(cyd.value()["n"], json!(6));
    }

    #[test]
    fn what_is_restored_travels_as_an_entry() {
        let mut ada = Node::new(1, &[]);
        ada.fill(&json!({"n": 1}));
        let first = ada.history().items[0].change.parse::<At>().expect("a change");
        ada.set("n", &json!(2));
        ada.write(|engine, writer| engine.restore(writer, SPACE, DOCUMENT, &first))
            .expect("it is there");
        let mut ben = Node::new(2, &ada.stored());
        assert_eq!((ben.value(), ben.history().total), (json!({"n": 1}), 3));
        let unknown = "ffffffffffff".parse().expect("a change");
        let failed = ada.write(|engine, writer| engine.restore(writer, SPACE, DOCUMENT, &unknown));
        assert!(matches!(failed, Err(EngineError::Document(DocumentError::NoSuchChange))));
        ada.write(|engine, writer| engine.remove_document(writer, SPACE, DOCUMENT))
            .expect("it is there");
        let failed = ada.write(|engine, writer| engine.restore(writer, SPACE, DOCUMENT, &first));
        assert!(matches!(failed, Err(EngineError::Document(DocumentError::Removed))));
        let (past, _) = ada.engine.value_at(SPACE, DOCUMENT, &first).expect("still readable");
        assert_eq!(past.value, json!({"n": 1}));
    }

    #[test]
    fn a_patch_that_fails_leaves_no_counter() {
        let mut ada = Node::new(1, &[]);
        ada.fill(&json!({"a": 1}));
        let operations = [
            PatchOp::Increment { path: "/n".into(), by: 1 },
            PatchOp::Test { path: "/a".into(), value: json!(2) },
        ];
        let failed = ada.write(|engine, writer| engine.patch(writer, SPACE, DOCUMENT, &operations));
        assert!(failed.is_err());
        assert_eq!((ada.value(), ada.stored().len()), (json!({"a": 1}), 1));
        ada.count(1);
        assert_eq!((ada.value()["n"].clone(), ada.stored().len()), (json!(1), 3));
    }

    /// It carries no time, and builds on nothing.
    #[test]
    fn what_makes_a_counter_stands_before_what_counts_and_not_at_the_beginning() {
        let mut ada = Node::new(1, &[]);
        ada.begin();
        ada.add(3);
        let add = PatchOp::Increment { path: "/n".into(), by: 1 };
        ada.write(|engine, writer| engine.patch(writer, SPACE, DOCUMENT, &[add]))
            .expect("a counter");
        let page = ada.engine.history(SPACE, DOCUMENT, None, 9).expect("the newest");
        let made = page.items.iter().position(|item| item.at.is_none());
        assert_eq!((page.items.len(), made.is_some_and(|made| (1..=2).contains(&made))), (6, true));
    }
}
