//! A data directory goes over to new keys of its device.
//!
//! The statements are what counts: they go over in one transaction, with the link of the new
//! keys. Before it everything belongs to the old keys, after it to the new ones, and
//! [`is_handed_over`] says which. The rest goes over afterwards, as often as it takes.

use std::{fs, io, path::Path};

use node_model::seal::SealKey;
use trust_core::{Trust, is_sealed_to, keyring::DeviceKeys};
use trust_embedded::EmbeddedLedger;

use crate::{StartError, clock::Clock, entropy::OsEntropy, folder};

/// Links the new keys of a device, and hands its statements over to them. Nobody else may have
/// the directory open.
///
/// # Errors
/// [`StartError`]; all is as it was.
pub fn hand_over(data_dir: &Path, old: DeviceKeys, new: &DeviceKeys) -> Result<(), StartError> {
    let ledger = ledger(data_dir)?;
    let refused = |error| StartError::Open { file: file(data_dir), error };
    let (clock, mut entropy) = (Clock::start(), OsEntropy);
    let now = clock.now().wall;
    // The names are for an identity that is new.
    let trust = Trust::open(old, Box::new(ledger), &mut entropy, now, "", "");
    let trust = trust.map_err(&refused)?;
    trust.renew(&mut entropy, now, new).map_err(refused)
}

/// Whether the statements of a directory belong to these keys.
///
/// # Errors
/// [`StartError`].
pub fn is_handed_over(data_dir: &Path, new: &DeviceKeys) -> Result<bool, StartError> {
    is_sealed_to(&ledger(data_dir)?, new)
        .map_err(|error| StartError::Ledger { file: file(data_dir), error })
}

/// Hands over what else is sealed to the keys of a device; what can be made anew goes. Done
/// again, it changes nothing.
///
/// # Errors
/// [`StartError::Folder`]; to be done again.
pub fn hand_over_rest(
    data_dir: &Path,
    old: &DeviceKeys,
    new: &DeviceKeys,
) -> Result<(), StartError> {
    let (old, new): (SealKey, SealKey) = (old.local_seal(), new.local_seal());
    folder::seal_list_anew(data_dir, &old, &new)?;
    match fs::remove_file(data_dir.join("views").join("search")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn ledger(data_dir: &Path) -> Result<EmbeddedLedger, StartError> {
    let file = file(data_dir);
    EmbeddedLedger::open(&file, None).map_err(|error| StartError::Ledger { file, error })
}

fn file(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("trust.db")
}
