//! Which changes of a document know of which others.
//!
//! Two changes are *concurrent* when neither knows of the other. A *waist* is a
//! change that is concurrent with none: it knows all that came before it, and all
//! that comes after knows it. A history without concurrency consists of waists,
//! so asking whether there is any costs nothing.
//!
//! Invariant: whatever order changes arrive in, the same changes are waists.
//! Non-goals: what changes say.

use std::collections::{BTreeMap, BTreeSet};

use automerge::ChangeHash;

/// A change's place in order of arrival.
pub(super) type Node = usize;

#[derive(Debug)]
struct Known {
    hash: ChangeHash,
    deps: Vec<Node>,
    /// Length of the longest way back to a change without dependencies. Unlike
    /// Automerge's counters, a writer cannot choose it.
    generation: u32,
    operations: usize,
    /// When it arrived, the last waist at or before it.
    waist: Option<Node>,
}

/// The changes of a document.
#[derive(Debug, Default)]
pub(super) struct Graph {
    known: Vec<Known>,
    nodes: BTreeMap<ChangeHash, Node>,
    heads: BTreeSet<Node>,
    waists: Vec<Node>,
}

impl Graph {
    /// Takes in a change whose dependencies are here.
    pub(super) fn add(&mut self, hash: ChangeHash, deps: &[ChangeHash], operations: usize) {
        if self.nodes.contains_key(&hash) {
            return;
        }
        let node = self.known.len();
        let deps: Vec<Node> = deps.iter().filter_map(|dep| self.node(dep)).collect();
        for dep in &deps {
            self.heads.remove(dep);
        }
        let mut waist = deps.iter().filter_map(|dep| self.waist_at(*dep)).max();
        if self.heads.is_empty() {
            self.waists.push(node);
            waist = Some(node);
        } else {
            self.waists.truncate(self.waists.partition_point(|known| Some(*known) <= waist));
        }
        self.heads.insert(node);
        let generation = deps.iter().map(|dep| self.known[*dep].generation + 1).max();
        let generation = generation.unwrap_or_default();
        self.known.push(Known { hash, deps, generation, operations, waist });
        self.nodes.insert(hash, node);
    }

    fn waist_at(&self, node: Node) -> Option<Node> {
        let then = self.known[node].waist?;
        let count = self.waists.partition_point(|waist| *waist <= then);
        Some(self.waists[count.checked_sub(1)?])
    }

    pub(super) fn node(&self, hash: &ChangeHash) -> Option<Node> {
        self.nodes.get(hash).copied()
    }

    pub(super) fn hash(&self, node: Node) -> ChangeHash {
        self.known[node].hash
    }

    pub(super) fn operations(&self, node: Node) -> usize {
        self.known[node].operations
    }

    fn is_waist(&self, node: Node) -> bool {
        self.waists.binary_search(&node).is_ok()
    }

    /// The waists that know of `node`, newest first.
    pub(super) fn waists_after(&self, node: Node) -> impl Iterator<Item = Node> {
        let first = self.waists.partition_point(|waist| *waist <= node);
        self.waists[first..].iter().rev().copied()
    }

    /// Everything that no node of `known` knows of.
    pub(super) fn unknown_to(&self, known: &[Node]) -> Vec<Node> {
        let floor = known.iter().filter_map(|node| self.waist_at(*node)).max();
        let first = floor.map_or(0, |waist| waist + 1);
        let mut seen: BTreeSet<Node> =
            known.iter().copied().filter(|node| *node >= first).collect();
        let mut next: Vec<Node> = seen.iter().copied().collect();
        while let Some(node) = next.pop() {
            for dep in self.known[node].deps.iter().filter(|dep| **dep >= first) {
                if seen.insert(*dep) {
                    next.push(*dep);
                }
            }
        }
        (first..self.known.len()).filter(|node| !seen.contains(node)).collect()
    }

    /// Those of `nodes` that no change depends on.
    pub(super) fn ends_of(&self, nodes: &[Node]) -> Vec<Node> {
        let inner: BTreeSet<Node> =
            nodes.iter().flat_map(|node| &self.known[*node].deps).copied().collect();
        nodes.iter().copied().filter(|node| !inner.contains(node)).collect()
    }
}

/// The newest concurrent changes of a document, as many as a limit allows.
///
/// Which ones these are follows from the set of changes alone, and if a change is
/// among them, all concurrent ones that know of it are too.
#[derive(Debug)]
pub(super) struct Window<'a> {
    pub(super) graph: &'a Graph,
    /// Each one after those that it knows of.
    pub(super) members: Vec<Node>,
    ranks: BTreeMap<Node, usize>,
    /// For each member, the members that it knows of.
    knows: Vec<Bits>,
    /// Whether no concurrent change was left out.
    pub(super) is_whole: bool,
}

impl<'a> Window<'a> {
    pub(super) fn new(graph: &'a Graph, changes_max: usize, operations_max: usize) -> Self {
        let mut members: Vec<Node> = Vec::new();
        if graph.waists.len() < graph.known.len() {
            members = (0..graph.known.len()).filter(|node| !graph.is_waist(*node)).collect();
        }
        let all = members.len();
        let age = |node: &Node| (graph.known[*node].generation, graph.known[*node].hash);
        members.sort_by_key(|node| std::cmp::Reverse(age(node)));
        let mut operations = 0_usize;
        let fitting = members.iter().take(changes_max).take_while(|node| {
            operations = operations.saturating_add(graph.known[**node].operations);
            operations <= operations_max
        });
        members.truncate(fitting.count());
        members.reverse();
        let ranks = members.iter().enumerate().map(|(rank, node)| (*node, rank)).collect();
        let is_whole = members.len() == all;
        let mut window = Self { graph, members, ranks, knows: Vec::new(), is_whole };
        for rank in 0..window.members.len() {
            let row = window.row(rank);
            window.knows.push(row);
        }
        window
    }

    fn row(&self, rank: usize) -> Bits {
        let mut row = Bits::new(self.members.len());
        for dep in &self.graph.known[self.members[rank]].deps {
            if let Some(known) = self.ranks.get(dep) {
                row.add(&self.knows[*known]);
                row.set(*known);
            } else if self.graph.is_waist(*dep) {
                row.fill(self.older_than(*dep));
            }
        }
        row
    }

    /// How many members a waist knows of; they come first.
    fn older_than(&self, waist: Node) -> usize {
        let generation = self.graph.known[waist].generation;
        self.members.partition_point(|node| self.graph.known[*node].generation < generation)
    }

    /// Whether `later` knows of `earlier`. Of changes that the window left out
    /// this is not known, and the answer is no.
    pub(super) fn precedes(&self, earlier: Node, later: Node) -> bool {
        if self.graph.is_waist(earlier) || self.graph.is_waist(later) {
            let generation = |node: Node| self.graph.known[node].generation;
            return generation(earlier) < generation(later);
        }
        match (self.ranks.get(&earlier), self.ranks.get(&later)) {
            (Some(earlier), Some(later)) => self.knows[*later].has(*earlier),
            (Some(_) | None, Some(_) | None) => false,
        }
    }

    /// Whether `later` is `earlier` or knows of it.
    pub(super) fn includes(&self, later: Node, earlier: Node) -> bool {
        later == earlier || self.precedes(earlier, later)
    }

    /// The newest of `nodes`, which must be members.
    pub(super) fn latest(&self, nodes: impl Iterator<Item = Node>) -> Latest<'_> {
        let ranks: BTreeSet<usize> =
            nodes.filter_map(|node| self.ranks.get(&node).copied()).collect();
        let mut covered = Bits::new(self.members.len());
        let mut newest = Vec::new();
        for rank in ranks.into_iter().rev() {
            if !covered.has(rank) {
                newest.push(self.members[rank]);
                covered.add(&self.knows[rank]);
                covered.set(rank);
            }
        }
        Latest { nodes: newest, ranks: &self.ranks, covered }
    }

    /// The newest changes that all of `nodes` know of: a state before all of
    /// them. `None` when the window does not reach back far enough.
    pub(super) fn before_all(&self, nodes: &BTreeSet<Node>) -> Option<Vec<ChangeHash>> {
        if !self.is_whole {
            return None;
        }
        let oldest = nodes.iter().map(|node| self.graph.known[*node].generation).min()?;
        let waist =
            self.graph.waists.partition_point(|waist| self.graph.known[*waist].generation < oldest);
        let waist = waist.checked_sub(1).map(|at| self.graph.waists[at]);
        let first = waist.map_or(0, |waist| self.older_than(waist));
        let common = self.members[first..].iter().copied();
        let common = common.filter(|early| nodes.iter().all(|node| self.precedes(*early, *node)));
        let mut newest = self.latest(common).nodes;
        if newest.is_empty() {
            newest.extend(waist);
        }
        Some(newest.into_iter().map(|node| self.graph.hash(node)).collect())
    }
}

/// Changes of which none knows of another.
#[derive(Debug)]
pub(super) struct Latest<'a> {
    pub(super) nodes: Vec<Node>,
    ranks: &'a BTreeMap<Node, usize>,
    covered: Bits,
}

impl Latest<'_> {
    /// Whether one of them is the member `node` or knows of it.
    pub(super) fn include(&self, node: Node) -> bool {
        self.ranks.get(&node).is_some_and(|rank| self.covered.has(*rank))
    }
}

/// A set of small numbers.
#[derive(Debug)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(size: usize) -> Self {
        Self(vec![0; size.div_ceil(64)])
    }

    fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn has(&self, at: usize) -> bool {
        self.0[at / 64] & (1 << (at % 64)) != 0
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    fn fill(&mut self, count: usize) {
        self.0[..count / 64].fill(u64::MAX);
        if !count.is_multiple_of(64) {
            self.0[count / 64] |= (1 << (count % 64)) - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;

    fn hash(n: usize) -> ChangeHash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        ChangeHash(hash)
    }

    /// A history: of each change those that it depends on, which come before it.
    fn history(random: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
        let mut heads: BTreeSet<usize> = BTreeSet::new();
        let mut deps = Vec::new();
        for n in 0..24 {
            let mut known: Vec<usize> = heads.iter().copied().collect();
            match random.next_u32() % 4 {
                // Knows everything, or one head, or something old.
                0 | 1 => {}
                2 => known.truncate(1),
                _ if n > 0 => known = vec![random.next_u32() as usize % n],
                _ => {}
            }
            heads.retain(|head| !known.contains(head));
            heads.insert(n);
            deps.push(known);
        }
        deps
    }

    /// What each change knows of, without anything clever.
    fn knows(deps: &[Vec<usize>]) -> Vec<BTreeSet<usize>> {
        let mut all: Vec<BTreeSet<usize>> = Vec::new();
        for deps in deps {
            let older = deps.iter().flat_map(|dep| all[*dep].clone());
            all.push(older.chain(deps.iter().copied()).collect());
        }
        all
    }

    /// The same history, in a random order of arrival.
    fn arrived(deps: &[Vec<usize>], random: &mut ChaCha8Rng) -> Graph {
        let mut graph = Graph::default();
        while graph.known.len() < deps.len() {
            let n = random.next_u32() as usize % deps.len();
            let hashes: Vec<ChangeHash> = deps[n].iter().map(|dep| hash(*dep)).collect();
            if hashes.iter().all(|dep| graph.node(dep).is_some()) {
                graph.add(hash(n), &hashes, 1);
            }
        }
        graph
    }

    #[test]
    fn what_knows_of_what_is_told_as_by_a_plain_walk() {
        for seed in 0..300 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let deps = history(&mut random);
            let (knows, graph) = (knows(&deps), arrived(&deps, &mut random));
            let node = |n: usize| graph.node(&hash(n)).expect("it arrived");
            let window = Window::new(&graph, 100, 100);
            for n in 0..deps.len() {
                let others = (0..deps.len()).filter(|other| *other != n);
                let is_waist = others
                    .clone()
                    .all(|other| knows[n].contains(&other) || knows[other].contains(&n));
                assert_eq!(graph.is_waist(node(n)), is_waist, "seed {seed}, change {n}");
                assert_eq!(window.members.contains(&node(n)), !is_waist);
                for other in others {
                    let precedes = window.precedes(node(other), node(n));
                    assert_eq!(precedes, knows[n].contains(&other), "seed {seed}: {other}, {n}");
                }
            }
            let known = [random.next_u32() as usize % deps.len(), deps.len() - 1];
            let unknown = graph.unknown_to(&known.map(node));
            let plain = (0..deps.len())
                .filter(|n| known.iter().all(|known| known != n && !knows[*known].contains(n)));
            assert_eq!(BTreeSet::from_iter(unknown), plain.map(node).collect());
            let common: BTreeSet<usize> =
                knows[known[0]].intersection(&knows[known[1]]).copied().collect();
            let newest = common.iter().filter(|n| !common.iter().any(|m| knows[*m].contains(n)));
            let newest: BTreeSet<ChangeHash> = newest.map(|n| hash(*n)).collect();
            let before = window.before_all(&BTreeSet::from(known.map(node)));
            assert_eq!(before.map(BTreeSet::from_iter), Some(newest), "seed {seed}");
        }
    }

    #[test]
    fn a_window_that_is_too_small_holds_the_newest_in_whatever_order_they_came() {
        for seed in 0..50 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let deps = history(&mut random);
            let windows = [0; 2].map(|_| {
                let graph = arrived(&deps, &mut random);
                let window = Window::new(&graph, 5, 4);
                assert!(window.members.len() <= 4);
                window.members.iter().map(|node| graph.hash(*node)).collect::<Vec<_>>()
            });
            assert_eq!(windows[0], windows[1]);
        }
    }
}
