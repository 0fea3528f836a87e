use super::*;

fn sample(claim: Claim) -> Attestation {
    let signer = Signer::from_secret(&[1; 32]);
    Attestation::issue(&signer, signer.agent(), claim, Timestamp(5), None)
}

#[test]
fn every_kind_reads_back_below_the_budget() {
    let space = SpaceId([3; 32]);
    let device = Signer::from_secret(&[2; 32]);
    let issuer = Signer::from_secret(&[1; 32]).agent();
    let wrap =
        WrappedKey { device: DeviceId([1; 32]), encapsulated: [2; 32], ciphertext: vec![3; 80] };
    let claims = [
        Claim::DeviceLink {
            device: device.device(),
            hpke: [2; 32],
            name: "x".repeat(NAME_BYTES_MAX),
            consent: device.sign(Domain::DeviceLink, &issuer.0),
        },
        Claim::Profile { name: "Ada".into() },
        Claim::Relationship { with: AgentId([1; 32]), layer: Layer::Reciprocal },
        Claim::SpaceFounding {
            nonce: [1; 16],
            reach: Reach::Private,
            label: vec![0; LABEL_BYTES_MAX],
        },
        Claim::SpaceGrant { space, member: AgentId([1; 32]), role: Role::Writer },
        Claim::SpaceEpoch { space, epoch: Epoch(1), wraps: vec![wrap; WRAPS_MAX] },
        Claim::Unknown { kind: 999, body: vec![1, 2] },
    ];
    for claim in claims {
        let made = sample(claim);
        assert!(made.bytes().len() <= ATTESTATION_BYTES_MAX, "{:?}", made.claim);
        assert_eq!(Attestation::read(made.bytes()), Ok(made));
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let made = sample(Claim::Profile { name: "Ada".into() });
    for bit in 0..made.bytes().len() * 8 {
        let mut bytes = made.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Attestation::read(&bytes).is_err(), "bit {bit}");
    }
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
