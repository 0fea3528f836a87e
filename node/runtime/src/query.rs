//! Questions about what the documents of a space say, answered by looking at each.
//!
//! Invariants: other requests pass between two looks; an answer that takes too long says
//! where it stopped, and the next question goes on there.
//! Non-goal: words; search has an index of them.

use std::time::Duration;

use futures::{StreamExt, stream};
use node_core::{
    Failure, FailureKind, Request, Response,
    request::{Condition, DocumentView, Summary, Tallied, Tally},
};
use node_model::{DocumentId, SpaceId};

use crate::handle::{Handle, unexpected};

/// Longest time for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Documents that are asked for before the first of them is there.
const LOOKS_AT_ONCE: usize = 16;

/// Which documents.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only of this type.
    pub kind: Option<String>,
    /// Only of this app.
    pub app: Option<String>,
    /// Only those that say all of this.
    pub conditions: Vec<Condition>,
    /// Only those after this one, by id.
    pub after: Option<DocumentId>,
}

/// Documents that fit, by id.
#[derive(Clone, Debug, Default)]
pub struct QueryPage {
    /// What they are.
    pub found: Vec<Summary>,
    /// After which one there are more to look at.
    pub next: Option<DocumentId>,
}

/// What documents that fit add up to.
#[derive(Clone, Debug, PartialEq)]
pub struct TallyPage {
    /// What it comes to.
    pub tallied: Tallied,
    /// After which one there are more to look at, as time ran out.
    pub next: Option<DocumentId>,
}

impl Handle {
    /// Documents of a space that fit, at most `limit`.
    ///
    /// # Errors
    /// The node's [`Failure`].
    pub async fn query(
        &self,
        space: SpaceId,
        query: &Query,
        limit: usize,
    ) -> Result<QueryPage, Failure> {
        if query.conditions.is_empty() {
            let mut found = self.listed(space, query).await?;
            let is_more = found.len() > limit;
            found.truncate(limit);
            let next = found.last().map(|it| it.document).filter(|_| is_more);
            return Ok(QueryPage { found, next });
        }
        let mut found = Vec::new();
        let next = self.look_through(space, query, |summary, _| {
            found.push(summary);
            found.len() < limit
        });
        let next = next.await?;
        Ok(QueryPage { found, next })
    }

    /// What the documents of a space that fit add up to.
    ///
    /// # Errors
    /// The node's [`Failure`].
    pub async fn tally(
        &self,
        space: SpaceId,
        query: &Query,
        mut tally: Tally,
    ) -> Result<TallyPage, Failure> {
        let next = self.look_through(space, query, |_, view| {
            tally.add(&view.value);
            true
        });
        let next = next.await?;
        Ok(TallyPage { tallied: tally.finish(), next })
    }

    /// Shows what fits to `each` until it wants no more, and says after which document there
    /// are more to look at.
    async fn look_through(
        &self,
        space: SpaceId,
        query: &Query,
        mut each: impl FnMut(Summary, DocumentView) -> bool,
    ) -> Result<Option<DocumentId>, Failure> {
        let end = self.now() + ANSWER_MAX;
        let listed = self.listed(space, query).await?;
        let last = listed.last().map(|it| it.document);
        let looks = listed.into_iter().map(|it| async move {
            let document = it.document;
            (document, self.look(space, document).await)
        });
        let mut looks = stream::iter(looks).buffered(LOOKS_AT_ONCE);
        while let Some((document, looked)) = looks.next().await {
            let fitting = looked?.filter(|looked| {
                query.conditions.iter().all(|condition| condition.fits(&looked.1.value))
            });
            let goes_on = fitting.is_none_or(|(summary, view)| each(summary, view));
            if !goes_on || self.now() >= end {
                return Ok(Some(document).filter(|_| last != Some(document)));
            }
        }
        Ok(None)
    }

    /// Documents that may fit, by id, as far as their list says.
    async fn listed(&self, space: SpaceId, query: &Query) -> Result<Vec<Summary>, Failure> {
        let Response::Documents(mut listed) = self.request(Request::Documents { space }).await?
        else {
            return Err(unexpected());
        };
        listed.retain(|it| {
            query.kind.as_ref().is_none_or(|kind| *kind == it.kind)
                && (query.app.as_ref().is_none_or(|app| *app == it.app))
                && query.after.is_none_or(|after| it.document > after)
        });
        listed.sort_by_key(|it| it.document);
        Ok(listed)
    }

    /// A document; `None` where it went meanwhile, or cannot be read.
    pub(crate) async fn look(
        &self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<Option<(Summary, DocumentView)>, Failure> {
        match self.request(Request::LookAt { space, document }).await {
            Ok(Response::Looked(looked)) => Ok(looked.map(|looked| *looked)),
            Ok(_) => Err(unexpected()),
            // What is damaged is named by the doctor, and hides no other.
            Err(failure) if failure.kind == FailureKind::Storage => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}
