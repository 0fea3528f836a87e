//! The file that an index is kept in.
//!
//! `magic ‖ format ‖ sealed(length ‖ zstd(database))`: 8 bytes, 4 bytes, then the
//! length of the database in 8 bytes; numbers are big-endian. Magic and format are
//! the associated data of the seal, whose nonce is synthetic
//! (`docs/decisions/0006-local-records.md`).

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};

use node_model::seal::{OVERHEAD_BYTES, SealKey};

use super::{FORMAT, FreshBecause, INDEX_BYTES_MAX};

const MAGIC: &[u8; 8] = b"KITHFIND";

const HEADER_BYTES: usize = MAGIC.len() + 4;

const LENGTH_BYTES: usize = 8;

/// What zstd adds to bytes that it cannot compress is less than a 128th.
const FILE_BYTES_MAX: usize =
    HEADER_BYTES + OVERHEAD_BYTES + LENGTH_BYTES + INDEX_BYTES_MAX + INDEX_BYTES_MAX / 128;

/// The fastest: most of a database are texts that are compressed already.
const COMPRESSION_LEVEL: i32 = 1;

/// A database as it was serialised, still compressed.
pub(super) struct Image {
    plain: Vec<u8>,
    bytes: usize,
}

impl Image {
    /// Length of the database; at most [`INDEX_BYTES_MAX`].
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn reader(&self) -> io::Result<impl Read> {
        zstd::Decoder::new(&self.plain[LENGTH_BYTES..])
    }
}

/// Reads and opens a file.
pub(super) fn read(path: &Path, key: &SealKey) -> Result<Image, FreshBecause> {
    let bytes = read_bounded(path).map_err(|error| {
        let is_absent = error.kind() == io::ErrorKind::NotFound;
        if is_absent { FreshBecause::Absent } else { FreshBecause::Damaged }
    })?;
    let (header, sealed) = bytes.split_at_checked(HEADER_BYTES).ok_or(FreshBecause::Damaged)?;
    if !header.starts_with(MAGIC) {
        return Err(FreshBecause::Damaged);
    }
    if header != self::header() {
        return Err(FreshBecause::OtherFormat);
    }
    let plain = key.open(header, sealed).map_err(|_| FreshBecause::Damaged)?;
    let length = plain.first_chunk::<LENGTH_BYTES>().ok_or(FreshBecause::Damaged)?;
    let bytes = usize::try_from(u64::from_be_bytes(*length)).ok();
    let bytes = bytes.filter(|bytes| *bytes <= INDEX_BYTES_MAX).ok_or(FreshBecause::Damaged)?;
    Ok(Image { plain, bytes })
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > FILE_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Replaces the file, for its owner only, so that after a crash either the old or
/// the new one is there.
pub(super) fn write(path: &Path, key: &SealKey, database: &[u8]) -> io::Result<()> {
    let length = (database.len() as u64).to_be_bytes().to_vec();
    let mut encoder = zstd::Encoder::new(length, COMPRESSION_LEVEL)?;
    encoder.write_all(database)?;
    let sealed = key.seal_synthetic(&header(), &encoder.finish()?);

    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&part)?;
    file.write_all(&header())?;
    file.write_all(&sealed)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::File::open(folder)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..MAGIC.len()].copy_from_slice(MAGIC);
    header[MAGIC.len()..].copy_from_slice(&FORMAT.to_be_bytes());
    header
}
