//! What the node and its network transport say to each other.

use bytes::Bytes;
use node_model::{BlobId, DeviceId, limit::FRAME_BYTES_MAX};

/// One protocol's frames on a peer connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Pairing; open to everybody.
    Pair,
    /// Attestations; open to admitted peers.
    Trust,
    /// Entries; open to admitted peers.
    Sync,
    /// Words that are looked for; open to admitted peers.
    Search,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 4] = [Self::Pair, Self::Trust, Self::Sync, Self::Search];

    /// Its protocol name.
    #[must_use]
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Pair => "/kith/pair/1",
            Self::Trust => "/kith/trust/1",
            Self::Sync => "/kith/sync/1",
            Self::Search => "/kith/search/1",
        }
    }

    /// Largest frame in bytes; checked before anything is allocated.
    #[must_use]
    pub fn frame_bytes_max(self) -> usize {
        match self {
            // A handful of attestations of 1 KiB each.
            Self::Pair => 16 * 1024,
            Self::Trust | Self::Sync => FRAME_BYTES_MAX,
            // A hundred results with a piece of text each.
            Self::Search => 512 * 1024,
        }
    }

    /// Whether the lane is open to peers that are not admitted.
    #[must_use]
    pub fn is_public(self) -> bool {
        match self {
            Self::Pair => true,
            Self::Trust | Self::Sync | Self::Search => false,
        }
    }
}

/// The protocol by which blobs are fetched.
pub const BLOB_PROTOCOL: &str = "/kith/blob/1";

/// How a device is reached through another one's circuit.
const CIRCUIT_END: &str = "/p2p-circuit";

/// The address of a device that another one connects with its peers: a multiaddr
/// `/p2p/<through>/p2p-circuit`, which whoever is connected with `through` can dial,
/// wherever that one is (libp2p addressing specification, "Relay addresses").
#[must_use]
pub fn circuit_address(through: DeviceId) -> String {
    format!("/p2p/{through}{CIRCUIT_END}")
}

/// Through whom an address leads, if it is a [`circuit_address`].
#[must_use]
pub fn circuit_of(address: &str) -> Option<DeviceId> {
    address.strip_prefix("/p2p/")?.strip_suffix(CIRCUIT_END)?.parse().ok()
}

/// What the node asks of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetCommand {
    /// Connect to a device: directly if that can be, even if it is connected by a
    /// circuit; else by a circuit.
    Dial {
        /// Its key, which the other end must prove to hold.
        device: DeviceId,
        /// Multiaddrs without a peer id, and [`circuit_address`]es.
        addresses: Vec<String>,
    },
    /// Close all connections to a device.
    Disconnect {
        /// The device.
        device: DeviceId,
    },
    /// Open all lanes and the blob protocol to a device.
    Admit {
        /// The device.
        device: DeviceId,
    },
    /// Leave it nothing but pairing.
    Forbid {
        /// The device.
        device: DeviceId,
    },
    /// Send a frame; lost when there is no connection.
    Send {
        /// To whom.
        device: DeviceId,
        /// On which lane.
        lane: Lane,
        /// The frame.
        frame: Bytes,
    },
    /// Fetch blobs by verified ranges.
    Fetch {
        /// Names the job in events.
        job: u64,
        /// From whom.
        device: DeviceId,
        /// Which.
        blobs: Vec<BlobId>,
        /// How many bytes of them at most: one that does not fit ends the job.
        bytes_max: u64,
    },
    /// The answer to [`NetEvent::BlobsRequested`].
    Answer {
        /// Which request.
        request: u64,
        /// For each blob of the request, whether it may be provided.
        allowed: Vec<bool>,
    },
}

/// What the transport tells the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetEvent {
    /// The node can be reached here.
    Listening {
        /// A multiaddr without a peer id.
        address: String,
    },
    /// A device that is connected passes connections on to this node, or no longer does.
    Circuit {
        /// Who passes them on.
        through: DeviceId,
        /// Whether it does now.
        is_open: bool,
    },
    /// The first connection to a device exists.
    Connected {
        /// The device, authenticated.
        device: DeviceId,
        /// Its address; a [`circuit_address`] if it is not connected directly.
        address: String,
        /// Whether we dialled.
        outbound: bool,
    },
    /// What is sent to a device waits for it, or no longer does. It does not when it is
    /// disconnected.
    Congested {
        /// The device.
        device: DeviceId,
        /// Whether a frame has waited for longer than about a second.
        is_congested: bool,
    },
    /// The last connection to a device is gone.
    Disconnected {
        /// The device.
        device: DeviceId,
    },
    /// No address led to the device.
    DialFailed {
        /// The device.
        device: DeviceId,
        /// Why.
        reason: String,
    },
    /// A device was seen on the local network; unauthenticated.
    Discovered {
        /// Which it claims to be.
        device: DeviceId,
        /// Where.
        addresses: Vec<String>,
    },
    /// A frame arrived.
    Frame {
        /// From whom.
        device: DeviceId,
        /// On which lane.
        lane: Lane,
        /// The frame, within its lane's cap.
        frame: Bytes,
    },
    /// A device asks for blobs.
    BlobsRequested {
        /// Names the request in [`NetCommand::Answer`].
        request: u64,
        /// Who asks.
        device: DeviceId,
        /// For what.
        blobs: Vec<BlobId>,
    },
    /// A blob is complete and durable here.
    BlobFetched {
        /// Of which job.
        job: u64,
        /// Which.
        blob: BlobId,
        /// Its length.
        bytes: u64,
    },
    /// The provider does not have a blob, or does not say.
    BlobRefused {
        /// Of which job.
        job: u64,
        /// Which.
        blob: BlobId,
    },
    /// A blob is larger than the job may fetch.
    NoRoom {
        /// Of which job.
        job: u64,
        /// Which.
        blob: BlobId,
        /// Its length, as the provider says.
        bytes: u64,
    },
    /// A job is over; blobs of it that were neither fetched nor refused did not
    /// come.
    FetchEnded {
        /// Which.
        job: u64,
        /// What went wrong, if something did.
        error: Option<String>,
    },
}
