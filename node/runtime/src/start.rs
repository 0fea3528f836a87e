//! Puts a node together on a data directory.

use std::{path::PathBuf, time::Duration};

use data_plane_store::{BlobError, Blobs, exchange::provide::Questions};
use node_core::{Config, Failure, FailureKind, Input, Node, compaction::BUNDLE_FROM_CHANGES};
use tokio::{sync::broadcast, sync::mpsc, sync::oneshot, task::JoinHandle};
use trust_core::{TrustError, keyring::DeviceKeys, ledger::LedgerError};
use trust_embedded::EmbeddedLedger;
use zeroize::Zeroizing;

use crate::{
    audit,
    clock::Clock,
    driver::{self, Call, Channels, STOP_MAX, VERDICTS_MAX},
    entropy::OsEntropy,
    folder::Folders,
    handle::{Handle, Shared},
    loader,
    search::{self, Indexing, PEER_QUESTIONS_MAX, SearchConfig},
    storage::{SPACES, SpacesFolder},
    visit::{Turnstile, VisitBlobs},
};

/// Calls that may wait.
const CALLS_MAX: usize = 256;

/// Events that a slow listener may miss last.
const EVENTS_MAX: usize = 1_024;

/// How a node reaches others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// Not at all.
    None,
    /// By libp2p.
    Listen {
        /// Multiaddrs to listen on; port 0 picks a free one. Without any, others come only
        /// by circuits.
        addresses: Vec<String>,
        /// Whether to announce itself on the local network.
        mdns: bool,
        /// Whether to pass connections on among the people it knows.
        circuits: bool,
    },
}

/// What a node needs to start.
pub struct StartConfig {
    /// Where everything lives.
    pub data_dir: PathBuf,
    /// The keys.
    pub keys: DeviceKeys,
    /// What the agent wants to be called; used when the identity is new.
    pub agent_name: String,
    /// What the device is called; used when the identity is new.
    pub device_name: String,
    /// How often to compare with every connected peer even if nothing was heard.
    pub sync_interval: Duration,
    /// How it reaches others.
    pub network: Network,
    /// When it keeps what `search` needs up to date.
    pub indexing: Indexing,
}

/// Why a node did not start. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The ledger.
    #[error("{}: {error}", file.display())]
    Ledger {
        /// Where it is.
        file: PathBuf,
        /// Why.
        error: LedgerError,
    },
    /// The ledger's content.
    #[error("{}: {error}", file.display())]
    Open {
        /// Where it is.
        file: PathBuf,
        /// Why.
        error: TrustError,
    },
    /// The blobs.
    #[error("the blob store in {}: {error}", folder.display())]
    Blobs {
        /// Where it is.
        folder: PathBuf,
        /// Why.
        error: BlobError,
    },
    /// The network.
    #[error(transparent)]
    Network(#[from] data_plane_libp2p::StartError),
    /// The folder.
    #[error("the data directory cannot be used: {0}")]
    Folder(#[from] std::io::Error),
    /// Something stopped before it began.
    #[error("the node stopped while it was starting")]
    Stopped,
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let message = error.to_string();
        match error {
            StartError::Ledger { error, .. } => {
                Self { message, ..TrustError::Ledger(error).into() }
            }
            StartError::Open { error, .. } => Self { message, ..error.into() },
            StartError::Blobs { error: BlobError::Full, .. } => {
                Self::new(FailureKind::DiskFull, message, "free some space and try again")
            }
            StartError::Blobs { error: BlobError::Newer { .. }, .. } => {
                Self::new(FailureKind::Storage, message, "install the newest kith")
            }
            StartError::Blobs { .. } => Self::new(
                FailureKind::Storage,
                message,
                "look at the disk and its permissions, or restore the data directory from a backup",
            ),
            StartError::Network(_) => {
                Self::new(FailureKind::Unreachable, message, "kith up --listen ADDRESS")
            }
            StartError::Folder(_) => Self::new(
                FailureKind::Storage,
                message,
                "look at the disk and its permissions, then try again",
            ),
            StartError::Stopped => Self::new(FailureKind::Storage, message, "kith up -v"),
        }
    }
}

/// A running node.
pub struct Started {
    /// Talks to it.
    pub handle: Handle,
    /// Multiaddrs that it listens on.
    pub listening: Vec<String>,
    calls: mpsc::Sender<Call>,
    driver: std::thread::JoinHandle<()>,
    search: search::Running,
    audit: audit::Running,
    network: JoinHandle<()>,
    blobs: Blobs,
}

impl Started {
    /// Stops the node and closes its stores.
    pub async fn stop(self) {
        self.handle.folders().stop().await;
        self.search.inbox.stop();
        let (stopped, has_stopped) = oneshot::channel();
        let stop = async {
            if self.calls.send(Call::Stop { stopped }).await.is_ok() {
                // A driver that is gone has stopped, too.
                let _ = has_stopped.await;
            }
        };
        if tokio::time::timeout(STOP_MAX, stop).await.is_err() {
            tracing::warn!("the node did not stop in time");
            return;
        }
        let driver = self.driver;
        // A panic of the driver was logged when it happened.
        let _ = tokio::task::spawn_blocking(move || driver.join()).await;
        self.search.inbox.end();
        if tokio::time::timeout(STOP_MAX, self.search.has_ended).await.is_err() {
            tracing::warn!("the search index was not saved in time; what is missing is made anew");
        }
        if tokio::time::timeout(STOP_MAX, self.network).await.is_err() {
            tracing::warn!("the network did not close in time");
        }
        self.blobs.close().await;
        self.audit.stop().await;
    }
}

/// Starts a node.
///
/// # Errors
/// [`StartError`].
pub async fn start(config: StartConfig) -> Result<Started, StartError> {
    let clock = Clock::start();
    let spool = config.data_dir.join("spool");
    std::fs::create_dir_all(&spool)?;
    let secret = Zeroizing::new(*config.keys.device.secret());
    let (data_dir, network) = (config.data_dir.clone(), config.network.clone());
    let (log, audit) = audit::start(data_dir.clone(), clock)?;
    let views = config.data_dir.join("views");
    std::fs::create_dir_all(&views)?;
    let search = SearchConfig {
        indexing: config.indexing,
        file: views.join("search"),
        key: config.keys.local_seal(),
        clock,
    };
    let folders = Folders::open(&data_dir, config.keys.local_seal(), clock);
    // The stores open side by side; both read whole databases.
    let opening = tokio::task::spawn_blocking(move || open(config, clock));
    let folder = data_dir.join("blobs");
    let unusable = |error| StartError::Blobs { folder: folder.clone(), error };
    let blobs = Blobs::open(&folder).await.map_err(unusable)?;
    let held = blobs.list().await.map_err(unusable)?.into_iter().collect();
    let mut node = opening.await.map_err(|_| StartError::Stopped)??;
    node.handle(clock.now(), Input::BlobsHeld(held));

    let (calls, received) = mpsc::channel(CALLS_MAX);
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let links = connect(network, secret, blobs.clone()).await?;
    let (desk, search) = search::start(search, calls.downgrade())?;
    let questions = Questions::apart(links.arriving.clone());
    let visit_blobs = VisitBlobs::new(links.arriving, questions.clone());
    let (librarian, asked) = mpsc::channel(PEER_QUESTIONS_MAX);
    let (verdicts, verified) = mpsc::channel(VERDICTS_MAX);
    let channels = Channels {
        librarian,
        questions,
        calls: received,
        commands: links.commands,
        arrivals: links.arrivals,
        events: events.clone(),
        search: search.inbox.clone(),
        audit: log.clone(),
        workers: tokio::runtime::Handle::current(),
        loader: loader::start(verdicts.clone())?,
        verdicts,
        verified,
    };
    let runtime = tokio::runtime::Handle::current();
    let driver = std::thread::Builder::new()
        .name("kith-node".to_owned())
        .spawn(move || runtime.block_on(driver::run(node, clock, channels)))?;
    let handle = Handle::new(Shared {
        calls: calls.clone(),
        events,
        blobs: blobs.clone(),
        spool,
        search: desk,
        audit: log,
        folders,
        turnstile: Turnstile::default(),
        visit_blobs,
        clock,
    });
    tokio::spawn(search::answer_peers(handle.downgrade(), asked));
    let (listening, network) = (links.listening, links.task);
    Ok(Started { handle, listening, calls, driver, search, audit, network, blobs })
}

fn open(config: StartConfig, clock: Clock) -> Result<Node, StartError> {
    let (trust, spaces) = (config.data_dir.join("trust.db"), config.data_dir.join(SPACES));
    let ledger = EmbeddedLedger::open(&trust, None)
        .map_err(|error| StartError::Ledger { file: trust.clone(), error })?;
    let storage = SpacesFolder::new(spaces.clone());
    let core = Config {
        agent_name: config.agent_name,
        device_name: config.device_name,
        sync_interval: config.sync_interval,
        bundle_from_changes: BUNDLE_FROM_CHANGES,
        large_from_bytes: sync_engine_core::LARGE_FROM_BYTES,
    };
    let entropy = Box::new(OsEntropy);
    let opened =
        Node::open(core, config.keys, Box::new(ledger), Box::new(storage), entropy, clock.now());
    opened.map_err(|error| StartError::Open { file: trust, error })
}

/// The two ends towards the network.
struct Links {
    commands: mpsc::Sender<data_plane_core::net::NetCommand>,
    arrivals: mpsc::Receiver<data_plane_core::net::NetEvent>,
    /// For whoever tells of blobs that came in another way.
    arriving: mpsc::Sender<data_plane_core::net::NetEvent>,
    listening: Vec<String>,
    task: JoinHandle<()>,
}

async fn connect(
    network: Network,
    secret: Zeroizing<[u8; 32]>,
    blobs: Blobs,
) -> Result<Links, StartError> {
    match network {
        Network::Listen { addresses, mdns, circuits } => {
            let config = data_plane_libp2p::NetConfig { secret, listen: addresses, mdns, circuits };
            let network = data_plane_libp2p::start(config, blobs).await?;
            Ok(Links {
                commands: network.commands,
                arrivals: network.events,
                arriving: network.arriving,
                listening: network.listening,
                task: network.task,
            })
        }
        Network::None => {
            let (commands, received) = mpsc::channel(CALLS_MAX);
            let (events, arrivals) = mpsc::channel(CALLS_MAX);
            let arriving = events.clone();
            let task = tokio::spawn(driver::no_network(received, events));
            Ok(Links { commands, arrivals, arriving, listening: vec![], task })
        }
    }
}
