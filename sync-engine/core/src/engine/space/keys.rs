//! A space's keys, and what they open.

use std::collections::BTreeMap;

use node_model::{EntryId, Epoch, seal::SealKey};

use crate::{
    document::{Body, Document, guarded},
    entry::{EntryKind, VerifiedEntry},
};

/// The keys of a space. Two members may have made an epoch of the same number.
#[derive(Clone, Default)]
pub(super) struct Keys(BTreeMap<Epoch, Vec<SealKey>>);

impl Keys {
    /// Says whether the key is new.
    pub(super) fn add(&mut self, epoch: Epoch, key: SealKey) -> bool {
        let known = self.0.entry(epoch).or_default();
        let is_new = !known.contains(&key);
        if is_new {
            known.push(key);
        }
        is_new
    }

    pub(super) fn count(&self) -> u64 {
        self.0.values().map(|keys| keys.len() as u64).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn open(&self, entry: &VerifiedEntry) -> Option<Vec<u8>> {
        let mut keys = self.0.get(&entry.header().epoch).into_iter().flatten();
        // What we cannot open stays sealed; it is not lost.
        keys.find_map(|key| entry.open(key).ok())
    }

    pub(super) fn body(&self, entry: &VerifiedEntry) -> Option<Body> {
        match entry.header().kind {
            EntryKind::Tombstone => None,
            EntryKind::Change => Some(Body::Change(self.open(entry)?)),
            EntryKind::Bundle => Some(Body::Bundle(self.open(entry)?)),
        }
    }

    /// The changes in entries. Each is opened when the document is ready for it:
    /// together they may unpack to any size.
    pub(super) fn opened<'a>(
        &'a self,
        entries: &'a [VerifiedEntry],
    ) -> impl Iterator<Item = (EntryId, Body)> + 'a {
        entries.iter().filter_map(|entry| Some((entry.id(), self.body(entry)?)))
    }

    /// The document of all entries that are stored of it: `new` makes an empty one. What stops
    /// its reader, against all that is expected, is left alone; nobody else is stopped by it.
    pub(super) fn document(
        &self,
        new: impl Fn() -> Document,
        mut entries: Vec<VerifiedEntry>,
    ) -> Document {
        // An empty document takes over a bundle as it is.
        entries.sort_by_key(|entry| entry.header().kind != EntryKind::Bundle);
        let fill = |mut document: Document| {
            self.bury_if_told(&mut document, &entries);
            document.apply(self.opened(&entries));
            document
        };
        guarded(|| fill(new())).unwrap_or_else(|| {
            let mut document = new();
            document.leave_alone();
            fill(document)
        })
    }

    pub(super) fn bury_if_told(&self, document: &mut Document, entries: &[VerifiedEntry]) {
        for entry in entries {
            match entry.header().kind {
                EntryKind::Tombstone => {
                    document.bury(entry.id(), &self.open(entry).unwrap_or_default());
                }
                EntryKind::Change | EntryKind::Bundle => {
                    #[cfg(feature = "planted-bugs")]
                    if node_model::planted::active(node_model::planted::Bug::ReorderedTombstone) {
                        document.unbury();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{
        document::Refusal,
        engine::testing::{DOCUMENT, Node, SPACE, forged, key_of},
    };

    #[test]
    fn what_stops_its_reader_is_left_alone() {
        let mut keys = Keys::default();
        keys.add(Epoch::FIRST, key_of(Epoch::FIRST));
        let device = Node::new(1, &[]).signer.device();
        let is_first = Cell::new(true);
        let new = || {
            assert!(!is_first.replace(false), "nobody expects this");
            Document::new((device, [1; 16]), SPACE, DOCUMENT)
        };
        let entry = forged(b"no change");
        let document = keys.document(new, vec![entry.clone()]);
        assert_eq!(document.refused().get(&entry.id()), Some(&Refusal::LeftAlone));
    }
}
