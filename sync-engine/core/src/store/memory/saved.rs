//! A store without a disk as bytes, for whoever has another place for them.

use std::collections::BTreeMap;

use node_model::{DeviceId, EntryId, cbor};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{Cursor, MemoryStore, StoreEpoch, StoreError, Tip};
use crate::entry::VerifiedEntry;

/// Everything that cannot be made from the rest.
#[derive(Serialize, Deserialize)]
struct Saved {
    epoch: StoreEpoch,
    last_place: u64,
    arrivals: Vec<(u64, ByteBuf, Option<DeviceId>)>,
    superseded: Vec<(ByteBuf, Option<DeviceId>)>,
    /// Those that are forgotten, too: what they stood for is still superseded.
    bundles: Vec<ByteBuf>,
    tips: Vec<(DeviceId, u64, EntryId)>,
    cursors: Vec<(DeviceId, Cursor)>,
    aside: Vec<ByteBuf>,
}

impl MemoryStore {
    /// All of it. [`Self::restore`] makes an equal store of it.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let bytes = |entry: &VerifiedEntry| ByteBuf::from(entry.bytes());
        let arrivals = self.arrivals.iter();
        let superseded = self.superseded.values();
        cbor::encode(&Saved {
            epoch: self.epoch,
            last_place: self.last_place,
            arrivals: arrivals
                .map(|(place, (entry, from))| (*place, bytes(entry), *from))
                .collect(),
            superseded: superseded.map(|(entry, from)| (bytes(entry), *from)).collect(),
            bundles: self.bundles.values().flat_map(BTreeMap::values).map(bytes).collect(),
            tips: self.tips.iter().map(|(author, tip)| (*author, tip.sequence, tip.id)).collect(),
            cursors: self.cursors.iter().map(|(peer, cursor)| (*peer, *cursor)).collect(),
            aside: self.aside.values().map(bytes).collect(),
        })
    }

    /// A store of what [`Self::save`] gave, kept where nobody else writes: entries are not
    /// verified again.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn restore(bytes: &[u8]) -> Result<Self, StoreError> {
        let saved: Saved = cbor::decode_from(cbor::Origin::OwnStorage, bytes, bytes.len())
            .map_err(|error| StoreError::Damaged(error.to_string()))?;
        let mut store = Self::new(saved.epoch);
        store.last_place = saved.last_place;
        for (place, bytes, from) in saved.arrivals {
            let entry = stored(bytes)?;
            store.digest.add(entry.id());
            store.place(place, (entry, from));
        }
        for (bytes, from) in saved.superseded {
            let entry = stored(bytes)?;
            store.superseded.insert(entry.id(), (entry, from));
        }
        for bytes in saved.bundles {
            let bundle = stored(bytes)?;
            let document = bundle.header().document;
            store.bundles.entry(document).or_default().insert(bundle.id(), bundle);
        }
        for bytes in saved.aside {
            let entry = stored(bytes)?;
            store.aside.insert(entry.id(), entry);
        }
        let tips = saved.tips.into_iter();
        store.tips = tips.map(|(author, sequence, id)| (author, Tip { sequence, id })).collect();
        store.cursors = saved.cursors.into_iter().collect();
        Ok(store)
    }
}

fn stored(bytes: ByteBuf) -> Result<VerifiedEntry, StoreError> {
    crate::store::stored(bytes.into_vec())
}
