//! Starting, dialling and ending.

use std::{net::TcpListener, time::Duration};

use bytes::Bytes;
use data_plane_core::net::{Lane, NetCommand, NetEvent};
use data_plane_libp2p::StartError;

use crate::node::{Node, Transport, dial_reason, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_used_port_is_named() {
    let used = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = format!("/ip4/127.0.0.1/tcp/{}", used.local_addr().expect("bound").port());
    let error = Node::failure(&[&address]).await;
    assert!(matches!(&error, StartError::AddressInUse { address: named } if *named == address));
    assert!(error.to_string().contains(&address));
    // Another node counts too, though libp2p would share the port with it.
    for transport in [Transport::Tcp, Transport::Quic] {
        let other = Node::start(2, transport).await;
        let address = other.network.listening[0].clone();
        let error = Node::failure(&[&address]).await;
        assert!(matches!(error, StartError::AddressInUse { address: named } if named == address));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_addresses_are_named() {
    let error = Node::failure(&["localhost:80"]).await;
    assert!(matches!(&error, StartError::BadAddress { address, .. } if address == "localhost:80"));
    let error = Node::failure(&["/ip4/203.0.113.9/tcp/4001"]).await;
    assert!(matches!(&error, StartError::NotOurAddress { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wildcards_become_interface_addresses() {
    let node = Node::try_start(1, &["/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1"]).await;
    let listening = node.expect("it starts").network.listening;
    assert!(listening.iter().any(|address| address.starts_with("/ip4/127.0.0.1/tcp/")));
    assert!(listening.iter().any(|address| address.ends_with("/quic-v1")));
    assert!(listening.iter().all(|address| !address.contains("0.0.0.0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transport_without_a_node_ends() {
    let (a, mut b) = Node::connected_pair(Transport::Tcp).await;
    drop(a.network.commands);
    soon(a.network.task).await.expect("no panic");
    let gone = b.event(|event| matches!(event, NetEvent::Disconnected { .. })).await;
    assert_eq!(gone, NetEvent::Disconnected { device: a.device });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_named() {
    for transport in [Transport::Tcp, Transport::Quic] {
        let mut a = Node::start(1, transport).await;
        let b = Node::start(2, transport).await;
        let stranger = Node::device_of(9);
        a.dial(stranger, &b.network.listening).await;
        let reason = dial_reason(&mut a, stranger).await;
        assert!(reason.contains("the other end has a different key"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_addresses_are_explained() {
    let mut a = Node::start(1, Transport::Tcp).await;
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = free.local_addr().expect("bound").port();
    drop(free);
    let device = Node::device_of(9);
    a.dial(device, &[format!("/ip4/127.0.0.1/tcp/{port}")]).await;
    let reason = dial_reason(&mut a, device).await;
    assert!(reason.contains("connection refused"), "{reason}");
    a.dial(device, &["/dns4/example.org/tcp/1".to_owned(), "nonsense".to_owned()]).await;
    let reason = dial_reason(&mut a, device).await;
    assert!(reason.contains("none of its addresses"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_device_is_found_behind_wrong_addresses() {
    let mut a = Node::start(1, Transport::Tcp).await;
    let stranger = Node::start(2, Transport::Tcp).await;
    let b = Node::start(3, Transport::Tcp).await;
    let addresses = [&stranger.network.listening[..], &b.network.listening].concat();
    a.dial(b.device, &addresses).await;
    let connected = a.event(|event| matches!(event, NetEvent::Connected { .. })).await;
    assert!(matches!(
        connected,
        NetEvent::Connected { device, address, outbound: true }
            if device == b.device && address == b.network.listening[0]
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_may_dial_at_once() {
    let mut a = Node::start(1, Transport::Tcp).await;
    let mut b = Node::start(2, Transport::Tcp).await;
    a.dial(b.device, &b.network.listening).await;
    b.dial(a.device, &a.network.listening).await;
    a.event(|event| matches!(event, NetEvent::Connected { .. })).await;
    b.event(|event| matches!(event, NetEvent::Connected { .. })).await;
    a.send(b.device, Lane::Pair, Bytes::from_static(b"one")).await;
    b.send(a.device, Lane::Pair, Bytes::from_static(b"two")).await;
    assert_eq!(b.any_frame().await.1, "one");
    assert_eq!(a.any_frame().await.1, "two");
}

/// A machine that lost power comes back before the other side has noticed.
#[tokio::test]
async fn a_device_that_begins_anew_is_met_anew() {
    let (old, mut b) = Node::connected_pair(Transport::Tcp).await;
    let (device, of_b) = (old.device, b.device);
    let mut new = Node::start(1, Transport::Tcp).await;
    let is_gone = |event: &NetEvent| *event == NetEvent::Disconnected { device };
    loop {
        // The first dials may still be taken for one of two at once.
        new.dial(of_b, &b.network.listening).await;
        new.event(|event| matches!(event, NetEvent::Connected { .. })).await;
        if tokio::time::timeout(Duration::from_secs(1), b.event(is_gone)).await.is_ok() {
            break;
        }
        new.command(NetCommand::Disconnect { device: of_b }).await;
        new.event(|event| *event == NetEvent::Disconnected { device: of_b }).await;
    }
    new.event(|event| *event == NetEvent::Disconnected { device: of_b }).await;
    new.dial(of_b, &b.network.listening).await;
    b.event(|event| matches!(event, NetEvent::Connected { .. })).await;
}
