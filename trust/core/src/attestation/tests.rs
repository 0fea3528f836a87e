use node_model::{EntryId, Epoch, SpaceId, limit::NAME_BYTES_MAX};

use super::{claim::*, *};
use crate::{
    keyring::{KeyId, WrappedKey},
    sites::{ClassCode, Description, LABEL_BYTES_MAX as LABEL_BYTES},
    words::{CustodyStep, Layer, Reach, Role},
};

fn issuer() -> Signer {
    Signer::from_secret(&[1; 32])
}

fn sample(claim: Claim) -> Attestation {
    let is_founding = matches!(claim, Claim::SpaceFounding { .. });
    let prev = (!is_founding).then_some(AttestationId([8; 32]));
    let (height, issued_at) = (u64::MAX, Timestamp(u64::MAX));
    let expires_at = claim.may_expire().then_some(issued_at);
    let statement = Statement { claim, height, prev, issued_at, expires_at };
    Attestation::issue(&issuer(), issuer().agent(), statement)
}

/// Every kind, as large as it may be.
pub(crate) fn largest() -> Vec<Claim> {
    let space = SpaceId([3; 32]);
    let device = Signer::from_secret(&[2; 32]);
    let (other, id) = (AgentId([1; 32]), device.device());
    let wrap = WrappedKey { device: id, encapsulated: [2; 32], ciphertext: vec![3; 80] };
    let pin = EntryPin { device: id, sequence: u64::MAX, entry: Prefix([2; 16]) };
    let entry = Some((u64::MAX, Prefix([2; 16])));
    let device_pin = DevicePin { scope: Scope([3; 32]), tip: Some(Prefix([1; 16])), entry };
    let after = vec![AttestationId([5; 32]); AFTER_MAX];
    let long = "x".repeat(NAME_BYTES_MAX);
    let party = Party::Group(space);
    vec![
        Claim::DeviceLink {
            device: id,
            hpke: [2; 32],
            name: long.clone(),
            consent: device.sign(Domain::DeviceLink, &issuer().agent().0),
        },
        Claim::DeviceRevocation { device: id, pins: vec![device_pin; PINS_MAX] },
        Claim::Profile { name: long.clone() },
        Claim::Relationship { with: other, terms: Some(Terms::of(Layer::Reciprocal)) },
        Claim::Relationship { with: other, terms: None },
        Claim::Vouch { subject: other, text: long },
        Claim::SpaceFounding {
            nonce: [1; 16],
            reach: Reach::Private,
            label: vec![0; LABEL_BYTES_MAX],
            has_open_history: true,
        },
        Claim::SpaceGrant { space, party, role: Role::Writer, after: after.clone() },
        Claim::SpaceRevocation { space, party, pins: vec![pin; PINS_MAX], after },
        Claim::SpaceEpoch {
            space,
            epoch: Epoch(u32::MAX),
            key: KeyId([4; 16]),
            is_new: true,
            wraps: vec![wrap; WRAPS_MAX],
            after: vec![AttestationId([5; 32]); LOSSES_MAX],
        },
        Claim::Location { space, collection: "c".repeat(64), device: id, bytes: u64::MAX },
        Claim::Custody { with: other, space, step: CustodyStep::Release, bytes: u64::MAX },
        Claim::EconomicEvent {
            with: other,
            action: "a".repeat(64),
            quantity: u64::MAX,
            unit: "u".repeat(64),
        },
        Claim::RecoveryShare { holder: other, set: [1; 16], threshold: 255, share: vec![1; 512] },
        Claim::WitnessReceipt { space, entry: EntryId([1; 32]), accepted_at: Timestamp(u64::MAX) },
        Claim::DeviceDescription {
            device: id,
            description: Description {
                class: Some(ClassCode(255)),
                site: "s".repeat(LABEL_BYTES).parse().ok(),
                region: "r".repeat(LABEL_BYTES).parse().ok(),
            },
        },
        Claim::Unknown { kind: 999, scope: Scope([9; 32]), body: vec![1, 2] },
    ]
}

#[test]
fn every_kind_reads_back_below_the_budget() {
    for claim in largest() {
        let made = sample(claim);
        assert!(made.bytes().len() <= ATTESTATION_BYTES_MAX, "{:?}", made.claim);
        assert_eq!(Attestation::read(made.bytes()), Ok(made.clone()));
        assert_eq!(Attestation::from_storage(made.bytes()), Ok(made));
    }
}

/// Every bit of more than a thousand attestations of every kind.
#[test]
fn every_flipped_bit_is_refused() {
    let mut count = 0;
    for (number, claim) in (0u64..).zip(largest().into_iter().cycle().take(1_020)) {
        let statement = Statement {
            prev: None,
            claim,
            height: number,
            issued_at: Timestamp(number),
            expires_at: None,
        };
        let made = Attestation::issue(&issuer(), issuer().agent(), statement);
        // All bits of the first of each kind; of the others each a different part.
        let step = if number < 17 { 1 } else { 251 };
        let bits = made.bytes().len() * 8;
        for bit in (number as usize % step..bits).step_by(step) {
            let mut bytes = made.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Attestation::read(&bytes).is_err(), "bit {bit} of {:?}", made.claim);
        }
        count += 1;
    }
    assert_eq!(count, 1_020);
}

#[test]
fn another_key_another_domain_and_other_encodings_are_refused() {
    let made = sample(Claim::Profile { name: "Ada".into() });
    let Wire(envelope, signature) =
        cbor::decode(made.bytes(), ATTESTATION_BYTES_MAX).expect("it is ours");
    let signed = |signature| cbor::encode(&Wire(envelope.clone(), signature));
    assert_eq!(Attestation::read(&signed(signature)), Ok(made));
    let other_key = Signer::from_secret(&[7; 32]).sign(Domain::Attestation, &envelope);
    assert!(Attestation::read(&signed(other_key)).is_err());
    for domain in [Domain::Entry, Domain::DeviceLink, Domain::Doorway] {
        assert!(Attestation::read(&signed(issuer().sign(domain, &envelope))).is_err());
    }
    // The same array with a length in one byte more than needed (RFC 8949, 4.2.1).
    assert_eq!(envelope[0], 0x8a);
    let longer = [&[0x98, 0x0a], &envelope[1..]].concat();
    let signature = issuer().sign(Domain::Attestation, &longer);
    let bytes = cbor::encode(&Wire(ByteBuf::from(longer), signature));
    assert!(Attestation::read(&bytes).is_err());
}

#[test]
fn a_claim_in_a_scope_that_is_not_its_own_is_refused() {
    let made = sample(Claim::Profile { name: "Ada".into() });
    let Wire(envelope, _) = cbor::decode(made.bytes(), ATTESTATION_BYTES_MAX).expect("it is ours");
    let mut envelope: Envelope =
        cbor::decode(&envelope, ATTESTATION_BYTES_MAX).expect("it is ours");
    envelope.4 = Scope([9; 32]);
    let envelope = cbor::encode(&envelope);
    let signature = issuer().sign(Domain::Attestation, &envelope);
    let bytes = cbor::encode(&Wire(ByteBuf::from(envelope), signature));
    assert_eq!(Attestation::read(&bytes), Err(AttestationError::Claim));
}

#[test]
fn a_device_that_did_not_agree_cannot_be_claimed() {
    let device = Signer::from_secret(&[2; 32]);
    let consent = device.sign(Domain::DeviceLink, &AgentId([9; 32]).0);
    let name = "stolen".to_owned();
    let link = Claim::DeviceLink { device: device.device(), hpke: [2; 32], name, consent };
    assert!(Attestation::read(sample(link).bytes()).is_err());
}

#[test]
fn an_oversized_name_is_refused() {
    let made = sample(Claim::Profile { name: "x".repeat(NAME_BYTES_MAX + 1) });
    assert_eq!(Attestation::read(made.bytes()), Err(AttestationError::Claim));
}
