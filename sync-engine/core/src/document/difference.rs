//! What differs between two states of a document, as small as it can be told.
//!
//! Invariant: done one after the other, from the first on, the differences turn one state
//! into the other; indexes count with those before done. Equal parts stay untouched.
//! Non-goal: the shortest list of all. Elements that both states know are matched by who
//! put them, the others by their order.

use std::{collections::BTreeMap, ops::ControlFlow};

use automerge::{ObjId, Prop};

use super::tree::{Item, Node};
use crate::json::pointer_part;

/// One difference, at one place.
#[derive(Debug)]
pub(super) struct Difference<'a> {
    /// The object that holds the place, in the state that is turned into the other.
    pub(super) object: &'a ObjId,
    /// Where that object is.
    pub(super) path: &'a [Prop],
    pub(super) prop: Prop,
    /// What is there; nothing where something is added.
    pub(super) old: Option<&'a Item>,
    /// What shall be there; nothing where something is removed.
    pub(super) new: Option<&'a Item>,
}

impl Difference<'_> {
    /// A JSON Pointer.
    pub(super) fn pointer(&self) -> String {
        self.path.iter().chain([&self.prop]).map(pointer_part).collect()
    }
}

/// Calls `each` with all differences until it has enough.
pub(super) fn differences<'a>(
    from: &'a Item,
    to: &'a Item,
    each: &mut dyn FnMut(&Difference<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    Walk { path: Vec::new(), each }.inside(from, to)
}

struct Walk<'w> {
    path: Vec<Prop>,
    each: &'w mut dyn FnMut(&Difference<'_>) -> ControlFlow<()>,
}

impl Walk<'_> {
    fn inside(&mut self, from: &Item, to: &Item) -> ControlFlow<()> {
        match (&from.node, &to.node) {
            (Node::Map(old), Node::Map(new)) => self.maps(&from.id, (old, new)),
            (Node::List(old), Node::List(new)) => self.lists(&from.id, (old, new)),
            (Node::Scalar(_) | Node::Map(_) | Node::List(_) | Node::Text(_), _) => {
                ControlFlow::Continue(())
            }
        }
    }

    fn maps(
        &mut self,
        object: &ObjId,
        (old, new): (&BTreeMap<String, Item>, &BTreeMap<String, Item>),
    ) -> ControlFlow<()> {
        for (key, item) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
            self.tell(object, Prop::Map(key.clone()), (Some(item), None))?;
        }
        for (key, item) in new {
            let prop = Prop::Map(key.clone());
            match old.get(key) {
                Some(old) => self.at(object, prop, (old, item))?,
                None => self.tell(object, prop, (None, Some(item)))?,
            }
        }
        ControlFlow::Continue(())
    }

    fn lists(&mut self, object: &ObjId, (old, new): (&[Item], &[Item])) -> ControlFlow<()> {
        let places: BTreeMap<&ObjId, usize> =
            new.iter().enumerate().map(|(at, item)| (&item.id, at)).collect();
        let (mut old_done, mut new_done, mut index) = (0, 0, 0);
        for (old_at, item) in old.iter().enumerate() {
            let known = places.get(&item.id).filter(|new_at| **new_at >= new_done);
            let Some(&new_at) = known else { continue };
            self.stretch(object, (&old[old_done..old_at], &new[new_done..new_at]), &mut index)?;
            self.at(object, Prop::Seq(index), (item, &new[new_at]))?;
            (old_done, new_done, index) = (old_at + 1, new_at + 1, index + 1);
        }
        self.stretch(object, (&old[old_done..], &new[new_done..]), &mut index)
    }

    /// Elements between two that both states know.
    fn stretch(
        &mut self,
        object: &ObjId,
        (mut old, mut new): (&[Item], &[Item]),
        index: &mut usize,
    ) -> ControlFlow<()> {
        while let ([first, more @ ..], [wanted, others @ ..]) = (old, new)
            && first.is_same(wanted)
        {
            (old, new) = (more, others);
            *index += 1;
        }
        let mut same_at_end = 0;
        while let ([more @ .., last], [others @ .., wanted]) = (old, new)
            && last.is_same(wanted)
        {
            (old, new) = (more, others);
            same_at_end += 1;
        }
        let both = old.len().min(new.len());
        for (item, wanted) in old.iter().zip(new) {
            self.at(object, Prop::Seq(*index), (item, wanted))?;
            *index += 1;
        }
        for item in &old[both..] {
            self.tell(object, Prop::Seq(*index), (Some(item), None))?;
        }
        for wanted in &new[both..] {
            self.tell(object, Prop::Seq(*index), (None, Some(wanted)))?;
            *index += 1;
        }
        *index += same_at_end;
        ControlFlow::Continue(())
    }

    /// A place that holds something in both states.
    fn at(&mut self, object: &ObjId, prop: Prop, (old, new): (&Item, &Item)) -> ControlFlow<()> {
        match (&old.node, &new.node) {
            (Node::Map(_), Node::Map(_)) | (Node::List(_), Node::List(_)) => {
                self.path.push(prop);
                let walked = self.inside(old, new);
                self.path.pop();
                walked
            }
            (Node::Scalar(_) | Node::Map(_) | Node::List(_) | Node::Text(_), _) => {
                if old.is_same(new) {
                    return ControlFlow::Continue(());
                }
                self.tell(object, prop, (Some(old), Some(new)))
            }
        }
    }

    fn tell(
        &mut self,
        object: &ObjId,
        prop: Prop,
        (old, new): (Option<&Item>, Option<&Item>),
    ) -> ControlFlow<()> {
        (self.each)(&Difference { object, path: &self.path, prop, old, new })
    }
}
