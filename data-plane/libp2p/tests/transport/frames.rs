//! Frames, and who may send which.

use bytes::Bytes;
use data_plane_core::net::{Lane, NetCommand, NetEvent};
use node_model::DeviceId;
use tokio::io::AsyncWriteExt;

use crate::node::{Node, Transport, host_and_port};

async fn both_ways(transport: Transport) {
    let (mut a, mut b) = Node::connected_pair(transport).await;
    for lane in Lane::ALL {
        a.send(b.device, lane, Bytes::from_static(b"to you")).await;
        assert_eq!(b.frame(lane).await, "to you");
        b.send(a.device, lane, Bytes::from_static(b"and back")).await;
        assert_eq!(a.frame(lane).await, "and back");
    }
    let large = Bytes::from(vec![7; Lane::Sync.frame_bytes_max()]);
    a.send(b.device, Lane::Sync, large.clone()).await;
    assert_eq!(b.frame(Lane::Sync).await, large);
    // A frame that no lane may carry is not sent, and harms nothing.
    a.send(b.device, Lane::Pair, Bytes::from(vec![7; Lane::Pair.frame_bytes_max() + 1])).await;
    a.send(b.device, Lane::Pair, Bytes::from_static(b"next")).await;
    assert_eq!(b.frame(Lane::Pair).await, "next");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_go_both_ways_over_tcp() {
    both_ways(Transport::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_go_both_ways_over_quic() {
    both_ways(Transport::Quic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_node_gets_every_frame_in_order() {
    let (a, mut b) = Node::connected_pair(Transport::Tcp).await;
    let commands = a.network.commands.clone();
    let device = b.device;
    let sending = tokio::spawn(async move {
        for number in 0..1_000_u32 {
            let frame = Bytes::from([&number.to_be_bytes()[..], &[0; 16 * 1024]].concat());
            let command = NetCommand::Send { device, lane: Lane::Sync, frame };
            commands.send(command).await.expect("the transport runs");
        }
    });
    for number in 0..1_000_u32 {
        // Nobody reads while the others get on with it.
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        assert_eq!(b.frame(Lane::Sync).await[..4], number.to_be_bytes());
    }
    sending.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_wait_for_a_peer_that_does_not_read() {
    let (a, b) = Node::connected_pair(Transport::Tcp).await;
    let commands = a.network.commands.clone();
    let device = b.device;
    let frame = Bytes::from(vec![0; 1 << 20]);
    let mut sent = 0;
    // More than all queues and windows hold: at some point no command is taken.
    while sent < 2_000 {
        let command = NetCommand::Send { device, lane: Lane::Sync, frame: frame.clone() };
        let wait = std::time::Duration::from_secs(2);
        if tokio::time::timeout(wait, commands.send(command)).await.is_err() {
            break;
        }
        sent += 1;
    }
    assert!(sent < 1_000, "{sent} MiB were taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_that_frames_wait_for_a_peer_and_that_they_went() {
    let (mut a, mut b) = Node::connected_pair(Transport::Tcp).await;
    let commands = a.network.commands.clone();
    let device = b.device;
    let waits = |is_congested| NetEvent::Congested { device, is_congested };
    let frame = Bytes::from(vec![0; 1 << 20]);
    let send = async || {
        let command = NetCommand::Send { device, lane: Lane::Sync, frame: frame.clone() };
        commands.send(command).await.expect("it runs");
    };
    tokio::select! {
        () = async { loop { send().await } } => {}
        event = a.event(|event| matches!(event, NetEvent::Congested { .. })) => {
            assert_eq!(event, waits(true));
        }
    }
    tokio::select! {
        () = async { loop { b.any_frame().await; } } => {}
        event = a.event(|event| matches!(event, NetEvent::Congested { .. })) => {
            assert_eq!(event, waits(false));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_port_does_no_harm() {
    let (mut a, mut b) = Node::connected_pair(Transport::Tcp).await;
    let (ip, port) = host_and_port(&b.network.listening[0]);
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 70_000], &[]] {
        let mut socket = tokio::net::TcpStream::connect((ip, port)).await.expect("it listens");
        // It may hang up on us at any time.
        let _ = socket.write_all(garbage).await;
        let _ = socket.shutdown().await;
    }
    a.send(b.device, Lane::Sync, Bytes::from_static(b"still here")).await;
    assert_eq!(b.frame(Lane::Sync).await, "still here");
    b.send(a.device, Lane::Sync, Bytes::from_static(b"so am I")).await;
    assert_eq!(a.frame(Lane::Sync).await, "so am I");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_strangers_wait_for_admission() {
    let (mut a, mut b) = Node::strangers(Transport::Tcp).await;
    a.send(b.device, Lane::Sync, Bytes::from_static(b"let me in")).await;
    a.send(b.device, Lane::Pair, Bytes::from_static(b"a ticket")).await;
    // Pairing is open; the other frame is held.
    assert_eq!(b.any_frame().await, (Lane::Pair, Bytes::from_static(b"a ticket")));
    b.command(NetCommand::Admit { device: a.device }).await;
    assert_eq!(b.any_frame().await, (Lane::Sync, Bytes::from_static(b"let me in")));
    // Admission ends as well.
    b.command(NetCommand::Forbid { device: a.device }).await;
    b.send(a.device, Lane::Pair, Bytes::from_static(b"forbidden")).await;
    assert_eq!(a.frame(Lane::Pair).await, "forbidden");
    a.send(b.device, Lane::Sync, Bytes::from_static(b"lost or parked")).await;
    a.send(b.device, Lane::Pair, Bytes::from_static(b"heard")).await;
    assert_eq!(b.any_frame().await, (Lane::Pair, Bytes::from_static(b"heard")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_admission_frames_are_dropped() {
    let (mut a, mut b) = Node::strangers(Transport::Tcp).await;
    a.send(b.device, Lane::Sync, Bytes::from_static(b"let me in")).await;
    a.send(b.device, Lane::Trust, Bytes::from_static(b"please")).await;
    // Nothing comes until the silent stranger has to go.
    let event = b.event(|event| !matches!(event, NetEvent::Listening { .. })).await;
    assert_eq!(event, NetEvent::Disconnected { device: a.device });
    a.event(|event| matches!(event, NetEvent::Disconnected { .. })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_frame_before_a_disconnect_arrives() {
    for transport in [Transport::Tcp, Transport::Quic] {
        let (mut a, mut b) = Node::connected_pair(transport).await;
        a.send(b.device, Lane::Pair, Bytes::from_static(b"no")).await;
        a.command(NetCommand::Disconnect { device: b.device }).await;
        assert_eq!(b.any_frame().await, (Lane::Pair, Bytes::from_static(b"no")));
        b.event(|event| *event == NetEvent::Disconnected { device: a.device }).await;
        a.event(|event| *event == NetEvent::Disconnected { device: b.device }).await;
        // And they can meet again.
        a.dial(b.device, &b.network.listening).await;
        a.event(|event| matches!(event, NetEvent::Connected { .. })).await;
        b.event(|event| matches!(event, NetEvent::Connected { outbound: false, .. })).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_to_nobody_is_lost_quietly() {
    let mut a = Node::start(1, Transport::Tcp).await;
    let device = DeviceId([9; 32]);
    a.send(device, Lane::Pair, Bytes::from_static(b"anybody?")).await;
    a.command(NetCommand::Fetch { job: 1, device, blobs: Vec::new(), bytes_max: u64::MAX }).await;
    let ended = a.event(|event| matches!(event, NetEvent::FetchEnded { .. })).await;
    let NetEvent::FetchEnded { job: 1, error: Some(error) } = ended else { panic!("{ended:?}") };
    assert!(error.contains("not connected"));
}
