//! The one decision function: may this device do that, how much of it, and why.
//!
//! Non-members are measured by the reach of a space and by how close they are to
//! its founder, at the founder's own nodes only: whom the founder is related to is
//! nobody else's business, and a reader's family is not the founder's. `commons`
//! is open at every node.

use node_model::{AgentId, AttestationId, DeviceId, DocumentId, EntryId, SpaceId};

use crate::{
    attestation::{Party, Prefix},
    graph::{Graph, Space, WriteLimit},
    words::{Layer, Reach, Role},
};

/// What a device wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Be talked to about more than a ticket.
    Connect,
    /// Be sent a space's entries and blobs.
    Hold(SpaceId),
    /// Add an entry to a space: this one, or a new one.
    Write(SpaceId, Option<(u64, EntryId)>),
    /// Admit others to a space and remove them.
    Administer(SpaceId),
    /// Have anything in a document of a space.
    Keep(SpaceId, DocumentId),
}

impl Action {
    /// The space that it is about.
    #[must_use]
    pub fn space(self) -> Option<SpaceId> {
        match self {
            Self::Connect => None,
            Self::Hold(space)
            | Self::Write(space, _)
            | Self::Administer(space)
            | Self::Keep(space, _) => Some(space),
        }
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Hold(_) => "hold",
            Self::Write(..) => "write",
            Self::Administer(_) => "administer",
            Self::Keep(..) => "keep",
        }
    }
}

/// A question to the trust plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which device asks.
    pub device: DeviceId,
    /// What for.
    pub action: Action,
}

/// How much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing.
    Deny,
    /// The sealed bytes, not the keys.
    Sealed,
    /// All of it.
    Full,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deny => "denied",
            Self::Sealed => "sealed",
            Self::Full => "allowed",
        }
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident = $word:literal $text:literal),+ $(,)?) => {
        /// The rule that gave a verdict.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule { $($(#[$doc])* $rule),+ }

        impl Rule {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$rule),+];

            /// Its stable name.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$rule => $word),+ }
            }

            /// In plain words.
            #[must_use]
            pub fn in_words(self) -> &'static str {
                match self { $(Self::$rule => $text),+ }
            }
        }

        impl std::str::FromStr for Rule {
            type Err = crate::words::UnknownWord;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word { $($word => Ok(Self::$rule),)+ _ => Err(crate::words::UnknownWord) }
            }
        }
    };
}

rules! {
    /// Nobody vouches for this device.
    UnknownDevice = "unknown-device" "nobody we know vouches for this device",
    /// The device's owner took it back.
    RevokedDevice = "revoked-device" "its owner took this device back: it may be lost or stolen",
    /// The device is one of ours.
    OwnDevice = "own-device" "it is one of your own devices",
    /// Both agents attested a relationship.
    Related = "related" "you are related: both of you said so",
    /// The agents share a space.
    SharesSpace = "shares-space" "you are members of the same space",
    /// No relationship and no common space.
    Stranger = "stranger" "you are not related and share no space",
    /// The agent's role in the space suffices.
    RoleSuffices = "role-suffices" "their role in the space allows it",
    /// The agent is a member, but its role is too small.
    RoleTooSmall = "role-too-small" "their role in the space does not allow it",
    /// Not a member, or no such space: the two are not told apart.
    NotAMember = "not-a-member" "there is no such space for them",
    /// The agent was removed, or left.
    Removed = "removed" "they are not a member any more",
    /// The entry was written before the author was removed, as the removal says.
    BeforeRemoval = "before-removal" "it was written before its author was removed",
    /// The entry is not among those that the removal lets stand.
    AfterRemoval = "after-removal" "its author was removed, and the removal does not name it",
    /// An admin purged the document.
    Purged = "purged" "an admin purged it: what it held is gone for good and may not come back",
    /// The space's reach includes the agent.
    WithinReach = "within-reach" "the space reaches them: its founder is as close to them as that needs",
    /// The space is for everybody.
    Commons = "commons" "the space is for everybody",
}

/// An answer, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How much.
    pub verdict: Verdict,
    /// Which rule said so.
    pub rule: Rule,
    /// The attestations that it rests on, sorted.
    pub because: Vec<AttestationId>,
}

impl Decision {
    fn new(verdict: Verdict, rule: Rule, because: Vec<AttestationId>) -> Self {
        Self { verdict, rule, because }
    }

    /// Whether it is more than nothing.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.verdict != Verdict::Deny
    }
}

/// Answers `question` from what `own` knows.
#[must_use]
pub fn decide(graph: &Graph, own: DeviceId, question: Question) -> Decision {
    let mut decision = match question.action {
        Action::Connect => connect(graph, own, question.device),
        Action::Hold(space) => hold(graph, own, space, question.device),
        Action::Write(space, entry) => write(graph, space, question.device, entry),
        Action::Administer(space) => administer(graph, space, question.device),
        Action::Keep(space, document) => keep(graph, (space, document), question.device),
    };
    let devices = [question.device, own].map(|device| graph.devices.get(&device));
    decision.because.extend(devices.into_iter().flatten().map(|device| device.evidence));
    // That there is such a space is part of the answer.
    let space = question.action.space().filter(|space| graph.spaces.contains_key(space));
    decision.because.extend(space.map(|space| AttestationId(space.0)));
    decision.because.sort_unstable();
    decision.because.dedup();
    decision
}

/// The agent of a device that may ask at all.
fn asker(graph: &Graph, device: DeviceId) -> Result<AgentId, Decision> {
    match graph.devices.get(&device) {
        None => Err(Decision::new(Verdict::Deny, Rule::UnknownDevice, vec![])),
        Some(facts) => match &facts.revoked {
            None => Ok(facts.agent),
            Some(revoked) => {
                Err(Decision::new(Verdict::Deny, Rule::RevokedDevice, revoked.because.clone()))
            }
        },
    }
}

fn connect(graph: &Graph, own: DeviceId, device: DeviceId) -> Decision {
    let (me, them) = match (asker(graph, own), asker(graph, device)) {
        (Ok(me), Ok(them)) => (me, them),
        (_, Err(denied)) | (Err(denied), Ok(_)) => return denied,
    };
    if me == them {
        return Decision::new(Verdict::Full, Rule::OwnDevice, vec![]);
    }
    if let Some((mine, theirs)) = graph.relationship(me, them) {
        let because = vec![mine.evidence, theirs.evidence];
        return Decision::new(Verdict::Full, Rule::Related, because);
    }
    let shared = graph.spaces_of(them).find_map(|space| {
        let members = &graph.spaces.get(&space)?.members;
        Some([members.get(&me)?.because.clone(), members.get(&them)?.because.clone()].concat())
    });
    match shared {
        Some(because) => Decision::new(Verdict::Full, Rule::SharesSpace, because),
        None => Decision::new(Verdict::Deny, Rule::Stranger, vec![]),
    }
}

fn hold(graph: &Graph, own: DeviceId, id: SpaceId, device: DeviceId) -> Decision {
    let Some(space) = graph.spaces.get(&id) else {
        return Decision::new(Verdict::Deny, Rule::NotAMember, vec![]);
    };
    let founding = AttestationId(id.0);
    let agent = match asker(graph, device) {
        Ok(agent) => agent,
        // What is for everybody is for devices that nobody knows; one that was
        // taken back stays out.
        Err(denied) if denied.rule == Rule::UnknownDevice && space.reach == Reach::Commons => {
            return Decision::new(Verdict::Full, Rule::Commons, vec![founding]);
        }
        Err(denied) => return denied,
    };
    if let Some(member) = space.members.get(&agent) {
        let verdict = if member.role.holds_keys() { Verdict::Full } else { Verdict::Sealed };
        return Decision::new(verdict, Rule::RoleSuffices, member.because.clone());
    }
    if space.reach == Reach::Commons {
        return Decision::new(Verdict::Full, Rule::Commons, vec![founding]);
    }
    if graph.agent_of(own) == Some(space.founder)
        && let Some((mine, theirs)) = graph.relationship(space.founder, agent)
        && reaches(space.reach, mine.terms.layer.farther(theirs.terms.layer))
    {
        let because = vec![founding, mine.evidence, theirs.evidence];
        return Decision::new(Verdict::Full, Rule::WithinReach, because);
    }
    outside(space, agent)
}

/// Whether a space of this reach is open to somebody this close to its founder,
/// without being a member (architecture, section 3; the table is tested whole).
#[must_use]
pub fn reaches(reach: Reach, layer: Layer) -> bool {
    let farthest = match reach {
        Reach::Private | Reach::Invited => return false,
        Reach::Local => Layer::Reciprocal,
        Reach::Neighborhood => Layer::Invested,
        Reach::Municipal | Reach::Bioregional | Reach::Regional | Reach::Commons => Layer::Gift,
    };
    layer.farther(farthest) == farthest
}

fn write(graph: &Graph, id: SpaceId, device: DeviceId, entry: Option<(u64, EntryId)>) -> Decision {
    let (Some(space), Some(facts)) = (graph.spaces.get(&id), graph.devices.get(&device)) else {
        let known = graph.devices.contains_key(&device);
        let rule = if known { Rule::NotAMember } else { Rule::UnknownDevice };
        return Decision::new(Verdict::Deny, rule, vec![]);
    };
    let limit = space.write_limit(id, device, facts);
    let revoked = facts.revoked.iter().flat_map(|revoked| revoked.because.iter().copied());
    let past = space.membership.former.get(&Party::Agent(facts.agent));
    let removed = past.into_iter().flat_map(|past| past.because.iter().copied());
    match (limit, entry) {
        (WriteLimit::Everything, _) => {
            let because = space.members.get(&facts.agent).map(|member| member.because.clone());
            Decision::new(Verdict::Full, Rule::RoleSuffices, because.unwrap_or_default())
        }
        (limit @ (WriteLimit::UpTo(..) | WriteLimit::Before(_)), Some((sequence, entry))) => {
            let standing = space.members.get(&facts.agent).map(|member| member.because.clone());
            let because = removed.chain(revoked).chain(standing.into_iter().flatten()).collect();
            let is_included = limit.includes(sequence, Prefix::from(entry));
            #[cfg(feature = "planted-bugs")]
            let is_included = is_included
                || node_model::planted::active(node_model::planted::Bug::RemovedWriterAccepted);
            if is_included {
                Decision::new(Verdict::Full, Rule::BeforeRemoval, because)
            } else {
                Decision::new(Verdict::Deny, Rule::AfterRemoval, because)
            }
        }
        (WriteLimit::UpTo(..) | WriteLimit::Before(_) | WriteLimit::Nothing, _) => {
            if facts.revoked.is_some() {
                return Decision::new(Verdict::Deny, Rule::RevokedDevice, revoked.collect());
            }
            match space.members.get(&facts.agent) {
                Some(member) => {
                    Decision::new(Verdict::Deny, Rule::RoleTooSmall, member.because.clone())
                }
                None => outside(space, facts.agent),
            }
        }
    }
}

fn administer(graph: &Graph, id: SpaceId, device: DeviceId) -> Decision {
    let agent = match asker(graph, device) {
        Ok(agent) => agent,
        Err(denied) => return denied,
    };
    let Some(space) = graph.spaces.get(&id) else {
        return Decision::new(Verdict::Deny, Rule::NotAMember, vec![]);
    };
    match space.members.get(&agent) {
        Some(member) => {
            let is_admin = member.role.includes(Role::Admin);
            let (verdict, rule) = if is_admin {
                (Verdict::Full, Rule::RoleSuffices)
            } else {
                (Verdict::Deny, Rule::RoleTooSmall)
            };
            Decision::new(verdict, rule, member.because.clone())
        }
        None => outside(space, agent),
    }
}

/// Whoever writes in it: what was purged stays out.
fn keep(graph: &Graph, (id, document): (SpaceId, DocumentId), device: DeviceId) -> Decision {
    let facts = graph.spaces.get(&id);
    match facts.and_then(|space| space.membership.purged.get(&document)) {
        Some(because) => Decision::new(Verdict::Deny, Rule::Purged, because.clone()),
        None => write(graph, id, device, None),
    }
}

fn outside(space: &Space, agent: AgentId) -> Decision {
    match space.membership.former.get(&Party::Agent(agent)) {
        Some(past) => Decision::new(Verdict::Deny, Rule::Removed, past.because.clone()),
        None => Decision::new(Verdict::Deny, Rule::NotAMember, vec![]),
    }
}

#[cfg(test)]
mod tests;
