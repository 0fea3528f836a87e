//! Pairings that come to nothing, and the ticket that one needs then.

use node_model::{DeviceId, ticket::Ticket};

use crate::{failure::Failure, mend::Mend, node::Node};

/// What is said when two codes are not the same.
pub(super) const CODES_DIFFER: &str = "the codes differ: somebody may be in between; nothing was \
    shared; ask for a new ticket, over another way";

/// A refusal that a new ticket in place of this one mends. Its role stands with whoever
/// made it.
pub(super) fn refused(ticket: &Ticket, is_link: bool, message: &str) -> Failure {
    let space = ticket.space.map(|space| space.to_string());
    let invite = Mend::Invite { space, role: None };
    Failure::refused(message, if is_link { &Mend::LinkDevice } else { &invite })
}

impl Node {
    /// Ends accepting a ticket of this device.
    pub(super) fn refuse_accepting(&mut self, device: DeviceId, message: &str) {
        if let Some(accepting) = self.pairings.accepting.get(&device) {
            let failure = refused(&accepting.ticket, accepting.is_link, message);
            self.fail_accepting(device, failure);
        }
    }
}
