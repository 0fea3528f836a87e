//! Getting documents ready to be read, a little at a time.

use std::{cmp::Reverse, collections::BTreeSet};

use node_model::{DocumentId, SpaceId};

use super::{
    EngineError, SyncEngine,
    space::{BYTES_MAX, LoadOrder, LoadedDocument, Space},
};

/// Sealed bytes of a document that takes some ten milliseconds to load.
pub const LARGE_FROM_BYTES: u64 = 64 * 1024;

/// What is left to do until the list of a space's documents is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unlisted {
    /// Documents that were not looked at yet.
    pub waiting: usize,
    /// Those of them that a worker has to load first, as far as they were found.
    pub large: BTreeSet<DocumentId>,
}

impl SyncEngine {
    /// The order to load a document by a worker; `None` when it is loaded, small, not here or
    /// cannot be read. What takes much memory by itself is not kept meanwhile.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn order(
        &mut self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<Option<LoadOrder>, EngineError> {
        let order = self.spaces.get(&space).map_or(Ok(None), |space| space.order(document))?;
        if order.is_some() {
            self.spaces.values_mut().for_each(Space::make_room);
        }
        Ok(order)
    }

    /// Whether there is a [`SyncEngine::order`] to give for a document.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn is_large(&self, space: SpaceId, document: DocumentId) -> Result<bool, EngineError> {
        self.spaces.get(&space).map_or(Ok(false), |space| space.is_large(document))
    }

    /// Takes in what a worker loaded.
    ///
    /// # Errors
    /// [`EngineError`]; whoever reads the document next is told the same.
    pub fn take_loaded(&mut self, loaded: LoadedDocument) -> Result<(), EngineError> {
        let (space, _) = loaded.place();
        self.spaces.get_mut(&space).map_or(Ok(()), |space| space.take_loaded(loaded))
    }

    /// Reads nothing of a document any more: its entries stay and are passed on, and each is
    /// refused ([`LeftAlone`](crate::document::Refusal::LeftAlone)). For whom reading it
    /// stopped; said before anything is read.
    pub fn leave_alone(&mut self, space: SpaceId, document: DocumentId) {
        if let Some(space) = self.spaces.get_mut(&space) {
            space.leave_alone(document);
        }
    }

    /// Forgets loaded documents of the spaces that have the most of them, until those of all
    /// spaces take no more memory than those of one may. The last one used of each space stays.
    pub fn forget_some(&mut self) {
        while self.spaces.values().map(Space::loaded_bytes).sum::<u64>() > BYTES_MAX {
            let mut spaces: Vec<_> = self.spaces.values_mut().collect();
            spaces.sort_by_key(|space| Reverse(space.loaded_bytes()));
            if !spaces.into_iter().any(Space::forget_oldest) {
                return;
            }
        }
    }

    /// Looks at some of the documents that changed since they were listed, but not at large
    /// ones, and says what is left. Afterwards [`SyncEngine::documents`] has less to do.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn list_some(&mut self, space: SpaceId, looks_max: usize) -> Result<Unlisted, EngineError> {
        match self.spaces.get_mut(&space) {
            Some(space) if space.is_readable() => space.list_some(looks_max),
            Some(_) | None => Ok(Unlisted::default()),
        }
    }

    /// Whether anything of a document is here.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn is_stored(&self, space: SpaceId, document: DocumentId) -> Result<bool, EngineError> {
        let Some(space) = self.spaces.get(&space) else { return Ok(false) };
        Ok(space.store.document_bytes(document)? > 0)
    }
}

#[cfg(test)]
mod tests {
    use node_model::Epoch;
    use serde_json::json;

    use super::*;
    use crate::{
        document::{Meta, Refusal, crafted},
        engine::testing::{DOCUMENT, Node, SPACE, forged, key_of},
        json::Pointer,
        store::{MemoryStore, StoreEpoch},
    };

    /// A node that has what another one wrote, did not load it, and calls it large.
    fn reader(writer: &Node) -> Node {
        let mut reader = Node::new(2, &writer.stored());
        reader.engine.space_mut(SPACE).expect("is open").large_from = 1;
        reader
    }

    fn note() -> Meta {
        Meta { kind: "note".into(), app: None, path: None, source: None }
    }

    fn order(node: &mut Node) -> LoadOrder {
        node.engine.order(SPACE, DOCUMENT).expect("memory").expect("it is large")
    }

    fn is_large(node: &Node) -> bool {
        node.engine.is_large(SPACE, DOCUMENT).expect("memory")
    }

    #[test]
    fn what_a_worker_loads_is_what_would_be_loaded_here() {
        let mut ada = Node::new(1, &[]);
        ada.fill(&json!({"list": [], "n": 1}));
        ada.add(3);
        let mut ben = reader(&ada);
        let loaded = order(&mut ben).load();
        assert_eq!(loaded.place(), (SPACE, DOCUMENT));
        ben.engine.take_loaded(loaded).expect("memory");
        assert!(!is_large(&ben), "it is here");
        assert_eq!(ben.value(), ada.value());
    }

    /// Else one entry of some hundred bytes would keep everybody waiting for half a second.
    #[test]
    fn a_few_bytes_that_are_many_operations_are_for_a_worker() {
        let list = crafted::list(1 << 15);
        let entry = forged(&list);
        assert!(entry.bytes().len() < 1_000);
        let mut ben = Node::new(2, &[entry]);
        assert!(is_large(&ben));
        let unlisted = ben.engine.list_some(SPACE, 2).expect("memory");
        assert_eq!(unlisted.large, BTreeSet::from([DOCUMENT]));
        let loaded = order(&mut ben).load();
        ben.engine.take_loaded(loaded).expect("memory");
        assert_eq!(ben.value()["items"].as_array().map(Vec::len), Some(1 << 15));

        let little = crafted::list(100);
        assert!(!is_large(&Node::new(2, &[forged(&little)])));
    }

    /// Else one that waits to be read again would come on top of what loading the next one takes.
    #[test]
    fn what_takes_much_memory_is_not_kept_while_another_one_is_loaded() {
        let heavy = forged(&crafted::list(1 << 17));
        let mut ada = Node::new(1, &[heavy]);
        let light = DocumentId([101; 16]);
        ada.write(|engine, writer| {
            engine.write_document(writer, SPACE, light, &note(), &json!({})).map(drop)
        })
        .expect("it is small");
        let mut ben = reader(&ada);
        let mut load = |document| {
            let order = ben.engine.order(SPACE, document).expect("memory");
            let loaded = order.map(LoadOrder::load);
            let is_ordered = loaded.is_some();
            loaded.into_iter().for_each(|it| ben.engine.take_loaded(it).expect("memory"));
            is_ordered
        };
        assert!(load(DOCUMENT) && !load(DOCUMENT), "it is kept");
        assert!(load(light) && load(DOCUMENT), "it was not");
        assert!(!load(light), "this one was");
    }

    /// Else everybody who shares a space with somebody would take so much memory of theirs.
    #[test]
    fn the_documents_of_all_spaces_share_the_memory_that_one_space_may_use() {
        let other = SpaceId([5; 32]);
        let mut ada = Node::new(1, &[]);
        let store = MemoryStore::new(StoreEpoch([5; 16]));
        ada.engine.open_space(other, Box::new(store)).expect("memory");
        let key = (Epoch::FIRST, key_of(Epoch::FIRST));
        ada.engine.use_epoch(other, key.0, key.1.clone());
        ada.engine.write_with(other, Some(key));
        let places = [(SPACE, 101), (SPACE, 102), (other, 101), (other, 102)]
            .map(|(space, number)| (space, DocumentId([number; 16])));
        for (space, document) in places {
            ada.write(|engine, writer| {
                let value = json!({"zeros": vec![0; 90_000]});
                engine.write_document(writer, space, document, &note(), &value).map(drop)
            })
            .expect("there is room");
        }
        ada.engine.space_mut(SPACE).expect("is open").large_from = 1;
        ada.engine.space_mut(other).expect("is open").large_from = 1;
        ada.engine.forget_some();
        let is_kept = |(space, document)| !ada.engine.is_large(space, document).expect("memory");
        let kept = places.map(is_kept);
        assert_eq!(kept.into_iter().filter(|it| *it).count(), 3, "each takes more than 16 MiB");
        assert!(kept[1] && kept[3], "the last one of each space: {kept:?}");
    }

    /// Else they would stand in the way of the others, and of knowing when these are done.
    #[test]
    fn large_documents_are_passed_over_when_a_space_is_listed() {
        let mut ada = Node::new(1, &[]);
        ada.begin();
        for number in 101..=104 {
            let id = DocumentId([number; 16]);
            ada.write(|engine, writer| {
                engine.write_document(writer, SPACE, id, &note(), &json!({})).map(drop)
            })
            .expect("it is small");
        }
        let mut ben = reader(&ada);
        let found = |ben: &mut Node| ben.engine.list_some(SPACE, 2).expect("memory");
        let large = |unlisted: Unlisted| (unlisted.waiting, unlisted.large.len());
        assert_eq!(large(found(&mut ben)), (5, 2));
        assert_eq!(large(found(&mut ben)), (5, 4));
        assert_eq!(large(found(&mut ben)), (5, 5), "nothing is left but what a worker has to load");
        let loaded = order(&mut ben).load();
        ben.engine.take_loaded(loaded).expect("memory");
        assert_eq!(large(found(&mut ben)), (4, 4));
    }

    #[test]
    fn what_comes_while_a_worker_loads_counts() {
        let mut ada = Node::new(1, &[]);
        ada.begin();
        let mut ben = reader(&ada);
        let loaded = order(&mut ben).load();
        ada.add(2);
        ben.take(ada.stored());
        ben.engine.take_loaded(loaded).expect("memory");
        assert!(!is_large(&ben));
        assert_eq!(ben.value()["list"], json!([0, 1]));
        // Also a removal.
        let mut cyd = reader(&ada);
        let loaded = order(&mut cyd).load();
        ada.write(|engine, writer| engine.remove_document(writer, SPACE, DOCUMENT))
            .expect("is there");
        cyd.take(ada.stored());
        cyd.engine.take_loaded(loaded).expect("memory");
        assert!(!is_large(&cyd) && cyd.engine.document(SPACE, DOCUMENT).is_err());
        assert_eq!(cyd.engine.documents(SPACE).expect("memory").len(), 0);
    }

    #[test]
    fn what_was_loaded_with_fewer_keys_or_too_late_is_dropped() {
        let mut ada = Node::new(1, &[]);
        ada.begin();
        ada.use_epoch(Epoch(2));
        ada.add(1);
        let mut ben = reader(&ada);
        let loaded = order(&mut ben).load();
        ben.use_epoch(Epoch(2));
        ben.engine.take_loaded(loaded).expect("memory");
        assert!(is_large(&ben), "it was read without the new key");
        assert_eq!(ben.value()["list"], json!([0]));

        let mut cyd = reader(&ada);
        cyd.use_epoch(Epoch(2));
        let loaded = order(&mut cyd).load();
        cyd.set("/own", &json!(true));
        cyd.engine.take_loaded(loaded).expect("memory");
        assert_eq!(cyd.value()["own"], true, "what is here has more");
    }

    #[test]
    fn what_is_purged_while_a_worker_loads_does_not_come_back() {
        let mut ada = Node::new(1, &[]);
        ada.begin();
        let mut ben = reader(&ada);
        let loaded = order(&mut ben).load();
        let purged = ben.engine.purge(SPACE, &[DOCUMENT].into(), StoreEpoch([9; 16]));
        assert_eq!(purged.expect("memory").entries, 1);
        ben.engine.take_loaded(loaded).expect("memory");
        assert!(ben.engine.document(SPACE, DOCUMENT).is_err());
    }

    #[test]
    fn a_document_that_is_left_alone_is_refused_and_the_rest_goes_on() {
        let mut ada = Node::new(1, &[]);
        ada.fill(&json!({"list": [], "n": 1}));
        ada.add(3);
        ada.compact(false).expect("worth a bundle");
        ada.set("/n", &json!(2));
        let mut ben = reader(&ada);
        ben.engine.leave_alone(SPACE, DOCUMENT);
        assert!(!is_large(&ben), "nothing of it takes time");
        assert_eq!(ben.value(), json!({}));
        let refused = |ben: &mut Node| {
            let document = ben.engine.document(SPACE, DOCUMENT).expect("is here");
            document.refused().values().copied().collect::<Vec<_>>()
        };
        assert_eq!(refused(&mut ben), [Refusal::LeftAlone; 2]);
        ada.set("/n", &json!(3));
        ben.take(ada.stored());
        assert_eq!(refused(&mut ben), [Refusal::LeftAlone; 3], "what arrives, too");
        let written = ben.write(|engine, writer| {
            let path = Pointer::parse("/n").expect("a path");
            engine.set(writer, SPACE, DOCUMENT, (&path, &json!(4)))
        });
        assert!(written.is_err(), "what nobody sees is not written over");
        assert_eq!(ben.stored().len(), ada.stored().len(), "it is passed on");
    }

    #[test]
    fn large_documents_are_left_when_some_are_listed() {
        let mut ada = Node::new(1, &[]);
        ada.begin();
        let mut ben = reader(&ada);
        let unlisted = ben.engine.list_some(SPACE, 9).expect("memory");
        assert_eq!(unlisted, Unlisted { waiting: 1, large: [DOCUMENT].into() });
        let loaded = order(&mut ben).load();
        ben.engine.take_loaded(loaded).expect("memory");
        assert_eq!(ben.engine.list_some(SPACE, 9).expect("memory"), Unlisted::default());
        assert_eq!(ben.engine.documents(SPACE).expect("memory").len(), 1);
    }
}
