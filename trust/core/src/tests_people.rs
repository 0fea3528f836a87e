//! People for tests: agents with one device each, who speak without a node.

use std::collections::BTreeMap;

use node_model::{
    AgentId, AttestationId, DeviceId, SpaceId, Timestamp,
    sign::{Domain, Signer},
};

use crate::attestation::{Attestation, Claim, EntryPin, Party, Scope, Statement};
use crate::words::{Reach, Role};

/// An agent whose device speaks for it.
pub(crate) struct Person {
    pub(crate) root: Signer,
    pub(crate) device: Signer,
    height: u64,
    tips: BTreeMap<(DeviceId, Scope), AttestationId>,
    /// What all its statements are dated.
    pub(crate) clock: Timestamp,
}

impl Person {
    pub(crate) fn new(number: u8) -> Self {
        Self {
            root: Signer::from_secret(&[number; 32]),
            device: Signer::from_secret(&[number + 100; 32]),
            height: 0,
            tips: BTreeMap::new(),
            clock: Timestamp(1_000),
        }
    }

    pub(crate) fn agent(&self) -> AgentId {
        self.root.agent()
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.device.device()
    }

    pub(crate) fn say(&mut self, claim: Claim) -> Attestation {
        self.say_as(false, claim, None)
    }

    pub(crate) fn say_as(
        &mut self,
        is_root: bool,
        claim: Claim,
        expires_at: Option<Timestamp>,
    ) -> Attestation {
        let signer = if is_root { &self.root } else { &self.device };
        let said = self.draft(signer, claim, expires_at);
        self.keep(said)
    }

    /// Says it with another device of the agent.
    pub(crate) fn say_with(
        &mut self,
        signer: &Signer,
        claim: Claim,
        expires_at: Option<Timestamp>,
    ) -> Attestation {
        let said = self.draft(signer, claim, expires_at);
        self.keep(said)
    }

    /// Lets a device continue after a statement that is not its last one there.
    pub(crate) fn continue_after(&mut self, signer: &Signer, scope: Scope, said: AttestationId) {
        self.tips.insert((signer.device(), scope), said);
    }

    fn draft(&self, signer: &Signer, claim: Claim, expires_at: Option<Timestamp>) -> Attestation {
        let scope = claim.scope(self.agent());
        let tip = self.tips.get(&(signer.device(), scope)).copied();
        let prev = if scope == Scope::FOUNDING { None } else { tip };
        let (height, issued_at) = (self.height + 1, self.clock);
        let statement = Statement { claim, height, prev, issued_at, expires_at };
        Attestation::issue(signer, self.agent(), statement)
    }

    fn keep(&mut self, said: Attestation) -> Attestation {
        self.height = said.height;
        self.tips.insert((said.signer, said.scope), said.id);
        said
    }

    pub(crate) fn link(&mut self) -> Attestation {
        let consent = self.device.sign(Domain::DeviceLink, &self.agent().0);
        let device = self.id();
        let link = Claim::DeviceLink { device, hpke: [9; 32], name: "laptop".into(), consent };
        self.say_as(true, link, None)
    }

    pub(crate) fn found(&mut self, reach: Reach) -> (SpaceId, Attestation) {
        let nonce = [self.height as u8; 16];
        let founding = Claim::SpaceFounding { nonce, reach, label: vec![], has_open_history: true };
        let said = self.say(founding);
        (SpaceId(said.id.0), said)
    }

    pub(crate) fn grant(
        &mut self,
        space: SpaceId,
        to: AgentId,
        role: Role,
        after: &[&Attestation],
    ) -> Attestation {
        let after = after.iter().map(|known| known.id).collect();
        self.say(Claim::SpaceGrant { space, party: Party::Agent(to), role, after })
    }

    pub(crate) fn revoke(
        &mut self,
        space: SpaceId,
        of: AgentId,
        pins: Vec<EntryPin>,
        after: &[&Attestation],
    ) -> Attestation {
        let after = after.iter().map(|known| known.id).collect();
        self.say(Claim::SpaceRevocation { space, party: Party::Agent(of), pins, after })
    }
}
