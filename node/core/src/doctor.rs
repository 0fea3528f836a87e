//! Why something is not in sync: one cause for every space and peer that shares it and
//! has not confirmed to hold the same, and for every document that is not whole.
//!
//! Facts come from the planes ([`facts`]); which cause counts when several do is decided
//! without them ([`diagnosis`]); [`words`] says it to people. `docs/doctor.md` explains
//! each cause to whoever runs a node.
//!
//! Invariants: a subject has at most one cause; looking changes nothing but since when a
//! cause is known.
//! Non-goals: mending anything; causes that the node cannot know.

mod causes;
mod diagnosis;
mod facts;
mod warnings;
mod words;

use std::{collections::BTreeMap, time::Duration};

use node_model::{DeviceId, DocumentId, Now, SpaceId, Timestamp};
use sync_engine_core::{FrameError, reconcile::PROTOCOL};

pub use self::{
    causes::{Cause, Consent, Refuser, Subject},
    warnings::{WARNINGS_MAX, Warnings},
};
use crate::{failure::Failure, node::Node, request::Response};

/// Most subjects whose cause is remembered: more spaces, times peers, than a person has.
/// What is beyond began whenever somebody asks.
const REMEMBERED_MAX: usize = 16_384;

/// Most causes in one answer: more than anybody reads; some megabytes of JSON.
pub const FINDINGS_MAX: usize = 10_000;

/// How long after a space could not be opened that is tried again: soon enough for somebody
/// who has just put a backup in its place.
const OPEN_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How long after something happened it is looked at by itself, so that a cause has the
/// right age when a person asks: short beside what people wait for, long beside the bustle
/// of a sync.
const EXAMINE_DELAY: Duration = Duration::from_secs(5);

/// What a person asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DoctorOf {
    /// All spaces.
    Everything,
    /// One space.
    Space(SpaceId),
    /// One document, and its space's way to other nodes.
    Document(SpaceId, DocumentId),
}

impl DoctorOf {
    fn has_space(self, of: SpaceId) -> bool {
        match self {
            Self::Everything => true,
            Self::Space(space) | Self::Document(space, _) => space == of,
        }
    }

    fn has_document(self, of: DocumentId) -> bool {
        match self {
            Self::Everything | Self::Space(_) => true,
            Self::Document(_, document) => document == of,
        }
    }

    fn has(self, subject: &Subject) -> bool {
        let has_space = match subject.space {
            Some(space) => self.has_space(space),
            None => self == Self::Everything,
        };
        has_space && subject.document.is_none_or(|document| self.has_document(document))
    }
}

/// Why something is not in sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// The space's name; empty without a space.
    pub space_name: String,
    /// The peer's name; empty without a peer.
    pub peer_name: String,
    /// Why.
    pub cause: Cause,
    /// When this cause was first seen, by this node's clock, since it was started.
    pub since: Timestamp,
    /// The same in a sentence.
    pub sentence: String,
    /// What to do, as a command where there is one.
    pub next: String,
}

/// An answer of the doctor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// By space, document and peer.
    pub findings: Vec<Finding>,
    /// Whether these are all: an answer has at most [`FINDINGS_MAX`].
    pub is_complete: bool,
}

/// A protocol that a peer speaks instead of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    Version(u16),
    Unreadable,
}

/// What is remembered for the next answer.
#[derive(Debug, Default)]
pub(crate) struct Doctor {
    since: BTreeMap<Subject, (&'static str, Timestamp)>,
    pub(crate) examine_at: Option<Duration>,
    /// Connected peers whose last frame was not of our protocol.
    foreign: BTreeMap<DeviceId, Foreign>,
    /// When what could not be opened is tried again.
    pub(crate) open_at: Option<Duration>,
}

impl Doctor {
    /// Something happened: it will be looked at soon.
    pub(crate) fn look_soon(&mut self, now: Now) {
        self.examine_at.get_or_insert(now.monotonic + EXAMINE_DELAY);
    }

    /// A frame of the sync lane was taken, or not.
    pub(crate) fn note_frame(&mut self, device: DeviceId, error: Option<&FrameError>) {
        let foreign = match error {
            None => None,
            Some(FrameError::Version(version)) => Some(Foreign::Version(*version)),
            Some(FrameError::Decode(_)) => Some(Foreign::Unreadable),
            Some(FrameError::Store(_)) => return,
        };
        match foreign {
            Some(foreign) => self.foreign.insert(device, foreign),
            None => self.foreign.remove(&device),
        };
    }

    /// A connection ended: the next one may be to a newer program.
    pub(crate) fn forget_connection(&mut self, device: DeviceId) {
        self.foreign.remove(&device);
    }

    /// Notes what was found, and says since when. What `is_looked_at` and was not found
    /// any more is forgotten.
    fn date(
        &mut self,
        now: Timestamp,
        found: &[(Subject, Cause)],
        is_looked_at: impl Fn(&Subject) -> bool,
    ) -> Vec<Timestamp> {
        let words: BTreeMap<Subject, &str> =
            found.iter().map(|(subject, cause)| (*subject, cause.word())).collect();
        self.since.retain(|subject, (word, _)| {
            !is_looked_at(subject) || words.get(subject).is_some_and(|found| found == word)
        });
        let mut dates = Vec::with_capacity(found.len());
        for (subject, cause) in found {
            let is_full = self.since.len() >= REMEMBERED_MAX;
            dates.push(match self.since.get(subject) {
                Some((_, since)) => *since,
                None if is_full => now,
                None => self.since.entry(*subject).or_insert((cause.word(), now)).1,
            });
        }
        dates
    }
}

impl Node {
    /// Answers a person.
    pub(crate) fn consult(&mut self, now: Now, of: DoctorOf) -> Result<Response, Failure> {
        if let DoctorOf::Space(space) | DoctorOf::Document(space, _) = of
            && !self.trust.spaces().any(|known| known == space)
        {
            return Err(Failure::no_such_space());
        }
        let facts = self.facts(now, of, facts::Documents::All);
        let mut found = diagnosis::diagnose(&facts);
        let is_complete = found.len() <= FINDINGS_MAX;
        found.truncate(FINDINGS_MAX);
        let dates = self.doctor.date(now.wall, &found, |subject| of.has(subject));
        let findings = found.into_iter().zip(dates);
        let findings =
            findings.map(|((subject, cause), since)| self.finding(subject, cause, since));
        Ok(Response::Findings(Findings { findings: findings.collect(), is_complete }))
    }

    /// Looks by itself, so that causes have the right age when somebody asks. Documents
    /// are left out: to look at them may mean to read them all.
    pub(crate) fn examine(&mut self, now: Now) {
        self.doctor.examine_at = None;
        let facts = self.facts(now, DoctorOf::Everything, facts::Documents::None);
        let found = diagnosis::diagnose(&facts);
        self.doctor.date(now.wall, &found, |subject| subject.document.is_none());
    }

    /// Opens the store of a space, or remembers why it could not.
    pub(crate) fn open_or_note(&mut self, now: Now, space: SpaceId) {
        let why = self.open_space(space).err();
        let before = self.sync.note_unopened(space, why.clone());
        if let Some(error) = why {
            if before.as_ref() != Some(&error) {
                tracing::error!(%space, %error, "a space could not be opened");
            }
            self.doctor.open_at.get_or_insert(now.monotonic + OPEN_AGAIN_AFTER);
        }
    }

    /// Tries to open what could not be opened, if it is time.
    pub(crate) fn open_again(&mut self, now: Now) {
        if self.doctor.open_at.is_none_or(|at| now.monotonic < at) {
            return;
        }
        self.doctor.open_at = None;
        let unopened: Vec<SpaceId> = self.sync.unopened().keys().copied().collect();
        for space in &unopened {
            self.open_or_note(now, *space);
        }
        if self.sync.unopened().len() < unopened.len() {
            self.trust_changed(now);
        }
    }

    fn finding(&self, subject: Subject, cause: Cause, since: Timestamp) -> Finding {
        let names = words::Names::of(self, &subject);
        Finding {
            sentence: words::sentence(&cause, &names),
            next: words::next(&cause, &names),
            space_name: names.space,
            peer_name: names.peer,
            subject,
            cause,
            since,
        }
    }
}

/// Whether a peer speaks a newer protocol than we do.
fn is_newer(foreign: Foreign) -> Option<bool> {
    match foreign {
        Foreign::Version(version) => Some(version > PROTOCOL),
        Foreign::Unreadable => None,
    }
}
