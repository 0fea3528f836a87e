//! Keys for those who lack them: who hands them out without being told to, and how a device
//! says that what it was given does not open.
//!
//! Invariant: a bad wrap keeps nobody out for good. Whoever is in a space can hand a device
//! rubbish in the name of a real key, and nobody but that device can tell; so it says so, and
//! everybody whose business it is hands the key out once more.

use std::collections::BTreeSet;

use node_model::{AgentId, Entropy, SpaceId};

use super::{Trust, speak::Drafts};
use crate::{
    attestation::Claim,
    graph::{Graph, Recipient},
    words::Role,
};

/// Most keys of a space that a device asks for: more than are changed in three years. Whoever
/// makes up keys does not make others talk without end.
pub(super) const ASKED_MAX: usize = 16;

impl Trust {
    /// Hands keys that we hold to readers' devices that lack them, where it is on
    /// us: our own devices, whoever got that epoch from us, and all if we admit people. Once
    /// more to whom others gave only what does not open.
    pub(super) fn draft_wraps(
        &self,
        entropy: &mut Entropy,
        drafts: &mut Drafts,
        graph: &Graph,
        space: SpaceId,
    ) {
        let Some(facts) = graph.spaces.get(&space) else { return };
        let me = self.agent();
        let is_admin_of = |agent: &AgentId| {
            facts.members.get(agent).is_some_and(|member| member.role.includes(Role::Admin))
        };
        let is_admin = is_admin_of(&me);
        if !facts.members.get(&me).is_some_and(|own| own.role.holds_keys()) {
            return;
        }
        let readers = graph.readers(space);
        for (epoch, key, keys) in self.keyring.epochs(space) {
            let Some(handed_out) = facts.epochs.get(&(epoch, key)) else { continue };
            // Whom we think to be a reader may be the one that it is kept from.
            if !handed_out.makers.values().any(|is_explained| *is_explained) {
                continue;
            }
            let agents_with: BTreeSet<AgentId> =
                handed_out.wraps.keys().flat_map(|key| graph.agents_behind(*key)).collect();
            let lacking: Vec<_> = readers
                .iter()
                .filter(|reader| {
                    let id = reader.id();
                    match reader {
                        Recipient::Device { .. } => {
                            !handed_out.wraps.contains_key(&id)
                                || (handed_out.asking.contains(&id)
                                    && !handed_out.given.contains(&(me, id)))
                        }
                        // It cannot say that it was given rubbish, so who gave it counts.
                        Recipient::Root(of) => {
                            let is_good = |by: &AgentId| {
                                by == of || is_admin_of(by) || handed_out.makers.contains_key(by)
                            };
                            let mut given = handed_out.given.iter();
                            !given.any(|(by, key)| *key == id && is_good(by))
                        }
                    }
                })
                .filter(|reader| {
                    let mut agents = graph.agents_behind(reader.id());
                    let is_ours = graph.agents_behind(reader.id()).any(|agent| agent == me);
                    let may_have =
                        facts.has_open_history || agents.any(|agent| agents_with.contains(&agent));
                    let is_on_us = is_ours || is_admin || handed_out.issuers.contains(&me);
                    may_have && is_on_us
                })
                .copied()
                .collect();
            self.hand_out(entropy, drafts, (space, epoch, keys), None, &lacking);
        }
    }

    /// Says of which keys nothing that we were given opens: those that two members handed
    /// out, or an admin. One that somebody made up alone is nobody's to hand out.
    pub(super) fn draft_asks(&self, drafts: &mut Drafts, space: SpaceId) {
        let Some(facts) = self.graph.spaces.get(&space) else { return };
        let (me, device) = (self.agent(), self.device());
        if !facts.members.get(&me).is_some_and(|own| own.role.holds_keys()) {
            return;
        }
        let is_admin = |agent: &AgentId| {
            facts.members.get(agent).is_some_and(|member| member.role.includes(Role::Admin))
        };
        let asked = facts.epochs.values().filter(|epoch| epoch.asking.contains(&device)).count();
        let unopened = facts.epochs.iter().filter(|((epoch, key), handed_out)| {
            handed_out.wraps.contains_key(&device)
                && !handed_out.asking.contains(&device)
                && !self.keyring.contains(space, *epoch, *key)
                && (handed_out.issuers.len() > 1 || handed_out.issuers.iter().any(is_admin))
        });
        // The newest first: with those people write.
        for ((epoch, key), _) in unopened.rev().take(ASKED_MAX.saturating_sub(asked)) {
            let (epoch, key) = (*epoch, *key);
            self.say(
                drafts,
                Claim::SpaceEpoch {
                    space,
                    epoch,
                    key,
                    is_new: false,
                    wraps: vec![],
                    after: vec![],
                },
            );
        }
    }
}

#[cfg(test)]
mod tests;
