//! Peer ids, multiaddrs, and words for what goes wrong with them.

use std::{error::Error, io, net::IpAddr};

use libp2p::{
    Multiaddr, PeerId,
    core::transport::TransportError,
    multiaddr::Protocol,
    swarm::{ConnectionDenied, DialError},
};
use node_model::DeviceId;

/// Most addresses of a device that are tried or reported.
pub(crate) const ADDRESSES_MAX: usize = 16;

/// Identity multihash of a protobuf Ed25519 public key (libp2p peer-ids
/// specification); the key follows.
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The device behind a peer id, unless its key is of another kind.
pub(crate) fn device_of(peer: &PeerId) -> Option<DeviceId> {
    let bytes = peer.to_bytes();
    let key = bytes.strip_prefix(&PEER_ID_PREFIX)?;
    Some(DeviceId(key.try_into().ok()?))
}

/// The peer id of a device.
pub(crate) fn peer_of(device: &DeviceId) -> PeerId {
    PeerId::from_bytes(&[&PEER_ID_PREFIX[..], device.as_bytes()].concat())
        .expect("an identity multihash of 36 bytes is a peer id")
}

/// Host, port and kind of a multiaddr that we can listen on or dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    pub(crate) is_quic: bool,
}

impl Endpoint {
    fn is_near(&self) -> bool {
        match self.ip {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            IpAddr::V6(ip) => {
                ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
            }
        }
    }
}

/// Reads a multiaddr, with or without a peer id at its end.
///
/// # Errors
/// Says in plain words what is wrong.
pub(crate) fn parse(text: &str) -> Result<(Multiaddr, Endpoint), String> {
    let address: Multiaddr = text.parse().map_err(|error| {
        format!("it is not a multiaddr such as /ip4/192.0.2.1/tcp/4001 ({error})")
    })?;
    let address = without_peer(address);
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let endpoint = match parts.as_slice() {
        [host, Protocol::Tcp(port)] => {
            ip_of(host).map(|ip| Endpoint { ip, port: *port, is_quic: false })
        }
        [host, Protocol::Udp(port), Protocol::QuicV1] => {
            ip_of(host).map(|ip| Endpoint { ip, port: *port, is_quic: true })
        }
        _ => None,
    };
    let endpoint = endpoint.ok_or_else(|| {
        "only /ip4/…/tcp/…, /ip6/…/tcp/… and the same with /udp/…/quic-v1 are supported".to_owned()
    })?;
    Ok((address, endpoint))
}

fn ip_of(part: &Protocol<'_>) -> Option<IpAddr> {
    if let Protocol::Ip4(ip) = part {
        Some(IpAddr::V4(*ip))
    } else if let Protocol::Ip6(ip) = part {
        Some(IpAddr::V6(*ip))
    } else {
        None
    }
}

/// Whether others can use an address that we listen on: link-local IPv6
/// addresses mean nothing without the interface, which a multiaddr here lacks.
pub(crate) fn is_shareable(address: &Multiaddr) -> bool {
    !address.iter().any(|part| match ip_of(&part) {
        Some(IpAddr::V6(ip)) => ip.is_unicast_link_local(),
        Some(IpAddr::V4(_)) | None => false,
    })
}

/// Takes the peer id off the end.
pub(crate) fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// What can be dialled of `addresses`, best first: near ones over TCP, near ones
/// over QUIC (TCP costs less CPU where nothing is lost), then the others as they
/// come.
pub(crate) fn dial_order(addresses: &[String]) -> Vec<Multiaddr> {
    let mut dialable: Vec<(u8, Multiaddr)> = Vec::new();
    for text in addresses {
        let Ok((address, endpoint)) = parse(text) else {
            continue;
        };
        let is_known = dialable.iter().any(|(_, other)| *other == address);
        if is_known || endpoint.ip.is_unspecified() || endpoint.port == 0 {
            continue;
        }
        let rank = match (endpoint.is_near(), endpoint.is_quic) {
            (true, false) => 0,
            (true, true) => 1,
            (false, _) => 2,
        };
        dialable.push((rank, address));
        if dialable.len() == ADDRESSES_MAX {
            break;
        }
    }
    dialable.sort_by_key(|(rank, _)| *rank);
    dialable.into_iter().map(|(_, address)| address).collect()
}

/// Why a dial failed, for a person.
pub(crate) fn dial_words(error: &DialError) -> String {
    match error {
        DialError::LocalPeerId { .. } => "this node itself answers there".to_owned(),
        DialError::NoAddresses => "no address is known".to_owned(),
        DialError::DialPeerConditionFalse(_) => "it is already connected".to_owned(),
        DialError::Aborted => "the attempt was given up".to_owned(),
        DialError::WrongPeerId { obtained, .. } => {
            format!("the other end has a different key ({obtained})")
        }
        DialError::Denied { cause } => denied_words(cause),
        DialError::Transport(failures) => {
            failures.first().map_or_else(|| "no answer".to_owned(), |(_, error)| words_of(error))
        }
    }
}

fn denied_words(cause: &ConnectionDenied) -> String {
    format!("refused by this node: {}", chain(cause))
}

fn words_of(error: &TransportError<io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(_) => {
            "this kind of address is not supported".to_owned()
        }
        TransportError::Other(error) => plain(&chain(error)),
    }
}

/// Known system messages in plain words; anything else as it is.
pub(crate) fn plain(message: &str) -> String {
    let known = [
        ("refused", "connection refused: nothing listens there"),
        ("imeout", "timed out"),
        ("imed out", "timed out"),
        ("unreachable", "no way to that network from here"),
        ("No route to host", "no way to that machine from here"),
        ("in use", "the port is in use"),
        ("no reservation", "it is not connected there"),
        ("resource limit", "that device does not pass it on"),
    ];
    known
        .iter()
        .find(|(sign, _)| message.contains(sign))
        .map_or_else(|| message.to_owned(), |(_, words)| (*words).to_owned())
}

/// An error and what caused it. libp2p wraps system errors several times over,
/// and some wrappers print nothing of what they hold.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !words.contains(&text) {
            words.push(text);
        }
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;

    use super::*;

    #[test]
    fn a_device_is_its_peer_id() {
        let keypair = Keypair::ed25519_from_bytes([7; 32]).expect("a seed");
        let peer = keypair.public().to_peer_id();
        let device = device_of(&peer).expect("Ed25519");
        let public = keypair.public().try_into_ed25519().expect("Ed25519").to_bytes();
        assert_eq!(device, DeviceId(public));
        assert_eq!(peer_of(&device), peer);
        assert_eq!(device.to_string(), peer.to_string());
    }

    #[test]
    fn other_keys_are_no_device() {
        let hashed = libp2p::multihash::Multihash::wrap(0x12, &[1; 32]).expect("short");
        let peer = PeerId::from_multihash(hashed).expect("SHA-256 is allowed");
        assert_eq!(device_of(&peer), None);
    }

    #[test]
    fn near_tcp_is_dialled_first() {
        let given = [
            "/ip4/203.0.113.5/udp/4001/quic-v1",
            "/ip4/127.0.0.1/udp/4001/quic-v1",
            "/ip4/192.168.1.4/tcp/4001",
            "nonsense",
            "/ip4/127.0.0.1/tcp/0",
            "/dns4/example.org/tcp/1",
            "/ip4/192.168.1.4/tcp/4001",
        ]
        .map(str::to_owned);
        let order: Vec<String> = dial_order(&given).iter().map(ToString::to_string).collect();
        assert_eq!(
            order,
            [
                "/ip4/192.168.1.4/tcp/4001",
                "/ip4/127.0.0.1/udp/4001/quic-v1",
                "/ip4/203.0.113.5/udp/4001/quic-v1"
            ]
        );
    }

    #[test]
    fn addresses_are_capped_and_stripped() {
        let many: Vec<String> = (1..200).map(|n| format!("/ip4/10.0.0.1/tcp/{n}")).collect();
        assert_eq!(dial_order(&many).len(), ADDRESSES_MAX);
        let peer = peer_of(&DeviceId([3; 32]));
        let (address, _) = parse(&format!("/ip4/10.0.0.1/tcp/9/p2p/{peer}")).expect("fine");
        assert_eq!(address.to_string(), "/ip4/10.0.0.1/tcp/9");
    }

    #[test]
    fn link_local_ipv6_is_not_shared() {
        for (text, expected) in [
            ("/ip6/fe80::1/tcp/1", false),
            ("/ip6/fd00::1/tcp/1", true),
            ("/ip4/169.254.0.1/udp/1/quic-v1", true),
        ] {
            assert_eq!(is_shareable(&parse(text).expect("fine").0), expected, "{text}");
        }
    }

    #[test]
    fn wrapped_system_errors_are_found() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let wrapped = io::Error::other(io::Error::other(refused));
        assert!(plain(&chain(&wrapped)).starts_with("connection refused"));
    }
}
