//! What a transport needs to start, and what it then is.

use std::fmt;

use data_plane_core::net::{NetCommand, NetEvent};
use tokio::{sync::mpsc, task::JoinHandle};
use zeroize::Zeroizing;

/// How to start a transport.
pub struct NetConfig {
    /// Seed of the device's Ed25519 key; its public half is the peer id.
    pub secret: Zeroizing<[u8; 32]>,
    /// Multiaddrs to listen on, such as `/ip4/127.0.0.1/tcp/0` or
    /// `/ip4/0.0.0.0/udp/0/quic-v1`. Without any it is reached by circuits only.
    pub listen: Vec<String>,
    /// Whether to look for devices on the local network and be found there.
    pub mdns: bool,
    /// Whether to pass connections on among devices that are admitted.
    pub circuits: bool,
}

impl fmt::Debug for NetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetConfig")
            .field("listen", &self.listen)
            .field("mdns", &self.mdns)
            .field("circuits", &self.circuits)
            .finish_non_exhaustive()
    }
}

/// A running transport. It ends, and closes its connections, when all senders
/// of `commands` are gone.
#[derive(Debug)]
pub struct Network {
    /// What it shall do.
    pub commands: mpsc::Sender<NetCommand>,
    /// What happened.
    pub events: mpsc::Receiver<NetEvent>,
    /// Where it is told, for whoever has something to tell beside it.
    pub arriving: mpsc::Sender<NetEvent>,
    /// Where it can be reached: multiaddrs without a peer id. For `0.0.0.0` and
    /// `::` these are the addresses of the interfaces.
    pub listening: Vec<String>,
    /// The task that runs it.
    pub task: JoinHandle<()>,
}

/// Why a transport did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address that is not of a known form.
    #[error("cannot listen on {address:?}: {reason}")]
    BadAddress {
        /// The address as configured.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another program has the port.
    #[error(
        "cannot listen on {address}: another program uses this port, perhaps a second copy of this one"
    )]
    AddressInUse {
        /// The address as configured.
        address: String,
    },
    /// The system does not let us listen there.
    #[error(
        "cannot listen on {address}: the system does not permit it (ports below 1024 need special rights)"
    )]
    NotPermitted {
        /// The address as configured.
        address: String,
    },
    /// The address belongs to no interface of this machine.
    #[error("cannot listen on {address}: this machine does not have that address")]
    NotOurAddress {
        /// The address as configured.
        address: String,
    },
    /// Anything else about an address.
    #[error("cannot listen on {address}: {reason}")]
    Other {
        /// The address as configured.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The key or the encryption could not be set up.
    #[error("cannot set up the network: {reason}")]
    Setup {
        /// What went wrong.
        reason: String,
    },
}
