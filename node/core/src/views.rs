//! Requests of those who keep something that is derived from documents.

use node_model::{DocumentId, SpaceId};
use sync_engine_core::{EngineError, document::DocumentError};
use trust_core::Role;

use crate::{
    effect::Effect,
    failure::Failure,
    node::Node,
    request::{DocumentView, Response},
};

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
