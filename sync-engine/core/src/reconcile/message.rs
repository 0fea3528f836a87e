//! What two sides of a reconciliation say to each other.

use node_model::{
    SpaceId,
    cbor::{self, DecodeError},
    limit::FRAME_BYTES_MAX,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{hello::Hello, sharding::DIFFERENCES_MAX};
use crate::{
    part::{SelectionId, is_selection},
    receipt::Receipt,
    rule::Rule,
    sketch::Shard,
    store::StoreEpoch,
};

/// Most entries in a page.
pub const PAGE_ENTRIES_MAX: usize = 1_000;

/// A page ends after this many bytes: big enough to keep a connection busy,
/// small enough to verify within some ten milliseconds.
pub const PAGE_BYTES_MAX: usize = 512 * 1024;

/// Most ids in a page of a list: 128 KiB.
pub const PAGE_IDS_MAX: usize = 4_096;

/// Ids asked for at once.
pub(super) const GET_IDS_MAX: usize = 256;

/// Short ids asked for at once: as many as entries in a page.
pub(super) const FIND_IDS_MAX: usize = PAGE_ENTRIES_MAX;

/// Most spaces in one message.
pub const HEADS_MAX: usize = 10_000;

/// What a side says of one space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The space.
    pub space: SpaceId,
    /// Its copy.
    pub store: StoreEpoch,
    /// How many entries it holds.
    pub arrivals: u64,
    /// Their digest.
    #[serde(with = "serde_bytes")]
    pub digest: [u8; 32],
    /// How far it has read the receiver's copy.
    pub seen: Option<(StoreEpoch, u64)>,
    /// Of which part of the space this is; `None` is all of it. `store`, `arrivals`,
    /// `digest` and `seen` are of this part.
    pub part: Option<PartHead>,
}

impl Head {
    /// Whether there is nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arrivals == 0 || self.part.is_some_and(|part| part.entries == 0)
    }
}

/// A part of a space, as a head names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartHead {
    /// The documents that both sides keep.
    pub selection: SelectionId,
    /// How many entries it has.
    pub entries: u64,
}

/// What two sides say to each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// What the sender speaks: before anything else, and again when it starts over.
    Hello(Hello),
    /// The state of spaces, on connecting and whenever it changed.
    Heads {
        /// The version that both speak; the oldest one of the sender until it knows that.
        protocol: u16,
        /// One for each space.
        #[serde(deserialize_with = "cbor::at_most::<HEADS_MAX, _, _>")]
        heads: Vec<Head>,
    },
    /// What the sender keeps of a space, when it is not everything or was not.
    Keep {
        /// The space.
        space: SpaceId,
        /// Document ids in ascending order, 16 bytes each; `None` is everything.
        documents: Option<ByteBuf>,
    },
    /// By which rule the sender chooses what it keeps; only to who may read.
    Choose {
        /// The space.
        space: SpaceId,
        /// The rule; `None` is none any more.
        rule: Option<Rule>,
    },
    /// Documents that the receiver's rule chooses, of those that the sender has.
    Chosen {
        /// The space.
        space: SpaceId,
        /// As in `Keep`.
        documents: ByteBuf,
    },
    /// Asks for entries by arrival.
    Pull {
        /// The space.
        space: SpaceId,
        /// After which place.
        after: u64,
    },
    /// Entries by arrival.
    Page {
        /// The space.
        space: SpaceId,
        /// Which copy.
        store: StoreEpoch,
        /// After which place, as it was asked.
        after: u64,
        /// The place of the last entry looked at.
        upto: u64,
        /// Whether there is more.
        more: bool,
        /// The entries, without those that came from the asker.
        #[serde(deserialize_with = "cbor::at_most::<PAGE_ENTRIES_MAX, _, _>")]
        entries: Vec<ByteBuf>,
    },
    /// Asks for ids by arrival.
    List {
        /// The space.
        space: SpaceId,
        /// After which place.
        after: u64,
    },
    /// Ids by arrival.
    Ids {
        /// The space.
        space: SpaceId,
        /// Which copy.
        store: StoreEpoch,
        /// After which place, as it was asked.
        after: u64,
        /// The place of the last one.
        upto: u64,
        /// Whether there is more.
        more: bool,
        /// 32 bytes each.
        ids: ByteBuf,
    },
    /// Asks for entries by id.
    Get {
        /// The space.
        space: SpaceId,
        /// 32 bytes each.
        ids: ByteBuf,
    },
    /// Asks for symbols of the sketch.
    Sketch {
        /// The space.
        space: SpaceId,
        /// Our [`Counts`](crate::sketch::Counts), to be told as many symbols as it takes;
        /// empty when `length` says how many.
        counts: ByteBuf,
        /// The index of the first one.
        first: u32,
        /// How many.
        length: u32,
        /// Of this shard; `None` is of all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shard: Option<Shard>,
    },
    /// Symbols of the sketch; none when a list is better.
    Symbols {
        /// The space.
        space: SpaceId,
        /// Which copy.
        store: StoreEpoch,
        /// How many entries it held.
        arrivals: u64,
        /// A [`Run`](crate::sketch::Run).
        run: ByteBuf,
    },
    /// What you lack of my copy: with these you have all of it.
    Lacking {
        /// The space.
        space: SpaceId,
        /// Which copy.
        store: StoreEpoch,
        /// How many entries it held.
        arrivals: u64,
        /// [`ShortId`](crate::sketch::ShortId)s, 16 bytes each.
        ids: ByteBuf,
    },
    /// Asks for entries by short id.
    Find {
        /// The space.
        space: SpaceId,
        /// 16 bytes each.
        ids: ByteBuf,
    },
    /// Entries that were asked for by id; those that are left out may be asked
    /// for again.
    Entries {
        /// The space.
        space: SpaceId,
        /// As many as fit.
        #[serde(deserialize_with = "cbor::at_most::<FIND_IDS_MAX, _, _>")]
        entries: Vec<ByteBuf>,
    },
    /// I hold what we both have.
    Receipt(Receipt),
    /// No such space for you.
    Denied {
        /// The space.
        space: SpaceId,
    },
    /// The sender takes in nothing of a space, or does again.
    Hindered {
        /// The space.
        space: SpaceId,
        /// The [`Hindrance`](super::Hindrance)'s number; `None` is over.
        why: Option<u8>,
    },
}

impl Message {
    /// The bytes of a frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`DecodeError`]; at most [`FRAME_BYTES_MAX`] bytes are looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = cbor::decode(bytes, FRAME_BYTES_MAX)?;
        if message.is_bounded() { Ok(message) } else { Err(DecodeError::Malformed) }
    }

    fn is_bounded(&self) -> bool {
        let whole_ids =
            |ids: &ByteBuf, max: usize| ids.len().is_multiple_of(32) && ids.len() <= max * 32;
        match self {
            Self::Ids { ids, .. } => whole_ids(ids, PAGE_IDS_MAX),
            Self::Get { ids, .. } => whole_ids(ids, GET_IDS_MAX),
            Self::Find { ids, .. } => {
                ids.len().is_multiple_of(16) && ids.len() <= FIND_IDS_MAX * 16
            }
            Self::Lacking { ids, .. } => {
                ids.len().is_multiple_of(16) && ids.len() <= DIFFERENCES_MAX * 16
            }
            Self::Keep { documents, .. } => {
                documents.as_ref().is_none_or(|documents| is_selection(documents))
            }
            Self::Choose { rule, .. } => rule.as_ref().is_none_or(Rule::is_within_bounds),
            Self::Chosen { documents, .. } => is_selection(documents),
            Self::Hello(hello) => hello.is_well_formed(),
            Self::Sketch { shard, .. } => shard.is_none_or(Shard::is_well_formed),
            Self::Symbols { .. }
            | Self::Heads { .. }
            | Self::Pull { .. }
            | Self::Page { .. }
            | Self::List { .. }
            | Self::Entries { .. }
            | Self::Receipt(_)
            | Self::Hindered { .. }
            | Self::Denied { .. } => true,
        }
    }
}
