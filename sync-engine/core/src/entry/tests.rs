use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{packed::PACKED_ZSTD, *};

fn sealed(plain: &[u8]) -> (SealKey, VerifiedEntry) {
    let mut entropy = ChaCha8Rng::seed_from_u64(1);
    let key = SealKey::random(&mut entropy);
    let draft = Draft {
        space: SpaceId([1; 32]),
        document: DocumentId([2; 16]),
        kind: EntryKind::Change,
        run: Run([8; 8]),
        sequence: 3,
        prev: Some(EntryId([4; 32])),
        deps: vec![EntryId([5; 32])],
        covers: Covers::default(),
        blobs: vec![],
    };
    let signer = Signer::from_secret(&[6; 32]);
    let entry = draft.seal(&mut entropy, &signer, (Epoch(1), &key), plain).expect("small");
    (key, entry)
}

#[test]
fn an_entry_reads_back_and_opens() {
    for plain in [&b""[..], b"short", &[7; 100_000]] {
        let (key, entry) = sealed(plain);
        let read = VerifiedEntry::read(entry.bytes().to_vec()).expect("ours");
        assert_eq!(read, entry);
        assert_eq!(read.open(&key).as_deref(), Ok(plain));
        let other = SealKey::from_bytes([0; 32]);
        assert_eq!(read.open(&other), Err(EntryError::Sealed));
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let (_, entry) = sealed(b"hello");
    for bit in 0..entry.bytes().len() * 8 {
        let mut bytes = entry.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(VerifiedEntry::read(bytes).is_err(), "bit {bit}");
    }
}

#[test]
fn a_body_that_unpacks_to_more_than_it_says_is_refused() {
    let bomb =
        [&[PACKED_ZSTD], &zstd::bulk::compress(&[0; 1 << 20], 3).expect("zstd")[..]].concat();
    assert_eq!(unpack(&bomb, 16), Err(EntryError::OverLimit));
    assert_eq!(unpack(&[], 0), Err(EntryError::Sealed));
    assert_eq!(unpack(&[9], 0), Err(EntryError::Sealed));
}

#[test]
fn only_a_bundle_stands_for_entries() {
    let (key, entry) = sealed(b"hello");
    let mut entropy = ChaCha8Rng::seed_from_u64(2);
    let signer = Signer::from_secret(&[6; 32]);
    let covers = Covers::of(&[(Run([8; 8]), 1)].into()).expect("one");
    let cases = [
        (EntryKind::Change, covers.clone(), false),
        (EntryKind::Tombstone, covers.clone(), false),
        (EntryKind::Bundle, Covers::default(), false),
        (EntryKind::Bundle, covers, true),
    ];
    for (kind, covers, is_good) in cases {
        let header = entry.header();
        let draft = Draft {
            space: header.space,
            document: header.document,
            kind,
            run: header.run,
            sequence: header.sequence,
            prev: None,
            deps: vec![],
            covers,
            blobs: vec![],
        };
        let sealed = draft.seal(&mut entropy, &signer, (Epoch(1), &key), b"").expect("small");
        let read = VerifiedEntry::read(sealed.bytes().to_vec());
        assert_eq!(read.is_ok(), is_good, "{kind:?}");
    }
}

#[test]
fn a_bundle_stands_for_earlier_entries_of_its_author_and_document_only() {
    use crate::store::conformance::{bundle, entries};
    let (own, others) = (entries(1, 6), entries(2, 6));
    let bundle = bundle(1, 5, &[&own[0], &own[2]]);
    assert!(bundle.covers(own[0].header()) && bundle.covers(own[2].header()));
    assert!(!bundle.covers(own[4].header()), "not named");
    assert!(!bundle.covers(others[0].header()), "of somebody else");
    let mut moved = own[0].header().clone();
    moved.document = DocumentId([9; 16]);
    assert!(!bundle.covers(&moved), "of another document");
    let mut again = own[0].header().clone();
    again.run = Run([9; 8]);
    assert!(!bundle.covers(&again), "of another run");
    assert!(!bundle.covers(bundle.header()), "not before it");
}
