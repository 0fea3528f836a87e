//! The key file: JSON, sealed with XChaCha20-Poly1305 under a key that the operating
//! system's keyring keeps, or that Argon2id (RFC 9106) derives from the passphrase.

mod renewal;

use std::{fs, io};

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE64;
use node_core::{Failure, Mend};
use node_model::{seal::SealKey, sign::Signer};
use node_runtime::{DeviceKeys, OsEntropy, Standing};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

pub use self::renewal::renew;
use super::{
    Home, Passphrase, files,
    keyring::{self, Kept},
    unlock::{find_passphrase, given_passphrase},
    write_private,
};
use crate::{error::CliError, show};

/// Version of the file.
const FORMAT: u32 = 2;

/// Argon2id: 64 MiB, three passes, one lane (threats.md asks for no less).
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;

/// What a hostile file may make us spend.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 16;

/// Largest key file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

const ASSOCIATED: &[u8] = b"kith key file 2";

/// What is sealed. Wiped when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Secrets {
    device: String,
    hpke: String,
    /// The agent's root, where it is kept here.
    root: Option<String>,
    /// Whether the agent came back to this device by its phrase.
    #[serde(default)]
    is_restored: bool,
    /// The agent, where another device linked this one.
    agent: Option<String>,
    /// The statements that link it.
    #[serde(default)]
    links: Vec<String>,
    /// The device that this one was, before it took new keys.
    #[serde(default)]
    previous: Option<String>,
    /// The keys that this device is about to take: those of the device and of HPKE.
    #[serde(default)]
    next: Option<(String, String)>,
}

impl Secrets {
    fn of(keys: &DeviceKeys) -> Self {
        let base = |device: &DeviceKeys| Self {
            device: BASE64.encode(device.device.secret()),
            hpke: BASE64.encode(device.hpke_seed()),
            root: None,
            is_restored: false,
            agent: None,
            links: vec![],
            previous: keys.previous.map(|device| device.to_string()),
            next: None,
        };
        let mut secrets = base(keys);
        match &keys.standing {
            Standing::Root { root, is_restored } => {
                secrets.root = Some(BASE64.encode(root.secret()));
                secrets.is_restored = *is_restored;
            }
            Standing::Linked { agent, links } => {
                secrets.agent = Some(agent.to_string());
                secrets.links = links.iter().map(|link| BASE64.encode(link)).collect();
            }
        }
        secrets
    }

    fn keys(&self) -> Option<DeviceKeys> {
        let mut keys = self.with_standing(&self.device, &self.hpke)?;
        keys.previous = self.previous.as_deref().map(str::parse).transpose().ok()?;
        Some(keys)
    }

    /// The keys that this device is about to take, as if it had them.
    fn next(&self) -> Option<DeviceKeys> {
        let (device, hpke) = self.next.as_ref()?;
        let mut keys = self.with_standing(device, hpke)?;
        keys.previous = Some(self.keys()?.device.device());
        Some(keys)
    }

    fn with_standing(&self, device: &str, hpke: &str) -> Option<DeviceKeys> {
        let standing = match (&self.root, &self.agent) {
            (Some(root), None) => {
                let root = Signer::from_secret(&*secret(root)?);
                Standing::Root { root, is_restored: self.is_restored }
            }
            (None, Some(agent)) => {
                let links = self.links.iter().map(|link| BASE64.decode(link.as_bytes()));
                Standing::Linked {
                    agent: agent.parse().ok()?,
                    links: links.collect::<Result<_, _>>().ok()?,
                }
            }
            (Some(_), Some(_)) | (None, None) => return None,
        };
        let (device, hpke) = (secret(device)?, secret(hpke)?);
        Some(DeviceKeys::new(&device, &hpke, standing))
    }
}

fn secret(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(BASE64.decode(text.as_bytes()).ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

#[derive(Serialize, Deserialize)]
struct KeyFile {
    format: u32,
    #[serde(flatten)]
    seal: Sealed,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "seal", rename_all = "kebab-case")]
enum Sealed {
    /// By a passphrase.
    Argon2id { memory_kib: u32, passes: u32, salt: String, keys: String },
    /// By a key in the operating system's keyring, kept there under a name.
    Keyring { entry: String, keys: String },
    /// Not at all.
    Plain { keys: String },
}

/// How new keys are sealed.
pub enum KeySeal {
    /// By this passphrase.
    Passphrase(Passphrase),
    /// By the passphrase that is given with the command, else by the keyring, else by
    /// whatever passphrase the person gives at the terminal.
    Ask,
    /// Not at all.
    Plain,
}

/// What the keys are sealed with.
enum Lock {
    Passphrase(Passphrase),
    Keyring(Kept),
    Nothing,
}

/// Fresh keys.
pub fn random_keys() -> DeviceKeys {
    DeviceKeys::random(&mut OsEntropy)
}

/// Reads the keys of a home, or creates them. Says whether they are new.
///
/// # Errors
/// [`CliError`]; existing keys are never replaced.
pub fn load_or_create(home: &Home, seal: KeySeal) -> Result<(DeviceKeys, bool), CliError> {
    let path = home.keys();
    match fs::metadata(&path) {
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => Err(damaged(home)),
        Ok(_) => {
            let bytes = fs::read(&path).map_err(|error| home.unusable(&error))?;
            let (secrets, lock) = open(home, &bytes, &seal)?;
            Ok((renewal::settle(home, secrets, &lock)?, false))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let keys = random_keys();
            write(home, &Secrets::of(&keys), &new_lock(seal)?)?;
            Ok((keys, true))
        }
        Err(error) => Err(home.unusable(&error)),
    }
}

/// Replaces the standing of a device, or creates it with fresh device keys: a restored
/// agent never gets a device's old keys back.
///
/// # Errors
/// [`CliError`]; the key file is as it was.
pub fn write_standing(home: &Home, seal: KeySeal, standing: Standing) -> Result<(), CliError> {
    let (keys, lock) = match fs::read(home.keys()) {
        Ok(bytes) => {
            let (secrets, lock) = open(home, &bytes, &seal)?;
            (secrets.keys().ok_or_else(|| damaged(home))?, lock)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (random_keys(), new_lock(seal)?),
        Err(error) => return Err(home.unusable(&error)),
    };
    let keys = DeviceKeys::new(keys.device.secret(), keys.hpke_seed(), standing);
    write(home, &Secrets::of(&keys), &lock)
}

fn new_lock(seal: KeySeal) -> Result<Lock, CliError> {
    match seal {
        KeySeal::Plain => {
            show::note(
                "warning: the keys of this node are not sealed; whoever gets the disk gets everything",
            );
            Ok(Lock::Nothing)
        }
        KeySeal::Passphrase(passphrase) => Ok(Lock::Passphrase(passphrase)),
        KeySeal::Ask => {
            if let Some(passphrase) = given_passphrase()? {
                return Ok(Lock::Passphrase(passphrase));
            }
            let Some(kept) = keyring::keep_new() else {
                return find_passphrase(true).map(Lock::Passphrase);
            };
            show::note(
                "the keyring of this computer opens this node; write down your phrase too: \
                 kith phrase show",
            );
            Ok(Lock::Keyring(kept))
        }
    }
}

fn write(home: &Home, secrets: &Secrets, lock: &Lock) -> Result<(), CliError> {
    let secrets = Zeroizing::new(
        serde_json::to_vec(secrets)
            .map_err(|error| CliError::machine(error.to_string(), "kith --version"))?,
    );
    let seal = match lock {
        Lock::Nothing => Sealed::Plain { keys: BASE64.encode(&secrets) },
        Lock::Passphrase(passphrase) => seal_with(passphrase, &secrets)?,
        Lock::Keyring(kept) => {
            let keys = BASE64.encode(&kept.key.seal(&mut OsEntropy, ASSOCIATED, &secrets));
            Sealed::Keyring { entry: kept.entry.clone(), keys }
        }
    };
    let file = KeyFile { format: FORMAT, seal };
    let mut bytes = serde_json::to_vec_pretty(&file)
        .map_err(|error| CliError::machine(error.to_string(), "kith --version"))?;
    bytes.push(b'\n');
    let path = home.keys();
    let written = path
        .parent()
        .map_or(Ok(()), files::create_private_folder)
        .and_then(|()| write_private(&path, &bytes));
    written.map_err(|error| home.unusable(&error))
}

fn seal_with(passphrase: &Passphrase, secrets: &[u8]) -> Result<Sealed, CliError> {
    let salt: [u8; 16] = node_model::random_bytes(&mut OsEntropy);
    let key = derive(passphrase, &salt, MEMORY_KIB, PASSES)?;
    Ok(Sealed::Argon2id {
        memory_kib: MEMORY_KIB,
        passes: PASSES,
        salt: BASE64.encode(&salt),
        keys: BASE64.encode(&key.seal(&mut OsEntropy, ASSOCIATED, secrets)),
    })
}

fn open(home: &Home, bytes: &[u8], seal: &KeySeal) -> Result<(Secrets, Lock), CliError> {
    let format: Format = serde_json::from_slice(bytes).map_err(|_| damaged(home))?;
    if format.format > FORMAT {
        let message = format!("{} was written by a newer version of kith", home.keys().display());
        return Err(CliError::machine(message, "install the newest kith"));
    }
    if format.format < FORMAT {
        let message = format!(
            "{} was written before the first release of kith, in a form that is gone",
            home.keys().display()
        );
        return Err(CliError::machine(message, "kith --data-dir DIR, with another directory"));
    }
    let file: KeyFile = serde_json::from_slice(bytes).map_err(|_| damaged(home))?;
    let (secrets, lock) = match file.seal {
        Sealed::Plain { keys } => {
            let secrets = BASE64.decode(keys.as_bytes()).map_err(|_| damaged(home))?;
            (Zeroizing::new(secrets), Lock::Nothing)
        }
        Sealed::Argon2id { memory_kib, passes, salt, keys } => {
            let passphrase = match seal {
                KeySeal::Passphrase(passphrase) => passphrase.clone(),
                KeySeal::Ask | KeySeal::Plain => find_passphrase(false)?,
            };
            if memory_kib > MEMORY_KIB_MAX || passes > PASSES_MAX {
                return Err(damaged(home));
            }
            let salt = BASE64.decode(salt.as_bytes()).map_err(|_| damaged(home))?;
            let sealed = BASE64.decode(keys.as_bytes()).map_err(|_| damaged(home))?;
            let key = derive(&passphrase, &salt, memory_kib, passes)?;
            let secrets = key.open(ASSOCIATED, &sealed).map_err(|_| wrong_passphrase())?;
            (Zeroizing::new(secrets), Lock::Passphrase(passphrase))
        }
        Sealed::Keyring { entry, keys } => {
            let key = keyring::find(&entry).map_err(|why| no_keyring(home, &why))?;
            let sealed = BASE64.decode(keys.as_bytes()).map_err(|_| damaged(home))?;
            let secrets = key.open(ASSOCIATED, &sealed).map_err(|_| damaged(home))?;
            (Zeroizing::new(secrets), Lock::Keyring(Kept { entry, key }))
        }
    };
    let secrets: Option<Secrets> = serde_json::from_slice(&secrets).ok();
    // Of a kind that nobody wrote is as bad as unreadable.
    let secrets = secrets.filter(|secrets| secrets.keys().is_some());
    Ok((secrets.ok_or_else(|| damaged(home))?, lock))
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

fn derive(
    passphrase: &Passphrase,
    salt: &[u8],
    memory_kib: u32,
    passes: u32,
) -> Result<SealKey, CliError> {
    let failed = |error: argon2::Error| {
        CliError::machine(
            format!("the key file cannot be opened: {error}"),
            "restore it from a backup",
        )
    };
    let params = Params::new(memory_kib, passes, 1, Some(32)).map_err(failed)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key)
        .map_err(failed)?;
    Ok(SealKey::from_bytes(key))
}

fn wrong_passphrase() -> CliError {
    let message = "this is not the passphrase, or the key file is damaged; the next command asks \
                   for the passphrase again";
    Failure::refused(message, &Mend::TryAgain).into()
}

fn no_keyring(home: &Home, why: &str) -> CliError {
    let message = format!(
        "this computer's keyring does not give the key to this node's keys: {why}; log in to your \
         desktop and unlock the keyring, or begin anew from your 24 words"
    );
    let mut data_dir = home.root().as_os_str().to_owned();
    data_dir.push("-restored");
    Failure::refused(message, &Mend::Restore { data_dir: data_dir.into() }).into()
}

fn damaged(home: &Home) -> CliError {
    CliError::machine(
        format!("{} is damaged", home.keys().display()),
        "restore it from a backup; nothing else can open this node's data",
    )
}

#[cfg(test)]
mod tests;
