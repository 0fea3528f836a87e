//! Connections that a third device passes on.

use bytes::Bytes;
use data_plane_core::net::{Lane, NetCommand, NetEvent, circuit_address};

use crate::node::{Node, Transport, dial_reason};

/// One that others reach, and two that nobody reaches, connected with it.
struct Company {
    rack: Node,
    ada: Node,
    bo: Node,
}

impl Company {
    async fn start() -> Self {
        let rack = Node::start(1, Transport::Tcp).await;
        let mut ada = Node::try_start(2, &[]).await.expect("it starts");
        let mut bo = Node::try_start(3, &[]).await.expect("it starts");
        for node in [&mut ada, &mut bo] {
            rack.command(NetCommand::Admit { device: node.device }).await;
            node.command(NetCommand::Admit { device: rack.device }).await;
            node.dial(rack.device, &rack.network.listening).await;
            node.event(|event| matches!(event, NetEvent::Connected { .. })).await;
        }
        ada.command(NetCommand::Admit { device: bo.device }).await;
        bo.command(NetCommand::Admit { device: ada.device }).await;
        let through = rack.device;
        bo.event(|event| *event == NetEvent::Circuit { through, is_open: true }).await;
        Self { rack, ada, bo }
    }

    async fn connect(&mut self) {
        let address = circuit_address(self.rack.device);
        self.ada.dial(self.bo.device, std::slice::from_ref(&address)).await;
        let (of_ada, of_bo) = (self.ada.device, self.bo.device);
        for (node, device, outbound) in
            [(&mut self.ada, of_bo, true), (&mut self.bo, of_ada, false)]
        {
            let connected = NetEvent::Connected { device, address: address.clone(), outbound };
            node.event(|event| *event == connected).await;
        }
    }
}

#[tokio::test]
async fn two_whom_nobody_reaches_are_connected_by_a_third() {
    let mut company = Company::start().await;
    company.connect().await;
    let Company { rack, mut ada, mut bo } = company;
    for at in 0..50_u8 {
        let frame = Bytes::from(vec![at; 40_000]);
        ada.send(bo.device, Lane::Sync, frame.clone()).await;
        assert_eq!(bo.frame(Lane::Sync).await, frame);
        bo.send(ada.device, Lane::Sync, frame.clone()).await;
        assert_eq!(ada.frame(Lane::Sync).await, frame);
    }
    drop(rack);
    let through = Node::device_of(1);
    let (of_ada, of_bo) = (ada.device, bo.device);
    for (node, other) in [(&mut ada, of_bo), (&mut bo, of_ada)] {
        let mut waiting = vec![
            NetEvent::Circuit { through, is_open: false },
            NetEvent::Disconnected { device: through },
            NetEvent::Disconnected { device: other },
        ];
        while !waiting.is_empty() {
            let event = node.next().await;
            waiting.retain(|other| *other != event);
        }
    }
}

#[tokio::test]
async fn who_is_not_admitted_is_not_passed_on() {
    let Company { rack, ada: _ada, bo } = Company::start().await;
    let mut mallory = Node::try_start(4, &[]).await.expect("it starts");
    mallory.command(NetCommand::Admit { device: rack.device }).await;
    mallory.dial(rack.device, &rack.network.listening).await;
    mallory.event(|event| matches!(event, NetEvent::Connected { .. })).await;
    mallory.dial(bo.device, &[circuit_address(rack.device)]).await;
    let reason = dial_reason(&mut mallory, bo.device).await;
    assert!(reason.contains("does not pass it on"), "{reason}");
}

#[tokio::test]
async fn a_circuit_that_nobody_promised_says_so() {
    let Company { rack, mut ada, bo } = Company::start().await;
    let nobody = Node::device_of(9);
    ada.dial(nobody, &[circuit_address(rack.device)]).await;
    let reason = dial_reason(&mut ada, nobody).await;
    assert!(reason.contains("is not connected there"), "{reason}");
    ada.dial(nobody, &[circuit_address(bo.device)]).await;
    let reason = dial_reason(&mut ada, nobody).await;
    assert!(reason.contains("who may pass it on, is not connected"), "{reason}");
}

#[tokio::test]
async fn a_direct_way_ends_a_circuit() {
    let mut company = Company::start().await;
    company.connect().await;
    let Company { rack, mut ada, bo } = company;
    // It comes home, where it is reached.
    drop(bo);
    ada.event(|event| matches!(event, NetEvent::Disconnected { .. })).await;
    let mut bo = Node::start(3, Transport::Tcp).await;
    bo.command(NetCommand::Admit { device: rack.device }).await;
    bo.dial(rack.device, &rack.network.listening).await;
    let through = rack.device;
    bo.event(|event| *event == NetEvent::Circuit { through, is_open: true }).await;
    let mut company = Company { rack, ada, bo };
    company.connect().await;
    let Company { rack: _rack, mut ada, mut bo } = company;
    let listening = bo.network.listening.clone();
    ada.dial(bo.device, &listening).await;
    ada.event(|event| *event == NetEvent::Disconnected { device: bo.device }).await;
    ada.dial(bo.device, &listening).await;
    let is_direct = |event: &NetEvent| matches!(event, NetEvent::Connected { address, .. } if listening.contains(address));
    ada.event(is_direct).await;
    ada.send(bo.device, Lane::Pair, Bytes::from_static(b"directly")).await;
    assert_eq!(bo.frame(Lane::Pair).await, b"directly"[..]);
}

#[tokio::test]
async fn who_was_dialled_is_passed_on_as_well() {
    let mut rack = Node::start(1, Transport::Tcp).await;
    let mut ada = Node::start(2, Transport::Tcp).await;
    let mut bo = Node::try_start(3, &[]).await.expect("it starts");
    for (node, other) in
        [(&rack, ada.device), (&rack, bo.device), (&ada, rack.device), (&bo, rack.device)]
    {
        node.command(NetCommand::Admit { device: other }).await;
    }
    rack.dial(ada.device, &ada.network.listening).await;
    for (node, through) in [(&mut ada, Node::device_of(1)), (&mut rack, Node::device_of(2))] {
        node.event(|event| *event == NetEvent::Circuit { through, is_open: true }).await;
    }
    bo.dial(rack.device, &rack.network.listening).await;
    bo.event(|event| matches!(event, NetEvent::Connected { .. })).await;
    let address = circuit_address(rack.device);
    bo.dial(ada.device, std::slice::from_ref(&address)).await;
    let (of_ada, of_bo) = (ada.device, bo.device);
    for (node, device, outbound) in [(&mut bo, of_ada, true), (&mut ada, of_bo, false)] {
        let connected = NetEvent::Connected { device, address: address.clone(), outbound };
        node.event(|event| *event == connected).await;
    }
}
