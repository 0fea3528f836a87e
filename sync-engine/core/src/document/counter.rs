//! Counters: numbers to which devices add while they are apart, and nothing is lost.
//!
//! What is added to one counter adds up by itself. But two devices that each make one at
//! the same place would have two, of which only one shows. So a counter is made by a
//! change of its own, which is the same, bit by bit, whoever makes it: it depends on
//! nothing but what stands at the place. Bytes: `docs/protocol/counters.md`.
//!
//! Non-goals: elements of lists, and places where a counter was before: there, a counter
//! is put like any value.

use std::{collections::BTreeSet, num::NonZeroU64};

use automerge::{
    ActorId, Change, ChangeHash, ExpandedChange, ObjId, ROOT, ReadDoc, ScalarValue,
    Value as AutomergeValue,
    legacy::{Key, ObjectId, Op, OpId, OpType},
    transaction::Transactable,
};
use node_model::EntryId;

use super::{Document, DocumentError, guarded, weigh::COUNTER_MAX};
use crate::{
    json::{Place, Pointer},
    patch::PatchOp,
};

/// Most changes of a document in which counters get a change of their own: it knows of
/// nothing else, and conflicts can be told only among so many changes that do not know of
/// each other. Half of what is looked at for conflicts.
const CHANGES_MAX: u64 = 2_048;

/// A change that made a counter. It needs an entry of its own.
#[derive(Debug)]
pub struct MadeCounter {
    /// Automerge's hash of it.
    pub change: ChangeHash,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The entries of what it depends on.
    pub deps: Vec<EntryId>,
}

impl Document {
    /// Makes the counters that operations add to, as far as those can be the same
    /// everywhere. To be called before the patch itself. Ends a change that was begun.
    ///
    /// # Errors
    /// [`DocumentError`]; the caller drops this document and loads it again.
    pub fn make_counters(
        &mut self,
        operations: &[PatchOp],
    ) -> Result<Vec<MadeCounter>, DocumentError> {
        let mut made = Vec::new();
        for operation in operations {
            let PatchOp::Increment { path, .. } = operation else { continue };
            // What is wrong with a path is told when the patch is applied.
            let Ok(pointer) = Pointer::parse(path) else { continue };
            let found = guarded(|| pointer.resolve(&self.auto).ok());
            let Some(Some((object, Place::Key(key)))) = found else { continue };
            if self.intake.changes_count() >= CHANGES_MAX {
                continue;
            }
            let Some(change) = guarded(|| self.maker(&object, &key)).flatten() else { continue };
            if self.intake.knows_actor(change.actor_id()) {
                continue;
            }
            self.intake.note_own(&change).map_err(DocumentError::Refused)?;
            let applied = guarded(|| self.auto.apply_changes([change.clone()]).is_ok());
            if applied != Some(true) {
                return Err(DocumentError::Unreadable);
            }
            let deps = change.deps().iter().filter_map(|dep| self.intake.entry(dep));
            made.push(MadeCounter {
                deps: deps.collect::<BTreeSet<_>>().into_iter().collect(),
                change: change.hash(),
                bytes: change.raw_bytes().to_vec(),
            });
        }
        Ok(made)
    }

    /// The change that makes a counter of what stands at a key: of nothing, or of a whole
    /// number.
    fn maker(&mut self, object: &ObjId, key: &str) -> Option<Change> {
        let standing = self.auto.get_all(object, key).ok()?;
        let mut start = 0;
        let mut replaced = Vec::new();
        let mut deps: BTreeSet<ChangeHash> = BTreeSet::new();
        for (value, id) in &standing {
            start = start_of(value)?;
            replaced.push(op_id(id)?);
            deps.insert(self.auto.hash_for_opid(id)?);
        }
        let holder = match object {
            ObjId::Root => ObjectId::Root,
            ObjId::Id(..) => {
                deps.insert(self.auto.hash_for_opid(object)?);
                ObjectId::Id(op_id(object)?)
            }
        };
        let mut first = NonZeroU64::MIN;
        for dep in &deps {
            let last = self.auto.get_change_meta_by_hash(dep)?.max_op;
            first = first.max(NonZeroU64::MIN.checked_add(last)?);
        }
        let named = replaced.iter().map(|id| format!("{}@{}", id.0, id.1));
        let actor_id = actor(object, key, named);
        let operation = Op {
            action: OpType::Put(ScalarValue::counter(start)),
            obj: holder,
            key: Key::Map(key.into()),
            pred: replaced.into(),
            insert: false,
        };
        Some(Change::from(ExpandedChange {
            operations: vec![operation],
            actor_id,
            hash: None,
            seq: 1,
            start_op: first,
            time: 0,
            message: None,
            author: None,
            deps: deps.into_iter().collect(),
            extra_bytes: vec![],
        }))
    }

    /// Adds to the counter at a path. Where none was made before, it becomes one.
    pub(super) fn increment(&mut self, pointer: &Pointer, by: i64) -> Result<(), DocumentError> {
        if by.unsigned_abs() > COUNTER_MAX {
            return Err(DocumentError::CounterTooFar);
        }
        let (object, place) = pointer.resolve(&self.auto)?;
        let prop = place.prop().ok_or(DocumentError::NoSuchPlace)?;
        let standing = self.auto.get(&object, prop.clone())?.map(|(value, _)| value.into_owned());
        match standing {
            Some(AutomergeValue::Scalar(scalar)) if scalar.is_counter() => {
                return Ok(self.auto.increment(&object, prop, by)?);
            }
            Some(value) => {
                let start = start_of(&value).ok_or(DocumentError::NotACounter)?;
                self.auto.put(&object, prop.clone(), ScalarValue::counter(start))?;
            }
            None => self.auto.put(&object, prop.clone(), ScalarValue::counter(0))?,
        }
        Ok(self.auto.increment(&object, prop, by)?)
    }
}

/// What a counter begins with that takes the place of a value; nothing for what is no
/// whole number, or one already.
fn start_of(value: &AutomergeValue<'_>) -> Option<i64> {
    let AutomergeValue::Scalar(scalar) = value else { return None };
    let number = match scalar.as_ref() {
        ScalarValue::Int(number) => *number,
        ScalarValue::Uint(number) => i64::try_from(*number).ok()?,
        ScalarValue::Bytes(_)
        | ScalarValue::Str(_)
        | ScalarValue::F64(_)
        | ScalarValue::Counter(_)
        | ScalarValue::Timestamp(_)
        | ScalarValue::Boolean(_)
        | ScalarValue::Unknown { .. }
        | ScalarValue::Null => return None,
    };
    (number.unsigned_abs() <= COUNTER_MAX).then_some(number)
}

fn op_id(id: &ObjId) -> Option<OpId> {
    match id {
        ObjId::Root => None,
        ObjId::Id(counter, actor, _) => Some(OpId::new(*counter, actor)),
    }
}

/// Nobody's name: whoever makes a counter of the same at the same place uses it, once.
fn actor(object: &ObjId, key: &str, replaced: impl Iterator<Item = String>) -> ActorId {
    let object = if *object == ROOT { String::new() } else { object.to_string() };
    let mut hasher = blake3::Hasher::new_derive_key("kith 2026-11 counter");
    for part in [object, key.to_owned()].into_iter().chain(replaced) {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part.as_bytes());
    }
    ActorId::from(&hasher.finalize().as_bytes()[..16])
}

#[cfg(test)]
mod tests;
