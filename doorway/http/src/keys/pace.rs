//! How often a key may be used.

use std::num::NonZeroU32;

/// Requests in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pace(NonZeroU32);

/// A hundred a second: a program that reads thousands of documents waits for none, one that
/// runs wild leaves the node most of its time.
const USUAL: NonZeroU32 = NonZeroU32::new(6_000).expect("not zero");

const OF_STRANGERS: NonZeroU32 = NonZeroU32::new(300).expect("not zero");

/// More than a node can answer.
const HIGHEST: NonZeroU32 = NonZeroU32::new(1_000_000).expect("not zero");

impl Pace {
    /// So many; `None` for none at all, or more than a node can answer.
    pub(crate) fn new(per_minute: u32) -> Option<Self> {
        NonZeroU32::new(per_minute).filter(|number| *number <= HIGHEST).map(Self)
    }

    /// Of those who show no right.
    pub(crate) const fn strangers() -> Self {
        Self(OF_STRANGERS)
    }

    /// The largest number.
    pub(crate) const fn highest() -> u32 {
        HIGHEST.get()
    }

    /// The number.
    pub(crate) const fn per_minute(self) -> u32 {
        self.0.get()
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self(USUAL)
    }
}
