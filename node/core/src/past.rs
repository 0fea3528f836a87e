//! Looking back at documents, and bringing back what they were.
//!
//! Non-goals: how; see `sync-engine/core/src/document/past.rs` and `restore.rs` beside it.

use node_model::{DeviceId, DocumentId, Now, SpaceId};
use sync_engine_core::{
    EngineError,
    document::{At, ChangeName, DocumentError, HistoryItem, PastValue},
};
use trust_core::Role;

use crate::{
    conflicts::Author,
    failure::{Failure, FailureKind},
    node::{Node, RequestId},
    request::{DocumentView, Response},
};

/// Most changes in one answer: with what each of them did, a megabyte or two.
pub const HISTORY_MAX: usize = 200;

/// A question about the past of a document, or the wish to have it back.
#[derive(Clone, Debug)]
pub struct PastRequest {
    /// The space.
    pub space: SpaceId,
    /// The document; to look back at, it may have been removed.
    pub document: DocumentId,
    /// What about it.
    pub of: PastOf,
}

/// What is wanted of the past.
#[derive(Clone, Debug)]
pub enum PastOf {
    /// The changes, newest first. → [`Response::History`]
    History {
        /// Only those that come after this one in the answer.
        before: Option<ChangeName>,
        /// At most so many, and at most [`HISTORY_MAX`].
        limit: usize,
    },
    /// What it held. → [`Response::Document`]
    Value(At),
    /// Makes it what it was, by one more change. → [`Response::Written`]
    Restore(At),
}

/// A part of the history of a document, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryView {
    /// The changes.
    pub changes: Vec<ChangeInfo>,
    /// How many changes there are in all.
    pub total: usize,
    /// Whether there are older ones.
    pub is_more: bool,
}

/// A change and who made it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeInfo {
    /// The change.
    pub item: HistoryItem,
    /// The device that signed it.
    pub device: DeviceId,
    /// What its owner calls it, where that is known.
    pub device_name: Option<String>,
    /// Whose device it is, where that is known.
    pub author: Option<Author>,
}

impl Node {
    pub(crate) fn serve_past(&mut self, now: Now, id: RequestId, request: PastRequest) {
        let PastRequest { space, document, of } = request;
        let answer = match of {
            PastOf::History { before, limit } => {
                self.history(space, document, before.as_ref(), limit).map(Response::History)
            }
            PastOf::Value(at) => self.past_value(space, document, &at).map(Response::Document),
            PastOf::Restore(at) => {
                return self.serve_write(now, id, space, |engine, writer| {
                    engine.restore(writer, space, document, &at).map_err(not_restored)?;
                    Ok(vec![document])
                });
            }
        };
        self.reply(id, answer);
    }

    fn history(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        before: Option<&ChangeName>,
        limit: usize,
    ) -> Result<HistoryView, Failure> {
        self.need_role(space, Role::Reader)?;
        let page = self.sync.history(space, document, before, limit.clamp(1, HISTORY_MAX))?;
        let writers = self.sync.writers(space, &page)?;
        let own = self.trust.device();
        let changes = page.items.into_iter().map(|item| {
            let device = writers.get(&item.entry).copied().unwrap_or(own);
            let facts = self.trust.link_of(device);
            let author = facts.map(|facts| facts.agent);
            ChangeInfo {
                item,
                device,
                device_name: facts.map(|facts| facts.name.clone()),
                author: author.map(|agent| Author { agent, name: self.trust.name_of(agent) }),
            }
        });
        Ok(HistoryView { changes: changes.collect(), total: page.total, is_more: page.is_more })
    }

    fn past_value(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        at: &At,
    ) -> Result<DocumentView, Failure> {
        self.need_role(space, Role::Reader)?;
        let (PastValue { heads, value }, meta) = self.sync.value_at(space, document, at)?;
        Ok(DocumentView { document, heads, meta, value, durability: None, refused: 0 })
    }
}

/// A tombstone holds whatever comes after it: what it removed comes back only as another
/// document.
fn not_restored(error: EngineError) -> Failure {
    if matches!(error, EngineError::Document(DocumentError::Removed)) {
        let message = "the document was removed, and stays so; what it held can be read";
        let fix =
            "kith doc get SPACE DOC --at CHANGE > it.json, and: kith doc new SPACE --from it.json";
        return Failure::new(FailureKind::NotFound, message, fix);
    }
    error.into()
}
