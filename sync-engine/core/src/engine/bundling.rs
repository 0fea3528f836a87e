//! Bundles, and the room that they leave, as the node asks for them.

use std::collections::BTreeMap;

use node_model::{DeviceId, DocumentId, EntryId, SpaceId};

use super::{BundleOrder, Collected, Compacted, EngineError, MadeBundle, SyncEngine, Writer};

impl SyncEngine {
    /// The order for a bundle of what this device wrote in a document; `None` when that is
    /// not worth it. With `one_epoch`, of what is sealed with the newest key only.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn bundle_order(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        one_epoch: bool,
    ) -> Result<Option<BundleOrder>, EngineError> {
        self.space_mut(space)?.bundle_order(document, one_epoch)
    }

    /// Stages a bundle that was made; `None` when there is none, or when it does not fit what
    /// is here any more.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn take_bundle(
        &mut self,
        writer: &mut Writer<'_>,
        made: MadeBundle,
    ) -> Result<Option<Compacted>, EngineError> {
        self.space_mut(made.place().0)?.take_bundle(writer, made)
    }

    /// The first document after `after` that has superseded entries.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn next_superseded(
        &self,
        space: SpaceId,
        after: Option<DocumentId>,
    ) -> Result<Option<DocumentId>, EngineError> {
        let space = self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?;
        Ok(space.store.superseded_documents(after, 1)?.into_iter().next())
    }

    /// Deletes superseded entries of a document, by id, after `after`, as many as are
    /// looked at in one go: those that bundles stand for which are at a place up to what
    /// `agreed` says of their author, and whose changes are all carried by something in the
    /// set.
    ///
    /// # Errors
    /// [`EngineError`]; [`EngineError::NoKey`] where nobody can look into a bundle.
    pub fn collect(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        after: Option<EntryId>,
        agreed: &BTreeMap<DeviceId, u64>,
    ) -> Result<Collected, EngineError> {
        self.space_mut(space)?.collect(document, after, agreed)
    }

    /// Spaces whose stores were opened or changed since this was last asked.
    pub fn take_unsettled(&mut self) -> Vec<SpaceId> {
        let spaces = self.spaces.iter_mut();
        spaces
            .filter_map(|(id, space)| std::mem::take(&mut space.is_unsettled).then_some(*id))
            .collect()
    }

    /// Gives room that a space's store does not need back to the disk, a little at a time,
    /// and says whether there is more.
    ///
    /// # Errors
    /// [`EngineError`]; everything is as it was.
    pub fn settle(&mut self, space: SpaceId) -> Result<bool, EngineError> {
        Ok(self.space_mut(space)?.store.settle()?)
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
