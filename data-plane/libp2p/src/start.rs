//! Starting a transport.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use data_plane_core::net::NetEvent;
use data_plane_store::Blobs;
use futures::StreamExt;
use libp2p::{
    Multiaddr, Swarm, SwarmBuilder,
    connection_limits::{self, ConnectionLimits},
    core::{transport::ListenerId, upgrade},
    identity::Keypair,
    mdns, ping,
    swarm::{SwarmEvent, behaviour::toggle::Toggle},
    tcp, tls,
};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    address::{Endpoint, chain, is_shareable, parse, plain, without_peer},
    behaviour::{Behaviour, BehaviourEvent, Streams},
    circuit::{self, Admitted},
    config::{NetConfig, Network, StartError},
    muxer,
    swarm_task::SwarmTask,
};

/// Commands that may wait for the transport.
const COMMANDS_MAX: usize = 64;

/// Events that may wait for the node; each may be a frame of megabytes.
const EVENTS_MAX: usize = 32;

/// How long one address may take to answer a dial, encryption included.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How often a connection is checked. Two of these and a timeout are how long a
/// vanished peer counts as connected.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// How long an answer to a check may take: it shares the way with bulk data.
const PING_MAX: Duration = Duration::from_secs(30);

/// Connections: a device reconnects before we notice that it was gone, and may
/// come over TCP and QUIC at once.
const CONNECTIONS_PER_PEER_MAX: u32 = 4;

/// Connections in all; each costs some 100 KiB.
const CONNECTIONS_MAX: u32 = 256;

/// Connections that are being set up, in each direction.
const PENDING_MAX: u32 = 64;

/// Streams that a connection may be negotiating at a time.
const NEGOTIATING_MAX: usize = 32;

/// How long listening may take, and how long the list of interfaces must have
/// been quiet to be complete.
const LISTEN_MAX: Duration = Duration::from_secs(5);
const INTERFACES_QUIET: Duration = Duration::from_millis(150);

/// Starts a transport and waits until it listens on every address.
///
/// # Errors
/// [`StartError`] when it cannot listen on one of them.
pub async fn start(config: NetConfig, blobs: Blobs) -> Result<Network, StartError> {
    let mut addresses = Vec::new();
    for text in &config.listen {
        let (address, endpoint) = parse(text).map_err(|reason| StartError::BadAddress {
            address: text.chars().take(200).collect(),
            reason,
        })?;
        addresses.push((address, endpoint));
    }
    for (address, endpoint) in &addresses {
        probe(*endpoint).map_err(|error| refused(address, &error))?;
    }
    let admitted = Admitted::default();
    let mut swarm = build(&config, &admitted)?;
    let (listening, early) = listen(&mut swarm, addresses).await?;
    let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let arriving = sender.clone();
    let mut task = SwarmTask::new(swarm, commanded, sender, blobs, admitted);
    for address in &listening {
        task.tell(NetEvent::Listening { address: address.clone() });
    }
    for event in early {
        task.on_swarm(event);
    }
    let task = tokio::spawn(task.run());
    Ok(Network { commands, events, arriving, listening, task })
}

/// libp2p shares its TCP ports with whoever wants to, so that two nodes could
/// listen on one port and each get half of the connections. A plain socket finds
/// out.
fn probe(endpoint: Endpoint) -> io::Result<()> {
    if endpoint.port == 0 {
        return Ok(());
    }
    // A plain `::` would claim the IPv4 port as well.
    let ip = if endpoint.ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        IpAddr::V6(Ipv6Addr::LOCALHOST)
    } else {
        endpoint.ip
    };
    let address = SocketAddr::new(ip, endpoint.port);
    let found = if endpoint.is_quic {
        UdpSocket::bind(address).map(drop)
    } else {
        TcpListener::bind(address).map(drop)
    };
    // Where there is no IPv6, listening will say so.
    found.or_else(|error| if ip == endpoint.ip { Err(error) } else { in_use_only(error) })
}

fn in_use_only(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::AddrInUse { Err(error) } else { Ok(()) }
}

fn refused(address: &Multiaddr, error: &io::Error) -> StartError {
    let address = address.to_string();
    let kind = error.kind();
    if kind == io::ErrorKind::AddrInUse {
        StartError::AddressInUse { address }
    } else if kind == io::ErrorKind::PermissionDenied {
        StartError::NotPermitted { address }
    } else if kind == io::ErrorKind::AddrNotAvailable {
        StartError::NotOurAddress { address }
    } else {
        StartError::Other { address, reason: plain(&chain(error)) }
    }
}

fn setup(error: &(dyn std::error::Error + 'static)) -> StartError {
    StartError::Setup { reason: chain(error) }
}

fn build(config: &NetConfig, admitted: &Admitted) -> Result<Swarm<Behaviour>, StartError> {
    // `ed25519_from_bytes` wipes what it is given.
    let mut seed = config.secret.clone();
    let keypair = Keypair::ed25519_from_bytes(&mut seed[..]).map_err(|error| setup(&error))?;
    let local = keypair.public().to_peer_id();
    let mdns = config.mdns.then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), local));
    let mdns = mdns.and_then(|mdns| {
        mdns.inspect_err(|error| tracing::warn!(%error, "cannot look around the local network"))
            .ok()
    });
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_MAX))
        .with_max_pending_outgoing(Some(PENDING_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX))
        .with_max_established(Some(CONNECTIONS_MAX));
    let behaviour = |circuits| Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        streams: Streams::default(),
        ping: ping::Behaviour::new(
            ping::Config::new().with_interval(PING_INTERVAL).with_timeout(PING_MAX),
        ),
        circuits,
        passing_on: circuit::behaviour(local, config.circuits, admitted),
        mdns: Toggle::from(mdns),
    };
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), tls::Config::new, muxer::Upgrade::new)
        .map_err(|error| setup(&error))?
        .with_quic()
        .with_relay_client(tls::Config::new, muxer::Upgrade::new)
        .map_err(|error| setup(&error))?
        .with_behaviour(|_, circuits| behaviour(circuits))
        .map_err(|error| setup(&error))?
        .with_swarm_config(|config| {
            let config = config.with_max_negotiating_inbound_streams(NEGOTIATING_MAX);
            // What a stream is for and what it has to say go together, instead of a round trip
            // apart: nodes know what their peers speak.
            config.with_substream_upgrade_protocol_override(upgrade::Version::V1Lazy)
        })
        .with_connection_timeout(CONNECT_MAX)
        .build();
    Ok(swarm)
}

type Event = SwarmEvent<BehaviourEvent>;

/// Where the swarm listens, and what else happened meanwhile.
async fn listen(
    swarm: &mut Swarm<Behaviour>,
    addresses: Vec<(Multiaddr, Endpoint)>,
) -> Result<(Vec<String>, Vec<Event>), StartError> {
    let has_wildcard = addresses.iter().any(|(_, endpoint)| endpoint.ip.is_unspecified());
    let mut waiting: Vec<(ListenerId, Multiaddr)> = Vec::new();
    for (address, _) in addresses {
        let listener = swarm.listen_on(address.clone());
        let listener = listener.map_err(|error| refused_by_libp2p(&address, &chain(&error)))?;
        waiting.push((listener, address));
    }
    let mut listening: Vec<String> = Vec::new();
    let mut early = Vec::new();
    while !waiting.is_empty() || has_wildcard {
        let patience = if waiting.is_empty() { INTERFACES_QUIET } else { LISTEN_MAX };
        let Ok(event) = timeout(patience, swarm.select_next_some()).await else {
            break;
        };
        if let SwarmEvent::NewListenAddr { listener_id, address } = event {
            waiting.retain(|(listener, _)| *listener != listener_id);
            let is_useful = is_shareable(&address);
            if is_useful {
                swarm.add_external_address(address.clone());
            }
            let address = without_peer(address).to_string();
            if is_useful && !listening.contains(&address) {
                listening.push(address);
            }
        } else if let SwarmEvent::ListenerClosed { listener_id, reason, .. } = event {
            let closed = waiting.iter().find(|(listener, _)| *listener == listener_id);
            if let Some((_, address)) = closed {
                let reason = reason.err().map_or_else(String::new, |error| chain(&error));
                return Err(refused_by_libp2p(address, &reason));
            }
        } else {
            early.push(event);
        }
    }
    if let Some((_, address)) = waiting.into_iter().next() {
        let reason = "the system did not say in time that it listens".to_owned();
        return Err(StartError::Other { address: address.to_string(), reason });
    }
    Ok((listening, early))
}

/// libp2p passes system errors on as text.
fn refused_by_libp2p(address: &Multiaddr, reason: &str) -> StartError {
    let address = address.to_string();
    if reason.contains("in use") {
        StartError::AddressInUse { address }
    } else if reason.contains("ermission denied") {
        StartError::NotPermitted { address }
    } else if reason.contains("assign requested address") {
        StartError::NotOurAddress { address }
    } else {
        StartError::Other { address, reason: reason.to_owned() }
    }
}
