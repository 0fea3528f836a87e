//! Whose device is which, which statements count, and who is related to whom: read
//! off the whole set for every question.

use std::collections::BTreeSet;

use node_model::{AgentId, DeviceId, Timestamp};

use super::{Reading, Twist};
use crate::{
    attestation::{Attestation, Claim, DevicePin, Prefix, Scope, Terms},
    words::Layer,
};

/// Everything that somebody knows, at a moment.
pub(super) struct People<'a> {
    pub(super) known: Vec<&'a Attestation>,
    now: Timestamp,
    reading: Reading,
    /// Revocations whose pins count.
    pinning: Vec<&'a Attestation>,
    /// Statements that one of them pins, of its device.
    tips: Vec<&'a Attestation>,
}

impl<'a> People<'a> {
    pub(super) fn new(known: Vec<&'a Attestation>, now: Timestamp, reading: Reading) -> Self {
        let mut people = Self { known, now, reading, pinning: vec![], tips: vec![] };
        loop {
            let counts = |said: &Attestation| {
                people.is_kept(said) || people.reading.has(Twist::TheTakenBackStillPin)
            };
            let all = people.known.iter().copied();
            let pinning: Vec<&Attestation> =
                all.filter(|said| people.takes_back(said).is_some() && counts(said)).collect();
            if pinning == people.pinning {
                return people;
            }
            // Each tip may let another revocation count, and none makes one not count.
            people.pinning = pinning;
            let pins = |said: &Attestation| people.pins(said.signer, said.issuer, said.scope);
            let is_tip = |said: &&Attestation| {
                pins(said).iter().any(|pin| pin.tip == Some(Prefix::from(said.id)))
            };
            people.tips = people.known.iter().copied().filter(is_tip).collect();
        }
    }

    /// The agents whose roots linked a device; with the twist the one that did so first.
    pub(super) fn owners(&self, device: DeviceId) -> Vec<AgentId> {
        let links = self.known.iter().filter(|said| {
            matches!(&said.claim, Claim::DeviceLink { device: linked, .. } if *linked == device)
                && said.signer.0 == said.issuer.0
        });
        if self.reading.has(Twist::TheFirstLinkTakesAll) {
            let first = links.min_by_key(|said| (said.height, said.id));
            return first.map(|link| link.issuer).into_iter().collect();
        }
        links.map(|link| link.issuer).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn owns(&self, agent: AgentId, device: DeviceId) -> bool {
        self.owners(device).contains(&agent)
    }

    /// The owners that did not take it back.
    pub(super) fn holders(&self, device: DeviceId) -> Vec<AgentId> {
        let owners = self.owners(device).into_iter();
        owners.filter(|owner| !self.is_taken_back(device, *owner)).collect()
    }

    pub(super) fn link(&self, device: DeviceId, agent: AgentId) -> Option<&'a Attestation> {
        let links = self.known.iter().filter(|said| {
            matches!(&said.claim, Claim::DeviceLink { device: linked, .. } if *linked == device)
                && said.signer.0 == said.issuer.0
                && said.issuer == agent
        });
        links.min_by_key(|said| (said.height, said.id)).copied()
    }

    /// The device that a statement takes back, if its issuer may: with the root, or with
    /// another device, one that was taken back too.
    pub(super) fn takes_back(&self, said: &Attestation) -> Option<DeviceId> {
        let Claim::DeviceRevocation { device, .. } = said.claim else { return None };
        let is_other = said.signer != device || self.reading.has(Twist::DevicesTakeThemselvesBack);
        let is_device = self.owns(said.issuer, said.signer) && is_other;
        let may = said.signer.0 == said.issuer.0 || is_device;
        (may && self.owns(said.issuer, device)).then_some(device)
    }

    pub(super) fn is_taken_back(&self, device: DeviceId, by: AgentId) -> bool {
        let takes = |said: &&Attestation| self.takes_back(said) == Some(device);
        !self.reading.has(Twist::NothingIsTakenBack)
            && self.known.iter().any(|said| said.issuer == by && takes(said))
    }

    /// What an agent pins of a device in a scope.
    fn pins(&self, device: DeviceId, by: AgentId, scope: Scope) -> Vec<DevicePin> {
        let mut found = vec![];
        let own = self.pinning.iter().filter(|said| said.issuer == by);
        for said in own.filter(|said| self.takes_back(said) == Some(device)) {
            if let Claim::DeviceRevocation { pins, .. } = &said.claim {
                found.extend(pins.iter().filter(|pin| pin.scope == scope).copied());
            }
        }
        if self.reading.has(Twist::OneTipForAScope) {
            return found.into_iter().max_by_key(|pin| pin.entry).into_iter().collect();
        }
        found
    }

    /// The last entry of a device that counts, if it was taken back.
    pub(super) fn last_entry(
        &self,
        device: DeviceId,
        by: AgentId,
        scope: Scope,
    ) -> Option<(u64, Prefix)> {
        self.pins(device, by, scope).iter().filter_map(|pin| pin.entry).max()
    }

    /// Whether a statement says anything now.
    pub(super) fn stands(&self, said: &Attestation) -> bool {
        let is_founding = matches!(said.claim, Claim::SpaceFounding { .. });
        self.speaks(said) && !self.is_over(said) && (is_founding || self.is_kept(said))
    }

    /// Whether its signer was not taken back, or it is in a chain that counts.
    fn is_kept(&self, said: &Attestation) -> bool {
        !self.is_taken_back(said.signer, said.issuer)
            || self.tips.iter().any(|tip| self.leads_to(tip, said))
    }

    fn is_over(&self, said: &Attestation) -> bool {
        let is_ignored = self.reading.has(Twist::NothingExpires);
        !is_ignored && said.expires_at.is_some_and(|end| end <= self.now)
    }

    fn speaks(&self, said: &Attestation) -> bool {
        said.signer.0 == said.issuer.0 || self.owns(said.issuer, said.signer)
    }

    /// Whether a chain that ends in one statement holds the other: a chain is what one
    /// signer said in one scope.
    fn leads_to(&self, end: &Attestation, said: &Attestation) -> bool {
        let is_chain = end.signer == said.signer && end.scope == said.scope;
        let is_broken = self.is_over(end) || !self.speaks(end);
        if !is_chain && !self.reading.has(Twist::ChainsLeaveTheirScope)
            || is_broken && self.reading.has(Twist::ChainsBreakAtTheExpired)
        {
            return false;
        }
        let before = self.known.iter().find(|before| Some(before.id) == end.prev);
        end.id == said.id || before.is_some_and(|before| self.leads_to(before, said))
    }

    /// The more distant of what both say, if both say it.
    pub(super) fn closeness(&self, one: AgentId, other: AgentId) -> Option<Layer> {
        let (mine, theirs) = (self.side(one, other), self.side(other, one));
        if self.reading.has(Twist::OneSideIsEnough) {
            return mine.or(theirs);
        }
        let both = [mine?, theirs?];
        Layer::ALL.iter().rev().copied().find(|layer| both.contains(layer))
    }

    /// Whether one keeps copies for the other, and the other lets them.
    pub(super) fn keeps_for(&self, keeper: AgentId, other: AgentId) -> bool {
        let lets = self.terms(other, keeper).is_some_and(|terms| terms.lets_them_keep);
        let keeps = self.terms(keeper, other).is_some_and(|terms| terms.keeps_for_them);
        let is_related = self.closeness(keeper, other).is_some();
        is_related
            && if self.reading.has(Twist::OneSideKeeps) { lets || keeps } else { lets && keeps }
    }

    /// How close one says that the other is.
    fn side(&self, by: AgentId, with: AgentId) -> Option<Layer> {
        self.terms(by, with).map(|terms| terms.layer)
    }

    fn terms(&self, by: AgentId, with: AgentId) -> Option<&'a Terms> {
        let is_about = |said: &&Attestation| {
            said.issuer == by
                && matches!(&said.claim, Claim::Relationship { with: of, .. } if *of == with)
                && self.stands(said)
        };
        let said = self.known.iter().copied().filter(|said| is_about(said));
        let last = said.max_by_key(|said| (said.height, said.id))?;
        let Claim::Relationship { terms, .. } = &last.claim else { return None };
        terms.as_ref()
    }
}
