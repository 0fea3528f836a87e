//! Taking in what a peer sent, once it is verified.

use super::{Delivered, Job, JobId, SyncEngine};
use crate::{
    entry::{EntryError, VerifiedEntry},
    store::Batch,
};

impl SyncEngine {
    /// The verdicts on a batch. `may_write` is the trust plane's word on its
    /// authors. Good entries are staged; bad ones are left out, each by itself.
    pub fn on_verified(
        &mut self,
        job: JobId,
        results: Vec<Result<VerifiedEntry, EntryError>>,
        may_write: &mut dyn FnMut(&VerifiedEntry) -> bool,
    ) {
        let Some(answered) = self.jobs.get_mut(&job) else {
            return;
        };
        let (peer, space) = (answered.peer, answered.space);
        answered.results = Some(results);
        // Workers answer in any order. A cursor must not become durable before
        // the entries of the pages before it, so pages are taken in theirs.
        while let Some((first, Job { results: Some(_), .. })) =
            self.jobs.iter().find(|(_, job)| (job.peer, job.space) == (peer, space))
        {
            let first = *first;
            if let Some(job) = self.jobs.remove(&first) {
                self.stage(job, may_write);
            }
        }
    }

    fn stage(&mut self, job: Job, may_write: &mut dyn FnMut(&VerifiedEntry) -> bool) {
        let Job { peer, space, cursor, results } = job;
        let results = results.unwrap_or_default();
        let count = results.len();
        let mut entries = Vec::with_capacity(count);
        for result in results {
            match result {
                Ok(entry) if entry.header().space != space => {
                    tracing::warn!(%peer, %space, entry = %entry.id(), "entry of another space");
                    self.note_refused(space, peer, "it belongs to another space".to_owned());
                }
                Ok(entry) if !may_write(&entry) => {
                    let author = entry.header().author;
                    tracing::info!(%peer, %space, entry = %entry.id(), %author, "may not write");
                    self.note_refused(space, peer, self.why_refused(space, &entry));
                }
                Ok(entry) if !self.keeps(space, entry.header().document) => {
                    tracing::info!(%peer, %space, entry = %entry.id(), "not kept here");
                    self.note_refused(space, peer, "its document is not kept here".to_owned());
                }
                Ok(entry) => entries.push(entry),
                Err(error) => {
                    tracing::warn!(%peer, %space, %error, "bad entry");
                    self.note_refused(space, peer, error.to_string());
                }
            }
        }
        if let Err(error) = self.look_for_forks(space, &entries) {
            tracing::warn!(%space, %error, "could not compare numbers");
        }
        self.traffic(space, peer).pulled += entries.len() as u64;
        let refused = entries.len() < count;
        let session = self.sessions.get_mut(&(space, peer));
        let has_refused = session.map_or(refused, |session| session.note_refused(refused));
        let cursor = cursor.map(|cursor| crate::store::Cursor {
            has_refused: cursor.has_refused || has_refused,
            ..cursor
        });
        let batch = Batch { entries, source: Some(peer), cursor };
        self.arrived.entry(space).or_default().push((batch, Delivered { peer, refused }));
    }
}
