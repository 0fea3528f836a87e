//! Decisions of people about conflicts: one by one, or all of a document or space in
//! favour of one side.
//!
//! Invariants: all decisions about a document are one change; a conflict in which it is
//! not clear what a side wants stays open and is named.
//! Non-goals: what a decision writes; see `sync-engine/core/src/document/conflicts`.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use node_model::{DocumentId, Now, SpaceId};
use sync_engine_core::{
    DecisionError, SyncEngine, Writer,
    document::{
        BadChangeName, ChangeName,
        conflicts::{ConflictId, Resolution, ResolveError},
    },
};
use trust_core::Role;

use super::{ConflictInfo, ConflictsOf, SideInfo};
use crate::{
    failure::{Failure, FailureKind},
    node::{Node, RequestId},
};

/// An answer ends with the document that reaches so many conflicts: others wait for it,
/// and each document of them is a change to be written.
const SETTLED_AT_ONCE: usize = 100;

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

/// Whose side is to stay of all conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAll {
    /// What our own devices wrote.
    Mine,
    /// What somebody else wrote.
    Theirs,
}

impl KeepAll {
    /// The word for it: `mine` or `theirs`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Theirs => "theirs",
        }
    }
}

/// The text is neither side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("say mine or theirs")]
pub struct BadKeepAll;

impl FromStr for KeepAll {
    type Err = BadKeepAll;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "mine" => Ok(Self::Mine),
            "theirs" => Ok(Self::Theirs),
            _ => Err(BadKeepAll),
        }
    }
}

/// What became of conflicts that were to be settled at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettleReport {
    /// How many were settled.
    pub settled: usize,
    /// Those that were not, by document.
    pub left: Vec<LeftOpen>,
    /// Whether these are all conflicts of the documents that were looked through.
    pub is_complete: bool,
    /// After which document to go on; `None` when all were looked through.
    pub next: Option<DocumentId>,
}

/// A conflict that was not settled with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOpen {
    /// In which document.
    pub document: DocumentId,
    /// Which.
    pub conflict: ConflictId,
    /// The place, as a JSON Pointer.
    pub place: String,
    /// Why, in words.
    pub why: String,
}

impl Node {
    pub(super) fn resolve_conflict(
        &mut self,
        now: Now,
        id: RequestId,
        space: SpaceId,
        (document, conflict, keep): (DocumentId, ConflictId, Keep),
    ) {
        let ready = self.need_say(space, document, conflict);
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
        let whose = match keep {
            Keep::Shown => return Ok(Resolution::KeepShown),
            Keep::Both => return Ok(Resolution::KeepBoth),
            Keep::Undo => return Ok(Resolution::Undo),
            Keep::Side(at) => return Ok(side(at)),
            Keep::Mine => KeepAll::Mine,
            Keep::Theirs => KeepAll::Theirs,
        };
        let page = self.conflicts(space, ConflictsOf::Document(document))?;
        let found = page.items.into_iter().find(|info| info.conflict == conflict);
        let found = found.ok_or(DecisionError::Conflict(ResolveError::NoSuchConflict))?;
        the_side(&found, whose).map_err(|message| {
            Failure::new(FailureKind::Invalid, message, "kith conflicts show SPACE DOC")
        })
    }

    /// Settles what is clear, document by document: what one of them refuses leaves the
    /// others alone.
    pub(super) fn settle_all(
        &mut self,
        now: Now,
        id: RequestId,
        space: SpaceId,
        (of, keep): (ConflictsOf, KeepAll),
    ) {
        let ready = self.need_role(space, Role::Writer);
        let (batches, mut report) = match ready.and_then(|()| self.decide_all(space, of, keep)) {
            Ok(decided) => decided,
            Err(failure) => return self.reply(id, Err(failure)),
        };
        self.serve_write(now, id, space, |engine, writer| {
            for batch in batches {
                batch.write(engine, writer, space, &mut report);
            }
            Ok::<SettleReport, Failure>(report)
        });
    }

    /// What to decide in which documents, and what is not clear.
    fn decide_all(
        &mut self,
        space: SpaceId,
        of: ConflictsOf,
        keep: KeepAll,
    ) -> Result<(Vec<Batch>, SettleReport), Failure> {
        let mut report = SettleReport { is_complete: true, ..SettleReport::default() };
        // Where nothing is counted yet, a page has taken as long as an answer may.
        let goes_on = self.is_counted(space)?;
        let (mut batches, mut of, mut found) = (Vec::new(), Some(of), 0);
        while let Some(here) = of {
            let page = self.conflicts(space, here)?;
            report.is_complete &= page.is_complete;
            report.next = page.next;
            found += page.items.len();
            of = page.next.map(|next| ConflictsOf::After(Some(next)));
            of = of.filter(|_| goes_on && found < SETTLED_AT_ONCE);
            batches.extend(Batch::of(page.items, keep, &mut report.left));
        }
        Ok((batches, report))
    }

    /// Takes back a decision that one of our own devices wrote.
    pub(super) fn take_back_decision(
        &mut self,
        now: Now,
        id: RequestId,
        space: SpaceId,
        (document, change): (DocumentId, &str),
    ) {
        let ready = self.need_role(space, Role::Writer);
        match ready.and_then(|()| self.need_own_change(space, document, change)) {
            Ok(()) => self.serve_write(now, id, space, |engine, writer| {
                engine.take_back(writer, space, document, change)?;
                Ok::<_, Failure>(vec![document])
            }),
            Err(failure) => self.reply(id, Err(failure)),
        }
    }

    fn need_own_change(
        &mut self,
        space: SpaceId,
        document: DocumentId,
        change: &str,
    ) -> Result<(), Failure> {
        let change: ChangeName = change.parse().map_err(|error: BadChangeName| {
            Failure::new(FailureKind::Invalid, error.to_string(), "kith doc history SPACE DOC")
        })?;
        let carrier = self.sync.carrier(space, document, &change)?;
        let authors = self.entry_authors(space, document, &BTreeSet::from([carrier]))?;
        let by = self.people_behind(authors.into_values());
        if by.iter().any(|author| author.agent == self.trust.agent()) {
            return Ok(());
        }
        let message = "only a decision that you took yourself can be taken back";
        Err(Failure::new(FailureKind::Invalid, message, "kith doc history SPACE DOC"))
    }
}

/// The decisions about the conflicts of one document.
struct Batch {
    document: DocumentId,
    decisions: BTreeMap<ConflictId, Resolution>,
    /// Where each of them is.
    places: BTreeMap<ConflictId, String>,
}

impl Batch {
    /// What is clear about the conflicts of one document; the rest is left open.
    fn of(items: Vec<ConflictInfo>, keep: KeepAll, left: &mut Vec<LeftOpen>) -> Option<Self> {
        let document = items.first()?.document;
        let mut batch = Self { document, decisions: BTreeMap::new(), places: BTreeMap::new() };
        for info in items {
            let side = match info.asked.is_empty() {
                true => the_side(&info, keep),
                false => Err("it was left to the admins, who settle it by itself".to_owned()),
            };
            match side {
                Ok(resolution) => {
                    batch.decisions.insert(info.conflict, resolution);
                    batch.places.insert(info.conflict, info.place);
                }
                Err(why) => {
                    let (conflict, place) = (info.conflict, info.place);
                    left.push(LeftOpen { document, conflict, place, why });
                }
            }
        }
        (!batch.decisions.is_empty()).then_some(batch)
    }

    fn write(
        mut self,
        engine: &mut SyncEngine,
        writer: &mut Writer<'_>,
        space: SpaceId,
        report: &mut SettleReport,
    ) {
        let document = self.document;
        let decisions = &self.decisions;
        let resolve = |engine: &mut SyncEngine| -> Result<Vec<ConflictId>, Failure> {
            Ok(engine.resolve_all(writer, space, document, decisions)?)
        };
        let why = match engine.atomically(space, resolve) {
            Ok(taken) => {
                report.settled += taken.len();
                taken.iter().for_each(|conflict| drop(self.places.remove(conflict)));
                "what holds it was replaced by another of these decisions".to_owned()
            }
            Err(failure) => failure.message,
        };
        for (conflict, place) in self.places {
            report.left.push(LeftOpen { document, conflict, place, why: why.clone() });
        }
    }
}

/// The one side that is ours, or that is not; else why there is none.
fn the_side(info: &ConflictInfo, keep: KeepAll) -> Result<Resolution, String> {
    // A side that nobody is known to have written is neither.
    let is_meant = |side: &SideInfo| side.is_mine == (keep == KeepAll::Mine) && !side.by.is_empty();
    let meant = info.sides.iter().enumerate().filter(|(_, side)| is_meant(side));
    let meant: Vec<usize> = meant.map(|(at, _)| at).collect();
    if let [at] = meant[..] {
        return Ok(side(at));
    }
    let whose = match keep {
        KeepAll::Mine => "yours",
        KeepAll::Theirs => "somebody else's",
    };
    Err(match meant.len() {
        0 => format!("no side of this conflict is {whose}; name one by its number"),
        count => format!("{count} sides of this conflict are {whose}; name one by its number"),
    })
}

/// What is shown is side 0, the others follow.
fn side(at: usize) -> Resolution {
    at.checked_sub(1).map_or(Resolution::KeepShown, Resolution::KeepOther)
}
