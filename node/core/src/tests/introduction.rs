use node_model::{
    AttestationId,
    sign::{Domain, Signer},
};
use serde_bytes::ByteBuf;
use trust_core::{Attestation, Claim, Statement, attestation::EntryPin, pairing};

use super::*;
use crate::request::Party;

/// The keys of a node of a company.
fn keys(index: u8) -> DeviceKeys {
    DeviceKeys::random(&mut ChaCha8Rng::seed_from_u64(u64::from(index)))
}

/// What the person of a node says, with a key of theirs.
fn says(index: u8, signer: &Signer, claim: Claim) -> ByteBuf {
    let prev: Option<AttestationId> = None;
    let issued_at = Timestamp(1_000);
    let statement = Statement { claim, height: 1_000, prev, issued_at, expires_at: None };
    ByteBuf::from(Attestation::issue(signer, keys(index).agent(), statement).bytes())
}

fn link(index: u8, new: &Signer) -> ByteBuf {
    let keys = keys(index);
    let (device, name) = (new.device(), "laptop".to_owned());
    let consent = new.sign(Domain::DeviceLink, &keys.agent().0);
    let claim = Claim::DeviceLink { device, hpke: keys.hpke_public(), name, consent };
    says(index, keys.root().expect("it has one"), claim)
}

impl Company {
    /// A device says whose it is.
    fn introduces(&mut self, device: &Signer, attestations: Vec<ByteBuf>) {
        let (device, lane) = (device.device(), Lane::Pair);
        let frame = pairing::Message::Introduce { attestations }.encode().into();
        self.inbox.push_back((0, Input::Net(NetEvent::Frame { device, lane, frame })));
        self.run();
    }

    fn knows(&self, device: &Signer) -> bool {
        self.nodes[0].trust().graph().agent_of(device.device()).is_some()
    }
}

#[test]
fn a_device_with_new_keys_is_known_by_the_link_that_the_root_signed() {
    let mut company = Company::new(3);
    let space = company.space(0);
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("joins the space");
    let [new, other] = [91, 92].map(|secret| Signer::from_secret(&[secret; 32]));

    company.introduces(&new, vec![link(2, &new)]);
    assert!(!company.knows(&new), "nobody here knows the person of the third node");
    company.introduces(&new, vec![link(1, &other)]);
    assert!(!company.knows(&new) && !company.knows(&other), "it is another device's");
    let old = keys(1);
    let mut forged = link(1, &new);
    *forged.last_mut().expect("not empty") ^= 1;
    company.introduces(&new, vec![forged]);
    assert!(!company.knows(&new), "not signed");

    let pins: Vec<EntryPin> = vec![];
    let party = Party::Agent(old.agent());
    let leaving = Claim::SpaceRevocation { space, party, pins, after: vec![] };
    let taken_back = Claim::DeviceRevocation { device: old.device.device(), pins: vec![] };
    let attestations =
        vec![link(1, &new), says(1, &new, taken_back), says(1, &new, leaving), link(1, &other)];
    company.introduces(&new, attestations);
    let trust = company.nodes[0].trust();
    assert!(company.knows(&new) && !company.knows(&other));
    assert!(!company.knows(&old.device), "it is taken back");
    assert!(
        trust.graph().spaces[&space].members.contains_key(&old.agent()),
        "nothing else is heard there"
    );
}
