//! Receipts: a device's signed word that it holds all entries of a set, on its disk.
//!
//! It names the set by its [digest](crate::digest), so that one signature stands for any
//! number of entries, and who has the same set can check what it stands for.
//!
//! Bytes that are signed, with [`Domain::Receipt`]: `cbor([space, digest, at])`; and for whoever
//! holds all files, too, that entries of the set refer to, `cbor([space, digest, at, true])`.

use node_model::{
    DeviceId, SpaceId, Timestamp, cbor,
    sign::{BadSignature, Domain, Signature, Signer, Verifier},
};
use serde::{Deserialize, Serialize};

/// A device's word that it holds a set of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The space.
    pub space: SpaceId,
    /// Digest of the set.
    #[serde(with = "serde_bytes")]
    pub digest: [u8; 32],
    /// When, by the signer's clock; for people.
    pub at: Timestamp,
    /// The device's signature.
    pub signature: Signature,
    /// Its signature for the files that the entries refer to; none if it lacks one, or if there
    /// is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Signature>,
}

impl Receipt {
    /// Signs for what this device holds on its disk.
    #[must_use]
    pub fn sign(signer: &Signer, space: SpaceId, digest: [u8; 32], at: Timestamp) -> Self {
        let signature = signer.sign(Domain::Receipt, &statement(space, digest, at));
        Self { space, digest, at, signature, files: None }
    }

    /// Signs for the files, too.
    #[must_use]
    pub fn with_files(self, signer: &Signer) -> Self {
        let statement = files_statement(self.space, self.digest, self.at);
        Self { files: Some(signer.sign(Domain::Receipt, &statement)), ..self }
    }

    /// Checks that it is by this device.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, device: DeviceId) -> Result<(), BadSignature> {
        let verifier = Verifier::new(&device.0)?;
        if let Some(files) = &self.files {
            let statement = files_statement(self.space, self.digest, self.at);
            verifier.verify(Domain::Receipt, &statement, files)?;
        }
        let statement = statement(self.space, self.digest, self.at);
        verifier.verify(Domain::Receipt, &statement, &self.signature)
    }
}

fn statement(space: SpaceId, digest: [u8; 32], at: Timestamp) -> Vec<u8> {
    cbor::encode(&(space, serde_bytes::Bytes::new(&digest), at))
}

fn files_statement(space: SpaceId, digest: [u8; 32], at: Timestamp) -> Vec<u8> {
    cbor::encode(&(space, serde_bytes::Bytes::new(&digest), at, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_good_for_what_it_says_by_whom_it_is() {
        let signer = Signer::from_secret(&[1; 32]);
        let receipt = Receipt::sign(&signer, SpaceId([2; 32]), [3; 32], Timestamp(4));
        let bytes = cbor::encode(&receipt);
        assert_eq!(cbor::decode::<Receipt>(&bytes, 1_024), Ok(receipt));
        assert_eq!(receipt.verify(signer.device()), Ok(()));
        assert_eq!(receipt.verify(DeviceId([9; 32])), Err(BadSignature));
        let others = [
            Receipt { space: SpaceId([9; 32]), ..receipt },
            Receipt { digest: [9; 32], ..receipt },
            Receipt { at: Timestamp(9), ..receipt },
        ];
        for other in others {
            assert_eq!(other.verify(signer.device()), Err(BadSignature));
        }

        let with_files = receipt.with_files(&signer);
        let bytes = cbor::encode(&with_files);
        assert_eq!(cbor::decode::<Receipt>(&bytes, 1_024), Ok(with_files));
        assert_eq!(with_files.verify(signer.device()), Ok(()));
        // The word for the entries does not do for the files.
        let forged = Receipt { files: Some(receipt.signature), ..receipt };
        assert_eq!(forged.verify(signer.device()), Err(BadSignature));
        assert_eq!(
            Receipt { at: Timestamp(9), ..with_files }.verify(signer.device()),
            Err(BadSignature)
        );
    }
}
