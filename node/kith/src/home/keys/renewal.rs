//! New keys of a device, step by step.
//!
//! 1. The new keys stand beside the old ones in the key file.
//! 2. The statements go over to the new keys, with their link, in one transaction.
//! 3. What else is sealed to the device goes over.
//! 4. The key file holds the new keys alone.
//!
//! Invariant: a process that ends between any two of these leaves a directory that opens: before
//! the second step with the old keys, after it with the new ones, and whoever opens it takes the
//! steps that are left.

use node_core::{Failure, Mend};
use node_model::{DeviceId, random_bytes};
use node_runtime::{
    OsEntropy,
    renew::{hand_over, hand_over_rest, is_handed_over},
};

use super::{
    BASE64, DeviceKeys, Home, KeySeal, Lock, Secrets, Zeroizing, damaged, fs, open, write,
};
use crate::error::CliError;

/// Gives this device new keys; says which device it was and which it is. Nobody else may have
/// the directory open.
///
/// # Errors
/// [`CliError`]; what was done so far is gone on with the next time.
pub fn renew(home: &Home, seal: &KeySeal) -> Result<(DeviceId, DeviceId), CliError> {
    let bytes = fs::read(home.keys()).map_err(|error| home.unusable(&error))?;
    let (secrets, lock) = open(home, &bytes, seal)?;
    let before = secrets.keys().ok_or_else(|| damaged(home))?.device.device();
    let (keys, mut secrets) = begun(home, secrets, &lock)?;
    if keys.device.device() != before {
        return Ok((before, keys.device.device()));
    }
    if keys.root().is_none() {
        let message = "this device does not keep your root key, which says that the new keys are \
                       yours; link this computer anew, in another directory, and take this device \
                       back from there";
        return Err(Failure::refused(message, &Mend::LinkDevice).into());
    }
    if secrets.next.is_none() {
        let secret = || BASE64.encode(&*Zeroizing::new(random_bytes::<32>(&mut OsEntropy)));
        secrets.next = Some((secret(), secret()));
        write(home, &secrets, &lock)?;
    }
    let next = secrets.next().ok_or_else(|| damaged(home))?;
    let old = keys.device.device();
    hand_over(home.root(), keys, &next).map_err(failed)?;
    let new = settle(home, secrets, &lock)?;
    Ok((old, new.device.device()))
}

/// The keys of a directory and what its key file says, after a renewal that had come so far was
/// taken to its end.
fn begun(home: &Home, secrets: Secrets, lock: &Lock) -> Result<(DeviceKeys, Secrets), CliError> {
    let has_next = secrets.next.is_some();
    let keys = secrets.keys().ok_or_else(|| damaged(home))?;
    if !has_next {
        return Ok((keys, secrets));
    }
    let next = secrets.next().ok_or_else(|| damaged(home))?;
    if !is_handed_over(home.root(), &next).map_err(failed)? {
        return Ok((keys, secrets));
    }
    hand_over_rest(home.root(), &keys, &next).map_err(failed)?;
    let secrets = Secrets::of(&next);
    write(home, &secrets, lock)?;
    Ok((next, secrets))
}

/// The keys that a directory belongs to.
///
/// # Errors
/// [`CliError`].
pub(super) fn settle(home: &Home, secrets: Secrets, lock: &Lock) -> Result<DeviceKeys, CliError> {
    Ok(begun(home, secrets, lock)?.0)
}

fn failed(error: node_runtime::StartError) -> CliError {
    Failure::from(error).into()
}

#[cfg(test)]
mod tests;
