//! Making a document what it was.
//!
//! A restore is an ordinary edit: it takes nothing away from the history, merges like any
//! other, and can be undone by a restore to what was before it. It touches only what
//! differs: of a text the part between what is equal at both ends, of a counter it adds
//! the difference, so that what others add meanwhile still counts.
//!
//! Invariant: afterwards the document reads as it did then, or nothing is written.
//! Non-goals: marks and blocks within texts, which only other programs make: they stay
//! where the text stays. What Kith itself notes about a document stays as it is.

use std::{collections::BTreeSet, ops::ControlFlow};

use automerge::{AutoCommit, ObjId, ObjType, Prop, ScalarValue, transaction::Transactable};
use node_model::BlobId;

use super::{
    Document, DocumentError,
    difference::{Difference, differences},
    edit::attempt,
    guarded,
    past::At,
    tree::{Item, Node},
};

/// What a document shall become again.
#[derive(Debug)]
pub struct Restoration {
    now: Item,
    then: Item,
}

impl Restoration {
    /// Blobs that the document will refer to and does not now.
    #[must_use]
    pub fn blobs(&self) -> BTreeSet<BlobId> {
        let [mut now, mut then] = [BTreeSet::new(), BTreeSet::new()];
        super::blobs_in(&self.now.value(), &mut now);
        super::blobs_in(&self.then.value(), &mut then);
        then.difference(&now).copied().collect()
    }
}

impl Document {
    /// Prepares to make it what it was. Ends a change that was begun.
    ///
    /// # Errors
    /// [`DocumentError`]: it was removed, or there is no such moment.
    pub fn restoration(&mut self, at: &At) -> Result<Restoration, DocumentError> {
        if self.is_removed() {
            return Err(DocumentError::Removed);
        }
        let (_, then) = self.state_at(at)?;
        let now = guarded(|| Item::read(&self.auto)).ok_or(DocumentError::Unreadable)?;
        Ok(Restoration { now, then })
    }

    /// Makes it what it was; it must not have changed since that was prepared.
    ///
    /// # Errors
    /// [`DocumentError`]; the caller drops this document and loads it again.
    pub fn restore(&mut self, restoration: &Restoration) -> Result<(), DocumentError> {
        attempt(|| {
            let mut done = Ok(());
            let _ = differences(&restoration.now, &restoration.then, &mut |difference| {
                done = settle(&mut self.auto, difference);
                if done.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            done?;
            if Item::read(&self.auto).is_same(&restoration.then) {
                Ok(())
            } else {
                Err(DocumentError::Unreadable)
            }
        })
    }
}

fn settle(auto: &mut AutoCommit, difference: &Difference<'_>) -> Result<(), DocumentError> {
    let Difference { object, prop, .. } = difference;
    match (difference.old, difference.new) {
        (None, None) => Ok(()),
        (Some(_), None) => Ok(auto.delete(object, prop.clone())?),
        (None, Some(new)) => match prop {
            Prop::Map(_) => put(auto, object, prop, new),
            Prop::Seq(at) => insert(auto, object, *at, new),
        },
        (Some(old), Some(new)) => match (&old.node, &new.node) {
            (Node::Scalar(ScalarValue::Counter(old)), Node::Scalar(ScalarValue::Counter(new))) => {
                let by = i64::from(new).checked_sub(i64::from(old));
                let by = by.ok_or(DocumentError::CounterTooFar)?;
                Ok(auto.increment(object, prop.clone(), by)?)
            }
            (Node::Text(now), Node::Text(then)) => splice(auto, &old.id, now, then),
            (Node::Scalar(_) | Node::Map(_) | Node::List(_) | Node::Text(_), _) => {
                put(auto, object, prop, new)
            }
        },
    }
}

/// Replaces the part of a text that differs.
fn splice(auto: &mut AutoCommit, id: &ObjId, now: &str, then: &str) -> Result<(), DocumentError> {
    let (now, then): (Vec<char>, Vec<char>) = (now.chars().collect(), then.chars().collect());
    let start = now.iter().zip(&then).take_while(|(now, then)| now == then).count();
    let (now_left, then_left) = (&now[start..], &then[start..]);
    let ends = now_left.iter().rev().zip(then_left.iter().rev());
    let end = ends.take_while(|(now, then)| now == then).count();
    let removed = now_left.len() - end;
    let added: String = then_left[..then_left.len() - end].iter().collect();
    // Lengths of vectors fit.
    let removed = isize::try_from(removed).unwrap_or(isize::MAX);
    Ok(auto.splice_text(id, start, removed, &added)?)
}

fn put(
    auto: &mut AutoCommit,
    object: &ObjId,
    prop: &Prop,
    item: &Item,
) -> Result<(), DocumentError> {
    match shape(&item.node) {
        Shape::Scalar(scalar) => Ok(auto.put(object, prop.clone(), scalar.clone())?),
        Shape::Object(kind) => {
            let id = auto.put_object(object, prop.clone(), kind)?;
            fill(auto, &id, item)
        }
    }
}

fn insert(
    auto: &mut AutoCommit,
    list: &ObjId,
    at: usize,
    item: &Item,
) -> Result<(), DocumentError> {
    match shape(&item.node) {
        Shape::Scalar(scalar) => Ok(auto.insert(list, at, scalar.clone())?),
        Shape::Object(kind) => {
            let id = auto.insert_object(list, at, kind)?;
            fill(auto, &id, item)
        }
    }
}

enum Shape<'a> {
    Scalar(&'a ScalarValue),
    Object(ObjType),
}

fn shape(node: &Node) -> Shape<'_> {
    match node {
        Node::Scalar(scalar) => Shape::Scalar(scalar),
        Node::Map(_) => Shape::Object(ObjType::Map),
        Node::List(_) => Shape::Object(ObjType::List),
        Node::Text(_) => Shape::Object(ObjType::Text),
    }
}

fn fill(auto: &mut AutoCommit, id: &ObjId, item: &Item) -> Result<(), DocumentError> {
    match &item.node {
        Node::Scalar(_) => Ok(()),
        Node::Map(items) => {
            items.iter().try_for_each(|(key, item)| put(auto, id, &Prop::Map(key.clone()), item))
        }
        Node::List(items) => {
            items.iter().enumerate().try_for_each(|(at, item)| insert(auto, id, at, item))
        }
        Node::Text(text) => Ok(auto.splice_text(id, 0, 0, text)?),
    }
}

#[cfg(test)]
mod tests;
