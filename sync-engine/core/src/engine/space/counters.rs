//! Counters, each made by a change in an entry of its own.

use node_model::{DocumentId, limit::ENTRY_DEPS_MAX};

use super::{EngineError, EntryKind, Space, Writer};
use crate::{
    document::{DocumentError, MadeCounter},
    patch::PatchOp,
};

impl Space {
    /// Stages the counters that operations add to and that are not there yet.
    pub(in crate::engine) fn make_counters(
        &mut self,
        writer: &mut Writer<'_>,
        id: DocumentId,
        operations: &[PatchOp],
    ) -> Result<(), EngineError> {
        if !operations.iter().any(|operation| matches!(operation, PatchOp::Increment { .. })) {
            return Ok(());
        }
        self.document(id)?;
        let Some(mut document) = self.loaded.take(id) else {
            return Err(EngineError::NoSuchDocument);
        };
        if document.is_removed() {
            return Err(EngineError::Document(DocumentError::Removed));
        }
        // Whatever fails from here on drops the document, and the counters with it.
        for MadeCounter { change, bytes, mut deps } in document.make_counters(operations)? {
            deps.truncate(ENTRY_DEPS_MAX);
            let draft = self.draft(id, EntryKind::Change, deps, vec![]);
            let entry = self.seal(writer, draft, &bytes)?;
            document.note_entry(change, entry);
        }
        self.remember(id, document);
        Ok(())
    }
}
