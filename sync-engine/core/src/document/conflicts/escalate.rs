//! Leaving a conflict to those who decide for the space.
//!
//! Under [`RESERVED_KEY`], the key `asked:` and the place's hash holds why, in the words of
//! whoever asked. It is an ordinary change: who wrote it and when is known as of any other. A
//! decision about the place deletes it, and so does whoever takes it back. The format is in
//! `docs/protocol/conflicts.md`.
//!
//! Non-goal: who may decide; the caller knows roles.

use automerge::{
    AutoCommit, Automerge, AutomergeError, ObjId, ObjType, ROOT, ReadDoc, Value as AutomergeValue,
    transaction::Transactable,
};

use super::{
    ConflictId, ResolveError,
    find::SIDES_MAX,
    settle::{place_hash, reserved},
    touch::Slot,
};
use crate::document::{
    Document, DocumentError, RESERVED_KEY,
    graph::{Graph, Node},
};

/// Longest reason, in bytes: a few sentences.
pub const WHY_BYTES_MAX: usize = 1_000;

/// Somebody asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) by: Node,
    pub(super) why: String,
}

/// A question that is to be written or taken back.
#[derive(Clone, Debug)]
pub struct Question {
    slot: Slot,
    why: Option<String>,
}

fn name(slot: &Slot) -> String {
    format!("asked:{}", place_hash(slot))
}

/// Who asked about a place, and was not answered.
pub(super) fn asked(auto: &Automerge, graph: &Graph, slot: &Slot) -> Vec<Asked> {
    let name = name(slot);
    let mut found = Vec::new();
    // Two devices may have made the reserved map, or have asked, at the same time.
    for (_, own) in auto.get_all(ROOT, RESERVED_KEY).into_iter().flatten().take(SIDES_MAX) {
        for (value, id) in auto.get_all(&own, name.as_str()).into_iter().flatten().take(SIDES_MAX) {
            let by = auto.hash_for_opid(&id).and_then(|hash| graph.node(&hash));
            let AutomergeValue::Scalar(scalar) = &value else { continue };
            if let (Some(by), Some(why)) = (by, scalar.as_str()) {
                let end = why.floor_char_boundary(WHY_BYTES_MAX);
                found.push(Asked { by, why: why[..end].to_owned() });
            }
        }
    }
    found
}

/// Nobody waits for an answer about this place any more.
pub(super) fn answered(auto: &mut AutoCommit, slot: &Slot) -> Result<(), AutomergeError> {
    let name = name(slot);
    let maps: Vec<ObjId> =
        auto.get_all(ROOT, RESERVED_KEY)?.into_iter().map(|(_, id)| id).collect();
    for own in maps {
        if matches!(auto.object_type(&own), Ok(ObjType::Map))
            && auto.get(&own, name.as_str())?.is_some()
        {
            auto.delete(&own, name.as_str())?;
        }
    }
    Ok(())
}

impl Document {
    /// Prepares to leave a conflict to others, or with `None` to take that back.
    ///
    /// # Errors
    /// [`ResolveError`]: there is no such conflict, the document was removed, the reason is
    /// too long, or nobody asked.
    pub fn question(
        &mut self,
        id: ConflictId,
        why: Option<&str>,
    ) -> Result<Question, ResolveError> {
        if self.is_removed() {
            return Err(ResolveError::Removed);
        }
        if why.is_some_and(|why| why.len() > WHY_BYTES_MAX) {
            return Err(ResolveError::LongReason);
        }
        let (findings, view) = self.find_conflicts();
        let found = findings.found.iter().find(|found| view.id(found) == id);
        let slot = found.ok_or(ResolveError::NoSuchConflict)?.slot.clone();
        if why.is_none() && asked(view.auto, view.window.graph, &slot).is_empty() {
            return Err(ResolveError::NotAsked);
        }
        Ok(Question { slot, why: why.map(ToOwned::to_owned) })
    }

    /// Writes what [`Document::question`] prepared; the document must not have changed since.
    ///
    /// # Errors
    /// [`DocumentError`]; the caller drops this document and loads it again.
    pub fn ask(&mut self, question: &Question) -> Result<(), DocumentError> {
        answered(&mut self.auto, &question.slot)?;
        if let Some(why) = &question.why {
            let own = reserved(&mut self.auto)?;
            self.auto.put(&own, name(&question.slot), why.as_str())?;
        }
        Ok(())
    }
}
