//! Whom routes are for.

/// Whom a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Anyone on this device.
    Anyone,
    /// A person who may not have a session yet.
    Visitors,
    /// Programs with the token or one of a device, browsers with a session.
    Programs,
    /// People with a session.
    People,
    /// Devices of peers, and of the same person, with a token of theirs: to synchronise.
    Peers,
    /// Those, and devices that may pair now.
    Guests,
    /// Who can open the node's own socket.
    Socket,
}

impl Audience {
    /// Whether it takes a right to come in.
    pub(super) fn is_closed(self) -> bool {
        match self {
            Self::Anyone | Self::Visitors => false,
            Self::Programs | Self::People | Self::Peers | Self::Guests | Self::Socket => true,
        }
    }

    /// Whether a link on another website may lead here.
    pub(super) fn may_be_linked_to(self) -> bool {
        match self {
            Self::Visitors | Self::People => true,
            Self::Anyone | Self::Programs | Self::Peers | Self::Guests | Self::Socket => false,
        }
    }
}
