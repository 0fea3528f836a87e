//! Packs, as the node sees them: what goes into one, and what comes out of one. The files
//! are the runtime's.
//!
//! Invariant: what a pack brings is checked like what a peer brings, and an answer leaves
//! only after it is durable.

use std::collections::BTreeMap;

use node_model::{
    EntryId, Now, SpaceId,
    pack::{ENTRIES_BYTES_FULL, ENTRIES_PER_FRAME_MAX, Header},
    seal::SealKey,
};
use serde_bytes::ByteBuf;
use sync_engine_core::{
    EngineError, Flushed, JobId,
    entry::{EntryError, VerifiedEntry},
    store::StoreEpoch,
};
use trust_core::Trust;

pub use sync_engine_core::Carried;

use crate::{
    failure::{Failure, FailureKind},
    mend::Mend,
    node::{Node, RequestId},
    request::Response,
    route::may_write,
};

/// Ids that are told at once: half a megabyte.
const IDS_PER_PAGE: usize = 16_384;

/// What is asked about packs.
#[derive(Clone, Debug)]
pub enum PackRequest {
    /// Begins a pack. → [`PackResponse::Plan`]
    Seal {
        /// Of which space.
        space: SpaceId,
    },
    /// Entries for a pack. → [`PackResponse::Entries`]
    Entries {
        /// Of which space.
        space: SpaceId,
        /// Which copy of the space was planned for.
        store: StoreEpoch,
        /// After which place.
        after: u64,
    },
    /// Ids of entries, for a folder. → [`PackResponse::Ids`]
    Ids {
        /// Of which space.
        space: SpaceId,
        /// Which copy of the space was planned for.
        store: StoreEpoch,
        /// After which place.
        after: u64,
    },
    /// Entries that a folder lacks. → [`PackResponse::Picked`]
    Pick {
        /// Of which space.
        space: SpaceId,
        /// Which, in the order in which they are wanted.
        entries: Vec<EntryId>,
    },
    /// The key of a pack. → [`PackResponse::Key`]
    Open {
        /// What the pack says of itself.
        header: Header,
    },
    /// Takes in attestations of a pack. → [`PackResponse::Done`]
    TakeAttestations {
        /// Their bytes.
        attestations: Vec<ByteBuf>,
    },
    /// Whether we are a member of the space, also by what a pack just brought.
    /// → [`PackResponse::Done`]
    Enter {
        /// Which.
        space: SpaceId,
    },
    /// Takes in entries of a pack; answers when they are durable. → [`PackResponse::Taken`]
    TakeEntries {
        /// Of which space.
        space: SpaceId,
        /// Their bytes.
        entries: Vec<Vec<u8>>,
    },
}

/// What is answered about packs.
#[derive(Clone, Debug)]
pub enum PackResponse {
    /// To [`PackRequest::Seal`].
    Plan(Plan),
    /// To [`PackRequest::Entries`]: place, id and bytes, in order of arrival.
    Entries(Vec<(u64, EntryId, Vec<u8>)>),
    /// To [`PackRequest::Ids`]: place and id, in order of arrival.
    Ids(Vec<(u64, EntryId)>),
    /// To [`PackRequest::Pick`]: those that are here, up to a megabyte and the one that goes
    /// beyond it.
    Picked(Vec<VerifiedEntry>),
    /// To [`PackRequest::Open`]; never leaves the process.
    Key(SealKey),
    /// To [`PackRequest::TakeEntries`].
    Taken(Carried),
    /// Done.
    Done,
}

/// What a pack begins with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it says of itself.
    pub header: Header,
    /// Its key; never leaves the process.
    pub key: SealKey,
    /// The attestations that concern the space: ids and bytes.
    pub attestations: Vec<([u8; 32], Vec<u8>)>,
    /// Which copy of the space this is.
    pub store: StoreEpoch,
    /// The place of the newest entry.
    pub upto: u64,
    /// Bytes of all entries.
    pub entry_bytes: u64,
}

/// Entries of packs under way.
#[derive(Debug, Default)]
pub(crate) struct Carrying {
    verifying: BTreeMap<JobId, (RequestId, SpaceId)>,
    staged: Vec<(RequestId, SpaceId, Carried)>,
}

impl Carrying {
    /// Whose entries they are, if they came in a pack.
    pub(crate) fn take(&mut self, job: JobId) -> Option<(RequestId, SpaceId)> {
        self.verifying.remove(&job)
    }
}

impl Node {
    pub(crate) fn serve_pack(&mut self, now: Now, id: RequestId, request: PackRequest) {
        let answer = match request {
            PackRequest::Seal { space } => self.plan_pack(space).map(PackResponse::Plan),
            PackRequest::Entries { space, store, after } => {
                self.pack_entries(space, store, after).map(PackResponse::Entries)
            }
            PackRequest::Ids { space, store, after } => {
                self.pack_ids(space, store, after).map(PackResponse::Ids)
            }
            PackRequest::Pick { space, entries } => {
                self.pick_entries(space, &entries).map(PackResponse::Picked)
            }
            PackRequest::Open { header } => self.open_pack(&header).map(PackResponse::Key),
            PackRequest::TakeAttestations { attestations } => {
                self.carry_attestations(now, &attestations).map(|()| PackResponse::Done)
            }
            PackRequest::Enter { space } => self.need_member(space).map(|()| PackResponse::Done),
            PackRequest::TakeEntries { space, entries } => match self.need_member(space) {
                Ok(()) => {
                    let job = self.sync.carry_in(entries);
                    self.carrying.verifying.insert(job, (id, space));
                    return;
                }
                Err(failure) => Err(failure),
            },
        };
        self.reply(id, answer.map(Response::Pack));
    }

    fn plan_pack(&mut self, space: SpaceId) -> Result<Plan, Failure> {
        self.need_member(space)?;
        let (header, key) = self.trust.seal_pack(self.entropy.as_mut(), space)?;
        let head = self.sync.head(space).ok_or(EngineError::NoSuchSpace)?;
        let bytes_of = |trust: &Trust, id| Some(trust.attestation(id)?.bytes().to_vec());
        let concerning = self.trust.concerning(space).into_iter();
        Ok(Plan {
            header,
            key,
            attestations: concerning
                .filter_map(|id| Some((id.0, bytes_of(&self.trust, id)?)))
                .collect(),
            store: head.epoch,
            upto: head.arrivals,
            entry_bytes: self.sync.stored_bytes(space),
        })
    }

    fn pack_entries(
        &self,
        space: SpaceId,
        store: StoreEpoch,
        after: u64,
    ) -> Result<Vec<(u64, EntryId, Vec<u8>)>, Failure> {
        self.need_copy(space, store)?;
        let page = (ENTRIES_PER_FRAME_MAX, ENTRIES_BYTES_FULL);
        let mut entries = Vec::new();
        for arrival in self.sync.arrivals(space, after, page)? {
            let entry = VerifiedEntry::from_storage(arrival.bytes).map_err(EngineError::Entry)?;
            entries.push((arrival.place, entry.id(), entry.bytes().to_vec()));
        }
        Ok(entries)
    }

    fn pack_ids(
        &self,
        space: SpaceId,
        store: StoreEpoch,
        after: u64,
    ) -> Result<Vec<(u64, EntryId)>, Failure> {
        self.need_copy(space, store)?;
        Ok(self.sync.ids(space, after, IDS_PER_PAGE)?)
    }

    fn pick_entries(
        &self,
        space: SpaceId,
        entries: &[EntryId],
    ) -> Result<Vec<VerifiedEntry>, Failure> {
        self.need_member(space)?;
        let picked = self.sync.pick(space, entries, ENTRIES_BYTES_FULL)?;
        let read = picked.into_iter().map(|(_, bytes)| VerifiedEntry::from_storage(bytes));
        Ok(read.collect::<Result<_, _>>().map_err(EngineError::Entry)?)
    }

    fn need_copy(&self, space: SpaceId, store: StoreEpoch) -> Result<(), Failure> {
        self.need_member(space)?;
        if self.sync.head(space).is_none_or(|head| head.epoch != store) {
            let message = "who may write in this space changed while it was packed";
            return Err(Failure::new(FailureKind::Conflict, message, "run the same command again"));
        }
        Ok(())
    }

    fn open_pack(&self, header: &Header) -> Result<SealKey, Failure> {
        if let Some(key) = self.trust.open_pack(header) {
            return Ok(key);
        }
        self.need_member(header.space)?;
        let message = "this pack was not made for this device: whoever made it did not know it, and \
                       can make a newer one";
        Err(Failure::refused(message, &Mend::Pack { space: self.space_word(header.space) }))
    }

    /// Packs are for members only, whatever their role.
    fn need_member(&self, space: SpaceId) -> Result<(), Failure> {
        if self.trust.standing_in(space).is_some() {
            return Ok(());
        }
        let message = "you are not a member of this pack's space; for that you need a ticket, which \
                       an admin of it makes: kith pair takes it here";
        let mend = Mend::Invite {
            space: Some(self.space_word(space)),
            role: Some(trust_core::Role::Reader),
        };
        Err(Failure::refused(message, &mend))
    }

    fn carry_attestations(&mut self, now: Now, attestations: &[ByteBuf]) -> Result<(), Failure> {
        let bytes = attestations.iter().map(|bytes| bytes.as_slice());
        let received = self.trust.receive(bytes, now.wall)?;
        for signer in &received.flooding {
            tracing::warn!(%signer, "says more than is kept of one");
        }
        if received.rejected > 0 {
            tracing::warn!(count = received.rejected, "bad attestations in a pack");
        }
        if !received.new.is_empty() {
            self.trust_changed(now);
        }
        Ok(())
    }

    /// The verdicts on entries of a pack.
    pub(crate) fn carried(
        &mut self,
        now: Now,
        (id, space): (RequestId, SpaceId),
        results: Vec<Result<VerifiedEntry, EntryError>>,
    ) {
        let trust = &mut self.trust;
        let mut may_write = |entry: &VerifiedEntry| may_write(trust, now, entry);
        match self.sync.on_carried(space, results, &mut may_write) {
            Ok(carried) => self.carrying.staged.push((id, space, carried)),
            Err(error) => self.reply(id, Err(error.into())),
        }
    }

    pub(crate) fn answer_carried(&mut self, flushed: &Flushed) {
        for (id, space, carried) in std::mem::take(&mut self.carrying.staged) {
            let answer = match flushed.result(space) {
                Ok(()) => Ok(Response::Pack(PackResponse::Taken(carried))),
                Err(error) => Err(error.into()),
            };
            self.reply(id, answer);
        }
    }
}
