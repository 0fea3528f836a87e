//! Keys of programs: what each carries, and what each is called.
//!
//! Invariant: a key never prints itself; its name fits into a record of the audit log.
//! Non-goal: what a key may do; that is the doorway's. Format: `docs/protocol/program-keys.md`.

use std::{fmt, str::FromStr};

use data_encoding::BASE64URL_NOPAD;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{Entropy, random_bytes};

/// Longest name of a key: two words and a number.
pub const NAME_BYTES_MAX: usize = 32;

/// What a key begins with, so that people and scanners for lost secrets know it.
const MARK: &str = "kith_key_";

/// What is hashed stands for nothing else.
const CONTEXT: &str = "kith program key 1";

/// What a program carries. Wiped when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ProgramKey([u8; 32]);

/// A text that is no key. Nothing was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is {MARK} and 43 letters of base64url")]
pub struct NotAKey;

impl ProgramKey {
    /// A fresh one.
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(random_bytes(entropy))
    }

    /// What is kept in its place. A key has 256 random bits, so nobody can try them all:
    /// neither salt nor slowness would add anything.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        blake3::derive_key(CONTEXT, &self.0)
    }

    /// The text for whoever shall have it.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{MARK}{}", BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for ProgramKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgramKey(…)")
    }
}

impl FromStr for ProgramKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let letters = text.strip_prefix(MARK).ok_or(NotAKey)?;
        // 32 bytes in base64url; what is longer is not even decoded.
        let fits = letters.len() == 43;
        let bytes = fits.then(|| BASE64URL_NOPAD.decode(letters.as_bytes()).ok()).flatten();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAKey)
    }
}

/// What a key is called: 1 to 32 of `a` to `z`, `0` to `9` and `-`, not `-` first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyName([u8; NAME_BYTES_MAX]);

/// A text that is no name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key's name has 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -, and does not begin with -")]
pub struct BadName;

impl KeyName {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl FromStr for KeyName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_plain = text.bytes().all(|byte| is_letter(byte) || byte == b'-');
        let mut name = [0; NAME_BYTES_MAX];
        match name.get_mut(..text.len()) {
            Some(place) if is_plain && !text.is_empty() && !text.starts_with('-') => {
                place.copy_from_slice(text.as_bytes());
                Ok(Self(name))
            }
            Some(_) | None => Err(BadName),
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyName({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_text_and_does_not_print() {
        let key = ProgramKey([255; 32]);
        let text = key.expose();
        assert_eq!(text.len(), MARK.len() + 43);
        let read: ProgramKey = text.parse().expect("a key");
        assert_eq!(read.hash(), key.hash());
        assert_ne!(key.hash(), *blake3::hash(&[255; 32]).as_bytes());
        assert!(!format!("{key:?}").contains("255"));
        // The last letter carries four bits only: another one with the same bytes is no key.
        let twin = format!("{}9", &text[..text.len() - 1]);
        for bad in ["", MARK, &text[1..], &text[..text.len() - 1], &format!("{text}="), &twin] {
            assert!(bad.parse::<ProgramKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        let longest = "a".repeat(NAME_BYTES_MAX);
        for good in ["backup", "a", "0-9", &longest] {
            assert_eq!(good.parse::<KeyName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for bad in ["", "-a", "A", "a b", "ü", "a/b", "a\0", &long] {
            assert_eq!(bad.parse::<KeyName>(), Err(BadName), "{bad:?}");
        }
    }
}
