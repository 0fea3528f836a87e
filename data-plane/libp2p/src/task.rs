//! Tasks beside the swarm's: what each is for, and what follows when it ends.

use std::io;

use data_plane_core::net::{Lane, NetEvent};
use data_plane_store::exchange::{fetch::FetchError, provide::ProvideError};
use node_model::DeviceId;
use tokio::task::{self, AbortHandle, JoinError};

use crate::{
    lane::{Backlog, ReadError},
    swarm_task::SwarmTask,
};

/// What a spawned task is for.
pub(crate) enum Kind {
    Reader,
    Writer(Lane),
    Provider,
    Fetch(u64),
}

/// A spawned task.
pub(crate) struct Running {
    pub(crate) device: DeviceId,
    pub(crate) session: u64,
    pub(crate) kind: Kind,
}

/// How a spawned task ended.
pub(crate) enum Ended {
    Reader(Result<(), ReadError>),
    Writer(Result<(), (Backlog, io::Error)>),
    Provider(Result<(), ProvideError>),
    Fetch(Result<(), FetchError>),
}

impl SwarmTask {
    pub(crate) fn spawn(
        &mut self,
        device: DeviceId,
        kind: Kind,
        task: impl Future<Output = Ended> + Send + 'static,
    ) -> AbortHandle {
        let session = self.peers.get(&device).map_or(0, |peer| peer.session);
        let handle = self.tasks.spawn(task);
        self.running.insert(handle.id(), Running { device, session, kind });
        handle
    }

    pub(crate) fn on_ended(&mut self, ended: Result<(task::Id, Ended), JoinError>) {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, Ok(ended)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(Running { device, session, kind }) = self.running.remove(&id) else {
            return;
        };
        if let Err(error) = &ended
            && error.is_panic()
        {
            tracing::error!(%device, %error, "a stream's task panicked");
        }
        let peer = self.peers.get_mut(&device).filter(|peer| peer.session == session);
        let is_its_writer = match (peer, &kind) {
            (Some(peer), Kind::Writer(lane)) => peer.is_writer(*lane, id),
            (Some(peer), Kind::Reader | Kind::Provider | Kind::Fetch(_)) => {
                peer.forget(id);
                false
            }
            (None, _) => false,
        };
        self.on_task_ended(device, is_its_writer, kind, ended.ok());
        self.settle(device);
    }

    /// `ended` is `None` when the task was aborted. The peer, or its lane, may be
    /// another one by now.
    fn on_task_ended(
        &mut self,
        device: DeviceId,
        is_its_writer: bool,
        kind: Kind,
        ended: Option<Ended>,
    ) {
        if let Kind::Fetch(job) = kind {
            let error = match ended {
                Some(Ended::Fetch(result)) => result.err().map(|error| error.to_string()),
                _ => Some("it was stopped".to_owned()),
            };
            self.tell(NetEvent::FetchEnded { job, error });
            self.start_jobs(device);
        } else if let Kind::Writer(lane) = kind {
            let Some(Ended::Writer(result)) = ended else {
                return;
            };
            if is_its_writer {
                self.writer_ended(device, lane, result);
            }
        } else if let Some(Ended::Reader(Err(error))) = ended {
            tracing::debug!(%device, %error, "a lane's stream ended");
        } else if let Some(Ended::Provider(Err(error))) = ended {
            tracing::debug!(%device, %error, "a blob stream ended");
        }
    }
}
