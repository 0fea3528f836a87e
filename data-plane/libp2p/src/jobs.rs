//! Fetch jobs: how many run at a time, and how each ends.

use data_plane_core::net::NetEvent;
use data_plane_store::exchange::fetch::{self, Fetch, Job};
use libp2p::Stream;
use node_model::DeviceId;
use tokio_util::compat::FuturesAsyncReadCompatExt;

use crate::{
    swarm_task::{Purpose, SwarmTask},
    task::{Ended, Kind},
};

/// Jobs from one peer at a time.
const FETCHES_MAX: usize = 8;

/// Jobs from one peer that may wait.
const QUEUED_MAX: usize = 1_024;

impl SwarmTask {
    pub(crate) fn fetch(&mut self, device: DeviceId, job: Job) {
        let Some(peer) = self.peers.get_mut(&device).filter(|peer| peer.is_here()) else {
            self.end_jobs(vec![job.id], "the device is not connected");
            return;
        };
        if job.list.is_empty() {
            self.tell(NetEvent::FetchEnded { job: job.id, error: None });
        } else if peer.queued.len() >= QUEUED_MAX {
            self.end_jobs(vec![job.id], "too many jobs wait for this device");
        } else {
            peer.queued.push_back(job);
            self.start_jobs(device);
        }
    }

    pub(crate) fn start_jobs(&mut self, device: DeviceId) {
        while let Some(peer) = self.peers.get_mut(&device).filter(|peer| peer.is_here()) {
            if peer.fetches.len() >= FETCHES_MAX {
                return;
            }
            let Some(job) = peer.queued.pop_front() else {
                return;
            };
            peer.fetches.insert(job.id, None);
            let session = peer.session;
            self.open(device, session, Purpose::Fetch(job));
        }
    }

    pub(crate) fn start_fetch(&mut self, device: DeviceId, job: Job, stream: Stream) {
        let id = job.id;
        let Some(None) = self.peers.get(&device).and_then(|peer| peer.fetches.get(&id)) else {
            return;
        };
        let (blobs, events) = (self.blobs.clone(), self.events.clone());
        let fetch = Fetch { job, device, blobs, events };
        let fetch = async move { Ended::Fetch(fetch::run(stream.compat(), fetch).await) };
        let fetch = self.spawn(device, Kind::Fetch(id), fetch);
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.fetches.insert(id, Some(fetch));
        }
    }

    pub(crate) fn end_jobs(&mut self, jobs: Vec<u64>, reason: &str) {
        for job in jobs {
            self.tell(NetEvent::FetchEnded { job, error: Some(reason.to_owned()) });
        }
    }
}
