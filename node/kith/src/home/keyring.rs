//! The operating system's keyring: Keychain, Credential Manager, or whatever
//! speaks the Secret Service. It keeps one random key for each key file.

use std::{sync::mpsc, thread, time::Duration};

use node_model::{random_bytes, seal::SealKey};
use node_runtime::OsEntropy;
use zeroize::Zeroizing;

/// Under what name the keyring shows our keys to people.
const SERVICE: &str = "kith";

/// How long a person may take to unlock the keyring; one that hangs must not
/// keep a node from saying so.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A key in the keyring.
pub(super) struct Kept {
    /// What it is kept under.
    pub(super) entry: String,
    /// The key.
    pub(super) key: SealKey,
}

/// Keeps a new key, if there is a keyring that gives back what it got.
pub(super) fn keep_new() -> Option<Kept> {
    let entry = data_encoding::HEXLOWER.encode(&random_bytes::<8>(&mut OsEntropy));
    let secret: Zeroizing<[u8; 32]> = Zeroizing::new(random_bytes(&mut OsEntropy));
    let (name, kept) = (entry.clone(), secret.clone());
    let answer = ask(move || {
        let keyring = keyring::Entry::new(SERVICE, &name)?;
        keyring.set_secret(&*kept)?;
        Ok(Zeroizing::new(keyring.get_secret()?))
    });
    match answer {
        Ok(back) if *back == *secret => Some(Kept { entry, key: SealKey::from_bytes(*secret) }),
        Ok(_) => None,
        Err(reason) => {
            tracing::debug!(%reason, "no keyring");
            None
        }
    }
}

/// The key that is kept under a name.
///
/// # Errors
/// Why there is none, in the keyring's words.
pub(super) fn find(entry: &str) -> Result<SealKey, String> {
    let name = entry.to_owned();
    let secret = ask(move || {
        let secret = keyring::Entry::new(SERVICE, &name)?.get_secret()?;
        Ok(Zeroizing::new(secret))
    })?;
    let key: [u8; 32] =
        secret.as_slice().try_into().map_err(|_| "it holds something else".to_owned())?;
    Ok(SealKey::from_bytes(key))
}

/// Asks on a thread of its own: the keyring's client blocks, and may do so for ever.
fn ask(
    question: impl FnOnce() -> keyring::Result<Zeroizing<Vec<u8>>> + Send + 'static,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || sender.send(question()));
    match receiver.recv_timeout(ANSWER_MAX) {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("it does not answer".to_owned()),
    }
}
