//! Why a thing is here, was sent, was denied or set aside: the journal's lines about
//! it, and what would be decided now.

use std::collections::BTreeSet;

use node_model::{AgentId, BlobId, DeviceId, DocumentId, Now, SpaceId};
use sync_engine_core::entry::VerifiedEntry;
use trust_core::{Action, Journalled, Question};

use crate::{
    failure::{Failure, FailureKind},
    node::Node,
    request::{Response, WhyInfo},
};

/// Most lines in one answer, the newest.
const LINES_MAX: usize = 200;

/// What a question is about.
enum Thing {
    Device(DeviceId),
    Agent(AgentId),
    Space(SpaceId),
    Document(SpaceId, DocumentId),
    Blob(SpaceId),
}

impl Node {
    pub(crate) fn why(&mut self, now: Now, text: &str) -> Result<Response, Failure> {
        self.note_denials();
        let thing = self.find_thing(text)?;
        let (lines, questions) = match thing {
            Thing::Device(device) => {
                let lines = self.lines(|line| line.question.device == device);
                (lines, self.questions_of(&[device]))
            }
            Thing::Agent(agent) => {
                let graph = self.trust.graph();
                let own: Vec<DeviceId> = graph
                    .devices
                    .iter()
                    .filter(|(_, facts)| facts.agent == agent)
                    .map(|(device, _)| *device)
                    .collect();
                let lines = self.lines(|line| own.contains(&line.question.device));
                (lines, self.questions_of(&own))
            }
            Thing::Space(space) | Thing::Blob(space) => {
                let lines = self.lines(|line| line.question.action.space() == Some(space));
                (lines, self.who_may_hold(space))
            }
            Thing::Document(space, document) => {
                let mut questions = self.authors(space, document)?;
                if self.is_gone(space, document) {
                    let (device, action) = (self.trust.device(), Action::Keep(space, document));
                    questions.push(Question { device, action });
                }
                questions.extend(self.who_may_hold(space));
                (self.lines(|line| line.question.action.space() == Some(space)), questions)
            }
        };
        let mut answers: Vec<WhyInfo> = lines.iter().map(|line| self.info(line, true)).collect();
        let known: BTreeSet<_> =
            lines.iter().map(|line| (line.question.device, line.question.action)).collect();
        for question in questions {
            if !known.contains(&(question.device, question.action)) {
                // Who asks writes nothing down.
                answers.push(self.info(&self.trust.consider(now.wall, question), false));
            }
        }
        Ok(Response::Why { decisions: answers, is_whole: self.trust.is_journal_whole() })
    }

    fn info(&self, line: &Journalled, is_past: bool) -> WhyInfo {
        WhyInfo {
            explanation: self.trust.explain(line),
            is_past,
            replay: self.trust.replay(line).map_err(|error| error.to_string()),
            line: line.clone(),
        }
    }

    fn lines(&self, concerns: impl Fn(&&Journalled) -> bool) -> Vec<Journalled> {
        let mut lines: Vec<Journalled> =
            self.trust.journal().rev().filter(concerns).take(LINES_MAX).cloned().collect();
        lines.reverse();
        lines
    }

    /// What is asked of devices all the time.
    fn questions_of(&self, devices: &[DeviceId]) -> Vec<Question> {
        let mut questions = Vec::new();
        for device in devices {
            questions.push(Question { device: *device, action: Action::Connect });
            let spaces = self.trust.spaces();
            questions.extend(
                spaces.map(|space| Question { device: *device, action: Action::Hold(space) }),
            );
        }
        questions
    }

    /// For every device that may come in: may it have the space?
    fn who_may_hold(&self, space: SpaceId) -> Vec<Question> {
        let admitted = self.shares.iter().filter(|(_, share)| share.is_admitted);
        let action = Action::Hold(space);
        admitted.map(|(device, _)| Question { device: *device, action }).collect()
    }

    /// For everybody who wrote in a document: may they?
    fn authors(&mut self, space: SpaceId, document: DocumentId) -> Result<Vec<Question>, Failure> {
        let mut devices = BTreeSet::new();
        for bytes in self.sync.stored(space, document)? {
            if let Ok(entry) = VerifiedEntry::from_storage(bytes) {
                devices.insert(entry.header().author);
            }
        }
        let action = Action::Write(space, None);
        Ok(devices.into_iter().map(|device| Question { device, action }).collect())
    }

    /// Whether a document was purged.
    fn is_gone(&self, space: SpaceId, document: DocumentId) -> bool {
        let facts = self.trust.graph().spaces.get(&space);
        facts.is_some_and(|facts| facts.membership.purged.contains_key(&document))
    }

    fn find_thing(&mut self, text: &str) -> Result<Thing, Failure> {
        if let Ok(device) = text.parse() {
            return Ok(Thing::Device(device));
        }
        if let Some((space, document)) = text.split_once('/')
            && let Ok(space) = self.find_space(space)
        {
            let document = match document.parse() {
                Ok(document) if self.is_gone(space.space, document) => document,
                Ok(_) | Err(_) => self.find_document(space.space, document)?,
            };
            return Ok(Thing::Document(space.space, document));
        }
        match self.find_space(text) {
            Ok(space) => return Ok(Thing::Space(space.space)),
            Err(failure) if failure.kind == FailureKind::NotFound => {}
            Err(failure) => return Err(failure),
        }
        for space in self.trust.spaces().collect::<Vec<_>>() {
            if let Ok(blob) = text.parse::<BlobId>()
                && self.data.blob_of(space, blob).is_some()
            {
                return Ok(Thing::Blob(space));
            }
            if let Ok(document) = text.parse()
                && self.is_gone(space, document)
            {
                return Ok(Thing::Document(space, document));
            }
            if let Ok(document) = self.find_document(space, text) {
                return Ok(Thing::Document(space, document));
            }
        }
        self.find_agent(text).map(Thing::Agent).map_err(|_| {
            let message =
                format!("there is no document, file, space, node or person {text:?} here");
            Failure::new(FailureKind::NotFound, message, "kith why SPACE/DOC, or: kith space list")
        })
    }
}
