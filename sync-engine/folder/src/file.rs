//! The bytes of a file of entries: a head that names them all, the entries, a checksum.
//!
//! Invariant: a [`Head`] was as its writer wrote it, names what the file's name says, and the
//! file is as long as it says. Whether the entries behind it are whole is asked separately,
//! because that means to read them.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use node_model::{DeviceId, EntryId, SpaceId, cbor};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use sync_engine_core::{
    entry::{ENTRY_BYTES_MAX, VerifiedEntry},
    store::{Cursor, StoreEpoch},
};

const MAGIC: &[u8; 8] = b"KITHFOLD";

/// The version that this program writes and reads.
const VERSION: u16 = 1;

/// Magic, version, length and hash of the head.
const PREAMBLE_BYTES: usize = 8 + 2 + 4 + HASH_BYTES;

const HASH_BYTES: usize = 32;

const ID_BYTES: usize = 32;

/// Most entries in a file: two megabytes of ids, and on average the megabytes of a full file.
pub(crate) const ENTRIES_PER_FILE_MAX: usize = 65_536;

/// Most records in a file; those of one source in a row become one when files are merged.
pub(crate) const RECORDS_PER_FILE_MAX: usize = 4_096;

/// Largest head: an id and a length of every entry, the ids of bundles again, an id of every
/// entry set aside, and some hundred bytes for every record.
const HEAD_BYTES_MAX: usize =
    ENTRIES_PER_FILE_MAX * (3 * ID_BYTES + 5) + RECORDS_PER_FILE_MAX * 256;

/// What a device did in its view of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// Appended entries; their bytes stand behind the head.
    Entries {
        /// From which peer they came.
        source: Option<DeviceId>,
        /// The writer's place in that peer's store afterwards.
        cursor: Option<Cursor>,
        /// Ids of 32 bytes each.
        ids: ByteBuf,
        /// Length of each entry, in bytes.
        #[serde(deserialize_with = "cbor::at_most::<ENTRIES_PER_FILE_MAX, _, _>")]
        lengths: Vec<u32>,
        /// Which of the ids are bundles: to find what they stand for, all must be read.
        bundles: ByteBuf,
    },
    /// Set entries aside, for itself.
    Aside {
        /// Ids of 32 bytes each.
        ids: ByteBuf,
    },
}

/// Ids one after the other.
pub(crate) fn join(ids: &[EntryId]) -> ByteBuf {
    ids.iter().flat_map(|id| id.0).collect::<Vec<u8>>().into()
}

/// The ids that were joined.
pub(crate) fn split(ids: &ByteBuf) -> impl Iterator<Item = EntryId> {
    ids.as_chunks::<ID_BYTES>().0.iter().map(|id| EntryId(*id))
}

/// What stands before the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) space: SpaceId,
    pub(crate) writer: DeviceId,
    /// The file's number among its writer's.
    pub(crate) number: u64,
    /// Of the writer's view.
    pub(crate) epoch: StoreEpoch,
    pub(crate) records: Vec<Record>,
}

#[derive(Serialize, Deserialize)]
struct HeadWire(
    SpaceId,
    DeviceId,
    u64,
    StoreEpoch,
    #[serde(deserialize_with = "cbor::at_most::<RECORDS_PER_FILE_MAX, _, _>")] Vec<Record>,
);

/// A file whose head was read.
#[derive(Clone, Debug)]
pub(crate) struct ReadHead {
    pub(crate) head: Head,
    pub(crate) hash: [u8; HASH_BYTES],
    /// Where the first entry begins.
    pub(crate) body: u64,
    /// Length of the file.
    pub(crate) len: u64,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("it is no file of entries")]
    Stranger,
    #[error("it was written by a newer version of kith")]
    Newer,
    #[error("it is another file under this name")]
    Misnamed,
    #[error("it is damaged, or only a part of it has arrived")]
    Damaged,
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl Head {
    /// The bytes of a file. `bodies` are the entries of all records, in order.
    pub(crate) fn encode(&self, bodies: &[u8]) -> Vec<u8> {
        let Self { space, writer, number, epoch, records } = self;
        let head = cbor::encode(&HeadWire(*space, *writer, *number, *epoch, records.clone()));
        let len = u32::try_from(head.len()).expect("entries and records of a file are bounded");
        let hash = blake3::hash(&head);
        let mut bytes = Vec::with_capacity(PREAMBLE_BYTES + head.len() + bodies.len() + HASH_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(hash.as_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(bodies);
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        bytes
    }

    /// Ids and lengths of all entries, in the order of their bytes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (EntryId, u32)> {
        self.records.iter().flat_map(|record| match record {
            Record::Entries { ids, lengths, .. } => {
                split(ids).zip(lengths.iter().copied()).collect::<Vec<_>>()
            }
            Record::Aside { .. } => Vec::new(),
        })
    }

    fn is_sound(&self) -> bool {
        let mut count = (0, 0);
        for record in &self.records {
            let (ids, is_good) = match record {
                Record::Entries { ids, lengths, bundles, .. } => {
                    count.0 += lengths.len();
                    let are_possible = lengths.iter().all(|len| *len as usize <= ENTRY_BYTES_MAX)
                        && bundles.len() <= ids.len()
                        && bundles.len() % ID_BYTES == 0;
                    (ids, ids.len() == lengths.len() * ID_BYTES && are_possible)
                }
                Record::Aside { ids } => {
                    count.1 += ids.len() / ID_BYTES;
                    (ids, true)
                }
            };
            if !is_good || !ids.len().is_multiple_of(ID_BYTES) {
                return false;
            }
        }
        count.0 <= ENTRIES_PER_FILE_MAX && count.1 <= ENTRIES_PER_FILE_MAX
    }
}

/// Reads the head of `path`, which must be the one that its place says.
pub(crate) fn read_head(
    path: &Path,
    (space, writer, number): (SpaceId, DeviceId, u64),
) -> Result<ReadHead, FileError> {
    let mut file = open(path)?;
    let len = file.metadata()?.len();
    let mut preamble = [0; PREAMBLE_BYTES];
    fill(&mut file, &mut preamble)?;
    let (magic, rest) = preamble.split_first_chunk::<8>().ok_or(FileError::Damaged)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(FileError::Damaged)?;
    let (head_bytes, hash) = rest.split_first_chunk::<4>().ok_or(FileError::Damaged)?;
    if magic != MAGIC {
        return Err(FileError::Stranger);
    }
    match u16::from_be_bytes(*version) {
        VERSION => {}
        newer if newer > VERSION => return Err(FileError::Newer),
        _ => return Err(FileError::Damaged),
    }
    let head_bytes = u64::from(u32::from_be_bytes(*head_bytes));
    if head_bytes > HEAD_BYTES_MAX as u64 || head_bytes > len {
        return Err(FileError::Damaged);
    }
    let mut head = Vec::new();
    (&mut file).take(head_bytes).read_to_end(&mut head)?;
    if blake3::hash(&head).as_bytes() != hash {
        return Err(FileError::Damaged);
    }
    let wire = cbor::decode(&head, HEAD_BYTES_MAX).map_err(|_| FileError::Damaged)?;
    let HeadWire(in_space, by, numbered, epoch, records) = wire;
    if (in_space, by, numbered) != (space, writer, number) {
        return Err(FileError::Misnamed);
    }
    let head = Head { space, writer, number, epoch, records };
    if !head.is_sound() {
        return Err(FileError::Damaged);
    }
    let body = PREAMBLE_BYTES as u64 + head_bytes;
    let bodies: u64 = head.entries().map(|(_, len)| u64::from(len)).sum();
    if body + bodies + HASH_BYTES as u64 != len {
        return Err(FileError::Damaged);
    }
    Ok(ReadHead { head, hash: hash.try_into().map_err(|_| FileError::Damaged)?, body, len })
}

/// Reads a file to its end: whether it is the one whose head was read, its checksum, and each
/// entry's form, hash and signature.
pub(crate) fn check(path: &Path, read: &ReadHead) -> Result<(), FileError> {
    let mut file = BufReader::new(open(path)?);
    let mut before = Vec::new();
    (&mut file).take(read.body).read_to_end(&mut before)?;
    if before.get(PREAMBLE_BYTES - HASH_BYTES..PREAMBLE_BYTES) != Some(&read.hash[..]) {
        return Err(FileError::Damaged);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before);
    for (id, len) in read.head.entries() {
        let mut bytes = vec![0; len as usize];
        fill(&mut file, &mut bytes)?;
        hasher.update(&bytes);
        let entry = VerifiedEntry::read(bytes).map_err(|_| FileError::Damaged)?;
        if entry.id() != id || entry.header().space != read.head.space {
            return Err(FileError::Damaged);
        }
    }
    let mut checksum = [0; HASH_BYTES];
    fill(&mut file, &mut checksum)?;
    if file.read(&mut [0])? != 0 || hasher.finalize() != blake3::Hash::from_bytes(checksum) {
        return Err(FileError::Damaged);
    }
    Ok(())
}

/// Bytes of one entry, verified; `len` came from a sound head.
pub(crate) fn entry(
    path: &Path,
    (offset, len): (u64, u32),
    id: EntryId,
) -> Result<VerifiedEntry, FileError> {
    let mut file = open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; len as usize];
    fill(&mut file, &mut bytes)?;
    let entry = VerifiedEntry::read(bytes).map_err(|_| FileError::Damaged)?;
    if entry.id() == id { Ok(entry) } else { Err(FileError::Damaged) }
}

/// The bytes of all entries of a file of our own that was just checked.
pub(crate) fn bodies(path: &Path, read: &ReadHead) -> Result<Vec<u8>, FileError> {
    let mut file = open(path)?;
    file.seek(SeekFrom::Start(read.body))?;
    let count = read.len.saturating_sub(read.body + HASH_BYTES as u64);
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == count { Ok(bytes) } else { Err(FileError::Damaged) }
}

fn open(path: &Path) -> Result<File, FileError> {
    // Asked before it is opened: opening a pipe would wait for ever, a link would lead away.
    if !path.symlink_metadata()?.is_file() {
        return Err(FileError::Stranger);
    }
    Ok(File::open(path)?)
}

fn fill(file: &mut impl Read, bytes: &mut [u8]) -> Result<(), FileError> {
    file.read_exact(bytes).map_err(|error| match error.kind() == io::ErrorKind::UnexpectedEof {
        true => FileError::Damaged,
        false => FileError::Io(error),
    })
}
