//! Finds the places that people at different devices changed without knowing of
//! each other, and what each of them said.
//!
//! A *claim* is something that was said about a place and that nobody who knew of
//! it has overruled: a value, a deletion, an edit inside an object that is gone,
//! or a decision of a person (see `settle.rs`).

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, ChangeHash, ObjType, ReadDoc, Value as AutomergeValue};

use super::{
    settle::{Settled, name, settled},
    touch::{OpKey, Slot, Touched, Touches, last_settled},
    value::{Put, holder, place, standing},
};
use crate::document::graph::{Graph, Latest, Node, Window};

/// Concurrent changes looked at: weeks of two people who never meet; what each
/// one knows of the others takes 2 MiB in all.
pub(super) const CHANGES_MAX: usize = 4_096;

/// Operations looked at, some 50 MB while they are: a few large imports, or every
/// field of some ten thousand edits.
pub(super) const OPERATIONS_MAX: usize = 200_000;

/// Objects whose way to the root is looked up: each costs a search.
const OBJECTS_MAX: usize = 20_000;

/// Values of one place. People cannot choose among more.
pub(super) const SIDES_MAX: usize = 16;

/// What was said about a place.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// It is to be gone.
    Nothing,
    /// A value that stands there.
    Stands(Put),
    /// An object that is gone, with edits in it.
    Gone(Put),
    /// The same, as one of its editors saw it.
    GoneAsOf(Put, ChangeHash),
    /// A value that somebody decided for, as they saw it.
    KeptAsOf(Put, ChangeHash),
}

/// Something said and who said it.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) said: Said,
    pub(super) by: BTreeSet<Node>,
}

/// A place with several claims; the first is what is shown.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) slot: Slot,
    pub(super) ids: BTreeSet<OpKey>,
    pub(super) place: String,
    pub(super) claims: Vec<Claim>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) found: Vec<Found>,
    pub(super) changes_read: usize,
    pub(super) is_complete: bool,
}

/// Edits inside one object that is gone.
#[derive(Debug, Default)]
struct Inside {
    by: BTreeSet<Node>,
    /// Those of them that are in something that is gone from that object too.
    deeper: BTreeSet<Node>,
}

type Candidates = BTreeMap<Slot, BTreeMap<OpKey, Inside>>;

/// Looks through the concurrent changes of a document.
pub(super) fn find(auto: &Automerge, window: &Window<'_>) -> Findings {
    let mut findings = Findings {
        changes_read: window.members.len(),
        is_complete: window.is_whole,
        found: vec![],
    };
    if window.members.is_empty() {
        return findings;
    }
    let Some(touches) = Touches::read(auto, window) else {
        findings.is_complete = false;
        return findings;
    };
    let mut candidates = Candidates::new();
    for (slot, touched) in &touches.slots {
        let is_concurrent = || window.latest(touched.by.keys().copied()).nodes.len() > 1;
        let is_decided = || !touches.decided.is_empty() && touches.decided.contains(&name(slot));
        if (touched.by.len() > 1 && is_concurrent() || is_decided()) && !is_in_text(auto, slot) {
            candidates.entry(slot.clone()).or_default();
        }
    }
    findings.is_complete &= edits_in_what_is_gone(auto, &touches, &mut candidates);
    let nothing = Touched::default();
    for (slot, gone) in candidates {
        let touched = touches.slots.get(&slot).unwrap_or(&nothing);
        let judge = Judge::new(auto, window, &slot, touched);
        findings.is_complete &= judge.standing.len() <= SIDES_MAX;
        let claims = judge.claims(&gone);
        if claims.len() > 1
            && let Some(place) = place(auto, &slot)
        {
            findings.found.push(Found { ids: touched.values.clone(), slot, place, claims });
        }
    }
    drop_what_was_settled_since(auto, window, &mut findings);
    findings
}

/// Groups edits by the outermost object around them that is gone, and by the
/// place where that was. Says whether it looked at all of them.
fn edits_in_what_is_gone(auto: &Automerge, touches: &Touches, candidates: &mut Candidates) -> bool {
    if touches.gone.is_empty() {
        return true;
    }
    let mut parents = Parents { auto, gone: &touches.gone, known: BTreeMap::new() };
    for (object, by) in &touches.edits {
        if parents.known.len() > OBJECTS_MAX {
            return false;
        }
        let mut outermost = None;
        let (mut is_deeper, mut is_hidden) = (false, false);
        let mut next = Some(object.clone());
        while let Some(object) = next {
            let (is_shown, parent) = parents.of(&object);
            match touches.gone.get(&object) {
                Some(slot) => {
                    is_deeper |= outermost.is_some() || is_hidden;
                    is_hidden = false;
                    outermost = Some((object, slot));
                }
                None => is_hidden |= !is_shown,
            }
            next = parent;
        }
        if let Some((object, slot)) = outermost
            && !is_hidden
        {
            let places = candidates.entry(slot.clone()).or_default();
            let inside = places.entry(object).or_default();
            inside.by.extend(by);
            if is_deeper {
                inside.deeper.extend(by);
            }
        }
    }
    true
}

/// For objects whether they are shown, and what holds them; each is looked up once.
struct Parents<'a> {
    auto: &'a Automerge,
    gone: &'a BTreeMap<OpKey, Slot>,
    known: BTreeMap<OpKey, (bool, Option<OpKey>)>,
}

impl Parents<'_> {
    fn of(&mut self, object: &OpKey) -> (bool, Option<OpKey>) {
        if let Some(slot) = self.gone.get(object) {
            return (false, slot.object.clone());
        }
        if let Some(known) = self.known.get(object) {
            return known.clone();
        }
        let up = holder(self.auto, &object.object());
        let found = up.map_or((false, None), |up| (up.is_shown, OpKey::of(&up.object)));
        self.known.insert(object.clone(), found.clone());
        found
    }
}

/// Judges what was said about one place.
struct Judge<'a> {
    auto: &'a Automerge,
    window: &'a Window<'a>,
    slot: &'a Slot,
    touched: &'a Touched,
    latest: Latest<'a>,
    /// Newest first: the first one is shown.
    standing: Vec<(Put, Option<Node>)>,
    settled: Vec<Settled>,
}

impl<'a> Judge<'a> {
    fn new(
        auto: &'a Automerge,
        window: &'a Window<'a>,
        slot: &'a Slot,
        touched: &'a Touched,
    ) -> Self {
        let values = standing(auto, (slot, &touched.values), None);
        let standing = values.into_iter().rev().take(SIDES_MAX + 1);
        let standing =
            standing.map(|put| (put.clone(), node_of(auto, window.graph, &put))).collect();
        Self {
            auto,
            window,
            slot,
            touched,
            latest: window.latest(touched.by.keys().copied()),
            standing,
            settled: settled(auto, window.graph, slot),
        }
    }

    fn claims(&self, gone: &BTreeMap<OpKey, Inside>) -> Vec<Claim> {
        let mut claims = Vec::new();
        let deleted = self.deletions();
        let mut values = self.standing.iter().take(SIDES_MAX);
        match values.next() {
            Some((put, node)) => {
                claims.push(Claim { said: Said::Stands(put.clone()), by: set_of(*node) });
            }
            None => claims.push(Claim { said: Said::Nothing, by: deleted.clone() }),
        }
        for (put, node) in values.filter(|(put, node)| !self.is_settled(put, *node)) {
            claims.push(Claim { said: Said::Stands(put.clone()), by: set_of(*node) });
        }
        if !self.standing.is_empty() && !deleted.is_empty() {
            claims.push(Claim { said: Said::Nothing, by: deleted });
        }
        for (object, inside) in gone {
            self.claims_inside(object, inside, &mut claims);
        }
        self.claims_kept(&mut claims);
        claims
    }

    /// Whether somebody who knew of a value that stands decided for another.
    fn is_settled(&self, put: &Put, node: Option<Node>) -> bool {
        let id = OpKey::of(&put.1);
        let knew = |later: Node| node.is_some_and(|node| self.window.includes(later, node));
        self.settled.iter().any(|settled| knew(settled.by) && settled.kept != id)
    }

    fn writers(&self) -> impl Iterator<Item = Node> {
        self.standing.iter().filter_map(|(_, writer)| *writer)
    }

    /// Whether somebody who put what stands now knew of `node`.
    fn is_overwritten(&self, node: Node) -> bool {
        self.writers().any(|writer| self.window.includes(writer, node))
    }

    fn is_decided(&self, node: Node) -> bool {
        self.settled.iter().any(|settled| self.window.includes(settled.by, node))
    }

    fn deletions(&self) -> BTreeSet<Node> {
        let deleting = self.latest.nodes.iter().copied();
        let deleting = deleting.filter(|node| self.touched.by.get(node) == Some(&true));
        let deleting = deleting.filter(|node| !self.is_decided(*node));
        let decided = self.settled.iter().filter(|settled| settled.kept.is_none());
        let decided = decided.map(|settled| settled.by).filter(|node| {
            // Who knew of what stands and left it standing did not decide against it.
            let knew = |writer: Node| self.window.includes(*node, writer);
            !self.is_touched(*node) && !self.writers().any(knew)
        });
        deleting.chain(decided).filter(|node| !self.is_overwritten(*node)).collect()
    }

    fn is_touched(&self, node: Node) -> bool {
        self.latest.nodes.iter().any(|latest| self.window.precedes(node, *latest))
    }

    fn claims_inside(&self, object: &OpKey, inside: &Inside, claims: &mut Vec<Claim>) {
        let Ok(kind) = self.auto.object_type(object.object()) else { return };
        let put = (AutomergeValue::Object(kind), object.object());
        let is_open = |node: &Node| {
            !self.latest.include(*node) && !self.is_decided(*node) && !self.is_overwritten(*node)
        };
        let open: BTreeSet<Node> = inside.by.iter().copied().filter(is_open).collect();
        let deeper = inside.deeper.intersection(&open).copied();
        for node in self.window.latest(deeper).nodes {
            let said = Said::GoneAsOf(put.clone(), self.window.graph.hash(node));
            claims.push(Claim { said, by: BTreeSet::from([node]) });
        }
        let by: BTreeSet<Node> = open.difference(&inside.deeper).copied().collect();
        if !by.is_empty() {
            claims.push(Claim { said: Said::Gone(put), by });
        }
    }

    /// Decisions for a value that somebody else meanwhile overwrote or deleted.
    fn claims_kept(&self, claims: &mut Vec<Claim>) {
        for settled in &self.settled {
            let Some(kept) = &settled.kept else { continue };
            let stands =
                self.standing.iter().any(|((_, id), _)| OpKey::of(id).as_ref() == Some(kept));
            if stands || self.is_touched(settled.by) || self.is_overwritten(settled.by) {
                continue;
            }
            let hash = self.window.graph.hash(settled.by);
            let heads = [hash];
            let then = standing(self.auto, (self.slot, &self.touched.values), Some(&heads));
            for put in then {
                if OpKey::of(&put.1).as_ref() == Some(kept) {
                    let by = BTreeSet::from([settled.by]);
                    claims.push(Claim { said: Said::KeptAsOf(put, hash), by });
                }
            }
        }
    }
}

/// Where nothing stands any more, a later change may have settled it and left no
/// trace but its own operation: only then are later changes looked at too.
fn drop_what_was_settled_since(auto: &Automerge, window: &Window<'_>, findings: &mut Findings) {
    let is_open = |found: &&Found| matches!(found.claims[0].said, Said::Nothing);
    let oldest =
        |found: &Found| found.claims[1..].iter().flat_map(|claim| &claim.by).min().copied();
    let open: BTreeMap<Slot, Node> = findings
        .found
        .iter()
        .filter(is_open)
        .filter_map(|found| Some((found.slot.clone(), oldest(found)?)))
        .collect();
    let (settled, is_whole) = last_settled(auto, window, &open, OPERATIONS_MAX);
    findings.is_complete &= is_whole;
    for found in &mut findings.found {
        if let Some(last) = settled.get(&found.slot) {
            for claim in &mut found.claims[1..] {
                claim.by.retain(|node| !window.includes(*last, *node));
            }
            let mut at = 0;
            found.claims.retain(|claim| {
                at += 1;
                at == 1 || !claim.by.is_empty()
            });
        }
    }
    findings.found.retain(|found| found.claims.len() > 1);
}

fn node_of(auto: &Automerge, graph: &Graph, (_, id): &Put) -> Option<Node> {
    graph.node(&auto.hash_for_opid(id)?)
}

fn set_of(node: Option<Node>) -> BTreeSet<Node> {
    node.into_iter().collect()
}

/// Characters of a text merge one by one; only its whole is a place.
fn is_in_text(auto: &Automerge, slot: &Slot) -> bool {
    auto.object_type(slot.object()) == Ok(ObjType::Text)
}
