//! What is to be indexed of one space, a few documents at a time.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use node_core::{
    Failure, FailureKind, Request, Response,
    request::{Changes, DocumentView, Summary},
};
use node_model::{DocumentId, SpaceId};
use sync_engine_core::text::Searchable;
use sync_engine_sqlite::search::{Change, SearchError, SearchIndex};
use tokio::sync::{mpsc, oneshot};

use crate::{
    driver::Call,
    handle::{stopping, unexpected},
};

/// Documents that are indexed at once. SQLite takes a few hundred at a time best; a
/// search waits until they are in.
const BATCH: usize = 128;

/// Bytes of text that are indexed at once, unless one document has more.
const BATCH_BYTES: usize = 2 * 1024 * 1024;

/// Documents that wait in the loop at once. It takes what waits in one go; some
/// milliseconds are no burden for others.
const READ_AT_ONCE: usize = 8;

/// Types of documents that Kith keeps for itself and nobody looks for.
const UNSEARCHED: &[&str] = &["progress"];

/// A space that is being caught up with.
pub(super) struct CatchUp {
    space: SpaceId,
    changes: Changes,
    /// What the index has, where that matters.
    versions: BTreeMap<DocumentId, Vec<u8>>,
    gone: Vec<DocumentId>,
}

/// A document that was read.
struct Read {
    document: DocumentId,
    version: [u8; 32],
    /// `None` where there is nothing to find.
    text: Option<Searchable>,
}

/// How a batch went.
#[derive(Debug)]
pub(super) enum Batch {
    /// There are more.
    More,
    /// The index has everything up to the stamp; `true` where the store has more.
    Done(bool),
}

impl CatchUp {
    /// Asks what changed; `None` when there is nothing to do.
    pub(super) async fn begin(
        node: &mpsc::WeakSender<Call>,
        index: &mut SearchIndex,
        space: SpaceId,
    ) -> Result<Option<Self>, Trouble> {
        let since = index.stamp(space)?;
        let changes = match ask(node, Request::Changes { space, since: since.clone() }).await {
            Ok(Response::Changes(changes)) => changes,
            Ok(_) => return Err(Trouble::Node(unexpected())),
            Err(failure) => return Err(Trouble::Node(failure)),
        };
        let Some(mut changes) = changes else {
            if index.spaces()?.contains(&space) {
                index.apply(&[Change::RemoveSpace(space)])?;
            }
            return Ok(None);
        };
        if since.as_ref() == Some(&changes.stamp) {
            return Ok(None);
        }
        let mut versions = BTreeMap::new();
        let mut gone = Vec::new();
        if changes.is_all {
            versions = index.versions(space)?;
            let there: BTreeSet<DocumentId> = changes.documents.iter().copied().collect();
            gone.extend(versions.keys().filter(|document| !there.contains(document)));
        }
        // They are taken from the end.
        changes.documents.reverse();
        Ok(Some(Self { space, changes, versions, gone }))
    }

    /// Reads some documents and indexes them; says how many were there to index.
    pub(super) async fn batch(
        &mut self,
        node: &mpsc::WeakSender<Call>,
        index: &mut SearchIndex,
    ) -> Result<(Batch, usize), Trouble> {
        let mut read = Vec::new();
        let mut bytes = 0;
        while read.len() < BATCH && bytes < BATCH_BYTES && !self.changes.documents.is_empty() {
            let rest = self.changes.documents.len().saturating_sub(READ_AT_ONCE);
            let space = self.space;
            let some = self.changes.documents.split_off(rest);
            let some: Vec<Read> = stream::iter(some)
                .map(|document| look(node, space, document))
                .buffered(READ_AT_ONCE)
                .try_collect()
                .await
                .map_err(Trouble::Node)?;
            bytes += some.iter().filter_map(|it| Some(it.text.as_ref()?.body.len())).sum::<usize>();
            read.extend(some);
        }
        let space = self.space;
        let gone = self.gone.drain(..).map(|document| Change::Remove { space, document });
        let mut changes: Vec<Change<'_>> = gone.collect();
        let mut count = 0;
        for Read { document, version, text } in &read {
            let is_known = self.versions.get(document).is_some_and(|known| known == version);
            match text {
                Some(_) if is_known => {}
                Some(text) => {
                    count += 1;
                    let document = *document;
                    changes.push(Change::Put { space, document, version, text });
                }
                None => changes.push(Change::Remove { space, document: *document }),
            }
        }
        let is_done = self.changes.documents.is_empty();
        if is_done {
            changes.push(Change::Stamp { space, stamp: &self.changes.stamp });
        }
        index.apply(&changes)?;
        let batch = if is_done { Batch::Done(self.changes.is_more) } else { Batch::More };
        Ok((batch, count))
    }

    pub(super) fn space(&self) -> SpaceId {
        self.space
    }
}

/// Why a space could not be caught up with.
#[derive(Debug)]
pub(super) enum Trouble {
    Node(Failure),
    Index(SearchError),
}

impl From<SearchError> for Trouble {
    fn from(error: SearchError) -> Self {
        Self::Index(error)
    }
}

async fn look(
    node: &mpsc::WeakSender<Call>,
    space: SpaceId,
    document: DocumentId,
) -> Result<Read, Failure> {
    let looked = match ask(node, Request::LookAt { space, document }).await {
        Ok(Response::Looked(looked)) => looked,
        Ok(_) => return Err(unexpected()),
        Err(failure) if failure.kind == FailureKind::Storage => {
            tracing::warn!(%space, %document, %failure, "a document cannot be indexed");
            None
        }
        Err(failure) => return Err(failure),
    };
    let none = Read { document, version: [0; 32], text: None };
    Ok(looked.map_or(none, |looked| {
        let (summary, view) = *looked;
        read(&summary, &view)
    }))
}

fn read(summary: &Summary, view: &DocumentView) -> Read {
    let mut hasher = blake3::Hasher::new_derive_key("kith 2026-11 indexed version");
    for head in &view.heads {
        hasher.update(head.as_bytes());
    }
    let is_searched = !UNSEARCHED.contains(&summary.kind.as_str());
    let text = is_searched.then(|| Searchable::of(&view.meta, summary, &view.value));
    Read { document: view.document, version: *hasher.finalize().as_bytes(), text }
}

/// Asks the loop, unless nobody needs the node any more.
async fn ask(node: &mpsc::WeakSender<Call>, request: Request) -> Result<Response, Failure> {
    let (answer, answered) = oneshot::channel();
    let node = node.upgrade().ok_or_else(stopping)?;
    let call = Call::Request { request: Box::new(request), answer };
    node.send(call).await.map_err(|_| stopping())?;
    drop(node);
    answered.await.map_err(|_| stopping())?
}
