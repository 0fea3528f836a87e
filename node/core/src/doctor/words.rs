//! Causes in plain sentences, each with what a person can do.

use node_model::{DeviceId, SpaceId};
use sync_engine_core::reconcile::Hindrance;

use super::causes::{Cause, Consent, Refuser, Subject};
use crate::{node::Node, request::EntryProgress};

const GOES_ON: &str = "nothing to do: it goes on by itself";

/// What things are called in a sentence.
pub(super) struct Names {
    pub(super) space: String,
    pub(super) peer: String,
    space_id: Option<SpaceId>,
    peer_id: Option<DeviceId>,
    /// Who passes the connection with the peer on.
    through: String,
    /// The name or id of the document.
    document: String,
    /// Our own agent's id.
    own: String,
    /// Whom the space is of.
    founder: String,
    founder_id: String,
    /// What lets us keep more of theirs.
    more_room: String,
    /// When the peer was last in sync, in words.
    last_sync: Option<String>,
}

impl Names {
    pub(super) fn of(node: &Node, subject: &Subject) -> Self {
        let name = |device| name_of(node, device);
        let founder = subject.space.and_then(|space| node.trust.graph().spaces.get(&space));
        let through = subject.peer.and_then(|peer| node.data.peer(peer)?.circuit);
        let last_sync = subject.peer.and_then(|peer| node.last_sync.get(&peer));
        Self {
            space: subject.space.map(|space| node.space_name(space)).unwrap_or_default(),
            peer: subject.peer.map(name).unwrap_or_default(),
            space_id: subject.space,
            peer_id: subject.peer,
            through: through.map(name).unwrap_or_default(),
            document: subject.document.map(|it| it.to_string()).unwrap_or_default(),
            own: node.trust.agent().to_string(),
            founder: subject.space.map(|space| node.founder_name(space)).unwrap_or_default(),
            founder_id: founder.map(|facts| facts.founder.to_string()).unwrap_or_default(),
            more_room: subject.space.map(|it| node.more_room(it).to_string()).unwrap_or_default(),
            last_sync: last_sync.map(|at| at.rfc3339()),
        }
    }

    fn space_id(&self) -> String {
        self.space_id.map(|space| space.to_string()).unwrap_or_default()
    }

    fn peer_id(&self) -> String {
        self.peer_id.map(|peer| peer.to_string()).unwrap_or_default()
    }
}

/// What whoever has a device is called; of our own devices, what the device is.
fn name_of(node: &Node, device: DeviceId) -> String {
    match node.trust.agent_of(device) {
        Some(agent) if agent == node.trust.agent() => {
            let own = node.trust.graph().link(device, agent);
            own.map(|facts| facts.name.clone()).unwrap_or_default()
        }
        Some(agent) => node.trust.name_of(agent),
        None => device.to_string(),
    }
}

fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

fn files(number: usize) -> String {
    count(number as u64, "file", "files")
}

/// What is the matter, in one sentence without a full stop.
pub(super) fn sentence(cause: &Cause, names: &Names) -> String {
    let Names { peer, space, .. } = names;
    match cause {
        Cause::Revoked { is_device } => revoked(space, *is_device),
        Cause::NoPath { has_address, failure } => no_path(names, *has_address, failure.as_deref()),
        Cause::VersionMismatch { is_newer } => mismatch(peer, *is_newer),
        Cause::Quota => format!(
            "you keep as much for {} as you said you would: what is new of {space} stays out",
            names.founder
        ),
        Cause::DiskFull if peer.is_empty() => {
            format!("{space} cannot be opened: the disk is full")
        }
        Cause::StorageFailed { error, .. } if peer.is_empty() => {
            format!("{space} cannot be opened: {error}")
        }
        Cause::DiskFull => format!("the disk is full: what comes from {peer} cannot be kept"),
        Cause::StorageFailed { error, .. } => {
            format!("what comes from {peer} cannot be kept: {error}")
        }
        Cause::PeerHindered { why } => hindered(names, *why),
        Cause::ClockSkew { ahead } => {
            let minutes = count(ahead.as_secs() / 60, "minute", "minutes");
            format!(
                "{peer} says that {space} is not for you, and its clock is {minutes} ahead of yours"
            )
        }
        Cause::Denied => format!("{peer} says that {space} is not for you"),
        Cause::RelayOnly { what } => {
            let (what, through) = (sentence(what, names), &names.through);
            format!("{what}; it goes through {through}, since {peer} cannot be reached directly")
        }
        Cause::BackPressure { entries } => {
            format!(
                "{peer} takes what is sent to it slowly, and has not confirmed {}",
                unconfirmed(*entries)
            )
        }
        Cause::Transferring { entries, files, progress } => {
            transferring(peer, *entries, *files, *progress)
        }
        Cause::PeerBehind { has_spoken: false, .. } => {
            format!("{peer} is connected, and has not said yet what it has of {space}")
        }
        Cause::PeerBehind { entries, has_spoken: true } => {
            format!("{peer} has not confirmed {}", unconfirmed(*entries))
        }
        Cause::RejectedEntry { by, count, why } => rejected(names, *by, *count, why.as_deref()),
        Cause::MissingDependency { changes } => {
            let waiting = count(*changes as u64, "change waits", "changes wait");
            format!("in document {} {waiting} for others that are not here", names.document)
        }
        Cause::MissingFiles { files: missing } => {
            let (are, them) = if *missing == 1 { ("is", "it") } else { ("are", "them") };
            format!("{} of {space} {are} not here, and nobody is sending {them}", files(*missing))
        }
        Cause::WaitingForConsent(Consent::Relationship(agent)) => {
            let who = if peer.is_empty() { agent.to_string() } else { peer.clone() };
            format!("you said that you are related to {who}, who has not said so yet")
        }
        Cause::WaitingForConsent(Consent::Inviting) => {
            "somebody came with your ticket and has not confirmed the code yet".to_owned()
        }
        Cause::WaitingForConsent(Consent::Accepting) => {
            "you took a ticket, and the codes were not compared yet".to_owned()
        }
    }
}

fn revoked(space: &str, is_device: bool) -> String {
    if is_device {
        "this device was taken back by its owner: nobody sends it anything new".to_owned()
    } else {
        format!("you were removed from {space}: nobody sends you what is new in it")
    }
}

fn mismatch(peer: &str, is_newer: Option<bool>) -> String {
    match is_newer {
        Some(true) => format!("{peer} runs a newer kith, which speaks another protocol"),
        Some(false) => format!("{peer} runs an older kith, which speaks another protocol"),
        None => format!("{peer} says what this kith cannot read"),
    }
}

fn unconfirmed(entries: u64) -> String {
    format!("{} that you have", count(entries, "change", "changes"))
}

fn hindered(names: &Names, why: Hindrance) -> String {
    let Names { peer, space, founder, .. } = names;
    match why {
        Hindrance::DiskFull => {
            format!("the disk of {peer} is full: what is new of {space} cannot be kept there")
        }
        Hindrance::Quota => format!(
            "{peer} keeps as much for {founder} as they said they would: what is new of {space} \
             stays out there"
        ),
        Hindrance::StorageFailed => {
            format!("{peer} cannot store anything of {space}: its disk or its database fails")
        }
    }
}

fn unhinder(names: &Names, why: Hindrance) -> String {
    match why {
        Hindrance::DiskFull => "ask them to free some space there; then: kith sync".to_owned(),
        Hindrance::Quota => {
            let founder = &names.founder_id;
            format!("ask them to keep more: kith relation add {founder} --quota-gb N")
        }
        Hindrance::StorageFailed => "ask them to run: kith doctor".to_owned(),
    }
}

fn no_path(names: &Names, has_address: bool, failure: Option<&str>) -> String {
    let peer = &names.peer;
    let last = match &names.last_sync {
        Some(at) => format!("; you were last in sync at {at}"),
        None => String::new(),
    };
    match (failure, has_address) {
        (Some(failure), _) => format!("{peer} cannot be reached: {failure}{last}"),
        (None, true) => format!("{peer} is not connected{last}"),
        (None, false) => format!("{peer} is not connected, and no address of it is known{last}"),
    }
}

fn transferring(
    peer: &str,
    entries: u64,
    coming: usize,
    progress: Option<EntryProgress>,
) -> String {
    let entries = match progress {
        Some(progress) => Some(format!("{progress} here")),
        None => (entries > 0).then(|| count(entries, "change", "changes")),
    };
    let coming = (coming > 0).then(|| files(coming));
    let parts: Vec<String> = entries.into_iter().chain(coming).collect();
    if parts.is_empty() {
        return format!("this node and {peer} are comparing what they have");
    }
    format!("on the way from {peer}: {}", parts.join(" and "))
}

fn rejected(names: &Names, by: Refuser, refused: u64, why: Option<&str>) -> String {
    let Names { peer, space, document, .. } = names;
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    match by {
        // The same one as often as it is offered: how many there are nobody counts.
        Refuser::Us => format!("{peer} has changes of {space} that are refused here{why}"),
        Refuser::Them => format!("{peer} has looked at all changes of {space} and refused some"),
        Refuser::Everybody(..) => {
            let refused = count(refused, "change does", "changes do");
            format!("in document {document} {refused} not count{why}")
        }
    }
}

/// What a person can do, as a command where there is one.
pub(super) fn next(cause: &Cause, names: &Names) -> String {
    let (space, peer, own) = (names.space_id(), names.peer_id(), &names.own);
    match cause {
        Cause::Revoked { is_device: true } => {
            "link it again, from another device of yours: kith device link".to_owned()
        }
        Cause::Revoked { is_device: false } => {
            format!("ask an admin to run: kith space grant {space} {own} reader")
        }
        Cause::NoPath { has_address: true, .. } => {
            "start its node (kith up), on a network that you both reach; then: kith sync".to_owned()
        }
        Cause::NoPath { has_address: false, .. } => {
            format!("say where it is, as kith id prints there: kith peer add {peer} ADDRESS")
        }
        Cause::VersionMismatch { is_newer: Some(true) } => "install the newest kith".to_owned(),
        Cause::VersionMismatch { is_newer: Some(false) } => {
            "ask them to install the newest kith".to_owned()
        }
        Cause::VersionMismatch { is_newer: None } => {
            "install the newest kith on both sides".to_owned()
        }
        Cause::Quota => format!("keep more for them: {}", names.more_room),
        Cause::DiskFull => "free some space on this device; then: kith sync".to_owned(),
        Cause::StorageFailed { fix, .. } => fix.clone(),
        Cause::PeerHindered { why } => unhinder(names, *why),
        Cause::ClockSkew { .. } => {
            "set the clocks of both devices right; then: kith sync".to_owned()
        }
        Cause::Denied => {
            format!("ask them to look who may have it: kith space members {space}")
        }
        Cause::RelayOnly { .. } => {
            format!("{GOES_ON}, faster where both are in one network or one of them can be dialled")
        }
        Cause::BackPressure { .. } => {
            format!("{GOES_ON}; if it stays so, look at its network, and whether it is busy")
        }
        Cause::Transferring { .. } => GOES_ON.to_owned(),
        Cause::PeerBehind { .. } => format!("if it stays so: kith sync {peer} --full"),
        Cause::RejectedEntry { by: Refuser::Us, .. } => {
            format!("see who may write: kith why {space}")
        }
        Cause::RejectedEntry { by: Refuser::Them, .. } => "ask them to run: kith doctor".to_owned(),
        Cause::RejectedEntry { by: Refuser::Everybody(..), .. } => {
            let document = &names.document;
            format!("ask who wrote it to write it again: kith why {space}/{document}")
        }
        Cause::MissingDependency { .. } => "kith sync --full".to_owned(),
        Cause::MissingFiles { .. } => {
            "start a node that has them (kith up, there); then: kith sync".to_owned()
        }
        Cause::WaitingForConsent(Consent::Relationship(_)) => {
            format!("ask them to run: kith relation add {own}")
        }
        Cause::WaitingForConsent(Consent::Inviting) => {
            "ask them to compare the code and to say yes".to_owned()
        }
        Cause::WaitingForConsent(Consent::Accepting) => {
            "compare the codes, and say yes where you ran: kith pair".to_owned()
        }
    }
}
