//! Edits of a document, as people and programs ask for them.
//!
//! Invariant: an edit that fails leaves the document unfit; its owner drops it and
//! loads it again.

use automerge::{
    ObjId, ObjType, Prop, ROOT, ReadDoc, ScalarValue, Value as AutomergeValue,
    transaction::Transactable,
};
use serde_json::{Map, Value};

use super::{Document, DocumentError, Meta, RESERVED_KEY, guarded};
use crate::{
    json::{self, Allowance, Place, Pointer},
    patch::PatchOp,
};

impl Document {
    /// Writes what a new document holds.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn fill(&mut self, meta: &Meta, value: &Value) -> Result<(), DocumentError> {
        attempt(|| self.fill_unguarded(meta, value))
    }

    fn fill_unguarded(&mut self, meta: &Meta, value: &Value) -> Result<(), DocumentError> {
        let root = value.as_object().ok_or(DocumentError::NotAnObject)?;
        Allowance::default().write(value)?;
        let own = self.auto.put_object(ROOT, RESERVED_KEY, ObjType::Map)?;
        self.auto.put(&own, "type", meta.kind.as_str())?;
        if let Some(app) = &meta.app {
            self.auto.put(&own, "app", app.as_str())?;
        }
        if let Some(path) = &meta.path {
            self.auto.put(&own, "path", path.as_str())?;
        }
        if let Some(source) = &meta.source {
            self.auto.put(&own, "source", ScalarValue::Bytes(source.clone()))?;
        }
        for (key, item) in user_keys(root) {
            json::put(&mut self.auto, &ROOT, key.as_str().into(), item, 1)?;
        }
        Ok(())
    }

    /// Changes an existing document until it reads as `value`.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn update(&mut self, meta: &Meta, value: &Value) -> Result<(), DocumentError> {
        attempt(|| self.update_unguarded(meta, value))
    }

    fn update_unguarded(&mut self, meta: &Meta, value: &Value) -> Result<(), DocumentError> {
        let root = value.as_object().ok_or(DocumentError::NotAnObject)?;
        let wanted: Map<String, Value> =
            user_keys(root).map(|(key, value)| (key.clone(), value.clone())).collect();
        json::update_map(&mut self.auto, &ROOT, &wanted, 0, &mut Allowance::default())?;
        if let Some(source) = &meta.source
            && self.read_meta().source.as_ref() != Some(source)
            && let Some((AutomergeValue::Object(_), own)) = self.auto.get(ROOT, RESERVED_KEY)?
        {
            self.auto.put(&own, "source", ScalarValue::Bytes(source.clone()))?;
        }
        Ok(())
    }

    /// Sets the value at a path; its parent must exist.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn set(&mut self, pointer: &Pointer, value: &Value) -> Result<(), DocumentError> {
        attempt(|| self.set_unguarded(pointer, value))
    }

    fn set_unguarded(&mut self, pointer: &Pointer, value: &Value) -> Result<(), DocumentError> {
        Allowance::default().write(value)?;
        self.put(pointer, value)
    }

    fn put(&mut self, pointer: &Pointer, value: &Value) -> Result<(), DocumentError> {
        let (object, place) = pointer.resolve(&self.auto)?;
        match place {
            Place::Key(key) => json::put(&mut self.auto, &object, key.into(), value, 1),
            Place::Index(at) => json::put(&mut self.auto, &object, at.into(), value, 1),
            Place::End(at) => json::insert(&mut self.auto, &object, at, value, 1),
        }
    }

    /// Applies a JSON Patch (RFC 6902), all of it or nothing. Before one that adds to
    /// counters, [`Document::make_counters`] is to be called.
    ///
    /// # Errors
    /// [`DocumentError`]; the caller drops this document and loads it again.
    pub fn patch(&mut self, operations: &[PatchOp]) -> Result<(), DocumentError> {
        attempt(|| {
            let mut allowance = Allowance::default();
            operations.iter().try_for_each(|operation| self.patch_one(operation, &mut allowance))
        })
    }

    fn patch_one(
        &mut self,
        operation: &PatchOp,
        allowance: &mut Allowance,
    ) -> Result<(), DocumentError> {
        match operation {
            PatchOp::Add { path, value } => self.add(&Pointer::parse(path)?, value, allowance),
            PatchOp::Replace { path, value } => {
                let pointer = Pointer::parse(path)?;
                self.standing(&pointer)?;
                allowance.write(value)?;
                self.put(&pointer, value)
            }
            PatchOp::Remove { path } => self.remove(&Pointer::parse(path)?),
            PatchOp::Increment { path, by } => self.increment(&Pointer::parse(path)?, *by),
            PatchOp::Test { path, value } => {
                let found = self.read(&Pointer::parse(path)?, allowance)?;
                if found == *value { Ok(()) } else { Err(DocumentError::TestFailed) }
            }
            PatchOp::Copy { from, path } => {
                let value = self.read(&Pointer::parse(from)?, allowance)?;
                self.add(&Pointer::parse(path)?, &value, allowance)
            }
            PatchOp::Move { from, path } => {
                let from = Pointer::parse(from)?;
                let value = self.read(&from, allowance)?;
                self.remove(&from)?;
                self.add(&Pointer::parse(path)?, &value, allowance)
            }
        }
    }

    fn read(&self, pointer: &Pointer, allowance: &mut Allowance) -> Result<Value, DocumentError> {
        let value = if pointer.is_root() {
            self.value()
        } else {
            let (object, prop) = self.standing(pointer)?;
            json::read_at(&self.auto, &object, prop, pointer.depth() - 1)
        };
        allowance.read(&value)?;
        Ok(value)
    }

    /// Where to find what stands at a path.
    fn standing(&self, pointer: &Pointer) -> Result<(ObjId, Prop), DocumentError> {
        let (object, place) = pointer.resolve(&self.auto)?;
        let prop = place.prop().ok_or(DocumentError::NoSuchPlace)?;
        // A text is shown as one value.
        let is_text = self.auto.object_type(&object)? == ObjType::Text;
        if is_text || self.auto.get(&object, prop.clone())?.is_none() {
            return Err(DocumentError::NoSuchPlace);
        }
        Ok((object, prop))
    }

    fn add(
        &mut self,
        pointer: &Pointer,
        value: &Value,
        allowance: &mut Allowance,
    ) -> Result<(), DocumentError> {
        allowance.write(value)?;
        let (object, place) = pointer.resolve(&self.auto)?;
        match place {
            Place::Key(key) => json::put(&mut self.auto, &object, key.into(), value, 1),
            Place::Index(at) | Place::End(at) => {
                json::insert(&mut self.auto, &object, at, value, 1)
            }
        }
    }

    fn remove(&mut self, pointer: &Pointer) -> Result<(), DocumentError> {
        let (object, prop) = self.standing(pointer)?;
        Ok(self.auto.delete(&object, prop)?)
    }
}

/// Automerge may trip over what a malformed change did.
pub(super) fn attempt(
    edit: impl FnOnce() -> Result<(), DocumentError>,
) -> Result<(), DocumentError> {
    guarded(edit).unwrap_or(Err(DocumentError::Unreadable))
}

/// The keys that belong to whoever writes the document.
fn user_keys(root: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    root.iter().filter(|(key, _)| *key != RESERVED_KEY)
}
