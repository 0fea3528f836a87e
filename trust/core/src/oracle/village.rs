//! Random villages: people with devices, relationships, spaces and groups, and
//! whatever they say of each other, with right and without.

use node_model::{
    AgentId, AttestationId, DeviceId, DocumentId, EntryId, SpaceId, Timestamp,
    sign::{Domain, Signer},
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::{
    attestation::{Attestation, Claim, DevicePin, EntryPin, Party, Prefix, Scope, Terms},
    tests_people::Person,
    words::{Layer, Reach, Role},
};

/// Expiries are around the moments that graphs are derived at.
pub(super) const MOMENTS: [Timestamp; 3] = [Timestamp(99), Timestamp(100), Timestamp(200)];

/// Entries are numbered below this, so that questions meet the pins.
pub(super) const SEQUENCES: usize = 6;

/// Documents of a space, so few that questions meet the purges.
pub(super) const DOCUMENTS: usize = 3;

/// Where a village's randomness comes from.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.0.next_u32() as usize) % end
    }

    pub(super) fn happens(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// The id of a device's entry with a number; or of another one with that number.
pub(super) fn entry(device: DeviceId, sequence: u64, is_forged: bool) -> EntryId {
    let mut id = device.0;
    id[0] ^= u8::from(is_forged);
    id[1] = id[1].wrapping_add(sequence as u8);
    EntryId(id)
}

/// One of the documents, in every space.
pub(super) fn document(number: usize) -> DocumentId {
    DocumentId([number as u8; 16])
}

struct Home {
    person: Person,
    devices: Vec<Signer>,
}

/// A space and the statements about who is in it, each with those that it names.
pub(super) struct Place {
    pub(super) id: SpaceId,
    likely_admins: Vec<usize>,
    likely_members: Vec<Party>,
    statements: Vec<(AttestationId, Vec<AttestationId>)>,
}

/// Who lives there, and all that was said.
pub(super) struct Village {
    homes: Vec<Home>,
    pub(super) places: Vec<Place>,
    pub(super) said: Vec<Attestation>,
    loses_devices: bool,
    dice: Dice,
}

impl Village {
    pub(super) fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let homes = (0..3 + dice.below(5)).map(|number| Home::new(number as u8, seed, &mut dice));
        let homes = homes.collect();
        let loses_devices = dice.happens(40);
        let mut village = Self { homes, places: vec![], said: vec![], loses_devices, dice };
        village.link_devices();
        let has_groups = village.dice.happens(40);
        for _ in 0..if has_groups { 3 } else { 1 + village.dice.below(3) } {
            village.found();
        }
        for _ in 0..if has_groups { 12 } else { 0 } {
            village.grant_to_group();
        }
        for _ in 0..15 + village.dice.below(45) {
            match village.dice.below(100) {
                0..14 => village.relate(),
                14..18 => village.revoke_device(),
                18..24 => village.locate(),
                24..29 => village.grant_to_group(),
                29..73 => village.grant(),
                _ => village.revoke(),
            }
            if village.loses_devices && village.dice.happens(20) {
                village.locate();
                village.revoke_device();
            }
        }
        for _ in 0..village.dice.below(6) {
            village.purge();
            if village.dice.happens(30) {
                village.revoke();
            }
        }
        village
    }

    /// All devices, known or not.
    pub(super) fn devices(&self) -> Vec<DeviceId> {
        self.homes.iter().flat_map(|home| home.devices.iter().map(Signer::device)).collect()
    }

    /// In somebody's name, mostly with one of their keys.
    fn say(&mut self, home: usize, claim: Claim, expires_at: Option<Timestamp>) -> AttestationId {
        let of = if self.dice.happens(3) { self.dice.below(self.homes.len()) } else { home };
        let signer = Signer::from_secret(self.dice.pick(&self.homes[of].devices).secret());
        let person = &mut self.homes[home].person;
        let own: Vec<_> = self.said.iter().filter(|said| said.signer == signer.device()).collect();
        let is_astray = self.dice.happens(if self.loses_devices { 10 } else { 1 });
        if is_astray && !own.is_empty() {
            person.continue_after(&signer, claim.scope(person.agent()), self.dice.pick(&own).id);
        }
        let said = if self.dice.happens(20) {
            person.say_as(true, claim, expires_at)
        } else {
            person.say_with(&signer, claim, expires_at)
        };
        let id = said.id;
        self.said.push(said);
        id
    }

    /// Of relationships and locations; what others build upon has none.
    fn end(&mut self, percent: usize) -> Option<Timestamp> {
        let ends = [50, 100, 101, 150];
        self.dice.happens(percent).then(|| Timestamp(*self.dice.pick(&ends)))
    }

    fn link_devices(&mut self) {
        for home in 0..self.homes.len() {
            for device in 0..self.homes[home].devices.len() {
                self.link(home, home, device);
            }
        }
        if self.dice.happens(10) {
            let (by, of) = (self.dice.below(self.homes.len()), self.dice.below(self.homes.len()));
            self.link(by, of, 0);
        }
    }

    fn link(&mut self, by: usize, of: usize, device: usize) {
        let agent = self.homes[by].person.agent();
        let signer = &self.homes[of].devices[device];
        let claim = Claim::DeviceLink {
            device: signer.device(),
            hpke: [9; 32],
            name: String::new(),
            consent: signer.sign(Domain::DeviceLink, &agent.0),
        };
        let link = self.homes[by].person.say_as(true, claim, None);
        self.said.push(link);
    }

    fn relate(&mut self) {
        let (by, with) = (self.dice.below(self.homes.len()), self.dice.below(self.homes.len()));
        let layer = *self.dice.pick(Layer::ALL);
        let terms = (!self.dice.happens(15)).then(|| self.terms(layer));
        let end = self.end(20);
        let with_agent = self.homes[with].person.agent();
        self.say(by, Claim::Relationship { with: with_agent, terms }, end);
        if self.dice.happens(60) {
            let end = self.end(20);
            let layer = *self.dice.pick(Layer::ALL);
            let terms = Some(self.terms(layer));
            let by_agent = self.homes[by].person.agent();
            self.say(with, Claim::Relationship { with: by_agent, terms }, end);
        }
    }

    /// What the layer brings, or otherwise.
    fn terms(&mut self, layer: Layer) -> Terms {
        let mut terms = Terms::of(layer);
        terms.keeps_for_them ^= self.dice.happens(20);
        terms.lets_them_keep ^= self.dice.happens(20);
        terms
    }

    fn found(&mut self) {
        let by = self.dice.below(self.homes.len());
        let reach = *self.dice.pick(Reach::ALL);
        let nonce = [self.places.len() as u8; 16];
        let label = vec![];
        let claim = Claim::SpaceFounding { nonce, reach, label, has_open_history: true };
        let id = SpaceId(self.say(by, claim, None).0);
        let founder = Party::Agent(self.homes[by].person.agent());
        let (likely_admins, likely_members) = (vec![by], vec![founder]);
        self.places.push(Place { id, likely_admins, likely_members, statements: vec![] });
    }

    fn locate(&mut self) {
        let by = self.dice.below(self.homes.len());
        let place = self.dice.below(self.places.len());
        let device = self.homes[by].devices[0].device();
        let space = self.places[place].id;
        let claim = Claim::Location { space, collection: String::new(), device, bytes: 1 };
        let end = self.end(100);
        self.say(by, claim, end);
    }

    /// Mostly somebody who may.
    fn issuer(&mut self, place: usize) -> usize {
        if self.dice.happens(75) {
            *self.dice.pick(&self.places[place].likely_admins)
        } else {
            self.dice.below(self.homes.len())
        }
    }

    /// What an issuer knew: all, all until some moment, a few, nothing, or nonsense.
    fn after(&mut self, place: usize) -> Vec<AttestationId> {
        let count = self.places[place].statements.len();
        let mut after = match self.dice.below(100) {
            0..45 => self.places[place].heads(count),
            45..73 => {
                let moment = self.dice.below(count + 1);
                self.places[place].heads(moment)
            }
            73..90 if count > 0 => {
                let some = 0..1 + self.dice.below(3);
                some.map(|_| self.dice.pick(&self.places[place].statements).0).collect()
            }
            90..92 => vec![AttestationId([7; 32])],
            92..94 => vec![self.dice.pick(&self.said).id],
            _ => vec![],
        };
        self.dice.shuffle(&mut after);
        after
    }

    fn grant(&mut self) {
        let place = self.dice.below(self.places.len());
        let by = self.issuer(place);
        let to = self.dice.below(self.homes.len());
        let role = if self.dice.happens(50) { Role::Admin } else { *self.dice.pick(Role::ALL) };
        if role == Role::Admin {
            self.places[place].likely_admins.push(to);
        }
        let party = Party::Agent(self.homes[to].person.agent());
        self.admit(place, by, party, role);
    }

    fn grant_to_group(&mut self) {
        let (place, group) =
            (self.dice.below(self.places.len()), self.dice.below(self.places.len()));
        let by = self.issuer(place);
        let role = match self.dice.below(100) {
            0..5 => Role::Writer,
            5..35 => Role::Custodian,
            _ => Role::Reader,
        };
        self.admit(place, by, Party::Group(self.places[group].id), role);
    }

    fn admit(&mut self, place: usize, by: usize, party: Party, role: Role) {
        let (space, after) = (self.places[place].id, self.after(place));
        let claim = Claim::SpaceGrant { space, party, role, after: after.clone() };
        let id = self.say(by, claim, None);
        self.places[place].likely_members.push(party);
        self.places[place].statements.push((id, after));
    }

    fn revoke(&mut self) {
        let place = self.dice.below(self.places.len());
        let by = self.issuer(place);
        let party = match self.dice.below(100) {
            0..12 => Party::Agent(self.homes[by].person.agent()),
            12..85 => *self.dice.pick(&self.places[place].likely_members),
            _ => Party::Agent(self.agents()[self.dice.below(self.homes.len())]),
        };
        let (space, after) = (self.places[place].id, self.after(place));
        let pins = self.entry_pins(party);
        let claim = Claim::SpaceRevocation { space, party, pins, after: after.clone() };
        let id = self.say(by, claim, None);
        self.places[place].statements.push((id, after));
    }

    fn purge(&mut self) {
        let place = self.dice.below(self.places.len());
        let by = self.issuer(place);
        let (space, after) = (self.places[place].id, self.after(place));
        let documents = vec![document(self.dice.below(DOCUMENTS)); 1 + self.dice.below(2)];
        let claim = Claim::DocumentPurge { space, documents, after: after.clone() };
        let id = self.say(by, claim, None);
        self.places[place].statements.push((id, after));
    }

    fn agents(&self) -> Vec<AgentId> {
        self.homes.iter().map(|home| home.person.agent()).collect()
    }

    fn entry_pins(&mut self, party: Party) -> Vec<EntryPin> {
        let of = self.homes.iter().position(|home| Party::Agent(home.person.agent()) == party);
        let devices = of.map_or(&[][..], |of| self.homes[of].devices.as_slice());
        let mut pins = vec![];
        for device in devices.iter().map(Signer::device) {
            if self.dice.happens(65) {
                let sequence = self.dice.below(SEQUENCES) as u64;
                let entry = Prefix::from(entry(device, sequence, self.dice.happens(15)));
                pins.push(EntryPin { device, sequence, entry });
            }
        }
        pins
    }

    fn revoke_device(&mut self) {
        let of = self.dice.below(self.homes.len());
        let by = if self.dice.happens(92) { of } else { self.dice.below(self.homes.len()) };
        let device = self.dice.pick(&self.homes[of].devices).device();
        let claim = Claim::DeviceRevocation { device, pins: self.device_pins(device) };
        self.say(by, claim, None);
    }

    /// In most of the scopes that the device spoke in, one of its statements, mostly
    /// the last; and an entry, where the scope is a space.
    fn device_pins(&mut self, device: DeviceId) -> Vec<DevicePin> {
        let own: Vec<(Scope, AttestationId)> = self
            .said
            .iter()
            .filter(|said| said.signer == device)
            .map(|said| (said.scope, said.id))
            .collect();
        let mut scopes: Vec<Scope> = own.iter().map(|(scope, _)| *scope).collect();
        scopes.extend(self.places.iter().map(|place| Scope(place.id.0)));
        scopes.sort_unstable();
        scopes.dedup();
        let mut pins = vec![];
        for scope in scopes {
            let there: Vec<_> = own.iter().filter(|(other, _)| *other == scope).collect();
            let tip = match there.last() {
                Some(last) if self.dice.happens(70) => Some(Prefix::from(last.1)),
                Some(_) if self.dice.happens(80) => Some(Prefix::from(self.dice.pick(&there).1)),
                Some(_) | None => None,
            };
            let sequence = self.dice.below(SEQUENCES) as u64;
            let is_space = self.places.iter().any(|place| place.id.0 == scope.0);
            let is_forged = self.dice.happens(15);
            let entry = (is_space && self.dice.happens(60))
                .then(|| (sequence, Prefix::from(entry(device, sequence, is_forged))));
            if (tip.is_some() || entry.is_some()) && self.dice.happens(90) {
                pins.push(DevicePin { scope, tip, entry });
            }
        }
        pins
    }
}

impl Home {
    fn new(number: u8, seed: u64, dice: &mut Dice) -> Self {
        let mut person = Person::new(number);
        person.clock = Timestamp(seed);
        let more =
            (0..dice.below(3)).map(|at| Signer::from_secret(&[200 + number * 2 + at as u8; 32]));
        let first = Signer::from_secret(person.device.secret());
        let devices = std::iter::once(first).chain(more).collect();
        Self { person, devices }
    }
}

impl Place {
    /// What no other names, of the first statements.
    fn heads(&self, count: usize) -> Vec<AttestationId> {
        let known = &self.statements[..count];
        let is_named = |id: &AttestationId| known.iter().any(|(_, after)| after.contains(id));
        let heads = known.iter().map(|(id, _)| *id).filter(|id| !is_named(id));
        heads.rev().take(crate::attestation::AFTER_MAX).collect()
    }
}
