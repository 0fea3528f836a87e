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
    /// What the index has seen once all documents are in.
    stamp: Vec<u8>,
    /// They are taken from the end.
    documents: Vec<DocumentId>,
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
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Batch {
    /// There are more.
    More,
    /// The index has everything that was there at the beginning.
    Done,
}

impl CatchUp {
    /// Asks what changed; `None` when there is nothing to do.
    pub(super) async fn begin(
        node: &mpsc::WeakSender<Call>,
        index: &mut SearchIndex,
        space: SpaceId,
    ) -> Result<Option<Self>, Trouble> {
        let since = index.stamp(space)?;
        let Some(changes) = all_changes(node, space, since.clone()).await? else {
            if index.spaces()?.contains(&space) {
                index.apply(&[Change::RemoveSpace(space)])?;
            }
            return Ok(None);
        };
        let Changes { stamp, mut documents, is_all, .. } = changes;
        if since.as_ref() == Some(&stamp) {
            return Ok(None);
        }
        let mut versions = BTreeMap::new();
        let mut gone = Vec::new();
        if is_all {
            versions = index.versions(space)?;
            let there: BTreeSet<DocumentId> = documents.iter().copied().collect();
            gone.extend(versions.keys().filter(|document| !there.contains(document)));
        }
        documents.reverse();
        Ok(Some(Self { space, stamp, documents, versions, gone }))
    }

    /// Reads some documents and indexes them; says how many were there to index.
    pub(super) async fn batch(
        &mut self,
        node: &mpsc::WeakSender<Call>,
        index: &mut SearchIndex,
    ) -> Result<(Batch, usize), Trouble> {
        let mut read = Vec::new();
        let mut bytes = 0;
        while read.len() < BATCH && bytes < BATCH_BYTES && !self.documents.is_empty() {
            let rest = self.documents.len().saturating_sub(READ_AT_ONCE);
            let space = self.space;
            let some = self.documents.split_off(rest);
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
        let is_done = self.documents.is_empty();
        if is_done {
            changes.push(Change::Stamp { space, stamp: &self.stamp });
        }
        index.apply(&changes)?;
        let batch = if is_done { Batch::Done } else { Batch::More };
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

/// All that changed since a state, by document: one that changed many times is read once.
/// `None` where there is nothing to read.
async fn all_changes(
    node: &mpsc::WeakSender<Call>,
    space: SpaceId,
    mut since: Option<Vec<u8>>,
) -> Result<Option<Changes>, Trouble> {
    let mut documents = BTreeSet::new();
    let mut is_all = false;
    loop {
        let changes = match ask(node, Request::Changes { space, since }).await {
            Ok(Response::Changes(Some(changes))) => changes,
            Ok(Response::Changes(None)) => return Ok(None),
            Ok(_) => return Err(Trouble::Node(unexpected())),
            Err(failure) => return Err(Trouble::Node(failure)),
        };
        if changes.is_all {
            // What an earlier answer named may be gone.
            documents.clear();
            is_all = true;
        }
        documents.extend(changes.documents.iter().copied());
        if !changes.is_more {
            let documents = documents.into_iter().collect();
            return Ok(Some(Changes { documents, is_all, ..changes }));
        }
        since = Some(changes.stamp);
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
