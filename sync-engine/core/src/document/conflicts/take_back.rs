//! Taking a decision back, as long as nothing was written after it.
//!
//! The document shows again what it showed before, and the note of the decision is
//! deleted. A decision that left alone what is shown has overruled nothing else, so its
//! conflict is open again. One that put another value there has: that value is only in the
//! history then.

use automerge::{
    AutoCommit, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, Value as AutomergeValue,
    transaction::Transactable,
};
use serde_json::Value;

use super::{VALUES_BYTES_MAX, settle, value::Reader};
use crate::document::{Document, DocumentError, RESERVED_KEY, guarded};

/// Why a decision could not be taken back. The document is as it was.
#[derive(Debug, thiserror::Error)]
pub enum TakeBackError {
    /// It is no change, or none that decided anything.
    #[error("this is no decision about a conflict")]
    NoDecision,
    /// Something was written after it.
    #[error("the document has been changed since; what you would take back is part of it now")]
    NotLast,
    /// It said that a document is removed, or restored one.
    #[error("this document was removed, and stays removed")]
    Removed,
    /// What was there before is too large to be told.
    #[error("what was there before is too large to be brought back at once")]
    TooLarge,
}

/// What the document is to be again.
#[derive(Clone, Debug)]
pub struct TakenBack {
    /// What it showed before the decision.
    pub value: Value,
    /// The notes of the decision.
    notes: Vec<String>,
}

impl Document {
    /// Prepares to take back the decision that this change is.
    ///
    /// # Errors
    /// [`TakeBackError`].
    pub fn before_decision(&mut self, change: &str) -> Result<TakenBack, TakeBackError> {
        if self.is_removed() {
            return Err(TakeBackError::Removed);
        }
        let change: ChangeHash = change.parse().map_err(|_| TakeBackError::NoDecision)?;
        let notes = guarded(|| notes_of(&mut self.auto, change)).unwrap_or_default();
        if notes.is_empty() {
            return Err(TakeBackError::NoDecision);
        }
        if self.auto.get_heads() != [change] {
            return Err(TakeBackError::NotLast);
        }
        let auto = self.auto.document();
        let before = auto.get_change_by_hash(&change).ok_or(TakeBackError::NoDecision)?;
        let whole = (AutomergeValue::Object(ObjType::Map), ObjId::Root);
        let mut reader = Reader::new(auto, VALUES_BYTES_MAX);
        let value = guarded(|| reader.value(&whole, Some(before.deps()), 0)).flatten();
        let value = value.ok_or(TakeBackError::TooLarge)?;
        Ok(TakenBack { value, notes })
    }

    /// Writes what [`Document::before_decision`] prepared; the document must not have
    /// changed since.
    ///
    /// # Errors
    /// [`DocumentError`]; the caller drops this document and loads it again.
    pub fn take_back(&mut self, taken: &TakenBack) -> Result<(), DocumentError> {
        let meta = self.meta();
        self.update(&meta, &taken.value)?;
        if let Some((AutomergeValue::Object(ObjType::Map), own)) =
            self.auto.get(ROOT, RESERVED_KEY)?
        {
            for note in &taken.notes {
                self.auto.delete(&own, note.as_str())?;
            }
        }
        Ok(())
    }
}

/// The names of the notes that a change wrote about decisions.
fn notes_of(auto: &mut AutoCommit, change: ChangeHash) -> Vec<String> {
    let auto = auto.document();
    let Ok(Some((AutomergeValue::Object(ObjType::Map), own))) = auto.get(ROOT, RESERVED_KEY) else {
        return vec![];
    };
    let is_of_it = |name: &String| {
        let standing = auto.get_all(&own, name.as_str()).into_iter().flatten();
        standing.into_iter().any(|(_, id)| auto.hash_for_opid(&id) == Some(change))
    };
    auto.keys(&own).filter(|name| name.starts_with(settle::PREFIX)).filter(is_of_it).collect()
}
