//! The one decision function: may this device do that, and why.

use node_model::{AttestationId, DeviceId, SpaceId};

use crate::{
    graph::{Graph, Member},
    words::Role,
};

/// What a device wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Be talked to about more than a ticket.
    Connect,
    /// Be sent a space's entries and blobs, sealed.
    Hold(SpaceId),
    /// Add an entry to a space.
    Write(SpaceId),
    /// Admit others to a space.
    Administer(SpaceId),
}

/// A question to the trust plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which device asks.
    pub device: DeviceId,
    /// What for.
    pub action: Action,
}

/// The rule that gave a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nobody vouches for this device.
    UnknownDevice,
    /// The device is one of ours.
    OwnDevice,
    /// Both agents attested a relationship.
    Related,
    /// The agents share a space.
    SharesSpace,
    /// No relationship and no common space.
    Stranger,
    /// The agent's role in the space suffices.
    RoleSuffices,
    /// The agent is a member, but its role is too small.
    RoleTooSmall,
    /// Not a member, or no such space: the two are not told apart.
    NotAMember,
}

impl Rule {
    /// In plain words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::UnknownDevice => "nobody we know vouches for this device",
            Self::OwnDevice => "it is one of your own devices",
            Self::Related => "you are related: both of you said so",
            Self::SharesSpace => "you are members of the same space",
            Self::Stranger => "you are not related and share no space",
            Self::RoleSuffices => "their role in the space allows it",
            Self::RoleTooSmall => "their role in the space does not allow it",
            Self::NotAMember => "there is no such space for them",
        }
    }
}

/// An answer, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Yes or no.
    pub allowed: bool,
    /// Which rule said so.
    pub rule: Rule,
    /// The attestations that it rests on.
    pub because: Vec<AttestationId>,
}

impl Decision {
    fn new(allowed: bool, rule: Rule, because: Vec<AttestationId>) -> Self {
        Self { allowed, rule, because }
    }
}

/// Answers `question` from what `own` knows.
#[must_use]
pub fn decide(graph: &Graph, own: DeviceId, question: Question) -> Decision {
    let Some(device) = graph.devices.get(&question.device) else {
        return Decision::new(false, Rule::UnknownDevice, vec![]);
    };
    match question.action {
        Action::Connect => connect(graph, own, question.device),
        Action::Hold(space) => in_space(graph, space, question.device, Role::Custodian),
        Action::Write(space) => in_space(graph, space, question.device, Role::Writer),
        Action::Administer(space) => in_space(graph, space, question.device, Role::Admin),
    }
    .with_evidence(device.evidence)
}

impl Decision {
    fn with_evidence(mut self, evidence: AttestationId) -> Self {
        self.because.push(evidence);
        self
    }
}

fn connect(graph: &Graph, own: DeviceId, device: DeviceId) -> Decision {
    let (Some(me), Some(them)) = (graph.agent_of(own), graph.agent_of(device)) else {
        return Decision::new(false, Rule::UnknownDevice, vec![]);
    };
    if me == them {
        return Decision::new(true, Rule::OwnDevice, vec![]);
    }
    if let Some((mine, theirs)) = graph.relationship(me, them) {
        return Decision::new(true, Rule::Related, vec![mine.evidence, theirs.evidence]);
    }
    let shared = graph.spaces.values().find_map(|space| {
        let mine = space.members.get(&me)?;
        let theirs = space.members.get(&them)?;
        Some(vec![mine.evidence, theirs.evidence])
    });
    match shared {
        Some(because) => Decision::new(true, Rule::SharesSpace, because),
        None => Decision::new(false, Rule::Stranger, vec![]),
    }
}

fn in_space(graph: &Graph, space: SpaceId, device: DeviceId, needed: Role) -> Decision {
    let member: Option<&Member> =
        graph.agent_of(device).and_then(|agent| graph.spaces.get(&space)?.members.get(&agent));
    match member {
        Some(member) if member.role.includes(needed) => {
            Decision::new(true, Rule::RoleSuffices, vec![member.evidence])
        }
        Some(member) => Decision::new(false, Rule::RoleTooSmall, vec![member.evidence]),
        None => Decision::new(false, Rule::NotAMember, vec![]),
    }
}
