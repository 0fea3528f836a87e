//! Plain bytes into sealed blobs. Sealing needs the hash of all bytes first, so
//! bytes that can only be read once wait in a spool, sealed with a key that
//! exists nowhere else.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use bytes::Bytes;
use data_plane_store::{BlobError, Blobs};
use node_core::{Failure, FailureKind};
use node_model::{BlobId, seal::SealKey};
use sync_engine_core::blob::{BlobCipher, BlobInfo, CHUNK_BYTES};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::entropy::OsEntropy;

/// Blobs up to this many bytes are sealed in memory.
const IN_MEMORY_MAX: u64 = 4 * 1024 * 1024;

/// Sealed chunks on their way to the store.
const PENDING_CHUNKS: usize = 8;

/// Plain bytes that can be read twice.
pub(crate) trait Source: Read + Send + 'static {
    /// Starts again at the first byte.
    fn rewind(&mut self) -> io::Result<()>;
}

impl Source for File {
    fn rewind(&mut self) -> io::Result<()> {
        Seek::rewind(self)
    }
}

impl Source for io::Cursor<Vec<u8>> {
    fn rewind(&mut self) -> io::Result<()> {
        self.set_position(0);
        Ok(())
    }
}

/// Seals `source` and adds it to the store; durable only after a sync. Returns
/// the blob and the length of the plain bytes.
pub(crate) async fn store(
    blobs: &Blobs,
    secret: SealKey,
    source: impl Source,
) -> Result<(BlobId, u64), Failure> {
    let measured = tokio::task::spawn_blocking(move || {
        let mut source = source;
        let info = measure(&mut source)?;
        source.rewind()?;
        Ok::<_, io::Error>((source, info))
    });
    let (source, info) = measured.await.map_err(stopped)?.map_err(|e| read_failure(&e))?;
    let (cipher, header) = BlobCipher::seal(&secret, info).map_err(|error| {
        Failure::new(FailureKind::TooLarge, error.to_string(), "split the file")
    })?;
    let blob = if info.plain_bytes <= IN_MEMORY_MAX {
        let sealed = tokio::task::spawn_blocking(move || seal_all(&cipher, header, source));
        let sealed = sealed.await.map_err(stopped)?.map_err(|e| read_failure(&e))?;
        blobs.add(sealed).await
    } else {
        let (pieces, received) = mpsc::channel(PENDING_CHUNKS);
        let sealer =
            tokio::task::spawn_blocking(move || seal_pieces(&cipher, header, source, &pieces));
        let added = blobs.add_stream(ReceiverStream::new(received)).await;
        sealer.await.map_err(stopped)?;
        added
    };
    Ok((blob.map_err(|error| blob_failure(&error))?, info.plain_bytes))
}

fn measure(source: &mut impl Source) -> io::Result<BlobInfo> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(source)?;
    Ok(BlobInfo { plain_hash: *hasher.finalize().as_bytes(), plain_bytes: hasher.count() })
}

fn seal_all(cipher: &BlobCipher, header: Vec<u8>, mut source: impl Source) -> io::Result<Bytes> {
    let mut sealed = header;
    for_each_chunk(cipher, &mut source, |chunk| {
        sealed.extend_from_slice(&chunk);
        true
    })?;
    Ok(sealed.into())
}

fn seal_pieces(
    cipher: &BlobCipher,
    header: Vec<u8>,
    mut source: impl Source,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
) {
    if pieces.blocking_send(Ok(header.into())).is_err() {
        return;
    }
    let sealed =
        for_each_chunk(cipher, &mut source, |chunk| pieces.blocking_send(Ok(chunk.into())).is_ok());
    if let Err(error) = sealed {
        // The store is gone; it says why.
        let _ = pieces.blocking_send(Err(error));
    }
}

/// Seals chunk after chunk until `take` says stop. Fails when the bytes are not
/// those that were measured: whoever writes to the file must not make a blob
/// that nobody can open.
fn for_each_chunk(
    cipher: &BlobCipher,
    source: &mut impl Source,
    mut take: impl FnMut(Vec<u8>) -> bool,
) -> io::Result<()> {
    let info = cipher.info();
    let mut hasher = blake3::Hasher::new();
    let mut rest = info.plain_bytes;
    for index in 0..cipher.chunks() {
        let len = usize::try_from(rest).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let mut chunk = Vec::with_capacity(len + 16);
        chunk.resize(len, 0);
        source.read_exact(&mut chunk).map_err(|_| changed())?;
        hasher.update(&chunk);
        rest -= len as u64;
        if rest == 0 && *hasher.finalize().as_bytes() != info.plain_hash {
            return Err(changed());
        }
        cipher.seal_chunk(index, &mut chunk).map_err(io::Error::other)?;
        if !take(chunk) {
            return Ok(());
        }
    }
    Ok(())
}

fn changed() -> io::Error {
    io::Error::other("the file was changed while it was read")
}

/// Plain bytes that arrive once.
pub(crate) struct Spool {
    key: SealKey,
    memory: Vec<u8>,
    file: Option<File>,
    len: u64,
}

impl Spool {
    pub(crate) fn new() -> Self {
        Self { key: SealKey::random(&mut OsEntropy), memory: Vec::new(), file: None, len: 0 }
    }

    /// Takes more bytes; beyond a few megabytes they go to a sealed temporary
    /// file in `folder`, which has no name and vanishes with this process.
    pub(crate) fn write(&mut self, bytes: &[u8], folder: &Path) -> io::Result<()> {
        self.len += bytes.len() as u64;
        self.memory.extend_from_slice(bytes);
        if self.len > IN_MEMORY_MAX {
            self.spill(folder, CHUNK_BYTES)?;
        }
        Ok(())
    }

    fn spill(&mut self, folder: &Path, keep_below: usize) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile_in(folder)?);
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut taken = 0;
        while self.memory.len() - taken >= keep_below.max(1) {
            let end = self.memory.len().min(taken + CHUNK_BYTES);
            file.write_all(&self.key.seal(&mut OsEntropy, b"spool", &self.memory[taken..end]))?;
            taken = end;
        }
        self.memory.drain(..taken);
        Ok(())
    }

    /// Everything was written; read it.
    pub(crate) fn finish(mut self, folder: &Path) -> io::Result<SpoolReader> {
        if self.file.is_some() {
            self.spill(folder, 1)?;
        }
        let mut reader = SpoolReader { spool: self, chunk: Vec::new(), at: 0 };
        reader.rewind()?;
        Ok(reader)
    }
}

/// Reads a spool, as often as needed.
pub(crate) struct SpoolReader {
    spool: Spool,
    chunk: Vec<u8>,
    at: usize,
}

impl SpoolReader {
    fn next_chunk(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.spool.file else {
            return Ok(());
        };
        let mut sealed = Vec::new();
        let len = CHUNK_BYTES + node_model::seal::OVERHEAD_BYTES;
        file.take(len as u64).read_to_end(&mut sealed)?;
        self.at = 0;
        self.chunk = if sealed.is_empty() {
            Vec::new()
        } else {
            self.spool.key.open(b"spool", &sealed).map_err(io::Error::other)?
        };
        Ok(())
    }
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            self.next_chunk()?;
        }
        let count = buffer.len().min(self.chunk.len() - self.at);
        buffer[..count].copy_from_slice(&self.chunk[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

impl Source for SpoolReader {
    fn rewind(&mut self) -> io::Result<()> {
        self.at = 0;
        match &mut self.spool.file {
            Some(file) => {
                file.seek(SeekFrom::Start(0))?;
                self.chunk.clear();
            }
            None if self.chunk.is_empty() => self.chunk = std::mem::take(&mut self.spool.memory),
            None => {}
        }
        Ok(())
    }
}

pub(crate) fn stopped(_: tokio::task::JoinError) -> Failure {
    Failure::new(FailureKind::Unreachable, "the node is stopping", "kith up")
}

pub(crate) fn read_failure(error: &io::Error) -> Failure {
    let found = error.kind();
    let kind = if found == io::ErrorKind::NotFound {
        FailureKind::NotFound
    } else if found == io::ErrorKind::PermissionDenied {
        FailureKind::NotAllowed
    } else if matches!(found, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        FailureKind::DiskFull
    } else {
        FailureKind::Storage
    };
    Failure::new(kind, format!("could not read it: {error}"), "check the file, then try again")
}

pub(crate) fn blob_failure(error: &BlobError) -> Failure {
    let (kind, fix) = match error {
        BlobError::NotHere => (FailureKind::NotFound, "kith sync"),
        BlobError::Damaged => (FailureKind::Storage, "kith sync --full"),
        BlobError::TooLarge => (FailureKind::TooLarge, "split the file"),
        BlobError::Newer { .. } => (FailureKind::Storage, "install the newest kith"),
        BlobError::NoRoom { .. } => (FailureKind::TooLarge, "kith relation add NAME --quota-gb N"),
        BlobError::Full => (FailureKind::DiskFull, "free some space and try again"),
        BlobError::Closed => (FailureKind::Unreachable, "kith up"),
        BlobError::Io(_) => {
            (FailureKind::Storage, "look at the disk and its permissions, then try again")
        }
    };
    Failure::new(kind, error.to_string(), fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_reads_back_twice_from_memory_and_from_disk() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for len in [0, 1, 100_000, IN_MEMORY_MAX as usize + 200_001] {
            let plain: Vec<u8> = (0..len).map(|index| (index % 251) as u8).collect();
            let mut spool = Spool::new();
            for piece in plain.chunks(70_000) {
                spool.write(piece, folder.path()).expect("writes");
            }
            let mut reader = spool.finish(folder.path()).expect("finishes");
            for _ in 0..2 {
                let mut read = Vec::new();
                reader.read_to_end(&mut read).expect("reads");
                assert!(read == plain, "{len} bytes");
                reader.rewind().expect("rewinds");
            }
        }
    }
}
