//! Who of our own devices may use this node's doorway: asked anew at every step, so that
//! a device that is taken back is out at once.

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

    /// A challenge for whoever says to be `device`, and until when it waits. One for a
    /// device that is not ours looks the same, but is not kept: strangers push out nothing.
    pub fn challenge(
        &mut self,
        entropy: &mut Entropy,
        now: Now,
        device: DeviceId,
    ) -> (Nonce, Timestamp) {
        if self.is_own_device(device) {
            self.sessions.challenge(entropy, now, device)
        } else {
            unkept_challenge(entropy, now)
        }
    }

    /// A token for an answered challenge of this node's doorway, and until when it is good.
    /// `None` when the challenge was not this node's, not for this device, used, or over,
    /// and when the device is not ours: the two are not told apart.
    pub fn redeem(
        &mut self,
        entropy: &mut Entropy,
        now: Now,
        answered: &Answered,
    ) -> Option<(Token, Timestamp)> {
        let device = answered.device();
        let is_ours = answered.node() == self.device() && self.is_own_device(device);
        let is_waiting = self.sessions.redeem(now, answered);
        (is_ours && is_waiting).then(|| self.sessions.grant(entropy, now, device))
    }

    /// Whose token it is, if it is good and the device still ours.
    pub fn token_holder(&mut self, now: Now, token: &Token) -> Option<DeviceId> {
        let device = self.sessions.holder(now, token)?;
        if self.is_own_device(device) {
            return Some(device);
        }
        self.sessions.forget(device);
        None
    }

    /// Answers a challenge with this device's key; `None` when the doorway that asks is
    /// not that of one of our devices: it might pass the answer on.
    #[must_use]
    pub fn answer_challenge(&self, challenge: &Challenge) -> Option<Signature> {
        self.is_own_device(challenge.node()).then(|| challenge.sign(self.signer()))
    }
}

#[cfg(test)]
mod tests;
