//! Entries, both ways: what the folder has and we lack, then what we have and it lacks.

use std::collections::BTreeSet;

use node_core::{
    Failure,
    pack::{PackRequest, PackResponse},
};
use node_model::{
    DocumentId, EntryId,
    pack::{ENTRIES_BYTES_FULL, ENTRIES_PER_FRAME_MAX},
};
use rand_core::TryRng;
use sync_engine_core::{
    entry::VerifiedEntry,
    store::{Batch, EntryStore, StoreEpoch},
};
use sync_engine_folder::{BATCH_BYTES_MAX, FolderError, FolderStore};

use super::{Exchange, REFUSED_MAX, blocking, folder_failure};
use crate::{entropy::OsEntropy, handle::unexpected};

/// Entries that go into a file at once; a file may hold four times as many.
const BATCH_ENTRIES_MAX: usize = 16_384;

/// The folder as we found it, and which of our entries it lacks, in their order of arrival here.
pub(super) struct Lacking {
    store: FolderStore,
    lacking: Vec<EntryId>,
}

/// Some of the entries that were asked for.
struct ReadPart {
    entries: Vec<Vec<u8>>,
    looked_at: usize,
    failed: Vec<FolderError>,
}

impl Exchange<'_> {
    /// Takes in the entries that we lack.
    pub(super) async fn take_entries(&mut self) -> Result<Lacking, Failure> {
        let ours = self.ids_of_ours().await?;
        let known: BTreeSet<EntryId> = ours.iter().copied().collect();
        let (folder, space, device) = (self.folder.clone(), self.place.space(), self.device);
        let is_full = self.is_full;
        let (mut store, new) = blocking(move || {
            let mut epoch = StoreEpoch([0; 16]);
            let Ok(()) = OsEntropy.try_fill_bytes(&mut epoch.0);
            let mut store = FolderStore::open(&folder, space, device, epoch)
                .map_err(|error| folder_failure(&folder, error, false))?;
            store.examine(&|id| is_full || !known.contains(&id));
            let held = store.ids(0, usize::MAX)?.into_iter().map(|(_, id)| id);
            let new: Vec<EntryId> = held.filter(|id| !known.contains(id)).collect();
            Ok((store, new))
        })
        .await?;
        self.report.passed_over.extend_from_slice(store.passed_over());
        let (mut at, mut purged) = (0, BTreeSet::new());
        while at < new.len() {
            let wanted = new[at..].iter().take(ENTRIES_PER_FRAME_MAX).copied().collect();
            let read;
            (store, read) = blocking(move || Ok(read_some(store, wanted))).await?;
            at += read.looked_at;
            for error in read.failed {
                let place = self.folder.clone();
                self.pass_over(&place, error);
            }
            purged.extend(self.take(read.entries).await?);
        }
        store = purge(store, purged).await?;
        let lacking = ours.into_iter().filter(|id| !store.contains(*id).unwrap_or(false)).collect();
        Ok(Lacking { store, lacking })
    }

    /// Takes in entries; says of which documents some were refused because these were purged.
    async fn take(&mut self, entries: Vec<Vec<u8>>) -> Result<BTreeSet<DocumentId>, Failure> {
        let (space, count) = (self.place.space(), entries.len() as u64);
        if entries.is_empty() {
            return Ok(BTreeSet::new());
        }
        let request = PackRequest::TakeEntries { space, entries };
        let PackResponse::Taken(taken) = self.handle.ask_pack(request).await? else {
            return Err(unexpected());
        };
        self.counts.pulled += taken.new;
        for (id, why) in taken.refused {
            if self.report.refused.len() < REFUSED_MAX {
                self.report.refused.push((id.map(|id| id.to_string()), why));
            }
        }
        self.advance(count);
        Ok(taken.purged)
    }

    async fn ids_of_ours(&self) -> Result<Vec<EntryId>, Failure> {
        let plan = self.plan().await?;
        let space = self.place.space();
        let (mut ids, mut after) = (Vec::new(), 0);
        while after < plan.upto {
            let request = PackRequest::Ids { space, store: plan.store, after };
            let PackResponse::Ids(page) = self.handle.ask_pack(request).await? else {
                return Err(unexpected());
            };
            let Some((last, _)) = page.last() else { break };
            after = *last;
            ids.extend(page.into_iter().map(|(_, id)| id));
        }
        Ok(ids)
    }

    /// Writes the entries that the folder lacks.
    pub(super) async fn write_entries(&mut self, lacking: Lacking) -> Result<(), Failure> {
        let Lacking { mut store, lacking } = lacking;
        if lacking.is_empty() {
            return Ok(());
        }
        self.prepare().await?;
        let mut batch: Vec<VerifiedEntry> = Vec::new();
        let (mut bytes, mut at) = (0, 0);
        while at < lacking.len() {
            let window = &lacking[at..lacking.len().min(at + ENTRIES_PER_FRAME_MAX)];
            let (picked, looked_at) = self.pick(window).await?;
            at += looked_at;
            bytes += picked.iter().map(|entry| entry.bytes().len()).sum::<usize>();
            batch.extend(picked);
            let is_full = bytes + ENTRIES_BYTES_FULL > BATCH_BYTES_MAX
                || batch.len() + ENTRIES_PER_FRAME_MAX > BATCH_ENTRIES_MAX;
            if is_full || at == lacking.len() {
                store = self.append(store, std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
        }
        Ok(())
    }

    /// Entries of ours, and how many of the named ones were looked at.
    async fn pick(&self, named: &[EntryId]) -> Result<(Vec<VerifiedEntry>, usize), Failure> {
        let request = PackRequest::Pick { space: self.place.space(), entries: named.to_vec() };
        let PackResponse::Picked(picked) = self.handle.ask_pack(request).await? else {
            return Err(unexpected());
        };
        let bytes: usize = picked.iter().map(|entry| entry.bytes().len()).sum();
        // What was set aside meanwhile is not among them, so only a full page ends early.
        let last = picked.last().filter(|_| bytes >= ENTRIES_BYTES_FULL);
        let place = last.and_then(|last| named.iter().position(|id| *id == last.id()));
        let looked_at = place.map_or(named.len(), |at| at + 1);
        Ok((picked, looked_at))
    }

    async fn append(
        &mut self,
        mut store: FolderStore,
        entries: Vec<VerifiedEntry>,
    ) -> Result<FolderStore, Failure> {
        let folder = self.folder.clone();
        let (store, count) = blocking(move || {
            let batch = Batch { entries, ..Batch::default() };
            let new =
                store.append_all(&[batch]).map_err(|error| folder_failure(&folder, error, true))?;
            Ok((store, new.len() as u64))
        })
        .await?;
        self.counts.pushed += count;
        self.advance(count);
        Ok(store)
    }
}

/// Takes what was purged out of our own files in the folder, and out of our sight in those of
/// others.
async fn purge(
    mut store: FolderStore,
    documents: BTreeSet<DocumentId>,
) -> Result<FolderStore, Failure> {
    if documents.is_empty() {
        return Ok(store);
    }
    blocking(move || {
        let mut epoch = StoreEpoch([0; 16]);
        let Ok(()) = OsEntropy.try_fill_bytes(&mut epoch.0);
        if let Err(error) = store.purge(&documents, epoch) {
            // Such as in a folder that is only read here; the next round tries again.
            tracing::warn!(%error, "what was purged is still in the folder");
        }
        Ok(store)
    })
    .await
}

fn read_some(store: FolderStore, wanted: Vec<EntryId>) -> (FolderStore, ReadPart) {
    let mut part = ReadPart { entries: Vec::new(), looked_at: 0, failed: Vec::new() };
    let mut bytes = 0;
    for id in wanted {
        part.looked_at += 1;
        match store.verified(id) {
            Ok(Some(entry)) => {
                bytes += entry.bytes().len();
                part.entries.push(entry.bytes().to_vec());
            }
            Ok(None) => {}
            Err(error) => part.failed.push(error),
        }
        if bytes >= ENTRIES_BYTES_FULL {
            break;
        }
    }
    (store, part)
}
