//! Who is in one space, by the five rules: pasts as sets, and what counts found by
//! going over all statements again until nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, DeviceId, DocumentId};

use super::{Reading, Twist};
use crate::{
    attestation::{Attestation, Claim, EntryPin, Party, Prefix},
    words::Role,
};

/// An admin's place: grants between the founder and this one, and which grant it is.
type Rank = (u32, Option<AttestationId>);

/// Why a statement counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Authority {
    OwnWill,
    Admin(Rank),
}

#[derive(Clone, Copy)]
enum Act<'a> {
    Grant(Role),
    Removal(&'a [EntryPin]),
    Purge(&'a [DocumentId]),
}

struct Motion<'a> {
    id: AttestationId,
    issuer: AgentId,
    party: Party,
    act: Act<'a>,
    past: BTreeSet<AttestationId>,
}

/// A grant that counts, or the founding; and the removals that end it.
pub(super) struct Seat<'a> {
    pub(super) party: Party,
    pub(super) role: Role,
    pub(super) ends: Vec<&'a [EntryPin]>,
}

/// A space's founder and the statements about who is in it.
pub(super) struct Council<'a> {
    founder: AgentId,
    motions: Vec<Motion<'a>>,
    counts: BTreeMap<AttestationId, Authority>,
    reading: Reading,
}

impl<'a> Council<'a> {
    /// `statements` are those about the space that are known, each with whether it
    /// stands.
    pub(super) fn new(
        founder: AgentId,
        mut statements: Vec<(&'a Attestation, bool)>,
        reading: Reading,
    ) -> Self {
        if reading.has(Twist::WhatDoesNotStandIsNotKnown) {
            statements.retain(|(said, stands)| *stands && is_possible(said));
        }
        let pasts = pasts(&statements);
        let mut motions = vec![];
        for (said, _) in statements.iter().filter(|(said, stands)| *stands && is_possible(said)) {
            if let (Some(past), Some((party, act, _))) = (pasts.get(&said.id), parts(said)) {
                let past = past.clone();
                motions.push(Motion { id: said.id, issuer: said.issuer, party, act, past });
            }
        }
        let mut council = Self { founder, motions, counts: BTreeMap::new(), reading };
        council.settle();
        council
    }

    /// What counts depends on seniors only, so each round settles one more right.
    /// (With a rule left out there may be no end.)
    fn settle(&mut self) {
        for _ in 0..2 * self.motions.len() + 2 {
            let all = self.motions.iter();
            let next = all.filter_map(|motion| Some((motion.id, self.authority(motion)?)));
            let next = next.collect();
            if next == self.counts {
                return;
            }
            self.counts = next;
        }
    }

    fn authority(&self, motion: &Motion) -> Option<Authority> {
        let is_own = motion.party == Party::Agent(motion.issuer);
        if is_own && motion.is_removal() && !self.reading.has(Twist::NobodyJustLeaves) {
            return Some(Authority::OwnWill);
        }
        let ranks = self.ranks(motion.issuer).into_iter();
        ranks.filter(|rank| self.is_within(motion, *rank)).min().map(Authority::Admin)
    }

    /// The ranks of somebody who is or was an admin.
    fn ranks(&self, agent: AgentId) -> Vec<Rank> {
        let mut ranks = vec![];
        if agent == self.founder {
            ranks.push((0, None));
        }
        for motion in &self.motions {
            let is_admin = matches!(motion.act, Act::Grant(Role::Admin));
            if is_admin && motion.party == Party::Agent(agent) {
                ranks.extend(self.rank_given_by(motion));
            }
        }
        ranks
    }

    fn rank_given_by(&self, grant: &Motion) -> Option<Rank> {
        match self.counts.get(&grant.id)? {
            Authority::OwnWill => None,
            Authority::Admin((distance, _)) => Some((distance + 1, Some(grant.id))),
        }
    }

    /// Rule 1: the issuer knew of its right, and each removal that ended that right
    /// knew of the statement.
    fn is_within(&self, motion: &Motion, rank: Rank) -> bool {
        let knows = rank.1.is_none_or(|grant| motion.past.contains(&grant));
        (knows || self.reading.has(Twist::NobodyNeedsToKnow))
            && self
                .ends(Party::Agent(motion.issuer), rank.1, Some(rank))
                .iter()
                .all(|end| end.past.contains(&motion.id))
    }

    /// Rules 2 to 4: the removals that end a grant, or the founder's right. `rank` is
    /// that of an admin.
    fn ends(
        &self,
        party: Party,
        grant: Option<AttestationId>,
        rank: Option<Rank>,
    ) -> Vec<&Motion<'a>> {
        let grant = grant.and_then(|id| self.motions.iter().find(|motion| motion.id == id));
        let mut ends = vec![];
        for end in self.motions.iter().filter(|end| end.is_removal() && end.party == party) {
            let Some(by) = self.counts.get(&end.id) else { continue };
            let is_later = grant.is_some_and(|grant| grant.past.contains(&end.id));
            let is_concurrent = grant.is_some_and(|grant| !end.past.contains(&grant.id));
            let is_spared = is_concurrent && self.reading.has(Twist::ConcurrentGrantsWin);
            let is_senior = match (by, rank) {
                (Authority::OwnWill, _) | (_, None) => true,
                (Authority::Admin(by), Some(rank)) => {
                    *by < rank || self.reading.has(Twist::JuniorsRemoveSeniors)
                }
            };
            if !is_later && !is_spared && is_senior {
                ends.push(end);
            }
        }
        ends
    }

    /// All grants that count and the founding, with what ends them.
    pub(super) fn seats(&self) -> Vec<Seat<'a>> {
        let founder = Party::Agent(self.founder);
        let founders = self.ends(founder, None, Some((0, None)));
        let mut seats = vec![Seat::new(founder, Role::Admin, &founders)];
        for motion in &self.motions {
            if let (Act::Grant(role), Some(rank)) = (motion.act, self.rank_given_by(motion)) {
                let rank = (role == Role::Admin).then_some(rank);
                let ends = self.ends(motion.party, Some(motion.id), rank);
                seats.push(Seat::new(motion.party, role, &ends));
            }
        }
        seats
    }

    /// Removals that count.
    pub(super) fn removals(&self) -> Vec<AttestationId> {
        let removals = self.motions.iter().filter(|motion| motion.is_removal());
        removals.map(|motion| motion.id).filter(|id| self.counts.contains_key(id)).collect()
    }

    /// Whether a purge that counts names the document.
    pub(super) fn has_purged(&self, document: DocumentId) -> bool {
        self.motions.iter().any(|motion| match motion.act {
            Act::Purge(documents) => {
                documents.contains(&document) && self.counts.contains_key(&motion.id)
            }
            Act::Grant(_) | Act::Removal(_) => false,
        })
    }

    /// Who is in by their own name, with the largest role that they have.
    pub(super) fn members(&self) -> BTreeMap<Party, Role> {
        let mut members = BTreeMap::new();
        for seat in self.seats().iter().filter(|seat| seat.ends.is_empty()) {
            let role = members.entry(seat.party).or_insert(seat.role);
            let is_larger = u8::from(seat.role) > u8::from(*role);
            if is_larger != self.reading.has(Twist::TheSmallestRoleHolds) {
                *role = seat.role;
            }
        }
        members
    }
}

impl<'a> Seat<'a> {
    fn new(party: Party, role: Role, ends: &[&Motion<'a>]) -> Self {
        let pins = ends.iter().filter_map(|end| match end.act {
            Act::Removal(pins) => Some(pins),
            Act::Grant(_) | Act::Purge(_) => None,
        });
        Self { party, role, ends: pins.collect() }
    }

    /// The last entry of a device that all that ended it let stand: each has to name
    /// the device, and the smallest pin holds.
    pub(super) fn last_entry(&self, device: DeviceId) -> Option<(u64, Prefix)> {
        let pin = |pins: &&[EntryPin]| {
            let pin = pins.iter().find(|pin| pin.device == device)?;
            Some((pin.sequence, pin.entry))
        };
        let all: Option<Vec<_>> = self.ends.iter().map(pin).collect();
        all?.into_iter().min()
    }
}

impl Motion<'_> {
    fn is_removal(&self) -> bool {
        matches!(self.act, Act::Removal(_))
    }
}

/// For each statement whose past is here, all of that past.
fn pasts(known: &[(&Attestation, bool)]) -> BTreeMap<AttestationId, BTreeSet<AttestationId>> {
    let mut pasts: BTreeMap<AttestationId, BTreeSet<AttestationId>> = BTreeMap::new();
    loop {
        let before = pasts.len();
        for (said, _) in known {
            let Some((_, _, after)) = parts(said) else { continue };
            let mut past: BTreeSet<AttestationId> = after.iter().copied().collect();
            let is_here = after.iter().all(|id| pasts.contains_key(id));
            past.extend(after.iter().filter_map(|id| pasts.get(id)).flatten().copied());
            if is_here {
                pasts.insert(said.id, past);
            }
        }
        if pasts.len() == before {
            return pasts;
        }
    }
}

fn parts(said: &Attestation) -> Option<(Party, Act<'_>, &[AttestationId])> {
    if let Claim::SpaceGrant { party, role, after, .. } = &said.claim {
        return Some((*party, Act::Grant(*role), after));
    }
    if let Claim::SpaceRevocation { party, pins, after, .. } = &said.claim {
        return Some((*party, Act::Removal(pins), after));
    }
    if let Claim::DocumentPurge { documents, after, .. } = &said.claim {
        return Some((Party::Agent(said.issuer), Act::Purge(documents), after));
    }
    None
}

/// Groups read or keep, and do not write.
fn is_possible(said: &Attestation) -> bool {
    !matches!(
        &said.claim,
        Claim::SpaceGrant { party: Party::Group(_), role: Role::Writer | Role::Admin, .. }
    )
}
