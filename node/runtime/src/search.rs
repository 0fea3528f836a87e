//! Search: a thread of its own owns the full-text index of all documents, keeps it
//! up to date and answers, us and connected peers.
//!
//! Invariants: the loop never waits for it (what changed is noted as a set of spaces,
//! and documents are read a few at a time); which spaces a question may see is decided
//! anew with each question, and what is not there any more is not shown.
//! Non-goals: the words inside files that are no documents.

mod calm;
mod catch_up;
mod inbox;
mod peers;
mod worker;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use node_core::{
    Failure, FailureKind, Request, Response,
    request::{FoundHit, Summary},
};
use node_model::{DeviceId, DocumentId, SpaceId, seal::SealKey};
use sync_engine_sqlite::search::{Hit, SearchError};
pub use sync_engine_sqlite::search::{Limit, MARK_END, MARK_START, QUERY_BYTES_MAX};
use tokio::sync::{mpsc, oneshot};
use trust_core::Role;

pub use self::peers::AskedPeer;
use self::worker::Worker;
pub(crate) use self::{
    inbox::Inbox,
    peers::{PEER_QUESTIONS_MAX, PeerQuestion, answer_peers},
};
use crate::{
    clock::Clock,
    driver::Call,
    handle::{Handle, stopping, unexpected},
};

/// Longest time from a question to its answer. Whoever types waits as long; the best
/// that was found until then is better than nothing.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How much of it a question waits for an index that is not up to date.
const CATCH_UP_MAX: Duration = Duration::from_secs(3);

/// Questions that may wait: a page, a few programs, and whoever asks again.
const QUESTIONS_MAX: usize = 32;

/// When the index is kept up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexing {
    /// All the time: for a node that stays.
    AsItGoes,
    /// From the first question on: for a node that is opened for one command, which
    /// shall not read an index for nothing.
    WhenAsked,
}

/// Where a document was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// On this node.
    Local,
    /// At a peer, which was asked.
    Peer {
        /// Which.
        device: DeviceId,
        /// What its person wants to be called.
        name: String,
    },
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchHit {
    /// Where.
    pub source: Source,
    /// What its space is called.
    pub space_name: String,
    /// What. Matched words of the snippet stand between [`MARK_START`] and [`MARK_END`].
    pub found: FoundHit,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchAnswer {
    /// Best first.
    pub hits: Vec<SearchHit>,
    /// Whether everything was looked through; else time ran out, or the index is
    /// not up to date.
    pub is_complete: bool,
    /// Whom else was asked, if that was wished.
    pub peers: Vec<AskedPeer>,
}

/// A question to the worker.
pub(crate) struct Question {
    text: String,
    spaces: Vec<SpaceId>,
    limit: Limit,
    /// On the monotonic clock.
    asked_at: Duration,
    answer: oneshot::Sender<Result<Answer, Failure>>,
}

/// What the worker says.
struct Answer {
    hits: Vec<Hit>,
    is_complete: bool,
}

/// The way to the worker.
pub(crate) struct Desk {
    questions: mpsc::Sender<Question>,
}

/// A worker's thread.
pub(crate) struct Running {
    pub(crate) inbox: Inbox,
    pub(crate) has_ended: oneshot::Receiver<()>,
}

/// What a worker needs.
pub(crate) struct SearchConfig {
    pub(crate) indexing: Indexing,
    /// `<data-dir>/views/search`.
    pub(crate) file: PathBuf,
    /// The device's seal for its own disk.
    pub(crate) key: SealKey,
    pub(crate) clock: Clock,
}

/// Starts the worker.
pub(crate) fn start(
    config: SearchConfig,
    node: mpsc::WeakSender<Call>,
) -> std::io::Result<(Desk, Running)> {
    let (questions, received) = mpsc::channel(QUESTIONS_MAX);
    let (ended, has_ended) = oneshot::channel();
    let desk = Desk { questions };
    let inbox = Inbox::default();
    let worker = Worker::new(config, inbox.clone(), received, node);
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new().name("kith-search".to_owned()).spawn(move || {
        runtime.block_on(worker.run());
        // Whoever wanted to know may have gone.
        let _ = ended.send(());
    })?;
    Ok((desk, Running { inbox, has_ended }))
}

impl Handle {
    /// Looks for words in the documents of all spaces that can be read here, or of one:
    /// see [`SearchIndex::search`](sync_engine_sqlite::search::SearchIndex::search) for
    /// what can be asked. Answers within seconds, if need be with what was found by then.
    ///
    /// # Errors
    /// [`Failure`]; [`FailureKind::Invalid`] when there is nothing to look for.
    pub async fn search(
        &self,
        text: &str,
        only: Option<SpaceId>,
        limit: Limit,
    ) -> Result<SearchAnswer, Failure> {
        let names = self.readable_spaces(only).await?;
        self.search_in(text, &names, limit).await
    }

    /// The same in these spaces.
    async fn search_in(
        &self,
        text: &str,
        names: &BTreeMap<SpaceId, String>,
        limit: Limit,
    ) -> Result<SearchAnswer, Failure> {
        let (answer, answered) = oneshot::channel();
        let desk = self.search_desk();
        let question = Question {
            text: text.to_owned(),
            spaces: names.keys().copied().collect(),
            limit,
            asked_at: self.now(),
            answer,
        };
        desk.questions.send(question).await.map_err(|_| stopping())?;
        let found = answered.await.map_err(|_| stopping())??;
        let mut hits = Vec::with_capacity(found.hits.len());
        for hit in found.hits {
            // The index may not have heard yet that a document was removed.
            let summary = self.summary(hit.space, hit.document).await?;
            let space_name = names.get(&hit.space).cloned();
            if let (Some(summary), Some(space_name)) = (summary, space_name) {
                let Hit { space, document, title, snippet, score } = hit;
                let kind = summary.kind;
                let found = FoundHit { space, document, kind, title, snippet, score };
                hits.push(SearchHit { source: Source::Local, space_name, found });
            }
        }
        Ok(SearchAnswer { hits, is_complete: found.is_complete, peers: vec![] })
    }

    /// The spaces that may be searched, with their names.
    async fn readable_spaces(
        &self,
        only: Option<SpaceId>,
    ) -> Result<BTreeMap<SpaceId, String>, Failure> {
        let Response::Spaces(spaces) = self.request(Request::Spaces).await? else {
            return Err(unexpected());
        };
        let mut names = BTreeMap::new();
        for info in spaces.into_iter().filter(|info| only.is_none_or(|only| only == info.space)) {
            // What was received before one left stays theirs to read.
            if info.role.is_none_or(|role| role.includes(Role::Reader)) {
                names.insert(info.space, info.name);
            } else if only.is_some() {
                // The node says who can mend it, and how.
                let failure = self.request(Request::Documents { space: info.space }).await.err();
                let message = "you keep a sealed copy of this space: there is nothing to search";
                let refused = failure.unwrap_or_else(Failure::no_such_space);
                let message = format!("{message}; {}", refused.message);
                return Err(Failure { message, ..refused });
            }
        }
        if names.is_empty() && only.is_some() {
            return Err(Failure::no_such_space());
        }
        Ok(names)
    }

    async fn summary(
        &self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<Option<Summary>, Failure> {
        Ok(self.look(space, document).await?.map(|(summary, _)| summary))
    }
}

fn failure(error: &SearchError) -> Failure {
    let (kind, fix) = match error {
        SearchError::NoWords | SearchError::TooLong | SearchError::TooManyWords => {
            (FailureKind::Invalid, "kith search \"two words\"")
        }
        SearchError::StampTooLong
        | SearchError::Full
        | SearchError::Index(_)
        | SearchError::Save(_) => (FailureKind::Storage, "stop the node, then: kith up"),
    };
    Failure::new(kind, error.to_string(), fix)
}

#[cfg(test)]
mod tests;
