//! The key file: JSON, sealed with XChaCha20-Poly1305 under a key that Argon2id
//! (RFC 9106) derives from the passphrase.

use std::{fs, io};

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE64;
use node_model::seal::SealKey;
use node_runtime::{DeviceKeys, OsEntropy};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Home, Passphrase, files, unlock::find_passphrase, write_private};
use crate::{error::CliError, show};

/// Version of the file.
const FORMAT: u32 = 1;

/// Argon2id: 64 MiB, three passes, one lane (threats.md asks for no less).
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;

/// What a hostile file may make us spend.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 16;

/// Largest key file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

const ASSOCIATED: &[u8] = b"kith key file 1";

/// The two secrets of 32 bytes for signing, and the HPKE seed.
const SECRET_BYTES: usize = 96;

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
    /// Not at all.
    Plain { keys: String },
}

/// How new keys are sealed.
pub enum KeySeal {
    /// By this passphrase.
    Passphrase(Passphrase),
    /// By whatever passphrase the person gives.
    Ask,
    /// Not at all.
    Plain,
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
            Ok((open(home, &bytes, &seal)?, false))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let keys = random_keys();
            create(home, &keys, seal)?;
            Ok((keys, true))
        }
        Err(error) => Err(home.unusable(&error)),
    }
}

fn create(home: &Home, keys: &DeviceKeys, seal: KeySeal) -> Result<(), CliError> {
    let secrets =
        [*keys.device.secret(), *keys.root.secret(), *keys.hpke_seed()].map(Zeroizing::new);
    let secrets = Zeroizing::new(secrets.iter().flat_map(|secret| **secret).collect::<Vec<u8>>());
    let seal = match seal {
        KeySeal::Plain => {
            show::note(
                "warning: the keys of this node are not sealed; whoever gets the disk gets everything",
            );
            Sealed::Plain { keys: BASE64.encode(&secrets) }
        }
        KeySeal::Passphrase(passphrase) => seal_with(&passphrase, &secrets)?,
        KeySeal::Ask => seal_with(&find_passphrase(true)?, &secrets)?,
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

fn open(home: &Home, bytes: &[u8], seal: &KeySeal) -> Result<DeviceKeys, CliError> {
    let format: Format = serde_json::from_slice(bytes).map_err(|_| damaged(home))?;
    if format.format > FORMAT {
        let message = format!("{} was written by a newer version of kith", home.keys().display());
        return Err(CliError::machine(message, "install the newest kith"));
    }
    let file: KeyFile = serde_json::from_slice(bytes).map_err(|_| damaged(home))?;
    let secrets = match file.seal {
        Sealed::Plain { keys } => {
            Zeroizing::new(BASE64.decode(keys.as_bytes()).map_err(|_| damaged(home))?)
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
            Zeroizing::new(key.open(ASSOCIATED, &sealed).map_err(|_| wrong_passphrase())?)
        }
    };
    from_secrets(&secrets).ok_or_else(|| damaged(home))
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

fn from_secrets(secrets: &[u8]) -> Option<DeviceKeys> {
    if secrets.len() != SECRET_BYTES {
        return None;
    }
    let (device, rest) = secrets.split_first_chunk::<32>()?;
    let (root, rest) = rest.split_first_chunk::<32>()?;
    let (hpke_seed, _) = rest.split_first_chunk::<32>()?;
    Some(DeviceKeys::from_secrets(device, root, hpke_seed))
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
    let failure = node_core::Failure::new(
        node_core::FailureKind::NotAllowed,
        "this is not the passphrase, or the key file is damaged",
        "try again with the right passphrase",
    );
    failure.into()
}

fn damaged(home: &Home) -> CliError {
    CliError::machine(
        format!("{} is damaged", home.keys().display()),
        "restore it from a backup; nothing else can open this node's data",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home { root: folder.path().to_owned() };
        (folder, home)
    }

    fn passphrase(text: &str) -> KeySeal {
        KeySeal::Passphrase(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn keys_open_with_their_passphrase_only() {
        let (_folder, home) = home();
        let (new, is_new) = load_or_create(&home, passphrase("right")).expect("creates");
        assert!(is_new);
        let (read, is_new) = load_or_create(&home, passphrase("right")).expect("opens");
        assert!(!is_new);
        assert_eq!(read.device.secret(), new.device.secret());
        assert_eq!(read.hpke_seed(), new.hpke_seed());
        let wrong = load_or_create(&home, passphrase("wrong")).err().expect("is refused");
        assert_eq!(wrong.exit, 3);
        let file = fs::read(home.keys()).expect("is there");
        let secret = BASE64.encode(new.device.secret());
        assert!(!String::from_utf8_lossy(&file).contains(&secret[..40]));
    }

    #[test]
    fn damaged_and_newer_key_files_are_named_and_kept() {
        let (_folder, home) = home();
        load_or_create(&home, KeySeal::Plain).expect("creates");
        let good = fs::read_to_string(home.keys()).expect("is there");
        let newer = good.replace("\"format\": 1", "\"format\": 9");
        for bad in ["", "{", "[]", &newer, &good.replace("keys\": \"", "keys\": \"AAAA")] {
            fs::write(home.keys(), bad).expect("writes");
            let error = load_or_create(&home, KeySeal::Plain).err().expect("is refused");
            assert!(error.message.contains("keys.json"), "{error}");
            assert_eq!(fs::read_to_string(home.keys()).expect("is there"), bad);
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_the_keys() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, home) = home();
        load_or_create(&home, KeySeal::Plain).expect("creates");
        let mode = fs::metadata(home.keys()).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
