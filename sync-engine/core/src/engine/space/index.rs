//! The list of a space's documents, kept as they change.

use std::collections::{BTreeMap, BTreeSet};

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
        self.unlisted_large.retain(|id| self.stale.contains(id));
        let next = self.stale.difference(&self.unlisted_large).copied().take(looks_max);
        for id in next.collect::<Vec<_>>() {
            if self.is_large(id)? {
                self.unlisted_large.insert(id);
            } else {
                self.list(id)?;
            }
        }
        Ok(Unlisted { waiting: self.stale.len(), large: self.unlisted_large.clone() })
    }

    /// Whether all documents are listed as they are, but some of those that changed: few, and
    /// none of them large.
    pub(in crate::engine) fn is_listed_but(
        &mut self,
        changed: &BTreeSet<DocumentId>,
        few: usize,
    ) -> Result<bool, EngineError> {
        if self.index.is_none() || self.stale.len() > few || !self.stale.is_subset(changed) {
            return Ok(false);
        }
        for id in &self.stale {
            if self.is_large(*id)? {
                return Ok(false);
            }
        }
        Ok(true)
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
