//! What a doorway asks when a device of the same person, or a peer's, wants to use it: a
//! challenge, a token for its answer, and at each use whether the token is still good.

use node_model::{
    DeviceId, Now, Timestamp,
    challenge::{Answered, Challenge, Nonce, Token},
    sign::Signature,
};

use crate::{failure::Failure, mend::Mend, node::Node, request::Response};

/// What is asked about devices that come to the doorway.
#[derive(Clone, Debug)]
pub enum DoorwayRequest {
    /// A challenge for whoever says to be this device. → [`DoorwayResponse::Challenge`]
    Challenge {
        /// Who they say they are.
        device: DeviceId,
    },
    /// A token for an answered challenge. → [`DoorwayResponse::Token`]
    Redeem {
        /// The answer, verified.
        answered: Answered,
    },
    /// Whom a token lets in now. → [`DoorwayResponse::Holder`]
    Check {
        /// The token.
        token: Token,
    },
    /// Who may synchronise with a token now: devices of ours, and peers.
    /// → [`DoorwayResponse::Holder`]
    CheckPeer {
        /// The token.
        token: Token,
    },
    /// Who may bring frames with a token now: also who may only pair. → [`DoorwayResponse::Holder`]
    CheckVisitor {
        /// The token.
        token: Token,
    },
    /// Answers a challenge of another doorway, of ours or of a peer, with this device's key.
    /// → [`DoorwayResponse::Answer`]
    Answer {
        /// The challenge.
        challenge: Challenge,
    },
}

/// What is answered about them.
#[derive(Clone, Debug)]
pub enum DoorwayResponse {
    /// To [`DoorwayRequest::Challenge`]; the same for every device.
    Challenge {
        /// The challenge.
        nonce: Nonce,
        /// This node.
        node: DeviceId,
        /// Until when it waits.
        expires_at: Timestamp,
    },
    /// To [`DoorwayRequest::Redeem`].
    Token {
        /// The token.
        token: Token,
        /// Until when it is good.
        expires_at: Timestamp,
    },
    /// To [`DoorwayRequest::Check`], [`DoorwayRequest::CheckPeer`] and
    /// [`DoorwayRequest::CheckVisitor`].
    Holder(Option<DeviceId>),
    /// To [`DoorwayRequest::Answer`].
    Answer {
        /// This device.
        device: DeviceId,
        /// Its signature.
        signature: Signature,
    },
}

/// The one answer to all who do not get a token, so that it tells nothing: whether the
/// signature is wrong, the challenge used or over, or the device unknown or taken back.
/// `host` is what the doorway was reached as.
#[must_use]
pub fn not_proven(host: &str) -> Failure {
    let message = "this is no good answer to a challenge of this doorway, or not by a device that \
                   may use it; one of the same person may ask again, one of a peer may \
                   synchronise";
    Failure::refused(message, &Mend::Token { host: host.to_owned() })
}

impl Node {
    pub(crate) fn serve_doorway(
        &mut self,
        now: Now,
        request: DoorwayRequest,
    ) -> Result<Response, Failure> {
        let answer = match request {
            DoorwayRequest::Challenge { device } => {
                let is_guest = self.is_guest(now, device);
                let entropy = self.entropy.as_mut();
                let (nonce, expires_at) = self.trust.challenge(entropy, now, device, is_guest);
                DoorwayResponse::Challenge { nonce, node: self.trust.device(), expires_at }
            }
            DoorwayRequest::Redeem { answered } => {
                let is_guest = self.is_guest(now, answered.device());
                let entropy = self.entropy.as_mut();
                let given = self.trust.redeem(entropy, now, &answered, is_guest);
                let (token, expires_at) = given.ok_or_else(|| not_proven(answered.host()))?;
                tracing::info!(device = %answered.device(), "gave a token for the doorway");
                DoorwayResponse::Token { token, expires_at }
            }
            DoorwayRequest::Check { token } => {
                DoorwayResponse::Holder(self.trust.token_holder(now, &token))
            }
            DoorwayRequest::CheckPeer { token } => {
                DoorwayResponse::Holder(self.trust.token_peer(now, &token))
            }
            DoorwayRequest::CheckVisitor { token } => {
                let owner = self.trust.token_owner(now, &token);
                let guest = owner.filter(|device| self.is_guest(now, *device));
                DoorwayResponse::Holder(guest.or_else(|| self.trust.token_peer(now, &token)))
            }
            DoorwayRequest::Answer { challenge } => {
                let is_guest = self.is_guest(now, challenge.node());
                let signature = self.trust.answer_challenge(&challenge, is_guest);
                let signature = signature.ok_or_else(|| not_ours(challenge.node()))?;
                DoorwayResponse::Answer { device: self.trust.device(), signature }
            }
        };
        Ok(Response::Doorway(answer))
    }
}

fn not_ours(node: DeviceId) -> Failure {
    let message = format!(
        "that doorway says that it is {node}, which is not one of your devices and not a peer"
    );
    Failure::refused(message, &Mend::Devices)
}
