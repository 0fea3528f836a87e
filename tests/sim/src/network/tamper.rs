//! What an attacker on the way, or a lying peer, makes of a frame with entries.

use node_model::{DocumentId, EntryId, Epoch, SpaceId, seal::SealKey, sign::Signer};
use serde_bytes::ByteBuf;
use sync_engine_core::{
    entry::{
        Draft, EntryKind, VerifiedEntry,
        covers::{Covers, Run},
    },
    reconcile::Message,
};

use crate::{dice::Dice, fault::Fault};

/// The frame with one entry changed, or `None` if it carries none.
pub(super) fn tamper(frame: &[u8], fault: Fault, dice: &mut Dice) -> Option<Vec<u8>> {
    let mut message = Message::decode(frame).ok()?;
    let (Message::Page { entries, .. } | Message::Entries { entries, .. }) = &mut message else {
        return None;
    };
    if entries.is_empty() {
        return None;
    }
    let at = dice.below(entries.len());
    let entry = &mut entries[at];
    if fault == Fault::ForeignEntry {
        *entry = ByteBuf::from(foreign(entry, dice)?);
    } else {
        flip(entry, fault, dice)?;
    }
    Some(message.encode())
}

/// An entry ends with its signature of 64 bytes; the body stands before that and its length.
fn flip(entry: &mut [u8], fault: Fault, dice: &mut Dice) -> Option<()> {
    let is_signature = fault == Fault::WrongSignature;
    // A sealed body has at least a nonce and a tag.
    let from_end = if is_signature { 1 + dice.below(64) } else { 70 + dice.below(30) };
    let at = entry.len().checked_sub(from_end)?;
    entry[at] ^= 1 << dice.below(8);
    Some(())
}

/// An entry in the same place of the same document, well signed by somebody who is no member.
fn foreign(entry: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
    let genuine = VerifiedEntry::from_storage(entry.to_vec()).ok()?;
    let header = genuine.header();
    let draft = draft(header.space, header.document, dice);
    let signer = Signer::from_secret(&dice.bytes());
    let key = SealKey::from_bytes(dice.bytes());
    let mut entropy = Dice::new(dice.number(), "foreign").into_rng();
    let sealed = draft.seal(&mut entropy, &signer, (Epoch::FIRST, &key), b"foreign").ok()?;
    Some(sealed.bytes().to_vec())
}

fn draft(space: SpaceId, document: DocumentId, dice: &mut Dice) -> Draft {
    let kind = if dice.chance(500) { EntryKind::Change } else { EntryKind::Tombstone };
    let prev = Some(EntryId(dice.bytes()));
    let (run, covers) = (Run(dice.bytes()), Covers::default());
    Draft { space, document, kind, run, sequence: 1, prev, deps: vec![], covers, blobs: vec![] }
}
