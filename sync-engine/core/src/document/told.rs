//! What a change did, for people to read.

use std::ops::ControlFlow;

use automerge::ScalarValue;
use serde_json::Value;

use super::{
    difference::{Difference, differences},
    tree::{Item, Node},
};

/// Most edits told of one change; whoever wants all compares the two states.
const EDITS_MAX: usize = 50;

/// Most bytes of JSON of a value that is told as a whole: a few lines.
const VALUE_BYTES_MAX: usize = 400;

/// Most letters shown of a longer text, and of those before where it changed.
const LETTERS_MAX: usize = 200;
const LETTERS_BEFORE_MAX: usize = 20;

/// What a change did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// One after the other, as JSON Patch has it.
    pub edits: Vec<Edit>,
    /// Whether these are all. If not, there were too many, or it was not looked at.
    pub is_whole: bool,
}

/// One thing that a change did.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Which kind.
    pub kind: EditKind,
    /// Where, as a JSON Pointer.
    pub path: String,
    /// What was there. Nothing, too, where it is large.
    pub old: Option<Value>,
    /// What is there now. Nothing, too, where it is large.
    pub new: Option<Value>,
    /// Whether a value was shortened or left out.
    pub is_cut: bool,
}

/// What kind of thing a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditKind {
    /// Something came.
    Add,
    /// Something went.
    Remove,
    /// Something became something else.
    Replace,
    /// So much was added to a counter.
    Increment(i64),
}

impl Told {
    pub(super) fn new(before: &Item, after: &Item) -> Self {
        let mut edits = Vec::new();
        let walked = differences(before, after, &mut |difference| {
            if edits.len() == EDITS_MAX {
                return ControlFlow::Break(());
            }
            edits.extend(Edit::of(difference));
            ControlFlow::Continue(())
        });
        Self { edits, is_whole: walked.is_continue() }
    }
}

impl Edit {
    fn of(difference: &Difference<'_>) -> Option<Self> {
        let kind = match (difference.old, difference.new) {
            (None, None) => return None,
            (None, Some(_)) => EditKind::Add,
            (Some(_), None) => EditKind::Remove,
            (Some(old), Some(new)) => increment(old, new).unwrap_or(EditKind::Replace),
        };
        let shown = |item: Option<&Item>, from: usize| match item {
            None => Shown { value: None, is_cut: false },
            Some(item) => Shown::new(item, from),
        };
        let from = match (difference.old.and_then(letters), difference.new.and_then(letters)) {
            (Some(old), Some(new)) => {
                let same = old.chars().zip(new.chars()).take_while(|(old, new)| old == new);
                same.count().saturating_sub(LETTERS_BEFORE_MAX)
            }
            (Some(_) | None, Some(_) | None) => 0,
        };
        let (old, new) = (shown(difference.old, from), shown(difference.new, from));
        Some(Self {
            kind,
            path: difference.pointer(),
            is_cut: old.is_cut || new.is_cut,
            old: old.value,
            new: new.value,
        })
    }
}

fn increment(old: &Item, new: &Item) -> Option<EditKind> {
    match (&old.node, &new.node) {
        (Node::Scalar(ScalarValue::Counter(old)), Node::Scalar(ScalarValue::Counter(new))) => {
            i64::from(new).checked_sub(i64::from(old)).map(EditKind::Increment)
        }
        (Node::Scalar(_) | Node::Map(_) | Node::List(_) | Node::Text(_), _) => None,
    }
}

fn letters(item: &Item) -> Option<&str> {
    match &item.node {
        Node::Scalar(scalar) => scalar.as_str(),
        Node::Text(text) => Some(text),
        Node::Map(_) | Node::List(_) => None,
    }
}

struct Shown {
    value: Option<Value>,
    is_cut: bool,
}

impl Shown {
    /// Of a long text, some letters from `from` on.
    fn new(item: &Item, from: usize) -> Self {
        if let Some(value) = item.value_within(&mut VALUE_BYTES_MAX.clone()) {
            return Self { value: Some(value), is_cut: false };
        }
        let excerpt = letters(item).map(|text| {
            let start = if from > 0 { "…" } else { "" };
            let shown: String = text.chars().skip(from).take(LETTERS_MAX).collect();
            let end = if text.chars().nth(from + LETTERS_MAX).is_some() { "…" } else { "" };
            Value::String(format!("{start}{shown}{end}"))
        });
        Self { value: excerpt, is_cut: true }
    }
}
