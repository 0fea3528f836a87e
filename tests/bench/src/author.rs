//! Entries that no node wrote, of a member of a space that real nodes made.

use std::path::Path;

use node_model::{
    DeviceId, DocumentId, EntryId, Epoch, SpaceId, Timestamp, seal::SealKey, sign::Signer,
};
use node_runtime::OsEntropy;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use sync_engine_core::{
    entry::{
        Draft, EntryError, EntryKind, VerifiedEntry,
        covers::{Covers, Run},
    },
    store::{EntryStore, StoreEpoch},
};
use sync_engine_sqlite::{OpenOptions, SqliteStore};
use trust_core::Trust;

use crate::pair::Secrets;

/// The entries of a space in the data directory of a node that is stopped.
///
/// # Panics
/// When no node left them there.
#[must_use]
pub fn store_of(data_dir: &Path, space: SpaceId) -> SqliteStore {
    let file = data_dir.join("spaces").join(space.to_string()).join("entries.db");
    let options = OpenOptions { vfs: None, epoch_if_new: StoreEpoch([0; 16]) };
    SqliteStore::open(&file, options).expect("a node made it")
}

/// The newest key of a space, as a node that is stopped has it.
///
/// # Panics
/// When it has none.
#[must_use]
pub fn key_of(data_dir: &Path, secrets: &Secrets, space: SpaceId) -> (Epoch, SealKey) {
    let ledger = trust_embedded::EmbeddedLedger::open(&data_dir.join("trust.db"), None);
    let ledger = Box::new(ledger.expect("a node made it"));
    let now = Timestamp(2_000);
    let trust = Trust::open(secrets.keys(), ledger, &mut OsEntropy, now, "", "");
    let trust = trust.expect("a node made it");
    let epoch = trust.keyring().epochs(space).last().expect("it reads the space");
    (epoch.0, epoch.2.entries.clone())
}

/// A device of a member, and how far it has come.
pub struct Author {
    signer: Signer,
    entropy: ChaCha8Rng,
    run: Run,
    sequence: u64,
    prev: Option<EntryId>,
}

impl Author {
    /// Goes on behind what a store has of the device; `number` tells runs apart.
    ///
    /// # Panics
    /// When the store cannot be read.
    #[must_use]
    pub fn new(number: u8, secrets: &Secrets, store: &SqliteStore) -> Self {
        let signer = Signer::from_secret(secrets.keys().device.secret());
        let tip = store.tip(signer.device()).expect("the store is good");
        Self {
            entropy: ChaCha8Rng::seed_from_u64(number.into()),
            run: Run([number; 8]),
            sequence: tip.map_or(0, |tip| tip.sequence + 1),
            prev: tip.map(|tip| tip.id),
            signer,
        }
    }

    /// Its device.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.signer.device()
    }

    /// Its next entry: a change of `document` after these others.
    ///
    /// # Errors
    /// [`EntryError`]; then there is none.
    pub fn seal(
        &mut self,
        (space, document): (SpaceId, DocumentId),
        key: &(Epoch, SealKey),
        deps: Vec<EntryId>,
        change: &[u8],
    ) -> Result<VerifiedEntry, EntryError> {
        let draft = Draft {
            space,
            document,
            kind: EntryKind::Change,
            run: self.run,
            sequence: self.sequence,
            prev: self.prev,
            deps,
            covers: Covers::default(),
            blobs: vec![],
        };
        let entry = draft.seal(&mut self.entropy, &self.signer, (key.0, &key.1), change)?;
        (self.prev, self.sequence) = (Some(entry.id()), self.sequence + 1);
        Ok(entry)
    }
}
