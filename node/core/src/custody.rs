//! What this node keeps for others by their relationship, and how much of it.
//!
//! Invariant: of what one person founded no more is taken in than was agreed, entries and
//! files together; what is here stays. Entries that come while a file is fetched may go over
//! by as much.
//! Non-goals: who may keep what (the trust plane decides), and spaces that we are in.

use std::collections::{BTreeMap, BTreeSet};

use data_plane_core::plane::{Command, Room};
use node_model::{AgentId, Now, SpaceId};
use sync_engine_core::{Limit, store::StoreError};
use trust_core::Party;

use crate::{
    failure::{Failure, FailureKind},
    mend::Mend,
    node::Node,
};

/// What is kept for others.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    by_founder: BTreeMap<AgentId, BTreeSet<SpaceId>>,
    /// Whether something of it came since it was last said how much more may come.
    has_grown: bool,
}

impl Kept {
    /// Something of a space came.
    pub(crate) fn note(&mut self, space: SpaceId) {
        self.has_grown |= self.by_founder.values().any(|spaces| spaces.contains(&space));
    }

    /// A file came, of whatever space.
    pub(crate) fn note_file(&mut self) {
        self.has_grown |= !self.by_founder.is_empty();
    }

    fn spaces(&self) -> impl Iterator<Item = SpaceId> + '_ {
        self.by_founder.values().flatten().copied()
    }
}

impl Node {
    /// The spaces that are kept for others, by founder.
    fn kept_for(&self) -> BTreeMap<AgentId, BTreeSet<SpaceId>> {
        let spaces = &self.trust.graph().spaces;
        let kept = self.trust.spaces().filter(|space| self.trust.is_keeper(*space));
        let mut by_founder: BTreeMap<AgentId, BTreeSet<SpaceId>> = BTreeMap::new();
        for (founder, space) in kept.filter_map(|it| Some((spaces.get(&it)?.founder, it))) {
            by_founder.entry(founder).or_default().insert(space);
        }
        by_founder
    }

    /// How many bytes are kept for somebody.
    pub(crate) fn bytes_kept_for(&self, agent: AgentId) -> u64 {
        let spaces = self.kept.by_founder.get(&agent).into_iter().flatten();
        spaces.map(|space| self.bytes_of(*space)).sum()
    }

    fn bytes_of(&self, space: SpaceId) -> u64 {
        self.sync.stored_bytes(space).saturating_add(self.data.held_bytes(space))
    }

    /// The spaces that are kept for others may have become others.
    pub(crate) fn find_kept(&mut self) {
        self.kept = Kept { by_founder: self.kept_for(), has_grown: true };
    }

    /// What mends it that as much is kept for somebody as was agreed: twice as much.
    pub(crate) fn more_room(&self, space: SpaceId) -> Mend {
        let founder = self.trust.graph().spaces.get(&space).map(|facts| facts.founder);
        let side = founder.and_then(|it| self.trust.graph().sides.get(&(self.trust.agent(), it)));
        let quota = side.map_or(0, |side| side.terms.quota_bytes);
        let gigabytes = (quota / 500_000_000).max(1);
        Mend::KeepMore { name: self.founder_name(space), gigabytes }
    }

    /// Who keeps a space is no member, whom one could remove.
    pub(crate) fn need_no_keeper(&self, space: SpaceId, party: Party) -> Result<(), Failure> {
        let Party::Agent(agent) = party else { return Ok(()) };
        if self.trust.graph().keeper(space, agent).is_none() {
            return Ok(());
        }
        let (message, mend) = if agent == self.trust.agent() {
            let founder = self.founder_name(space);
            (
                format!("you are not in this space: you keep it, sealed, for {founder}"),
                Mend::StopKeeping { name: founder },
            )
        } else {
            let keeper = self.trust.name_of(agent);
            (
                format!("{keeper} is not in this space: they keep it, sealed, for its founder"),
                Mend::StopLetting { name: keeper },
            )
        };
        Err(Failure::new(FailureKind::Invalid, message, mend.to_string()))
    }

    /// More may be kept than before: asks again for what was left out.
    pub(crate) fn keep_more(&mut self) {
        let is_full = |space| self.sync.store_error(space) == Some(&StoreError::Quota);
        if self.kept.spaces().any(is_full) {
            for device in self.data.connected().collect::<Vec<_>>() {
                self.log_store_error(|node| node.sync.restart(device, false));
            }
        }
    }

    /// Says how much more may come, after something came.
    pub(crate) fn limit_kept(&mut self, now: Now) {
        if !std::mem::take(&mut self.kept.has_grown) {
            return;
        }
        let me = self.trust.agent();
        let (mut limits, mut rooms) = (Vec::new(), Vec::new());
        for (founder, spaces) in &self.kept.by_founder {
            let side = self.trust.graph().sides.get(&(me, *founder));
            let quota = side.map_or(0, |side| side.terms.quota_bytes);
            let files: u64 = spaces.iter().map(|space| self.data.held_bytes(*space)).sum();
            let entries = spaces.iter().map(|space| self.sync.stored_bytes(*space)).sum();
            let bytes = quota.saturating_sub(files);
            limits.push(Limit { spaces: spaces.clone(), bytes });
            rooms.push(Room { spaces: spaces.clone(), bytes: bytes.saturating_sub(entries) });
        }
        self.sync.limit(limits);
        self.data.command(now.monotonic, Command::Limit { rooms });
    }
}
