//! Requests of people and programs at this node.

use std::collections::BTreeSet;

use node_model::{BlobId, DocumentId, Now, SpaceId, limit::NAME_BYTES_MAX};
use sync_engine_core::{
    EngineError, SpaceCounts, content_document, json::Pointer, patch::PATCH_OPS_MAX, path_document,
};
use trust_core::{
    Reach, Role,
    history::{Anomaly, AnomalyKind},
};

use crate::{
    failure::{Failure, FailureKind},
    node::{Node, RequestId},
    request::{DocumentView, Identity, Request, Response, SpaceInfo, SpaceStatus, Status},
    write::write_documents,
};

/// Shortest beginning of an id that finds a thing.
pub(crate) const PREFIX_MIN: usize = 4;

impl Node {
    pub(crate) fn serve(&mut self, now: Now, id: RequestId, request: Request) {
        let answer = match request {
            Request::Pair { ticket, is_link } => {
                return self.accept_ticket(now, id, ticket, is_link);
            }
            Request::ConfirmPairing { device, is_same } => {
                return self.confirm_pairing(now, id, device, is_same);
            }
            Request::Sync { device, is_full } => return self.sync_now(now, id, device, is_full),
            Request::Pack(request) => return self.serve_pack(now, id, request),
            Request::Past(request) => return self.serve_past(now, id, request),
            Request::WriteDocuments { space, documents } => {
                return self.serve_write(now, id, space, |engine, writer| {
                    write_documents(engine, writer, space, documents)
                });
            }
            Request::SetValue { space, document, path, value } => {
                return self.serve_write(now, id, space, |engine, writer| {
                    let pointer = Pointer::parse(&path).map_err(EngineError::from)?;
                    engine.set(writer, space, document, (&pointer, &value))?;
                    Ok(vec![document])
                });
            }
            Request::Patch { space, document, operations } => {
                return self.serve_write(now, id, space, |engine, writer| {
                    if operations.len() > PATCH_OPS_MAX {
                        return Err(EngineError::TooLarge.into());
                    }
                    engine.patch(writer, space, document, &operations)?;
                    Ok(vec![document])
                });
            }
            Request::RemoveDocument { space, document } => {
                return self.serve_write(now, id, space, |engine, writer| {
                    engine.remove_document(writer, space, document)?;
                    Ok(vec![document])
                });
            }
            Request::Conflict(request) => return self.serve_conflict(now, id, request),
            Request::Search(request) => return self.serve_search(now, id, request),
            Request::IssueTicket { grant, is_for_own_device, lifetime } => {
                self.issue_ticket(now, (grant, is_for_own_device), lifetime)
            }
            Request::FoundSpace { name, reach, has_open_history } => {
                self.found_space(now, &name, (reach, has_open_history))
            }
            Request::Grant { space, party, role } => self.grant(now, space, party, role),
            Request::Revoke { space, party } => self.revoke(now, space, party),
            Request::Keep { space, part } => self.keep(space, part),
            Request::FindAgent { text } => self.find_agent(&text).map(Response::Agent),
            Request::Relations => Ok(Response::Relations(self.relations())),
            Request::Relate { agent, terms, lifetime } => self.relate(now, agent, terms, lifetime),
            Request::Part { agent } => self.part(now, agent),
            Request::Vouch { agent, text } => self.vouch(now, agent, &text),
            Request::Devices => Ok(Response::Devices(self.devices())),
            Request::DescribeDevice { device, change } => self.describe(now, device, &change),
            Request::Clusters => Ok(Response::Clusters(self.clusters())),
            Request::RevokeDevice { device } => self.revoke_device(now, device),
            Request::Why { text } => self.why(now, &text),
            Request::Doctor { of } => self.consult(now, of),
            Request::AddPeer { device, addresses } => Ok(self.add_peer(now, device, addresses)),
            Request::RemovePeer { device } => Ok(self.remove_peer(now, device)),
            Request::Identity => Ok(Response::Identity(self.identity())),
            Request::Status => self.status().map(Response::Status),
            Request::Pairings => Ok(Response::Pairings(self.pairings.shown())),
            Request::Spaces => Ok(Response::Spaces(self.space_infos())),
            Request::Offer(request) => self.serve_offer(request),
            Request::Circle(request) => self.serve_circle(now, request),
            Request::FindSpace { text } => self.find_space(&text).map(Response::Space),
            Request::Members { space } => self.members(space),
            Request::Custody { space } => self.custody(now, space),
            Request::Peers => Ok(Response::Peers(self.peers())),
            Request::ReadDocument { space, document } => self.read_document(space, document),
            Request::FindDocument { space, text, includes_removed } => {
                self.find_any_document(space, &text, includes_removed).map(Response::Found)
            }
            Request::Purge { space, names } => self.purge(now, space, &names),
            Request::Documents { space } => self.documents(space),
            Request::Changes { space, since } => self.changes(space, since.as_deref()),
            Request::Arrivals { space, since } => self.arrivals(space, since.as_deref()),
            Request::Unwritten { space, documents } => self.unwritten(space, documents),
            Request::LookAt { space, document } => self.look_at(space, document),
            Request::BlobSecret { space, is_write } => self.blob_secret(space, is_write),
            Request::Blobs { space } => self.blobs(space),
            Request::FindBlob { space, blob } => self.find_blob(space, blob),
            Request::Doorway(request) => self.serve_doorway(now, request),
        };
        self.reply(id, answer);
    }

    fn documents(&mut self, space: SpaceId) -> Result<Response, Failure> {
        self.need_role(space, Role::Reader)?;
        Ok(Response::Documents(self.sync.documents(space)?.values().cloned().collect()))
    }

    fn blob_secret(&self, space: SpaceId, is_write: bool) -> Result<Response, Failure> {
        let needed = if is_write { Role::Writer } else { Role::Reader };
        self.need_role(space, needed)?;
        let (_, _, keys) = self.trust.keyring().epochs(space).last().ok_or(EngineError::NoKey)?;
        Ok(Response::BlobSecret(keys.blobs.clone()))
    }

    fn blobs(&self, space: SpaceId) -> Result<Response, Failure> {
        self.need_role(space, Role::Custodian)?;
        Ok(Response::Blobs(self.data.blobs_of(space).collect()))
    }

    fn find_blob(&self, space: SpaceId, blob: BlobId) -> Result<Response, Failure> {
        self.need_role(space, Role::Reader)?;
        let found = self.data.blob_of(space, blob).map(|is_here| (blob, is_here));
        Ok(Response::Blobs(found.into_iter().collect()))
    }

    pub(crate) fn need_role(&self, space: SpaceId, needed: Role) -> Result<(), Failure> {
        if let Some(error) = self.sync.unopened().get(&space) {
            let failure = Failure::from(error.clone());
            let message = format!("the space {:?}: {}", self.space_name(space), failure.message);
            return Err(Failure { message, ..failure });
        }
        match self.trust.standing_in(space) {
            Some(role) if role.includes(needed) => Ok(()),
            Some(role) => {
                let why = format!("as a {role} of this space you may not do that; a {needed} may");
                Err(self.refused_in(space, &why, &self.our_grant(space, needed)))
            }
            None if !self.trust.spaces().any(|known| known == space) => {
                Err(Failure::no_such_space())
            }
            // What was received before stays theirs to read.
            None if Role::Reader.includes(needed) => Ok(()),
            None => {
                let why = "you are not a member of this space any more; what you have of it \
                           stays readable";
                Err(self.refused_in(space, why, &self.our_grant(space, needed)))
            }
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        let device = self.trust.device();
        let device_name =
            self.trust.graph().link(device, self.trust.agent()).map(|own| own.name.clone());
        Identity {
            device,
            agent: self.trust.agent(),
            name: self.trust.name_of(self.trust.agent()),
            device_name: device_name.unwrap_or_default(),
            listen: self.reachable_at(),
        }
    }

    fn status(&mut self) -> Result<Status, Failure> {
        let mut spaces = Vec::new();
        for info in self.space_infos() {
            let is_open = self.sync.has_space(info.space);
            let counts =
                if is_open { self.sync.counts(info.space)? } else { SpaceCounts::default() };
            let safe_entries = if is_open { self.safe_entries(info.space)? } else { 0 };
            let blobs: Vec<bool> = self.data.blobs_of(info.space).map(|(_, here)| here).collect();
            spaces.push(SpaceStatus {
                documents: counts.documents,
                entries: counts.entries,
                safe_entries,
                bytes: counts.bytes,
                blobs: blobs.len(),
                blobs_missing: blobs.iter().filter(|is_here| !**is_here).count(),
                state: self.space_state(info.space),
                progress: self.progress_of(info.space),
                partial_peers: self.partial_peers(info.space),
                info,
            });
        }
        // Whoever left a space is not told what follows: no wonder that it has gaps.
        let is_told = |it: &&Anomaly| {
            let space = SpaceId(it.scope.0);
            it.kind != AnomalyKind::Gap
                || !self.trust.graph().spaces.contains_key(&space)
                || self.trust.standing_in(space).is_some()
        };
        let told = self.trust.graph().anomalies.iter().filter(is_told);
        let forked = self.forked().into_iter().map(|device| (AnomalyKind::Fork, device));
        let anomalies: BTreeSet<_> = told.map(|it| (it.kind, it.signer)).chain(forked).collect();
        Ok(Status {
            identity: self.identity(),
            peers: self.peers(),
            spaces,
            blobs_wanted: self.data.wanted_count(),
            attestations: self.trust.attestation_count(),
            anomalies: anomalies.into_iter().collect(),
            compaction: self.compaction.counts(),
            collection: self.collection.counts,
        })
    }

    fn found_space(
        &mut self,
        now: Now,
        name: &str,
        (reach, has_open_history): (Reach, bool),
    ) -> Result<Response, Failure> {
        let name = name.trim();
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            let message = format!("a space's name has 1 to {NAME_BYTES_MAX} bytes");
            return Err(Failure::new(FailureKind::Invalid, message, "kith space new NAME"));
        }
        let entropy = self.entropy.as_mut();
        let space = self.trust.found_space(entropy, now.wall, name, reach, has_open_history)?;
        self.open_space(space)?;
        self.trust_changed(now);
        self.space_info(space).map(Response::Space).ok_or_else(Failure::no_such_space)
    }

    pub(crate) fn space_infos(&self) -> Vec<SpaceInfo> {
        let home = self.trust.home_space();
        self.trust.spaces().filter_map(|space| self.space_info_beside(space, home)).collect()
    }

    /// What people call a space.
    pub(crate) fn space_name(&self, space: SpaceId) -> String {
        self.trust.label_of(space).unwrap_or_else(|| {
            if self.trust.is_keeper(space) {
                format!("(sealed, of {})", self.founder_name(space))
            } else {
                "(sealed)".to_owned()
            }
        })
    }

    /// What people call whoever founded a space.
    pub(crate) fn founder_name(&self, space: SpaceId) -> String {
        let facts = self.trust.graph().spaces.get(&space);
        facts.map(|facts| self.trust.name_of(facts.founder)).unwrap_or_default()
    }

    pub(crate) fn space_info(&self, space: SpaceId) -> Option<SpaceInfo> {
        self.space_info_beside(space, self.trust.home_space())
    }

    fn space_info_beside(&self, space: SpaceId, home: Option<SpaceId>) -> Option<SpaceInfo> {
        let facts = self.trust.graph().spaces.get(&space)?;
        Some(SpaceInfo {
            space,
            name: self.space_name(space),
            reach: facts.reach,
            role: self.trust.standing_in(space),
            members: facts.members.len(),
            is_home: home == Some(space),
            kept_for: self.trust.is_keeper(space).then(|| self.founder_name(space)),
            part: self.part_info(space),
            is_circle: self.trust.is_circle(space),
        })
    }

    pub(crate) fn find_space(&self, text: &str) -> Result<SpaceInfo, Failure> {
        let infos = self.space_infos();
        if let Ok(space) = text.parse::<SpaceId>() {
            let found = infos.into_iter().find(|info| info.space == space);
            return found.ok_or_else(Failure::no_such_space);
        }
        let named: Vec<_> = infos.iter().filter(|info| info.name == text).collect();
        let begins = |info: &&SpaceInfo| {
            text.len() >= PREFIX_MIN && info.space.to_string().starts_with(text)
        };
        let found = if named.is_empty() { infos.iter().filter(begins).collect() } else { named };
        // A circle is meant only where no space is.
        let (circles, spaces): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| it.is_circle);
        let found = if spaces.is_empty() { circles } else { spaces };
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => {
                let message = format!("there is no space {text:?} here");
                Err(Failure::new(FailureKind::NotFound, message, "kith space list"))
            }
            [_, ..] => {
                let message = format!("{} spaces are called {text:?}; use the id", found.len());
                Err(Failure::new(FailureKind::Invalid, message, "kith space list"))
            }
        }
    }

    fn read_document(&mut self, space: SpaceId, document: DocumentId) -> Result<Response, Failure> {
        self.need_role(space, Role::Reader)?;
        let durability = Some(self.durability(space, document)?);
        let loaded = self.sync.document(space, document)?;
        Ok(Response::Document(DocumentView {
            document,
            durability,
            heads: loaded.heads(),
            meta: loaded.meta(),
            value: loaded.value(),
            refused: loaded.refused().len(),
        }))
    }

    pub(crate) fn find_document(
        &mut self,
        space: SpaceId,
        text: &str,
    ) -> Result<DocumentId, Failure> {
        self.need_role(space, Role::Reader)?;
        let derived = [content_document(space, text), path_document(space, text)];
        for document in text.parse().into_iter().chain(derived) {
            if self.sync.document(space, document).is_ok() {
                return Ok(document);
            }
        }
        let found: BTreeSet<DocumentId> = self
            .sync
            .documents(space)?
            .values()
            .filter(|summary| {
                summary.content_id.as_deref() == Some(text)
                    || summary.path.as_deref() == Some(text)
                    || (text.len() >= PREFIX_MIN && summary.document.to_string().starts_with(text))
            })
            .map(|summary| summary.document)
            .collect();
        match found.len() {
            1 => found.first().copied().ok_or_else(|| EngineError::NoSuchDocument.into()),
            0 => Err(EngineError::NoSuchDocument.into()),
            count => {
                let message = format!("{count} documents are called {text:?}; use the id");
                Err(Failure::new(FailureKind::Invalid, message, "kith doc list SPACE"))
            }
        }
    }
}
