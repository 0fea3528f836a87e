//! What must be true, by a second and simpler way: what was promised, and what the entries of a
//! space add up to when nobody is in a hurry.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::VerifyingKey;
use node_model::{
    BlobId, DeviceId, DocumentId, EntryId, Epoch, SpaceId, cbor, limit::ENTRY_BODY_BYTES_MAX,
    seal::SealKey,
};
use serde_bytes::ByteBuf;
use serde_json::Value;
use sync_engine_core::{
    document::{Body, Document},
    entry::{EntryKind, VerifiedEntry},
    store::StoreEpoch,
};

/// What the world was promised.
#[derive(Default)]
pub(crate) struct Reference {
    /// Entries of acknowledged writes.
    pub(crate) acknowledged: BTreeMap<EntryId, Promise>,
    /// Blobs that somebody put on a disk.
    pub(crate) blobs: BTreeSet<BlobId>,
    /// What each store held when it was last looked at, in order of arrival.
    pub(crate) held: BTreeMap<(usize, SpaceId), Vec<EntryId>>,
    /// Who wrote what was held somewhere, as their how manieth entry.
    pub(crate) written: BTreeMap<EntryId, (DeviceId, u64)>,
    /// The bytes of what was held somewhere.
    pub(crate) bytes: BTreeMap<EntryId, Vec<u8>>,
    /// Entries of whoever is removed that came to somebody who stays.
    pub(crate) spread: BTreeSet<EntryId>,
    /// Entries by who knew of the removal: nothing for whoever was removed.
    pub(crate) withheld: BTreeSet<EntryId>,
    /// Which entry each nonce was used for.
    pub(crate) nonces: BTreeMap<Vec<u8>, EntryId>,
    /// Which copy each store is.
    pub(crate) epochs: BTreeMap<(usize, SpaceId), StoreEpoch>,
}

impl Reference {
    /// Notes an entry that somebody holds.
    pub(crate) fn note(&mut self, entry: &VerifiedEntry) {
        let header = entry.header();
        self.written.insert(entry.id(), (header.author, header.sequence));
        self.bytes.entry(entry.id()).or_insert_with(|| entry.bytes().to_vec());
    }

    /// These entries, and those that the bundles among them stand for.
    pub(crate) fn with_covered(&self, ids: &BTreeSet<EntryId>) -> BTreeSet<EntryId> {
        let read = |bytes: &Vec<u8>| VerifiedEntry::from_storage(bytes.clone()).ok();
        let known = |id: &EntryId| self.bytes.get(id).and_then(read);
        let mut all = ids.clone();
        let bundles: Vec<VerifiedEntry> = ids
            .iter()
            .filter_map(known)
            .filter(|entry| entry.header().kind == EntryKind::Bundle)
            .collect();
        if !bundles.is_empty() {
            let others = self.bytes.values().filter_map(read);
            let covered =
                others.filter(|other| bundles.iter().any(|bundle| bundle.covers(other.header())));
            all.extend(covered.map(|entry| entry.id()));
        }
        all
    }
}

/// What an acknowledgement promised.
pub(crate) struct Promise {
    /// The machine that gave it.
    pub(crate) machine: usize,
    pub(crate) document: DocumentId,
    pub(crate) is_removal: bool,
}

/// What all entries together mean: each document, or `None` if it was removed. Takes the entries
/// of a document in the order of their ids, which no node ever does.
pub(crate) fn rebuild(
    space: SpaceId,
    entries: &[Vec<u8>],
    keys: &BTreeMap<Epoch, Vec<SealKey>>,
) -> Result<BTreeMap<DocumentId, Option<Value>>, String> {
    let mut documents: BTreeMap<DocumentId, BTreeMap<EntryId, VerifiedEntry>> = BTreeMap::new();
    for bytes in entries {
        let entry = VerifiedEntry::from_storage(bytes.clone()).map_err(|e| e.to_string())?;
        documents.entry(entry.header().document).or_default().insert(entry.id(), entry);
    }
    let mut meanings = BTreeMap::new();
    for (id, entries) in documents {
        let is_removed = entries.values().any(|entry| entry.header().kind == EntryKind::Tombstone);
        let mut changes = Vec::new();
        for entry in entries.values() {
            let body = match entry.header().kind {
                EntryKind::Change => Body::Change,
                EntryKind::Bundle => Body::Bundle,
                EntryKind::Tombstone => continue,
            };
            let keys = keys.get(&entry.header().epoch).into_iter().flatten();
            let opened = keys.filter_map(|key| entry.open(key).ok()).next();
            changes.push((entry.id(), body(opened.ok_or("no key opens an entry")?)));
        }
        let mut document = Document::new((DeviceId([0; 32]), [0; 16]), space, id);
        document.apply(changes);
        if !document.refused().is_empty() {
            return Err(format!("document {id}: refused {:?}", document.refused()));
        }
        meanings.insert(id, (!is_removed).then(|| document.value()));
    }
    Ok(meanings)
}

/// The nonce that an entry is sealed with: the beginning of its body.
pub(crate) fn nonce(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (_, body, _): (ByteBuf, ByteBuf, ByteBuf) =
        cbor::decode(bytes, 2 * ENTRY_BODY_BYTES_MAX).map_err(|error| error.to_string())?;
    Ok(body.get(..24).ok_or("a body without a nonce")?.to_vec())
}

/// The author of an entry, if its id is the hash of its header and the signature is the author's.
/// Shares no code with the crates under test but the CBOR decoder.
pub(crate) fn author(id: EntryId, bytes: &[u8]) -> Result<DeviceId, String> {
    let (header, _, signature): (ByteBuf, ByteBuf, ByteBuf) =
        cbor::decode(bytes, 2 * ENTRY_BODY_BYTES_MAX).map_err(|error| error.to_string())?;
    if *blake3::hash(&header).as_bytes() != id.0 {
        return Err("its id is not the hash of its header".to_owned());
    }
    let entry = VerifiedEntry::from_storage(bytes.to_vec()).map_err(|error| error.to_string())?;
    let author = entry.header().author;
    let signed = [b"kith/entry/1\0".as_slice(), &id.0].concat();
    let signature = ed25519_dalek::Signature::from_slice(&signature).map_err(|e| e.to_string())?;
    VerifyingKey::from_bytes(&author.0)
        .and_then(|key| key.verify_strict(&signed, &signature))
        .map_err(|error| error.to_string())?;
    Ok(author)
}
