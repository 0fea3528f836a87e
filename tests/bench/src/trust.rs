//! A village for the trust plane: agents who know one person, each other, and the
//! spaces they share.

use std::collections::BTreeMap;

use node_model::{
    AgentId, AttestationId, DeviceId, SpaceId, Timestamp,
    sign::{Domain, Signer},
};
use trust_core::{
    Attestation, Claim, Layer, Party, Reach, Role, Statement, Terms, attestation::Scope,
};

/// Members of one space in the village.
const SPACE_MEMBERS: usize = 50;

/// An agent who speaks by one device.
pub struct Villager {
    root: Signer,
    device: Signer,
    height: u64,
    tips: BTreeMap<(DeviceId, Scope), AttestationId>,
}

impl Villager {
    /// The agent with this number.
    #[must_use]
    pub fn new(number: u32) -> Self {
        let secret = |kind: u8| {
            let mut secret = [kind; 32];
            secret[..4].copy_from_slice(&number.to_be_bytes());
            Signer::from_secret(&secret)
        };
        Self { root: secret(1), device: secret(2), height: 0, tips: BTreeMap::new() }
    }

    /// Its id.
    #[must_use]
    pub fn agent(&self) -> AgentId {
        self.root.agent()
    }

    /// Its device.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device.device()
    }

    fn say(&mut self, claim: Claim) -> Attestation {
        let signer =
            if matches!(claim, Claim::DeviceLink { .. }) { &self.root } else { &self.device };
        let place = (signer.device(), claim.scope(self.root.agent()));
        let prev = if place.1 == Scope::FOUNDING { None } else { self.tips.get(&place).copied() };
        self.height += 1;
        let statement = Statement {
            claim,
            height: self.height,
            prev,
            issued_at: Timestamp(1_000),
            expires_at: None,
        };
        let said = Attestation::issue(signer, self.root.agent(), statement);
        self.tips.insert(place, said.id);
        said
    }

    fn link(&mut self) -> Attestation {
        let consent = self.device.sign(Domain::DeviceLink, &self.agent().0);
        let name = "device".to_owned();
        let device = self.device();
        self.say(Claim::DeviceLink { device, hpke: [9; 32], name, consent })
    }
}

/// `count` statements around `me`: a thousand villagers who are related to `me`, and
/// their spaces with as many members as fit.
#[must_use]
pub fn village(me: AgentId, count: usize) -> (Vec<Villager>, Vec<Attestation>) {
    let people = (count / 10).max(1);
    let mut villagers: Vec<Villager> = (0..people as u32).map(Villager::new).collect();
    let mut said = Vec::with_capacity(count);
    for villager in &mut villagers {
        said.push(villager.link());
        let terms = Some(Terms::of(Layer::Reciprocal));
        said.push(villager.say(Claim::Relationship { with: me, terms }));
        said.push(villager.say(Claim::Profile { name: "Villager".into() }));
    }
    let agents: Vec<AgentId> = villagers.iter().map(Villager::agent).collect();
    let mut founder = 0;
    while said.len() < count {
        let founding = Claim::SpaceFounding {
            nonce: [founder as u8; 16],
            reach: Reach::Private,
            label: vec![],
            has_open_history: true,
        };
        let at = founder % people;
        let founded = villagers[at].say(founding);
        let space = SpaceId(founded.id.0);
        let mut after = vec![];
        said.push(founded);
        for member in 1..SPACE_MEMBERS.min(people).min(count + 1 - said.len()) {
            let party = Party::Agent(agents[(at + member * 7) % people]);
            let grant = Claim::SpaceGrant { space, party, role: Role::Writer, after };
            let granted = villagers[at].say(grant);
            after = vec![granted.id];
            said.push(granted);
        }
        founder += 1;
    }
    said.truncate(count);
    (villagers, said)
}

#[cfg(test)]
mod tests {
    use node_core::{Request, Response};
    use tokio::sync::watch;

    use crate::{community, pair::BenchNode};

    /// What a community of this size may cost the trust plane (features T48).
    const STATEMENTS_MAX: usize = 500;

    #[tokio::test]
    async fn the_reference_community_stays_within_the_trust_budget() {
        let source = tempfile::tempdir().expect("a temporary folder");
        community::write(source.path(), 1).expect("writes");
        let ada = BenchNode::new("ada").await;
        let space = ada.found().await;
        let (progress, _) = watch::channel(node_runtime::Progress::default());
        let folder = source.path().to_owned();
        let imported = ada.started.handle.import(space, folder, progress).await;
        assert!(imported.expect("imports").documents >= community::ITEMS as u64);
        let Ok(Response::Status(status)) = ada.started.handle.request(Request::Status).await else {
            panic!("not the answer");
        };
        assert!(status.attestations <= STATEMENTS_MAX, "{}", status.attestations);
    }
}
