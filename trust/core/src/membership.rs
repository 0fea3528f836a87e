//! Who is a member of a space, from any set of statements in any order.
//!
//! Grants and revocations form a graph: each names the heads that its issuer knew
//! (`after`), so "knew of" is a fact of hashes and not of clocks. The rules:
//!
//! 1. The founder is an admin from the beginning. A grant or revocation counts if
//!    its issuer was an admin by a grant that it knew of, and by nothing that it
//!    said after (or beside) its own removal.
//! 2. A revocation ends every grant of the party that it does not know to be later
//!    than itself: a concurrent grant loses, a later one admits again.
//! 3. Admins are ordered by seniority: how many grants lie between them and the
//!    founder, then the id of the grant. A revocation by somebody else ends an
//!    admin's grant only if its issuer is senior. So two admins who remove each
//!    other at the same time have one outcome, the senior stays, and a removed
//!    admin cannot undo it with a statement that pretends to be older.
//! 4. Whoever leaves by their own word leaves, whatever their seniority.
//! 5. Of several grants that count, the largest role holds.
//! 6. A purge of documents counts as a removal by the same issuer would.
//!
//! Keyhive (Ink & Switch) orders revocations by such a graph too; there concurrent
//! removals remove both. Invariant: [`Membership::resolve`] is a function of the
//! set; `every_order_of_five_statements_gives_one_state` enumerates it.

mod bits;
mod purges;

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, DeviceId, DocumentId};

use self::bits::Bits;
use crate::{
    attestation::{AFTER_MAX, Attestation, Claim, EntryPin, Party},
    words::Role,
};

/// Most statements of one issuer about one space that are considered, and as many purges:
/// those with the smallest heights, so that what was decided once stays decided.
pub const ISSUER_STATEMENTS_MAX: usize = 1_024;

/// Who is in a space, who was, and by which statements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Parties that are members.
    pub members: BTreeMap<Party, Standing>,
    /// Parties that were, and what of theirs still counts.
    pub former: BTreeMap<Party, Past>,
    /// Statements that no other names: what the next one is to name.
    pub heads: Vec<AttestationId>,
    /// All removals that count, also of parties that are back.
    pub removals: Vec<AttestationId>,
    /// Documents that were purged: by which statements, and what their issuers' rights rest
    /// on.
    pub purged: BTreeMap<DocumentId, Vec<AttestationId>>,
}

/// What a member may, and which statements say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The role.
    pub role: Role,
    /// The founding or the grant, and what its issuer's right rests on.
    pub because: Vec<AttestationId>,
}

/// What is left of a party that was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The largest role that it had.
    pub role: Option<Role>,
    /// The revocations, and what their issuers' rights rest on.
    pub because: Vec<AttestationId>,
    /// Its last entries that count, by device.
    pub pins: BTreeMap<DeviceId, EntryPin>,
}

/// Grants between the founder and this one, then the grant's id: smaller is senior.
type Seniority = (u32, AttestationId);

/// A statement about a space, and whether it may count at all: one by a device that
/// was taken back still holds together what was said after it.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    /// The statement.
    pub statement: &'a Attestation,
    /// Whether it counts for nothing.
    pub is_void: bool,
}

struct Op<'a> {
    statement: &'a Attestation,
    is_void: bool,
    party: Party,
    kind: Kind<'a>,
    past: Bits,
    /// Set once it counts: the seniority of its issuer's grant, and which grant.
    counts: Option<(Seniority, Right)>,
}

enum Kind<'a> {
    Grant(Role),
    Revocation(&'a [EntryPin]),
    Purge(&'a [DocumentId]),
}

/// What an admin's right rests on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    Founding,
    Grant(usize),
    /// Leaving needs none.
    OwnWill,
}

impl Membership {
    /// Derives the membership of a space from its founding and what was said about it.
    #[must_use]
    pub fn resolve(founding: &Attestation, said: &[Said<'_>]) -> Self {
        let mut said = said.to_vec();
        said.sort_by_key(|said| (said.statement.height, said.statement.id));
        Resolution::new(founding, ops(&concerned(founding.issuer, &said))).run()
    }
}

/// The statements of those who might have a say: the founder, and whoever is named by
/// one of these. Strangers can say what they want, and it fills nothing.
fn concerned<'a>(founder: AgentId, said: &[Said<'a>]) -> Vec<Said<'a>> {
    let mut naming: BTreeMap<AgentId, Vec<AgentId>> = BTreeMap::new();
    // What does not count uses up nobody's share, and opens the door to nobody.
    for said in said.iter().filter(|said| !said.is_void) {
        if let Claim::SpaceGrant { party: Party::Agent(agent), .. } = &said.statement.claim {
            naming.entry(said.statement.issuer).or_default().push(*agent);
        }
    }
    let mut known = BTreeSet::from([founder]);
    let mut waiting = vec![founder];
    while let Some(agent) = waiting.pop() {
        let named = naming.get(&agent).into_iter().flatten();
        waiting.extend(named.filter(|agent| known.insert(**agent)));
    }
    let mut counts: BTreeMap<(AgentId, bool), usize> = BTreeMap::new();
    let mut stays = |said: &&Said<'a>| {
        if said.is_void {
            return false;
        }
        // Purges use up none of what it takes to remove people.
        let is_purge = matches!(said.statement.claim, Claim::DocumentPurge { .. });
        let count = counts.entry((said.statement.issuer, is_purge)).or_default();
        *count += 1;
        known.contains(&said.statement.issuer) && *count <= ISSUER_STATEMENTS_MAX
    };
    let mut chosen: Vec<Said<'a>> = said.iter().filter(|said| stays(said)).copied().collect();
    // What they named, whoever said it: their past goes through it.
    let by_id: BTreeMap<AttestationId, Said<'a>> =
        said.iter().map(|said| (said.statement.id, *said)).collect();
    let mut seen: BTreeSet<AttestationId> = chosen.iter().map(|said| said.statement.id).collect();
    let mut at = 0;
    while let Some(said) = chosen.get(at) {
        let named = parts(said.statement).map_or(&[][..], |(_, _, after)| after);
        let more: Vec<Said<'a>> = named
            .iter()
            .filter_map(|id| by_id.get(id).filter(|_| seen.insert(*id)))
            .copied()
            .collect();
        chosen.extend(more);
        at += 1;
    }
    chosen
}

/// The statements whose past is known, each with all of it.
fn ops<'a>(sorted: &[Said<'a>]) -> Vec<Op<'a>> {
    let by_id: BTreeMap<AttestationId, Said<'a>> =
        sorted.iter().map(|said| (said.statement.id, *said)).collect();
    let mut ops: Vec<Op<'a>> = Vec::with_capacity(sorted.len());
    let mut index: BTreeMap<AttestationId, usize> = BTreeMap::new();
    let mut missing: BTreeSet<AttestationId> = BTreeSet::new();
    for said in sorted {
        // Depth first without recursion: a chain may be as long as the cap.
        let mut stack = vec![*said];
        while let Some(Said { statement: top, is_void }) = stack.last().copied() {
            if index.contains_key(&top.id) || missing.contains(&top.id) {
                stack.pop();
                continue;
            }
            let Some((party, kind, after)) = parts(top) else {
                missing.insert(top.id);
                continue;
            };
            let is_void = is_void || !is_possible(top);
            let is_missing = |id: &AttestationId| missing.contains(id) || !by_id.contains_key(id);
            if after.iter().any(is_missing) {
                missing.insert(top.id);
                continue;
            }
            let next = after.iter().find(|id| !index.contains_key(id));
            if let Some(next) = next.and_then(|id| by_id.get(id)) {
                stack.push(*next);
                continue;
            }
            let mut past = Bits::default();
            for parent in after.iter().filter_map(|id| index.get(id)) {
                past.extend(&ops[*parent].past);
                past.insert(*parent);
            }
            index.insert(top.id, ops.len());
            ops.push(Op { statement: top, is_void, party, kind, past, counts: None });
        }
    }
    ops
}

fn parts(statement: &Attestation) -> Option<(Party, Kind<'_>, &[AttestationId])> {
    if let Claim::SpaceGrant { party, role, after, .. } = &statement.claim {
        return Some((*party, Kind::Grant(*role), after));
    }
    if let Claim::SpaceRevocation { party, pins, after, .. } = &statement.claim {
        return Some((*party, Kind::Revocation(pins), after));
    }
    purges::parts(statement)
}

/// A group's members come and go without this space: what they wrote could not be
/// pinned, so groups read or keep, and do not write.
fn is_possible(statement: &Attestation) -> bool {
    !matches!(
        &statement.claim,
        Claim::SpaceGrant { party: Party::Group(_), role, .. } if role.includes(Role::Writer)
    )
}

struct Resolution<'a> {
    founding: &'a Attestation,
    ops: Vec<Op<'a>>,
    of_issuer: BTreeMap<AgentId, Vec<usize>>,
    /// Revocations, by whom they remove.
    removing: BTreeMap<Party, Vec<usize>>,
}

impl<'a> Resolution<'a> {
    fn new(founding: &'a Attestation, ops: Vec<Op<'a>>) -> Self {
        let mut of_issuer: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut removing: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, op) in ops.iter().enumerate() {
            of_issuer.entry(op.statement.issuer).or_default().push(index);
            if matches!(op.kind, Kind::Revocation(_)) {
                removing.entry(op.party).or_default().push(index);
            }
        }
        Self { founding, ops, of_issuer, removing }
    }

    fn run(mut self) -> Membership {
        self.let_people_leave();
        // Seniors first: whatever may end a right is decided before it is used.
        let mut waiting = BTreeMap::from([((0, AttestationId([0; 32])), Right::Founding)]);
        while let Some((seniority, right)) = waiting.pop_first() {
            let admin = match right {
                Right::Founding => self.founding.issuer,
                Right::Grant(grant) => match self.ops[grant].party {
                    Party::Agent(agent) => agent,
                    Party::Group(_) => continue,
                },
                Right::OwnWill => continue,
            };
            for index in self.of_issuer.get(&admin).cloned().unwrap_or_default() {
                if self.counts_by(admin, right, seniority, index) {
                    self.ops[index].counts = Some((seniority, right));
                    if let Kind::Grant(Role::Admin) = self.ops[index].kind {
                        let next = (seniority.0 + 1, self.ops[index].statement.id);
                        waiting.insert(next, Right::Grant(index));
                    }
                }
            }
        }
        self.summary()
    }

    fn let_people_leave(&mut self) {
        for op in &mut self.ops {
            let leaves = !op.is_void && op.party == Party::Agent(op.statement.issuer);
            if leaves && matches!(op.kind, Kind::Revocation(_)) {
                op.counts = Some(((0, AttestationId([0; 32])), Right::OwnWill));
            }
        }
    }

    /// Whether a statement not counted yet counts by this right of its issuer.
    fn counts_by(&self, admin: AgentId, right: Right, seniority: Seniority, index: usize) -> bool {
        let op = &self.ops[index];
        let knows_right = match right {
            Right::Founding => true,
            Right::Grant(grant) => op.past.contains(grant),
            Right::OwnWill => false,
        };
        op.counts.is_none()
            && !op.is_void
            && knows_right
            && self
                .ends_of(Party::Agent(admin), right, Some(seniority))
                .all(|end| self.ops[end].past.contains(index))
    }

    /// The revocations that end a right. `seniority` is that of an admin's right;
    /// everybody else's can be ended by any admin.
    fn ends_of(
        &self,
        party: Party,
        right: Right,
        seniority: Option<Seniority>,
    ) -> impl Iterator<Item = usize> {
        self.removing.get(&party).into_iter().flatten().copied().filter(move |index| {
            let Some((by, with)) = self.ops[*index].counts else { return false };
            let is_senior = with == Right::OwnWill || seniority.is_none_or(|own| by < own);
            let is_readmission =
                matches!(right, Right::Grant(grant) if self.ops[grant].past.contains(*index));
            is_senior && !is_readmission
        })
    }

    fn summary(&self) -> Membership {
        let (heads, removals, purged) = (self.heads(), self.removals(), self.purged());
        let mut membership = Membership { heads, removals, purged, ..Membership::default() };
        let founder = Party::Agent(self.founding.issuer);
        let founders = (Right::Founding, Role::Admin, Some((0, AttestationId([0; 32]))));
        self.summarise(&mut membership, founder, founders);
        for (index, op) in self.ops.iter().enumerate() {
            if let (Kind::Grant(role), Some((by, _))) = (&op.kind, op.counts) {
                let own = (by.0 + 1, op.statement.id);
                let seniority = (*role == Role::Admin).then_some(own);
                self.summarise(&mut membership, op.party, (Right::Grant(index), *role, seniority));
            }
        }
        for party in membership.members.keys() {
            // A writer who came back as a reader still wrote what the pins name.
            if membership.members[party].role.includes(Role::Writer) {
                membership.former.remove(party);
            }
        }
        membership
    }

    fn summarise(
        &self,
        membership: &mut Membership,
        party: Party,
        (right, role, seniority): (Right, Role, Option<Seniority>),
    ) {
        let ends: Vec<usize> = self.ends_of(party, right, seniority).collect();
        if ends.is_empty() {
            let because = self.proof(right);
            let standing = Standing { role, because };
            let known = membership.members.entry(party).or_insert_with(|| standing.clone());
            let is_better = role.includes(known.role)
                && (role != known.role || standing.because < known.because);
            if is_better {
                *known = standing;
            }
            return;
        }
        let past = membership.former.entry(party).or_default();
        if past.role.is_none_or(|known| role.includes(known)) {
            past.role = Some(role);
        }
        for end in &ends {
            past.because.push(self.ops[*end].statement.id);
            past.because.extend(self.ops[*end].counts.iter().flat_map(|(_, by)| self.proof(*by)));
        }
        past.because.extend(self.proof(right));
        past.because.sort_unstable();
        past.because.dedup();
        if role.includes(Role::Writer) {
            for pin in self.pins(&ends) {
                let known = past.pins.entry(pin.device).or_insert(pin);
                if (pin.sequence, pin.entry) > (known.sequence, known.entry) {
                    *known = pin;
                }
            }
        }
    }

    /// What all the revocations let stand: of each device the smallest pin, and
    /// none if one of them does not name it.
    fn pins(&self, ends: &[usize]) -> Vec<EntryPin> {
        let mut common: Option<BTreeMap<DeviceId, EntryPin>> = None;
        for end in ends {
            let Kind::Revocation(pins) = self.ops[*end].kind else { continue };
            let pins: BTreeMap<DeviceId, EntryPin> =
                pins.iter().map(|pin| (pin.device, *pin)).collect();
            common = Some(match common {
                None => pins,
                Some(before) => before
                    .into_iter()
                    .filter_map(|(device, pin)| {
                        let other = *pins.get(&device)?;
                        let smaller = if (other.sequence, other.entry) < (pin.sequence, pin.entry) {
                            other
                        } else {
                            pin
                        };
                        Some((device, smaller))
                    })
                    .collect(),
            });
        }
        common.unwrap_or_default().into_values().collect()
    }

    /// The statements that a right rests on, back to the founding.
    fn proof(&self, right: Right) -> Vec<AttestationId> {
        let mut because = Vec::new();
        let mut right = right;
        // A right rests on an older one, so this ends.
        while let Right::Grant(grant) = right {
            because.push(self.ops[grant].statement.id);
            right = self.ops[grant].counts.map_or(Right::OwnWill, |(_, by)| by);
        }
        because.push(self.founding.id);
        because
    }

    /// Only what counts is worth naming: the rest could be made by anybody, in any
    /// number. So could leaving, which comes last, once for everybody.
    fn heads(&self) -> Vec<AttestationId> {
        let is_leave = |op: &Op<'_>| matches!(op.counts, Some((_, Right::OwnWill)));
        let counting = || self.ops.iter().enumerate().filter(|(_, op)| op.counts.is_some());
        let mut named = Bits::default();
        let lasting = counting().filter(|(_, op)| !is_leave(op));
        lasting.for_each(|(_, op)| named.extend(&op.past));
        let mut heads: Vec<(u64, AttestationId)> = Vec::new();
        let mut leaves: BTreeMap<Party, (u64, AttestationId)> = BTreeMap::new();
        for (_, op) in counting().filter(|(index, _)| !named.contains(*index)) {
            let head = (op.statement.height, op.statement.id);
            if is_leave(op) {
                let last = leaves.entry(op.party).or_insert(head);
                *last = head.max(*last);
            } else {
                heads.push(head);
            }
        }
        heads.sort_unstable_by(|one, other| other.cmp(one));
        heads.extend(leaves.into_values());
        heads.into_iter().take(AFTER_MAX).map(|(_, id)| id).collect()
    }

    /// All removals that count.
    fn removals(&self) -> Vec<AttestationId> {
        let removing = self.removing.values().flatten().map(|index| &self.ops[*index]);
        let counting = removing.filter(|op| op.counts.is_some());
        let mut removals: Vec<_> = counting.map(|op| op.statement.id).collect();
        removals.sort_unstable();
        removals
    }
}

#[cfg(test)]
mod tests;
