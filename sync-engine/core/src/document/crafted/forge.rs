//! Writes change chunks by hand, right or wrong: Automerge's binary format
//! (<https://automerge.org/automerge-binary-format-spec/>), chunks of type 1.

use sha2::{Digest, Sha256};

/// Column specifications of a change's operations: four bits of id, then the type.
pub(in crate::document) mod column {
    pub(in crate::document) const OBJECT_ACTOR: u64 = 0x01;
    pub(in crate::document) const OBJECT_COUNTER: u64 = 0x02;
    pub(in crate::document) const KEY_ACTOR: u64 = 0x11;
    pub(in crate::document) const KEY_COUNTER: u64 = 0x13;
    pub(in crate::document) const KEY_NAME: u64 = 0x15;
    pub(in crate::document) const INSERT: u64 = 0x34;
    pub(in crate::document) const ACTION: u64 = 0x42;
    pub(in crate::document) const VALUE_META: u64 = 0x56;
    pub(in crate::document) const VALUE: u64 = 0x57;
    pub(in crate::document) const PREDECESSORS: u64 = 0x70;
    pub(in crate::document) const PREDECESSOR_ACTOR: u64 = 0x71;
    pub(in crate::document) const PREDECESSOR_COUNTER: u64 = 0x73;
    pub(in crate::document) const EXPAND: u64 = 0x94;
    pub(in crate::document) const MARK_NAME: u64 = 0xa5;
}

/// Actions of operations.
pub(in crate::document) mod action {
    pub(in crate::document) const MAKE_MAP: u64 = 0;
    pub(in crate::document) const SET: u64 = 1;
    pub(in crate::document) const MAKE_LIST: u64 = 2;
    pub(in crate::document) const MAKE_TEXT: u64 = 4;
    pub(in crate::document) const INCREMENT: u64 = 5;
    pub(in crate::document) const MARK: u64 = 7;
}

/// A number as LEB128.
pub(in crate::document) fn unsigned(mut number: u64, to: &mut Vec<u8>) {
    while number > 0x7f {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// A number with a sign as LEB128.
pub(in crate::document) fn signed(mut number: i64, to: &mut Vec<u8>) {
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        let is_last = (number == 0 && byte & 0x40 == 0) || (number == -1 && byte & 0x40 != 0);
        to.push(if is_last { byte } else { byte | 0x80 });
        if is_last {
            return;
        }
    }
}

/// The bytes of a column.
#[derive(Clone, Debug, Default)]
pub(in crate::document) struct Column(pub(in crate::document) Vec<u8>);

impl Column {
    /// `count` times the same number.
    pub(in crate::document) fn run(mut self, count: i64, number: u64) -> Self {
        signed(count, &mut self.0);
        unsigned(number, &mut self.0);
        self
    }

    /// `count` times the same step.
    pub(in crate::document) fn steps(mut self, count: i64, step: i64) -> Self {
        signed(count, &mut self.0);
        signed(step, &mut self.0);
        self
    }

    /// Numbers one by one.
    pub(in crate::document) fn numbers(
        mut self,
        numbers: impl ExactSizeIterator<Item = u64>,
    ) -> Self {
        if numbers.len() > 0 {
            signed(-(numbers.len() as i64), &mut self.0);
        }
        numbers.for_each(|number| unsigned(number, &mut self.0));
        self
    }

    /// Values one by one, given as they are relative to the one before.
    pub(in crate::document) fn deltas(
        mut self,
        numbers: impl ExactSizeIterator<Item = i64>,
    ) -> Self {
        signed(-(numbers.len() as i64), &mut self.0);
        let mut last = 0_i64;
        for number in numbers {
            signed(number.wrapping_sub(last), &mut self.0);
            last = number;
        }
        self
    }

    /// `count` times the same text.
    pub(in crate::document) fn text(mut self, count: i64, text: &[u8]) -> Self {
        signed(count, &mut self.0);
        unsigned(text.len() as u64, &mut self.0);
        self.0.extend(text);
        self
    }

    /// `count` times nothing.
    pub(in crate::document) fn nulls(mut self, count: u64) -> Self {
        signed(0, &mut self.0);
        unsigned(count, &mut self.0);
        self
    }

    /// Runs of false, true, false, true …
    pub(in crate::document) fn truths(mut self, runs: &[u64]) -> Self {
        runs.iter().for_each(|run| unsigned(*run, &mut self.0));
        self
    }

    /// These bytes.
    pub(in crate::document) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }
}

/// A change that says whatever one likes.
#[derive(Clone, Debug)]
pub(in crate::document) struct Forged {
    pub(in crate::document) dependencies: Vec<[u8; 32]>,
    pub(in crate::document) actor: Vec<u8>,
    pub(in crate::document) sequence: u64,
    pub(in crate::document) start: u64,
    pub(in crate::document) time: i64,
    pub(in crate::document) message: Vec<u8>,
    pub(in crate::document) others: Vec<Vec<u8>>,
    pub(in crate::document) columns: Vec<(u64, Column)>,
    pub(in crate::document) extra: Vec<u8>,
}

impl Forged {
    /// A first change of an actor, without operations.
    pub(in crate::document) fn by(actor: u8) -> Self {
        Self {
            dependencies: vec![],
            actor: vec![actor; 16],
            sequence: 1,
            start: 1,
            time: 0,
            message: vec![],
            others: vec![],
            columns: vec![],
            extra: vec![],
        }
    }

    /// Comes after another one, by the same actor.
    pub(in crate::document) fn after(mut self, other: &Self, operations: u64) -> Self {
        self.dependencies = vec![other.hash()];
        self.sequence = other.sequence + u64::from(self.actor == other.actor);
        self.start = other.start + operations;
        self
    }

    /// With one more column; they are put in order.
    pub(in crate::document) fn with(mut self, column: u64, content: Column) -> Self {
        self.columns.push((column, content));
        self.columns.sort_by_key(|(column, _)| *column);
        self
    }

    /// What the checksum covers.
    pub(in crate::document) fn contents(&self) -> Vec<u8> {
        let mut to = Vec::new();
        unsigned(self.dependencies.len() as u64, &mut to);
        self.dependencies.iter().for_each(|hash| to.extend(hash));
        unsigned(self.actor.len() as u64, &mut to);
        to.extend(&self.actor);
        unsigned(self.sequence, &mut to);
        unsigned(self.start, &mut to);
        signed(self.time, &mut to);
        unsigned(self.message.len() as u64, &mut to);
        to.extend(&self.message);
        unsigned(self.others.len() as u64, &mut to);
        for actor in &self.others {
            unsigned(actor.len() as u64, &mut to);
            to.extend(actor);
        }
        unsigned(self.columns.len() as u64, &mut to);
        for (column, content) in &self.columns {
            unsigned(*column, &mut to);
            unsigned(content.0.len() as u64, &mut to);
        }
        self.columns.iter().for_each(|(_, content)| to.extend(&content.0));
        to.extend(&self.extra);
        to
    }

    /// The chunk.
    pub(in crate::document) fn bytes(&self) -> Vec<u8> {
        chunk(1, &self.contents())
    }

    /// Automerge's name of it.
    pub(in crate::document) fn hash(&self) -> [u8; 32] {
        hash(1, &self.contents())
    }
}

fn hash(kind: u8, contents: &[u8]) -> [u8; 32] {
    let mut covered = vec![kind];
    unsigned(contents.len() as u64, &mut covered);
    covered.extend(contents);
    Sha256::digest(&covered).into()
}

/// A chunk with a right checksum.
pub(in crate::document) fn chunk(kind: u8, contents: &[u8]) -> Vec<u8> {
    let mut to = vec![0x85, 0x6f, 0x4a, 0x83];
    to.extend(&hash(kind, contents)[..4]);
    to.push(kind);
    unsigned(contents.len() as u64, &mut to);
    to.extend(contents);
    to
}
