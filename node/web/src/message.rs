//! Messages between the script and the node: JSON, and bytes beside it.
//!
//! Format: a length in four bytes, least first, and as many bytes of JSON; then pieces, each a
//! length and its bytes. JSON refers to pieces by number, from 0.

use serde_json::Value;

/// Bytes of a length.
const LENGTH_BYTES: usize = 4;

/// A message, either way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// What it says.
    pub json: Value,
    /// The bytes that it refers to.
    pub pieces: Vec<Vec<u8>>,
}

/// Bytes that are no message. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadMessage;

impl Message {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let json = self.json.to_string();
        let mut bytes = Vec::new();
        for part in std::iter::once(json.as_bytes()).chain(self.pieces.iter().map(Vec::as_slice)) {
            // A module of 32 bits has no more memory than this.
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`BadMessage`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BadMessage> {
        let (json, mut rest) = part(bytes)?;
        let json = serde_json::from_slice(json).map_err(|_| BadMessage)?;
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (piece, after) = part(rest)?;
            pieces.push(piece.to_vec());
            rest = after;
        }
        Ok(Self { json, pieces })
    }
}

fn part(bytes: &[u8]) -> Result<(&[u8], &[u8]), BadMessage> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or(BadMessage)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| BadMessage)?;
    rest.split_at_checked(length).ok_or(BadMessage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back_and_cut_off_ones_do_not() {
        let json = serde_json::json!({"do": "tick"});
        for pieces in [vec![], vec![vec![]], vec![vec![1, 2, 3], vec![], vec![4]]] {
            let message = Message { json: json.clone(), pieces };
            let bytes = message.encode();
            assert_eq!(Message::decode(&bytes), Ok(message.clone()));
            let begins = (0..bytes.len()).filter_map(|end| Message::decode(&bytes[..end]).ok());
            for shorter in begins {
                assert!(shorter.pieces.len() < message.pieces.len());
            }
        }
        assert_eq!(Message::decode(&[0xff; 8]), Err(BadMessage));
    }
}
