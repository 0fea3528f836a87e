//! What arrived in a space, entry by entry: for whoever follows it more closely than by the
//! documents that changed.
//!
//! Invariant: a kind is told from headers, so no document is opened for it.
//! Non-goals: what a change says; see the history of its document.

use std::collections::{BTreeMap, BTreeSet, btree_map};

use node_model::{DeviceId, DocumentId, EntryId, SpaceId};

use super::{EngineError, SyncEngine, space::Space, views::Stamp};
use crate::{
    entry::{EntryKind, Header, VerifiedEntry},
    store::{Arrival, StoreError},
};

/// Entries in an answer.
const EVENTS_MAX: usize = 128;

/// Bytes of entries that are read for an answer, and after which an answer looks through no
/// more documents: some milliseconds.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of a document that is looked through for the order in which its entries came.
const DOCUMENT_BYTES_MAX: u64 = 1024 * 1024;

/// How an entry came here, in the order in which whoever keeps up wants to hear of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArrivalKind {
    /// It was written here.
    Local,
    /// It came from others, and builds on what was here.
    New,
    /// It came from others and is older than what was here: a bundle of earlier changes, or
    /// an entry that something builds on which came before it. A document of more than a
    /// mebibyte is not looked through for the latter.
    Backfill,
    /// It waits for something that it builds on, which is not here yet. In a document with
    /// bundles nobody can tell, since bundles take the place of what was built on.
    Outlier,
}

/// An entry that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the order of arrival, from 1.
    pub place: u64,
    /// Which one.
    pub entry: EntryId,
    /// What of.
    pub document: DocumentId,
    /// The device that wrote it.
    pub author: DeviceId,
    /// How it came, as things stand now.
    pub kind: ArrivalKind,
}

/// What arrived in a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// In the order of arrival.
    pub events: Vec<Event>,
    /// Names what whoever looked at these has seen: as good as that of
    /// [`Changes`](super::Changes).
    pub stamp: Vec<u8>,
    /// Whether they begin with the first that there is.
    pub is_all: bool,
    /// Whether there are more after the stamp.
    pub is_more: bool,
}

impl SyncEngine {
    /// What arrived in a space since the state of `since`, an older [`Events::stamp`];
    /// `None` while we cannot read the space.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn arrived_since(
        &self,
        space: SpaceId,
        since: Option<&[u8]>,
    ) -> Result<Option<Events>, EngineError> {
        let space = self.spaces.get(&space).ok_or(EngineError::NoSuchSpace)?;
        if !space.is_readable() {
            return Ok(None);
        }
        let known = Stamp::known(space, since)?;
        let after = known.map_or(0, Stamp::place);
        let page = space.store.arrivals(after, EVENTS_MAX, BYTES_MAX)?;
        let (mut events, mut orders) = (Vec::with_capacity(page.len()), Orders::default());
        for arrival in page {
            if orders.bytes > BYTES_MAX as u64 {
                break;
            }
            events.push(event(space, arrival, &mut orders)?);
        }
        let reached = events.last().map_or(after, |event| event.place);
        Ok(Some(Events {
            events,
            stamp: Stamp::bytes_at(space, reached)?,
            is_all: known.is_none(),
            is_more: reached < space.store.head().arrivals,
        }))
    }
}

fn event(
    space: &Space,
    Arrival { place, source, bytes }: Arrival,
    orders: &mut Orders,
) -> Result<Event, StoreError> {
    let entry = read(bytes)?;
    let (id, header) = (entry.id(), entry.header());
    let Header { document, author, .. } = *header;
    let kind = if source.is_none() {
        ArrivalKind::Local
    } else {
        let order = orders.of(space, document)?;
        if header.kind == EntryKind::Bundle || order.late.contains(&id) {
            ArrivalKind::Backfill
        } else if !order.has_bundles && lacks_any(space, &header.deps)? {
            ArrivalKind::Outlier
        } else {
            ArrivalKind::New
        }
    };
    Ok(Event { place, entry: id, document, author, kind })
}

fn lacks_any(space: &Space, deps: &[EntryId]) -> Result<bool, StoreError> {
    for dep in deps {
        if !space.store.contains(*dep)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The documents that were looked through for an answer.
#[derive(Default)]
struct Orders {
    known: BTreeMap<DocumentId, Order>,
    bytes: u64,
}

impl Orders {
    fn of(&mut self, space: &Space, document: DocumentId) -> Result<&Order, StoreError> {
        Ok(match self.known.entry(document) {
            btree_map::Entry::Occupied(known) => known.into_mut(),
            btree_map::Entry::Vacant(new) => {
                let bytes = space.store.document_bytes(document)?;
                new.insert(if bytes > DOCUMENT_BYTES_MAX {
                    // It has bundles, or will soon.
                    Order { late: BTreeSet::new(), has_bundles: true }
                } else {
                    self.bytes += bytes;
                    Order::of(space, document)?
                })
            }
        })
    }
}

/// In which order the entries of a document came.
struct Order {
    /// Those that came after something that builds on them, or that their author wrote later.
    late: BTreeSet<EntryId>,
    has_bundles: bool,
}

impl Order {
    fn of(space: &Space, document: DocumentId) -> Result<Self, StoreError> {
        let mut order = Self { late: BTreeSet::new(), has_bundles: false };
        let mut built_on: BTreeSet<EntryId> = BTreeSet::new();
        let mut newest: BTreeMap<DeviceId, u64> = BTreeMap::new();
        for bytes in space.store.document(document)? {
            let entry = read(bytes)?;
            let header = entry.header();
            order.has_bundles |= header.kind == EntryKind::Bundle;
            let known = newest.entry(header.author).or_default();
            if built_on.contains(&entry.id()) || *known > header.sequence {
                order.late.insert(entry.id());
            }
            *known = (*known).max(header.sequence);
            built_on.extend(&header.deps);
        }
        Ok(order)
    }
}

fn read(bytes: Vec<u8>) -> Result<VerifiedEntry, StoreError> {
    VerifiedEntry::from_storage(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        document::Meta,
        engine::testing::{Node, SPACE},
        store::{Batch, EntryStore, MemoryStore, StoreEpoch},
    };

    /// A node that got these entries from a peer, one by one.
    fn after(entries: &[&VerifiedEntry]) -> Node {
        let source = Some(DeviceId([7; 32]));
        let mut store = MemoryStore::new(StoreEpoch([9; 16]));
        for entry in entries {
            let batch = Batch { entries: vec![(*entry).clone()], source, ..Batch::default() };
            store.append(&[batch]).expect("memory");
        }
        let mut node = Node::new(9, &[]);
        node.engine.close_space(SPACE);
        node.engine.open_space(SPACE, Box::new(store)).expect("memory");
        node.use_epoch(node_model::Epoch::FIRST);
        node
    }

    fn kinds(node: &Node) -> Vec<ArrivalKind> {
        let found = node.engine.arrived_since(SPACE, None).expect("the space").expect("readable");
        found.events.into_iter().map(|event| event.kind).collect()
    }

    fn three() -> Vec<VerifiedEntry> {
        let mut ada = Node::new(1, &[]);
        ada.fill(&json!({"n": 0}));
        ada.set("n", &json!(1));
        ada.set("n", &json!(2));
        ada.stored()
    }

    #[test]
    fn what_is_written_here_is_local_and_what_comes_in_order_is_new() {
        use ArrivalKind::{Local, New};
        let entries = three();
        let mut ben = after(&entries.iter().collect::<Vec<_>>());
        ben.set("n", &json!(3));
        assert_eq!(kinds(&ben), [New, New, New, Local]);
    }

    #[test]
    fn what_comes_late_is_backfill_and_what_waits_an_outlier() {
        use ArrivalKind::{Backfill, New, Outlier};
        let [first, second, third] = three().try_into().expect("three");
        assert_eq!(kinds(&after(&[&first, &third])), [New, Outlier]);
        assert_eq!(kinds(&after(&[&first, &third, &second])), [New, New, Backfill]);
        assert_eq!(kinds(&after(&[&third, &second, &first])), [New, Backfill, Backfill]);
    }

    #[test]
    fn a_bundle_is_backfill_and_hides_what_it_stands_for() {
        use ArrivalKind::{Backfill, New};
        let mut ada = Node::new(1, &three());
        ada.compact(false).expect("a bundle");
        ada.set("n", &json!(3));
        let [bundle, change] = ada.stored().try_into().expect("a bundle and a change");
        assert_eq!(kinds(&after(&[&bundle, &change])), [Backfill, New]);
    }

    #[test]
    fn an_answer_ends_once_it_has_looked_through_enough() {
        let source = Some(DeviceId([7; 32]));
        let mut store = MemoryStore::new(StoreEpoch([9; 16]));
        let text = |number: u32| {
            let mut noise = [0; 120_000];
            blake3::Hasher::new().update(&number.to_be_bytes()).finalize_xof().fill(&mut noise);
            noise.iter().map(|byte| char::from(b' ' + byte % 95)).collect::<String>()
        };
        let mut ada = Node::new(1, &[]);
        for round in 0..2 {
            for number in 0..60 {
                let document = DocumentId([u8::try_from(number).expect("small"); 16]);
                let value = json!({"text": text(number), "round": round});
                ada.write(|engine, writer| {
                    let meta = Meta::default();
                    engine.write_document(writer, SPACE, document, &meta, &value).expect("fits");
                });
            }
        }
        let mut entries = ada.stored();
        entries.sort_by_key(|entry| entry.header().sequence);
        store.append(&[Batch { entries, source, ..Batch::default() }]).expect("memory");
        let mut ben = after(&[]);
        ben.engine.close_space(SPACE);
        ben.engine.open_space(SPACE, Box::new(store)).expect("memory");
        ben.use_epoch(node_model::Epoch::FIRST);
        let (mut since, mut counts) = (None, Vec::new());
        loop {
            let found = ben.engine.arrived_since(SPACE, since.as_deref()).expect("the space");
            let found = found.expect("readable");
            counts.push(found.events.len());
            since = Some(found.stamp);
            if !found.is_more {
                break;
            }
        }
        // The small entries of the second round are of large documents.
        assert_eq!(counts.len(), 3, "{counts:?}");
        assert_eq!(counts.iter().sum::<usize>(), 120);
    }

    #[test]
    fn whoever_keeps_the_stamp_goes_on_from_there() {
        let entries = three();
        let mut ben = after(&entries.iter().collect::<Vec<_>>());
        let all = ben.engine.arrived_since(SPACE, None).expect("the space").expect("readable");
        assert!(all.is_all && !all.is_more);
        ben.set("n", &json!(3));
        let since = |stamp: &[u8]| {
            ben.engine.arrived_since(SPACE, Some(stamp)).expect("the space").expect("readable")
        };
        let next = since(&all.stamp);
        assert_eq!((next.events.len(), next.events[0].place), (1, 4));
        assert!(!next.is_all);
        assert_eq!(since(&next.stamp).events, []);
        assert_eq!(since(b"of another space").events.len(), 4);
    }
}
