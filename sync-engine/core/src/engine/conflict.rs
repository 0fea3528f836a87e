//! What documents hold beside their content: conflicts, and decisions about these.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{DocumentId, SpaceId};

use super::{EngineError, SyncEngine, Writer};
use crate::document::{
    Summary, blobs_in,
    conflicts::{
        ConflictId, ConflictKind, Conflicts, Resolution, ResolveError, TakeBackError,
        restored_document,
    },
};

/// Why a decision was not taken. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    /// The conflict is not there, or not like that.
    #[error(transparent)]
    Conflict(#[from] ResolveError),
    /// It cannot be taken back.
    #[error(transparent)]
    TakeBack(#[from] TakeBackError),
    /// The engine could not write it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl SyncEngine {
    /// A line about a document, also about a removed one.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn summary(
        &mut self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<Summary, EngineError> {
        Ok(self.space_mut(space)?.document(document)?.summary(document))
    }

    /// All documents that a space holds something of, also removed ones: any of
    /// them may have conflicts.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn documents_with_removed(&self, space: SpaceId) -> Result<Vec<DocumentId>, EngineError> {
        let documents = self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?.store.documents();
        Ok(documents?)
    }

    /// What in a document waits for a person, also in a removed one.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn conflicts(
        &mut self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<Conflicts, EngineError> {
        Ok(self.space_mut(space)?.document(document)?.conflicts())
    }

    /// Stages a decision about a conflict, and says which document holds the
    /// content now: another one after a removed one was restored.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub fn resolve(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        (conflict, resolution): (ConflictId, Resolution),
    ) -> Result<DocumentId, DecisionError> {
        let loaded = self.space_mut(space)?.document(document)?;
        if loaded.is_removed() {
            return self.atomically(space, |engine| {
                engine.resolve_removal(writer, space, document, (conflict, resolution))
            });
        }
        let plan = loaded.plan(conflict, resolution)?;
        let mut blobs = BTreeSet::new();
        plan.values().for_each(|value| blobs_in(value, &mut blobs));
        self.edit(writer, space, document, blobs, |document| document.carry_out(&plan))?;
        Ok(document)
    }

    /// Stages decisions about several conflicts of a document, all in one change, and
    /// says which were taken: all but those that cannot be taken like this.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub fn resolve_all(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        decisions: &BTreeMap<ConflictId, Resolution>,
    ) -> Result<Vec<ConflictId>, DecisionError> {
        let loaded = self.space_mut(space)?.document(document)?;
        if loaded.is_removed() {
            let only = decisions.first_key_value();
            let (conflict, resolution) = only.ok_or(ResolveError::NoSuchConflict)?;
            self.resolve(writer, space, document, (*conflict, *resolution))?;
            return Ok(vec![*conflict]);
        }
        let plans = loaded.plans(decisions);
        let mut blobs = BTreeSet::new();
        plans.iter().flat_map(|(_, plan)| plan.values()).for_each(|it| blobs_in(it, &mut blobs));
        let mut taken = Vec::new();
        self.edit(writer, space, document, blobs, |document| {
            taken = document.carry_out_all(&plans)?;
            Ok(())
        })?;
        Ok(taken)
    }

    /// Stages that a conflict is left to those who decide for the space, and why; or with
    /// `None`, that it is not.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub fn escalate(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        (conflict, why): (ConflictId, Option<&str>),
    ) -> Result<(), DecisionError> {
        let loaded = self.space_mut(space)?.document(document)?;
        let question = loaded.question(conflict, why)?;
        let none = BTreeSet::new();
        Ok(self.edit(writer, space, document, none, |document| document.ask(&question))?)
    }

    /// Stages that the decision which this change is was none, if nothing was written to
    /// the document after it.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub fn take_back(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        change: &str,
    ) -> Result<(), DecisionError> {
        let loaded = self.space_mut(space)?.document(document)?;
        let taken = loaded.before_decision(change)?;
        let mut blobs = BTreeSet::new();
        blobs_in(&taken.value, &mut blobs);
        Ok(self.edit(writer, space, document, blobs, |document| document.take_back(&taken))?)
    }

    fn resolve_removal(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        (conflict, resolution): (ConflictId, Resolution),
    ) -> Result<DocumentId, DecisionError> {
        let removed = self.space_mut(space)?.document(document)?;
        let open = removed.conflicts().items.into_iter().next();
        let open =
            open.filter(|open| open.id == conflict && open.kind == ConflictKind::RemovedDocument);
        let open = open.ok_or(ResolveError::NoSuchConflict)?;
        let holder = match resolution {
            Resolution::KeepShown => document,
            Resolution::KeepOther(0) | Resolution::KeepBoth => {
                let meta = removed.meta();
                let value = open.others.into_iter().next().and_then(|side| side.value);
                let value = value.ok_or(ResolveError::NoSuchSide)?;
                let restored = restored_document(document, conflict);
                self.write_document(writer, space, restored, &meta, &value)?;
                restored
            }
            Resolution::KeepOther(_) => return Err(ResolveError::NoSuchSide.into()),
            Resolution::Undo => return Err(ResolveError::NothingBefore.into()),
        };
        self.space_mut(space)?.bury_what_is_known(writer, document)?;
        Ok(holder)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        engine::testing::{DOCUMENT, Node, SPACE},
        entry::VerifiedEntry,
    };

    impl Node {
        fn decide(&mut self, resolution: Resolution) -> Result<DocumentId, DecisionError> {
            let open = self.engine.conflicts(SPACE, DOCUMENT).expect("the document");
            let id = open.items.first().expect("a conflict").id;
            self.write(|engine, writer| engine.resolve(writer, SPACE, DOCUMENT, (id, resolution)))
        }

        fn open(&mut self) -> usize {
            self.engine.conflicts(SPACE, DOCUMENT).expect("the document").items.len()
        }
    }

    /// What two nodes hold that changed a document while they were apart.
    fn apart(first: impl FnOnce(&mut Node), second: impl FnOnce(&mut Node)) -> Vec<VerifiedEntry> {
        let mut ada = Node::new(1, &[]);
        ada.fill(&json!({"title": "Bread", "n": 1}));
        let mut ben = Node::new(2, &ada.stored());
        first(&mut ada);
        second(&mut ben);
        [ada.stored(), ben.stored()].concat()
    }

    fn remove(node: &mut Node) {
        node.write(|engine, writer| engine.remove_document(writer, SPACE, DOCUMENT))
            .expect("it is there");
    }

    #[test]
    fn a_removal_against_a_change_stays_or_is_restored_and_never_undone() {
        let stored = apart(remove, |ben| ben.set("n", &json!(2)));
        let mut ada = Node::new(1, &stored);
        let mut ben = Node::new(2, &stored);
        assert!(matches!(
            ada.decide(Resolution::Undo),
            Err(DecisionError::Conflict(ResolveError::NothingBefore))
        ));
        assert_eq!((ada.open(), ben.open()), (1, 1));
        let restored = ada.decide(Resolution::KeepOther(0)).expect("it is restored");
        assert_eq!(ben.decide(Resolution::KeepOther(0)).expect("it is restored"), restored);
        let mut late = Node::new(3, &[ben.stored(), ada.stored()].concat());
        for node in [&mut ada, &mut ben, &mut late] {
            assert_eq!(node.open(), 0);
            assert!(node.engine.document(SPACE, DOCUMENT).is_err());
            let document = node.engine.document(SPACE, restored).expect("it was restored");
            assert_eq!(document.value(), json!({"title": "Bread", "n": 2}));
            assert_eq!(document.meta().kind, "note");
            assert_eq!(document.conflicts().items, []);
        }
        let mut cyd = Node::new(4, &stored);
        assert_eq!(cyd.decide(Resolution::KeepShown).expect("it stays removed"), DOCUMENT);
        assert_eq!(cyd.open(), 0);
        assert_eq!(cyd.engine.documents(SPACE).expect("the space").len(), 0);
    }

    #[test]
    fn a_removal_that_knew_all_is_no_conflict() {
        let mut ada = Node::new(1, &[]);
        ada.fill(&json!({"n": 1}));
        remove(&mut ada);
        assert_eq!(ada.open(), 0);
    }

    #[test]
    fn a_decision_travels_as_an_entry() {
        let set = |title: &'static str| move |node: &mut Node| node.set("title", &json!(title));
        let stored = apart(set("A"), set("B"));
        let mut ada = Node::new(1, &stored);
        ada.decide(Resolution::Undo).expect("it can be undone");
        let mut ben = Node::new(2, &[ada.stored(), stored].concat());
        assert_eq!((ada.open(), ben.open()), (0, 0));
        assert_eq!(ben.value()["title"], json!("Bread"));
    }
}
