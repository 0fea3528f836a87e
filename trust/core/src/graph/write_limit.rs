//! How far the entries of a device count.

use node_model::{DeviceId, SpaceId};

use super::{Device, Space};
use crate::{
    attestation::{EntryPin, Party, Prefix, Scope},
    words::Role,
};

/// What of a device's entries counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteLimit {
    /// Everything.
    Everything,
    /// Up to the one that was pinned.
    UpTo(u64, Prefix),
    /// What has a smaller number.
    Before(u64),
    /// Nothing.
    Nothing,
}

impl WriteLimit {
    /// Whether the entry with this number and id counts.
    #[must_use]
    pub fn includes(&self, sequence: u64, entry: Prefix) -> bool {
        match self {
            Self::Everything => true,
            Self::UpTo(last, id) => sequence < *last || (sequence == *last && entry == *id),
            Self::Before(end) => sequence < *end,
            Self::Nothing => false,
        }
    }

    /// What one of two lets count. Of two entries of one number one is let count, so that
    /// it is one limit.
    pub(super) fn larger(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, _) | (_, Self::Everything) => Self::Everything,
            (Self::Nothing, limit) | (limit, Self::Nothing) => limit,
            (Self::UpTo(one, entry), Self::UpTo(other, another)) => {
                let (last, entry) = (one, entry).max((other, another));
                Self::UpTo(last, entry)
            }
            (Self::Before(one), Self::Before(other)) => Self::Before(one.max(other)),
            (Self::Before(end), Self::UpTo(last, entry))
            | (Self::UpTo(last, entry), Self::Before(end)) => {
                if last >= end {
                    Self::UpTo(last, entry)
                } else {
                    Self::Before(end)
                }
            }
        }
    }

    fn smaller(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, limit) | (limit, Self::Everything) => limit,
            (Self::Nothing, _) | (_, Self::Nothing) => Self::Nothing,
            // Two entries of one number: neither is in both.
            (Self::UpTo(one, entry), Self::UpTo(other, another))
                if one == other && entry != another =>
            {
                Self::Before(one)
            }
            (Self::UpTo(one, entry), Self::UpTo(other, another)) => {
                if one <= other {
                    Self::UpTo(one, entry)
                } else {
                    Self::UpTo(other, another)
                }
            }
            (Self::Before(end), Self::UpTo(last, entry))
            | (Self::UpTo(last, entry), Self::Before(end)) => {
                if last < end {
                    Self::UpTo(last, entry)
                } else {
                    Self::Before(end)
                }
            }
            (Self::Before(one), Self::Before(other)) => Self::Before(one.min(other)),
        }
    }
}

impl Space {
    /// What of a device's entries counts, and why.
    #[must_use]
    pub fn write_limit(&self, id: SpaceId, device: DeviceId, facts: &Device) -> WriteLimit {
        let by_member = match self.members.get(&facts.agent) {
            Some(member) if member.role.includes(Role::Writer) => WriteLimit::Everything,
            Some(_) | None => {
                let past = self.membership.former.get(&Party::Agent(facts.agent));
                let pin: Option<&EntryPin> = past.and_then(|past| past.pins.get(&device));
                pin.map_or(WriteLimit::Nothing, |pin| WriteLimit::UpTo(pin.sequence, pin.entry))
            }
        };
        let by_device = match &facts.revoked {
            None => WriteLimit::Everything,
            Some(revoked) => revoked
                .entries
                .get(&Scope(id.0))
                .map_or(WriteLimit::Nothing, |(last, entry)| WriteLimit::UpTo(*last, *entry)),
        };
        by_member.smaller(by_device)
    }
}
