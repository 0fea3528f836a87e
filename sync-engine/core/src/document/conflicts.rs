//! Conflicts: what people said about one place without knowing of each other.
//!
//! Automerge merges everything, and shows one value where several were written.
//! Nothing of the rest may be lost silently: a value that lost, a deletion that a
//! concurrent write undid, an edit inside something that was deleted or replaced,
//! a change of a document that somebody removed. A person can keep what is shown,
//! take another side, keep both, or go back to what was there before.
//!
//! Invariant: the same changes give the same conflicts, in whatever order they
//! came. Equal values are no conflict. A history without concurrency costs
//! nothing to look through.
//! Non-goals: who is "me"; sides name entries, and the caller knows their authors.
//! A text's characters and a counter's increments merge by themselves.

mod escalate;
mod find;
mod removed;
mod resolve;
mod settle;
mod take_back;
mod touch;
mod value;

use std::{collections::BTreeSet, fmt, str::FromStr};

use automerge::Automerge;
use node_model::{EntryId, Timestamp};
use serde_json::Value;

pub use self::escalate::{Question, WHY_BYTES_MAX};
pub use self::removed::restored_document;
pub use self::resolve::{Plan, Resolution, ResolveError};
pub use self::take_back::{TakeBackError, TakenBack};
use self::{
    escalate::{Asked, asked},
    find::{CHANGES_MAX, Claim, Findings, Found, OPERATIONS_MAX, SIDES_MAX, Said},
    value::{Reader, standing},
};
use super::{
    Document,
    graph::{Node, Window},
    guarded,
    intake::Intake,
};

/// Most conflicts in one list; more than anybody reads in one go.
pub const CONFLICTS_MAX: usize = 1_000;

/// Most bytes of values in one list: four of the largest entries.
const VALUES_BYTES_MAX: usize = 4 * node_model::limit::ENTRY_PLAIN_BYTES_MAX;

const ID_BYTES: usize = 10;

/// Names a conflict: a hash of the place and of all that was said about it. When
/// more is said, it is another conflict.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConflictId([u8; ID_BYTES]);

impl fmt::Display for ConflictId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ConflictId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a conflict's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a conflict's id: it has {} hexadecimal digits", 2 * ID_BYTES)]
pub struct BadConflictId;

impl FromStr for ConflictId {
    type Err = BadConflictId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 2 * ID_BYTES || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(BadConflictId);
        }
        let mut id = [0; ID_BYTES];
        for (at, byte) in id.iter_mut().enumerate() {
            let digits = &text[2 * at..2 * at + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| BadConflictId)?;
        }
        Ok(Self(id))
    }
}

/// What people disagree about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// Several values for one place, or a new value against an edit of the old one.
    Overwritten,
    /// A deletion against a value or an edit.
    DeletedAndChanged,
    /// The removal of the document against changes that it did not know of.
    RemovedDocument,
}

/// One of the things that were said.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// The value; `None` is a deletion.
    pub value: Option<Value>,
    /// The entries that said it. Empty when all of them are too old to be told.
    pub entries: BTreeSet<EntryId>,
    /// When it was last said, by its writer's clock in whole seconds. A removal of
    /// a document carries no time.
    pub at: Option<Timestamp>,
}

/// What was at a place before anybody disagreed.
#[derive(Clone, Debug, PartialEq)]
pub enum Before {
    /// This.
    Value(Value),
    /// Nothing.
    Nothing,
    /// It cannot be told: too long ago, or too large.
    Unknown,
}

/// A disagreement that waits for a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Its name.
    pub id: ConflictId,
    /// The place, as a JSON Pointer. Of what is gone from a list, the index where
    /// it would be. The whole document is the empty string.
    pub place: String,
    /// What it is about.
    pub kind: ConflictKind,
    /// What the document shows.
    pub shown: Side,
    /// What it does not show; at least one.
    pub others: Vec<Side>,
    /// What was there before.
    pub before: Before,
    /// Who left it to those who decide for the space, and was not answered.
    pub asked: Vec<Escalation>,
}

/// Somebody left a conflict to those who decide for the space.
#[derive(Clone, Debug, PartialEq)]
pub struct Escalation {
    /// Why; may be empty.
    pub why: String,
    /// The entries that said it. Empty when all of them are too old to be told.
    pub entries: BTreeSet<EntryId>,
    /// When, by its writer's clock in whole seconds.
    pub at: Option<Timestamp>,
}

/// The conflicts of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conflicts {
    /// By place.
    pub items: Vec<Conflict>,
    /// Whether these are all. If not, there may be more: the history or the values
    /// exceed a limit, or a change is malformed, or not all of them are here.
    pub is_complete: bool,
    /// How many changes had to be read, beside those that came after.
    pub changes_read: usize,
}

impl Document {
    /// Everything that waits for a person. Ends a change that was begun.
    #[must_use]
    pub fn conflicts(&mut self) -> Conflicts {
        self.conflicts_within(VALUES_BYTES_MAX)
    }

    fn conflicts_within(&mut self, values_bytes_max: usize) -> Conflicts {
        if self.is_removed() {
            return self.removal_conflicts();
        }
        let (findings, view) = self.find_conflicts();
        let mut conflicts = Conflicts {
            items: vec![],
            is_complete: findings.is_complete,
            changes_read: findings.changes_read,
        };
        let mut bytes_left = values_bytes_max;
        for found in &findings.found {
            if conflicts.items.len() == CONFLICTS_MAX {
                conflicts.is_complete = false;
                break;
            }
            match guarded(|| view.conflict(found, &mut bytes_left)).flatten() {
                Some(Rendered { is_whole, conflict }) => {
                    conflicts.is_complete &= is_whole;
                    conflicts.items.extend(conflict);
                }
                None => conflicts.is_complete = false,
            }
        }
        conflicts.items.sort_by(|one, other| (&one.place, one.id).cmp(&(&other.place, other.id)));
        conflicts
    }

    fn find_conflicts(&mut self) -> (Findings, View<'_>) {
        let auto = self.auto.document();
        let window = Window::new(self.intake.graph(), CHANGES_MAX, OPERATIONS_MAX);
        // Automerge can panic over what malformed changes left behind.
        let findings = guarded(|| find::find(auto, &window)).unwrap_or_default();
        (findings, View { auto, window, intake: &self.intake })
    }
}

/// What a finding is told with.
struct View<'a> {
    auto: &'a Automerge,
    window: Window<'a>,
    intake: &'a Intake,
}

/// A conflict, unless all sides turned out to be equal.
struct Rendered {
    conflict: Option<Conflict>,
    is_whole: bool,
}

impl View<'_> {
    fn id(&self, found: &Found) -> ConflictId {
        let mut said: Vec<String> = found.claims.iter().map(|claim| self.name(claim)).collect();
        said.sort();
        let slot = format!("{:?}", (found.slot.object().to_string(), &found.slot.part));
        id_of(std::iter::once(slot).chain(said))
    }

    fn name(&self, claim: &Claim) -> String {
        let by: BTreeSet<String> =
            claim.by.iter().map(|node| self.window.graph.hash(*node).to_string()).collect();
        let said = match &claim.said {
            Said::Nothing => "nothing".to_owned(),
            Said::Stands((_, id)) => format!("stands {id}"),
            Said::Gone((_, id)) => format!("gone {id}"),
            Said::GoneAsOf((_, id), heads) => format!("gone {id} as of {heads}"),
            Said::KeptAsOf((_, id), heads) => format!("kept {id} as of {heads}"),
        };
        format!("{said} {by:?}")
    }

    /// `None` when its values are too large for what is left of the limit.
    fn conflict(&self, found: &Found, bytes_left: &mut usize) -> Option<Rendered> {
        let mut reader = Reader::new(self.auto, *bytes_left);
        let mut sides: Vec<Side> = Vec::new();
        let mut is_whole = true;
        for claim in &found.claims {
            let value = match &claim.said {
                Said::Nothing => None,
                Said::Stands(put) | Said::Gone(put) => Some(reader.value(put, None, 1)?),
                Said::GoneAsOf(put, heads) | Said::KeptAsOf(put, heads) => {
                    Some(reader.value(put, Some(&[*heads]), 1)?)
                }
            };
            match sides.iter().position(|side| side.value == value) {
                Some(at) => self.add_entries(&mut sides[at], &claim.by),
                None if sides.len() > SIDES_MAX => is_whole = false,
                None => {
                    let mut side = Side { value, entries: BTreeSet::new(), at: None };
                    self.add_entries(&mut side, &claim.by);
                    sides.push(side);
                }
            }
        }
        let others = sides.split_off(1);
        let shown = sides.pop()?;
        if others.is_empty() {
            return Some(Rendered { conflict: None, is_whole });
        }
        let before = self.before(found, &mut reader);
        *bytes_left = reader.bytes_left();
        let is_deletion = |side: &Side| side.value.is_none();
        let kind = if is_deletion(&shown) || others.iter().any(is_deletion) {
            ConflictKind::DeletedAndChanged
        } else {
            ConflictKind::Overwritten
        };
        let (id, place, asked) = (self.id(found), found.place.clone(), self.asked(found));
        let conflict = Conflict { id, place, kind, shown, others, before, asked };
        Some(Rendered { conflict: Some(conflict), is_whole })
    }

    fn asked(&self, found: &Found) -> Vec<Escalation> {
        let asked = asked(self.auto, self.window.graph, &found.slot).into_iter();
        let told = asked.map(|Asked { by, why }| {
            let (entry, at) = self.told(by);
            Escalation { why, entries: entry.into_iter().collect(), at }
        });
        told.collect()
    }

    fn add_entries(&self, side: &mut Side, by: &BTreeSet<Node>) {
        for node in by {
            let (entry, at) = self.told(*node);
            side.entries.extend(entry);
            side.at = side.at.max(at);
        }
    }

    /// Which entry brought a change, and when it was made.
    fn told(&self, by: Node) -> (Option<EntryId>, Option<Timestamp>) {
        let hash = self.window.graph.hash(by);
        let seconds = self.auto.get_change_meta_by_hash(&hash).map(|meta| meta.timestamp);
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let at = seconds.map(|at| Timestamp(at.saturating_mul(1_000)));
        (self.intake.entry(&hash), at)
    }

    fn before(&self, found: &Found, reader: &mut Reader<'_>) -> Before {
        let by = found.claims.iter().flat_map(|claim| &claim.by).copied().collect();
        let Some(heads) = self.window.before_all(&by) else { return Before::Unknown };
        if heads.is_empty() {
            return Before::Nothing;
        }
        let then = standing(self.auto, (&found.slot, &found.ids), Some(&heads));
        match then.last() {
            Some(put) => reader.value(put, Some(&heads), 1).map_or(Before::Unknown, Before::Value),
            None => Before::Nothing,
        }
    }
}

fn id_of(parts: impl Iterator<Item = String>) -> ConflictId {
    let mut hasher = blake3::Hasher::new_derive_key("kith 2026-11 conflict");
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part.as_bytes());
    }
    let mut id = [0; ID_BYTES];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..ID_BYTES]);
    ConflictId(id)
}

#[cfg(test)]
mod tests;
