//! One record, and its line. The types leave no room for what a person wrote, but for the
//! names of programs' keys, which are short and plain.

use std::time::Duration;

use node_core::Denied;
use node_model::{AgentId, BlobId, DeviceId, DocumentId, SpaceId, Timestamp, program::KeyName};
use serde_json::{Map, Value};

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody searched.
    Search,
    /// A peer was asked, for somebody here.
    Forward,
    /// Somebody read, changed, came in, or was denied.
    Access,
    /// Records that are not there: too many came at once, or the disk refused them.
    Dropped,
}

impl Event {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Search, Self::Forward, Self::Access, Self::Dropped];

    /// Its stable name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Forward => "forward",
            Self::Access => "access",
            Self::Dropped => "dropped",
        }
    }
}

/// By which right somebody came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// None that holds.
    #[default]
    Nobody,
    /// They could open the node's own socket.
    LocalSocket,
    /// The token of programs on this device.
    LocalToken,
    /// The link that `kith up` printed.
    EntryCode,
    /// The session of a browser.
    Session,
    /// The key of a program.
    Key(KeyName),
    /// Another node.
    Device {
        /// Its key.
        device: DeviceId,
        /// Whose it is, where that is known.
        agent: Option<AgentId>,
    },
}

impl By {
    fn word(self) -> String {
        match self {
            Self::Nobody => "nobody".to_owned(),
            Self::LocalSocket => "local-socket".to_owned(),
            Self::LocalToken => "local-token".to_owned(),
            Self::EntryCode => "entry-code".to_owned(),
            Self::Session => "session".to_owned(),
            Self::Key(name) => format!("key:{name}"),
            Self::Device { device, agent: _ } => format!("device:{device}"),
        }
    }

    fn agent(self) -> Option<AgentId> {
        match self {
            Self::Device { agent, device: _ } => agent,
            Self::Nobody
            | Self::LocalSocket
            | Self::LocalToken
            | Self::EntryCode
            | Self::Session
            | Self::Key(_) => None,
        }
    }

    /// Whether it is somebody who had no right to what came out like this.
    fn has_no_right(self, outcome: Outcome) -> bool {
        match self {
            Self::Nobody | Self::Device { .. } => true,
            Self::Key(_) => outcome == Outcome::Denied,
            Self::LocalSocket | Self::LocalToken | Self::EntryCode | Self::Session => false,
        }
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A request to the doorway.
    Route {
        /// Its method.
        method: &'static str,
        /// The route's path with the names of its parameters; nothing where there is
        /// no such route.
        template: Option<&'static str>,
    },
    /// What a peer asked for, in a word.
    Ask(&'static str),
}

impl What {
    fn word(self) -> String {
        match self {
            Self::Route { method, template: Some(template) } => format!("{method} {template}"),
            Self::Route { method: word, template: None } | Self::Ask(word) => word.to_owned(),
        }
    }
}

/// Which things it was about, as far as they were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The space.
    pub space: Option<SpaceId>,
    /// The document.
    pub document: Option<DocumentId>,
    /// The blob.
    pub blob: Option<BlobId>,
    /// The person.
    pub agent: Option<AgentId>,
    /// The device.
    pub device: Option<DeviceId>,
}

/// What is kept of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searched {
    /// How long the query was, in Unicode code points.
    pub characters: usize,
    /// How much was found; nothing when it failed.
    pub results: Option<usize>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done or answered.
    Allowed,
    /// It was not theirs to ask, or there was nothing there for them.
    Denied,
    /// It did not work.
    Failed,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// A record, but for when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What kind.
    pub event: Event,
    /// By which right.
    pub by: By,
    /// What was asked for.
    pub what: What,
    /// Which things.
    pub about: About,
    /// Of a search.
    pub search: Option<Searched>,
    /// What came of it.
    pub outcome: Outcome,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// The stable code of what went wrong.
    pub error: Option<&'static str>,
    /// How often, at once.
    pub times: u32,
    /// How long until the answer began.
    pub duration: Option<Duration>,
}

impl From<Denied> for Record {
    fn from(denied: Denied) -> Self {
        let Denied { device, agent, what, space, why, times } = denied;
        Self {
            event: Event::Access,
            by: By::Device { device, agent },
            what: What::Ask(what),
            about: About { space, ..About::default() },
            search: None,
            outcome: Outcome::Denied,
            status: None,
            error: Some(why),
            times,
            duration: None,
        }
    }
}

impl Record {
    /// Whether it comes from somebody who must not fill the log.
    pub(super) fn is_limited(&self) -> bool {
        self.by.has_no_right(self.outcome)
    }

    /// Its line, with the line feed.
    pub(super) fn line(&self, at: Timestamp) -> String {
        let Self { event, by, what, about, search, outcome, status, error, times, duration } = self;
        let About { space, document, blob, agent, device } = about;
        let mut line = Line::new(at, *event);
        line.text("by", Some(by.word()));
        line.text("by_agent", by.agent());
        line.text("what", Some(what.word()));
        line.text("space", *space);
        line.text("doc", *document);
        line.text("blob", *blob);
        line.text("agent", *agent);
        line.text("device", *device);
        line.number("query_characters", search.map(|search| search.characters));
        line.number("results", search.and_then(|search| search.results));
        line.text("outcome", Some(outcome.word()));
        line.number("status", *status);
        line.text("error", *error);
        line.number("times", Some(*times).filter(|times| *times > 1));
        let duration = duration.map(|duration| duration.as_millis());
        line.number("duration_ms", duration.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)));
        line.finish()
    }
}

/// The line that says how many are missing.
pub(super) fn dropped(at: Timestamp, count: u64) -> String {
    let mut line = Line::new(at, Event::Dropped);
    line.number("count", Some(count));
    line.finish()
}

struct Line(Map<String, Value>);

impl Line {
    fn new(at: Timestamp, event: Event) -> Self {
        let mut line = Self(Map::new());
        line.text("at", Some(at.rfc3339()));
        line.text("event", Some(event.word()));
        line
    }

    fn text(&mut self, key: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value.to_string().into());
        }
    }

    fn number(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value.into());
        }
    }

    fn finish(self) -> String {
        format!("{}\n", Value::Object(self.0))
    }
}
