//! What a peer asked for and did not get, for whoever keeps a record of it.
//!
//! Invariant: it holds ids and words of this program, nothing that the peer wrote.

use std::collections::BTreeMap;

use node_model::{AgentId, DeviceId, SpaceId, Timestamp};
use trust_core::{Decision, Question, pairing::Refusal};

use crate::{effect::Effect, node::Node};

/// A denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Who asked.
    pub device: DeviceId,
    /// Whose device it is, where that is known.
    pub agent: Option<AgentId>,
    /// What for: the word of an [`Action`](trust_core::Action), or `pair`.
    pub what: &'static str,
    /// The space that it is about.
    pub space: Option<SpaceId>,
    /// The stable name of the reason.
    pub why: &'static str,
    /// How often, within about a second.
    pub times: u32,
}

impl Node {
    /// Tells what peers were denied; the same that was denied again, once.
    pub(crate) fn tell_denials(&mut self, denials: &[(Timestamp, Question, Decision)]) {
        let mut counted = BTreeMap::new();
        for (_, Question { device, action }, decision) in denials {
            let times = counted.entry((*device, *action, decision.rule)).or_insert(0_u32);
            *times = times.saturating_add(1);
        }
        for ((device, action, rule), times) in counted {
            self.tell_denied(device, action.word(), action.space(), rule.word(), times);
        }
    }

    /// Tells that somebody's ticket was refused.
    pub(crate) fn tell_refusal(&mut self, device: DeviceId, reason: Refusal) {
        tracing::info!(%device, %reason, "ticket refused");
        let why = match reason {
            Refusal::Unknown => "unknown-ticket",
            Refusal::Expired => "expired-ticket",
            Refusal::OtherPurpose => "other-purpose",
            Refusal::Used => "used-ticket",
            Refusal::Unverified => "unverified",
        };
        self.tell_denied(device, "pair", None, why, 1);
    }

    fn tell_denied(
        &mut self,
        device: DeviceId,
        what: &'static str,
        space: Option<SpaceId>,
        why: &'static str,
        times: u32,
    ) {
        let agent = self.trust.agent_of(device);
        let denied = Denied { device, agent, what, space, why, times };
        self.effects.push_back(Effect::Denied(denied));
    }
}
