//! What concurrent changes did, place by place.
//!
//! Non-goals: what of it is a conflict.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{
    ActorId, Automerge, Change, ChangeHash, ObjId, ReadDoc,
    legacy::{ElementId, Key, ObjectId, Op, OpId, OpType},
};

use super::settle;
use crate::document::{
    RESERVED_KEY,
    graph::{Node, Window},
    guarded,
};

/// An operation's id, in an order that is the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OpKey {
    counter: u64,
    actor: ActorId,
}

impl OpKey {
    pub(super) fn object(&self) -> ObjId {
        // Automerge looks the actor up where the index does not fit.
        ObjId::Id(self.counter, self.actor.clone(), 0)
    }

    pub(super) fn of(id: &ObjId) -> Option<Self> {
        match id {
            ObjId::Root => None,
            ObjId::Id(counter, actor, _) => Some(Self { counter: *counter, actor: actor.clone() }),
        }
    }

    /// Reads `counter@actor`, as Automerge prints it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (counter, actor) = text.split_once('@')?;
        Some(Self { counter: counter.parse().ok()?, actor: ActorId::try_from(actor).ok()? })
    }
}

impl std::fmt::Display for OpKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.counter, self.actor)
    }
}

impl From<&OpId> for OpKey {
    fn from(id: &OpId) -> Self {
        Self { counter: id.0, actor: id.1.clone() }
    }
}

/// Where in its object a value is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Of a map.
    Key(String),
    /// Of a list: the operation that inserted the element.
    Element(OpKey),
}

/// A place that holds one value: a key of a map or an element of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    /// `None` is the root.
    pub(super) object: Option<OpKey>,
    pub(super) part: Part,
}

impl Slot {
    pub(super) fn object(&self) -> ObjId {
        self.object.as_ref().map_or(ObjId::Root, OpKey::object)
    }
}

/// What changes did to one place.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Who wrote or deleted it; `true` for those whose last word was to delete.
    pub(super) by: BTreeMap<Node, bool>,
    /// Operations that are known to have put a value here.
    pub(super) values: BTreeSet<OpKey>,
}

/// All that concurrent changes did.
#[derive(Debug, Default)]
pub(super) struct Touches {
    pub(super) slots: BTreeMap<Slot, Touched>,
    /// Objects that were deleted or overwritten, and where they were.
    pub(super) gone: BTreeMap<OpKey, Slot>,
    /// Who put something into an object.
    pub(super) edits: BTreeMap<OpKey, BTreeSet<Node>>,
    /// Names of the places that somebody decided about.
    pub(super) decided: BTreeSet<String>,
}

impl Touches {
    /// Reads all members of the window; `None` when Automerge cannot write down
    /// again what a malformed change did.
    pub(super) fn read(auto: &Automerge, window: &Window<'_>) -> Option<Self> {
        let mut touches = Self::default();
        for_each_operation(auto, window, &window.members, |node, id, op| {
            touches.note(auto, node, id, op);
        })?;
        Some(touches)
    }

    fn note(&mut self, auto: &Automerge, node: Node, id: OpKey, op: &Op) {
        let object = match &op.obj {
            ObjectId::Root => None,
            ObjectId::Id(id) => Some(OpKey::from(id)),
        };
        let deletes = match &op.action {
            OpType::Delete => true,
            OpType::Make(_) | OpType::Put(_) => false,
            OpType::Increment(_) | OpType::MarkBegin(_) | OpType::MarkEnd(_) => return,
        };
        if !deletes && let Some(object) = &object {
            self.edits.entry(object.clone()).or_default().insert(node);
        }
        if op.insert {
            return;
        }
        let Some(slot) = slot(object, &op.key) else { return };
        if let Part::Key(key) = &slot.part
            && key.starts_with(settle::PREFIX)
        {
            self.decided.insert(key.clone());
        }
        if matches!(&slot, Slot { object: None, part: Part::Key(key) } if key == RESERVED_KEY) {
            return;
        }
        for pred in op.pred.iter().map(OpKey::from) {
            if auto.object_type(pred.object()).is_ok() {
                self.gone.entry(pred.clone()).or_insert_with(|| slot.clone());
            }
            self.slots.entry(slot.clone()).or_default().values.insert(pred);
        }
        let touched = self.slots.entry(slot).or_default();
        touched.by.insert(node, deletes);
        if !deletes {
            touched.values.insert(id);
        }
    }
}

/// The waist that last wrote or deleted each of `slots`, and whether
/// all waists were looked at or there were too many.
pub(super) fn last_settled(
    auto: &Automerge,
    window: &Window<'_>,
    slots: &BTreeMap<Slot, Node>,
    operations_max: usize,
) -> (BTreeMap<Slot, Node>, bool) {
    let mut found = BTreeMap::new();
    let Some(first) = slots.values().min() else { return (found, true) };
    let mut operations = 0_usize;
    let mut waists = window
        .graph
        .waists_after(*first)
        .filter(|waist| slots.values().any(|node| window.precedes(*node, *waist)))
        .peekable();
    let mut chosen = Vec::new();
    while let Some(waist) = waists.peek() {
        operations = operations.saturating_add(window.graph.operations(*waist));
        if operations > operations_max {
            break;
        }
        chosen.extend(waists.next());
    }
    let mut is_whole = waists.next().is_none();
    chosen.reverse();
    let read = for_each_operation(auto, window, &chosen, |node, _, op| {
        let object = match &op.obj {
            ObjectId::Root => None,
            ObjectId::Id(id) => Some(OpKey::from(id)),
        };
        if let Some(slot) = slot(object, &op.key)
            && !op.insert
            && slots.contains_key(&slot)
        {
            found.insert(slot, node);
        }
    });
    is_whole &= read.is_some();
    (found, is_whole)
}

fn slot(object: Option<OpKey>, key: &Key) -> Option<Slot> {
    let part = match key {
        Key::Map(key) => Part::Key(key.to_string()),
        Key::Seq(ElementId::Id(id)) => Part::Element(OpKey::from(id)),
        Key::Seq(ElementId::Head) => return None,
    };
    Some(Slot { object, part })
}

fn for_each_operation(
    auto: &Automerge,
    window: &Window<'_>,
    nodes: &[Node],
    mut each: impl FnMut(Node, OpKey, &Op),
) -> Option<()> {
    if nodes.is_empty() {
        return Some(());
    }
    // One pass over all operations, however many changes are asked for.
    let hashes = nodes.iter().map(|node| window.graph.hash(*node));
    let changes = guarded(|| auto.bundle(hashes).ok()?.to_changes().ok())??;
    let changes: BTreeMap<ChangeHash, Change> =
        changes.into_iter().map(|change| (change.hash(), change)).collect();
    for node in nodes {
        let change = changes.get(&window.graph.hash(*node))?;
        let expanded = guarded(|| change.decode())?;
        for (counter, op) in (change.start_op().get()..).zip(&expanded.operations) {
            let id = OpKey { counter, actor: change.actor_id().clone() };
            each(*node, id, op);
        }
    }
    Some(())
}
