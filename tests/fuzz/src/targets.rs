//! The targets: what each does with bytes, and how much memory it may use for it.

mod bundles;

pub use self::bundles::{bundles, history_contents};

use std::collections::{BTreeMap, BTreeSet};

use node_core::search;
use node_model::{
    AgentId, AttestationId, BlobId, DeviceId, DocumentId, EntryId, SpaceId, Timestamp, cbor, pack,
    seal::SealKey, ticket::Ticket,
};
use serde_json::{Value, json};
use sync_engine_core::{
    blob::{BlobCipher, BlobError, HEADER_BYTES},
    digest::SetDigest,
    document::{Meta, Refusal, blobs_in},
    entry::VerifiedEntry,
    json::Pointer,
    patch::PatchOp,
    reconcile,
    sketch::{Counts, Decoder, Progress, Run, Sketch, symbols_for},
};
use trust_core::{
    Attestation, Claim, Statement,
    attestation::AttestationError,
    exchange,
    keyring::DeviceKeys,
    pairing::{self, IssuedTicket},
};

use crate::{
    bounds::{
        CHANGE_MAX, DECODED_MAX, DECODER, DOCUMENT_INPUTS, DOCUMENT_MAX, PATCHED_MAX, SIGNED,
        SKETCHED_MAX, UNPACKED_MAX,
    },
    mutate::INPUT_BYTES_MAX,
    seeds,
    wire::{self, DOCUMENT},
};

/// A target of the driver.
pub struct Target {
    /// Its name, also that of its folder in the corpus.
    pub name: &'static str,
    /// What it does.
    pub run: fn(&[u8]),
    /// Valid encodings to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How far the heap may grow while it runs on [`INPUT_BYTES_MAX`] bytes.
    pub heap_bytes_max: usize,
    /// Inputs of every commit, so that all targets together take half a minute.
    pub inputs: usize,
}

macro_rules! targets {
    ($($name:ident: $heap:expr, $inputs:expr;)+) => {
        /// All targets.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            run: $name,
            seeds: seeds::$name,
            heap_bytes_max: $heap,
            inputs: $inputs,
        }),+];
    };
}

targets! {
    ids: DECODED_MAX, DECODER;
    tickets: DECODED_MAX, DECODER;
    ticket_bodies: DECODED_MAX, DECODER;
    issued_tickets: DECODED_MAX, DECODER;
    attestations: DECODED_MAX, DECODER;
    signed_envelopes: DECODED_MAX, SIGNED;
    signed_claims: DECODED_MAX, SIGNED;
    trust_messages: DECODED_MAX, DECODER;
    pairing_messages: DECODED_MAX, DECODER;
    sync_messages: DECODED_MAX, DECODER;
    search_messages: DECODED_MAX, DECODER;
    entries: DECODED_MAX, DECODER;
    signed_headers: DECODED_MAX, SIGNED;
    entry_bodies: UNPACKED_MAX, SIGNED;
    blob_headers: DECODED_MAX, DECODER;
    blob_infos: DECODED_MAX, DECODER;
    packs: DECODED_MAX, DECODER;
    pack_frames: DECODED_MAX, DECODER;
    digests: DECODED_MAX, DECODER;
    sketch_parts: SKETCHED_MAX, DECODER;
    pointers: DOCUMENT_MAX, DOCUMENT_INPUTS;
    patches: PATCHED_MAX, DECODER;
    changes: CHANGE_MAX, DOCUMENT_INPUTS;
    change_contents: CHANGE_MAX, DOCUMENT_INPUTS;
    bundles: CHANGE_MAX, DOCUMENT_INPUTS;
    history_contents: CHANGE_MAX, DOCUMENT_INPUTS;
}

/// Counts and symbols of a peer's sketch, and what a decoder makes of them.
pub fn sketch_parts(data: &[u8]) {
    let own: Sketch = [EntryId([1; 32]), EntryId([2; 32])].into_iter().collect();
    if let Ok(counts) = Counts::decode(data) {
        assert_eq!(counts.encode(), data);
        assert!(symbols_for(own.estimate(&counts)) > 0);
    }
    if let Ok(run) = Run::decode(data) {
        assert_eq!(run.encode(), data);
        match Decoder::new(own.symbols()).receive(&run) {
            Progress::NeedMore(decoder) => assert!(decoder.more() > 0),
            Progress::Decoded(_) | Progress::Hopeless => {}
        }
    }
}

/// Printable ids of every kind.
pub fn ids(data: &[u8]) {
    fn check<T: std::str::FromStr + ToString>(text: &str) {
        if let Ok(id) = text.parse::<T>() {
            assert!(id.to_string().eq_ignore_ascii_case(text), "{text:?} is {}", id.to_string());
        }
    }
    let text = String::from_utf8_lossy(data);
    check::<AgentId>(&text);
    check::<DeviceId>(&text);
    check::<SpaceId>(&text);
    check::<DocumentId>(&text);
    check::<EntryId>(&text);
    check::<AttestationId>(&text);
    check::<BlobId>(&text);
}

/// Tickets as people paste them.
pub fn tickets(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(ticket) = text.parse::<Ticket>() {
        assert_eq!(ticket.to_string(), text.trim().to_ascii_lowercase());
    }
}

/// What a ticket's checksum covers.
pub fn ticket_bodies(data: &[u8]) {
    tickets(wire::ticket(data).as_bytes());
}

/// Tickets as their maker remembers them.
pub fn issued_tickets(data: &[u8]) {
    if let Ok(issued) = cbor::decode::<IssuedTicket>(data, INPUT_BYTES_MAX) {
        assert_eq!(cbor::encode(&issued), data);
    }
}

/// Attestations as they arrive.
pub fn attestations(data: &[u8]) {
    let Ok(read) = Attestation::read(data) else { return };
    assert_eq!(read.bytes(), data);
    let signer = if read.signer == wire::root().device() { wire::root() } else { wire::device() };
    if signer.device() == read.signer {
        // An unknown version is kept as it is; it cannot be issued here.
        let statement = Statement {
            claim: read.claim.clone(),
            height: read.height,
            prev: read.prev,
            issued_at: read.issued_at,
            expires_at: read.expires_at,
        };
        let again = Attestation::issue(&signer, read.issuer, statement);
        let is_unknown = matches!(read.claim, Claim::Unknown { .. });
        assert!(again == read || is_unknown, "{read:?}");
    }
}

/// Envelopes behind a right signature.
pub fn signed_envelopes(data: &[u8]) {
    attestations(&wire::signed_envelope(data));
}

/// Claims behind a right signature: two bytes of kind, 32 of scope, and a body.
pub fn signed_claims(data: &[u8]) {
    let Some((kind, rest)) = data.split_first_chunk() else { return };
    let Some((scope, body)) = rest.split_first_chunk() else { return };
    let signed = wire::signed_claim(u16::from_be_bytes(*kind), scope, body);
    attestations(&signed);
    let read: Result<Attestation, AttestationError> = Attestation::read(&signed);
    if let Ok(Attestation { claim: Claim::SpaceEpoch { space, epoch, wraps, .. }, .. }) = read {
        let keys = DeviceKeys::from_secrets(&[4; 32], &[5; 32], &[6; 32]);
        for wrap in wraps {
            let _ = keys.agreement_key().unwrap(space, epoch, &wrap);
        }
    }
}

/// Messages of the trust lane.
pub fn trust_messages(data: &[u8]) {
    let Ok(message) = exchange::Message::decode(data) else { return };
    assert_eq!(message.encode(), data);
    if let exchange::Message::Have { ids } = &message {
        assert_eq!(exchange::ids(ids).count() * 32, ids.len());
    }
}

/// Messages of the pairing lane.
pub fn pairing_messages(data: &[u8]) {
    if let Ok(message) = pairing::Message::decode(data) {
        assert_eq!(message.encode(), data);
    }
}

/// Messages of the sync lane.
pub fn sync_messages(data: &[u8]) {
    if let Ok(message) = reconcile::Message::decode(data) {
        assert_eq!(message.encode(), data);
    }
}

/// Messages of the search lane.
pub fn search_messages(data: &[u8]) {
    if let Ok(message) = search::Message::decode(data) {
        assert_eq!(message.encode(), data);
        if let search::Message::Found { hits, .. } = message {
            assert!(hits.iter().all(|hit| (0.0..=1.0).contains(&hit.score)));
        }
    }
}

/// Entries as they arrive and as they come from the disk.
pub fn entries(data: &[u8]) {
    let stored = VerifiedEntry::from_storage(data.to_vec());
    let read = VerifiedEntry::read(data.to_vec());
    if let Ok(read) = &read {
        assert_eq!(Some(read), stored.as_ref().ok());
    }
    if let Ok(entry) = stored {
        assert_eq!(entry.bytes(), data);
        let _ = entry.open(&wire::key());
    }
}

/// Headers behind a right signature, before an empty body.
pub fn signed_headers(data: &[u8]) {
    entries(&wire::signed_entry(data, &[]));
}

/// Bodies behind a right signature and seal: four bytes of claimed length, and the packed body.
pub fn entry_bodies(data: &[u8]) {
    let Some((plain_bytes, packed)) = data.split_first_chunk() else { return };
    let plain_bytes = u32::from_be_bytes(*plain_bytes);
    let Ok(entry) = VerifiedEntry::read(wire::sealed_entry(plain_bytes, packed)) else { return };
    if let Ok(plain) = entry.open(&wire::key()) {
        assert_eq!(u32::try_from(plain.len()), Ok(plain_bytes));
    }
}

fn blob_secret() -> SealKey {
    SealKey::from_bytes([7; 32])
}

/// Headers of sealed blobs.
pub fn blob_headers(data: &[u8]) {
    let Ok(cipher) = BlobCipher::open(&blob_secret(), data) else { return };
    let (_, header) = BlobCipher::seal(&blob_secret(), cipher.info()).expect("it was bounded");
    let sealed = data.get(..HEADER_BYTES).expect("no shorter one opens");
    assert_eq!(BlobCipher::open(&blob_secret(), &header).map(|it| it.info()), Ok(cipher.info()));
    assert_eq!(header.len(), sealed.len());
    for index in [0, cipher.chunks() - 1] {
        let (offset, len) = cipher.place(index);
        assert!(offset >= HEADER_BYTES as u64 && len > 0);
        let mut chunk = data[HEADER_BYTES..].to_vec();
        let opened: Result<(), BlobError> = cipher.open_chunk(index, &mut chunk);
        assert!(opened.is_err(), "nobody sealed this");
    }
}

/// What the seal of a blob's header covers.
pub fn blob_infos(data: &[u8]) {
    blob_headers(&wire::blob_header(&blob_secret(), data));
}

/// Packs from the first byte on, with the key of whoever reads.
pub fn packs(data: &[u8]) {
    let Some((preamble, mut rest)) = data.split_first_chunk() else { return };
    let Ok(header_bytes) = pack::Header::bytes_behind(preamble) else { return };
    let Some(Ok(header)) = rest.split_off(..header_bytes).map(pack::Header::decode) else { return };
    let behind = preamble.len() + header_bytes;
    assert_eq!(header.encode(), data[..behind]);
    let mut opener = pack::Opener::new(&wire::key(), &data[..behind]);
    let mut sealer = pack::Sealer::new(&wire::key(), &data[..behind]);
    while !opener.is_at_end() {
        let Some((length, more)) = rest.split_first_chunk() else { return };
        let Ok(count) = pack::Opener::bytes_behind(*length) else { return };
        let Some((sealed, more)) = more.split_at_checked(count) else { return };
        let Ok(frame) = opener.open(sealed) else { return };
        assert_eq!(sealer.seal(&mut seeds::entropy(), &frame).len(), length.len() + count);
        rest = more;
    }
}

/// What the seal of a pack's frame covers.
pub fn pack_frames(data: &[u8]) {
    if let Ok(frame) = pack::Frame::decode(data) {
        assert_eq!(frame.encode(), data);
    }
}

/// Digests of sets as they are stored.
pub fn digests(data: &[u8]) {
    if let Some(digest) = SetDigest::from_bytes(data) {
        assert_eq!(digest.to_bytes(), data);
    }
}

/// JSON Pointers: into a document, and into JSON.
pub fn pointers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(pointer) = Pointer::parse(&text) else { return };
    let found = pointer.find(&sample()).cloned();
    assert!(!pointer.is_root() || found == Some(sample()));
    let mut document = seeds::document();
    let set = document.set(&pointer, &json!("set"));
    if set.is_ok() && found.is_some() {
        assert_eq!(pointer.find(&document.value()), Some(&json!("set")), "{text:?}");
    }
}

/// What the document of [`patches`] and [`pointers`] holds.
pub(crate) fn sample() -> Value {
    json!({"title": "One", "list": [1, [2, 3], {"a": "b"}], "map": {"x/y": null, "": true}, "n": -1.5})
}

/// JSON Patches, applied to a document.
pub fn patches(data: &[u8]) {
    let Ok(operations) = serde_json::from_slice::<Vec<PatchOp>>(data) else { return };
    let mut document = seeds::document();
    if document.patch(&operations).is_err() {
        return;
    }
    let value = document.value();
    // What was done must look the same to whoever gets it.
    let Some((_, bytes)) = document.commit(Timestamp(2_000)).expect("it has room") else {
        assert_eq!(value, sample());
        return;
    };
    let mut other = seeds::document();
    other.apply(vec![(EntryId([9; 32]), bytes)]);
    assert_eq!(other.value(), value);
    assert!(other.refused().is_empty());
}

/// Automerge changes as they come out of entries.
pub fn changes(data: &[u8]) {
    apply(data.to_vec());
}

/// Automerge changes with a right checksum.
pub fn change_contents(data: &[u8]) {
    apply(wire::chunk(1, data));
}

/// A change from outside, on a document that has a history, and then one of our own.
fn apply(change: Vec<u8>) {
    let mut document = seeds::document();
    document.apply(vec![(EntryId([9; 32]), change.clone())]);
    let value = document.value();
    check_batches(change, &value, document.refused());
    let mut blobs = BTreeSet::new();
    blobs_in(&value, &mut blobs);
    let _ = (document.meta(), document.summary(DOCUMENT), document.head_entries());
    assert!(document.history(None, 9).expect("the newest").total <= 2);
    let title = Pointer::parse("/title").expect("it is one");
    // A document that is full says so.
    if document.set(&title, &json!("ours")).is_ok()
        && let Ok(committed) = document.commit(Timestamp(3_000))
    {
        assert!(committed.is_some());
        assert_eq!(document.value().get("title"), Some(&json!("ours")));
    }
    // What cannot be changed like that says so.
    let _ = document.update(&Meta::default(), &sample());
}

/// However it arrives, it takes no other change along; except that of two changes for one place
/// in an actor's history the first one stays. (What a malformed change means may depend on the
/// batch that it came in: Automerge looks for what it replaces in more places then.)
fn check_batches(change: Vec<u8>, value: &Value, refused: &BTreeMap<EntryId, Refusal>) {
    let (first, change) = (seeds::first_brought(), (EntryId([9; 32]), change));
    let of = |batch: [&(EntryId, Vec<u8>); 2]| {
        let mut document = seeds::empty([0; 16]);
        document.apply(batch.map(Clone::clone).to_vec());
        document
    };
    let together = of([&first, &change]);
    assert_eq!(together.refused(), refused);
    if refused.contains_key(&change.0) {
        assert_eq!(together.value(), *value);
    }
    let other_way = of([&change, &first]);
    assert!(other_way.refused().len() <= 1, "one was good");
}
