//! What the trust plane keeps in its ledger: attestations, and notes for this
//! node alone. Keys and values tell nothing to whoever reads the file: values are
//! sealed, and a note is found by a keyed hash of its name.

use std::collections::BTreeSet;

use node_model::{AttestationId, Timestamp, cbor};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

use super::{ATTESTATIONS_MAX, Trust, TrustError};
use crate::{attestation::Attestation, ledger::Record};

/// Largest note.
const NOTE_BYTES_MAX: usize = 1024 * 1024;

/// Longest name of a note, with the bytes around it.
const NOTE_NAME_BYTES_MAX: usize = 1024;

const ATTESTATION_TAG: u8 = b'a';
const NOTE_TAG: u8 = b'n';

#[derive(Serialize, Deserialize)]
struct Note(String, ByteBuf);

fn attestation_key(id: AttestationId) -> Vec<u8> {
    [&[ATTESTATION_TAG], &id.0[..]].concat()
}

impl Trust {
    /// Reads a local note.
    #[must_use]
    pub fn note<T: Serialize + DeserializeOwned>(&self, key: &str) -> Option<T> {
        cbor::decode(self.notes.get(key)?, NOTE_BYTES_MAX).ok()
    }

    /// Keys of the local notes that start with `prefix`.
    pub fn note_keys<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.notes
            .range(prefix.to_owned()..)
            .map(|(key, _)| key.as_str())
            .take_while(move |key| key.starts_with(prefix))
    }

    /// Writes a local note, durably.
    ///
    /// # Errors
    /// [`TrustError::Ledger`].
    pub fn put_note<T: Serialize>(&mut self, key: &str, value: &T) -> Result<(), TrustError> {
        let plain = cbor::encode(value);
        self.ledger.put(&[self.seal_note(key, &plain)])?;
        self.notes.insert(key.to_owned(), plain);
        Ok(())
    }

    pub(super) fn commit(
        &mut self,
        fresh: Vec<Attestation>,
        notes: &[(String, Vec<u8>)],
        now: Timestamp,
    ) -> Result<(), TrustError> {
        if self.attestations.len() + fresh.len() > ATTESTATIONS_MAX {
            return Err(TrustError::TooMany);
        }
        let mut records: Vec<Record> = fresh
            .iter()
            .map(|attestation| self.seal(attestation_key(attestation.id), attestation.bytes()))
            .collect();
        records.extend(notes.iter().map(|(name, plain)| self.seal_note(name, plain)));
        if records.is_empty() {
            return Ok(());
        }
        self.ledger.put(&records)?;
        for (key, plain) in notes {
            self.notes.insert(key.clone(), plain.clone());
        }
        for attestation in fresh {
            self.keep(attestation);
        }
        self.refresh(now);
        Ok(())
    }

    fn keep(&mut self, attestation: Attestation) {
        if attestation.signer == self.device() && attestation.prev == self.tip {
            self.tip = Some(attestation.id);
        }
        self.attestations.insert(attestation.id, attestation);
    }

    pub(super) fn load(&mut self) -> Result<(), TrustError> {
        for (key, sealed) in self.ledger.all()? {
            let plain = self.local.open(&key, &sealed).map_err(|_| TrustError::Damaged)?;
            match key.split_first() {
                Some((&ATTESTATION_TAG, _)) => {
                    let attestation = Attestation::read(&plain).map_err(|_| TrustError::Damaged)?;
                    self.attestations.insert(attestation.id, attestation);
                }
                Some((&NOTE_TAG, _)) => {
                    let note = cbor::decode(&plain, NOTE_BYTES_MAX + NOTE_NAME_BYTES_MAX);
                    let Note(name, plain) = note.map_err(|_| TrustError::Damaged)?;
                    self.notes.insert(name, plain.into_vec());
                }
                Some(_) | None => return Err(TrustError::Damaged),
            }
        }
        self.tip = self.end_of_own_chain();
        Ok(())
    }

    /// What we issued last: the one of ours that no other of ours follows.
    fn end_of_own_chain(&self) -> Option<AttestationId> {
        let device = self.device();
        let own = || self.attestations.values().filter(move |a| a.signer == device);
        let followed: BTreeSet<_> = own().filter_map(|attestation| attestation.prev).collect();
        own()
            .filter(|attestation| !followed.contains(&attestation.id))
            .max_by_key(|attestation| (attestation.issued_at, attestation.id))
            .map(|attestation| attestation.id)
    }

    fn seal(&self, key: Vec<u8>, plain: &[u8]) -> Record {
        let sealed = self.local.seal_synthetic(&key, plain);
        (key, sealed)
    }

    fn seal_note(&self, name: &str, plain: &[u8]) -> Record {
        let hash = self.local.derive("kith 2026-11 note name", name.as_bytes());
        let key = [&[NOTE_TAG], &hash.expose()[..]].concat();
        self.seal(key, &cbor::encode(&Note(name.to_owned(), ByteBuf::from(plain))))
    }
}
