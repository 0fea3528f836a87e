//! Deterministic CBOR (RFC 8949 section 4.2, in the DAG-CBOR profile) for all
//! that is signed or sent.
//!
//! Invariant: a value decodes only from the one byte string that it encodes to,
//! so an id or a signature cannot be moved to other bytes of equal meaning.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error, SeqAccess, Visitor},
};

/// Why bytes from outside were refused. Nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than the caller allows.
    #[error("{got} bytes are more than the {max} that are allowed here")]
    TooLarge {
        /// Length of the input.
        got: usize,
        /// The cap.
        max: usize,
    },
    /// Not CBOR, or not of the expected shape.
    #[error("the bytes are not of the expected form")]
    Malformed,
    /// Well-formed, but not the one deterministic encoding.
    #[error("the bytes are not in canonical form")]
    NotCanonical,
}

/// Encodes `value` deterministically.
///
/// # Panics
/// Only when `value` holds what CBOR cannot say (a non-finite float, a map with
/// keys that are not strings), which none of our wire types can.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(value).expect("wire types hold only what DAG-CBOR can say")
}

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From anybody: only the canonical form is good.
    Outside,
    /// From our own sealed storage: their form was checked before they were stored.
    OwnStorage,
}

/// Decodes at most `bytes_max` bytes of canonical CBOR from outside.
///
/// # Errors
/// [`DecodeError`]; the cap is checked before anything is allocated.
pub fn decode<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    bytes_max: usize,
) -> Result<T, DecodeError> {
    decode_from(Origin::Outside, bytes, bytes_max)
}

/// Decodes at most `bytes_max` bytes of CBOR. The form is checked by encoding again,
/// which costs as much as decoding.
///
/// # Errors
/// [`DecodeError`]; the cap is checked before anything is allocated.
pub fn decode_from<T: Serialize + DeserializeOwned>(
    origin: Origin,
    bytes: &[u8],
    bytes_max: usize,
) -> Result<T, DecodeError> {
    if bytes.len() > bytes_max {
        return Err(DecodeError::TooLarge { got: bytes.len(), max: bytes_max });
    }
    let value: T = serde_ipld_dagcbor::from_slice(bytes).map_err(|_| DecodeError::Malformed)?;
    if origin == Origin::OwnStorage {
        return Ok(value);
    }
    let mut check = Canonical { expected: bytes };
    serde_ipld_dagcbor::to_writer(&mut check, &value).map_err(|_| DecodeError::NotCanonical)?;
    if check.expected.is_empty() { Ok(value) } else { Err(DecodeError::NotCanonical) }
}

/// Reads a list of at most `MAX` items, for `#[serde(deserialize_with)]`. It stops at one more:
/// an empty item is one byte on the wire and 24 in memory.
///
/// # Errors
/// The deserializer's, or that there are more.
pub fn at_most<'de, const MAX: usize, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(AtMost::<MAX, T>(PhantomData))
}

struct AtMost<const MAX: usize, T>(PhantomData<T>);

impl<'de, const MAX: usize, T: Deserialize<'de>> Visitor<'de> for AtMost<MAX, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == MAX {
                return Err(A::Error::invalid_length(MAX + 1, &self));
            }
            items.push(item);
        }
        Ok(items)
    }
}

/// Compares a re-encoding with the input as it is written, without a copy.
struct Canonical<'a> {
    expected: &'a [u8],
}

impl std::io::Write for Canonical<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.expected.split_at_checked(bytes.len()) {
            Some((head, rest)) if head == bytes => {
                self.expected = rest;
                Ok(bytes.len())
            }
            Some(_) | None => Err(std::io::ErrorKind::InvalidData.into()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_encoding_of_the_same_value_is_refused() {
        let canonical = encode(&(1u64, 2u64));
        assert_eq!(canonical, [0x82, 1, 2]);
        assert_eq!(decode::<(u64, u64)>(&canonical, 16), Ok((1, 2)));
        // 2 in two bytes, where one does.
        assert!(decode::<(u64, u64)>(&[0x82, 1, 0x18, 2], 16).is_err());
        assert!(decode::<(u64, u64)>(&[0x82, 1, 2, 0], 16).is_err());
    }

    #[test]
    fn the_cap_comes_first() {
        assert_eq!(
            decode::<(u64, u64)>(&[0x82, 1, 2], 2),
            Err(DecodeError::TooLarge { got: 3, max: 2 })
        );
    }

    #[test]
    fn a_list_ends_where_it_must() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct List(#[serde(deserialize_with = "at_most::<2, _, _>")] Vec<u64>, u64);
        let list = |items: &[u64]| encode(&(items, 7_u64));
        assert_eq!(decode(&list(&[1, 2]), 64), Ok(List(vec![1, 2], 7)));
        assert_eq!(decode(&list(&[]), 64), Ok(List(vec![], 7)));
        assert_eq!(decode::<List>(&list(&[1, 2, 3]), 64), Err(DecodeError::Malformed));
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        // A byte string that claims 2^62 bytes.
        let claim = [0x5b, 0x40, 0, 0, 0, 0, 0, 0, 0];
        assert!(decode::<serde_bytes::ByteBuf>(&claim, 64).is_err());
        let claim = [0x9b, 0x40, 0, 0, 0, 0, 0, 0, 0];
        assert!(decode::<Vec<u64>>(&claim, 64).is_err());
    }
}
