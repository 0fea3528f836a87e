use node_model::Epoch;

use super::*;
use crate::engine::testing::{DOCUMENT, Node, SPACE, lying_bundle};

impl Node {
    fn collect(&mut self, after: Option<EntryId>, agreed: u64) -> Collected {
        let ada = Node::new(1, &[]).signer.device();
        let agreed = BTreeMap::from([(ada, agreed)]);
        self.engine.collect(SPACE, DOCUMENT, after, &agreed).expect("memory")
    }

    fn has_superseded(&self) -> bool {
        self.engine.next_superseded(SPACE, None).expect("memory").is_some()
    }
}

#[test]
fn what_bundles_stand_for_goes_once_all_have_them() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    ada.add(40);
    let singles = ada.stored();
    assert!(!ada.has_superseded());
    let compacted = ada.compact(false).expect("it is worth it");
    let head = ada.engine.head(SPACE);
    assert!(ada.has_superseded());
    let nothing = Collected { entries: 0, bytes: 0, reached: None };
    assert_eq!(ada.collect(None, 41), nothing, "the bundle is at place 42");
    let collected = ada.collect(None, 42);
    assert_eq!((collected.entries, collected.reached), (41, None));
    assert_eq!(collected.bytes, compacted.entry_bytes);
    assert!(!ada.has_superseded());
    assert_eq!(ada.engine.head(SPACE), head);
    let value = ada.value();
    // Loaded anew, from what is left.
    ada.use_epoch(Epoch(2));
    assert_eq!(ada.value(), value);
    // Whoever still has the single ones brings nothing new.
    ada.take(singles);
    assert_eq!(ada.engine.head(SPACE), head);
    // Bundles that larger ones stand for go too.
    ada.add(20);
    ada.compact(false).expect("it is worth it");
    assert_eq!(ada.collect(None, u64::MAX).entries, 41 + 20 + 1);
    assert!(!ada.has_superseded());
}

#[test]
fn a_change_that_a_bundle_left_out_stays() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    ada.add(6);
    let singles = ada.stored();
    let value = ada.value();
    let lie = lying_bundle(&singles, 3);
    for has_it_loaded in [true, false] {
        let mut ben = Node::new(2, &singles);
        if has_it_loaded {
            assert_eq!(ben.value(), value);
        }
        ben.take(vec![lie.clone()]);
        if has_it_loaded {
            assert_eq!(ben.collect(None, u64::MAX).entries, 3);
        }
        // Nothing in the set hints at what the bundle left out; it stays all the same.
        ben.use_epoch(Epoch(2));
        ben.collect(None, u64::MAX);
        let kept = ben.engine.spaces[&SPACE].store.superseded(DOCUMENT).expect("memory").len();
        assert_eq!(kept, 4);
    }
}

#[test]
fn much_is_looked_at_in_parts() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    ada.add(1_099);
    ada.compact(false).expect("it is worth it");
    let first = ada.collect(None, u64::MAX);
    assert_eq!(first.entries, CHANGES_AT_ONCE);
    assert!(first.reached.is_some());
    let second = ada.collect(first.reached, u64::MAX);
    assert_eq!((second.entries, second.reached), (1_100 - CHANGES_AT_ONCE, None));
}

#[test]
fn what_a_bundle_of_this_run_replaced_is_not_looked_into() {
    let mut ada = Node::new(1, &[]);
    ada.begin();
    for _ in 0..3 {
        ada.add(20);
        ada.compact(false).expect("it is worth it");
    }
    let space = ada.engine.space_mut(SPACE).expect("is open");
    let kept: BTreeSet<EntryId> =
        space.store.ids(0, 9).expect("memory").into_iter().map(|(_, id)| id).collect();
    assert_eq!(kept.len(), 1);
    let superseded = all_stored(space.store.superseded(DOCUMENT).expect("memory")).expect("good");
    let known = space.replaced.by_any(&kept);
    assert_eq!(known, superseded.iter().map(VerifiedEntry::id).collect());
    assert_eq!(ada.collect(None, u64::MAX).entries, 1 + 3 * 20 + 2);
    let space = ada.engine.space_mut(SPACE).expect("is open");
    assert_eq!(space.replaced.by_any(&kept), BTreeSet::new());
}
