//! What two sides of a connection speak: versions of the protocol, and what is optional.
//!
//! Each side says it once, before anything else. Both compute the same from both.
//!
//! Invariants: the form of a [`Hello`] is that of every version; whoever says none speaks
//! the version of its heads, and nothing that is optional.
//! Non-goals: what a version or a capability means; that is where it is used.

use node_model::cbor;
use serde::{Deserialize, Serialize};

/// The newest version of the messages that this node speaks.
pub const PROTOCOL: u16 = 5;

/// The oldest one that it still speaks.
pub const PROTOCOL_OLDEST: u16 = 5;

/// Most capabilities that a side names: ten times what there is, and a short frame.
pub const CAPABILITIES_MAX: usize = 32;

/// What a side need not be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Pages that nobody asked for, while a peer keeps up.
    Pushes,
    /// Comparing by sketch, before ids are listed.
    Sketches,
    /// Choosing by a rule what is kept, and answering what a rule chooses.
    Rules,
    /// Comparing by sketches of shards, where one sketch does not do.
    Shards,
    /// Saying why nothing is taken in.
    Hindrances,
}

impl Capability {
    /// All that this node can do.
    pub const ALL: [Self; 5] =
        [Self::Pushes, Self::Sketches, Self::Rules, Self::Shards, Self::Hindrances];

    /// Its number on the way; never given to another one.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Pushes => 1,
            Self::Sketches => 2,
            Self::Rules => 3,
            Self::Shards => 4,
            Self::Hindrances => 5,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pushes => "pushes",
            Self::Sketches => "sketches",
            Self::Rules => "rules",
            Self::Shards => "shards",
            Self::Hindrances => "hindrances",
        }
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u32);

impl Capabilities {
    /// None: what is expected of whoever says nothing.
    pub const NONE: Self = Self(0);

    /// Those that have one of these numbers; numbers that nobody here knows are left out.
    #[must_use]
    pub fn of(numbers: &[u32]) -> Self {
        let known = Capability::ALL.into_iter().filter(|it| numbers.contains(&it.number()));
        Self(known.fold(0, |bits, it| bits | 1 << it.number()))
    }

    /// Whether one is among them.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability.number()) != 0
    }

    /// What both have.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Their words, by number.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        Capability::ALL.into_iter().filter(|it| self.has(*it)).map(Capability::word).collect()
    }
}

/// What a side speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The oldest version.
    pub lowest: u16,
    /// The newest version.
    pub highest: u16,
    /// Numbers of capabilities, ascending, each once; unknown ones count for nothing.
    #[serde(deserialize_with = "cbor::at_most::<CAPABILITIES_MAX, _, _>")]
    pub capabilities: Vec<u32>,
    /// Whether the sender has not heard this of the receiver, who says it then, if need be
    /// again: it may have been lost.
    pub asks: bool,
}

/// What two sides speak with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The version.
    pub version: u16,
    /// What both can do.
    pub capabilities: Capabilities,
}

/// Two sides have no version in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCommonVersion {
    /// The peer's version that is nearest to ours: a higher one means that we are to be
    /// updated, a lower one that the peer is.
    pub nearest: u16,
}

impl Hello {
    /// What this node says.
    #[must_use]
    pub fn ours(asks: bool) -> Self {
        let capabilities = Capability::ALL.map(Capability::number).to_vec();
        Self { lowest: PROTOCOL_OLDEST, highest: PROTOCOL, capabilities, asks }
    }

    pub(super) fn is_well_formed(&self) -> bool {
        self.lowest <= self.highest && self.capabilities.is_sorted_by(|one, other| one < other)
    }

    /// What two that say this speak with each other: the newest version that both do, and
    /// what both can do. The same from both sides.
    ///
    /// # Errors
    /// [`NoCommonVersion`].
    pub fn agree(&self, theirs: &Self) -> Result<Agreement, NoCommonVersion> {
        if theirs.lowest > self.highest {
            return Err(NoCommonVersion { nearest: theirs.lowest });
        }
        if theirs.highest < self.lowest {
            return Err(NoCommonVersion { nearest: theirs.highest });
        }
        let version = self.highest.min(theirs.highest);
        let ours = Capabilities::of(&self.capabilities);
        let capabilities = ours.both(Capabilities::of(&theirs.capabilities));
        Ok(Agreement { version, capabilities })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(lowest: u16, highest: u16, capabilities: &[u32]) -> Hello {
        Hello { lowest, highest, capabilities: capabilities.to_vec(), asks: false }
    }

    #[test]
    fn both_sides_compute_the_same() {
        let all: Vec<Hello> = (0..6)
            .flat_map(|lowest| (lowest..6).map(move |highest| (lowest, highest)))
            .flat_map(|(lowest, highest)| {
                [&[][..], &[1], &[1, 2, 3], &[2, 3, 900]].map(|some| says(lowest, highest, some))
            })
            .collect();
        for one in &all {
            for other in &all {
                let common = (one.lowest.max(other.lowest))..=(one.highest.min(other.highest));
                match (one.agree(other), other.agree(one)) {
                    (Ok(here), Ok(there)) => {
                        assert_eq!(here, there, "{one:?} {other:?}");
                        assert_eq!(common.max(), Some(here.version));
                    }
                    // One of them is told to update, and it is the same one for both.
                    (Err(here), Err(there)) => {
                        assert!(common.is_empty());
                        assert_eq!(here.nearest > one.highest, there.nearest < other.lowest);
                    }
                    (here, there) => panic!("{one:?} {other:?}: {here:?}, {there:?}"),
                }
            }
        }
    }

    #[test]
    fn capabilities_are_what_both_know() {
        let newer = says(PROTOCOL, PROTOCOL + 5, &[2, 3, 77, u32::MAX]);
        let agreed = newer.agree(&Hello::ours(false)).expect("ours is common");
        assert_eq!(
            (agreed.version, agreed.capabilities.words()),
            (PROTOCOL, vec!["sketches", "rules"])
        );
        let none = says(PROTOCOL, PROTOCOL, &[]).agree(&Hello::ours(false));
        let none = none.expect("ours is common");
        assert_eq!(none.capabilities, Capabilities::NONE);
    }
}
