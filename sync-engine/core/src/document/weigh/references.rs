//! What the operations of a chunk refer to. Automerge takes it for granted that an operation
//! knows of what it names: that an object was made before something is put into it, that a
//! list is used by its elements and a map by its keys. Where that is not so, it ends in
//! another state for each order in which changes come, or panics later.
//!
//! Invariant: what passes is the same whichever way it came.
//! Non-goals: whether elements and replaced operations exist, which Automerge looks for.

use std::collections::BTreeMap;

use super::{Contents, Flaw, OPERATIONS_MAX, bytes::Bytes, column::Values};

/// Columns of operations by their specification
/// (<https://automerge.org/automerge-binary-format-spec/>, "Operation Columns").
const OBJECT_ACTOR: u64 = 0x01;
const OBJECT_COUNTER: u64 = 0x02;
const KEY_ACTOR: u64 = 0x11;
const KEY_COUNTER: u64 = 0x13;
const KEY_TEXT: u64 = 0x15;
const ID_ACTOR: u64 = 0x21;
const ID_COUNTER: u64 = 0x23;
const INSERT: u64 = 0x34;
const ACTION: u64 = 0x42;
const PREDECESSORS: u64 = 0x70;
const PREDECESSOR_COUNTER: u64 = 0x73;
const SUCCESSORS: u64 = 0x80;
const SUCCESSOR_COUNTER: u64 = 0x83;

/// Actions by their numbers.
const MAKE_MAP: i64 = 0;
const MAKE_LIST: i64 = 2;
const DELETE: i64 = 3;
const MAKE_TEXT: i64 = 4;
const INCREMENT: i64 = 5;
const MAKE_TABLE: i64 = 6;

/// How what is in an object is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// By keys.
    Map,
    /// By elements, one after the other.
    Sequence,
}

/// An operation that makes or names an object: its actor's place in the chunk's list, with
/// the one of a change itself first, and its number.
type OperationId = (u64, u64);

/// The objects that a change makes, and those of others that it uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// By the number of the operation.
    pub made: Vec<(u64, Shape)>,
    /// Made before it, each once for each stretch of operations.
    pub used: Vec<(OperationId, Shape)>,
}

/// Reads what the operations of a change refer to; the first of them has the number `start`.
pub(super) fn of_change(
    contents: &Contents<'_>,
    start: u64,
    rows: u64,
) -> Result<References, Flaw> {
    let mut table = Rows::new(contents, PREDECESSORS, PREDECESSOR_COUNTER);
    let mut references = References::default();
    let mut made = BTreeMap::new();
    for row in 0..rows {
        let number = start.checked_add(row).ok_or(Flaw::Malformed)?;
        let operation = table.next(|before| before < number)?;
        if operation.is_insert && operation.group > 0 {
            return Err(Flaw::Malformed);
        }
        operation.check(number)?;
        if let Some((object, shape)) = operation.object() {
            if object.0 == 0 && object.1 >= start {
                is_of(made.get(&object.1), shape)?;
            } else if references.used.last() != Some(&(object, shape)) {
                references.used.push((object, shape));
            }
        }
        if let Some(shape) = operation.makes() {
            made.insert(number, shape);
        }
    }
    references.made = made.into_iter().collect();
    Ok(references)
}

/// Checks what the operations of a whole document refer to: all in it.
pub(super) fn check_document(contents: &Contents<'_>, rows: u64) -> Result<(), Flaw> {
    let (mut made, mut used) = (BTreeMap::new(), Vec::new());
    let mut table = Rows::new(contents, SUCCESSORS, SUCCESSOR_COUNTER);
    for _ in 0..rows {
        let (actor, number) = table.id()?;
        let operation = table.next(|after| after > number)?;
        operation.check(number)?;
        if let Some(object) = operation.object().filter(|object| used.last() != Some(object)) {
            used.push(object);
        }
        if let Some(shape) = operation.makes() {
            made.insert((actor, number), shape);
        }
    }
    used.iter().try_for_each(|(object, shape)| is_of(made.get(object), *shape))
}

fn is_of(found: Option<&Shape>, wanted: Shape) -> Result<(), Flaw> {
    if found == Some(&wanted) { Ok(()) } else { Err(Flaw::Malformed) }
}

/// One operation, as far as it refers to others.
struct Operation {
    container: Option<OperationId>,
    key: Key,
    is_insert: bool,
    action: i64,
    /// How many operations its group names.
    group: u64,
}

enum Key {
    Text,
    Head,
    Element(u64),
}

impl Operation {
    /// Checks it by itself; its own number is this.
    fn check(&self, number: u64) -> Result<(), Flaw> {
        let is_element_earlier = match self.key {
            Key::Text | Key::Head => true,
            Key::Element(element) => element < number,
        };
        let is_container_earlier = self.container.is_none_or(|(_, made)| made < number);
        let is_placed = match self.key {
            Key::Text => !self.is_insert,
            Key::Head => self.is_insert,
            Key::Element(_) => true,
        };
        let is_in_root = self.container.is_none();
        let fits = !is_in_root || self.shape() == Shape::Map;
        let changes_nothing = self.is_insert && matches!(self.action, DELETE | INCREMENT);
        let is_good = is_element_earlier && is_container_earlier && is_placed && fits;
        if is_good && !changes_nothing { Ok(()) } else { Err(Flaw::Malformed) }
    }

    fn shape(&self) -> Shape {
        match self.key {
            Key::Text => Shape::Map,
            Key::Head | Key::Element(_) => Shape::Sequence,
        }
    }

    /// The object that it is in, unless that is the root, and how it uses that.
    fn object(&self) -> Option<(OperationId, Shape)> {
        Some((self.container?, self.shape()))
    }

    fn makes(&self) -> Option<Shape> {
        match self.action {
            MAKE_MAP | MAKE_TABLE => Some(Shape::Map),
            MAKE_LIST | MAKE_TEXT => Some(Shape::Sequence),
            _ => None,
        }
    }
}

/// The columns of a table of operations, row by row.
struct Rows<'a> {
    object: (Runs<'a>, Runs<'a>),
    key: (Runs<'a>, Runs<'a>, Runs<'a>),
    id: (Runs<'a>, Runs<'a>),
    insert: Truths<'a>,
    action: Runs<'a>,
    group: (Runs<'a>, Runs<'a>),
}

impl<'a> Rows<'a> {
    fn new(contents: &'a Contents<'_>, group: u64, group_counter: u64) -> Self {
        let of = |specification| {
            Bytes(contents.get(&specification).map_or(&[], |content| content.as_ref()))
        };
        let unsigned = |specification| Runs::new(of(specification), Values::Unsigned);
        let deltas = |specification| Runs::new(of(specification), Values::Signed);
        Self {
            object: (unsigned(OBJECT_ACTOR), unsigned(OBJECT_COUNTER)),
            key: (unsigned(KEY_ACTOR), deltas(KEY_COUNTER), Runs::new(of(KEY_TEXT), Values::Text)),
            id: (unsigned(ID_ACTOR), deltas(ID_COUNTER)),
            insert: Truths { bytes: of(INSERT), left: 0, is_true: true },
            action: unsigned(ACTION),
            group: (unsigned(group), deltas(group_counter)),
        }
    }

    /// The id of the operation that comes next, where they have one.
    fn id(&mut self) -> Result<OperationId, Flaw> {
        let (actor, counter) = (self.id.0.next()?, self.id.1.next_sum()?);
        pair(actor, counter)?.ok_or(Flaw::Malformed)
    }

    /// The next operation; the numbers of its group have to be as said.
    fn next(&mut self, is_right: impl Fn(u64) -> bool) -> Result<Operation, Flaw> {
        let container = pair(self.object.0.next()?, self.object.1.next()?)?;
        let key = (self.key.0.next()?, self.key.1.next_sum()?, self.key.2.next()?);
        let key = match key {
            (None, None, Some(_)) => Key::Text,
            (None, Some(0), None) => Key::Head,
            (actor, counter, None) => Key::Element(pair(actor, counter)?.ok_or(Flaw::Malformed)?.1),
            (_, _, Some(_)) => return Err(Flaw::Malformed),
        };
        let group = unsigned(self.group.0.next()?.unwrap_or(0))?;
        // Each takes a place in a column that was counted.
        if group > OPERATIONS_MAX {
            return Err(Flaw::Malformed);
        }
        for _ in 0..group {
            let number = self.group.1.next_sum()?.ok_or(Flaw::Malformed)?;
            if !is_right(unsigned(number)?) {
                return Err(Flaw::Malformed);
            }
        }
        let is_insert = self.insert.next()?;
        let action = self.action.next()?.ok_or(Flaw::Malformed)?;
        Ok(Operation { container, key, is_insert, action, group })
    }
}

/// An id of an operation, if there is one; numbers begin at one.
fn pair(actor: Option<i64>, counter: Option<i64>) -> Result<Option<OperationId>, Flaw> {
    match (actor, counter) {
        (None, None) => Ok(None),
        (Some(actor), Some(counter @ 1..)) => Ok(Some((unsigned(actor)?, unsigned(counter)?))),
        (Some(_), Some(_)) | (None, Some(_)) | (Some(_), None) => Err(Flaw::Malformed),
    }
}

fn unsigned(number: i64) -> Result<u64, Flaw> {
    u64::try_from(number).map_err(|_| Flaw::Malformed)
}

/// A column of runs, item by item. After its end all items are without a value.
struct Runs<'a> {
    bytes: Bytes<'a>,
    values: Values,
    left: u64,
    is_literal: bool,
    current: Option<i64>,
    sum: i64,
}

impl<'a> Runs<'a> {
    fn new(bytes: Bytes<'a>, values: Values) -> Self {
        Self { bytes, values, left: 0, is_literal: false, current: None, sum: 0 }
    }

    /// The next item; of a text, that it is there.
    fn next(&mut self) -> Result<Option<i64>, Flaw> {
        while self.left == 0 {
            if self.bytes.is_empty() {
                return Ok(None);
            }
            let count = self.bytes.signed()?;
            self.is_literal = count < 0;
            self.left = count.unsigned_abs();
            if count == 0 {
                self.left = self.bytes.unsigned()?;
                self.current = None;
            } else if count > 0 {
                self.current = Some(self.value()?);
            }
        }
        self.left -= 1;
        if self.is_literal {
            self.current = Some(self.value()?);
        }
        Ok(self.current)
    }

    /// The next item of a column that says how much more each one is than the one before.
    fn next_sum(&mut self) -> Result<Option<i64>, Flaw> {
        let Some(more) = self.next()? else { return Ok(None) };
        self.sum = self.sum.checked_add(more).ok_or(Flaw::Malformed)?;
        Ok(Some(self.sum))
    }

    fn value(&mut self) -> Result<i64, Flaw> {
        match self.values {
            Values::Unsigned => i64::try_from(self.bytes.unsigned()?).map_err(|_| Flaw::Malformed),
            Values::Signed => self.bytes.signed(),
            Values::Text => {
                let length = self.bytes.unsigned()?;
                self.bytes.take(length)?;
                Ok(0)
            }
        }
    }
}

/// A column of truths, item by item: runs of false and true by turns. After its end all are
/// false.
struct Truths<'a> {
    bytes: Bytes<'a>,
    left: u64,
    is_true: bool,
}

impl Truths<'_> {
    fn next(&mut self) -> Result<bool, Flaw> {
        while self.left == 0 {
            if self.bytes.is_empty() {
                return Ok(false);
            }
            self.left = self.bytes.unsigned()?;
            self.is_true = !self.is_true;
        }
        self.left -= 1;
        Ok(self.is_true)
    }
}
