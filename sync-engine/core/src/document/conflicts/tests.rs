use std::collections::BTreeSet;

use node_model::{DeviceId, DocumentId, EntryId, SpaceId, Timestamp};
use serde_json::json;

use super::*;
use crate::{
    document::{DocumentError, Meta},
    json::Pointer,
    patch::PatchOp,
};

mod hostile;
mod leaving;
mod matrix;
mod resolving;
mod together;
mod workload;

/// Changes with their entries.
type Made = Vec<(EntryId, Vec<u8>)>;

/// A device with a copy of one document.
struct Device {
    document: Document,
    number: u8,
    made: Made,
}

impl Device {
    fn new(number: u8) -> Self {
        let writer = (DeviceId([number; 32]), [0; 16]);
        let document = Document::new(writer, SpaceId([1; 32]), DocumentId([2; 16]));
        Self { document, number, made: vec![] }
    }

    fn with(number: u8, made: &Made) -> Self {
        let mut device = Self::new(number);
        device.document.apply(made.clone());
        device
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Document) -> Result<(), DocumentError>) -> EntryId {
        edit(&mut self.document).expect("a good edit");
        let at = Timestamp(1_000 * (1 + self.made.len() as u64));
        let committed = self.document.commit(at).expect("it is small");
        let (hash, bytes) = committed.expect("something changed");
        let entry = EntryId(*blake3::hash(&bytes).as_bytes());
        self.document.note_entry(hash, entry);
        self.made.push((entry, bytes));
        entry
    }

    fn patch(&mut self, patch: Value) -> EntryId {
        let patch: Vec<PatchOp> = serde_json::from_value(patch).expect("a patch");
        self.edit(|document| document.patch(&patch))
    }

    fn set(&mut self, path: &str, value: Value) -> EntryId {
        self.edit(|document| document.set(&Pointer::parse(path)?, &value))
    }

    fn remove(&mut self, path: &str) -> EntryId {
        self.patch(json!([{"op": "remove", "path": path}]))
    }

    fn take(&mut self, other: &Self) {
        self.document.apply(other.made.clone());
    }

    fn resolve(&mut self, resolution: Resolution) -> EntryId {
        let conflict = self.only();
        let plan = self.document.plan(conflict.id, resolution).expect("it can be resolved");
        self.edit(|document| document.carry_out(&plan))
    }

    fn only(&mut self) -> Conflict {
        let mut conflicts = self.document.conflicts();
        assert!(conflicts.is_complete);
        assert_eq!(conflicts.items.len(), 1, "{conflicts:#?}");
        conflicts.items.remove(0)
    }

    fn assert_none(&mut self) {
        let conflicts = self.document.conflicts();
        assert_eq!(conflicts.items, [], "at device {}", self.number);
        assert!(conflicts.is_complete);
    }
}

/// A document that devices 1, 2 and so on all have.
fn shared(value: &Value, count: u8) -> Vec<Device> {
    let mut first = Device::new(1);
    let meta = Meta { kind: "learning-path".into(), app: None, path: None, source: None };
    first.edit(|document| document.fill(&meta, value));
    let mut devices = vec![first];
    for number in 2..=count {
        let device = Device::with(number, &devices[0].made);
        devices.push(device);
    }
    devices
}

/// Two devices that have the document.
fn pair(value: &Value) -> (Device, Device) {
    let mut devices = shared(value, 2);
    let ben = devices.pop().expect("two devices");
    (devices.pop().expect("two devices"), ben)
}

fn meet(one: &mut Device, other: &mut Device) {
    one.take(other);
    other.take(one);
    assert_eq!(one.document.value(), other.document.value());
    assert_eq!(one.document.conflicts(), other.document.conflicts());
}

/// What all of them made.
fn all_of(devices: &[Device]) -> Made {
    devices.iter().flat_map(|device| device.made.clone()).collect()
}
