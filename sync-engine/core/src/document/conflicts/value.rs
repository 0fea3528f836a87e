//! Values of a place: now, and as somebody saw them.

use std::collections::BTreeSet;

use automerge::{
    Automerge, ChangeHash, Cursor, ObjId, ObjType, Prop, ReadDoc, Value as AutomergeValue,
};
use serde_json::{Map, Value};

use super::touch::{OpKey, Part, Slot};
use crate::{
    document::{RESERVED_KEY, guarded},
    json::{self, DEPTH_MAX},
};

/// What a value costs beside its characters, in bytes.
const NODE_BYTES: usize = 32;

/// A value with the operation that put it.
pub(super) type Put = (AutomergeValue<'static>, ObjId);

/// The values that stand at a place, the one that is shown last. `ids` are the
/// operations that are known to have put a value there.
pub(super) fn standing(
    auto: &Automerge,
    (slot, ids): (&Slot, &BTreeSet<OpKey>),
    heads: Option<&[ChangeHash]>,
) -> Vec<Put> {
    let Some(prop) = property(auto, slot, heads) else { return vec![] };
    let found = match heads {
        Some(heads) => auto.get_all_at(slot.object(), prop, heads),
        None => auto.get_all(slot.object(), prop),
    };
    let found: Vec<Put> = found.into_iter().flatten().map(|(v, id)| (v.into_owned(), id)).collect();
    match &slot.part {
        Part::Key(_) => found,
        // Where an element is gone, the next one has its index.
        Part::Element(element) => {
            let is_it = |id: OpKey| id == *element || ids.contains(&id);
            let is_here = found.iter().filter_map(|(_, id)| OpKey::of(id)).any(is_it);
            if is_here { found } else { vec![] }
        }
    }
}

/// The key, or the index that an element has or would have.
pub(super) fn property(
    auto: &impl ReadDoc,
    slot: &Slot,
    heads: Option<&[ChangeHash]>,
) -> Option<Prop> {
    match &slot.part {
        Part::Key(key) => Some(Prop::Map(key.clone())),
        Part::Element(element) => {
            let cursor = Cursor::try_from(element.to_string()).ok()?;
            let object = slot.object();
            // With debug assertions, Automerge 0.12 panics over an element that is
            // gone when no other follows: its own two ways to find it differ there.
            match guarded(|| auto.get_cursor_position(&object, &cursor, heads)) {
                Some(position) => position.ok().map(Prop::Seq),
                None => Some(Prop::Seq(auto.length(&object))),
            }
        }
    }
}

/// Where an object is.
pub(super) struct Holder {
    pub(super) object: ObjId,
    prop: Prop,
    /// Whether it is what its holder shows there: neither gone nor a value that lost.
    pub(super) is_shown: bool,
}

/// What holds an object. With debug assertions, Automerge 0.12 panics over some that
/// are not shown; then it is not known.
pub(super) fn holder(auto: &impl ReadDoc, object: &ObjId) -> Option<Holder> {
    let up = guarded(|| auto.parents(object).ok()?.next()).flatten()?;
    let shown = auto.get(&up.obj, up.prop.clone()).ok().flatten();
    let is_shown = shown.is_some_and(|(_, id)| id == *object);
    Some(Holder { object: up.obj, prop: up.prop, is_shown })
}

/// The JSON Pointer to a place; `None` when it is in something that is not
/// shown, or that Kith keeps for itself.
pub(super) fn place(auto: &impl ReadDoc, slot: &Slot) -> Option<String> {
    let mut props = vec![property(auto, slot, None)?];
    let mut object = slot.object();
    while object != ObjId::Root {
        let up = holder(auto, &object)?;
        if !up.is_shown || props.len() > DEPTH_MAX {
            return None;
        }
        props.push(up.prop);
        object = up.object;
    }
    if props.last() == Some(&Prop::Map(RESERVED_KEY.to_owned())) {
        return None;
    }
    Some(props.iter().rev().map(json::pointer_part).collect())
}

/// Reads values as JSON, up to so many bytes.
pub(super) struct Reader<'a> {
    auto: &'a Automerge,
    bytes_left: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(auto: &'a Automerge, bytes_max: usize) -> Self {
        Self { auto, bytes_left: bytes_max }
    }

    pub(super) fn bytes_left(&self) -> usize {
        self.bytes_left
    }

    /// A value, now or at `heads`; `None` when it is too large.
    pub(super) fn value(
        &mut self,
        (value, id): &Put,
        heads: Option<&[ChangeHash]>,
        depth: usize,
    ) -> Option<Value> {
        self.spend(NODE_BYTES)?;
        match value {
            AutomergeValue::Object(kind) => self.object(*kind, id, heads, depth),
            AutomergeValue::Scalar(scalar) => {
                let value = json::read_scalar(scalar);
                self.spend(value.as_str().map_or(0, str::len))?;
                Some(value)
            }
        }
    }

    fn object(
        &mut self,
        kind: ObjType,
        id: &ObjId,
        heads: Option<&[ChangeHash]>,
        depth: usize,
    ) -> Option<Value> {
        if depth > DEPTH_MAX {
            return Some(Value::Null);
        }
        match kind {
            ObjType::Map | ObjType::Table => {
                let items = match heads {
                    Some(heads) => self.auto.map_range_at(id, .., heads),
                    None => self.auto.map_range(id, ..),
                };
                let mut map = Map::new();
                for item in items {
                    self.spend(item.key.len())?;
                    let put = (item.value.clone().into_value(), item.id());
                    map.insert(item.key.into_owned(), self.value(&put, heads, depth + 1)?);
                }
                Some(Value::Object(map))
            }
            ObjType::List => {
                let items = match heads {
                    Some(heads) => self.auto.list_range_at(id, .., heads),
                    None => self.auto.list_range(id, ..),
                };
                let mut list = Vec::new();
                for item in items {
                    let put = (item.value.clone().into_value(), item.id());
                    list.push(self.value(&put, heads, depth + 1)?);
                }
                Some(Value::Array(list))
            }
            ObjType::Text => {
                let text = match heads {
                    Some(heads) => self.auto.text_at(id, heads),
                    None => self.auto.text(id),
                };
                let text = text.unwrap_or_default();
                self.spend(text.len())?;
                Some(Value::String(text))
            }
        }
    }

    fn spend(&mut self, bytes: usize) -> Option<()> {
        self.bytes_left = self.bytes_left.checked_sub(bytes)?;
        Some(())
    }
}
