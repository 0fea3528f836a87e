//! Where the passphrase comes from.

use std::{env, fs, io::IsTerminal, path::Path};

use zeroize::Zeroizing;

use crate::error::CliError;

/// Longest passphrase file.
const PASSPHRASE_BYTES_MAX: u64 = 4_096;

/// Name of the systemd credential.
const CREDENTIAL: &str = "kith.passphrase";

/// A passphrase; wiped when dropped.
pub type Passphrase = Zeroizing<String>;

/// Finds the passphrase: as [`given_passphrase`] does, or asks the person at the
/// terminal.
///
/// # Errors
/// [`CliError`] that says how to give one.
pub fn find_passphrase(is_new: bool) -> Result<Passphrase, CliError> {
    if let Some(passphrase) = given_passphrase()? {
        return Ok(passphrase);
    }
    if !std::io::stdin().is_terminal() {
        return Err(CliError::usage(
            "the keys are sealed by a passphrase, and nobody is here to give it",
            "set KITH_PASSPHRASE_FILE=FILE, KITH_PASSPHRASE or the systemd credential \
             kith.passphrase, or run it in a terminal (--plain-keys keeps the keys unsealed)",
        ));
    }
    ask(is_new)
}

/// The passphrase of `KITH_PASSPHRASE_FILE`, `KITH_PASSPHRASE` or the systemd
/// credential, if there is one of these.
///
/// # Errors
/// [`CliError`] when it cannot be used.
pub(super) fn given_passphrase() -> Result<Option<Passphrase>, CliError> {
    if let Some(path) = env::var_os("KITH_PASSPHRASE_FILE") {
        return read_file(Path::new(&path)).map(Some);
    }
    if let Ok(text) = env::var("KITH_PASSPHRASE") {
        return not_empty(Zeroizing::new(text)).map(Some);
    }
    let folder = env::var_os("CREDENTIALS_DIRECTORY");
    let credential = folder.map(|folder| Path::new(&folder).join(CREDENTIAL));
    credential.filter(|path| path.exists()).map(|path| read_file(&path)).transpose()
}

fn ask(is_new: bool) -> Result<Passphrase, CliError> {
    let prompt = |text: &str| {
        let answer = rpassword::prompt_password(text).map(Zeroizing::new);
        answer.map_err(|error| {
            CliError::usage(format!("no passphrase: {error}"), "set KITH_PASSPHRASE_FILE=FILE")
        })
    };
    let passphrase = not_empty(prompt(if is_new { "New passphrase: " } else { "Passphrase: " })?)?;
    if is_new && *prompt("The same again: ")? != *passphrase {
        return Err(CliError::usage("the two passphrases differ", "try again"));
    }
    Ok(passphrase)
}

fn read_file(path: &Path) -> Result<Passphrase, CliError> {
    let failed = |why: String| {
        CliError::usage(
            format!("the passphrase file {} cannot be used: {why}", path.display()),
            "set KITH_PASSPHRASE_FILE to a file that holds the passphrase",
        )
    };
    let len = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if len > PASSPHRASE_BYTES_MAX {
        return Err(failed("it is too long".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let text = Zeroizing::new(text);
    // Editors and `echo` end a file with a line break.
    not_empty(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn not_empty(passphrase: Passphrase) -> Result<Passphrase, CliError> {
    if passphrase.is_empty() {
        return Err(CliError::usage("the passphrase is empty", "give one, or use --plain-keys"));
    }
    Ok(passphrase)
}
