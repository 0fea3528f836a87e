//! What is asked about conflicts, and what is answered.

use node_model::{DocumentId, Now, SpaceId};
use sync_engine_core::document::conflicts::ConflictId;

use super::{ConflictPage, ConflictTally, ConflictsOf, Keep, KeepAll, SettleReport};
use crate::{
    node::{Node, RequestId},
    request::Response,
};

/// What is asked about conflicts.
#[derive(Clone, Debug)]
pub enum ConflictRequest {
    /// What in documents waits for a person. → [`ConflictResponse::Page`]
    List {
        /// The space.
        space: SpaceId,
        /// Where to look.
        of: ConflictsOf,
    },
    /// How much in a space waits for a person. Each request looks at some more documents
    /// until all were looked at. → [`ConflictResponse::Tally`]
    Tally {
        /// The space.
        space: SpaceId,
    },
    /// Settles a conflict. → [`Response::Written`], with the document that holds the
    /// content now: another one after a removed one was restored.
    Settle {
        /// The space.
        space: SpaceId,
        /// The document.
        document: DocumentId,
        /// Which conflict.
        conflict: ConflictId,
        /// What is to stay.
        keep: Keep,
    },
    /// Leaves a conflict to the admins of the space. → [`Response::Written`]
    Escalate {
        /// The space.
        space: SpaceId,
        /// The document.
        document: DocumentId,
        /// Which conflict.
        conflict: ConflictId,
        /// Why, in at most [`sync_engine_core::document::conflicts::WHY_BYTES_MAX`] bytes; may be empty.
        why: String,
    },
    /// Takes back that it was left to them. → [`Response::Written`]
    Withdraw {
        /// The space.
        space: SpaceId,
        /// The document.
        document: DocumentId,
        /// Which conflict.
        conflict: ConflictId,
    },
    /// Settles all conflicts of a document, or of some documents of a space, in favour of
    /// one side. → [`ConflictResponse::Settled`]
    SettleAll {
        /// The space.
        space: SpaceId,
        /// Where.
        of: ConflictsOf,
        /// Whose side.
        keep: KeepAll,
    },
    /// Takes back a decision of our own, if the document was not changed since.
    /// → [`Response::Written`]
    TakeBack {
        /// The space.
        space: SpaceId,
        /// The document.
        document: DocumentId,
        /// The head that the decision was answered with.
        change: String,
    },
}

/// What is answered about conflicts.
#[derive(Clone, Debug)]
pub enum ConflictResponse {
    /// To [`ConflictRequest::List`].
    Page(ConflictPage),
    /// To [`ConflictRequest::Tally`].
    Tally(ConflictTally),
    /// To [`ConflictRequest::SettleAll`].
    Settled(SettleReport),
}

impl Node {
    pub(crate) fn serve_conflict(&mut self, now: Now, id: RequestId, request: ConflictRequest) {
        let answer = match request {
            ConflictRequest::List { space, of } => {
                self.conflicts(space, of).map(ConflictResponse::Page)
            }
            ConflictRequest::Tally { space } => {
                self.conflict_tally(space).map(ConflictResponse::Tally)
            }
            ConflictRequest::Settle { space, document, conflict, keep } => {
                return self.resolve_conflict(now, id, space, (document, conflict, keep));
            }
            ConflictRequest::Escalate { space, document, conflict, why } => {
                return self.escalate(now, id, space, (document, conflict, &why));
            }
            ConflictRequest::Withdraw { space, document, conflict } => {
                return self.withdraw(now, id, space, (document, conflict));
            }
            ConflictRequest::SettleAll { space, of, keep } => {
                return self.settle_all(now, id, space, (of, keep));
            }
            ConflictRequest::TakeBack { space, document, change } => {
                return self.take_back_decision(now, id, space, (document, &change));
            }
        };
        self.reply(id, answer.map(Response::Conflict));
    }
}
