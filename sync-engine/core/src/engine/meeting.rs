//! The beginning of a conversation with a peer: what both speak.
//!
//! Invariants: nothing goes to a peer before our [`Hello`]; nothing else goes to one with
//! whom no version is common, and nothing else is taken from it.

use node_model::DeviceId;

use super::{FrameError, Output, SyncEngine};
use crate::reconcile::{
    Agreement, Capabilities, Hello, Message, NoCommonVersion, PROTOCOL, PROTOCOL_OLDEST,
};

/// What was said at the beginning, for as long as a peer is connected.
#[derive(Default)]
pub(super) struct Meeting {
    /// Whether we said what we speak.
    was_greeted: bool,
    /// Whether the peer said what it speaks, rather than we concluded it.
    has_heard: bool,
    /// Whether it was asked to say it again.
    was_asked: bool,
    /// What came of what the peer said, once it has.
    outcome: Option<Result<Agreement, NoCommonVersion>>,
}

impl SyncEngine {
    /// What a connected peer and we speak with each other, once it has said anything.
    #[must_use]
    pub fn agreement(&self, peer: DeviceId) -> Option<Agreement> {
        self.meetings.get(&peer)?.outcome?.ok()
    }

    /// What is optional and both can do; nothing before the peer has said so.
    pub(super) fn able_with(&self, peer: DeviceId) -> Capabilities {
        self.agreement(peer).map_or(Capabilities::NONE, |it| it.capabilities)
    }

    pub(super) fn version_with(&self, peer: DeviceId) -> u16 {
        self.agreement(peer).map_or(PROTOCOL_OLDEST, |it| it.version)
    }

    /// Says what we speak, if that was not said.
    pub(super) fn greet(&mut self, peer: DeviceId) {
        let meeting = self.meetings.entry(peer).or_default();
        if !std::mem::replace(&mut meeting.was_greeted, true) {
            let frame = Message::Hello(Hello::ours(!meeting.has_heard)).encode();
            self.outputs.push_back(Output::Send { peer, frame });
        }
    }

    /// The same when all starts over: what was said may have been lost.
    pub(super) fn greet_again(&mut self, peer: DeviceId) {
        let meeting = self.meetings.entry(peer).or_default();
        (meeting.was_greeted, meeting.was_asked) = (false, false);
        self.hindrances.say_again(peer);
        self.greet(peer);
    }

    /// Notes what a message tells of what its sender speaks.
    ///
    /// # Errors
    /// [`FrameError::Version`]: nothing that the peer says can be taken.
    pub(super) fn meet(&mut self, peer: DeviceId, message: &Message) -> Result<(), FrameError> {
        self.ask_again(peer, message);
        let known = self.meetings.entry(peer).or_default().outcome;
        let outcome = match (message, known) {
            (Message::Hello(theirs), _) => Hello::ours(false).agree(theirs),
            (_, Some(Err(none))) => Err(none),
            (Message::Heads { protocol, .. }, _)
                if !(PROTOCOL_OLDEST..=PROTOCOL).contains(protocol) =>
            {
                return Err(FrameError::Version(*protocol));
            }
            // It says nothing of what it can do.
            (Message::Heads { protocol, .. }, None) => {
                Ok(Agreement { version: *protocol, capabilities: Capabilities::NONE })
            }
            (_, _) => return Ok(()),
        };
        self.meetings.entry(peer).or_default().outcome = Some(outcome);
        match outcome {
            Ok(agreement) => {
                self.enable(peer, agreement.capabilities);
                Ok(())
            }
            Err(NoCommonVersion { nearest }) => {
                // What it said before says nothing of how it stands.
                let with_peer = self.sessions.iter_mut().filter(|((_, other), _)| *other == peer);
                with_peer.for_each(|(_, session)| session.restart());
                Err(FrameError::Version(nearest))
            }
        }
    }

    /// A connection that gives way to another one may take what was said on it along.
    fn ask_again(&mut self, peer: DeviceId, message: &Message) {
        let meeting = self.meetings.entry(peer).or_default();
        let is_wanted = if let Message::Hello(theirs) = message {
            meeting.has_heard = true;
            theirs.asks
        } else {
            !meeting.has_heard && !std::mem::replace(&mut meeting.was_asked, true)
        };
        if is_wanted {
            meeting.was_greeted = false;
            self.greet(peer);
        }
    }

    fn enable(&mut self, peer: DeviceId, able: Capabilities) {
        let with_peer = self.sessions.iter_mut().filter(|((_, other), _)| *other == peer);
        with_peer.for_each(|(_, session)| session.enable(able));
        for space in self.shared_with(peer).collect::<Vec<_>>() {
            self.tell_hindrance(space, peer);
        }
        self.tell_rules(peer);
    }

    pub(super) fn send(&mut self, peer: DeviceId, message: &Message) {
        self.greet(peer);
        let is_understood =
            self.meetings.get(&peer).is_none_or(|it| !matches!(it.outcome, Some(Err(_))));
        if is_understood {
            self.outputs.push_back(Output::Send { peer, frame: message.encode() });
        }
    }
}
