//! The visit at a doorway: who it is, and frames both ways.

use std::collections::VecDeque;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use data_plane_core::{
    batch::{BATCH_BYTES_MAX, Frame, Returned, VisitId, WAIT_MAX},
    net::{Lane, NetEvent},
    visitor::Visitor,
};
use node_core::{
    Input, Request, Response,
    doorway::{DoorwayRequest, DoorwayResponse},
};
use node_model::{
    DeviceId, Now,
    challenge::{Challenge, Nonce},
    random_bytes,
    sign::Signature,
};
use serde_json::json;

use super::Running;

/// What a doorway that proves itself to us puts in as our own address: a browser has none.
const HOST: &str = "browser";

/// The address of a doorway, for whoever shows one.
const ADDRESS: &str = "doorway";

/// A doorway that says who it is, and has to prove it.
pub(super) struct Knock {
    node: DeviceId,
    nonce: Nonce,
}

/// A visit that goes on.
pub(super) struct Visit {
    device: DeviceId,
    visitor: Visitor,
    /// Whether a batch waits for its answer.
    is_under_way: bool,
    /// Whether the doorway was told to answer it now.
    is_nudged: bool,
    /// What it said before it was admitted here: whoever made the ticket admits us first, and
    /// says all at once what it has to say.
    held: VecDeque<Frame>,
}

impl Running {
    /// Answers a doorway's challenge, if its node is known here, with a challenge of our own.
    pub(super) fn knock(&mut self, now: Now, node: DeviceId, host: &str, challenge: &str) {
        self.knock = None;
        let challenge = challenge.parse().ok().and_then(|nonce| {
            // A host that cannot be signed is none.
            Challenge::new(nonce, node, host).ok()
        });
        let Some(challenge) = challenge else {
            return self.refuse("what answered there is no doorway");
        };
        let answer = self.ask(now, Request::Doorway(DoorwayRequest::Answer { challenge }));
        let Some(Ok(Response::Doorway(DoorwayResponse::Answer { device, signature }))) = answer
        else {
            return self.refuse("this doorway is of somebody whom nobody here knows");
        };
        let ours = DoorwayRequest::Challenge { device: node };
        let answer = self.ask(now, Request::Doorway(ours));
        let Some(Ok(Response::Doorway(DoorwayResponse::Challenge { nonce, .. }))) = answer else {
            return self.refuse("this doorway cannot be asked who it is");
        };
        self.knock = Some(Knock { node, nonce });
        self.outbox.push(json!({
            "do": "signed", "device": device, "signature": HEXLOWER.encode(&signature.0),
            "challenge": nonce.to_string(), "host": HOST,
        }));
    }

    /// Begins a visit, if the doorway proved who it is.
    pub(super) fn enter(&mut self, now: Now, node: DeviceId, signature: &str) {
        let knock = self.knock.take().filter(|knock| knock.node == node);
        let answered = knock.and_then(|knock| {
            let bytes = HEXLOWER.decode(signature.as_bytes()).ok()?;
            let challenge = Challenge::new(knock.nonce, self.device, HOST).ok()?;
            challenge.verify(node, &Signature(bytes.try_into().ok()?)).ok()
        });
        let Some(answered) = answered else {
            return self.refuse("this doorway did not prove who it is");
        };
        // It is asked whether it may connect once more, and its challenge is used up.
        let given = self.ask(now, Request::Doorway(DoorwayRequest::Redeem { answered }));
        if !matches!(given, Some(Ok(_))) {
            return self.refuse("this doorway may not be visited any more");
        }
        self.lost("another visit began");
        let visitor = Visitor::new(VisitId(random_bytes(&mut self.entropy)));
        let (is_under_way, is_nudged, held) = (false, false, VecDeque::new());
        self.visit = Some(Visit { device: node, visitor, is_under_way, is_nudged, held });
        self.dialled.remove(&node);
        let address = ADDRESS.to_owned();
        let connected = NetEvent::Connected { device: node, address, outbound: false };
        self.inputs.push_back(Input::Net(connected));
        self.outbox.push(json!({"do": "entered", "node": node}));
    }

    fn refuse(&mut self, why: &str) {
        self.outbox.push(json!({"do": "refused", "why": why}));
    }

    pub(super) fn visits(&self, device: DeviceId) -> bool {
        self.visit.as_ref().is_some_and(|visit| visit.device == device)
    }

    pub(super) fn send(&mut self, device: DeviceId, lane: Lane, bytes: Bytes) {
        let Some(visit) = self.visit.as_mut().filter(|visit| visit.device == device) else {
            return;
        };
        if let Err(broken) = visit.visitor.send(vec![Frame { lane, bytes }]) {
            self.lost(&broken.to_string());
        }
    }

    /// Takes the answer to a batch.
    pub(super) fn returned(&mut self, body: &[u8]) {
        let Some(visit) = self.visit.as_mut().filter(|visit| visit.is_under_way) else { return };
        (visit.is_under_way, visit.is_nudged) = (false, false);
        let device = visit.device;
        let frames = Returned::decode(body).map_err(|error| error.to_string());
        let frames = frames.and_then(|returned| {
            visit.visitor.returned(returned).map_err(|broken| broken.to_string())
        });
        let frames = match frames {
            Ok(frames) => frames,
            Err(why) => return self.lost(&why),
        };
        let is_admitted = self.admitted.contains(&device);
        let (open, held): (Vec<_>, Vec<_>) =
            frames.into_iter().partition(|frame| is_admitted || frame.lane.is_public());
        visit.held.extend(held);
        if visit.held.iter().map(|frame| frame.bytes.len()).sum::<usize>() > BATCH_BYTES_MAX {
            return self.lost("it says more than it may");
        }
        self.inputs.extend(open.into_iter().map(|frame| heard(device, frame)));
    }

    /// Takes what a device said that is admitted now.
    pub(super) fn hear_held(&mut self, device: DeviceId) {
        if let Some(visit) = self.visit.as_mut().filter(|visit| visit.device == device) {
            self.inputs.extend(visit.held.drain(..).map(|frame| heard(device, frame)));
        }
    }

    /// Ends the visit if it is at this device's doorway.
    pub(super) fn part_from(&mut self, device: DeviceId) {
        if self.visits(device) {
            self.lost("the node wants no connection with it");
        }
    }

    /// Ends the visit, if there is one.
    pub(super) fn lost(&mut self, why: &str) {
        if let Some(visit) = self.visit.take() {
            let device = visit.device;
            self.inputs.push_back(Input::Net(NetEvent::Disconnected { device }));
            self.outbox.push(json!({"do": "over", "why": why}));
        }
    }

    /// Sends the next batch, or has the doorway answer the one that waits.
    pub(super) fn exchange(&mut self) {
        let Some(visit) = &mut self.visit else { return };
        if !visit.is_under_way {
            visit.is_under_way = true;
            let piece = self.outbox.piece(visit.visitor.next(WAIT_MAX).encode());
            self.outbox.push(json!({"do": "exchange", "piece": piece}));
        } else if visit.visitor.has_frames() && !visit.is_nudged {
            visit.is_nudged = true;
            self.outbox.push(json!({"do": "nudge"}));
        }
    }
}

fn heard(device: DeviceId, Frame { lane, bytes: frame }: Frame) -> Input {
    Input::Net(NetEvent::Frame { device, lane, frame })
}
