//! What this node keeps of a space: everything, or some documents, for a device with little
//! room.
//!
//! Invariants: what was written here is kept, too, so that it goes out; keeping less removes
//! nothing; who keeps a part does not say that it holds the space.
//! Non-goals: removing what is here; files, which follow the documents that name them.

use std::collections::BTreeSet;

use node_model::{DocumentId, SpaceId};
use serde::{Deserialize, Serialize};
use sync_engine_core::{EngineError, content_document, path_document, store::StoreError};
use trust_core::Role;

use crate::{
    failure::{Failure, FailureKind},
    node::Node,
    request::{PartInfo, Response},
};

/// Begins the names of notes that say what is kept.
const NOTE: &str = "keep/";

/// Documents that a person names at once: more than fit on a command line.
const NAMED_MAX: usize = 1_024;

/// What was chosen; `None` is everything.
type Choice = Option<Chosen>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Chosen {
    documents: BTreeSet<DocumentId>,
}

impl Node {
    pub(crate) fn keep(
        &mut self,
        space: SpaceId,
        named: Option<&[String]>,
    ) -> Result<Response, Failure> {
        self.need_role(space, Role::Custodian)?;
        let choice = match named {
            Some(named) => Some(self.chosen(space, named)?),
            None => None,
        };
        let before: Choice = self.choice(space);
        self.trust.put_note(&format!("{NOTE}{space}"), &choice)?;
        if let Err(error) = self.sync.keep(space, choice.map(|chosen| chosen.documents)) {
            self.trust.put_note(&format!("{NOTE}{space}"), &before)?;
            return Err(EngineError::from(error).into());
        }
        self.find_space(&space.to_string()).map(Response::Space)
    }

    fn choice(&self, space: SpaceId) -> Choice {
        self.trust.note::<Choice>(&format!("{NOTE}{space}")).flatten()
    }

    fn chosen(&mut self, space: SpaceId, named: &[String]) -> Result<Chosen, Failure> {
        if named.len() > NAMED_MAX {
            let message = format!("at most {NAMED_MAX} documents can be named at once");
            return Err(Failure::new(FailureKind::Invalid, message, "kith space keep --help"));
        }
        let mut documents = BTreeSet::new();
        for text in named {
            if text.is_empty() {
                let message = "a document has an id, a content id or a path";
                return Err(Failure::new(FailureKind::Invalid, message, "kith doc list SPACE"));
            }
            match (text.parse(), self.find_document(space, text)) {
                (Ok(id), _) | (Err(_), Ok(id)) => {
                    documents.insert(id);
                }
                // It need not be here to be chosen: its id derives from what it is called.
                (Err(_), Err(failure)) if failure.kind == FailureKind::NotFound => {
                    documents.extend([content_document(space, text), path_document(space, text)]);
                }
                (Err(_), Err(failure)) => return Err(failure),
            }
        }
        Ok(Chosen { documents })
    }

    /// What was chosen in an earlier run, for a space that has just been opened.
    pub(crate) fn recall_kept(&mut self, space: SpaceId) -> Result<(), StoreError> {
        match self.choice(space) {
            Some(chosen) => self.sync.keep(space, Some(chosen.documents)),
            None => Ok(()),
        }
    }

    pub(crate) fn part_info(&self, space: SpaceId) -> Option<PartInfo> {
        let kept = self.sync.kept(space)?;
        Some(PartInfo { documents: kept.documents, here: kept.here })
    }

    /// Connected peers that keep a part of a space only.
    pub(crate) fn partial_peers(&self, space: SpaceId) -> usize {
        self.data.connected().filter(|peer| self.sync.has_partial_peer(space, *peer)).count()
    }

    pub(crate) fn find_any_document(
        &mut self,
        space: SpaceId,
        text: &str,
        includes_removed: bool,
    ) -> Result<DocumentId, Failure> {
        if includes_removed {
            self.find_document_or_removed(space, text)
        } else {
            self.find_document(space, text)
        }
    }
}
