//! What a person decides about a conflict, written into the document.
//!
//! A decision is an ordinary change: it travels like any other, and it overrules
//! exactly what it knows of. Two decisions that did not know of each other are a
//! conflict again, unless they agree.

use std::collections::BTreeMap;

use automerge::{AutoCommit, ObjId, Prop, ReadDoc, transaction::Transactable};
use serde_json::Value;

use super::{
    Before, Conflict, ConflictId, VALUES_BYTES_MAX, View,
    escalate::WHY_BYTES_MAX,
    find::{Found, Said},
    settle::settle,
    touch::{Part, Slot},
    value::{place, property},
};
use crate::{
    document::{Document, DocumentError, guarded},
    json,
};

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// What is shown stays.
    KeepShown,
    /// One of the others, counted from 0, takes its place.
    KeepOther(usize),
    /// What is shown stays and the others come beside it: in a list after it, in a
    /// map under `key (2)` and so on. What is shown as deleted comes back where it
    /// was. A deletion that is not shown is dropped.
    KeepBoth,
    /// What was there before takes its place.
    Undo,
}

/// Why a conflict could not be resolved. The document is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It was resolved, or more was said.
    #[error("there is no such conflict any more; look again with: kith conflicts list")]
    NoSuchConflict,
    /// It has fewer sides.
    #[error("this conflict has no such side")]
    NoSuchSide,
    /// What was there before is not known.
    #[error("what was there before cannot be told any more; choose one of the sides")]
    NothingBefore,
    /// Only so much is kept with a document.
    #[error("a reason has at most {WHY_BYTES_MAX} bytes")]
    LongReason,
    /// Nobody left it to others.
    #[error("nobody asked for a decision about this conflict, or it was taken back")]
    NotAsked,
    /// A removed document is restored as another one.
    #[error("this document was removed; it can stay removed or be restored")]
    Removed,
    /// The document refused.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

/// A decision, ready to be written.
#[derive(Clone, Debug)]
pub struct Plan {
    slot: Slot,
    /// The operation that is shown now.
    shown: Option<ObjId>,
    write: Write,
}

#[derive(Clone, Debug)]
enum Write {
    Keep,
    Replace(Option<Value>),
    Beside(Vec<Value>),
}

impl Plan {
    /// The values that it writes.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        let (one, more) = match &self.write {
            Write::Keep => (None, &[][..]),
            Write::Replace(value) => (value.as_ref(), &[][..]),
            Write::Beside(values) => (None, &values[..]),
        };
        one.into_iter().chain(more)
    }
}

impl Document {
    /// Prepares a decision about a conflict of a document that was not removed.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub fn plan(&mut self, id: ConflictId, resolution: Resolution) -> Result<Plan, ResolveError> {
        if self.is_removed() {
            return Err(ResolveError::Removed);
        }
        let (findings, view) = self.find_conflicts();
        let found = findings.found.iter().find(|found| view.id(found) == id);
        let found = found.ok_or(ResolveError::NoSuchConflict)?;
        view.plan(found, resolution, &mut VALUES_BYTES_MAX.clone())
    }

    /// Prepares decisions about several conflicts of a document that was not removed, by
    /// place. What cannot be decided like this, or not any more, is left out.
    pub fn plans(
        &mut self,
        decisions: &BTreeMap<ConflictId, Resolution>,
    ) -> Vec<(ConflictId, Plan)> {
        if self.is_removed() {
            return vec![];
        }
        let (findings, view) = self.find_conflicts();
        let mut bytes_left = VALUES_BYTES_MAX;
        let planned = findings.found.iter().filter_map(|found| {
            let id = view.id(found);
            let resolution = decisions.get(&id)?;
            Some((id, view.plan(found, *resolution, &mut bytes_left).ok()?))
        });
        planned.collect()
    }

    /// Writes several decisions; the document must not have changed since they were
    /// prepared. Says which were written: another one may have replaced what holds a place.
    ///
    /// # Errors
    /// [`DocumentError`]; the caller drops this document and loads it again.
    pub fn carry_out_all(
        &mut self,
        plans: &[(ConflictId, Plan)],
    ) -> Result<Vec<ConflictId>, DocumentError> {
        let mut written = Vec::with_capacity(plans.len());
        for (id, plan) in plans {
            if self.has_place(plan) {
                self.carry_out(plan)?;
                written.push(*id);
            }
        }
        Ok(written)
    }

    fn has_place(&self, plan: &Plan) -> bool {
        guarded(|| place(&self.auto, &plan.slot)).flatten().is_some()
    }

    /// Writes a decision; the document must not have changed since it was prepared.
    ///
    /// # Errors
    /// [`DocumentError`]; the caller drops this document and loads it again.
    pub fn carry_out(&mut self, plan: &Plan) -> Result<(), DocumentError> {
        let kept = match &plan.write {
            Write::Keep => plan.shown.clone(),
            Write::Replace(value) => self.replace(plan, value.as_ref())?,
            Write::Beside(values) => {
                put_beside(&mut self.auto, plan, values)?;
                plan.shown.clone()
            }
        };
        Ok(settle(&mut self.auto, &plan.slot, kept.as_ref())?)
    }

    /// Puts a value where the conflict is, and says which operation did if one did
    /// at this very place.
    fn replace(
        &mut self,
        plan: &Plan,
        value: Option<&Value>,
    ) -> Result<Option<ObjId>, DocumentError> {
        let object = plan.slot.object();
        let prop = place_of(&self.auto, &plan.slot)?;
        match (value, &plan.slot.part, &plan.shown) {
            (None, _, None) => return Ok(None),
            (None, _, Some(_)) => {
                self.auto.delete(&object, prop)?;
                return Ok(None);
            }
            (Some(value), Part::Element(_), None) => {
                // An element that is gone from a list cannot come back as itself.
                insert(&mut self.auto, &object, &prop, 0, value)?;
                return Ok(None);
            }
            (Some(value), Part::Key(_) | Part::Element(_), _) => {
                json::put(&mut self.auto, &object, prop.clone(), value, 1)?;
            }
        }
        Ok(self.auto.get(&object, prop)?.map(|(_, id)| id))
    }
}

impl View<'_> {
    fn plan(
        &self,
        found: &Found,
        resolution: Resolution,
        bytes_left: &mut usize,
    ) -> Result<Plan, ResolveError> {
        let rendered = guarded(|| self.conflict(found, bytes_left)).flatten();
        let conflict = rendered.and_then(|rendered| rendered.conflict);
        let conflict = conflict.ok_or(ResolveError::NoSuchConflict)?;
        let shown = match &found.claims[0].said {
            Said::Stands((_, id)) => Some(id.clone()),
            Said::Nothing | Said::Gone(_) | Said::GoneAsOf(..) | Said::KeptAsOf(..) => None,
        };
        Ok(Plan { slot: found.slot.clone(), shown, write: write_of(conflict, resolution)? })
    }
}

fn write_of(mut conflict: Conflict, resolution: Resolution) -> Result<Write, ResolveError> {
    match resolution {
        Resolution::KeepShown => Ok(Write::Keep),
        Resolution::KeepOther(at) if at < conflict.others.len() => {
            Ok(Write::Replace(conflict.others.swap_remove(at).value))
        }
        Resolution::KeepOther(_) => Err(ResolveError::NoSuchSide),
        Resolution::KeepBoth => {
            Ok(Write::Beside(conflict.others.into_iter().filter_map(|side| side.value).collect()))
        }
        Resolution::Undo => match conflict.before {
            Before::Value(value) => Ok(Write::Replace(Some(value))),
            Before::Nothing => Ok(Write::Replace(None)),
            Before::Unknown => Err(ResolveError::NothingBefore),
        },
    }
}

fn place_of(auto: &AutoCommit, slot: &Slot) -> Result<Prop, DocumentError> {
    guarded(|| property(auto, slot, None)).flatten().ok_or(DocumentError::NoSuchPlace)
}

fn put_beside(auto: &mut AutoCommit, plan: &Plan, values: &[Value]) -> Result<(), DocumentError> {
    let object = plan.slot.object();
    let prop = place_of(auto, &plan.slot)?;
    let shown = usize::from(plan.shown.is_some());
    for (at, value) in values.iter().enumerate() {
        match &plan.slot.part {
            Part::Element(_) => insert(auto, &object, &prop, at + shown, value)?,
            Part::Key(key) => {
                let key = free_key(auto, &object, key)?;
                json::put(auto, &object, key.into(), value, 1)?;
            }
        }
    }
    Ok(())
}

fn insert(
    auto: &mut AutoCommit,
    list: &ObjId,
    prop: &Prop,
    after: usize,
    value: &Value,
) -> Result<(), DocumentError> {
    match prop {
        Prop::Seq(at) => json::insert(auto, list, at + after, value, 1),
        Prop::Map(_) => Err(DocumentError::NoSuchPlace),
    }
}

/// The key itself where nothing is, else the first of `key (2)`, `key (3)` and so
/// on that is free.
fn free_key(auto: &AutoCommit, map: &ObjId, key: &str) -> Result<String, DocumentError> {
    let mut free = key.to_owned();
    let mut count = 1_usize;
    while auto.get(map, free.as_str())?.is_some() {
        count += 1;
        free = format!("{key} ({count})");
    }
    Ok(free)
}
