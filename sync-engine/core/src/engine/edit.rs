//! Edits of documents, staged as entries.

use std::collections::BTreeSet;

use node_model::{BlobId, DocumentId, SpaceId};
use serde_json::Value;

use super::{EngineError, SyncEngine, Writer};
use crate::{
    document::{At, Document, DocumentError, blobs_in},
    json::Pointer,
    patch::PatchOp,
};

impl SyncEngine {
    /// Stages one value at a path.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn set(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        (pointer, value): (&Pointer, &Value),
    ) -> Result<(), EngineError> {
        let mut blobs = BTreeSet::new();
        blobs_in(value, &mut blobs);
        self.edit(writer, space, document, blobs, |document| document.set(pointer, value))
    }

    /// Stages a JSON Patch.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn patch(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        operations: &[PatchOp],
    ) -> Result<(), EngineError> {
        let mut blobs = BTreeSet::new();
        for operation in operations {
            if let PatchOp::Add { value, .. } | PatchOp::Replace { value, .. } = operation {
                blobs_in(value, &mut blobs);
            }
        }
        self.atomically(space, |engine| {
            engine.space_mut(space)?.make_counters(writer, document, operations)?;
            engine.edit(writer, space, document, blobs, |document| document.patch(operations))
        })
    }

    /// Stages the change that makes a document what it was.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn restore(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        at: &At,
    ) -> Result<(), EngineError> {
        let restoration = self.space_mut(space)?.document(document)?.restoration(at)?;
        let blobs = restoration.blobs();
        self.edit(writer, space, document, blobs, |document| document.restore(&restoration))
    }

    pub(super) fn edit(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        blobs: BTreeSet<BlobId>,
        change: impl FnOnce(&mut Document) -> Result<(), DocumentError>,
    ) -> Result<(), EngineError> {
        let space = self.space_mut(space)?;
        space.document(document)?;
        space.write(writer, document, blobs, change)
    }
}
