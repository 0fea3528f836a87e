//! The vectors in `docs/protocol/vectors/attestations.json`, for whoever writes
//! another implementation. `KITH_BLESS=1` writes the file anew.

use node_model::{DocumentId, EntryId, Epoch, SpaceId, cbor::Origin, limit::ATTESTATION_BYTES_MAX};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::{Value, json};

use super::{claim::*, *};
use crate::{
    graph::Recipient,
    keyring::{DeviceKeys, EpochKeys, WrappedKey, wrap},
    sites::{ClassCode, Description, Label},
    words::{CustodyStep, Layer, Reach, Role},
};

const FILE: &str = include_str!("../../../../docs/protocol/vectors/attestations.json");

/// From this package's folder, where tests run.
const PATH: &str = "../../docs/protocol/vectors/attestations.json";

const SPACE: SpaceId = SpaceId([3; 32]);
const OTHER: AgentId = AgentId([7; 32]);

/// The whole file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vectors {
    good: Vec<Good>,
    odd: Vec<Odd>,
}

/// An attestation of each kind. Ids are printed as people see them, what has no
/// printed form is hexadecimal.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Good {
    kind: u16,
    name: String,
    root_secret: String,
    device_secret: String,
    issuer: AgentId,
    signer: DeviceId,
    scope: String,
    body: Value,
    height: u64,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    prev: Option<AttestationId>,
    envelope_hex: String,
    id: AttestationId,
    bytes_hex: String,
}

/// Bytes that are refused, or kept without being obeyed.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Odd {
    name: String,
    expect: String,
    bytes_hex: String,
}

fn keys() -> DeviceKeys {
    DeviceKeys::from_secrets(&[2; 32], &[1; 32], &[4; 32])
}

fn epoch_keys() -> EpochKeys {
    let key = |byte| node_model::seal::SealKey::from_bytes([byte; 32]);
    EpochKeys { entries: key(5), blobs: key(6) }
}

fn key_wrap() -> WrappedKey {
    let mut entropy = ChaCha8Rng::seed_from_u64(1);
    let (device, hpke) = (keys().device.device(), keys().hpke_public());
    let device = Recipient::Device { device, hpke };
    wrap(&mut entropy, SPACE, Epoch(2), &epoch_keys(), device).expect("a key of ours")
}

const SPACE_LABEL: &[u8] = b"kith/space-label/1";
const CIRCLE_LABEL: &[u8] = b"kith/circle-label/1";

fn label(binding: &[u8]) -> Vec<u8> {
    let mut entropy = ChaCha8Rng::seed_from_u64(1);
    epoch_keys().entries.seal(&mut entropy, binding, "garden".as_bytes())
}

fn claims() -> Vec<(&'static str, Claim)> {
    let first = [about_people(), about_spaces(), only_kept(), about_devices()];
    [first.concat(), of_circles_and_kinds()].concat()
}

fn about_devices() -> Vec<(&'static str, Claim)> {
    let device = keys().device.device();
    let label = |text: &str| text.parse::<Label>().ok();
    let said = |class: u8, site, region| Claim::DeviceDescription {
        device,
        description: Description { class: Some(ClassCode(class)), site, region },
    };
    let nothing = Claim::DeviceDescription { device, description: Description::default() };
    vec![
        ("device description", said(3, label("Elm street 7"), label("valley"))),
        ("device description of a class to come", said(200, label("Elm street 7"), None)),
        ("device description, taken back", nothing),
    ]
}

fn about_people() -> Vec<(&'static str, Claim)> {
    let device = keys().device.device();
    let consent = keys().device.sign(Domain::DeviceLink, &keys().agent().0);
    let hpke = keys().hpke_public();
    let pin = DevicePin {
        scope: Scope(SPACE.0),
        tip: Some(Prefix([8; 16])),
        entry: Some((41, Prefix([9; 16]))),
    };
    let nothing = DevicePin { scope: Scope(OTHER.0), tip: None, entry: None };
    let terms = Some(Terms::of(Layer::Reciprocal));
    vec![
        ("device link", Claim::DeviceLink { device, hpke, name: "laptop".into(), consent }),
        ("device revocation", Claim::DeviceRevocation { device, pins: vec![pin, nothing] }),
        ("profile", Claim::Profile { name: "Ada".into() }),
        ("relationship", Claim::Relationship { with: OTHER, terms }),
        ("relationship, ended", Claim::Relationship { with: OTHER, terms: None }),
        ("vouch", Claim::Vouch { subject: OTHER, text: "bakes bread".into() }),
    ]
}

fn about_spaces() -> Vec<(&'static str, Claim)> {
    let (space, device) = (SPACE, keys().device.device());
    let after = vec![AttestationId([10; 32]), AttestationId([11; 32])];
    let agent = Party::Agent(OTHER);
    let group = Party::Group(SpaceId([12; 32]));
    let pin = EntryPin { device, sequence: 41, entry: Prefix([9; 16]) };
    let (key, wraps) = (epoch_keys().id(), vec![key_wrap()]);
    let grant = |party, after| Claim::SpaceGrant { space, party, role: Role::Reader, after };
    let revocation = Claim::SpaceRevocation { space, party: agent, pins: vec![pin], after };
    let collection = String::new();
    let documents = vec![DocumentId([18; 16]), DocumentId([19; 16])];
    let known = vec![AttestationId([10; 32])];
    let epoch = |after| {
        let (epoch, wraps) = (Epoch(2), wraps.clone());
        Claim::SpaceEpoch { space, epoch, key, is_new: true, wraps, after }
    };
    vec![
        ("space founding", founding(SPACE_LABEL)),
        ("space grant", grant(agent, vec![AttestationId([10; 32])])),
        ("space grant to a group", grant(group, vec![])),
        ("space revocation", revocation),
        ("space epoch", epoch(vec![])),
        ("space epoch after a removal", epoch(known.clone())),
        ("location", Claim::Location { space, collection, device, bytes: 1_000_000 }),
        ("document purge", Claim::DocumentPurge { space, documents, after: known }),
    ]
}

fn founding(binding: &[u8]) -> Claim {
    let (label, has_open_history) = (label(binding), true);
    Claim::SpaceFounding { nonce: [13; 16], reach: Reach::Invited, label, has_open_history }
}

/// What came later; it stands at the end, so that the bytes before it stay what they were.
fn of_circles_and_kinds() -> Vec<(&'static str, Claim)> {
    let sister = Terms { kind: "sister".parse().ok(), ..Terms::of(Layer::Reciprocal) };
    vec![
        ("relationship of a kind", Claim::Relationship { with: OTHER, terms: Some(sister) }),
        ("space founding of a circle", founding(CIRCLE_LABEL)),
    ]
}

fn only_kept() -> Vec<(&'static str, Claim)> {
    let (with, space) = (OTHER, SPACE);
    let (action, unit) = ("transfer-custody".to_owned(), "byte-month".to_owned());
    let share =
        Claim::RecoveryShare { holder: with, set: [14; 16], threshold: 3, share: vec![15; 48] };
    let (entry, accepted_at) = (EntryId([16; 32]), Timestamp(1_800_000_000_000));
    vec![
        ("custody", Claim::Custody { with, space, step: CustodyStep::Offer, bytes: 50 }),
        ("economic event", Claim::EconomicEvent { with, action, quantity: 3, unit }),
        ("recovery share", share),
        ("witness receipt", Claim::WitnessReceipt { space, entry, accepted_at }),
    ]
}

fn body(claim: &Claim) -> Value {
    let ids = |after: &[AttestationId]| after.to_vec();
    match claim {
        Claim::DeviceLink { device, hpke, name, consent } => {
            json!({"device": device, "hpke": hex(hpke), "name": name, "consent": hex(&consent.0)})
        }
        Claim::DeviceRevocation { device, pins } => {
            let pins: Vec<Value> = pins.iter().map(device_pin).collect();
            json!({"device": device, "pins": pins})
        }
        Claim::Profile { name } => json!({"name": name}),
        Claim::Relationship { with, terms } => json!({"with": with, "terms": terms}),
        Claim::Vouch { subject, text } => json!({"subject": subject, "text": text}),
        Claim::SpaceFounding { nonce, reach, label, has_open_history } => {
            json!({"nonce": hex(nonce), "reach": reach, "label": hex(label),
                "has_open_history": has_open_history,
                "the label opens with": hex(epoch_keys().entries.expose()), "to": "garden"})
        }
        Claim::SpaceGrant { space, party, role, after } => {
            json!({"space": space, "party": party, "role": role, "after": ids(after)})
        }
        Claim::SpaceRevocation { space, party, pins, after } => {
            let pins: Vec<Value> = pins.iter().map(entry_pin).collect();
            json!({"space": space, "party": party, "pins": pins, "after": ids(after)})
        }
        Claim::SpaceEpoch { space, epoch, key, is_new, wraps, after } => {
            let wraps: Vec<Value> = wraps.iter().map(wrapped).collect();
            json!({
                "space": space, "epoch": epoch, "key": hex(&key.0), "is_new": is_new,
                "wraps": wraps, "after": ids(after),
            })
        }
        Claim::Location { space, collection, device, bytes } => {
            json!({"space": space, "collection": collection, "device": device, "bytes": bytes})
        }
        Claim::DocumentPurge { space, documents, after } => {
            json!({"space": space, "documents": documents, "after": ids(after)})
        }
        Claim::Custody { with, space, step, bytes } => {
            json!({"with": with, "space": space, "step": step, "bytes": bytes})
        }
        Claim::EconomicEvent { with, action, quantity, unit } => {
            json!({"with": with, "action": action, "quantity": quantity, "unit": unit})
        }
        Claim::RecoveryShare { holder, set, threshold, share } => {
            json!({"holder": holder, "set": hex(set), "threshold": threshold, "share": hex(share)})
        }
        Claim::WitnessReceipt { space, entry, accepted_at } => {
            json!({"space": space, "entry": entry, "accepted_at": accepted_at})
        }
        Claim::DeviceDescription { device, description: Description { class, site, region } } => {
            json!({"device": device, "class": class, "site": site, "region": region})
        }
        Claim::Unknown { body, .. } => json!({"body": hex(body)}),
    }
}

fn device_pin(pin: &DevicePin) -> Value {
    let entry = pin.entry.map(|(sequence, id)| json!([sequence, hex(&id.0)]));
    json!({"scope": hex(&pin.scope.0), "tip": pin.tip.map(|tip| hex(&tip.0)), "entry": entry})
}

fn entry_pin(pin: &EntryPin) -> Value {
    json!({"device": pin.device, "sequence": pin.sequence, "entry": hex(&pin.entry.0)})
}

fn wrapped(wrap: &WrappedKey) -> Value {
    json!({"device": wrap.device, "encapsulated": hex(&wrap.encapsulated),
        "ciphertext": hex(&wrap.ciphertext),
        "opens with HPKE seed": hex(keys().hpke_seed()),
        "to entry key": hex(epoch_keys().entries.expose()),
        "and blob secret": hex(epoch_keys().blobs.expose())})
}

/// A claim as it would be said: links by the root, the rest by the device.
fn issue(number: u64, claim: Claim) -> Attestation {
    let keys = keys();
    let is_link = matches!(claim, Claim::DeviceLink { .. });
    let is_founding = matches!(claim, Claim::SpaceFounding { .. });
    let signer = if is_link { keys.root().expect("it has one") } else { &keys.device };
    let is_location = matches!(claim, Claim::Location { .. });
    let expires_at = is_location.then_some(Timestamp(1_802_592_000_000));
    let prev = (!is_link && !is_founding).then_some(AttestationId([17; 32]));
    let issued_at = Timestamp(1_800_000_000_000);
    let statement = Statement { claim, height: number + 1, prev, issued_at, expires_at };
    Attestation::issue(signer, keys.agent(), statement)
}

fn good(name: &str, made: &Attestation) -> Good {
    let (_, envelope, _) = parse(Origin::Outside, made.bytes()).expect("it is ours");
    let Attestation { id, issuer, signer, scope, height, issued_at, expires_at, prev, .. } = *made;
    Good {
        kind: made.claim.encode().0,
        name: name.to_owned(),
        root_secret: hex(&[1; 32]),
        device_secret: hex(&[2; 32]),
        issuer,
        signer,
        scope: hex(&scope.0),
        body: body(&made.claim),
        height,
        issued_at,
        expires_at,
        prev,
        envelope_hex: hex(&envelope),
        id,
        bytes_hex: hex(made.bytes()),
    }
}

fn odd() -> Vec<Odd> {
    let keys = keys();
    let made = issue(0, Claim::Profile { name: "Ada".into() });
    let (_, envelope, signature) = parse(Origin::Outside, made.bytes()).expect("it is ours");
    let signed = |envelope: &[u8], domain| {
        let signature = keys.device.sign(domain, envelope);
        cbor::encode(&Wire(ByteBuf::from(envelope), signature))
    };
    let mut flipped = envelope.clone();
    *flipped.last_mut().expect("it is not empty") ^= 1;
    // The same array, its length in one byte more than needed (RFC 8949, 4.2.1).
    let longer = [&[0x98, 0x0a], &envelope[1..]].concat();
    let mut moved: Envelope = cbor::decode(&envelope, ATTESTATION_BYTES_MAX).expect("it is ours");
    moved.4 = Scope([9; 32]);
    let mut turned: Envelope = cbor::decode(&envelope, ATTESTATION_BYTES_MAX).expect("it is ours");
    let nothing: Option<u8> = None;
    let body = (keys.device.device(), nothing, "\u{202e}esuoh", nothing);
    (turned.3, turned.5) = (15, ByteBuf::from(cbor::encode(&body)));
    let of_kind = |kind: String| {
        let terms = json!({"layer": 1, "quota_bytes": 0, "keeps_for_them": true,
            "lets_them_keep": true, "is_emergency_contact": false, "kind": kind});
        let read: Result<Envelope, _> = cbor::decode(&envelope, ATTESTATION_BYTES_MAX);
        let mut envelope = read.expect("it is ours");
        (envelope.3, envelope.4) = (4, Scope(OTHER.0));
        envelope.5 = ByteBuf::from(cbor::encode(&(OTHER, terms)));
        signed(&cbor::encode(&envelope), Domain::Attestation)
    };
    Attestation::read(&of_kind("x".repeat(64))).expect("this long it may be");
    let unknown = Claim::Unknown { kind: 999, scope: Scope([9; 32]), body: vec![1, 2, 3] };
    let flipped = cbor::encode(&Wire(flipped, signature));
    let odd = |name: &str, expect: &str, bytes: &[u8]| Odd {
        name: name.to_owned(),
        expect: expect.to_owned(),
        bytes_hex: hex(bytes),
    };
    vec![
        odd("one bit of the envelope is another one", "refused", &flipped),
        odd("signed as an entry", "refused", &signed(&envelope, Domain::Entry)),
        odd("a length is not the shortest", "refused", &signed(&longer, Domain::Attestation)),
        odd(
            "a profile in a scope that is not its issuer",
            "refused",
            &signed(&cbor::encode(&moved), Domain::Attestation),
        ),
        odd(
            "a site that turns around what is printed after it",
            "refused",
            &signed(&cbor::encode(&turned), Domain::Attestation),
        ),
        odd("a kind of relationship of 65 bytes", "refused", &of_kind("x".repeat(65))),
        odd("kind 999", "kept", issue(0, unknown).bytes()),
    ]
}

#[test]
fn every_vector_is_made_and_read_as_it_says() {
    let claims = (0..).zip(claims());
    let made: Vec<(Attestation, Good)> = claims
        .map(|(number, (name, claim))| {
            let made = issue(number, claim);
            let vector = good(name, &made);
            (made, vector)
        })
        .collect();
    let (made, good): (Vec<_>, Vec<_>) = made.into_iter().unzip();
    let ours = Vectors { good, odd: odd() };
    if std::env::var_os("KITH_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&ours).expect("it is JSON");
        return std::fs::write(PATH, text + "\n").expect("the file is writable");
    }
    let vectors: Vectors = serde_json::from_str(FILE).expect("the file is of this form");
    assert_eq!(vectors, ours, "`KITH_BLESS=1` writes what this version makes");
    let kinds: std::collections::BTreeSet<u16> = vectors.good.iter().map(|it| it.kind).collect();
    assert!(kinds.into_iter().eq(1..=16), "each kind has a vector");
    for (vector, made) in vectors.good.iter().zip(made) {
        let bytes = bytes(&vector.bytes_hex);
        assert_eq!(Attestation::read(&bytes), Ok(made), "{}", vector.name);
    }
    for vector in &vectors.odd {
        let outcome = match Attestation::read(&bytes(&vector.bytes_hex)) {
            Ok(read) if matches!(read.claim, Claim::Unknown { .. }) => "kept",
            Ok(_) => "obeyed",
            Err(_) => "refused",
        };
        assert_eq!(outcome, vector.expect, "{}", vector.name);
    }
}

#[test]
fn what_is_sealed_in_the_vectors_opens() {
    let opened =
        keys().agreement_key().unwrap(SPACE, Epoch(2), &key_wrap()).expect("it is for this device");
    assert_eq!(opened, epoch_keys());
    for binding in [SPACE_LABEL, CIRCLE_LABEL] {
        let name = epoch_keys().entries.open(binding, &label(binding));
        assert_eq!(name.as_deref(), Ok("garden".as_bytes()));
    }
    let other = epoch_keys().entries.open(SPACE_LABEL, &label(CIRCLE_LABEL));
    other.expect_err("a circle is no other space");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}
