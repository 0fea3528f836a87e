//! The one decision function: may this device do that, how much of it, and why.
//!
//! Non-members are measured by the reach of a space and by how close they are to
//! its founder, at the founder's own nodes only: whom the founder is related to is
//! nobody else's business, and a reader's family is not the founder's. `commons`
//! is open at every node.

use node_model::{AgentId, AttestationId, DeviceId, DocumentId, EntryId, SpaceId};

use crate::{
    attestation::{Party, Prefix},
    graph::{Device, Graph, Member, Side, Space, WriteLimit},
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
    /// The agent keeps what the founder founded, by their relationship.
    KeepsForFounder = "keeps-for-founder" "they keep a sealed copy for the founder: both of them said so",
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
    for device in [question.device, own] {
        decision.because.extend(graph.links_in_evidence(device));
    }
    // That there is such a space is part of the answer.
    let space = question.action.space().filter(|space| graph.spaces.contains_key(space));
    decision.because.extend(space.map(|space| AttestationId(space.0)));
    decision.because.sort_unstable();
    decision.because.dedup();
    decision
}

/// The agents in whose name a device may ask at all.
fn askers(graph: &Graph, device: DeviceId) -> Result<Vec<AgentId>, Decision> {
    let agents: Vec<AgentId> = graph.agents_of(device).collect();
    if !agents.is_empty() {
        return Ok(agents);
    }
    let revoked = graph.links(device).filter_map(|link| link.revoked.as_ref());
    let because: Vec<_> = revoked.flat_map(|revoked| revoked.because.iter().copied()).collect();
    let rule = if because.is_empty() { Rule::UnknownDevice } else { Rule::RevokedDevice };
    Err(Decision::new(Verdict::Deny, rule, because))
}

fn connect(graph: &Graph, own: DeviceId, device: DeviceId) -> Decision {
    let (mine, theirs) = match (askers(graph, own), askers(graph, device)) {
        (Ok(mine), Ok(theirs)) => (mine, theirs),
        (_, Err(denied)) | (Err(denied), Ok(_)) => return denied,
    };
    // What two agents call theirs has its key in two hands, and rules nobody's nodes.
    if mine == theirs && mine.len() == 1 {
        return Decision::new(Verdict::Full, Rule::OwnDevice, vec![]);
    }
    let pairs = || mine.iter().flat_map(|me| theirs.iter().map(move |them| (*me, *them)));
    if let Some((mine, theirs)) = pairs().find_map(|(me, them)| graph.relationship(me, them)) {
        let because = vec![mine.evidence, theirs.evidence];
        return Decision::new(Verdict::Full, Rule::Related, because);
    }
    let shared = pairs().find_map(|(me, them)| {
        graph.spaces_of(them).find_map(|space| {
            let members = &graph.spaces.get(&space)?.members;
            Some([members.get(&me)?.because.clone(), members.get(&them)?.because.clone()].concat())
        })
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
    let agents = match askers(graph, device) {
        Ok(agents) => agents,
        // What is for everybody is for devices that nobody knows; one that was
        // taken back stays out.
        Err(denied) if denied.rule == Rule::UnknownDevice && space.reach == Reach::Commons => {
            return Decision::new(Verdict::Full, Rule::Commons, vec![founding]);
        }
        Err(denied) => return denied,
    };
    if let Some(member) = largest(space, &agents) {
        let verdict = if member.role.holds_keys() { Verdict::Full } else { Verdict::Sealed };
        return Decision::new(verdict, Rule::RoleSuffices, member.because.clone());
    }
    if space.reach == Reach::Commons {
        return Decision::new(Verdict::Full, Rule::Commons, vec![founding]);
    }
    let is_founders = graph.is_device_of(own, space.founder);
    let mut agents_reached = agents.iter().filter(|_| is_founders);
    if let Some((mine, theirs)) = agents_reached.find_map(|agent| reached(graph, space, *agent)) {
        let because = vec![founding, mine.evidence, theirs.evidence];
        return Decision::new(Verdict::Full, Rule::WithinReach, because);
    }
    if let Some((founders, keepers)) = agents.iter().find_map(|agent| graph.keeper(id, *agent)) {
        let because = vec![founding, founders.evidence, keepers.evidence];
        return Decision::new(Verdict::Sealed, Rule::KeepsForFounder, because);
    }
    outside(space, &agents)
}

/// The member with the largest role among some agents.
fn largest<'a>(space: &'a Space, agents: &[AgentId]) -> Option<&'a Member> {
    let members = agents.iter().filter_map(|agent| space.members.get(agent));
    members.max_by_key(|member| u8::from(member.role))
}

/// The relationship by which a space reaches somebody.
pub(crate) fn reached<'a>(
    graph: &'a Graph,
    space: &Space,
    agent: AgentId,
) -> Option<(&'a Side, &'a Side)> {
    let (mine, theirs) = graph.relationship(space.founder, agent)?;
    reaches(space.reach, mine.terms.layer.farther(theirs.terms.layer)).then_some((mine, theirs))
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
    let links: Vec<&Device> = graph.links(device).collect();
    let Some(space) = graph.spaces.get(&id).filter(|_| !links.is_empty()) else {
        let rule = if links.is_empty() { Rule::UnknownDevice } else { Rule::NotAMember };
        return Decision::new(Verdict::Deny, rule, vec![]);
    };
    let agents: Vec<AgentId> = links.iter().map(|link| link.agent).collect();
    let limit = graph.write_limit(id, device);
    let revoked = links.iter().filter_map(|link| link.revoked.as_ref());
    let revoked = revoked.flat_map(|revoked| revoked.because.iter().copied());
    match (limit, entry) {
        (WriteLimit::Everything, _) => {
            let live: Vec<AgentId> = graph.agents_of(device).collect();
            let because = largest(space, &live).map(|member| member.because.clone());
            Decision::new(Verdict::Full, Rule::RoleSuffices, because.unwrap_or_default())
        }
        (limit @ (WriteLimit::UpTo(..) | WriteLimit::Before(_)), Some((sequence, entry))) => {
            let former = |agent| space.membership.former.get(&Party::Agent(agent));
            let removed = agents.iter().filter_map(|agent| former(*agent));
            let removed = removed.flat_map(|past| past.because.iter().copied());
            let standing = agents.iter().filter_map(|agent| space.members.get(agent));
            let standing = standing.flat_map(|member| member.because.iter().copied());
            let because = removed.chain(revoked).chain(standing).collect();
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
            match askers(graph, device) {
                Ok(agents) => too_little(space, &agents),
                Err(denied) => denied,
            }
        }
    }
}

fn administer(graph: &Graph, id: SpaceId, device: DeviceId) -> Decision {
    let agents = match askers(graph, device) {
        Ok(agents) => agents,
        Err(denied) => return denied,
    };
    let Some(space) = graph.spaces.get(&id) else {
        return Decision::new(Verdict::Deny, Rule::NotAMember, vec![]);
    };
    match largest(space, &agents) {
        Some(member) if member.role.includes(Role::Admin) => {
            Decision::new(Verdict::Full, Rule::RoleSuffices, member.because.clone())
        }
        Some(_) | None => too_little(space, &agents),
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

/// The answer to somebody whose role does not suffice, or who has none.
fn too_little(space: &Space, agents: &[AgentId]) -> Decision {
    match largest(space, agents) {
        Some(member) => Decision::new(Verdict::Deny, Rule::RoleTooSmall, member.because.clone()),
        None => outside(space, agents),
    }
}

fn outside(space: &Space, agents: &[AgentId]) -> Decision {
    let mut former =
        agents.iter().filter_map(|agent| space.membership.former.get(&Party::Agent(*agent)));
    match former.next() {
        Some(past) => Decision::new(Verdict::Deny, Rule::Removed, past.because.clone()),
        None => Decision::new(Verdict::Deny, Rule::NotAMember, vec![]),
    }
}

#[cfg(test)]
mod tests;
