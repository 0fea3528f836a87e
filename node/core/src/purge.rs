//! Documents that an admin purged: said once, deleted at every node, refused from then on.
//!
//! Invariant: what the trust plane says is purged is deleted after the next flush, and again at
//! every start if the power went in between. A deletion that fails is tried again whenever
//! something about the space is heard.

use std::collections::BTreeSet;

use node_model::{DocumentId, Now, SpaceId, Timestamp, random_bytes};
use sync_engine_core::{EngineError, entry::VerifiedEntry, store::StoreEpoch};
use trust_core::{Action, Question, Role, Rule, Trust};

use crate::{
    effect::Effect,
    failure::{Failure, FailureKind},
    node::Node,
    request::Response,
};

/// Most documents that are purged at once: some forty statements.
const DOCUMENTS_MAX: usize = 1_000;

impl Node {
    /// Purges documents by what they are called: by its id also one that is not here.
    pub(crate) fn purge(
        &mut self,
        now: Now,
        space: SpaceId,
        names: &[String],
    ) -> Result<Response, Failure> {
        self.need_role(space, Role::Admin)?;
        if names.is_empty() || names.len() > DOCUMENTS_MAX {
            let message = format!("from 1 to {DOCUMENTS_MAX} documents are purged at once");
            return Err(Failure::new(FailureKind::Invalid, message, "kith doc purge --help"));
        }
        let found = names.iter().map(|name| self.find_to_purge(space, name));
        let documents: BTreeSet<DocumentId> = found.collect::<Result<_, _>>()?;
        let documents: Vec<DocumentId> = documents.into_iter().collect();
        self.trust.purge(now.wall, space, &documents)?;
        self.trust_changed(now);
        Ok(Response::Purged(documents))
    }

    fn find_to_purge(&mut self, space: SpaceId, text: &str) -> Result<DocumentId, Failure> {
        match self.find_document_or_removed(space, text) {
            Err(failure) if failure.kind == FailureKind::NotFound => {
                text.parse().map_err(|_| failure)
            }
            found => found,
        }
    }

    /// Deletes what is here of documents of a space that were purged. After a flush, when
    /// nothing is staged.
    pub(crate) fn purge_what_is_due(&mut self, space: SpaceId) {
        let facts = self.trust.graph().spaces.get(&space);
        let all: BTreeSet<DocumentId> =
            facts.into_iter().flat_map(|facts| facts.membership.purged.keys().copied()).collect();
        let before = self.collection.purged.get(&space);
        if before == Some(&all) || (before.is_none() && all.is_empty()) {
            return;
        }
        let epoch = StoreEpoch(random_bytes(self.entropy.as_mut()));
        match self.sync.purge(space, &all, epoch) {
            Ok(purged) => {
                if purged.entries > 0 {
                    let (entries, blobs) = (purged.entries, purged.blobs.len());
                    tracing::info!(%space, entries, blobs, "purged");
                    self.effects.push_back(Effect::Purged { space });
                }
                if purged.has_traces {
                    tracing::warn!(%space, "bytes of purged documents are wiped at the next start");
                }
                self.collection.purged.insert(space, all);
            }
            // A store that could not be opened is purged once it can be.
            Err(EngineError::NoSuchSpace) => {}
            Err(error) => tracing::error!(%space, %error, "could not purge"),
        }
    }
}

/// Whether an entry is of a document that was purged; noted.
pub(crate) fn is_purged(trust: &mut Trust, now: Timestamp, entry: &VerifiedEntry) -> bool {
    let header = entry.header();
    let facts = trust.graph().spaces.get(&header.space);
    if facts.is_none_or(|facts| facts.membership.purged.is_empty()) {
        return false;
    }
    let action = Action::Keep(header.space, header.document);
    let question = Question { device: header.author, action };
    let decision = trust.decide(question);
    let is_purged = decision.rule == Rule::Purged;
    if is_purged {
        trust.note_decision(now, question, &decision);
    }
    is_purged
}
