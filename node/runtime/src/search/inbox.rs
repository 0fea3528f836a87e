//! What the loop tells the worker, without ever waiting for it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use node_model::SpaceId;
use tokio::sync::Notify;

/// Spaces in which something changed: at most as many as there are.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    noted: Mutex<Noted>,
    woken: Notify,
}

#[derive(Default)]
struct Noted {
    spaces: BTreeSet<SpaceId>,
    has_purged: bool,
    is_stopping: bool,
    has_ended: bool,
}

impl Inbox {
    /// Something changed in a space.
    pub(crate) fn note(&self, space: SpaceId) {
        self.noted().spaces.insert(space);
        self.0.woken.notify_one();
    }

    /// Documents of a space were purged: nothing of them shall stay in the file.
    pub(crate) fn note_purge(&self, space: SpaceId) {
        self.noted().has_purged = true;
        self.note(space);
    }

    /// The worker shall begin nothing more.
    pub(crate) fn stop(&self) {
        self.noted().is_stopping = true;
        self.0.woken.notify_one();
    }

    /// Nothing will be noted any more: the worker shall save and end.
    pub(crate) fn end(&self) {
        self.noted().has_ended = true;
        self.0.woken.notify_one();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.noted().has_ended
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.noted().is_stopping
    }

    /// Whether something was purged since this was asked.
    pub(super) fn take_purged(&self) -> bool {
        std::mem::take(&mut self.noted().has_purged)
    }

    pub(super) fn take(&self) -> Option<SpaceId> {
        self.noted().spaces.pop_first()
    }

    /// Returns after [`Self::note`] or [`Self::stop`], perhaps earlier.
    pub(super) async fn woken(&self) {
        self.0.woken.notified().await;
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        // Nobody panics halfway through a change of it.
        self.0.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
