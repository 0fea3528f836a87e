//! Many changes at once: those of a bundle.
//!
//! A document that is empty takes over a history as Automerge stores it, which costs a
//! tenth of applying its changes. Any other document takes its changes one by one.

use automerge::{AutoCommit, ChangeMetadata};
use node_model::EntryId;

use super::{
    super::{bundle::Bundle, guarded, weigh::ChunkKind},
    Brought, Intake, Refusal, Share,
    read::{share_of, weighed_as},
    turn::{Ahead, Step},
};

impl Intake {
    /// Takes in the changes of a bundle; those that do not count are named by it.
    pub(super) fn read_bundle(&mut self, auto: &mut AutoCommit, entry: EntryId, bytes: &[u8]) {
        let bundle = if self.is_left_alone {
            Err(Refusal::LeftAlone)
        } else {
            Bundle::decode(bytes).map_err(|_| Refusal::Malformed)
        };
        let Bundle { history, changes } = match bundle {
            Ok(bundle) => bundle,
            Err(refusal) => {
                self.refused.insert(entry, refusal);
                return;
            }
        };
        if let Some(history) = history
            && let Err(refusal) = self.read_history(auto, entry, &history)
        {
            self.refused.insert(entry, refusal);
        }
        for change in changes {
            self.read_change(entry, change.into_vec());
            self.settle_if_full(auto);
        }
    }

    fn read_history(
        &mut self,
        auto: &mut AutoCommit,
        entry: EntryId,
        chunk: &[u8],
    ) -> Result<(), Refusal> {
        let weight = weighed_as(ChunkKind::Document, chunk)?;
        let loaded = guarded(|| AutoCommit::load(chunk).ok()).flatten();
        let mut loaded = loaded.ok_or(Refusal::Malformed)?;
        let share = Share { new_actors: weight.actors, weight };
        if self.is_new() && self.take_over(auto, &mut loaded, entry, &share) {
            return Ok(());
        }
        for change in guarded(|| loaded.get_changes(&[])).ok_or(Refusal::Malformed)? {
            match share_of(change.raw_bytes(), &change) {
                Ok(share) => self.place(Brought { entry, change, share }),
                Err(refusal) => {
                    self.refused.insert(entry, refusal);
                }
            }
            self.settle_if_full(auto);
        }
        Ok(())
    }

    fn is_new(&self) -> bool {
        self.applied.is_empty() && self.ready.is_empty() && self.left_out.is_empty()
    }

    /// Makes a history the document, if all of it may count.
    fn take_over(
        &mut self,
        auto: &mut AutoCommit,
        loaded: &mut AutoCommit,
        entry: EntryId,
        share: &Share,
    ) -> bool {
        let mut ahead = Ahead::default();
        for change in loaded.get_changes_meta(&[]) {
            let step = Step::of_meta(&change);
            let Ok(turn) = self.turn_of(&step, &ahead) else { return false };
            ahead.note_step(&step, Some(entry), turn);
        }
        if self.budget.take(share).is_err() {
            return false;
        }
        loaded.set_actor(auto.get_actor().clone());
        std::mem::swap(auto, loaded);
        self.operations += share.weight.operations;
        let taken: Vec<_> = ahead.order.iter().map(|(hash, ..)| *hash).collect();
        self.keep(ahead);
        // Changes that came before it and waited for it.
        let mut free: Vec<Brought> =
            taken.iter().flat_map(|hash| self.waiting.arrived(hash)).collect();
        while let Some(brought) = free.pop() {
            self.budget.release(&brought.share);
            self.place(brought);
        }
        true
    }
}

impl<'a> Step<'a> {
    fn of_meta(change: &'a ChangeMetadata<'_>) -> Self {
        let operations = (change.max_op + 1).saturating_sub(change.start_op);
        Self {
            hash: change.hash,
            deps: &change.deps,
            actor: &change.actor,
            sequence: change.seq,
            start: change.start_op,
            end: change.max_op,
            operations: usize::try_from(operations).unwrap_or(usize::MAX),
        }
    }
}
