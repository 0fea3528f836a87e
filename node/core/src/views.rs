//! Requests of those who keep something that is derived from documents.

use node_model::{DocumentId, SpaceId};
use sync_engine_core::{EngineError, Event, Events, document::DocumentError};
use trust_core::Role;

use crate::{
    conflicts::Author,
    effect::Effect,
    failure::Failure,
    node::Node,
    request::{DocumentView, Response},
};

/// An entry that arrived, and who wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    /// Which, and how it came.
    pub event: Event,
    /// Whose device wrote it, as far as we know.
    pub by: Option<Author>,
}

/// What arrived in a space.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrivals {
    /// In the order of arrival.
    pub events: Vec<Arrived>,
    /// What to ask with next.
    pub stamp: Vec<u8>,
    /// Whether they begin with the first that there is.
    pub is_all: bool,
    /// Whether there are more after the stamp.
    pub is_more: bool,
}

impl Node {
    pub(crate) fn changes(
        &self,
        space: SpaceId,
        since: Option<&[u8]>,
    ) -> Result<Response, Failure> {
        if self.need_role(space, Role::Reader).is_err() {
            return Ok(Response::Changes(None));
        }
        Ok(Response::Changes(self.sync.changes_since(space, since)?))
    }

    pub(crate) fn arrivals(
        &self,
        space: SpaceId,
        since: Option<&[u8]>,
    ) -> Result<Response, Failure> {
        if self.need_role(space, Role::Reader).is_err() {
            return Ok(Response::Arrivals(None));
        }
        let Some(found) = self.sync.arrived_since(space, since)? else {
            return Ok(Response::Arrivals(None));
        };
        let Events { events, stamp, is_all, is_more } = found;
        let events = events.into_iter().map(|event| {
            let agent = self.trust.link_of(event.author).map(|link| link.agent);
            let by = agent.map(|agent| Author { agent, name: self.trust.name_of(agent) });
            Arrived { event, by }
        });
        let events = events.collect();
        Ok(Response::Arrivals(Some(Arrivals { events, stamp, is_all, is_more })))
    }

    pub(crate) fn unwritten(
        &self,
        space: SpaceId,
        documents: Vec<DocumentId>,
    ) -> Result<Response, Failure> {
        self.need_role(space, Role::Reader)?;
        Ok(Response::Unwritten(self.sync.unwritten(space, documents)?))
    }

    pub(crate) fn look_at(
        &mut self,
        space: SpaceId,
        document: DocumentId,
    ) -> Result<Response, Failure> {
        self.need_role(space, Role::Reader)?;
        let looked = self.sync.look_at(space, document, |it| {
            let view = DocumentView {
                document,
                heads: it.heads(),
                meta: it.meta(),
                value: it.value(),
                durability: None,
                refused: it.refused().len(),
            };
            Box::new((it.summary(document), view))
        });
        match looked {
            Ok(looked) => Ok(Response::Looked(Some(looked))),
            Err(
                EngineError::NoSuchDocument
                | EngineError::NoKey
                | EngineError::Document(DocumentError::Removed),
            ) => Ok(Response::Looked(None)),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells whoever derives something that there may be more to read.
    pub(crate) fn tell_unlocked(&mut self, space: SpaceId) {
        self.effects.push_back(Effect::Unlocked { space });
    }
}
