//! The list of a space's documents, kept as they change.

use std::collections::BTreeMap;

use node_model::DocumentId;

use super::{EngineError, Space};
use crate::document::{Document, Summary};

impl Space {
    /// All documents that are not removed, by id.
    pub(in crate::engine) fn index(
        &mut self,
    ) -> Result<&BTreeMap<DocumentId, Summary>, EngineError> {
        let stale = match &self.index {
            Some(_) => std::mem::take(&mut self.stale).into_iter().collect(),
            None => {
                self.stale.clear();
                self.health.forget_documents();
                self.store.documents()?
            }
        };
        let mut index = self.index.take().unwrap_or_default();
        for id in stale {
            let mut brought = if self.loaded.get(id).is_none() { self.load(id)? } else { None };
            let document = self.loaded.get_mut(id).or(brought.as_mut());
            self.health.look_at(id, document.as_deref());
            match document.and_then(|document| summary(document, id)) {
                Some(summary) => index.insert(id, summary),
                None => index.remove(&id),
            };
        }
        Ok(self.index.insert(index))
    }
}

fn summary(document: &mut Document, id: DocumentId) -> Option<Summary> {
    (!document.is_removed()).then(|| document.summary(id))
}
