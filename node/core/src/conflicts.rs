//! Conflicts in documents: who said what, and what a person decides.
//!
//! Invariant: looking through a space goes in steps, so that nobody else waits for
//! all of it.
//! Non-goals: what a conflict is; see `sync-engine/core/src/document/conflicts.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use node_model::{AgentId, DeviceId, DocumentId, EntryId, Now, SpaceId, Timestamp};
use serde_json::Value;
use sync_engine_core::{DecisionError, content_document, path_document};
use sync_engine_core::{
    EngineError,
    document::conflicts::{Before, Conflict, ConflictId, ConflictKind, Resolution, ResolveError},
    entry::VerifiedEntry,
};
use trust_core::Role;

use crate::{
    failure::{Failure, FailureKind},
    node::{Node, RequestId},
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

/// What is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// What is shown.
    Shown,
    /// The side that our own devices wrote.
    Mine,
    /// The side that somebody else wrote.
    Theirs,
    /// All sides, beside each other.
    Both,
    /// What was there before.
    Undo,
    /// A side by its place in [`ConflictInfo::sides`].
    Side(usize),
}

/// The text says nothing about what is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("say shown, mine, theirs, both, undo or the number of a side")]
pub struct BadKeep;

impl FromStr for Keep {
    type Err = BadKeep;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "shown" => Ok(Self::Shown),
            "mine" => Ok(Self::Mine),
            "theirs" => Ok(Self::Theirs),
            "both" => Ok(Self::Both),
            "undo" => Ok(Self::Undo),
            number => number.parse().map(Self::Side).map_err(|_| BadKeep),
        }
    }
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
                let mut documents = self.sync.documents_with_removed(space)?;
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
        let authors = self.entry_authors(space, document, &found.items)?;
        for Conflict { id, place, kind, shown, others, before } in found.items {
            let sides = std::iter::once(shown).chain(others).map(|side| {
                let devices = side.entries.iter().filter_map(|entry| authors.get(entry).copied());
                let by = self.people_behind(devices);
                let is_mine = by.iter().any(|author| author.agent == self.trust.agent());
                SideInfo { value: side.value, by, is_mine, at: side.at }
            });
            let (sides, title) = (sides.collect(), title.clone());
            page.items.push(ConflictInfo {
                space,
                document,
                title,
                conflict: id,
                place,
                kind,
                sides,
                before,
            });
        }
        Ok(())
    }

    /// The devices that wrote the entries of conflicts.
    fn entry_authors(
        &self,
        space: SpaceId,
        document: DocumentId,
        conflicts: &[Conflict],
    ) -> Result<BTreeMap<EntryId, DeviceId>, Failure> {
        let sides = conflicts.iter().flat_map(|it| std::iter::once(&it.shown).chain(&it.others));
        let wanted: BTreeSet<EntryId> = sides.flat_map(|side| &side.entries).copied().collect();
        let stored = self.sync.stored(space, document)?.into_iter();
        let entries = stored.filter_map(|bytes| VerifiedEntry::from_storage(bytes).ok());
        Ok(entries
            .filter(|entry| wanted.contains(&entry.id()))
            .map(|entry| (entry.id(), entry.header().author))
            .collect())
    }

    /// Whose devices these are, or were when they were not yet taken back.
    fn people_behind(&self, devices: impl Iterator<Item = DeviceId>) -> Vec<Author> {
        let known = &self.trust.graph().devices;
        let agents: BTreeSet<AgentId> =
            devices.filter_map(|device| known.get(&device).map(|facts| facts.agent)).collect();
        agents.into_iter().map(|agent| Author { agent, name: self.trust.name_of(agent) }).collect()
    }

    pub(crate) fn resolve_conflict(
        &mut self,
        now: Now,
        id: RequestId,
        space: SpaceId,
        (document, conflict, keep): (DocumentId, ConflictId, Keep),
    ) {
        let ready = self.need_role(space, Role::Writer);
        match ready.and_then(|()| self.resolution(space, (document, conflict, keep))) {
            Ok(resolution) => self.serve_write(now, id, space, |engine, writer| {
                let holder = engine.resolve(writer, space, document, (conflict, resolution))?;
                Ok(vec![holder])
            }),
            Err(failure) => self.reply(id, Err(failure)),
        }
    }

    fn resolution(
        &mut self,
        space: SpaceId,
        (document, conflict, keep): (DocumentId, ConflictId, Keep),
    ) -> Result<Resolution, Failure> {
        let is_mine = match keep {
            Keep::Shown => return Ok(Resolution::KeepShown),
            Keep::Both => return Ok(Resolution::KeepBoth),
            Keep::Undo => return Ok(Resolution::Undo),
            Keep::Side(at) => return Ok(side(at)),
            Keep::Mine => true,
            Keep::Theirs => false,
        };
        let page = self.conflicts(space, ConflictsOf::Document(document))?;
        let found = page.items.into_iter().find(|info| info.conflict == conflict);
        let found = found.ok_or(DecisionError::Conflict(ResolveError::NoSuchConflict))?;
        // A side that nobody is known to have written is neither.
        let meant = found
            .sides
            .iter()
            .enumerate()
            .filter(|(_, side)| side.is_mine == is_mine && !side.by.is_empty());
        let meant: Vec<usize> = meant.map(|(at, _)| at).collect();
        if let [at] = meant[..] {
            return Ok(side(at));
        }
        let whose = if is_mine { "yours" } else { "somebody else's" };
        let message = match meant.len() {
            0 => format!("no side of this conflict is {whose}; name one by its number"),
            count => format!("{count} sides of this conflict are {whose}; name one by its number"),
        };
        Err(Failure::new(FailureKind::Invalid, message, "kith conflicts show SPACE DOC"))
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

/// What is shown is side 0, the others follow.
fn side(at: usize) -> Resolution {
    at.checked_sub(1).map_or(Resolution::KeepShown, Resolution::KeepOther)
}
