//! The stores of a node on records that the script keeps: a ledger as it is, and of each space
//! a snapshot and the steps after it.
//!
//! Invariant: what a store says that it kept is among the changes of the same call, and the
//! script keeps those before it does anything else.

mod entries;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use node_core::SpaceStorage;
use node_model::{DocumentId, SpaceId};
use sync_engine_core::store::{EntryStore, StoreEpoch, StoreError};
use trust_core::ledger::{Ledger, LedgerError, Record};

use self::entries::RecordStore;

/// How keys of the ledger begin.
const LEDGER: u8 = b't';

/// How keys of spaces begin.
const SPACE: u8 = b's';

/// Bytes of a key of a space: its beginning, the space, and a number, largest byte first.
const SPACE_KEY_BYTES: usize = 1 + 32 + 8;

/// How keys of documents begin that are left alone.
const LEFT_ALONE: u8 = b'x';

/// The version that the document stopped: the next one tries again.
const VERSION: &[u8] = env!("CARGO_PKG_VERSION").as_bytes();

/// The record that has a document be left alone from the next opening on.
pub(crate) fn left_alone((space, document): (SpaceId, DocumentId)) -> Record {
    ([&[LEFT_ALONE][..], &space.0, &document.0].concat(), VERSION.to_vec())
}

/// A change of the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A record, new or in the place of another one.
    Put(Vec<u8>, Vec<u8>),
    /// No record any more.
    Delete(Vec<u8>),
}

/// Where stores leave their changes for the script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    changes: Arc<Mutex<Vec<Change>>>,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Vec<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, key: Vec<u8>, value: Vec<u8>) {
        self.lock().push(Change::Put(key, value));
    }

    fn delete(&self, key: Vec<u8>) {
        self.lock().push(Change::Delete(key));
    }

    /// What has changed since it was asked last.
    pub(crate) fn take(&self) -> Vec<Change> {
        std::mem::take(&mut self.lock())
    }
}

/// All records, sorted into those of the ledger and those of each space.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    ledger: BTreeMap<Vec<u8>, Vec<u8>>,
    spaces: BTreeMap<SpaceId, BTreeMap<u64, Vec<u8>>>,
    /// Documents that stopped this version.
    pub(crate) left_alone: BTreeSet<(SpaceId, DocumentId)>,
}

impl Loaded {
    /// Sorts records; `None` when there is one that this version did not write.
    pub(crate) fn sort(records: impl IntoIterator<Item = Record>) -> Option<Self> {
        let mut loaded = Self::default();
        for (key, value) in records {
            let (kind, rest) = key.split_first()?;
            match *kind {
                LEDGER => {
                    loaded.ledger.insert(rest.to_vec(), value);
                }
                SPACE if key.len() == SPACE_KEY_BYTES => {
                    let (space, number) = rest.split_first_chunk::<32>()?;
                    let number = u64::from_be_bytes(number.try_into().ok()?);
                    loaded.spaces.entry(SpaceId(*space)).or_default().insert(number, value);
                }
                LEFT_ALONE => {
                    let (space, document) = rest.split_first_chunk::<32>()?;
                    if value == VERSION {
                        let document = DocumentId(document.try_into().ok()?);
                        loaded.left_alone.insert((SpaceId(*space), document));
                    }
                }
                _ => return None,
            }
        }
        Some(loaded)
    }

    /// The stores on these records.
    pub(crate) fn stores(self, shelf: &Shelf) -> (RecordLedger, RecordSpaces) {
        let ledger = RecordLedger { records: self.ledger, shelf: shelf.clone() };
        (ledger, RecordSpaces { closed: self.spaces, opened: vec![], shelf: shelf.clone() })
    }
}

/// A ledger on records.
pub(crate) struct RecordLedger {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    shelf: Shelf,
}

impl RecordLedger {
    fn key(key: &[u8]) -> Vec<u8> {
        [&[LEDGER], key].concat()
    }
}

impl Ledger for RecordLedger {
    fn put(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        for (key, value) in records {
            self.shelf.put(Self::key(key), value.clone());
            self.records.insert(key.clone(), value.clone());
        }
        Ok(())
    }

    fn replace(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        for key in std::mem::take(&mut self.records).into_keys() {
            self.shelf.delete(Self::key(&key));
        }
        self.put(records)
    }

    fn all(&self) -> Result<Vec<Record>, LedgerError> {
        Ok(self.records.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// The stores of all spaces on records.
pub(crate) struct RecordSpaces {
    /// Records of spaces that are not open yet.
    closed: BTreeMap<SpaceId, BTreeMap<u64, Vec<u8>>>,
    opened: Vec<SpaceId>,
    shelf: Shelf,
}

impl SpaceStorage for RecordSpaces {
    fn open(
        &mut self,
        space: SpaceId,
        epoch_if_new: StoreEpoch,
    ) -> Result<Box<dyn EntryStore>, StoreError> {
        if self.opened.contains(&space) {
            // Its records are in the store that was open, and with it gone.
            let message = "it was open already; open the page again".to_owned();
            return Err(StoreError::Storage(message));
        }
        let store = match self.closed.get(&space) {
            Some(records) => RecordStore::open(space, records, self.shelf.clone())?,
            None => RecordStore::create(space, epoch_if_new, self.shelf.clone()),
        };
        self.closed.remove(&space);
        self.opened.push(space);
        Ok(Box::new(store))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does what the script does.
    fn keep(records: &mut BTreeMap<Vec<u8>, Vec<u8>>, shelf: &Shelf) {
        for change in shelf.take() {
            match change {
                Change::Put(key, value) => {
                    records.insert(key, value);
                }
                Change::Delete(key) => {
                    records.remove(&key);
                }
            }
        }
    }

    #[test]
    fn a_ledger_on_records_conforms_and_is_there_again() {
        let (shelf, mut records) = (Shelf::default(), BTreeMap::new());
        let (mut ledger, _) = Loaded::default().stores(&shelf);
        trust_core::ledger::conformance(&mut ledger).expect("conforms");
        keep(&mut records, &shelf);
        let loaded = Loaded::sort(records).expect("ours");
        let (again, _) = loaded.stores(&shelf);
        assert_eq!(again.all(), ledger.all());
    }

    #[test]
    fn records_of_others_are_not_taken_for_ours() {
        for key in [&b""[..], b"q1", b"s", &[b's'; 42], b"x1"] {
            assert!(Loaded::sort([(key.to_vec(), VERSION.to_vec())]).is_none(), "{key:?}");
        }
    }

    #[test]
    fn a_document_is_left_alone_by_the_version_that_it_stopped() {
        let place = (SpaceId([1; 32]), DocumentId([2; 16]));
        let (key, version) = left_alone(place);
        let loaded = |value| Loaded::sort([(key.clone(), value)]).expect("ours").left_alone;
        assert_eq!(loaded(version), BTreeSet::from([place]));
        assert_eq!(loaded(b"another".to_vec()), BTreeSet::new());
    }
}
