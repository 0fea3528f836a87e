//! The answers that the rules ask for, row by row, from the whole set: slow, and
//! without a look at how the graph comes to its own.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, DeviceId, EntryId, SpaceId, Timestamp};

use super::{
    Reading, Twist,
    council::{Council, Seat},
    people::People,
};
use crate::{
    attestation::{Attestation, Claim, Party, Prefix, Scope},
    decision::{Action, Question, Rule, Verdict},
    words::{Layer, Reach, Role},
};

/// Spaces on one way, the outermost and the innermost included.
const GROUP_DEPTH_MAX: usize = 8;

/// A verdict, and the rules that may be named for it: two where the table of
/// decisions leaves that open.
pub(super) type Answer = (Verdict, Vec<Rule>);

/// Knows the rules and what was said.
pub(super) struct Oracle<'a> {
    pub(super) people: People<'a>,
    spaces: BTreeMap<SpaceId, Space<'a>>,
    reading: Reading,
}

struct Space<'a> {
    founder: AgentId,
    reach: Reach,
    direct: BTreeMap<Party, Role>,
    seats: Vec<Seat<'a>>,
    removals: Vec<AttestationId>,
    council: Council<'a>,
}

impl<'a> Oracle<'a> {
    pub(super) fn new(known: Vec<&'a Attestation>, now: Timestamp, reading: &Reading) -> Self {
        let people = People::new(known, now, reading.clone());
        let stands: Vec<(&Attestation, bool)> =
            people.known.iter().map(|said| (*said, people.stands(said))).collect();
        let mut spaces = BTreeMap::new();
        for (said, _) in stands.iter().filter(|(_, stands)| *stands) {
            let Claim::SpaceFounding { reach, .. } = said.claim else { continue };
            let id = SpaceId(said.id.0);
            let about = stands.iter().filter(|(said, _)| is_about(said, id)).copied().collect();
            let council = Council::new(said.issuer, about, reading.clone());
            let space = Space {
                founder: said.issuer,
                reach,
                direct: council.members(),
                seats: council.seats(),
                removals: council.removals(),
                council,
            };
            spaces.insert(id, space);
        }
        Self { people, spaces, reading: reading.clone() }
    }

    pub(super) fn answer(&self, own: DeviceId, question: Question) -> Answer {
        let device = question.device;
        match question.action {
            Action::Connect => self.connect(own, device),
            Action::Hold(space) => self.hold(own, space, device),
            Action::Write(space, entry) => self.write(space, device, entry),
            Action::Administer(space) => self.administer(space, device),
            Action::Keep(space, document)
                if self.spaces.get(&space).is_some_and(|it| it.council.has_purged(document)) =>
            {
                deny(Rule::Purged)
            }
            Action::Keep(space, _) => self.write(space, device, None),
        }
    }

    /// The removals that count in a space.
    pub(super) fn removals(&self, id: SpaceId) -> Vec<AttestationId> {
        self.spaces.get(&id).map(|space| space.removals.clone()).unwrap_or_default()
    }

    /// In whose name a device may ask, or why it may not.
    fn askers(&self, device: DeviceId) -> Result<Vec<AgentId>, Answer> {
        let holders = self.people.holders(device);
        match (holders.is_empty(), self.people.owners(device).is_empty()) {
            (false, _) => Ok(holders),
            (true, true) => Err(deny(Rule::UnknownDevice)),
            (true, false) => Err(deny(Rule::RevokedDevice)),
        }
    }

    fn connect(&self, own: DeviceId, device: DeviceId) -> Answer {
        let theirs = match self.askers(device) {
            Ok(theirs) => theirs,
            Err(denied) => return denied,
        };
        let mine = match self.askers(own) {
            Ok(mine) => mine,
            Err(denied) => return denied,
        };
        let any = |holds: &dyn Fn(AgentId, AgentId) -> bool| {
            mine.iter().any(|me| theirs.iter().any(|them| holds(*me, *them)))
        };
        let shares = |me: AgentId, them: AgentId| {
            self.spaces.keys().any(|space| {
                let members = self.members(*space);
                members.contains_key(&me) && members.contains_key(&them)
            })
        };
        if mine.len() == 1 && mine == theirs {
            full(Rule::OwnDevice)
        } else if any(&|me, them| self.people.closeness(me, them).is_some()) {
            full(Rule::Related)
        } else if any(&shares) {
            full(Rule::SharesSpace)
        } else {
            deny(Rule::Stranger)
        }
    }

    fn hold(&self, own: DeviceId, id: SpaceId, device: DeviceId) -> Answer {
        let Some(space) = self.spaces.get(&id) else { return deny(Rule::NotAMember) };
        let is_for_everybody = space.reach == Reach::Commons;
        let agents = match self.askers(device) {
            Ok(agents) => agents,
            Err((_, rules)) if is_for_everybody && rules == [Rule::UnknownDevice] => {
                return full(Rule::Commons);
            }
            Err(denied) => return denied,
        };
        match self.role(id, &agents) {
            Some(Role::Custodian) => return (Verdict::Sealed, vec![Rule::RoleSuffices]),
            Some(Role::Reader | Role::Writer | Role::Admin) => return full(Rule::RoleSuffices),
            None => {}
        }
        let is_ours = self.people.holders(own).contains(&space.founder);
        let is_close = |agent: &AgentId| {
            let closeness = self.people.closeness(space.founder, *agent);
            closeness.is_some_and(|layer| includes(space.reach, layer))
        };
        if is_for_everybody {
            full(Rule::Commons)
        } else if (is_ours || self.reading.has(Twist::ReachCountsEverywhere))
            && agents.iter().any(is_close)
        {
            full(Rule::WithinReach)
        } else if agents.iter().any(|agent| self.is_keeper(id, *agent)) {
            (Verdict::Sealed, vec![Rule::KeepsForFounder])
        } else {
            deny(space.outside(&agents))
        }
    }

    /// Whoever keeps for the founder, while that one is in the space: not who was in it.
    fn is_keeper(&self, id: SpaceId, agent: AgentId) -> bool {
        let space = &self.spaces[&id];
        let was_in = space.outside(&[agent]) == Rule::Removed;
        self.members(id).contains_key(&space.founder)
            && (!was_in || self.reading.has(Twist::TheRemovedKeepOn))
            && self.people.keeps_for(agent, space.founder)
    }

    fn write(&self, id: SpaceId, device: DeviceId, entry: Option<(u64, EntryId)>) -> Answer {
        let owners = self.people.owners(device);
        if owners.is_empty() {
            return deny(Rule::UnknownDevice);
        }
        if !self.spaces.contains_key(&id) {
            return deny(Rule::NotAMember);
        }
        // By one of its agents is enough; what counts most of theirs answers.
        let answers = owners.iter().map(|owner| self.write_by(id, *owner, device, entry));
        let answers: Vec<Answer> = answers.collect();
        let has = |verdict: Verdict, rule: Rule| {
            answers.iter().find(|(it, rules)| *it == verdict && rules.contains(&rule)).cloned()
        };
        if let Some(yes) = has(Verdict::Full, Rule::RoleSuffices)
            .or_else(|| has(Verdict::Full, Rule::BeforeRemoval))
            .or_else(|| has(Verdict::Deny, Rule::AfterRemoval))
        {
            return yes;
        }
        deny(self.too_little(id, device))
    }

    /// As if the device were that agent's only.
    fn write_by(
        &self,
        id: SpaceId,
        agent: AgentId,
        device: DeviceId,
        entry: Option<(u64, EntryId)>,
    ) -> Answer {
        let space = &self.spaces[&id];
        let is_writer = matches!(self.role(id, &[agent]), Some(Role::Writer | Role::Admin));
        let is_taken_back = self.people.is_taken_back(device, agent);
        if is_writer && !is_taken_back {
            return full(Rule::RoleSuffices);
        }
        let last_row = self.too_little(id, device);
        let Some((sequence, entry)) = entry else { return deny(last_row) };
        let is_up_to = |(last, pinned): (u64, Prefix)| {
            sequence < last || (sequence == last && Prefix::from(entry) == pinned)
        };
        let by_removals = space.last_entry(agent, device, &self.reading);
        let by_revocations = self.people.last_entry(device, agent, Scope(id.0));
        if (is_writer || by_removals.is_some_and(is_up_to))
            && (!is_taken_back || by_revocations.is_some_and(is_up_to))
        {
            return full(Rule::BeforeRemoval);
        }
        match (is_writer || by_removals.is_some(), !is_taken_back || by_revocations.is_some()) {
            (true, true) => deny(Rule::AfterRemoval),
            // Pinned by one, not by the other: which row fits is open.
            (true, false) | (false, true) if is_taken_back => {
                (Verdict::Deny, vec![Rule::AfterRemoval, last_row])
            }
            (..) => deny(last_row),
        }
    }

    fn administer(&self, id: SpaceId, device: DeviceId) -> Answer {
        let agents = match self.askers(device) {
            Ok(agents) => agents,
            Err(denied) => return denied,
        };
        if !self.spaces.contains_key(&id) {
            return deny(Rule::NotAMember);
        }
        match self.role(id, &agents) {
            Some(Role::Admin) => full(Rule::RoleSuffices),
            Some(Role::Custodian | Role::Reader | Role::Writer) | None => {
                deny(self.too_little(id, device))
            }
        }
    }

    /// Why a device may not write or administer.
    fn too_little(&self, id: SpaceId, device: DeviceId) -> Rule {
        let agents = self.people.holders(device);
        if agents.is_empty() {
            Rule::RevokedDevice
        } else if self.role(id, &agents).is_some() {
            Rule::RoleTooSmall
        } else {
            self.spaces[&id].outside(&agents)
        }
    }

    /// The largest role that one of them has.
    fn role(&self, id: SpaceId, agents: &[AgentId]) -> Option<Role> {
        let members = self.members(id);
        let roles = agents.iter().filter_map(|agent| members.get(agent).copied());
        roles.max_by_key(|role| u8::from(*role))
    }

    /// Everybody in a space, those of groups too, with the largest role.
    fn members(&self, id: SpaceId) -> BTreeMap<AgentId, Role> {
        let mut members: BTreeMap<AgentId, Role> = BTreeMap::new();
        for (agent, role, _) in self.ways_into(id, &mut BTreeSet::new()) {
            let known = members.entry(agent).or_insert(role);
            if u8::from(role) > u8::from(*known) {
                *known = role;
            }
        }
        members
    }

    /// Every way into a space without going round: who, their role in the space, and
    /// their role in the last group on the way.
    fn ways_into(&self, id: SpaceId, seen: &mut BTreeSet<SpaceId>) -> Vec<(AgentId, Role, Role)> {
        if seen.len() == GROUP_DEPTH_MAX || !seen.insert(id) {
            return vec![];
        }
        let Some(space) = self.spaces.get(&id) else { return vec![] };
        let mut ways = vec![];
        for (party, role) in &space.direct {
            match party {
                Party::Agent(agent) => ways.push((*agent, *role, *role)),
                Party::Group(_) if self.reading.has(Twist::GroupsBringNobody) => {}
                Party::Group(group) => {
                    let inside = if self.reading.has(Twist::EachGroupIsSeenOnce) {
                        self.ways_into(*group, seen)
                    } else {
                        self.ways_into(*group, &mut seen.clone())
                    };
                    let is_last = self.reading.has(Twist::TheLastGroupDecides);
                    let reads = inside.into_iter().filter(|(_, in_group, in_last)| {
                        *if is_last { in_last } else { in_group } != Role::Custodian
                    });
                    ways.extend(reads.map(|(agent, _, in_last)| (agent, *role, in_last)));
                }
            }
        }
        ways
    }
}

impl<'a> Space<'a> {
    fn outside(&self, agents: &[AgentId]) -> Rule {
        let is_one = |seat: &Seat<'_>| agents.iter().any(|it| seat.party == Party::Agent(*it));
        let was_in = self.seats.iter().any(is_one);
        if was_in { Rule::Removed } else { Rule::NotAMember }
    }

    /// The last entry of a device that counts of a former writer: of several times that
    /// they were one, that with the largest.
    fn last_entry(
        &self,
        agent: AgentId,
        device: DeviceId,
        reading: &Reading,
    ) -> Option<(u64, Prefix)> {
        let could_write = |seat: &&Seat| {
            seat.party == Party::Agent(agent) && matches!(seat.role, Role::Writer | Role::Admin)
        };
        let ended = self.seats.iter().filter(could_write).filter(|seat| !seat.ends.is_empty());
        let last = ended.filter_map(|seat| seat.last_entry(device)).max();
        last.filter(|_| !reading.has(Twist::RemovalsPinNothing))
    }
}

fn deny(rule: Rule) -> Answer {
    (Verdict::Deny, vec![rule])
}

fn full(rule: Rule) -> Answer {
    (Verdict::Full, vec![rule])
}

fn is_about(said: &Attestation, id: SpaceId) -> bool {
    if let Claim::SpaceGrant { space, .. }
    | Claim::SpaceRevocation { space, .. }
    | Claim::DocumentPurge { space, .. } = said.claim
    {
        return space == id;
    }
    false
}

/// Whether somebody so close to the founder may read without being a member.
fn includes(reach: Reach, layer: Layer) -> bool {
    match reach {
        Reach::Private | Reach::Invited => false,
        Reach::Local => matches!(layer, Layer::Sovereign | Layer::Reciprocal),
        Reach::Neighborhood => layer != Layer::Gift,
        Reach::Municipal | Reach::Bioregional | Reach::Regional | Reach::Commons => true,
    }
}
