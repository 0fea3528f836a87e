//! Looking back: the changes of a document, and what it held after any of them.
//!
//! Invariant: the order of changes follows from the changes alone, and each comes after
//! all that it builds on. What is looked at for one answer is bounded.
//! Non-goals: who wrote; entries say that.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use automerge::{ChangeHash, ChangeMetadata};
use node_model::{EntryId, Timestamp};
use serde_json::Value;

use super::{
    Document, DocumentError,
    told::Told,
    tree::{Item, Past},
};

/// Fewest digits that name a change: as few as name a document.
const DIGITS_MIN: usize = 4;

/// Digits of a change's whole name.
const DIGITS_MAX: usize = 64;

/// What may be looked at to tell what the changes of one page did, in operations and
/// changes: half a second at 250 ns each. The largest document takes an eighth of it for
/// each change.
const LOOK_MAX: u64 = 1 << 21;

/// The beginning of a change's hash, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeName(String);

/// The text names no change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a change: give {DIGITS_MIN} to {DIGITS_MAX} hexadecimal digits of its hash")]
pub struct BadChangeName;

impl FromStr for ChangeName {
    type Err = BadChangeName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_hex || !(DIGITS_MIN..=DIGITS_MAX).contains(&text.len()) {
            return Err(BadChangeName);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// A moment in a document's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// After this change, with what it builds on and nothing else.
    Change(ChangeName),
    /// After the newest changes that are not later than this, by their writers' clocks.
    Time(Timestamp),
}

/// The text names no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "neither a change, with {DIGITS_MIN} to {DIGITS_MAX} hexadecimal digits of its hash, nor a \
     time such as 2026-11-21T14:00:00Z"
)]
pub struct BadAt;

impl FromStr for At {
    type Err = BadAt;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let change = text.parse().map(Self::Change).ok();
        let time = || Timestamp::from_rfc3339(text).map(Self::Time);
        change.or_else(time).ok_or(BadAt)
    }
}

/// One change in the history of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryItem {
    /// The entry that carries it.
    pub entry: EntryId,
    /// Automerge's hash of it.
    pub change: String,
    /// When, by the writer's clock in whole seconds; a change may carry none.
    pub at: Option<Timestamp>,
    /// How many operations.
    pub operations: usize,
    /// What it changed.
    pub told: Told,
}

/// A part of a document's history, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryPage {
    /// The changes.
    pub items: Vec<HistoryItem>,
    /// How many changes there are in all.
    pub total: usize,
    /// Whether there are older ones.
    pub is_more: bool,
}

/// What a document held.
#[derive(Clone, Debug, PartialEq)]
pub struct PastValue {
    /// Automerge's heads of that state, in hexadecimal.
    pub heads: Vec<String>,
    /// The document as JSON.
    pub value: Value,
}

impl Document {
    /// At most so many changes, from the one before `before` on, or from the newest. Ends
    /// a change that was begun.
    ///
    /// # Errors
    /// [`DocumentError`]: there is no such change.
    pub fn history(
        &mut self,
        before: Option<&ChangeName>,
        limit: usize,
    ) -> Result<HistoryPage, DocumentError> {
        let before = before.map(|name| self.find_change(name)).transpose()?;
        let mut past = Past::new(self.auto.document());
        let changes = self.auto.get_changes_meta(&[]);
        let mut order = in_order(&changes);
        order.retain(|at| self.intake.entry(&changes[*at].hash).is_some());
        let total = order.len();
        let newest = before.and_then(|hash| order.iter().position(|at| changes[*at].hash == hash));
        let page = order.iter().skip(newest.map_or(0, |at| at + 1));
        let is_more = page.len() > limit;
        let mut teller = Teller { left: LOOK_MAX, known: None };
        let items = page.take(limit).filter_map(|at| {
            let change = &changes[*at];
            let operations = (change.max_op + 1).saturating_sub(change.start_op);
            Some(HistoryItem {
                entry: self.intake.entry(&change.hash)?,
                change: change.hash.to_string(),
                at: time(change.timestamp),
                operations: usize::try_from(operations).unwrap_or(usize::MAX),
                told: teller.tell(&mut past, change),
            })
        });
        Ok(HistoryPage { items: items.collect(), total, is_more })
    }

    /// The entry that carries a change.
    ///
    /// # Errors
    /// [`DocumentError`]: there is no such change.
    pub fn carrier(&self, change: &ChangeName) -> Result<EntryId, DocumentError> {
        let hash = self.find_change(change)?;
        self.intake.entry(&hash).ok_or(DocumentError::NoSuchChange)
    }

    /// What it held at a moment. Ends a change that was begun.
    ///
    /// # Errors
    /// [`DocumentError`]: there is no such moment, or it cannot be read.
    pub fn value_at(&mut self, at: &At) -> Result<PastValue, DocumentError> {
        let (heads, then) = self.state_at(at)?;
        let heads = heads.iter().map(ToString::to_string).collect();
        Ok(PastValue { heads, value: then.value() })
    }

    pub(super) fn state_at(&mut self, at: &At) -> Result<(Vec<ChangeHash>, Item), DocumentError> {
        let heads = match at {
            At::Change(name) => vec![self.find_change(name)?],
            At::Time(time) => self.heads_at(*time)?,
        };
        let then = Past::new(self.auto.document()).at(&heads).ok_or(DocumentError::Unreadable)?;
        Ok((heads, then))
    }

    fn find_change(&self, name: &ChangeName) -> Result<ChangeHash, DocumentError> {
        let lowest = format!("{:0<DIGITS_MAX$}", name.0);
        let lowest = lowest.parse().map_err(|_| DocumentError::NoSuchChange)?;
        let mut found = self.intake.changes_from(&lowest);
        let is_meant = |hash: &&ChangeHash| hash.to_string().starts_with(&name.0);
        let hash = found.next().filter(is_meant).ok_or(DocumentError::NoSuchChange)?;
        if found.next().is_some_and(|next| is_meant(&next)) {
            return Err(DocumentError::SeveralChanges);
        }
        Ok(*hash)
    }

    /// The newest changes that are not later; with them counts all that they build on,
    /// even if its writer's clock was ahead. Those without a time count only so.
    fn heads_at(&mut self, time: Timestamp) -> Result<Vec<ChangeHash>, DocumentError> {
        let seconds = i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX);
        let mut below: BTreeSet<ChangeHash> = BTreeSet::new();
        let mut heads = Vec::new();
        for change in self.auto.get_changes_meta(&[]).iter().rev() {
            let is_below = below.contains(&change.hash);
            if is_below || (1..=seconds).contains(&change.timestamp) {
                below.extend(&change.deps);
                if !is_below {
                    heads.push(change.hash);
                }
            }
        }
        if heads.is_empty() { Err(DocumentError::NotYet) } else { Ok(heads) }
    }
}

/// The places of changes, newest first: by the latest time that they know of, or else the
/// earliest of what builds on them, then by how many came before them.
fn in_order(changes: &[ChangeMetadata<'_>]) -> Vec<usize> {
    let mut ages: BTreeMap<ChangeHash, (i64, u32)> = BTreeMap::new();
    let mut is_lent: BTreeSet<ChangeHash> = BTreeSet::new();
    for change in changes {
        let mut age = (change.timestamp, 0);
        for (time, generation) in change.deps.iter().filter_map(|dep| ages.get(dep)) {
            age = (age.0.max(*time), age.1.max(generation + 1));
        }
        ages.insert(change.hash, age);
    }
    // What carries no time and knows of none was made for the first that builds on it.
    for change in changes.iter().rev() {
        let Some((time, generation)) = ages.get(&change.hash).copied() else { continue };
        for dep in &change.deps {
            if let Some(age) = ages.get_mut(dep)
                && (age.0 <= 0 || is_lent.contains(dep))
            {
                let lent = (time, generation.saturating_sub(1));
                *age = if is_lent.insert(*dep) { lent } else { lent.min(*age) };
            }
        }
    }
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by_cached_key(|at| {
        let hash = changes[*at].hash;
        std::cmp::Reverse((ages.get(&hash).copied(), hash))
    });
    order
}

pub(super) fn time(seconds: i64) -> Option<Timestamp> {
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    Some(Timestamp(seconds.saturating_mul(1_000)))
}

/// Tells what changes did, one after the other, as far as there is time for it.
struct Teller {
    left: u64,
    /// The state that was read last: often the next change ends with it.
    known: Option<(Vec<ChangeHash>, Item)>,
}

impl Teller {
    fn tell(&mut self, past: &mut Past, change: &ChangeMetadata<'_>) -> Told {
        let after = self.read(past, &[change.hash]);
        let before = after.as_ref().and_then(|_| self.read(past, &change.deps));
        let (Some(before), Some(after)) = (before, after) else { return Told::default() };
        let told = Told::new(&before, &after);
        self.known = Some((change.deps.to_vec(), before));
        told
    }

    fn read(&mut self, past: &mut Past, heads: &[ChangeHash]) -> Option<Item> {
        if let Some((known, item)) = self.known.take()
            && known == heads
        {
            return Some(item);
        }
        self.left = self.left.checked_sub(past.cost())?;
        let item = past.at(heads);
        if item.is_none() {
            self.left = 0;
        }
        item
    }
}

#[cfg(test)]
mod tests;
