//! A claim of each kind.

use node_model::{AgentId, AttestationId, DocumentId, EntryId, Epoch, Timestamp, sign::Domain};
use trust_core::{
    Claim, Description, DeviceClass, Layer, Party, Reach, Role, Terms,
    attestation::{DevicePin, EntryPin, Prefix, Scope},
    graph::Recipient,
    keyring::{DeviceKeys, EpochKeys, WrappedKey, wrap},
    words::CustodyStep,
};

use super::entropy;
use crate::wire::{self, SPACE};

pub(super) fn claims() -> Vec<Claim> {
    let consent = wire::device().sign(Domain::DeviceLink, &wire::root().agent().0);
    let keys = DeviceKeys::from_secrets(&[4; 32], &[5; 32], &[6; 32]);
    let epoch_keys = EpochKeys::random(&mut entropy());
    let device = wire::device().device();
    let to_device = Recipient::Device { device, hpke: keys.hpke_public() };
    let wrapped = wrap(&mut entropy(), SPACE, Epoch(1), &epoch_keys, to_device);
    let other = WrappedKey { device, encapsulated: [9; 32], ciphertext: vec![1; 80] };
    let (ada, after) = (AgentId([1; 32]), vec![AttestationId([5; 32])]);
    let sister = Terms { kind: "sister".parse().ok(), ..Terms::of(Layer::Reciprocal) };
    vec![
        Claim::DeviceLink { device, hpke: keys.hpke_public(), name: "laptop".into(), consent },
        Claim::DeviceRevocation {
            device,
            pins: vec![DevicePin {
                scope: Scope(SPACE.0),
                tip: Some(Prefix([1; 16])),
                entry: Some((3, Prefix([2; 16]))),
            }],
        },
        Claim::Profile { name: "Ada".into() },
        Claim::Relationship { with: ada, terms: Some(Terms::of(Layer::Reciprocal)) },
        Claim::Relationship { with: ada, terms: Some(sister) },
        Claim::Relationship { with: ada, terms: None },
        Claim::Vouch { subject: ada, text: "bakes bread".into() },
        Claim::SpaceFounding {
            nonce: [1; 16],
            reach: Reach::Private,
            label: vec![7; 60],
            has_open_history: true,
        },
        Claim::SpaceGrant { space: SPACE, party: Party::Agent(ada), role: Role::Reader, after },
        Claim::SpaceRevocation {
            space: SPACE,
            party: Party::Group(SPACE),
            pins: vec![EntryPin { device, sequence: 3, entry: Prefix([2; 16]) }],
            after: vec![],
        },
        Claim::SpaceEpoch {
            space: SPACE,
            epoch: Epoch(1),
            key: epoch_keys.id(),
            is_new: true,
            wraps: vec![wrapped.expect("a key of ours"), other],
            after: vec![AttestationId([6; 32])],
        },
        Claim::Location { space: SPACE, collection: "photos".into(), device, bytes: 9 },
        Claim::Custody { with: ada, space: SPACE, step: CustodyStep::Offer, bytes: 9 },
        Claim::EconomicEvent {
            with: ada,
            action: "use".into(),
            quantity: 3,
            unit: "byte-month".into(),
        },
        Claim::RecoveryShare { holder: ada, set: [1; 16], threshold: 3, share: vec![7; 40] },
        Claim::WitnessReceipt { space: SPACE, entry: EntryId([1; 32]), accepted_at: Timestamp(5) },
        Claim::DeviceDescription {
            device,
            description: Description {
                class: Some(DeviceClass::HomeRack.into()),
                site: "Elm street 7".parse().ok(),
                region: "valley".parse().ok(),
            },
        },
        Claim::DocumentPurge { space: SPACE, documents: vec![DocumentId([3; 16])], after: vec![] },
        Claim::Unknown { kind: 999, scope: Scope([3; 32]), body: vec![1, 2, 3] },
    ]
}
