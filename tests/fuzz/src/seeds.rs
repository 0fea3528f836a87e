//! Valid encodings, for each target.

mod claims;
mod packs;
mod search_lane;
mod sync_lane;
mod trust_lane;

use std::sync::LazyLock;

use node_model::{
    AgentId, AttestationId, BlobId, DeviceId, DocumentId, EntryId, Epoch, SpaceId, Timestamp, cbor,
    sign::Domain,
    ticket::{Ticket, TicketSecret},
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use sync_engine_core::{
    blob::{BlobCipher, BlobInfo},
    digest::SetDigest,
    document::{Document, Meta},
    entry::{
        Draft, EntryKind,
        covers::{Covers, Run},
    },
    json::Pointer,
    sketch::Sketch,
};
use trust_core::{
    Attestation, Claim, Role, Statement,
    attestation::Scope,
    pairing::{self, IssuedTicket, Refusal, TicketKey},
};

use crate::{
    targets::sample,
    wire::{self, DOCUMENT, SPACE},
};

use claims::claims;
pub(crate) use packs::{pack_frames, packs};
pub(crate) use search_lane::search_messages;
pub(crate) use sync_lane::sync_messages;
pub(crate) use trust_lane::trust_messages;

pub(crate) fn entropy() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

pub(crate) fn ids() -> Vec<Vec<u8>> {
    let texts = [
        AgentId([1; 32]).to_string(),
        DeviceId([2; 32]).to_string(),
        SpaceId([3; 32]).to_string(),
        DocumentId([4; 16]).to_string(),
        BlobId([0xff; 32]).to_string(),
    ];
    texts.map(String::into_bytes).to_vec()
}

fn a_ticket() -> Ticket {
    Ticket {
        agent: wire::root().agent(),
        device: wire::device().device(),
        addresses: vec!["/ip4/192.168.1.7/tcp/4717".to_owned(), String::new()],
        space: Some(SPACE),
        expires_at: Timestamp(1_800_000_000_000),
        secret: TicketSecret([8; 16]),
    }
}

pub(crate) fn tickets() -> Vec<Vec<u8>> {
    let small = Ticket { addresses: vec![], space: None, ..a_ticket() };
    let upper = a_ticket().to_string().to_uppercase();
    [a_ticket().to_string(), format!(" {small}\n"), upper].map(String::into_bytes).to_vec()
}

pub(crate) fn ticket_bodies() -> Vec<Vec<u8>> {
    let text = a_ticket().to_string().to_uppercase();
    let bytes = data_encoding::BASE32_NOPAD.decode(&text.as_bytes()[5..]).expect("it is ours");
    vec![bytes[..bytes.len() - 4].to_vec()]
}

pub(crate) fn issued_tickets() -> Vec<Vec<u8>> {
    let issued = IssuedTicket {
        secret: TicketSecret([8; 16]),
        expires_at: Timestamp(5),
        grant: Some((SPACE, Role::Writer)),
        is_for_own_device: false,
        bound_to: Some(wire::device().device()),
        is_used: true,
    };
    vec![
        cbor::encode(&issued),
        cbor::encode(&IssuedTicket { grant: None, bound_to: None, ..issued }),
    ]
}

fn attested() -> Vec<Attestation> {
    let issue = |claim: Claim| {
        let is_founding = matches!(claim, Claim::SpaceFounding { .. });
        let prev = (!is_founding).then_some(AttestationId([6; 32]));
        let statement =
            Statement { claim, height: 1, prev, issued_at: Timestamp(5), expires_at: None };
        Attestation::issue(&wire::root(), wire::root().agent(), statement)
    };
    claims().into_iter().map(issue).collect()
}

pub(crate) fn attestations() -> Vec<Vec<u8>> {
    attested().iter().map(|attestation| attestation.bytes().to_vec()).collect()
}

pub(crate) fn signed_envelopes() -> Vec<Vec<u8>> {
    let envelopes = attested().into_iter().map(|attestation| {
        let (envelope, _): (ByteBuf, ByteBuf) =
            cbor::decode(attestation.bytes(), 1_024).expect("it is ours");
        envelope.into_vec()
    });
    envelopes.collect()
}

pub(crate) fn signed_claims() -> Vec<Vec<u8>> {
    type Envelope = (
        u8,
        AgentId,
        DeviceId,
        u16,
        Scope,
        ByteBuf,
        u64,
        Timestamp,
        Option<Timestamp>,
        Option<AttestationId>,
    );
    let claims = signed_envelopes().into_iter().map(|envelope| {
        let read: Envelope = cbor::decode(&envelope, 1_024).expect("it is ours");
        [&read.3.to_be_bytes()[..], &read.4.0, &read.5].concat()
    });
    claims.collect()
}

pub(crate) fn pairing_messages() -> Vec<Vec<u8>> {
    use pairing::Message;
    let attestations: Vec<_> = attestations().into_iter().map(ByteBuf::from).collect();
    let messages = [
        Message::Open { ticket: TicketKey([1; 32]), commitment: [2; 32] },
        Message::Challenge { nonce: [3; 32] },
        Message::Reveal { nonce: [4; 32], proof: [5; 32] },
        Message::Confirm { attestations: attestations.clone() },
        Message::Complete { attestations: attestations.clone() },
        Message::Farewell { attestations: attestations.clone() },
        Message::Who,
        Message::Introduction { attestations },
        Message::Link {
            hpke: [6; 32],
            name: "phone".into(),
            consent: wire::device().sign(Domain::DeviceLink, &[1; 32]),
        },
        Message::Refused { reason: Refusal::Expired },
    ];
    messages.iter().map(Message::encode).collect()
}

fn sketch() -> Sketch {
    (0..300_u32).map(|number| EntryId(*blake3::hash(&number.to_be_bytes()).as_bytes())).collect()
}

pub(crate) fn sketch_parts() -> Vec<Vec<u8>> {
    let sketch = sketch();
    vec![sketch.counts().encode(), sketch.run(0..40).encode(), sketch.run(7..9).encode()]
}

pub(crate) fn entries() -> Vec<Vec<u8>> {
    let draft = Draft {
        space: SPACE,
        document: DOCUMENT,
        kind: EntryKind::Change,
        run: Run([3; 8]),
        sequence: 300,
        prev: Some(EntryId([4; 32])),
        deps: vec![EntryId([5; 32]), EntryId([6; 32])],
        covers: Covers::default(),
        blobs: vec![BlobId([7; 32])],
    };
    let grave = Draft { kind: EntryKind::Tombstone, prev: None, deps: vec![], ..draft.clone() };
    let numbers = [1, 2, 3, 7, 9].map(|number| (Run([2; 8]), number));
    let covers = Covers::of(&numbers.into()).expect("few");
    let bundle = Draft { kind: EntryKind::Bundle, covers, ..draft.clone() };
    let sealed =
        [(draft.clone(), &b"short"[..]), (draft, &[0; 5_000]), (grave, b""), (bundle, b"many")];
    let sealed = sealed.map(|(draft, plain)| {
        let key = wire::key();
        let entry = draft.seal(&mut entropy(), &wire::device(), (Epoch(1), &key), plain);
        entry.expect("small").bytes().to_vec()
    });
    sealed.to_vec()
}

pub(crate) fn signed_headers() -> Vec<Vec<u8>> {
    let headers = entries().into_iter().map(|entry| {
        let (header, _, _): (ByteBuf, ByteBuf, ByteBuf) =
            cbor::decode(&entry, 100_000).expect("it is ours");
        header.into_vec()
    });
    // The hash of the empty body, so that the rest of the checks are reached.
    let empty = blake3::hash(&[]);
    let headers: Vec<_> = headers.collect();
    let mut all = headers.clone();
    for header in headers {
        for at in 0..header.len().saturating_sub(34) {
            if header[at..].starts_with(&[0x58, 0x20]) {
                let mut header = header.clone();
                header[at + 2..at + 34].copy_from_slice(empty.as_bytes());
                all.push(header);
            }
        }
    }
    all
}

pub(crate) fn entry_bodies() -> Vec<Vec<u8>> {
    let body = |plain_bytes: u32, packed: &[u8]| [&plain_bytes.to_be_bytes()[..], packed].concat();
    // What 5,000 zeros pack to (Zstandard, RFC 8878), and a megabyte in as few bytes.
    let small = [
        0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x88, 0x12, 0x4d, 0, 0, 0x10, 0, 0, 1, 0, 0x85, 0x2b, 0, 0x2,
    ];
    vec![
        body(5, b"\0short"),
        body(0, b"\0"),
        body(5_000, &[&[1], &small[..]].concat()),
        body(10 * 1024 * 1024, &[&[1], &small[..]].concat()),
        body(1, &[1]),
        body(1, &[2, 1]),
    ]
}

pub(crate) fn blob_headers() -> Vec<Vec<u8>> {
    let secret = node_model::seal::SealKey::from_bytes([7; 32]);
    let sealed = [0, 1, 65_536, 1 << 40].map(|plain_bytes| {
        let info = BlobInfo { plain_hash: [1; 32], plain_bytes };
        BlobCipher::seal(&secret, info).expect("small").1
    });
    sealed.to_vec()
}

pub(crate) fn blob_infos() -> Vec<Vec<u8>> {
    let lengths = [0_u64, 65_537, 1 << 40, (1 << 40) + 1, u64::MAX];
    let infos = lengths
        .map(|length| cbor::encode(&(ByteBuf::from([1; 32]), ByteBuf::from(length.to_be_bytes()))));
    infos.to_vec()
}

pub(crate) fn digests() -> Vec<Vec<u8>> {
    let mut digest = SetDigest::default();
    digest.add(EntryId([1; 32]));
    vec![digest.to_bytes()]
}

pub(crate) fn pointers() -> Vec<Vec<u8>> {
    let texts = [
        "",
        "/",
        "title",
        "/title",
        "/list/0",
        "/list/1/1",
        "/list/2/a",
        "/list/-",
        "/list/3",
        "/map/x~1y",
        "/map/",
        "/n",
        "/@kith",
        "/@kith/type",
        "@kith",
        "/list/00",
        "/list/18446744073709551616",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(crate) fn patches() -> Vec<Vec<u8>> {
    let patches = [
        json!([{"op": "add", "path": "/new", "value": {"deep": [1, {"x": null}]}}]),
        json!([{"op": "remove", "path": "/list/0"}, {"op": "remove", "path": "/map"}]),
        json!([{"op": "replace", "path": "/title", "value": "Two"}]),
        json!([{"op": "move", "from": "/list/1", "path": "/map/moved"}]),
        json!([{"op": "copy", "from": "/list", "path": "/list/-"}, {"op": "copy", "from": "", "path": "/all"}]),
        json!([{"op": "test", "path": "/list/2/a", "value": "b"}, {"op": "add", "path": "/list/1/0", "value": 1e300}]),
    ];
    patches.iter().map(|patch| patch.to_string().into_bytes()).collect()
}

/// A document with a history of one change.
pub(crate) fn document() -> Document {
    let mut document = empty([0; 16]);
    document.apply(vec![first_brought()]);
    document
}

/// The first change of [`document`], in its entry.
pub(crate) fn first_brought() -> (EntryId, Vec<u8>) {
    static FIRST: LazyLock<Vec<u8>> = LazyLock::new(first_change);
    (EntryId([8; 32]), FIRST.clone())
}

pub(crate) fn empty(run: [u8; 16]) -> Document {
    Document::new((wire::device().device(), run), SPACE, DOCUMENT)
}

fn first_change() -> Vec<u8> {
    let mut document = empty([1; 16]);
    let meta = Meta {
        kind: "note".to_owned(),
        app: None,
        path: Some("a/b.md".to_owned()),
        source: Some(vec![1, 2, 3]),
    };
    document.fill(&meta, &sample()).expect("it is JSON");
    document.commit(Timestamp(1_000)).expect("it has room").expect("something changed").1
}

fn later_change(edit: impl FnOnce(&mut Document)) -> Vec<u8> {
    let mut document = document();
    edit(&mut document);
    document.commit(Timestamp(2_000)).expect("it has room").expect("something changed").1
}

pub(crate) fn changes() -> Vec<Vec<u8>> {
    let set = |path: &str, value: Value| {
        let pointer = Pointer::parse(path).expect("it is one");
        later_change(|document| document.set(&pointer, &value).expect("it is there"))
    };
    let everything = json!({"a": [true, null, -1, u64::MAX, 1.5, "text", {"b": []}]});
    let mut own = empty([2; 16]);
    own.fill(&Meta::default(), &json!({"title": "Other", "blob": BlobId([1; 32]).to_string()}))
        .expect("it is JSON");
    vec![
        first_change(),
        own.commit(Timestamp(1)).expect("it has room").expect("something changed").1,
        set("/title", json!("Two")),
        set("/list/-", everything),
        later_change(|document| {
            document
                .update(&Meta::default(), &json!({"list": [1], "new": {}}))
                .expect("it is JSON");
        }),
        // A compressed one and a whole document; both are refused by their type.
        wire::chunk(2, &[0x4b, 0x04, 0x00]),
        wire::chunk(0, &[0; 8]),
    ]
}

fn bundle() -> Vec<u8> {
    let mut document = document();
    for number in 0..6 {
        let pointer = Pointer::parse("/list/-").expect("it is one");
        document.set(&pointer, &json!(number)).expect("it is there");
        let (hash, _) = document.commit(Timestamp(2_000)).expect("room").expect("a change");
        document.note_entry(hash, EntryId([number; 32]));
    }
    let all = document.carriers().into_keys().collect();
    document.bundle(&all, vec![]).run().expect("there is something").body
}

pub(crate) fn bundles() -> Vec<Vec<u8>> {
    let one_by_one = changes().into_iter().take(2).map(ByteBuf::from).collect::<Vec<_>>();
    vec![bundle(), cbor::encode(&(None::<ByteBuf>, one_by_one))]
}

/// Of the stored document in [`bundle`], what comes after the checksum and the length.
pub(crate) fn history_contents() -> Vec<Vec<u8>> {
    let (history, _): (Option<ByteBuf>, Vec<ByteBuf>) =
        cbor::decode(&bundle(), 1 << 20).expect("ours");
    let history = history.expect("it has one");
    vec![wire::contents(&history)]
}

pub(crate) fn change_contents() -> Vec<Vec<u8>> {
    changes().iter().take(5).map(|change| wire::contents(change)).collect()
}
