//! What the trust plane keeps in its ledger: attestations, and notes for this
//! node alone. Keys and values tell nothing to whoever reads the file: values are
//! sealed, and a note is found by a keyed hash of its name.

use std::{borrow::Borrow, cell::OnceCell, collections::BTreeSet};

use node_model::{
    AttestationId, DeviceId, Timestamp,
    cbor::{self, Origin},
    limit::ATTESTATION_BYTES_MAX,
    seal::SealKey,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::{ByteBuf, Bytes};

use super::{
    ATTESTATIONS_MAX, Trust, TrustError,
    journal::{JOURNAL_MAX, Journalled},
};
use crate::{
    attestation::{Attestation, Scope},
    ledger::Record,
};

/// Largest note: room for 65,536 ids of documents, 17 bytes each.
const NOTE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Longest name of a note, with the bytes around it.
const NOTE_NAME_BYTES_MAX: usize = 1024;

const ATTESTATION_TAG: u8 = b'a';
const NOTE_TAG: u8 = b'n';
const JOURNAL_TAG: u8 = b'j';

#[derive(Serialize, Deserialize)]
struct Note(String, ByteBuf);

/// Most attestations in one record: opening a record costs as much as opening some
/// more bytes of it.
const RECORD_ATTESTATIONS_MAX: usize = 512;

/// Largest record of attestations.
const RECORD_BYTES_MAX: usize = RECORD_ATTESTATIONS_MAX * (ATTESTATION_BYTES_MAX + 4);

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

    /// Everything that is kept, sealed to other keys of this device.
    pub(super) fn sealed_to(&mut self, local: SealKey) -> Vec<Record> {
        self.local = local;
        let said: Vec<&Attestation> = self.attestations.values().collect();
        let mut records: Vec<Record> =
            said.chunks(RECORD_ATTESTATIONS_MAX).map(|some| self.seal_some(some)).collect();
        records.extend(self.notes.iter().map(|(name, plain)| self.seal_note(name, plain)));
        records.extend(self.journal().map(|line| self.seal_line(line)));
        records
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
        let mut records: Vec<Record> =
            fresh.chunks(RECORD_ATTESTATIONS_MAX).map(|some| self.seal_some(some)).collect();
        records.extend(notes.iter().map(|(name, plain)| self.seal_note(name, plain)));
        if records.is_empty() {
            return Ok(());
        }
        records.extend(self.journal.pending.iter().cloned());
        self.ledger.put(&records)?;
        self.journal.pending.clear();
        for (key, plain) in notes {
            self.notes.insert(key.clone(), plain.clone());
        }
        if !fresh.is_empty() {
            fresh.into_iter().for_each(|attestation| self.keep(attestation));
            self.refresh(now);
        }
        Ok(())
    }

    fn keep(&mut self, attestation: Attestation) {
        *self.of_signer.entry(attestation.signer).or_default() += 1;
        if let Some(of_strangers) = self.of_strangers.take() {
            let is_by_stranger = !self.is_of_known(&attestation);
            self.of_strangers = OnceCell::from(of_strangers + usize::from(is_by_stranger));
        }
        let place = (attestation.signer, attestation.scope);
        if self.is_own_key(attestation.signer)
            && attestation.prev == self.tips.get(&place).copied()
            && attestation.scope != Scope::FOUNDING
        {
            self.tips.insert(place, attestation.id);
        }
        self.attestations.insert(attestation.id, attestation);
    }

    pub(super) fn is_own_key(&self, signer: DeviceId) -> bool {
        signer == self.device() || signer.0 == self.agent().0
    }

    pub(super) fn load(&mut self) -> Result<(), TrustError> {
        let mut lines = Vec::new();
        let mut read = Vec::new();
        for (key, sealed) in self.ledger.all()? {
            let plain = self.local.open(&key, &sealed).map_err(|_| TrustError::Damaged)?;
            match key.split_first() {
                Some((&ATTESTATION_TAG, _)) => {
                    let some: Vec<ByteBuf> =
                        cbor::decode_from(Origin::OwnStorage, &plain, RECORD_BYTES_MAX)
                            .map_err(|_| TrustError::Damaged)?;
                    for bytes in some {
                        let said = Attestation::from_storage(&bytes);
                        read.push(said.map_err(|_| TrustError::Damaged)?);
                    }
                }
                Some((&NOTE_TAG, _)) => {
                    let note = cbor::decode(&plain, NOTE_BYTES_MAX + NOTE_NAME_BYTES_MAX);
                    let Note(name, plain) = note.map_err(|_| TrustError::Damaged)?;
                    self.notes.insert(name, plain.into_vec());
                }
                Some((&JOURNAL_TAG, _)) => {
                    lines.push(Journalled::decode(&plain).ok_or(TrustError::Damaged)?);
                }
                Some(_) | None => return Err(TrustError::Damaged),
            }
        }
        self.journal.restore(lines);
        for said in &read {
            *self.of_signer.entry(said.signer).or_default() += 1;
        }
        // In order, a map is made at once; one by one it takes three times as long.
        read.sort_unstable_by_key(|said| said.id.prefix());
        self.attestations = read.into_iter().map(|said| (said.id, said)).collect();
        self.find_tips();
        Ok(())
    }

    /// What our keys said last in each scope: what no other of theirs follows.
    fn find_tips(&mut self) {
        let own = || self.attestations.values().filter(|said| self.is_own_key(said.signer));
        let followed: BTreeSet<AttestationId> = own().filter_map(|said| said.prev).collect();
        let mut last: Vec<_> = own()
            .filter(|said| said.scope != Scope::FOUNDING && !followed.contains(&said.id))
            .map(|said| (said.height, (said.signer, said.scope), said.id))
            .collect();
        last.sort_unstable();
        self.tips = last.into_iter().map(|(_, place, id)| (place, id)).collect();
    }

    pub(super) fn seal_line(&self, line: &Journalled) -> Record {
        // A ring: the newest line takes the place of the oldest.
        let place = (line.number % JOURNAL_MAX).to_be_bytes();
        self.seal([&[JOURNAL_TAG], &place[..]].concat(), &line.encode())
    }

    /// One record, found by the first of its attestations.
    fn seal_some<A: Borrow<Attestation>>(&self, some: &[A]) -> Record {
        let id = some.first().map_or([0; 32], |attestation| attestation.borrow().id.0);
        let bytes: Vec<&Bytes> = some.iter().map(|it| Bytes::new(it.borrow().bytes())).collect();
        self.seal([&[ATTESTATION_TAG], &id[..]].concat(), &cbor::encode(&bytes))
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
