//! Conflicts in documents: who said what, and what a person decides.
//!
//! Invariant: looking through a space goes in steps, so that nobody else waits for
//! all of it.
//! Non-goals: what a conflict is; see `sync-engine/core/src/document/conflicts.rs`.

mod ask;
mod escalate;
mod settle;
mod tally;

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, DeviceId, DocumentId, EntryId, SpaceId, Timestamp};
use serde_json::Value;
use sync_engine_core::{
    EngineError, content_document,
    document::conflicts::{Before, Conflict, ConflictId, ConflictKind, Escalation},
    entry::VerifiedEntry,
    path_document,
};
use trust_core::Role;

pub(crate) use self::tally::Tallies;
pub use self::{
    ask::{ConflictRequest, ConflictResponse},
    settle::{BadKeep, Keep, KeepAll, LeftOpen, SettleReport},
    tally::ConflictTally,
};
use crate::{
    failure::{Failure, FailureKind},
    node::Node,
    serve::PREFIX_MIN,
};

/// Most documents looked through in one go: some tens of milliseconds at the usual
/// size.
const DOCUMENTS_AT_ONCE: usize = 64;

/// Where to look for conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictsOf {
    /// In this document, which may have been removed.
    Document(DocumentId),
    /// In the documents of the space that come after this one, also in removed ones.
    /// The answer goes as far as the first of them that has any, or stops before.
    After(Option<DocumentId>),
}

/// An answer to [`ConflictsOf`].
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictPage {
    /// By document, then by place.
    pub items: Vec<ConflictInfo>,
    /// Whether these are all conflicts of the documents that were looked through.
    pub is_complete: bool,
    /// After which document to go on; `None` when all were looked through.
    pub next: Option<DocumentId>,
}

/// A disagreement that waits for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictInfo {
    /// In which space.
    pub space: SpaceId,
    /// In which document.
    pub document: DocumentId,
    /// What people call the document.
    pub title: String,
    /// Its name.
    pub conflict: ConflictId,
    /// The place, as a JSON Pointer.
    pub place: String,
    /// What it is about.
    pub kind: ConflictKind,
    /// What was said, at least two; the first is what the document shows.
    pub sides: Vec<SideInfo>,
    /// What was there before.
    pub before: Before,
    /// Who left it to the space's admins, and was not answered.
    pub asked: Vec<AskedInfo>,
}

/// Somebody left a conflict to the admins of its space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedInfo {
    /// Why; may be empty.
    pub why: String,
    /// Who; empty when it is too long ago to be told.
    pub by: Vec<Author>,
    /// Whether we did.
    pub is_mine: bool,
    /// When, by their clock.
    pub at: Option<Timestamp>,
}

/// One of the things that were said.
#[derive(Clone, Debug, PartialEq)]
pub struct SideInfo {
    /// The value; `None` is a deletion.
    pub value: Option<Value>,
    /// Who said it; empty when it is too long ago to be told.
    pub by: Vec<Author>,
    /// Whether one of our own devices said it.
    pub is_mine: bool,
    /// When it was last said, by its writer's clock.
    pub at: Option<Timestamp>,
}

/// Somebody who wrote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Author {
    /// Who.
    pub agent: AgentId,
    /// What they want to be called.
    pub name: String,
}

impl Node {
    pub(crate) fn conflicts(
        &mut self,
        space: SpaceId,
        of: ConflictsOf,
    ) -> Result<ConflictPage, Failure> {
        self.need_role(space, Role::Reader)?;
        let mut page = ConflictPage { items: vec![], is_complete: true, next: None };
        match of {
            ConflictsOf::Document(document) => self.add_conflicts(space, document, &mut page)?,
            ConflictsOf::After(after) => {
                let mut documents = self.documents_to_look_at(space)?;
                documents.retain(|document| after.is_none_or(|after| *document > after));
                let mut last = after;
                for (looked_through, document) in documents.into_iter().enumerate() {
                    if looked_through == DOCUMENTS_AT_ONCE || !page.items.is_empty() {
                        page.next = last;
                        break;
                    }
                    // Whoever spoke alone contradicts nobody.
                    if self.sync.stored(space, document)?.len() > 1 {
                        self.add_conflicts(space, document, &mut page)?;
                    }
                    last = Some(document);
                }
            }
        }
        Ok(page)
    }

    fn add_conflicts(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        page: &mut ConflictPage,
    ) -> Result<(), Failure> {
        let found = self.sync.conflicts(space, document)?;
        page.is_complete &= found.is_complete;
        if found.items.is_empty() {
            return Ok(());
        }
        let title = self.sync.summary(space, document)?.title;
        let sides = found.items.iter().flat_map(|it| std::iter::once(&it.shown).chain(&it.others));
        let questions = found.items.iter().flat_map(|it| &it.asked).flat_map(|it| &it.entries);
        let wanted = sides.flat_map(|side| &side.entries).chain(questions).copied().collect();
        let authors = self.entry_authors(space, document, &wanted)?;
        let people = |entries: &BTreeSet<EntryId>| {
            let devices = entries.iter().filter_map(|entry| authors.get(entry).copied());
            let by = self.people_behind(devices);
            let is_mine = by.iter().any(|author| author.agent == self.trust.agent());
            (by, is_mine)
        };
        for Conflict { id, place, kind, shown, others, before, asked } in found.items {
            let sides = std::iter::once(shown).chain(others).map(|side| {
                let (by, is_mine) = people(&side.entries);
                SideInfo { value: side.value, by, is_mine, at: side.at }
            });
            let asked = asked.into_iter().map(|Escalation { why, entries, at }| {
                let (by, is_mine) = people(&entries);
                AskedInfo { why, by, is_mine, at }
            });
            let (sides, asked, title) = (sides.collect(), asked.collect(), title.clone());
            page.items.push(ConflictInfo {
                space,
                document,
                title,
                conflict: id,
                place,
                kind,
                sides,
                before,
                asked,
            });
        }
        Ok(())
    }

    /// The devices that wrote these entries of a document.
    fn entry_authors(
        &self,
        space: SpaceId,
        document: DocumentId,
        wanted: &BTreeSet<EntryId>,
    ) -> Result<BTreeMap<EntryId, DeviceId>, Failure> {
        let stored = self.sync.stored(space, document)?.into_iter();
        let entries = stored.filter_map(|bytes| VerifiedEntry::from_storage(bytes).ok());
        Ok(entries
            .filter(|entry| wanted.contains(&entry.id()))
            .map(|entry| (entry.id(), entry.header().author))
            .collect())
    }

    /// Whose devices these are, or were when they were not yet taken back.
    fn people_behind(&self, devices: impl Iterator<Item = DeviceId>) -> Vec<Author> {
        let agents = devices.filter_map(|device| self.trust.link_of(device));
        let agents: BTreeSet<AgentId> = agents.map(|link| link.agent).collect();
        agents.into_iter().map(|agent| Author { agent, name: self.trust.name_of(agent) }).collect()
    }

    /// A document, or with `includes_removed` one that was removed.
    pub(crate) fn find_any_document(
        &mut self,
        space: SpaceId,
        text: &str,
        includes_removed: bool,
    ) -> Result<DocumentId, Failure> {
        match includes_removed {
            true => self.find_document_or_removed(space, text),
            false => self.find_document(space, text),
        }
    }

    /// A document as [`Self::find_document`] finds it, else a removed one by its id,
    /// a unique beginning of it, its content id or its path.
    pub(crate) fn find_document_or_removed(
        &mut self,
        space: SpaceId,
        text: &str,
    ) -> Result<DocumentId, Failure> {
        match self.find_document(space, text) {
            Err(failure) if failure.kind == FailureKind::NotFound => {}
            found => return found,
        }
        let documents = self.sync.documents_with_removed(space)?;
        let derived = [content_document(space, text), path_document(space, text)];
        let exact = text.parse().into_iter().chain(derived).find(|it| documents.contains(it));
        if let Some(document) = exact {
            return Ok(document);
        }
        let begins =
            |it: &&DocumentId| text.len() >= PREFIX_MIN && it.to_string().starts_with(text);
        let found: Vec<_> = documents.iter().filter(begins).collect();
        match found[..] {
            [document] => Ok(*document),
            [] => Err(EngineError::NoSuchDocument.into()),
            [_, ..] => {
                let message =
                    format!("{} removed documents begin with {text:?}; use the id", found.len());
                Err(Failure::new(FailureKind::Invalid, message, "kith conflicts list SPACE"))
            }
        }
    }
}
