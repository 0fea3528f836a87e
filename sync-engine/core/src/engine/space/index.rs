//! The list of a space's documents, kept as they change.

use std::collections::BTreeMap;

use node_model::DocumentId;

use super::{EngineError, Space};
use crate::{
    document::{Document, Summary},
    engine::loading::Unlisted,
};

impl Space {
    /// All documents that are not removed, by id.
    pub(in crate::engine) fn index(
        &mut self,
    ) -> Result<&BTreeMap<DocumentId, Summary>, EngineError> {
        self.begin_index()?;
        while let Some(id) = self.stale.first().copied() {
            self.list(id)?;
        }
        Ok(self.index.get_or_insert_default())
    }

    /// Lists some of the documents that are not listed as they are, without large ones.
    pub(in crate::engine) fn list_some(
        &mut self,
        looks_max: usize,
    ) -> Result<Unlisted, EngineError> {
        self.begin_index()?;
        let mut unlisted = Unlisted::default();
        for id in self.stale.iter().copied().take(looks_max).collect::<Vec<_>>() {
            if self.is_large(id)? {
                unlisted.large.insert(id);
            } else {
                self.list(id)?;
            }
        }
        unlisted.waiting = self.stale.len();
        Ok(unlisted)
    }

    fn begin_index(&mut self) -> Result<(), EngineError> {
        if self.index.is_none() {
            self.health.forget_documents();
            self.stale = self.store.documents()?.into_iter().collect();
            self.index = Some(BTreeMap::new());
        }
        Ok(())
    }

    fn list(&mut self, id: DocumentId) -> Result<(), EngineError> {
        let mut brought = if self.loaded.get(id).is_none() { self.load(id)? } else { None };
        self.list_as(id, brought.as_mut());
        Ok(())
    }

    /// Lists a document as it is loaded, or else as it was `brought`.
    pub(super) fn list_as(&mut self, id: DocumentId, brought: Option<&mut Document>) {
        let Some(index) = &mut self.index else { return };
        self.stale.remove(&id);
        let document = self.loaded.get_mut(id).or(brought);
        self.health.look_at(id, document.as_deref());
        match document.and_then(|document| summary(document, id)) {
            Some(summary) => index.insert(id, summary),
            None => index.remove(&id),
        };
    }
}

fn summary(document: &mut Document, id: DocumentId) -> Option<Summary> {
    (!document.is_removed()).then(|| document.summary(id))
}
