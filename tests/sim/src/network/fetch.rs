//! Blobs on the simulated network: asking, being let, and having. Bytes do not move; a blob that
//! was fetched is durable.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use data_plane_core::net::NetEvent;
use node_model::{BlobId, DeviceId};

use super::{NetStep, Network};
use crate::world::{Event, Stage};

struct Fetch {
    from: usize,
    to: usize,
    job: u64,
    blobs: Vec<BlobId>,
    bytes_max: u64,
}

/// Fetches under way, and the blobs that each machine has on its disk.
pub(crate) struct Fetches {
    held: Vec<BTreeSet<BlobId>>,
    open: BTreeMap<u64, Fetch>,
    next: u64,
}

impl Fetches {
    pub(crate) fn new(machines: usize) -> Self {
        Self { held: vec![BTreeSet::new(); machines], open: BTreeMap::new(), next: 0 }
    }

    pub(crate) fn held(&self, machine: usize) -> &BTreeSet<BlobId> {
        &self.held[machine]
    }

    pub(crate) fn hold(&mut self, machine: usize, blob: BlobId) {
        self.held[machine].insert(blob);
    }

    /// The process that asked is gone.
    pub(crate) fn forget(&mut self, from: usize) {
        self.open.retain(|_, fetch| fetch.from != from);
    }
}

impl Network {
    pub(super) fn fetch(
        &mut self,
        stage: &mut Stage,
        from: usize,
        (job, device): (u64, DeviceId),
        (blobs, bytes_max): (Vec<BlobId>, u64),
    ) {
        let to = self.number_of(device).filter(|_| self.connection(from, device).is_some());
        let delay = self.latency_ms();
        let Some(to) = to else {
            let error = Some("not connected".to_owned());
            return self.tell_after(stage, delay, from, NetEvent::FetchEnded { job, error });
        };
        let request = self.fetches.next;
        self.fetches.next += 1;
        self.fetches.open.insert(request, Fetch { from, to, job, blobs, bytes_max });
        stage.agenda.after(delay, Event::Net(NetStep::Asked { request }));
    }

    pub(super) fn asked(&mut self, stage: &mut Stage, request: u64) {
        let Some(fetch) = self.fetches.open.get(&request) else { return };
        let (from, to, blobs) = (fetch.from, fetch.to, fetch.blobs.clone());
        let device = self.device(from);
        if !self.is_alive_between(from, to) {
            // The end of the connection ends the fetch.
            return;
        }
        if self.is_admitted(to, from) {
            self.tell(stage, to, NetEvent::BlobsRequested { request, device, blobs });
        } else {
            let provided = vec![false; blobs.len()];
            self.answered(stage, request, &provided);
        }
    }

    pub(super) fn answer(&mut self, stage: &mut Stage, by: usize, request: u64, allowed: &[bool]) {
        let Some(fetch) = self.fetches.open.get(&request).filter(|fetch| fetch.to == by) else {
            return;
        };
        let held = self.fetches.held(by);
        let provided =
            fetch.blobs.iter().zip(allowed).map(|(blob, may)| *may && held.contains(blob));
        let provided = provided.collect();
        let delay = self.latency_ms() + Duration::from_millis(20);
        stage.agenda.after(delay, Event::Net(NetStep::Answered { request, provided }));
    }

    pub(super) fn answered(&mut self, stage: &mut Stage, request: u64, provided: &[bool]) {
        let Some(fetch) = self.fetches.open.get(&request) else { return };
        if !self.is_alive_between(fetch.from, fetch.to) {
            return;
        }
        let Some(Fetch { from, job, blobs, bytes_max, .. }) = self.fetches.open.remove(&request)
        else {
            return;
        };
        // Each blob is a byte.
        let mut room = bytes_max;
        for (blob, is_provided) in blobs.into_iter().zip(provided) {
            if *is_provided && room == 0 {
                self.tell(stage, from, NetEvent::NoRoom { job, blob, bytes: 1 });
                break;
            }
            if *is_provided {
                room -= 1;
                self.fetches.hold(from, blob);
                self.tell(stage, from, NetEvent::BlobFetched { job, blob, bytes: 1 });
            } else {
                self.tell(stage, from, NetEvent::BlobRefused { job, blob });
            }
        }
        self.tell(stage, from, NetEvent::FetchEnded { job, error: None });
    }

    /// A connection ended: so do the fetches on it.
    pub(super) fn abort_fetches(&mut self, stage: &mut Stage, from: usize, to: usize) {
        let open = std::mem::take(&mut self.fetches.open);
        for (request, fetch) in open {
            if fetch.from == from && fetch.to == to {
                let error = Some("the connection was lost".to_owned());
                self.tell(stage, from, NetEvent::FetchEnded { job: fetch.job, error });
            } else {
                self.fetches.open.insert(request, fetch);
            }
        }
    }
}
