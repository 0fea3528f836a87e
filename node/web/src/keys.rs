//! The secret keys as the script keeps them: it seals them, we only say what they are.

use node_model::cbor;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use trust_core::keyring::{DeviceKeys, Standing};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Largest bytes of keys: three secrets and the names of the fields.
const BYTES_MAX: usize = 256;

/// Secrets of a device on which its agent began. Wiped when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Secrets {
    device: Secret,
    hpke: Secret,
    root: Secret,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Secret(ByteArray<32>);

impl Zeroize for Secret {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// The bytes of keys; `None` for those of a device that another one linked, which no browser has.
pub(crate) fn save(keys: &DeviceKeys) -> Option<Vec<u8>> {
    let Standing::Root { root, .. } = &keys.standing else { return None };
    let secret = |bytes: &[u8; 32]| Secret(ByteArray::new(*bytes));
    let device = secret(keys.device.secret());
    let (hpke, root) = (secret(keys.hpke_seed()), secret(root.secret()));
    Some(cbor::encode(&Secrets { device, hpke, root }))
}

/// Keys of their bytes; `None` when they are none.
pub(crate) fn restore(bytes: &[u8]) -> Option<DeviceKeys> {
    let secrets: Secrets = cbor::decode(bytes, BYTES_MAX).ok()?;
    Some(DeviceKeys::from_secrets(&secrets.device.0, &secrets.root.0, &secrets.hpke.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    #[test]
    fn keys_read_back() {
        let keys = DeviceKeys::random(&mut ChaCha20Rng::from_seed([1; 32]));
        let bytes = save(&keys).expect("its agent began here");
        let again = restore(&bytes).expect("ours");
        assert_eq!(again.device.secret(), keys.device.secret());
        assert_eq!((again.agent(), again.hpke_seed()), (keys.agent(), keys.hpke_seed()));
        assert!(restore(&bytes[1..]).is_none() && restore(&[]).is_none());
    }
}
