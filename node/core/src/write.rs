//! Writes of people and programs: staged at once, answered when they are durable.

use node_model::{DocumentId, Now, SpaceId};
use serde_json::Value;
use sync_engine_core::{EngineError, Flushed, SyncEngine, Writer, document::Meta};
use trust_core::Role;

use crate::{
    conflicts::{ConflictResponse, SettleReport},
    failure::Failure,
    node::{Node, RequestId},
    request::Response,
};

/// Most documents in one write.
const WRITE_DOCUMENTS_MAX: usize = 10_000;

/// A document to write.
#[derive(Clone, Debug)]
pub struct WriteDocument {
    /// Its id; the same id again updates it.
    pub document: DocumentId,
    /// What Kith notes about it.
    pub meta: Meta,
    /// What it holds: a JSON object.
    pub value: Value,
}

/// What a write staged.
#[derive(Debug)]
pub(crate) enum Staged {
    /// Changes of these documents.
    Documents(Vec<DocumentId>),
    /// Decisions about conflicts.
    Settled(SettleReport),
}

impl From<Vec<DocumentId>> for Staged {
    fn from(documents: Vec<DocumentId>) -> Self {
        Self::Documents(documents)
    }
}

impl From<SettleReport> for Staged {
    fn from(report: SettleReport) -> Self {
        Self::Settled(report)
    }
}

/// A write that waits for its commit.
#[derive(Debug)]
pub(crate) struct PendingWrite {
    id: RequestId,
    space: SpaceId,
    staged: Staged,
}

impl Node {
    pub(crate) fn serve_write<S: Into<Staged>>(
        &mut self,
        now: Now,
        id: RequestId,
        space: SpaceId,
        write: impl FnOnce(&mut SyncEngine, &mut Writer<'_>) -> Result<S, Failure>,
    ) {
        let ready = self.need_role(space, Role::Writer);
        if let Err(failure) = ready.and_then(|()| self.prepare_to_write(now, space)) {
            self.reply(id, Err(failure));
            return;
        }
        let (engine, mut writer) = self.writer(now);
        match engine.atomically(space, |engine| write(engine, &mut writer)) {
            Ok(staged) => {
                let pending = PendingWrite { id, space, staged: staged.into() };
                #[cfg(feature = "planted-bugs")]
                if node_model::planted::active(node_model::planted::Bug::AcknowledgedBeforeCommit) {
                    self.answer_write(pending);
                    return;
                }
                self.writes.push(pending);
            }
            Err(failure) => self.reply(id, Err(failure)),
        }
    }

    pub(crate) fn answer_writes(&mut self, flushed: &Flushed) {
        for write in std::mem::take(&mut self.writes) {
            match flushed.result(write.space) {
                Ok(()) => self.answer_write(write),
                Err(error) => self.reply(write.id, Err(error.into())),
            }
        }
    }

    fn answer_write(&mut self, write: PendingWrite) {
        let documents = match write.staged {
            Staged::Documents(documents) => documents,
            Staged::Settled(report) => {
                let settled = ConflictResponse::Settled(report);
                return self.reply(write.id, Ok(Response::Conflict(settled)));
            }
        };
        // Heads of many documents would load them all again for nobody.
        let with_heads = documents.len() == 1;
        let written = documents.into_iter().map(|document| {
            let heads = if with_heads {
                self.sync.document(write.space, document).map(|d| d.heads()).unwrap_or_default()
            } else {
                vec![]
            };
            (document, heads)
        });
        let written = written.collect();
        self.reply(write.id, Ok(Response::Written(written)));
    }
}

pub(crate) fn write_documents(
    engine: &mut SyncEngine,
    writer: &mut Writer<'_>,
    space: SpaceId,
    documents: Vec<WriteDocument>,
) -> Result<Vec<DocumentId>, Failure> {
    if documents.len() > WRITE_DOCUMENTS_MAX {
        return Err(EngineError::TooLarge.into());
    }
    let mut written = Vec::with_capacity(documents.len());
    for WriteDocument { document, meta, value } in documents {
        engine.write_document(writer, space, document, &meta, &value)?;
        written.push(document);
    }
    Ok(written)
}
