//! Who may use this node's doorway: our own devices all of it, peers to synchronise, guests to
//! pair. Asked anew at every step, so that a device that is taken back is out at once.
//!
//! A guest is a device that may pair with us now, as whoever knows of tickets says.

use node_model::{
    DeviceId, Entropy, Now, Timestamp,
    challenge::{Answered, Challenge, Nonce, Token},
    sign::Signature,
};

use super::Trust;
use crate::{
    decision::{Action, Question, Rule},
    session::unkept_challenge,
};

impl Trust {
    /// Whether it is a device of our agent, and neither it nor this one was taken back.
    #[must_use]
    pub fn is_own_device(&self, device: DeviceId) -> bool {
        self.decide(Question { device, action: Action::Connect }).rule == Rule::OwnDevice
    }

    /// Whether it is a device of ours or a peer's, which may connect to us.
    fn is_peer(&self, device: DeviceId) -> bool {
        self.decide(Question { device, action: Action::Connect }).is_allowed()
    }

    /// A challenge for whoever says to be `device`, and until when it waits. One for a
    /// device that may not connect and is no guest looks the same, but is not kept: strangers
    /// push out nothing.
    pub fn challenge(
        &mut self,
        entropy: &mut Entropy,
        now: Now,
        device: DeviceId,
        is_guest: bool,
    ) -> (Nonce, Timestamp) {
        if is_guest || self.is_peer(device) {
            self.sessions.challenge(entropy, now, device)
        } else {
            unkept_challenge(entropy, now)
        }
    }

    /// A token for an answered challenge of this node's doorway, and until when it is good.
    /// `None` when the challenge was not this node's, not for this device, used, or over,
    /// and when the device may not connect and is no guest: the two are not told apart. What
    /// the token is good for is asked when somebody comes with it.
    pub fn redeem(
        &mut self,
        entropy: &mut Entropy,
        now: Now,
        answered: &Answered,
        is_guest: bool,
    ) -> Option<(Token, Timestamp)> {
        let device = answered.device();
        let may_have = answered.node() == self.device() && (is_guest || self.is_peer(device));
        let is_waiting = self.sessions.redeem(now, answered);
        (may_have && is_waiting).then(|| self.sessions.grant(entropy, now, device))
    }

    /// Whose token it is, if it is good and the device one of ours: it may do here what we
    /// may.
    pub fn token_holder(&mut self, now: Now, token: &Token) -> Option<DeviceId> {
        self.token_peer(now, token).filter(|device| self.is_own_device(*device))
    }

    /// Whose token it is, if it is good and the device may connect: it may synchronise.
    pub fn token_peer(&mut self, now: Now, token: &Token) -> Option<DeviceId> {
        let device = self.sessions.holder(now, token)?;
        if self.is_peer(device) {
            return Some(device);
        }
        self.sessions.forget(device);
        None
    }

    /// Whom a token was given to, if it is good. What it lets them do is for whoever asks to
    /// find out.
    #[must_use]
    pub fn token_owner(&self, now: Now, token: &Token) -> Option<DeviceId> {
        self.sessions.holder(now, token)
    }

    /// Answers a challenge with this device's key; `None` when the doorway that asks is
    /// not that of one of our devices, of a peer or of a guest: it might pass the answer on.
    #[must_use]
    pub fn answer_challenge(&self, challenge: &Challenge, is_guest: bool) -> Option<Signature> {
        let is_known = is_guest || self.is_peer(challenge.node());
        is_known.then(|| challenge.sign(self.signer()))
    }
}

#[cfg(test)]
mod tests;
