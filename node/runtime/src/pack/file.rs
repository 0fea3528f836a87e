//! The file of a pack, frame by frame.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use node_core::{Failure, FailureKind};
use node_model::{
    pack::{Frame, Header, IDS_BYTES_MAX, Opener, PREAMBLE_BYTES, PackError, Sealer},
    seal::SealKey,
};
use serde_bytes::ByteBuf;
use tempfile::NamedTempFile;

use crate::{
    entropy::OsEntropy,
    export::{create, finish, write_failure},
    seal_file::{read_failure, stopped},
};

/// Most ids that an earlier pack may cover, of each kind: some 150 MB of memory.
const COVERED_MAX: usize = 4_000_000;

const ID_BYTES: usize = 32;

/// Ids of what a pack and those that it builds on hold.
#[derive(Debug, Default)]
pub(super) struct Covered {
    pub(super) attestations: BTreeSet<[u8; ID_BYTES]>,
    pub(super) entries: BTreeSet<[u8; ID_BYTES]>,
    pub(super) blobs: BTreeSet<[u8; ID_BYTES]>,
}

impl Covered {
    /// As frames, a part of each list in each.
    pub(super) fn frames(&self) -> Vec<Frame> {
        let parts = |ids: &BTreeSet<[u8; ID_BYTES]>| -> Vec<ByteBuf> {
            let ids: Vec<_> = ids.iter().copied().collect();
            ids.chunks(IDS_BYTES_MAX / ID_BYTES).map(|some| some.concat().into()).collect()
        };
        let (attestations, entries, blobs) =
            (parts(&self.attestations), parts(&self.entries), parts(&self.blobs));
        let count = attestations.len().max(entries.len()).max(blobs.len());
        let part = |parts: &[ByteBuf], at: usize| parts.get(at).cloned().unwrap_or_default();
        let frame = |at| Frame::Covered {
            attestations: part(&attestations, at),
            entries: part(&entries, at),
            blobs: part(&blobs, at),
        };
        (0..count).map(frame).collect()
    }

    /// From a pack; its blobs are not read.
    pub(super) fn read(mut pack: PackReader) -> Result<Self, Failure> {
        let mut covered = Self::default();
        loop {
            match pack.next_frame()? {
                Some(Frame::Covered { attestations, entries, blobs }) => {
                    covered.attestations.extend(attestations.as_chunks().0);
                    covered.entries.extend(entries.as_chunks().0);
                    covered.blobs.extend(blobs.as_chunks().0);
                }
                Some(Frame::Attestations { .. } | Frame::Entries { .. }) => {}
                Some(Frame::Blob { .. } | Frame::Piece { .. } | Frame::End { .. }) | None => {
                    return Ok(covered);
                }
            }
            let all = [&covered.attestations, &covered.entries, &covered.blobs];
            if all.iter().any(|ids| ids.len() > COVERED_MAX) {
                let message = format!("the earlier pack covers more than {COVERED_MAX} entries");
                let fix = "pack everything: leave out --since";
                return Err(Failure::new(FailureKind::TooLarge, message, fix));
            }
        }
    }
}

/// A pack that is being written, under a name that no pack has.
pub(crate) struct PackWriter {
    target: PathBuf,
    sealer: Sealer,
    file: Option<NamedTempFile>,
    written: u64,
}

impl PackWriter {
    /// Creates the file and writes all that stands before the first frame.
    pub(crate) async fn create(
        target: PathBuf,
        header: Vec<u8>,
        key: &SealKey,
    ) -> Result<Self, Failure> {
        if target.is_dir() {
            let message = format!("{} is a folder; a pack is a file", target.display());
            return Err(Failure::new(FailureKind::Invalid, message, "kith pack SPACE FILE"));
        }
        let sealer = Sealer::new(key, &header);
        let place = target.clone();
        let created = tokio::task::spawn_blocking(move || create(&place));
        let file = created.await.map_err(stopped)?.map_err(|error| write_failure(&error))?;
        let mut writer = Self { target, sealer, file: Some(file), written: 0 };
        writer.append(header).await?;
        Ok(writer)
    }

    /// Bytes so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Appends a frame.
    pub(crate) async fn write(&mut self, frame: Frame) -> Result<(), Failure> {
        let bytes = self.sealer.seal(&mut OsEntropy, &frame);
        self.append(bytes).await
    }

    async fn append(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        let len = bytes.len() as u64;
        let Some(mut file) = self.file.take() else {
            return Err(write_failure(&io::Error::other("an earlier part was not written")));
        };
        let written = tokio::task::spawn_blocking(move || {
            file.write_all(&bytes)?;
            Ok::<_, io::Error>(file)
        });
        let file = written.await.map_err(stopped)?.map_err(|error| write_failure(&error))?;
        self.file = Some(file);
        self.written += len;
        Ok(())
    }

    /// Makes it durable, then gives it its name. Returns its length.
    pub(crate) async fn finish(self) -> Result<u64, Failure> {
        let Self { target, file, written, .. } = self;
        let Some(file) = file else {
            return Err(write_failure(&io::Error::other("a part was not written")));
        };
        let finished = tokio::task::spawn_blocking(move || {
            file.as_file().sync_all()?;
            finish(file, &target)?;
            let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        });
        finished.await.map_err(stopped)?.map_err(|error| write_failure(&error))?;
        Ok(written)
    }
}

/// A pack whose header was read.
pub(crate) struct Begun {
    header: Header,
    bytes: Vec<u8>,
    file: BufReader<File>,
    size: u64,
}

/// Reads a pack's header.
pub(crate) async fn begin(path: PathBuf) -> Result<Begun, Failure> {
    tokio::task::spawn_blocking(move || Begun::read(&path)).await.map_err(stopped)?
}

impl Begun {
    fn read(path: &Path) -> Result<Self, Failure> {
        // Asked before it is opened: opening a pipe would wait for ever.
        let metadata = std::fs::metadata(path).map_err(|error| read_failure(&error))?;
        if !metadata.is_file() {
            return Err(pack_failure(PackError::NotAPack));
        }
        let file = File::open(path).map_err(|error| read_failure(&error))?;
        let mut file = BufReader::new(file);
        let mut preamble = [0; PREAMBLE_BYTES];
        fill(&mut file, &mut preamble, PackError::NotAPack)?;
        let header_bytes = Header::bytes_behind(&preamble).map_err(pack_failure)?;
        let mut header = vec![0; header_bytes];
        fill(&mut file, &mut header, PackError::Damaged)?;
        let bytes = [&preamble[..], &header].concat();
        let header = Header::decode(&header).map_err(pack_failure)?;
        Ok(Self { header, bytes, file, size: metadata.len() })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Length of the whole file.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn open(self, key: &SealKey) -> PackReader {
        let Self { bytes, file, .. } = self;
        PackReader { opener: Opener::new(key, &bytes), file, read: bytes.len() as u64 }
    }
}

/// The frames of a pack.
pub(crate) struct PackReader {
    opener: Opener,
    file: BufReader<File>,
    read: u64,
}

impl PackReader {
    /// Bytes so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// The next frame; `None` after the last.
    ///
    /// # Errors
    /// [`Failure`] when the pack is damaged or cut off here; what came before is as it was
    /// sealed.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, Failure> {
        if self.opener.is_at_end() {
            let more = self.file.read(&mut [0]).map_err(|error| read_failure(&error))?;
            return if more == 0 { Ok(None) } else { Err(pack_failure(PackError::Damaged)) };
        }
        let mut length = [0; 4];
        fill(&mut self.file, &mut length, PackError::Damaged)?;
        let count = Opener::bytes_behind(length).map_err(pack_failure)?;
        let mut sealed = Vec::new();
        // Grows with what is there, not with what was claimed.
        let read = (&mut self.file).take(count as u64).read_to_end(&mut sealed);
        if read.map_err(|error| read_failure(&error))? < count {
            return Err(pack_failure(PackError::Damaged));
        }
        self.read += (length.len() + count) as u64;
        self.opener.open(&sealed).map(Some).map_err(pack_failure)
    }
}

fn fill(file: &mut impl Read, bytes: &mut [u8], if_short: PackError) -> Result<(), Failure> {
    file.read_exact(bytes).map_err(|error| match error.kind() == io::ErrorKind::UnexpectedEof {
        true => pack_failure(if_short),
        false => read_failure(&error),
    })
}

fn pack_failure(error: PackError) -> Failure {
    let (kind, fix) = match error {
        PackError::NotAPack => (FailureKind::Invalid, "name a file that kith pack wrote"),
        PackError::Newer { .. } => (FailureKind::Storage, "install the newest kith"),
        PackError::Damaged => (FailureKind::Storage, "copy it again, or ask for another pack"),
    };
    Failure::new(kind, error.to_string(), fix)
}
