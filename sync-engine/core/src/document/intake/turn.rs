//! Whether it is a change's turn, and what would be in the document with it.

use std::collections::BTreeMap;

use automerge::{ActorId, AutoCommit, Change, ChangeHash, ObjId, ObjType, ReadDoc};
use node_model::EntryId;

use super::{
    super::weigh::{References, Shape},
    Applied, Brought, Intake, Refusal,
};

/// How far an actor has come.
#[derive(Clone, Copy, Default)]
pub(super) struct Turn {
    pub(super) sequence: u64,
    pub(super) operation_max: u64,
}

impl Intake {
    /// Checks what Automerge takes for granted, and says how far the change brings
    /// its actor.
    pub(super) fn turn(
        &self,
        auto: &AutoCommit,
        brought: &Brought,
        ahead: &Ahead,
    ) -> Result<Turn, Refusal> {
        let change = &brought.change;
        let turn = self.turn_of(&Step::of(change), ahead)?;
        let is_known = |actor| ahead.actors.contains_key(actor) || self.actors.contains_key(actor);
        let uses = &brought.share.weight.references.used;
        let has_its_shape = |((actor, number), shape): &((u64, u64), Shape)| {
            let actor = actor_at(change, *actor);
            actor.and_then(|actor| ahead.shape(auto, actor, *number)) == Some(*shape)
        };
        let fits = change.other_actor_ids().iter().all(is_known) && uses.iter().all(has_its_shape);
        if fits { Ok(turn) } else { Err(Refusal::NotTaken) }
    }

    pub(super) fn turn_of(&self, step: &Step<'_>, ahead: &Ahead) -> Result<Turn, Refusal> {
        let mut below = 0;
        for dep in step.deps {
            let applied = self.applied.get(dep).map(|applied| applied.operation_max);
            let ahead = ahead.changes.get(dep).map(|applied| applied.operation_max);
            below = below.max(applied.or(ahead).ok_or(Refusal::NotTaken)?);
        }
        let last = ahead.actors.get(step.actor).or_else(|| self.actors.get(step.actor));
        let last = last.copied().unwrap_or_default();
        if step.sequence.checked_sub(1) != Some(last.sequence) {
            return Err(Refusal::OutOfTurn);
        }
        if step.start > below.saturating_add(1) || step.start <= last.operation_max {
            return Err(Refusal::Misnumbered);
        }
        Ok(Turn { sequence: step.sequence, operation_max: below.max(step.end) })
    }
}

/// An actor by its place in a change's list.
fn actor_at(change: &Change, at: u64) -> Option<&ActorId> {
    let Some(other) = at.checked_sub(1) else { return Some(change.actor_id()) };
    change.other_actor_ids().get(usize::try_from(other).ok()?)
}

/// What would be in the document as well.
#[derive(Default)]
pub(super) struct Ahead {
    pub(super) changes: BTreeMap<ChangeHash, Applied>,
    pub(super) actors: BTreeMap<ActorId, Turn>,
    /// Each one after those that it depends on: its hash, these, its operations.
    pub(super) order: Vec<(ChangeHash, Vec<ChangeHash>, usize)>,
    /// Objects, by who made them with which operation.
    objects: BTreeMap<(ActorId, u64), Shape>,
}

impl Ahead {
    pub(super) fn note(&mut self, brought: &Brought, turn: Turn) {
        let References { made, .. } = &brought.share.weight.references;
        let actor = brought.change.actor_id();
        self.objects.extend(made.iter().map(|(number, shape)| ((actor.clone(), *number), *shape)));
        self.note_step(&Step::of(&brought.change), Some(brought.entry), turn);
    }

    /// How an object is used that is in the document or would be.
    fn shape(&self, auto: &AutoCommit, actor: &ActorId, number: u64) -> Option<Shape> {
        let object = (actor.clone(), number);
        if let Some(shape) = self.objects.get(&object) {
            return Some(*shape);
        }
        let (actor, number) = object;
        match auto.object_type(ObjId::Id(number, actor, 0)).ok()? {
            ObjType::Map | ObjType::Table => Some(Shape::Map),
            ObjType::List | ObjType::Text => Some(Shape::Sequence),
        }
    }

    pub(super) fn note_step(&mut self, step: &Step<'_>, entry: Option<EntryId>, turn: Turn) {
        let operation_max = turn.operation_max;
        self.changes.insert(step.hash, Applied { entry, operation_max });
        self.order.push((step.hash, step.deps.to_vec(), step.operations));
        let own = Turn { operation_max: step.end, ..turn };
        self.actors.insert(step.actor.clone(), own);
    }
}

/// What a change says of its place in the history.
pub(super) struct Step<'a> {
    pub(super) hash: ChangeHash,
    pub(super) deps: &'a [ChangeHash],
    pub(super) actor: &'a ActorId,
    pub(super) sequence: u64,
    /// Number of its first operation.
    pub(super) start: u64,
    /// Number of its last operation, or the one before the first when it has none.
    pub(super) end: u64,
    pub(super) operations: usize,
}

impl<'a> Step<'a> {
    pub(super) fn of(change: &'a Change) -> Self {
        Self {
            hash: change.hash(),
            deps: change.deps(),
            actor: change.actor_id(),
            sequence: change.seq(),
            start: change.start_op().get(),
            end: change.max_op(),
            operations: change.len(),
        }
    }
}
