//! Changes from outside into Automerge.
//!
//! A writer of a space may send anything. Some malformed changes make Automerge
//! panic, and one that it refuses takes its whole batch along; so each batch is
//! tried, and the bad ones are found by halving. Automerge gets a change only
//! after those that it depends on: one that waits inside would spoil a later
//! batch, and somebody else's change would pay for it.
//!
//! Invariant: whatever comes, in whatever order, everybody's good changes count.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
};

use automerge::{AutoCommit, Change, ChangeHash};
use node_model::EntryId;

/// First bytes of an Automerge chunk, and the type of an uncompressed change
/// (Automerge binary format, section "Chunk"): a compressed one could inflate to
/// any size, and we write none.
const CHUNK_MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHUNK_TYPE_AT: usize = 8;
const CHUNK_TYPE_CHANGE: u8 = 1;

/// A change and the entry that brought it.
pub(super) type Brought = (EntryId, Change);

/// What became of changes.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) applied: Vec<(ChangeHash, EntryId)>,
    pub(super) refused: Vec<EntryId>,
}

/// Reads a change, if it is one.
pub(super) fn parse(bytes: Vec<u8>) -> Option<Change> {
    let is_plain_change =
        bytes.starts_with(&CHUNK_MAGIC) && bytes.get(CHUNK_TYPE_AT) == Some(&CHUNK_TYPE_CHANGE);
    if is_plain_change { guarded(|| Change::from_bytes(bytes).ok())? } else { None }
}

/// Applies what can be; what depends on changes that are not here yet stays in `waiting`.
pub(super) fn take_in(auto: &mut AutoCommit, waiting: &mut Vec<Brought>) -> Taken {
    let ready = take_ready(auto, waiting);
    let mut taken = Taken::default();
    halve(auto, &ready, &mut taken);
    taken
}

/// Runs Automerge where it may panic; `None` when it does.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Takes out the changes whose dependencies are here, each one after its own.
fn take_ready(auto: &mut AutoCommit, waiting: &mut Vec<Brought>) -> Vec<Brought> {
    let mut placed = BTreeSet::new();
    let mut order = Vec::with_capacity(waiting.len());
    let mut lacks = vec![0_usize; waiting.len()];
    let mut blocked: BTreeMap<ChangeHash, Vec<usize>> = BTreeMap::new();
    for (at, (_, change)) in waiting.iter().enumerate() {
        for dep in change.deps() {
            if !placed.contains(dep) && !is_here(auto, dep) {
                lacks[at] += 1;
                blocked.entry(*dep).or_default().push(at);
            }
        }
        let mut free = if lacks[at] == 0 { vec![at] } else { vec![] };
        while let Some(at) = free.pop() {
            let hash = waiting[at].1.hash();
            order.push(at);
            placed.insert(hash);
            for next in blocked.remove(&hash).unwrap_or_default() {
                lacks[next] -= 1;
                if lacks[next] == 0 {
                    free.push(next);
                }
            }
        }
    }
    let mut all: Vec<Option<Brought>> = std::mem::take(waiting).into_iter().map(Some).collect();
    let ready = order.into_iter().filter_map(|at| all[at].take()).collect();
    waiting.extend(all.into_iter().flatten());
    ready
}

fn halve(auto: &mut AutoCommit, changes: &[Brought], taken: &mut Taken) {
    if changes.is_empty() {
        return;
    }
    let before = auto.clone();
    if apply_all(auto, changes) {
        taken.applied.extend(changes.iter().map(|(entry, change)| (change.hash(), *entry)));
        return;
    }
    *auto = before;
    if let [(entry, _)] = changes {
        taken.refused.push(*entry);
        return;
    }
    let (left, right) = changes.split_at(changes.len() / 2);
    halve(auto, left, taken);
    halve(auto, right, taken);
}

fn apply_all(auto: &mut AutoCommit, changes: &[Brought]) -> bool {
    let applied = guarded(|| {
        let changes = changes.iter().map(|(_, change)| change.clone());
        auto.apply_changes(changes.collect::<Vec<_>>()).is_ok()
    });
    // After a refused one, those that depend on it would wait in Automerge.
    applied == Some(true) && changes.iter().all(|(_, change)| is_here(auto, &change.hash()))
}

fn is_here(auto: &mut AutoCommit, hash: &ChangeHash) -> bool {
    auto.get_change_meta_by_hash(hash).is_some()
}

#[cfg(test)]
mod tests {
    use automerge::{ActorId, ROOT, ReadDoc, transaction::Transactable};

    use super::*;

    fn replica(actor: u8) -> AutoCommit {
        AutoCommit::new().with_actor(ActorId::from([actor; 16]))
    }

    /// A change that sets a key, as a replica with this actor and these changes makes it.
    fn change(actor: u8, after: &[Brought], key: &str) -> Brought {
        let mut auto = replica(actor);
        take_in(&mut auto, &mut after.to_vec());
        auto.put(ROOT, key, true).expect("a key can be set");
        let hash = auto.commit().expect("something changed");
        let change = auto.get_change_by_hash(&hash).expect("it was just made");
        (EntryId(*blake3::hash(change.raw_bytes()).as_bytes()), change)
    }

    fn keys(auto: &AutoCommit) -> Vec<String> {
        auto.keys(ROOT).collect()
    }

    #[test]
    fn a_bad_change_takes_no_other_along() {
        let first = change(1, &[], "a");
        // The same place in the same actor's history, a second time.
        let forked = change(1, &[], "forked");
        let after_fork = change(2, std::slice::from_ref(&forked), "after");
        let good = change(3, std::slice::from_ref(&first), "b");
        let all = [first, forked.clone(), after_fork.clone(), good];
        let mut auto = replica(9);
        let taken = take_in(&mut auto, &mut all.to_vec());
        assert_eq!(keys(&auto), ["a", "b"]);
        assert_eq!(taken.refused, [forked.0, after_fork.0]);
        assert_eq!(taken.applied.len(), 2);
    }

    #[test]
    fn changes_count_in_whatever_order_they_come() {
        let mut all: Vec<Brought> = Vec::new();
        for at in 0..20_u8 {
            all.push(change(at % 3, &all, &format!("{at:02}")));
        }
        for step in [1, 3, 7, 19] {
            let (mut auto, mut waiting) = (replica(9), Vec::new());
            for at in (0..20).rev() {
                waiting.push(all[(at * step) % 20].clone());
                take_in(&mut auto, &mut waiting);
            }
            assert_eq!(keys(&auto).len(), 20, "step {step}");
            assert!(waiting.is_empty());
        }
    }
}
