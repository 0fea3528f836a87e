//! A document: an Automerge document and the entries that its changes came in.
//!
//! The root map is the document as programs see it; the key [`RESERVED_KEY`]
//! holds what Kith itself notes (type, file path, original bytes) and is hidden
//! from JSON.

mod intake;

use std::collections::{BTreeMap, BTreeSet};

use automerge::{
    ActorId, AutoCommit, AutomergeError, ChangeHash, ObjType, ROOT, ReadDoc, ScalarValue,
    Value as AutomergeValue, transaction::CommitOptions, transaction::Transactable,
};
use node_model::{BlobId, DeviceId, DocumentId, EntryId, SpaceId, Timestamp};
use serde_json::{Map, Value};

use self::intake::{Brought, Taken};
use crate::{
    json::{self, Place, Pointer},
    patch::PatchOp,
};

/// Key of the root map that Kith keeps for itself.
pub const RESERVED_KEY: &str = "@kith";

/// Why a document could not be read or changed. It is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not a JSON Pointer.
    #[error("not a path: use a JSON Pointer such as /chapters/0/title, or one key")]
    BadPointer,
    /// Nothing there.
    #[error("there is nothing at this path; look at the document with: kith doc get")]
    NoSuchPlace,
    /// The root cannot be replaced as a whole.
    #[error("the whole document cannot be set; name a path within it")]
    WholeDocument,
    /// Kith's own key.
    #[error("\"@kith\" is reserved")]
    Reserved,
    /// Nested deeper than we read.
    #[error("nested deeper than {} levels", json::DEPTH_MAX)]
    TooDeep,
    /// A document is a JSON object.
    #[error("a document must be a JSON object")]
    NotAnObject,
    /// A `test` operation found something else.
    #[error("a test of the patch failed: the document changed meanwhile; read it again")]
    TestFailed,
    /// The document was removed.
    #[error("the document was removed")]
    Removed,
    /// A change from outside is not one that we apply.
    #[error("a change of this document is malformed and was left out")]
    BadChange,
    /// Automerge refused.
    #[error("the document cannot be changed like that: {0}")]
    Automerge(#[from] AutomergeError),
}

/// What Kith notes about a document beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its type, such as `learning-path`.
    pub kind: String,
    /// The file that it was imported from, relative, with `/`.
    pub path: Option<String>,
    /// That file's bytes, where the JSON cannot tell them.
    pub source: Option<Vec<u8>>,
}

/// A line in a list of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Which document.
    pub document: DocumentId,
    /// Its type.
    pub kind: String,
    /// What people call it: `title`, `name`, or the file's name.
    pub title: String,
    /// The file that it was imported from.
    pub path: Option<String>,
    /// The `id` that its content carries.
    pub content_id: Option<String>,
}

/// One change in the history of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryItem {
    /// The entry that carried it.
    pub entry: EntryId,
    /// Automerge's hash of it.
    pub change: String,
    /// When, by the writer's clock.
    pub at: Timestamp,
    /// How many operations.
    pub operations: usize,
}

/// A loaded document.
pub struct Document {
    auto: AutoCommit,
    entries: BTreeMap<ChangeHash, EntryId>,
    tombstones: BTreeSet<EntryId>,
    refused: BTreeSet<EntryId>,
    /// Changes that depend on others that are not here yet.
    waiting: Vec<Brought>,
}

impl Document {
    /// An empty document that this run of this device may write to. The actor
    /// derives from all three, so that no two writers share one, not even a
    /// device with itself before its disk was set back.
    #[must_use]
    pub fn new((device, run): (DeviceId, [u8; 16]), space: SpaceId, document: DocumentId) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("kith 2026-11 automerge actor");
        hasher.update(&device.0).update(&run).update(&space.0).update(&document.0);
        let actor = &hasher.finalize().as_bytes()[..16].to_vec();
        Self {
            auto: AutoCommit::new().with_actor(ActorId::from(actor.as_slice())),
            entries: BTreeMap::new(),
            tombstones: BTreeSet::new(),
            refused: BTreeSet::new(),
            waiting: Vec::new(),
        }
    }

    /// Takes in changes, all in one call (one by one costs 500 times as much).
    /// Malformed ones are left out and remembered; those that came too early wait.
    pub fn apply(&mut self, changes: Vec<(EntryId, Vec<u8>)>) {
        for (entry, bytes) in changes {
            match intake::parse(bytes) {
                Some(change) => self.waiting.push((entry, change)),
                None => {
                    self.refused.insert(entry);
                }
            }
        }
        let Taken { applied, refused } = intake::take_in(&mut self.auto, &mut self.waiting);
        self.entries.extend(applied);
        self.refused.extend(refused);
    }

    /// Takes in a tombstone; from then on the document is removed, in whatever
    /// order edits arrive.
    pub fn bury(&mut self, entry: EntryId) {
        self.tombstones.insert(entry);
    }

    /// Whether it was removed.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        !self.tombstones.is_empty()
    }

    #[cfg(feature = "planted-bugs")]
    pub(crate) fn unbury(&mut self) {
        self.tombstones.clear();
    }

    /// Entries whose change could not be applied.
    #[must_use]
    pub fn refused(&self) -> &BTreeSet<EntryId> {
        &self.refused
    }

    /// The entries of the current heads.
    pub fn head_entries(&mut self) -> Vec<EntryId> {
        let heads = self.auto.get_heads();
        let mut entries: Vec<_> =
            heads.iter().filter_map(|hash| self.entries.get(hash).copied()).collect();
        entries.sort();
        entries
    }

    /// Automerge's heads, in hexadecimal.
    pub fn heads(&mut self) -> Vec<String> {
        self.auto.get_heads().iter().map(ToString::to_string).collect()
    }

    /// The document as JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        json::read(&self.auto, &ROOT, 0)
    }

    /// What Kith notes about it.
    #[must_use]
    pub fn meta(&self) -> Meta {
        let Ok(Some((AutomergeValue::Object(ObjType::Map), own))) =
            self.auto.get(ROOT, RESERVED_KEY)
        else {
            return Meta::default();
        };
        let text = |key: &str| match self.auto.get(&own, key) {
            Ok(Some((AutomergeValue::Scalar(scalar), _))) => scalar.as_str().map(ToOwned::to_owned),
            Ok(Some(_) | None) | Err(_) => None,
        };
        let source = match self.auto.get(&own, "source") {
            Ok(Some((AutomergeValue::Scalar(scalar), _))) => scalar.as_bytes().map(<[u8]>::to_vec),
            Ok(Some(_) | None) | Err(_) => None,
        };
        Meta { kind: text("type").unwrap_or_default(), path: text("path"), source }
    }

    /// A line about it for a list.
    #[must_use]
    pub fn summary(&self, document: DocumentId) -> Summary {
        let meta = self.meta();
        let root = |key: &str| match json::read_at(&self.auto, &ROOT, key.into(), 0) {
            Value::String(text) if !text.is_empty() => Some(text),
            Value::String(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => None,
        };
        let file_name =
            || meta.path.as_ref().and_then(|path| path.rsplit('/').next().map(ToOwned::to_owned));
        let title = root("title").or_else(|| root("name")).or_else(file_name);
        Summary {
            document,
            title: title.unwrap_or_else(|| "Untitled".to_owned()),
            content_id: root("id"),
            kind: meta.kind,
            path: meta.path,
        }
    }

    /// Writes what a new document holds.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn fill(&mut self, meta: &Meta, value: &Value) -> Result<(), DocumentError> {
        let root = value.as_object().ok_or(DocumentError::NotAnObject)?;
        let own = self.auto.put_object(ROOT, RESERVED_KEY, ObjType::Map)?;
        self.auto.put(&own, "type", meta.kind.as_str())?;
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
        let root = value.as_object().ok_or(DocumentError::NotAnObject)?;
        let wanted: Map<String, Value> =
            user_keys(root).map(|(key, value)| (key.clone(), value.clone())).collect();
        json::update_map(&mut self.auto, &ROOT, &wanted, 0)?;
        if self.meta().source != meta.source
            && let Some((AutomergeValue::Object(_), own)) = self.auto.get(ROOT, RESERVED_KEY)?
            && let Some(source) = &meta.source
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
        let (object, place) = pointer.resolve(&self.auto)?;
        match place {
            Place::Key(key) => json::put(&mut self.auto, &object, key.into(), value, 1),
            Place::Index(at) => json::put(&mut self.auto, &object, at.into(), value, 1),
            Place::End(at) => json::insert(&mut self.auto, &object, at, value, 1),
        }
    }

    /// Applies a JSON Patch (RFC 6902), all of it or nothing.
    ///
    /// # Errors
    /// [`DocumentError`]; the caller drops this document and loads it again.
    pub fn patch(&mut self, operations: &[PatchOp]) -> Result<(), DocumentError> {
        operations.iter().try_for_each(|operation| self.patch_one(operation))
    }

    fn patch_one(&mut self, operation: &PatchOp) -> Result<(), DocumentError> {
        match operation {
            PatchOp::Add { path, value } => self.add(&Pointer::parse(path)?, value),
            PatchOp::Replace { path, value } => {
                let pointer = Pointer::parse(path)?;
                self.existing(&pointer)?;
                self.set(&pointer, value)
            }
            PatchOp::Remove { path } => self.remove(&Pointer::parse(path)?),
            PatchOp::Test { path, value } => {
                let found = self.existing(&Pointer::parse(path)?)?;
                if found == *value { Ok(()) } else { Err(DocumentError::TestFailed) }
            }
            PatchOp::Copy { from, path } => {
                let value = self.existing(&Pointer::parse(from)?)?;
                self.add(&Pointer::parse(path)?, &value)
            }
            PatchOp::Move { from, path } => {
                let from = Pointer::parse(from)?;
                let value = self.existing(&from)?;
                self.remove(&from)?;
                self.add(&Pointer::parse(path)?, &value)
            }
        }
    }

    fn existing(&self, pointer: &Pointer) -> Result<Value, DocumentError> {
        pointer.find(&self.value()).cloned().ok_or(DocumentError::NoSuchPlace)
    }

    fn add(&mut self, pointer: &Pointer, value: &Value) -> Result<(), DocumentError> {
        let (object, place) = pointer.resolve(&self.auto)?;
        match place {
            Place::Key(key) => json::put(&mut self.auto, &object, key.into(), value, 1),
            Place::Index(at) | Place::End(at) => {
                json::insert(&mut self.auto, &object, at, value, 1)
            }
        }
    }

    fn remove(&mut self, pointer: &Pointer) -> Result<(), DocumentError> {
        self.existing(pointer)?;
        let (object, place) = pointer.resolve(&self.auto)?;
        let prop = place.prop().ok_or(DocumentError::NoSuchPlace)?;
        Ok(self.auto.delete(&object, prop)?)
    }

    /// Ends a change and returns its bytes, or `None` when nothing changed.
    pub fn commit(&mut self, now: Timestamp) -> Option<(ChangeHash, Vec<u8>)> {
        let seconds = i64::try_from(now.0 / 1_000).unwrap_or_default();
        let hash = self.auto.commit_with(CommitOptions::default().with_time(seconds))?;
        let change = self.auto.get_change_by_hash(&hash)?;
        Some((hash, change.raw_bytes().to_vec()))
    }

    /// Notes which entry carries a change that was made here.
    pub fn note_entry(&mut self, change: ChangeHash, entry: EntryId) {
        self.entries.insert(change, entry);
    }

    /// All changes, oldest first.
    pub fn history(&mut self) -> Vec<HistoryItem> {
        // Automerge cannot write down again what some malformed changes did.
        let changes = intake::guarded(|| self.auto.get_changes(&[]));
        changes
            .iter()
            .flatten()
            .filter_map(|change| {
                let entry = *self.entries.get(&change.hash())?;
                let seconds = u64::try_from(change.timestamp()).unwrap_or_default();
                Some(HistoryItem {
                    entry,
                    change: change.hash().to_string(),
                    at: Timestamp(seconds.saturating_mul(1_000)),
                    operations: change.len(),
                })
            })
            .collect()
    }
}

/// The keys that belong to whoever writes the document.
fn user_keys(root: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    root.iter().filter(|(key, _)| *key != RESERVED_KEY)
}

/// A reference to a blob inside a document: an object with the key `blob` whose
/// value is a blob id. Collects all of `value`'s.
pub fn blobs_in(value: &Value, found: &mut BTreeSet<BlobId>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(text)) = map.get("blob")
                && let Ok(blob) = text.parse()
            {
                found.insert(blob);
            }
            map.values().for_each(|item| blobs_in(item, found));
        }
        Value::Array(list) => list.iter().for_each(|item| blobs_in(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
