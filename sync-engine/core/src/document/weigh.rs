//! Weighs an Automerge chunk before Automerge sees it.
//!
//! A chunk says much with few bytes: a run of 40 bits of operations takes seven,
//! and deflated columns grow a thousandfold. Automerge writes such things out
//! first and looks at them later. This module reads the same bytes
//! (<https://automerge.org/automerge-binary-format-spec/>) and adds up what they
//! would become, in a time and a memory that follow their length.
//!
//! Invariant: it is stricter than Automerge. What it weighs, Automerge reads the
//! same way or refuses.
//! Non-goals: checking checksums, and what operations do.

mod bytes;
mod column;
mod inflate;
mod references;
mod value;

use std::{borrow::Cow, collections::BTreeMap};

use node_model::limit::ENTRY_PLAIN_BYTES_MAX;

pub use self::references::{References, Shape};
use self::{
    bytes::Bytes,
    column::{Counted, Values},
    value::Furthest,
};
use super::refusal::{Measure, TooHeavy};

/// Operations of a change, and of all changes of a document together. Automerge
/// takes up to 600 bytes of memory an operation while it applies a change, and
/// 25 µs for one that lands apart from all others, which half of them can
/// (measured). A text with 260,000 edits fits.
pub const OPERATIONS_MAX: u64 = 1 << 18;

/// Operations that are replaced, each as often as it is named. One is usual for
/// an operation.
pub const PREDECESSORS_MAX: u64 = 1 << 18;

/// Other actors that a change names: its operations refer to theirs. Each costs
/// a search among all actors of the document.
pub const ACTORS_MAX: u64 = 4_096;

/// Bytes of an actor's name. Ours have 16; a hash has 32.
pub const ACTOR_BYTES_MAX: u64 = 64;

/// Dependencies of a change: as many as a document may have changes, so that one
/// change can always bring all heads together.
pub const DEPENDENCIES_MAX: u64 = OPERATIONS_MAX;

/// Bytes of keys and names of marks, written out. Automerge copies them for each
/// operation. More than a change without runs can hold.
pub const NAME_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How far from zero a counter begins, and how much is added to it at once: as
/// many as there may be do not overflow, which Automerge does not expect.
pub const COUNTER_MAX: u64 = 1 << 44;

/// Columns of one table. Automerge knows 14.
pub const COLUMNS_MAX: u64 = 32;

/// Bytes of a chunk once it is unpacked: as much as an entry may hold unpacked.
pub const INFLATED_BYTES_MAX: u64 = ENTRY_PLAIN_BYTES_MAX as u64;

/// First bytes of every chunk; four bytes of checksum follow, then the type.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: u64 = 4;

const HASH_BYTES: u64 = 32;

/// A column's specification: its id, whether it is deflated, its type.
const COLUMN_ID_SHIFT: u32 = 4;
const COLUMN_DEFLATED: u64 = 0b1000;
const COLUMN_TYPE: u64 = 0b111;

/// Columns of operations by their id. A group belongs to each operation: of those
/// that it replaces in a change, of those that replace it in a document.
const ACTION_ID: u64 = 4;
const PREDECESSORS_ID: u64 = 7;
const SUCCESSORS_ID: u64 = 8;

/// The column of a document's changes that groups their dependencies.
const DEPENDENCIES_ID: u64 = 4;

/// Columns of operations that describe their values and that hold them.
const VALUES_DESCRIBED: u64 = 0x56;
const VALUES: u64 = 0x57;

/// The actions that mark a stretch of text and that add to a counter.
const ACTION_MARK: u64 = 7;
const ACTION_INCREMENT: u64 = 5;

/// What a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChunkKind {
    /// A document with its whole history, its columns deflated.
    Document,
    /// One change.
    Change,
    /// One change, deflated.
    CompressedChange,
}

/// What a chunk would become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// What it is.
    pub kind: ChunkKind,
    /// Its bytes once it is unpacked.
    pub bytes: u64,
    /// Changes.
    pub changes: u64,
    /// Operations.
    pub operations: u64,
    /// Operations that they replace, each as often as it is named.
    pub predecessors: u64,
    /// Operations that mark a stretch of text.
    pub marks: u64,
    /// Actors that it names.
    pub actors: u64,
    /// Dependencies of its changes.
    pub dependencies: u64,
    /// Bytes of keys and names, each as often as it is used.
    pub name_bytes: u64,
    /// What a change refers to; a document refers to itself only.
    pub references: References,
}

/// Why a chunk has no weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not a chunk that Automerge would read.
    #[error("not a chunk")]
    Malformed,
    /// Over a limit.
    #[error(transparent)]
    TooHeavy(#[from] TooHeavy),
}

/// Weighs a chunk.
///
/// # Errors
/// [`Flaw`]; a bundle of changes is malformed here, for nobody may send one.
pub fn weigh(chunk: &[u8]) -> Result<Weight, Flaw> {
    look(chunk, Look::Everything)
}

/// What the tables of a chunk add up to, without its references: takes as long as its bytes
/// are many, however many operations they stand for.
///
/// # Errors
/// [`Flaw`], but not of what is wrong with references.
pub(super) fn sums(chunk: &[u8]) -> Result<Weight, Flaw> {
    look(chunk, Look::Sums)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Sums,
    Everything,
}

fn look(chunk: &[u8], look: Look) -> Result<Weight, Flaw> {
    let mut bytes = Bytes(chunk);
    if bytes.take(MAGIC.len() as u64)? != MAGIC {
        return Err(Flaw::Malformed);
    }
    bytes.take(CHECKSUM_BYTES)?;
    let kind = match bytes.take(1)? {
        [0] => ChunkKind::Document,
        [1] => ChunkKind::Change,
        [2] => ChunkKind::CompressedChange,
        _ => return Err(Flaw::Malformed),
    };
    let length = bytes.unsigned()?;
    let contents = bytes.take(length)?;
    if !bytes.is_empty() {
        return Err(Flaw::Malformed);
    }
    TooHeavy::unless_within(Measure::InflatedBytes, length, INFLATED_BYTES_MAX)?;
    match kind {
        ChunkKind::Document => document(contents, look),
        ChunkKind::Change => change(contents, look),
        ChunkKind::CompressedChange => {
            let inflated = inflate::inflate(contents, INFLATED_BYTES_MAX)?;
            Ok(Weight { kind, ..change(&inflated, look)? })
        }
    }
}

impl Weight {
    /// Checks what the tables add up to.
    fn check(&self) -> Result<(), TooHeavy> {
        TooHeavy::unless_within(Measure::Changes, self.changes, OPERATIONS_MAX)?;
        TooHeavy::unless_within(Measure::Operations, self.operations, OPERATIONS_MAX)?;
        TooHeavy::unless_within(Measure::Predecessors, self.predecessors, PREDECESSORS_MAX)?;
        TooHeavy::unless_within(Measure::Dependencies, self.dependencies, DEPENDENCIES_MAX)?;
        TooHeavy::unless_within(Measure::NameBytes, self.name_bytes, NAME_BYTES_MAX)
    }
}

fn change(contents: &[u8], look: Look) -> Result<Weight, Flaw> {
    let mut bytes = Bytes(contents);
    let dependencies = hashes(&mut bytes)?;
    actor(&mut bytes)?;
    let (_sequence, start) = (bytes.unsigned()?, bytes.unsigned()?);
    let _time = bytes.signed()?;
    let message_bytes = bytes.unsigned()?;
    bytes.take(message_bytes)?;
    let others = actors(&mut bytes)?;
    let columns = columns(&mut bytes)?;
    if columns.iter().any(|column| column.is_deflated()) {
        return Err(Flaw::Malformed);
    }
    let (operations, contents) = Table::read(&columns, &mut bytes, PREDECESSORS_ID, &mut 0)?;
    let mut weight = Weight {
        kind: ChunkKind::Change,
        bytes: contents.len() as u64,
        changes: 1,
        operations: operations.rows,
        predecessors: operations.grouped,
        marks: operations.marks,
        actors: others + 1,
        dependencies,
        name_bytes: operations.text_bytes,
        references: References::default(),
    };
    weight.check()?;
    if look == Look::Everything {
        weight.references = references::of_change(&contents, start, operations.rows)?;
    }
    Ok(weight)
}

fn document(contents: &[u8], look: Look) -> Result<Weight, Flaw> {
    let mut bytes = Bytes(contents);
    let actors = actors(&mut bytes)?;
    hashes(&mut bytes)?;
    let (of_changes, of_operations) = (columns(&mut bytes)?, columns(&mut bytes)?);
    let mut inflated = 0;
    let (changes, _) = Table::read(&of_changes, &mut bytes, DEPENDENCIES_ID, &mut inflated)?;
    let (operations, contents) =
        Table::read(&of_operations, &mut bytes, SUCCESSORS_ID, &mut inflated)?;
    let weight = Weight {
        kind: ChunkKind::Document,
        bytes: (contents.len() as u64).saturating_add(inflated),
        changes: changes.rows,
        // One that deletes has no row, only those that it deletes.
        operations: operations.rows.saturating_add(operations.grouped),
        predecessors: operations.grouped,
        marks: operations.marks,
        actors,
        dependencies: changes.grouped,
        name_bytes: operations.text_bytes.saturating_add(changes.text_bytes),
        references: References::default(),
    };
    weight.check()?;
    if look == Look::Everything {
        references::check_document(&contents, operations.rows)?;
    }
    Ok(weight)
}

fn hashes(bytes: &mut Bytes<'_>) -> Result<u64, Flaw> {
    let count = bytes.unsigned()?;
    TooHeavy::unless_within(Measure::Dependencies, count, DEPENDENCIES_MAX)?;
    bytes.take(count * HASH_BYTES)?;
    Ok(count)
}

fn actor(bytes: &mut Bytes<'_>) -> Result<(), Flaw> {
    let length = bytes.unsigned()?;
    TooHeavy::unless_within(Measure::ActorBytes, length, ACTOR_BYTES_MAX)?;
    bytes.take(length).map(drop)
}

fn actors(bytes: &mut Bytes<'_>) -> Result<u64, Flaw> {
    let count = bytes.unsigned()?;
    TooHeavy::unless_within(Measure::Actors, count, ACTORS_MAX)?;
    for _ in 0..count {
        actor(bytes)?;
    }
    Ok(count)
}

#[derive(Clone, Copy)]
struct Column {
    specification: u64,
    bytes: u64,
}

impl Column {
    fn id(self) -> u64 {
        self.specification >> COLUMN_ID_SHIFT
    }

    fn is_deflated(self) -> bool {
        self.specification & COLUMN_DEFLATED != 0
    }
}

fn columns(bytes: &mut Bytes<'_>) -> Result<Vec<Column>, Flaw> {
    let count = bytes.unsigned()?;
    TooHeavy::unless_within(Measure::Columns, count, COLUMNS_MAX)?;
    let mut columns: Vec<Column> = Vec::new();
    for _ in 0..count {
        columns.push(Column { specification: bytes.unsigned()?, bytes: bytes.unsigned()? });
    }
    // Automerge wants them in order; each once, so that the last one cannot hide another.
    let is_ascending = columns.is_sorted_by(|a, b| {
        a.specification & !COLUMN_DEFLATED < b.specification & !COLUMN_DEFLATED
    });
    if is_ascending { Ok(columns) } else { Err(Flaw::Malformed) }
}

/// What the columns of a table add up to. They should agree about the number of
/// rows; where they do not, the largest one counts.
#[derive(Clone, Copy, Debug, Default)]
struct Table {
    rows: u64,
    grouped: u64,
    text_bytes: u64,
    marks: u64,
    increments: u64,
}

/// Columns as they are unpacked, by their specification.
type Contents<'a> = BTreeMap<u64, Cow<'a, [u8]>>;

impl Table {
    /// Reads the columns' contents; the items of `group` belong to rows in groups.
    /// Adds to `inflated` what deflated columns hold.
    fn read<'a>(
        columns: &[Column],
        bytes: &mut Bytes<'a>,
        group: u64,
        inflated: &mut u64,
    ) -> Result<(Self, Contents<'a>), Flaw> {
        let (mut table, mut contents) = (Self::default(), Contents::new());
        for column in columns {
            let mut content = Cow::Borrowed(bytes.take(column.bytes)?);
            if column.is_deflated() {
                let left = INFLATED_BYTES_MAX.saturating_sub(*inflated);
                content = Cow::Owned(inflate::inflate(&content, left)?);
                *inflated += content.len() as u64;
            }
            table.add(*column, &content, column.id() == group)?;
            let specification = column.specification & !COLUMN_DEFLATED;
            if specification == VALUES {
                let described = contents.get(&VALUES_DESCRIBED).map_or(&[][..], |it| it.as_ref());
                table.check_counters(&Furthest::read(described, &content)?)?;
            }
            contents.insert(specification, content);
        }
        Ok((table, contents))
    }

    /// Values come after actions, so what adds to counters is known.
    fn check_counters(&self, furthest: &Furthest) -> Result<(), TooHeavy> {
        TooHeavy::unless_within(Measure::Counter, furthest.counter, COUNTER_MAX)?;
        if self.increments == 0 {
            return Ok(());
        }
        TooHeavy::unless_within(Measure::Counter, furthest.number, COUNTER_MAX)
    }

    fn add(&mut self, column: Column, content: &[u8], is_grouped: bool) -> Result<(), Flaw> {
        let is_action = column.id() == ACTION_ID && !is_grouped;
        let wanted = [ACTION_MARK, ACTION_INCREMENT];
        let counted = match column.specification & COLUMN_TYPE {
            // Groups, actors, integers, what values are.
            0 | 1 | 2 | 6 => column::runs(content, Values::Unsigned, wanted)?,
            3 => column::runs(content, Values::Signed, wanted)?,
            4 => Counted { items: column::truths(content)?, ..Counted::default() },
            5 => column::runs(content, Values::Text, wanted)?,
            // Values themselves: bytes without runs.
            _ => return Ok(()),
        };
        let is_group = column.specification & COLUMN_TYPE == 0;
        if is_group {
            self.grouped = self.grouped.max(counted.sum);
        }
        if is_grouped && !is_group {
            self.grouped = self.grouped.max(counted.items);
        } else {
            self.rows = self.rows.max(counted.items);
        }
        self.text_bytes = self.text_bytes.saturating_add(counted.text_bytes);
        if is_action {
            let [marks, increments] = counted.matching;
            self.marks = self.marks.max(marks);
            self.increments = self.increments.max(increments);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
