//! The journal of decisions: what was allowed or denied, by which rule, on what
//! evidence, so that a person can ask why and any peer can come to it again.
//!
//! A decision is written when it is made for the first time or differs from the
//! last one on the same matter. Lines are hash-linked; the last [`JOURNAL_MAX`] are
//! kept.

use std::collections::{BTreeMap, VecDeque};

use node_model::{AttestationId, DeviceId, DocumentId, EntryId, SpaceId, Timestamp, cbor};
use serde::{Deserialize, Serialize};

use super::{Trust, TrustError};
use crate::{
    attestation::Attestation,
    decision::{Action, Decision, Question, Rule, Verdict, decide},
    graph::Graph,
    ledger::Record,
};

/// Most lines that are kept; the next one replaces the oldest.
pub const JOURNAL_MAX: u64 = 10_000;

/// Largest line: a decision rests on some dozens of statements.
pub(super) const LINE_BYTES_MAX: usize = 256 * 1024;

/// A decision that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journalled {
    /// Its place, from 0.
    pub number: u64,
    /// When, by this node's clock.
    pub at: Timestamp,
    /// Which device decided.
    pub by: DeviceId,
    /// What was asked.
    pub question: Question,
    /// What was answered.
    pub decision: Decision,
    /// All statements that are needed to come to it again.
    pub needs: Vec<AttestationId>,
    /// BLAKE3 of their ids.
    pub inputs: [u8; 32],
    /// BLAKE3 of the line before.
    pub prev: [u8; 32],
}

/// Why a decision could not be come to again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A statement that it rests on is not here.
    #[error("the statement {0} is not here")]
    Lacks(AttestationId),
    /// The statements are others than those that it names.
    #[error("it was made on other statements than it names")]
    OtherInputs,
    /// The same statements give another answer.
    #[error("the same statements give another answer: {}", .0.rule.in_words())]
    OtherAnswer(Decision),
}

#[derive(Serialize, Deserialize)]
pub(super) struct Line(
    u64,
    Timestamp,
    DeviceId,
    DeviceId,
    ActionLine,
    String,
    bool,
    bool,
    Vec<AttestationId>,
    Vec<AttestationId>,
    #[serde(with = "serde_bytes")] [u8; 32],
    #[serde(with = "serde_bytes")] [u8; 32],
);

#[derive(Serialize, Deserialize)]
enum ActionLine {
    Connect,
    Hold(SpaceId),
    Write(SpaceId, Option<(u64, EntryId)>),
    Administer(SpaceId),
    Keep(SpaceId, DocumentId),
}

/// The lines, oldest first.
#[derive(Default)]
pub(super) struct Journal {
    lines: VecDeque<Journalled>,
    last: BTreeMap<(DeviceId, Action), (Verdict, Rule)>,
    tip: [u8; 32],
    pub(super) pending: Vec<Record>,
    is_broken: bool,
}

impl Journalled {
    pub(super) fn encode(&self) -> Vec<u8> {
        let action = match self.question.action {
            Action::Connect => ActionLine::Connect,
            Action::Hold(space) => ActionLine::Hold(space),
            Action::Write(space, entry) => ActionLine::Write(space, entry),
            Action::Administer(space) => ActionLine::Administer(space),
            Action::Keep(space, document) => ActionLine::Keep(space, document),
        };
        let Decision { verdict, rule, because } = &self.decision;
        cbor::encode(&Line(
            self.number,
            self.at,
            self.by,
            self.question.device,
            action,
            rule.word().to_owned(),
            *verdict != Verdict::Deny,
            *verdict == Verdict::Full,
            because.clone(),
            self.needs.clone(),
            self.inputs,
            self.prev,
        ))
    }

    /// Reads a line, of this node or of another.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let line: Line = cbor::decode(bytes, LINE_BYTES_MAX).ok()?;
        let Line(
            number,
            at,
            by,
            device,
            action,
            rule,
            is_allowed,
            is_full,
            because,
            needs,
            inputs,
            prev,
        ) = line;
        let action = match action {
            ActionLine::Connect => Action::Connect,
            ActionLine::Hold(space) => Action::Hold(space),
            ActionLine::Write(space, entry) => Action::Write(space, entry),
            ActionLine::Administer(space) => Action::Administer(space),
            ActionLine::Keep(space, document) => Action::Keep(space, document),
        };
        let verdict = match (is_allowed, is_full) {
            (false, _) => Verdict::Deny,
            (true, false) => Verdict::Sealed,
            (true, true) => Verdict::Full,
        };
        let decision = Decision { verdict, rule: rule.parse().ok()?, because };
        let question = Question { device, action };
        Some(Self { number, at, by, question, decision, needs, inputs, prev })
    }

    fn hash(&self) -> [u8; 32] {
        *blake3::hash(&self.encode()).as_bytes()
    }
}

impl Journal {
    /// Takes lines as they were stored, in any order.
    pub(super) fn restore(&mut self, mut lines: Vec<Journalled>) {
        lines.sort_by_key(|line| line.number);
        for line in lines {
            self.is_broken |= self.lines.back().is_some_and(|before| {
                line.number != before.number + 1 || line.prev != before.hash()
            });
            self.push(line);
        }
    }

    fn push(&mut self, line: Journalled) {
        let Question { device, action } = line.question;
        self.last.insert((device, action), (line.decision.verdict, line.decision.rule));
        self.tip = line.hash();
        self.lines.push_back(line);
        while self.lines.len() as u64 > JOURNAL_MAX {
            if let Some(old) = self.lines.pop_front() {
                let matter = (old.question.device, old.question.action);
                let is_last = !self.lines.iter().any(|line| line.question == old.question);
                if is_last {
                    self.last.remove(&matter);
                }
            }
        }
    }

    fn next_number(&self) -> u64 {
        self.lines.back().map_or(0, |line| line.number + 1)
    }
}

impl Trust {
    /// Decides, and writes it down if it is new.
    pub fn decide_and_note(&mut self, now: Timestamp, question: Question) -> Decision {
        let decision = self.decide(question);
        self.note_decision(now, question, &decision);
        decision
    }

    /// Writes down what was decided, if it is new.
    pub fn note_decision(&mut self, now: Timestamp, question: Question, decision: &Decision) {
        let said = (decision.verdict, decision.rule);
        if self.journal.last.get(&(question.device, question.action)) != Some(&said) {
            let line = self.line(now, question, decision.clone());
            let record = self.seal_line(&line);
            self.journal.pending.push(record);
            self.journal.push(line);
        }
    }

    /// The line that a decision of now would get, without writing it down.
    #[must_use]
    pub fn consider(&self, now: Timestamp, question: Question) -> Journalled {
        self.line(now, question, self.decide(question))
    }

    fn line(&self, now: Timestamp, question: Question, decision: Decision) -> Journalled {
        let needs: Vec<AttestationId> = self.closure(&decision.because).into_iter().collect();
        Journalled {
            number: self.journal.next_number(),
            at: now,
            by: self.device(),
            question,
            inputs: inputs_hash(&needs),
            needs,
            decision,
            prev: self.journal.tip,
        }
    }

    /// Whether something was decided that is not durable yet.
    #[must_use]
    pub fn has_unwritten_decisions(&self) -> bool {
        !self.journal.pending.is_empty()
    }

    /// Makes what was decided since the last time durable.
    ///
    /// # Errors
    /// [`TrustError::Ledger`]; the lines are kept for the next attempt.
    pub fn flush_journal(&mut self) -> Result<(), TrustError> {
        if self.journal.pending.is_empty() {
            return Ok(());
        }
        self.ledger.put(&self.journal.pending)?;
        self.journal.pending.clear();
        Ok(())
    }

    /// What was decided, oldest first.
    pub fn journal(&self) -> impl DoubleEndedIterator<Item = &Journalled> {
        self.journal.lines.iter()
    }

    /// Whether each line follows the one before it.
    #[must_use]
    pub fn is_journal_whole(&self) -> bool {
        !self.journal.is_broken
    }

    /// Comes to a decision again, from nothing but the statements that it names
    /// and what they need; also to that of another node.
    ///
    /// # Errors
    /// [`ReplayError`] when it cannot, or comes to another one.
    pub fn replay(&self, line: &Journalled) -> Result<(), ReplayError> {
        let mut statements: Vec<&Attestation> = Vec::with_capacity(line.needs.len());
        for id in &line.needs {
            statements.push(self.attestations.get(id).ok_or(ReplayError::Lacks(*id))?);
        }
        if inputs_hash(&line.needs) != line.inputs {
            return Err(ReplayError::OtherInputs);
        }
        let graph = Graph::derive(statements.into_iter(), line.at);
        let again = decide(&graph, line.by, line.question);
        if again == line.decision { Ok(()) } else { Err(ReplayError::OtherAnswer(again)) }
    }
}

fn inputs_hash(needs: &[AttestationId]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("kith 2026-11 decision inputs");
    for id in needs {
        hasher.update(&id.0);
    }
    *hasher.finalize().as_bytes()
}
