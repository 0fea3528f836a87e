//! What is done to two nodes, and what the doctor has to say of it.

use std::{
    fs::{self, File},
    io::Write,
    time::Duration,
};

use acceptance::Signal;
use node_model::sign::Signer;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::couple::{Couple, Other};
use crate::real::Member;

/// By then a node on a busy machine has sent what it has to say of a write.
const ANNOUNCED_AFTER: Duration = Duration::from_millis(500);

/// Writes of which the last ones do not go to a peer that says nothing, until it asks: it is
/// sent eight pages unasked.
const WRITES_TO_BE_ASKED_FOR: usize = 12;

/// Writes that are more, together, than what sockets and windows hold of them.
const WRITES_THAT_WAIT: u8 = 12;
const NOISE_BYTES: usize = 4 << 20;

/// One cause, brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfortune {
    /// The other one is removed from the space, and asked.
    Revoked,
    /// The other one is killed, or ends.
    NoPath,
    /// The other one speaks another version, newer and older in turn.
    VersionMismatch,
    /// The other one refuses, and dates what it signs ten minutes late.
    ClockSkew,
    /// The other one refuses.
    Denied,
    /// Ada keeps for the other one, and as much as she said she would.
    Quota,
    /// The disk has no room for what the other one wrote.
    DiskFull,
    /// A file is where the folder of a new space would be, so that it cannot be opened.
    StorageFailed,
    /// The other one, which only a third connects with Ada, stands still while something is
    /// written.
    RelayOnly,
    /// The other one stands still while more is written than is on its way to it.
    BackPressure,
    /// The other one stands still in the middle of an exchange.
    Transferring,
    /// The other one stands still while something is written.
    PeerBehind,
    /// The other one wrote, away, what it was not permitted to any more.
    RejectedEntry,
    /// The second change of a document comes on a stick without the first.
    MissingDependency,
    /// A document names a file that nobody has.
    MissingFiles,
    /// A relationship that only one side declared.
    WaitingForConsent,
}

impl Misfortune {
    /// All of them, in the order of `docs/doctor.md`.
    pub const ALL: [Self; 16] = [
        Self::Revoked,
        Self::NoPath,
        Self::VersionMismatch,
        Self::ClockSkew,
        Self::Denied,
        Self::Quota,
        Self::DiskFull,
        Self::StorageFailed,
        Self::RelayOnly,
        Self::BackPressure,
        Self::Transferring,
        Self::PeerBehind,
        Self::RejectedEntry,
        Self::MissingDependency,
        Self::MissingFiles,
        Self::WaitingForConsent,
    ];

    /// The cause that the doctor has to name.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::NoPath => "no-path",
            Self::VersionMismatch => "version-mismatch",
            Self::ClockSkew => "clock-skew",
            Self::Denied => "denied",
            Self::Quota => "quota",
            Self::DiskFull => "disk-full",
            Self::StorageFailed => "storage-failed",
            Self::RelayOnly => "relay-only",
            Self::BackPressure => "back-pressure",
            Self::Transferring => "transferring",
            Self::PeerBehind => "peer-behind",
            Self::RejectedEntry => "rejected-entry",
            Self::MissingDependency => "missing-dependency",
            Self::MissingFiles => "missing-files",
            Self::WaitingForConsent => "waiting-for-consent",
        }
    }

    /// Who does it.
    #[must_use]
    pub fn how(self) -> &'static str {
        if self.needs_puppet() { "a puppet at a real node" } else { "real nodes" }
    }

    /// Whether no real node does it.
    #[must_use]
    pub fn needs_puppet(self) -> bool {
        matches!(self, Self::VersionMismatch | Self::ClockSkew | Self::Denied)
    }

    /// Whether the two cannot dial each other.
    #[must_use]
    pub fn needs_circuit(self) -> bool {
        self == Self::RelayOnly
    }

    /// Whether it needs a disk of its own.
    #[must_use]
    pub fn needs_mounts(self) -> bool {
        self == Self::DiskFull
    }

    /// Does it; `number` tells repetitions apart.
    pub(super) async fn happen(self, couple: &mut Couple, number: usize) -> Expected {
        let mut expected = Expected::of_pair(self.cause(), couple);
        match self {
            Self::Revoked => {
                let agent = couple.ben().agent.clone();
                couple.ada.remove_member(&couple.space, &agent).await;
                (expected.at, expected.peer) = (At::Other, None);
            }
            Self::NoPath if number.is_multiple_of(2) => couple.ben().kill().await,
            Self::NoPath => couple.ben().stop().await,
            Self::VersionMismatch | Self::ClockSkew | Self::Denied => {
                self.pull_strings(couple, number).await;
            }
            Self::Quota => expected.space = Some(write_more_than_is_kept(couple).await),
            Self::DiskFull => fill_the_disk(couple).await,
            Self::StorageFailed => {
                expected.space = Some(share_what_cannot_be_kept(couple).await);
                // It is here that it cannot be opened, whoever shares it.
                expected.peer = None;
            }
            Self::Transferring => stop_in_the_middle(couple).await,
            Self::BackPressure => {
                couple.ben().running().signal(Signal::STOP);
                for number in 0..WRITES_THAT_WAIT {
                    couple.ada.write(&couple.space, json!({"text": noise(number)})).await;
                }
            }
            Self::RelayOnly | Self::PeerBehind => {
                couple.ben().running().signal(Signal::STOP);
                couple.ada.write(&couple.space, json!({"title": "unheard"})).await;
            }
            Self::RejectedEntry => write_without_the_right(couple).await,
            Self::MissingDependency => {
                expected.document = Some(carry_half_of_it(couple, number).await);
                expected.peer = None;
                // They met on a stick because there is no other way.
                expected.beside = &["no-path"];
            }
            Self::MissingFiles => {
                let absent = "a".repeat(52);
                couple.ada.write(&couple.space, json!({"blob": absent})).await;
                expected.peer = None;
            }
            Self::WaitingForConsent => {
                let stranger = Signer::from_secret(&[9; 32]).agent().to_string();
                let relation = json!({"agent": stranger, "layer": "gift"});
                couple.ada.post("/api/v1/relations", &relation).await;
                (expected.space, expected.peer) = (None, None);
            }
        }
        expected
    }

    async fn pull_strings(self, couple: &Couple, number: usize) {
        let Other::Puppet(puppet) = &couple.other else {
            unreachable!("this misfortune has a puppet");
        };
        match self {
            Self::VersionMismatch => puppet.speak_another_version(number.is_multiple_of(2)).await,
            Self::ClockSkew => {
                puppet.say_what_is_dated_ahead().await;
                puppet.deny().await;
            }
            Self::Revoked
            | Self::NoPath
            | Self::Denied
            | Self::Quota
            | Self::DiskFull
            | Self::StorageFailed
            | Self::RelayOnly
            | Self::BackPressure
            | Self::Transferring
            | Self::PeerBehind
            | Self::RejectedEntry
            | Self::MissingDependency
            | Self::MissingFiles
            | Self::WaitingForConsent => puppet.deny().await,
        }
    }
}

/// Text that is not made smaller by much.
fn noise(number: u8) -> String {
    let mut bytes = vec![0; NOISE_BYTES / 2];
    ChaCha8Rng::seed_from_u64(u64::from(number)).fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the space, which Ada is not in.
async fn write_more_than_is_kept(couple: &mut Couple) -> String {
    let ada = couple.ada.agent.clone();
    let ben = couple.ben().agent.clone();
    let nothing = json!({"agent": ben, "layer": "reciprocal", "quota_bytes": 0});
    couple.ada.post("/api/v1/relations", &nothing).await;
    let ben = couple.ben();
    ben.post("/api/v1/relations", &json!({"agent": ada, "layer": "reciprocal"})).await;
    let space = ben.found("second").await;
    ben.write(&space, json!({"title": "too much"})).await;
    space
}

async fn fill_the_disk(couple: &mut Couple) {
    let data = couple.ada.home.data_dir();
    let ballast = File::create(data.join("ballast"));
    let mut ballast = ballast.expect("there is room yet");
    // It ends when there is no room, first for a lot and then for little.
    for step in [1 << 20, 4_096, 1] {
        while ballast.write_all(&vec![0; step]).and_then(|()| ballast.sync_data()).is_ok() {}
    }
    let space = couple.space.clone();
    couple.ben().write(&space, json!({"text": "x".repeat(100_000)})).await;
}

/// Returns the space, which the other one shares with Ada only now.
async fn share_what_cannot_be_kept(couple: &mut Couple) -> String {
    let ada = couple.ada.agent.clone();
    let spaces = couple.ada.home.data_dir().join("spaces");
    let ben = couple.ben();
    let space = ben.found("second").await;
    fs::write(spaces.join(&space), b"no folder").expect("it is ours");
    let members = format!("/api/v1/spaces/{space}/members");
    ben.post(&members, &json!({"agent": ada, "role": "writer"})).await;
    space
}

/// Ada hears of something new, asks for it, and waits for the answer.
async fn stop_in_the_middle(couple: &mut Couple) {
    let space = couple.space.clone();
    couple.ada.running().signal(Signal::STOP);
    let ben = couple.ben();
    for _ in 0..WRITES_TO_BE_ASKED_FOR {
        ben.write(&space, json!({"title": "on its way"})).await;
    }
    tokio::time::sleep(ANNOUNCED_AFTER).await;
    ben.running().signal(Signal::STOP);
    couple.ada.running().signal(Signal::CONT);
}

async fn write_without_the_right(couple: &mut Couple) {
    let space = couple.space.clone();
    let ben = couple.ben();
    ben.stop().await;
    ben.home.new_document(&space, &json!({"title": "too late"})).await;
    let agent = ben.agent.clone();
    let members = format!("/api/v1/spaces/{space}/members");
    couple.ada.post(&members, &json!({"agent": agent, "role": "reader"})).await;
    couple.ben().start().await;
}

/// Returns the document.
async fn carry_half_of_it(couple: &mut Couple, number: usize) -> String {
    let space = couple.space.clone();
    let ben = couple.ben();
    ben.stop().await;
    let document = ben.home.new_document(&space, &json!({"title": "first"})).await;
    let [first, second] = ["first", "second"].map(|name| ben.home.beside(name));
    let [first, second] = [&first, &second].map(|file| file.to_str().expect("plain"));
    ben.home.kith(&["pack", &space, first]).json().await;
    let value = number.to_string();
    ben.home.kith(&["doc", "set", &space, &document, "second", &value]).json().await;
    ben.home.kith(&["pack", &space, second, "--since", first]).json().await;
    let second = second.to_owned();
    couple.ada.home.kith(&["unpack", &second]).json().await;
    document
}

/// Whose doctor is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Ada,
    Other,
}

impl At {
    pub(super) fn of(self, couple: &Couple) -> &Member {
        match (self, &couple.other) {
            (Self::Ada, _) => &couple.ada,
            (Self::Other, Other::Process(ben)) => ben,
            (Self::Other, Other::Puppet(_)) => unreachable!("a puppet has no doctor"),
        }
    }
}

/// What the doctor has to say.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) at: At,
    cause: &'static str,
    space: Option<String>,
    document: Option<String>,
    peer: Option<String>,
    /// Causes that the same misfortune brings about for other subjects.
    beside: &'static [&'static str],
}

impl Expected {
    fn of_pair(cause: &'static str, couple: &Couple) -> Self {
        let (space, peer) = (Some(couple.space.clone()), Some(couple.peer()));
        Self { at: At::Ada, cause, space, document: None, peer, beside: &[] }
    }

    /// Whether the cause is there for its subject, and nothing else that was not to come.
    pub(super) fn is_met_by(&self, causes: &[Value]) -> bool {
        let subject = [("space", &self.space), ("doc", &self.document), ("peer", &self.peer)];
        let is_it = |cause: &&Value| {
            cause["cause"] == self.cause
                && subject.iter().all(|(key, id)| cause[*key].as_str() == id.as_deref())
        };
        let others = causes.iter().filter(|cause| !is_it(cause));
        let mut others = others.filter_map(|cause| cause["cause"].as_str());
        causes.iter().any(|cause| is_it(&cause)) && others.all(|it| self.beside.contains(&it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cause_of_its_subject_and_what_comes_with_it_is_right() {
        let expected = Expected {
            at: At::Ada,
            cause: "missing-dependency",
            space: Some("s".into()),
            document: Some("d".into()),
            peer: None,
            beside: &["no-path"],
        };
        let cause = |cause: &str, doc: Option<&str>, peer: Option<&str>| json!({"cause": cause, "space": "s", "doc": doc, "peer": peer});
        let right = cause("missing-dependency", Some("d"), None);
        let beside = cause("no-path", None, Some("p"));
        assert!(expected.is_met_by(&[right.clone(), beside.clone()]));
        assert!(!expected.is_met_by(&[beside]));
        assert!(!expected.is_met_by(&[cause("missing-dependency", Some("e"), None)]));
        assert!(!expected.is_met_by(&[right, cause("denied", None, Some("p"))]));
    }
}
