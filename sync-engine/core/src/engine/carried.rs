//! Entries that go out and come in by a file, where there is no session.
//!
//! Invariant: they are checked like those of a peer; none counts before its flush.

use std::collections::BTreeSet;

use node_model::{DocumentId, EntryId, SpaceId};

use super::{Delivered, EngineError, JobId, Output, SyncEngine};
use crate::{
    entry::{EntryError, VerifiedEntry},
    store::{Arrival, Batch},
};

/// What came of entries from a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// How many were new; durable after the next flush.
    pub new: u64,
    /// How many were here before.
    pub known: u64,
    /// Which were left out, and why; without an id what is no entry.
    pub refused: Vec<(Option<EntryId>, String)>,
    /// Of which documents some were left out because these were purged.
    pub purged: BTreeSet<DocumentId>,
}

impl SyncEngine {
    /// Entries of a space after `place`, in order of arrival: at most `count_max`, and no
    /// more once `bytes_max` are reached.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn arrivals(
        &self,
        space: SpaceId,
        place: u64,
        (count_max, bytes_max): (usize, usize),
    ) -> Result<Vec<Arrival>, EngineError> {
        let store = &self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?.store;
        Ok(store.arrivals(place, count_max, bytes_max)?)
    }

    /// Ids of a space's entries after `place`, with their places.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn ids(
        &self,
        space: SpaceId,
        place: u64,
        count_max: usize,
    ) -> Result<Vec<(u64, EntryId)>, EngineError> {
        let store = &self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?.store;
        Ok(store.ids(place, count_max)?)
    }

    /// Those entries of a space that are named and here, in the order that they are named: no
    /// more once `bytes_max` are reached.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn pick(
        &self,
        space: SpaceId,
        named: &[EntryId],
        bytes_max: usize,
    ) -> Result<Vec<(EntryId, Vec<u8>)>, EngineError> {
        let store = &self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?.store;
        let (mut picked, mut bytes_count) = (Vec::new(), 0);
        for id in named {
            if let Some(bytes) = store.entry(*id)? {
                bytes_count += bytes.len();
                picked.push((*id, bytes));
                if bytes_count >= bytes_max {
                    break;
                }
            }
        }
        Ok(picked)
    }

    /// Has entries from a file verified; then [`Self::on_carried`] is to be called instead
    /// of [`Self::on_verified`].
    pub fn carry_in(&mut self, entries: Vec<Vec<u8>>) -> JobId {
        let job = JobId(self.next_job);
        self.next_job += 1;
        self.outputs.push_back(Output::Verify { job, entries });
        job
    }

    /// The verdicts on entries from a file. `may_write` is the trust plane's word on their
    /// authors. Good entries are staged; bad ones are left out, each by itself.
    ///
    /// # Errors
    /// [`EngineError`]; nothing is staged.
    pub fn on_carried(
        &mut self,
        space: SpaceId,
        results: Vec<Result<VerifiedEntry, EntryError>>,
        may_write: &mut dyn FnMut(&VerifiedEntry) -> bool,
    ) -> Result<Carried, EngineError> {
        let facts = self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?;
        let store = &facts.store;
        let mut carried = Carried::default();
        let mut seen = BTreeSet::new();
        let mut entries = Vec::new();
        for result in results {
            let entry = match result {
                Ok(entry) => entry,
                Err(error) => {
                    carried.refused.push((None, error.to_string()));
                    continue;
                }
            };
            let id = entry.id();
            if entry.header().space != space {
                carried.refused.push((Some(id), "it is of another space".to_owned()));
            } else if store.contains(id)? || !seen.insert(id) {
                carried.known += 1;
            } else if !may_write(&entry) {
                if facts.is_purged(entry.header().document) {
                    carried.purged.insert(entry.header().document);
                }
                carried.refused.push((Some(id), self.why_refused(space, &entry)));
            } else {
                carried.new += 1;
                entries.push(entry);
            }
        }
        self.look_for_forks(space, &entries)?;
        // Not written here, and from no peer that must not get it back.
        let peer = self.device;
        let batch = Batch { entries, source: Some(peer), cursor: None };
        let delivered = Delivered { peer, refused: false };
        self.arrived.entry(space).or_default().push((batch, delivered));
        Ok(carried)
    }
}

#[cfg(test)]
mod tests {
    use node_model::{BlobId, Epoch, Timestamp, seal::SealKey, sign::Signer};
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    use serde_json::json;

    use super::*;
    use crate::{
        Writer,
        document::Meta,
        entry::read_batch,
        store::{MemoryStore, StoreEpoch},
    };

    const SPACE: SpaceId = SpaceId([1; 32]);
    const OTHER: SpaceId = SpaceId([2; 32]);
    const DOCUMENT: DocumentId = DocumentId([3; 16]);

    fn engine(signer: &Signer) -> SyncEngine {
        let mut engine = SyncEngine::new(signer.device(), [signer.device().0[0]; 16]);
        for space in [SPACE, OTHER] {
            let store = MemoryStore::new(StoreEpoch([1; 16]));
            engine.open_space(space, Box::new(store)).expect("memory does not fail");
            let key = SealKey::from_bytes([7; 32]);
            engine.use_epoch(space, Epoch(1), key.clone());
            engine.write_with(space, Some((Epoch(1), key)));
        }
        engine
    }

    fn write(engine: &mut SyncEngine, signer: &Signer, space: SpaceId, title: &str) {
        let mut entropy = ChaCha8Rng::seed_from_u64(1);
        let mut writer = Writer { signer, entropy: &mut entropy, now: Timestamp(1) };
        let value = json!({"title": title, "blob": BlobId([9; 32]).to_string()});
        let meta = Meta::default();
        engine.write_document(&mut writer, space, DOCUMENT, &meta, &value).expect("writes");
        engine.flush().result(space).expect("memory does not fail");
    }

    fn packed(engine: &SyncEngine, space: SpaceId) -> Vec<Vec<u8>> {
        let arrivals = engine.arrivals(space, 0, (100, usize::MAX)).expect("memory");
        arrivals.into_iter().map(|arrival| arrival.bytes).collect()
    }

    fn carry(engine: &mut SyncEngine, entries: Vec<Vec<u8>>, may_write: bool) -> Carried {
        let job = engine.carry_in(entries);
        let mut outputs = std::iter::from_fn(|| engine.poll_output());
        let verify = outputs.find_map(|output| match output {
            Output::Verify { job: asked, entries } if asked == job => Some(entries),
            Output::Verify { .. }
            | Output::Send { .. }
            | Output::Equal { .. }
            | Output::Receipt { .. }
            | Output::Changed { .. }
            | Output::Chosen { .. }
            | Output::Fork { .. }
            | Output::Unreferenced { .. }
            | Output::Referenced { .. } => None,
        });
        let results = read_batch(verify.expect("it is asked for"));
        let carried = engine.on_carried(SPACE, results, &mut |_| may_write).expect("is here");
        engine.flush().result(SPACE).expect("memory does not fail");
        carried
    }

    #[test]
    fn entries_of_a_file_count_once_and_reach_what_is_loaded() {
        let (ada, ben) = (Signer::from_secret(&[1; 32]), Signer::from_secret(&[2; 32]));
        let (mut from, mut to) = (engine(&ada), engine(&ben));
        write(&mut from, &ada, SPACE, "one");
        let first = carry(&mut to, packed(&from, SPACE), true);
        assert_eq!(first, Carried { new: 1, ..Carried::default() });
        assert_eq!(to.document(SPACE, DOCUMENT).expect("is here").value()["title"], "one");
        write(&mut from, &ada, SPACE, "two");
        let second = carry(&mut to, packed(&from, SPACE), true);
        assert_eq!((second.new, second.known), (1, 1));
        assert_eq!(to.document(SPACE, DOCUMENT).expect("is here").value()["title"], "two");
        let told = std::iter::from_fn(|| to.poll_output());
        let told: Vec<_> = told.collect();
        assert!(told.iter().any(|output| matches!(output, Output::Changed { .. })));
        let head = to.head(SPACE);
        let again = carry(&mut to, packed(&from, SPACE), true);
        assert_eq!((again.new, again.known), (0, 2));
        assert_eq!(to.head(SPACE), head, "unchanged");
    }

    #[test]
    fn entries_are_picked_by_id_and_up_to_a_size() {
        let ada = Signer::from_secret(&[1; 32]);
        let mut engine = engine(&ada);
        for title in ["one", "two", "three"] {
            write(&mut engine, &ada, SPACE, title);
        }
        let ids: Vec<EntryId> = {
            let ids = engine.ids(SPACE, 0, 100).expect("is here");
            ids.into_iter().map(|(_, id)| id).collect()
        };
        assert_eq!(ids.len(), 3);
        assert_eq!(engine.ids(SPACE, 2, 100).expect("is here"), [(3, ids[2])]);
        let named = [ids[2], EntryId([0; 32]), ids[0]];
        let picked = engine.pick(SPACE, &named, usize::MAX).expect("is here");
        assert_eq!(picked.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ids[2], ids[0]]);
        assert_eq!(picked[0].1, packed(&engine, SPACE)[2]);
        assert_eq!(engine.pick(SPACE, &named, 1).expect("is here").len(), 1);
        assert!(engine.pick(SpaceId([9; 32]), &named, 1).is_err());
    }

    #[test]
    fn bad_entries_of_a_file_are_left_out_and_named() {
        let (ada, ben) = (Signer::from_secret(&[1; 32]), Signer::from_secret(&[2; 32]));
        let (mut from, mut to) = (engine(&ada), engine(&ben));
        write(&mut from, &ada, SPACE, "good");
        write(&mut from, &ada, OTHER, "of another space");
        let good = packed(&from, SPACE).remove(0);
        let mut broken = good.clone();
        *broken.last_mut().expect("not empty") ^= 1;
        let entries = vec![broken, packed(&from, OTHER).remove(0), good.clone(), good.clone()];
        let carried = carry(&mut to, entries, true);
        assert_eq!((carried.new, carried.known, carried.refused.len()), (1, 1, 2));
        assert_eq!(carried.refused.iter().filter(|(id, _)| id.is_none()).count(), 1);
        let mut other = engine(&Signer::from_secret(&[3; 32]));
        let carried = carry(&mut other, vec![good], false);
        assert_eq!((carried.new, carried.refused.len()), (0, 1));
        assert_eq!(packed(&other, SPACE), Vec::<Vec<u8>>::new());
    }
}
