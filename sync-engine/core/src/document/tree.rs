//! The content of a document in one of its states, with what JSON does not tell: which
//! operation put a value there, counters, texts.
//!
//! Non-goals: what Kith itself notes in the document; values that lost against others.

use std::collections::BTreeMap;

use automerge::{
    Automerge, ChangeHash, ObjId, ObjType, PatchLog, ROOT, ReadDoc, ScalarValue, ValueRef,
};
use serde_json::{Map, Value};

use super::{RESERVED_KEY, guarded};
use crate::json::{self, DEPTH_MAX};

/// A value and the operation that put it; of an object, that is its name.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: ObjId,
    pub(super) node: Node,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Scalar(ScalarValue),
    Map(BTreeMap<String, Item>),
    List(Vec<Item>),
    Text(String),
}

impl Item {
    /// A document before its first change.
    pub(super) fn empty() -> Self {
        Self { id: ROOT, node: Node::Map(BTreeMap::new()) }
    }

    /// All that can be seen. What is nested too deeply is null, as in JSON.
    pub(super) fn read(document: &impl ReadDoc) -> Self {
        Self { id: ROOT, node: read_object(document, &ROOT, ObjType::Map, 0) }
    }

    /// The same as JSON.
    pub(super) fn value(&self) -> Value {
        self.value_within(&mut usize::MAX.clone()).unwrap_or_default()
    }

    /// The same, unless it takes more bytes than are left.
    pub(super) fn value_within(&self, bytes_left: &mut usize) -> Option<Value> {
        match &self.node {
            Node::Scalar(scalar) => {
                let value = json::read_scalar(scalar);
                let bytes = value.as_str().map_or(NODE_BYTES, str::len);
                *bytes_left = bytes_left.checked_sub(bytes)?;
                Some(value)
            }
            Node::Map(items) => {
                let mut map = Map::new();
                for (key, item) in items {
                    *bytes_left = bytes_left.checked_sub(key.len() + NODE_BYTES)?;
                    map.insert(key.clone(), item.value_within(bytes_left)?);
                }
                Some(Value::Object(map))
            }
            Node::List(items) => {
                let mut list = Vec::new();
                for item in items {
                    list.push(item.value_within(bytes_left)?);
                }
                Some(Value::Array(list))
            }
            Node::Text(text) => {
                *bytes_left = bytes_left.checked_sub(text.len())?;
                Some(Value::String(text.clone()))
            }
        }
    }

    /// Whether it reads the same and is of the same kind, whoever put it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.node, &other.node) {
            (Node::Scalar(ScalarValue::F64(one)), Node::Scalar(ScalarValue::F64(two))) => {
                one.to_bits() == two.to_bits()
            }
            (Node::Scalar(one), Node::Scalar(two)) => one == two,
            (Node::Text(one), Node::Text(two)) => one == two,
            (Node::Map(one), Node::Map(two)) => {
                one.len() == two.len()
                    && one.iter().zip(two).all(|((key, item), (other_key, other))| {
                        key == other_key && item.is_same(other)
                    })
            }
            (Node::List(one), Node::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.is_same(two))
            }
            (Node::Scalar(_) | Node::Map(_) | Node::List(_) | Node::Text(_), _) => false,
        }
    }
}

/// What a value costs beside its characters, in bytes of JSON.
const NODE_BYTES: usize = 4;

fn read_object(document: &impl ReadDoc, id: &ObjId, kind: ObjType, depth: usize) -> Node {
    if depth > DEPTH_MAX {
        return Node::Scalar(ScalarValue::Null);
    }
    let read = |id: ObjId, value: &ValueRef<'_>| {
        let node = match value {
            ValueRef::Object(kind) => read_object(document, &id, *kind, depth + 1),
            ValueRef::Scalar(scalar) => Node::Scalar(scalar.into()),
        };
        Item { id, node }
    };
    match kind {
        ObjType::Map | ObjType::Table => {
            let items = document.map_range(id, ..);
            let shown = items.filter(|item| depth > 0 || item.key != RESERVED_KEY);
            Node::Map(
                shown.map(|item| (item.key.to_string(), read(item.id(), &item.value))).collect(),
            )
        }
        ObjType::List => {
            let items = document.list_range(id, ..);
            Node::List(items.map(|item| read(item.id(), &item.value)).collect())
        }
        ObjType::Text => Node::Text(document.text(id).unwrap_or_default()),
    }
}

/// Earlier states of a document, one at a time.
///
/// Each is read in a transaction of a copy: that works out once what can be seen, where
/// the `*_at` methods would for each object, which a crafted history makes slow.
pub(super) struct Past {
    copy: Automerge,
}

impl Past {
    pub(super) fn new(document: &Automerge) -> Self {
        Self { copy: document.clone() }
    }

    /// How much work it is to read a state: operations and changes that may be looked at.
    pub(super) fn cost(&self) -> u64 {
        let stats = self.copy.stats();
        stats.num_ops.saturating_add(stats.num_changes)
    }

    /// The state with these changes and what they build on; `None` when Automerge trips
    /// over what a malformed change did.
    pub(super) fn at(&mut self, heads: &[ChangeHash]) -> Option<Item> {
        if heads.is_empty() {
            return Some(Item::empty());
        }
        guarded(|| {
            let view = self.copy.transaction_at(PatchLog::inactive(), heads).ok()?;
            Some(Item::read(&view))
        })
        .flatten()
    }
}
