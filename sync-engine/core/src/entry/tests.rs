use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::*;

fn sealed(plain: &[u8]) -> (SealKey, VerifiedEntry) {
    let mut entropy = ChaCha8Rng::seed_from_u64(1);
    let key = SealKey::random(&mut entropy);
    let draft = Draft {
        space: SpaceId([1; 32]),
        document: DocumentId([2; 16]),
        kind: EntryKind::Change,
        sequence: 3,
        prev: Some(EntryId([4; 32])),
        deps: vec![EntryId([5; 32])],
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
