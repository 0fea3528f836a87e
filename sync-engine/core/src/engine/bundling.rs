//! Bundles, as the node asks for them.

use node_model::{DocumentId, SpaceId};

use super::{Compacted, EngineError, SyncEngine, Writer};

impl SyncEngine {
    /// Stages a bundle of what this device wrote in a document; `None` when that is not
    /// worth it. With `one_epoch`, of what is sealed with the newest key only.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn compact(
        &mut self,
        writer: &mut Writer<'_>,
        space: SpaceId,
        document: DocumentId,
        one_epoch: bool,
    ) -> Result<Option<Compacted>, EngineError> {
        self.space_mut(space)?.compact(writer, document, one_epoch)
    }

    /// How many changes to each document became durable here since this was last asked.
    pub fn take_written(&mut self) -> Vec<(SpaceId, DocumentId, u64)> {
        let spaces = self.spaces.iter_mut();
        let written = spaces.flat_map(|(id, space)| {
            space.take_written().into_iter().map(|(document, changes)| (*id, document, changes))
        });
        written.collect()
    }
}
