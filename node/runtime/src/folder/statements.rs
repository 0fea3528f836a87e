//! Statements of trust: a pack of nothing else, by each writer who knows more than the others.
//!
//! A pack is sealed to the devices that were known when it was made. Whoever comes later needs
//! a newer one; since who that is stands in the statements themselves, a pack that holds all
//! that we know was made for all that we know.

use std::{collections::BTreeSet, io, path::PathBuf};

use node_core::{
    Failure, FailureKind,
    pack::{PackRequest, PackResponse, Plan},
};
use node_model::{
    DeviceId,
    limit::ATTESTATION_BYTES_MAX,
    pack::{ATTESTATIONS_PER_FRAME_MAX, Frame, HEADER_BYTES_MAX},
};
use serde_bytes::ByteBuf;
use sync_engine_folder::{Kind, SpacePlace};

use super::{Exchange, blocking, cannot_read, cannot_write};
use crate::{
    handle::unexpected,
    pack::file::{Begun, PackReader, PackWriter, begin},
};

/// Largest pack of statements that is read: fifty thousand of them. A space has some hundred.
const PACK_BYTES_MAX: u64 = (HEADER_BYTES_MAX + 50_000 * ATTESTATION_BYTES_MAX) as u64;

/// Hashes of the bytes of statements.
type Hashes = BTreeSet<[u8; 32]>;

/// What the packs in the folder hold, each by itself.
#[derive(Debug, Default)]
pub(super) struct Found(Vec<Hashes>);

impl Exchange<'_> {
    /// Takes in the newest pack of each writer; an older one where the newest is damaged.
    pub(super) async fn take_statements(&mut self) -> Result<Found, Failure> {
        let mut found = Found::default();
        for (_, newest_first) in self.packs().await? {
            for path in newest_first {
                match self.take_pack(path.clone()).await {
                    Ok(Some(hashes)) => {
                        found.0.push(hashes);
                        break;
                    }
                    // Made for others.
                    Ok(None) => break,
                    Err(NotTaken::Passed(why)) => self.pass_over(&path, why),
                    Err(NotTaken::Failed(failure)) => return Err(failure),
                }
            }
        }
        Ok(found)
    }

    async fn packs(&self) -> Result<Vec<(DeviceId, Vec<PathBuf>)>, Failure> {
        let (folder, place) = (self.folder.clone(), self.place.clone());
        blocking(move || {
            let failed = |error| cannot_read(&folder, &error);
            // What else is there is named when entries are looked for.
            let writers = place.writers(&mut Vec::new()).map_err(failed)?;
            let packs = |writer| Ok((writer, packs_of(&place, writer).map_err(failed)?));
            writers.into_iter().map(packs).collect()
        })
        .await
    }

    async fn take_pack(&self, path: PathBuf) -> Result<Option<Hashes>, NotTaken> {
        let is_good = path
            .symlink_metadata()
            .is_ok_and(|found| found.is_file() && found.len() <= PACK_BYTES_MAX);
        if !is_good {
            return Err(NotTaken::Passed("it is no pack of statements".to_owned()));
        }
        let begun = begin(path).await.map_err(passed)?;
        let header = begun.header().clone();
        if header.space != self.place.space() {
            return Err(NotTaken::Passed("it is of another space".to_owned()));
        }
        match self.handle.ask_pack(PackRequest::Open { header }).await {
            Ok(PackResponse::Key(key)) => {
                self.take_frames(Begun::open(begun, &key)).await.map(Some)
            }
            Ok(_) => Err(NotTaken::Failed(unexpected())),
            Err(failure) if failure.kind == FailureKind::NotAllowed => Ok(None),
            Err(failure) => Err(NotTaken::Failed(failure)),
        }
    }

    async fn take_frames(&self, mut pack: PackReader) -> Result<Hashes, NotTaken> {
        let mut hashes = Hashes::new();
        loop {
            let read = blocking(move || {
                let frame = pack.next_frame();
                Ok((pack, frame))
            });
            let frame;
            (pack, frame) = read.await.map_err(NotTaken::Failed)?;
            match frame.map_err(passed)? {
                Some(Frame::Attestations { attestations }) => {
                    hashes.extend(attestations.iter().map(|it| *blake3::hash(it).as_bytes()));
                    let request = PackRequest::TakeAttestations { attestations };
                    self.handle.ask_pack(request).await.map_err(NotTaken::Failed)?;
                }
                Some(Frame::End { .. }) => {}
                None => return Ok(hashes),
                Some(
                    Frame::Entries { .. }
                    | Frame::Covered { .. }
                    | Frame::Blob { .. }
                    | Frame::Piece { .. },
                ) => return Err(NotTaken::Passed("it holds more than statements".to_owned())),
            }
        }
    }

    /// Writes a pack of all that we know, unless one in the folder holds all of it.
    pub(super) async fn write_statements(&mut self, found: Found) -> Result<(), Failure> {
        let plan = self.plan().await?;
        let known: Hashes =
            plan.attestations.iter().map(|(_, bytes)| *blake3::hash(bytes).as_bytes()).collect();
        if found.0.iter().any(|hashes| hashes.is_superset(&known)) {
            return Ok(());
        }
        self.prepare().await?;
        let (folder, place, device) = (self.folder.clone(), self.place.clone(), self.device);
        let (number, old) = blocking(move || {
            let failed = |error| cannot_read(&folder, &error);
            let number = place.next_number(device).map_err(failed)?;
            Ok((number, packs_of(&place, device).map_err(failed)?))
        })
        .await?;
        let target = self.place.file(self.device, number, Kind::Statements);
        let folder = self.folder.clone();
        self.write_pack(target, plan).await.map_err(|failure| match failure.kind {
            FailureKind::DiskFull => cannot_write(&folder, &io::ErrorKind::StorageFull.into()),
            FailureKind::Invalid
            | FailureKind::NotAllowed
            | FailureKind::NotFound
            | FailureKind::Conflict
            | FailureKind::Unreachable
            | FailureKind::TooLarge
            | FailureKind::Storage => failure,
        })?;
        blocking(move || {
            let mut removed = old.iter().map(std::fs::remove_file);
            removed.try_for_each(|it| it).map_err(|error| cannot_write(&folder, &error))
        })
        .await
    }

    async fn write_pack(&self, target: PathBuf, plan: Plan) -> Result<(), Failure> {
        let mut out = PackWriter::create(target, plan.header.encode(), &plan.key).await?;
        let attestations = plan.attestations.len() as u64;
        let bytes: Vec<_> =
            plan.attestations.into_iter().map(|(_, bytes)| ByteBuf::from(bytes)).collect();
        for some in bytes.chunks(ATTESTATIONS_PER_FRAME_MAX) {
            out.write(Frame::Attestations { attestations: some.to_vec() }).await?;
        }
        out.write(Frame::End { attestations, entries: 0, blobs: 0 }).await?;
        out.finish().await.map(|_| ())
    }
}

/// Why a pack was not taken in.
enum NotTaken {
    /// It is not good.
    Passed(String),
    /// The node did not.
    Failed(Failure),
}

fn passed(failure: Failure) -> NotTaken {
    NotTaken::Passed(failure.message)
}

/// A writer's packs, the newest first.
fn packs_of(place: &SpacePlace, writer: DeviceId) -> io::Result<Vec<PathBuf>> {
    let files = place.files(writer, &mut Vec::new())?;
    let packs = files.into_iter().rev().filter(|(_, kind)| *kind == Kind::Statements);
    Ok(packs.map(|(number, kind)| place.file(writer, number, kind)).collect())
}
