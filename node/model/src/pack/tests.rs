use rand_core::{TryCryptoRng, TryRng};
use serde::{Deserialize, Serialize};

use super::*;

const VECTOR: &str = include_str!("../../../../docs/protocol/vectors/pack.json");

/// From this package's folder, where tests run. `KITH_BLESS=1` writes the file anew.
const PATH: &str = "../../docs/protocol/vectors/pack.json";

/// Not random, and the same every time.
struct Counter(u64);

impl TryRng for Counter {
    type Error = std::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.0 += 1;
        Ok(self.0 as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 += 1;
        Ok(self.0)
    }
    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        self.0 += 1;
        dst.fill(self.0 as u8);
        Ok(())
    }
}

impl TryCryptoRng for Counter {}

fn key() -> SealKey {
    SealKey::from_bytes([3; 32])
}

fn header() -> Header {
    Header {
        space: SpaceId([1; 32]),
        slots: vec![[4; SLOT_BYTES], [5; SLOT_BYTES]],
        shared: Some(vec![6; SHARED_BYTES]),
    }
}

fn frames() -> Vec<Frame> {
    let ids = |byte| ByteBuf::from(vec![byte; 64]);
    vec![
        Frame::Attestations { attestations: vec![ByteBuf::from(b"who")] },
        Frame::Entries { entries: vec![ByteBuf::from(b"what"), ByteBuf::from(b"else")] },
        Frame::Covered { attestations: ids(1), entries: ids(2), blobs: ids(3) },
        Frame::Blob { blob: BlobId([7; 32]) },
        Frame::Piece { bytes: ByteBuf::from(b"bytes") },
        Frame::Piece { bytes: ByteBuf::from(b"more") },
        Frame::End { attestations: 1, entries: 2, blobs: 1 },
    ]
}

/// The header and each frame, as they stand in the file.
fn parts(frames: &[Frame]) -> Vec<Vec<u8>> {
    let header = header().encode();
    let mut sealer = Sealer::new(&key(), &header);
    let mut entropy = Counter(0);
    let sealed: Vec<_> = frames.iter().map(|frame| sealer.seal(&mut entropy, frame)).collect();
    [vec![header], sealed].concat()
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], PackError> {
    bytes.split_off(..count).ok_or(PackError::Damaged)
}

fn read(mut bytes: &[u8]) -> Result<Vec<Frame>, PackError> {
    let whole = bytes;
    let preamble = take(&mut bytes, PREAMBLE_BYTES)?.try_into().expect("as many");
    let header_bytes = Header::bytes_behind(preamble)?;
    assert_eq!(Header::decode(take(&mut bytes, header_bytes)?)?.slots.len(), 2);
    let mut opener = Opener::new(&key(), &whole[..PREAMBLE_BYTES + header_bytes]);
    let mut frames = Vec::new();
    while !opener.is_at_end() {
        let length = take(&mut bytes, 4)?.try_into().expect("as many");
        frames.push(opener.open(take(&mut bytes, Opener::bytes_behind(length)?)?)?);
    }
    if bytes.is_empty() { Ok(frames) } else { Err(PackError::Damaged) }
}

#[test]
fn a_pack_reads_back() {
    assert_eq!(read(&parts(&frames()).concat()), Ok(frames()));
}

#[test]
fn every_flipped_bit_of_a_pack_is_refused() {
    let bytes = parts(&frames()).concat();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn a_pack_that_was_cut_swapped_or_prolonged_is_refused() {
    let parts = parts(&frames());
    let bytes = parts.concat();
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err(), "{end} bytes");
    }
    for count in 0..parts.len() {
        assert!(read(&parts[..count].concat()).is_err(), "{count} parts");
    }
    for at in 1..parts.len() {
        let mut fewer = parts.clone();
        fewer.remove(at);
        assert!(read(&fewer.concat()).is_err(), "without part {at}");
        for other in 1..at {
            let mut swapped = parts.clone();
            swapped.swap(at, other);
            assert!(read(&swapped.concat()).is_err(), "parts {other} and {at}");
        }
    }
    assert!(read(&[&bytes[..], &[0]].concat()).is_err());
    assert!(read(&[&bytes[..], &parts[7][..]].concat()).is_err());
}

#[test]
fn frames_have_one_order() {
    let all = frames();
    let wrong: [&[usize]; 5] = [&[1, 0, 6], &[2, 1, 6], &[4, 6], &[3, 2, 6], &[6, 6]];
    for order in wrong {
        let chosen: Vec<_> = order.iter().map(|at| all[*at].clone()).collect();
        assert_eq!(read(&parts(&chosen).concat()), Err(PackError::Damaged), "{order:?}");
    }
    assert_eq!(read(&parts(&all[6..]).concat()), Ok(all[6..].to_vec()));
}

#[test]
fn hostile_lengths_are_refused_before_anything_is_set_aside() {
    let preamble = |version: u16, len: u32| {
        let bytes = [&MAGIC[..], &version.to_be_bytes(), &len.to_be_bytes()].concat();
        Header::bytes_behind(&bytes.try_into().expect("as many"))
    };
    assert_eq!(preamble(1, HEADER_BYTES_MAX as u32), Ok(HEADER_BYTES_MAX));
    assert_eq!(preamble(1, HEADER_BYTES_MAX as u32 + 1), Err(PackError::Damaged));
    assert_eq!(preamble(1, u32::MAX), Err(PackError::Damaged));
    assert_eq!(preamble(2, 0), Err(PackError::Newer { found: 2 }));
    assert_eq!(preamble(0, 0), Err(PackError::Damaged));
    assert_eq!(Header::bytes_behind(&[0; PREAMBLE_BYTES]), Err(PackError::NotAPack));
    for length in [0, OVERHEAD_BYTES as u32 - 1, 0x00ff_ffff, u32::MAX] {
        assert_eq!(Opener::bytes_behind(length.to_be_bytes()), Err(PackError::Damaged));
    }
    let full = FRAME_BYTES_MAX + OVERHEAD_BYTES;
    assert_eq!(Opener::bytes_behind((full as u32).to_be_bytes()), Ok(full));
}

#[test]
fn headers_and_frames_beyond_their_bounds_are_refused() {
    let wire = |slots: usize, shared: Option<usize>| {
        let shared = shared.map(|len| ByteBuf::from(vec![0; len]));
        cbor::encode(&HeaderWire(SpaceId([1; 32]), ByteBuf::from(vec![0; slots]), shared))
    };
    let full = SLOTS_MAX * SLOT_BYTES;
    assert!(Header::decode(&wire(full, Some(SHARED_BYTES))).is_ok());
    assert!(Header::decode(&wire(0, None)).is_ok());
    for (slots, shared) in [(full + SLOT_BYTES, None), (79, None), (80, Some(71)), (80, Some(0))] {
        assert_eq!(Header::decode(&wire(slots, shared)), Err(PackError::Damaged), "{slots}");
    }
    let none = ByteBuf::new();
    let covered = |len: usize| Frame::Covered {
        attestations: none.clone(),
        entries: none.clone(),
        blobs: ByteBuf::from(vec![0; len]),
    };
    let many = |count: usize| Frame::Entries { entries: vec![ByteBuf::new(); count] };
    let piece = |len: usize| Frame::Piece { bytes: ByteBuf::from(vec![0; len]) };
    let good = [covered(IDS_BYTES_MAX), many(ENTRIES_PER_FRAME_MAX), piece(PIECE_BYTES_MAX)];
    for frame in good {
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
    let bad = [
        covered(33),
        covered(IDS_BYTES_MAX + 32),
        many(ENTRIES_PER_FRAME_MAX + 1),
        piece(PIECE_BYTES_MAX + 1),
    ];
    for frame in bad {
        assert_eq!(Frame::decode(&frame.encode()), Err(PackError::Damaged));
    }
}

/// Everything in hexadecimal. The plain bytes of frames stand beside the whole.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    pack_key: String,
    pack: String,
    frames: Vec<String>,
}

#[test]
fn the_vector_holds() {
    // Nonces are those of the counter, so that all of it can be written down.
    let pack = parts(&frames()).concat();
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let vector = Vector {
        pack_key: hex(key().expose()),
        pack: hex(&pack),
        frames: frames().iter().map(|frame| hex(&frame.encode())).collect(),
    };
    if std::env::var_os("KITH_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&vector).expect("it is JSON");
        std::fs::write(PATH, text + "\n").expect("the repository can be written");
        return;
    }
    assert_eq!(serde_json::from_str::<Vector>(VECTOR).expect("it is ours"), vector);
    assert_eq!(read(&pack), Ok(frames()));
}
