//! A document: an Automerge document and the entries that its changes came in.
//!
//! The root map is the document as programs see it; the key [`RESERVED_KEY`]
//! holds what Kith itself notes (type, file path, original bytes) and is hidden
//! from JSON.

mod budget;
pub mod bundle;
pub mod conflicts;
mod counter;
pub mod crafted;
mod difference;
mod edit;
mod graph;
mod intake;
pub(crate) mod light;
mod past;
mod refusal;
mod restore;
mod search;
mod told;
mod tree;
mod waiting;
pub mod weigh;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use automerge::{
    ActorId, AutoCommit, AutomergeError, ChangeHash, ObjType, ROOT, ReadDoc,
    Value as AutomergeValue, transaction::CommitOptions,
};
use node_model::{
    BlobId, DeviceId, DocumentId, EntryId, SpaceId, Timestamp, limit::ENTRY_DEPS_MAX,
};
use serde_json::Value;

pub use self::bundle::{Body, BundleJob, Bundled};
pub use self::counter::MadeCounter;
pub use self::past::{At, BadAt, BadChangeName, ChangeName, HistoryItem, HistoryPage, PastValue};
pub use self::refusal::{Measure, Refusal, TooHeavy};
pub use self::restore::Restoration;
pub use self::told::{Edit, EditKind, Told};

use self::intake::Intake;
use crate::json::{self, DEPTH_MAX};

/// Key of the root map that Kith keeps for itself.
pub const RESERVED_KEY: &str = "@kith";

/// The namespace of documents that no app claims: what people write and import themselves.
pub const OWN_APP: &str = "kith";

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
    #[error("nested deeper than {} levels", DEPTH_MAX)]
    TooDeep,
    /// A document is a JSON object.
    #[error("a document must be a JSON object")]
    NotAnObject,
    /// A `test` operation found something else.
    #[error("a test of the patch failed: the document changed meanwhile; read it again")]
    TestFailed,
    /// A patch asks for what takes too long.
    #[error("the patch looks at too much of the document; send it in parts")]
    ReadsTooMuch,
    /// There is no counter, and nothing to make one of.
    #[error("only a whole number, or nothing yet, becomes a counter")]
    NotACounter,
    /// More than a counter counts.
    #[error("too far for a counter: 2^44 at once is the most")]
    CounterTooFar,
    /// No change is called that.
    #[error("there is no such change of this document here")]
    NoSuchChange,
    /// Several changes begin with these digits.
    #[error("several changes begin with these digits; give more of them")]
    SeveralChanges,
    /// A time before the first change.
    #[error("nothing of this document is as old as that")]
    NotYet,
    /// The document was removed.
    #[error("the document was removed")]
    Removed,
    /// A change from outside confuses Automerge.
    #[error("a malformed change of this document keeps it from being changed here")]
    Unreadable,
    /// Other devices would not take the change.
    #[error("the document cannot take this: {0}")]
    Refused(Refusal),
    /// Automerge refused.
    #[error("the document cannot be changed like that: {0}")]
    Automerge(#[from] AutomergeError),
}

/// What Kith notes about a document beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Its type, such as `learning-path`.
    pub kind: String,
    /// The app whose it is, such as `recipes`, where one said so; [`Meta::namespace`] is for
    /// those that share a space to tell their documents apart.
    pub app: Option<String>,
    /// The file that it was imported from, relative, with `/`.
    pub path: Option<String>,
    /// That file's bytes, where the JSON cannot tell them.
    pub source: Option<Vec<u8>>,
}

impl Meta {
    /// The app whose the document is: Kith's own, where none said so.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.app.as_deref().unwrap_or(OWN_APP)
    }
}

/// A line in a list of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Which document.
    pub document: DocumentId,
    /// Its type.
    pub kind: String,
    /// The app whose it is: [`Meta::namespace`].
    pub app: String,
    /// What people call it: `title`, `name`, or the file's name.
    pub title: String,
    /// The file that it was imported from.
    pub path: Option<String>,
    /// The `id` that its content carries.
    pub content_id: Option<String>,
    /// When it was last changed, by the clock of whoever did, in whole seconds.
    pub changed_at: Option<Timestamp>,
}

/// A loaded document.
pub struct Document {
    auto: AutoCommit,
    intake: Intake,
    /// Tombstones, and what each one knew of.
    tombstones: BTreeMap<EntryId, Vec<ChangeHash>>,
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
            intake: Intake::default(),
            tombstones: BTreeMap::new(),
        }
    }

    /// Reads nothing of what it is given from now on, and refuses each.
    pub fn leave_alone(&mut self) {
        self.intake.leave_alone();
    }

    /// Takes in changes and bundles, all in one call (one by one costs 500 times as much).
    /// Those that came too early wait; those that are malformed or too heavy, or
    /// for which the document has no room, are left out and named by
    /// [`Document::refused`]. Takes them one by one from the iterator and keeps
    /// of them what the document may be, 30 MiB, whatever they are.
    pub fn apply<B: Into<Body>>(&mut self, bodies: impl IntoIterator<Item = (EntryId, B)>) {
        self.intake.take_in(&mut self.auto, bodies);
    }

    /// Takes in changes that arrive while the document is in use. `false`: they are
    /// so much that to load the whole document again is faster; it is unfit now.
    #[must_use]
    pub fn catch_up<B: Into<Body>>(
        &mut self,
        bodies: impl IntoIterator<Item = (EntryId, B)>,
    ) -> bool {
        self.intake.catch_up(&mut self.auto, bodies)
    }

    /// Takes in a tombstone and its body, which [`Self::known`] made where it was written;
    /// from then on the document is removed, in whatever order edits arrive.
    pub fn bury(&mut self, entry: EntryId, known: &[u8]) {
        let hashes = known.chunks_exact(32).filter_map(|hash| ChangeHash::try_from(hash).ok());
        self.tombstones.insert(entry, hashes.collect());
    }

    /// What a tombstone that is written now knows of: the hashes of Automerge's heads, as
    /// many as an entry names. Entries would not do: bundles take their place.
    pub fn known(&mut self) -> Vec<u8> {
        let heads = self.auto.get_heads();
        heads.iter().take(ENTRY_DEPS_MAX).flat_map(|hash| hash.0).collect()
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

    /// Entries whose change does not count, and why.
    #[must_use]
    pub fn refused(&self) -> &BTreeMap<EntryId, Refusal> {
        self.intake.refused()
    }

    /// How many changes wait for others that they build on and that are not here.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.intake.waiting_count()
    }

    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.intake.memory_bytes()
    }

    /// The entries of the current heads.
    pub fn head_entries(&mut self) -> Vec<EntryId> {
        let heads = self.auto.get_heads();
        let mut entries: Vec<_> = heads.iter().filter_map(|hash| self.intake.entry(hash)).collect();
        entries.sort();
        entries
    }

    /// Automerge's heads, in hexadecimal.
    pub fn heads(&mut self) -> Vec<String> {
        self.auto.get_heads().iter().map(ToString::to_string).collect()
    }

    /// The document as JSON. What Automerge cannot read, because a malformed
    /// change confuses it, is null.
    #[must_use]
    pub fn value(&self) -> Value {
        json::read(&self.auto, &ROOT, 0)
    }

    /// What Kith notes about it.
    #[must_use]
    pub fn meta(&self) -> Meta {
        guarded(|| self.read_meta()).unwrap_or_default()
    }

    fn read_meta(&self) -> Meta {
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
        let kind = text("type").unwrap_or_default();
        Meta { kind, app: text("app"), path: text("path"), source }
    }

    /// A line about it for a list.
    #[must_use]
    pub fn summary(&mut self, document: DocumentId) -> Summary {
        let heads = self.auto.get_heads();
        let mut time = |head| past::time(self.auto.get_change_meta_by_hash(head)?.timestamp);
        let changed_at = heads.iter().filter_map(&mut time).max();
        let meta = self.meta();
        let root = |key: &str| match json::read_at(&self.auto, &ROOT, key.into(), DEPTH_MAX - 1) {
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
            app: meta.namespace().to_owned(),
            kind: meta.kind,
            path: meta.path,
            changed_at,
        }
    }

    /// Ends a change and returns its bytes, or `None` when nothing changed.
    ///
    /// # Errors
    /// [`DocumentError::Refused`]: nobody would take it. The caller drops this
    /// document and loads it again.
    pub fn commit(
        &mut self,
        now: Timestamp,
    ) -> Result<Option<(ChangeHash, Vec<u8>)>, DocumentError> {
        let seconds = i64::try_from(now.0 / 1_000).unwrap_or_default();
        let options = CommitOptions::default().with_time(seconds);
        let Some(hash) = self.auto.commit_with(options) else { return Ok(None) };
        let Some(change) = self.auto.get_change_by_hash(&hash) else { return Ok(None) };
        self.intake.note_own(&change).map_err(DocumentError::Refused)?;
        Ok(Some((hash, change.raw_bytes().to_vec())))
    }

    /// Notes which entry carries a change that was made here.
    pub fn note_entry(&mut self, change: ChangeHash, entry: EntryId) {
        self.intake.note_entry(&change, entry);
    }

    /// The entries that carry its changes, and how many each. A change that several
    /// entries brought counts for the one that came last.
    #[must_use]
    pub fn carriers(&self) -> BTreeMap<EntryId, u64> {
        let mut carriers = BTreeMap::new();
        for (_, entry) in self.intake.entries() {
            *carriers.entry(entry).or_default() += 1;
        }
        carriers
    }

    /// How many changes it has.
    #[must_use]
    pub fn changes_count(&self) -> u64 {
        self.intake.changes_count()
    }

    /// Notes which bundle carries these changes now.
    pub fn note_bundle(&mut self, changes: &BTreeSet<ChangeHash>, bundle: EntryId) {
        self.intake.note_bundle(changes, bundle);
    }

    /// Whether all changes of a body are in the document, brought by one of `entries`.
    #[must_use]
    pub fn are_carried(&self, body: &Body, entries: &BTreeSet<EntryId>) -> bool {
        let Some(hashes) = body.hashes() else { return false };
        let mut carriers = hashes.iter().map(|hash| self.intake.entry(hash));
        carriers.all(|by| by.is_some_and(|by| entries.contains(&by)))
    }
}

/// Runs Automerge where it may panic; `None` when it does.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
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
mod hostile;
#[cfg(test)]
mod tests;
