//! The closed vocabularies of trust: layer, reach, role.

use serde::{Deserialize, Serialize};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $code:literal $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "u8", into = "u8")]
        pub enum $name { $($(#[$item_doc])* $item),+ }

        impl $name {
            /// All values, narrowest first.
            pub const ALL: &[Self] = &[$(Self::$item),+];

            /// The word for it, as people and programs write it.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$item => $text),+ }
            }
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> Self {
                match value { $($name::$item => $code),+ }
            }
        }

        impl TryFrom<u8> for $name {
            type Error = UnknownWord;
            fn try_from(code: u8) -> Result<Self, UnknownWord> {
                match code { $($code => Ok(Self::$item),)+ _ => Err(UnknownWord) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text { $($text => Ok(Self::$item),)+ _ => Err(UnknownWord) }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

/// A word outside the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of the words that are possible here")]
pub struct UnknownWord;

vocabulary! {
    /// How close a relationship is; drives replication.
    Layer {
        /// My own devices.
        Sovereign = 0 "sovereign",
        /// Family and close friends, mutual.
        Reciprocal = 1 "reciprocal",
        /// Communities that I support.
        Invested = 2 "invested",
        /// The commons.
        Gift = 3 "gift",
    }
}

vocabulary! {
    /// How far a space may travel. Compared only by [`Reach::within`].
    Reach {
        /// My own devices.
        Private = 0 "private",
        /// People whom I name.
        Invited = 1 "invited",
        /// My household or cluster.
        Local = 2 "local",
        /// Neighbours.
        Neighborhood = 3 "neighborhood",
        /// My town.
        Municipal = 4 "municipal",
        /// My watershed.
        Bioregional = 5 "bioregional",
        /// My region.
        Regional = 6 "regional",
        /// Everybody.
        Commons = 7 "commons",
    }
}

impl Layer {
    /// How much one keeps for the other unless agreed otherwise, in bytes.
    #[must_use]
    pub fn quota_bytes(self) -> u64 {
        const GB: u64 = 1_000_000_000;
        match self {
            Self::Sovereign | Self::Gift => 10 * GB,
            Self::Reciprocal => 50 * GB,
            Self::Invested => 100 * GB,
        }
    }

    /// The more distant of two.
    #[must_use]
    pub fn farther(self, other: Self) -> Self {
        if u8::from(self) >= u8::from(other) { self } else { other }
    }

    /// How urgent it is to serve the other, in a word.
    #[must_use]
    pub fn priority(self) -> &'static str {
        match self {
            Self::Sovereign => "always",
            Self::Reciprocal => "high",
            Self::Invested => "best effort",
            Self::Gift => "background",
        }
    }
}

vocabulary! {
    /// A step in an agreement to keep something for somebody.
    CustodyStep {
        /// I would keep it.
        Offer = 0 "offer",
        /// Please do.
        Acceptance = 1 "acceptance",
        /// No more.
        Release = 2 "release",
    }
}

vocabulary! {
    /// What kind of machine a device is: how long it stays, and what may be left to it.
    DeviceClass {
        /// Comes and goes by the minute.
        Phone = 0 "phone",
        /// Comes and goes by the hour.
        Laptop = 1 "laptop",
        /// Stands in one place, and is on while somebody works at it.
        Desktop = 2 "desktop",
        /// Always on, in a house.
        HomeRack = 3 "home-rack",
        /// Always on, for many houses.
        RegionalRack = 4 "regional-rack",
        /// Always on, and open to browsers of others.
        Doorway = 5 "doorway",
    }
}

impl Reach {
    /// Whether everything of this reach stays inside `widest`.
    #[must_use]
    pub fn within(self, widest: Self) -> bool {
        u8::from(self) <= u8::from(widest)
    }
}

vocabulary! {
    /// What a member of a space may do. Each role may also do what the ones
    /// before it may.
    Role {
        /// Keep ciphertext.
        Custodian = 0 "custodian",
        /// Read.
        Reader = 1 "reader",
        /// Read and write.
        Writer = 2 "writer",
        /// Read, write, admit and remove.
        Admin = 3 "admin",
    }
}

impl Role {
    /// Whether this role includes what `needed` may do.
    #[must_use]
    pub fn includes(self, needed: Self) -> bool {
        u8::from(self) >= u8::from(needed)
    }

    /// Whether the role holds the space's keys.
    #[must_use]
    pub fn holds_keys(self) -> bool {
        self.includes(Self::Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_reaches_keep_their_order() {
        for (i, a) in Role::ALL.iter().enumerate() {
            for (j, b) in Role::ALL.iter().enumerate() {
                assert_eq!(a.includes(*b), i >= j);
            }
        }
        for (i, a) in Reach::ALL.iter().enumerate() {
            for (j, b) in Reach::ALL.iter().enumerate() {
                assert_eq!(a.within(*b), i <= j);
            }
        }
        assert!(!Role::Custodian.holds_keys() && Role::Reader.holds_keys());
    }

    #[test]
    fn words_and_codes_read_back() {
        for role in Role::ALL {
            assert_eq!(role.word().parse(), Ok(*role));
            assert_eq!(Role::try_from(u8::from(*role)), Ok(*role));
        }
        assert_eq!("owner".parse::<Role>(), Err(UnknownWord));
        assert_eq!(Layer::try_from(9), Err(UnknownWord));
    }
}
