//! What this node keeps of a space: everything, or some documents, for a device with little
//! room.
//!
//! Invariants: what was written here is kept, too, and what nobody else was known to have
//! when less was kept, so that it goes out; keeping less removes nothing; who keeps a part
//! does not say that it holds the space.
//! Non-goals: removing what is here; files, which follow the documents that name them.

use std::collections::BTreeSet;

use node_model::{AgentId, DocumentId, SpaceId};
use serde::{Deserialize, Serialize};
use sync_engine_core::{
    EngineError, content_document, path_document,
    rule::{RULE_NAMES_MAX, Rule},
    store::StoreError,
};
use trust_core::Role;

use crate::{
    failure::{Failure, FailureKind},
    node::Node,
    request::{KeptBy, PartInfo, Response},
};

/// Begins the names of notes that say what is kept.
const NOTE: &str = "keep/";

/// Documents that a person names at once: more than fit on a command line.
const NAMED_MAX: usize = 1_024;

/// What was chosen; `None` is everything.
type Choice = Option<Chosen>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Chosen {
    /// Those that were named, and those that peers said the rule chooses.
    documents: BTreeSet<DocumentId>,
    rule: Rule,
    /// A name that nothing here has is a content id or a path: the two ids that it may stand for.
    #[serde(default)]
    twins: BTreeSet<(DocumentId, DocumentId)>,
}

impl Node {
    pub(crate) fn keep(
        &mut self,
        space: SpaceId,
        part: Option<KeptBy>,
    ) -> Result<Response, Failure> {
        self.need_role(space, Role::Custodian)?;
        let choice = match part {
            Some(KeptBy { documents, rule }) => Some(self.chosen(space, &documents, rule)?),
            None => None,
        };
        let before: Choice = self.choice(space);
        self.trust.put_note(&format!("{NOTE}{space}"), &choice)?;
        let elsewhere = self.elsewhere_up_to(space);
        if let Err(error) = self.apply_choice(space, choice, elsewhere) {
            self.trust.put_note(&format!("{NOTE}{space}"), &before)?;
            self.apply_choice(space, before, u64::MAX)?;
            return Err(error.into());
        }
        self.note_chosen(space);
        self.find_space(&space.to_string()).map(Response::Space)
    }

    /// What came after the place up to which others have everything is kept whatever is chosen.
    fn apply_choice(
        &mut self,
        space: SpaceId,
        choice: Choice,
        elsewhere_up_to: u64,
    ) -> Result<(), EngineError> {
        let (documents, rule) = match choice {
            Some(Chosen { documents, rule, twins: _ }) => (Some(documents), rule),
            None => (None, Rule::default()),
        };
        self.sync.keep(space, documents, elsewhere_up_to)?;
        self.sync.choose_by(space, rule)
    }

    /// More documents are chosen: remembers them, so that they are kept after a restart, too.
    pub(crate) fn note_chosen(&mut self, space: SpaceId) {
        let (Some(chosen), Some(documents)) = (self.choice(space), self.sync.kept_documents(space))
        else {
            return;
        };
        let chosen = Some(Chosen { documents, ..chosen });
        if let Err(error) = self.trust.put_note(&format!("{NOTE}{space}"), &chosen) {
            // They are asked for again after a restart.
            tracing::warn!(%space, %error, "could not remember what is kept");
        }
    }

    /// Those of some spaces of which an agent may read everything: an answer says of what was
    /// before somebody came whether it is of a type, in a folder or of a time.
    pub(crate) fn read_by(&self, agent: AgentId, spaces: &BTreeSet<SpaceId>) -> BTreeSet<SpaceId> {
        let facts = &self.trust.graph().spaces;
        let reads = |space: &&SpaceId| {
            let Some(facts) = facts.get(space) else { return false };
            let is_reader = facts.members.get(&agent).is_some_and(|it| it.role.holds_keys());
            is_reader && (facts.has_open_history || agent == self.trust.agent())
        };
        spaces.iter().filter(reads).copied().collect()
    }

    fn choice(&self, space: SpaceId) -> Choice {
        self.trust.note::<Choice>(&format!("{NOTE}{space}")).flatten()
    }

    fn chosen(&mut self, space: SpaceId, named: &[String], rule: Rule) -> Result<Chosen, Failure> {
        if !rule.is_within_bounds() {
            let message = format!("at most {RULE_NAMES_MAX} types and folders can be named");
            return Err(Failure::new(FailureKind::Invalid, message, "kith space keep --help"));
        }
        let Some(rule) = rule.canonical() else {
            let message = "a folder is named by its path within the space";
            return Err(Failure::new(FailureKind::Invalid, message, "kith doc list SPACE"));
        };
        if !rule.is_empty() {
            self.need_role(space, Role::Reader)?;
        }
        if named.len() > NAMED_MAX {
            let message = format!("at most {NAMED_MAX} documents can be named at once");
            return Err(Failure::new(FailureKind::Invalid, message, "kith space keep --help"));
        }
        let (mut documents, mut twins) = (BTreeSet::new(), BTreeSet::new());
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
                    let twin = (content_document(space, text), path_document(space, text));
                    documents.extend([twin.0, twin.1]);
                    twins.insert(twin);
                }
                (Err(_), Err(failure)) => return Err(failure),
            }
        }
        Ok(Chosen { documents, rule, twins })
    }

    /// What was chosen in an earlier run, for a space that has just been opened.
    pub(crate) fn recall_kept(&mut self, space: SpaceId) -> Result<(), StoreError> {
        let Some(chosen) = self.choice(space) else { return Ok(()) };
        match self.apply_choice(space, Some(chosen), u64::MAX) {
            Err(EngineError::Store(error)) => Err(error),
            // The rest is about documents, which nobody can read yet.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    pub(crate) fn part_info(&self, space: SpaceId) -> Option<PartInfo> {
        let kept = self.sync.kept(space)?;
        let Chosen { rule, twins, .. } = self.choice(space).unwrap_or_default();
        let is_here = |document| self.sync.is_stored(space, document).unwrap_or(false);
        let are_two = |twin: &&(DocumentId, DocumentId)| is_here(twin.0) && is_here(twin.1);
        let unused = (twins.len() - twins.iter().filter(are_two).count()) as u64;
        let documents = kept.documents.saturating_sub(unused);
        let has_answer = self.sync.has_answer(space);
        Some(PartInfo { documents, here: kept.here, rule, has_answer })
    }

    /// Connected peers that keep a part of a space only.
    pub(crate) fn partial_peers(&self, space: SpaceId) -> usize {
        self.data.connected().filter(|peer| self.sync.has_partial_peer(space, *peer)).count()
    }
}
