use automerge::transaction::Transactable;
use proptest::prelude::*;

use super::*;

/// A list that two people change without having heard of each other.
fn merged(changes: &[(bool, u8, u8)]) -> (AutoCommit, ObjId) {
    let mut ada = AutoCommit::new();
    let list = ada.put_object(ROOT, "list", ObjType::List).expect("a map");
    for number in 0..5 {
        ada.insert(&list, number, number as i64).expect("it is that long");
    }
    let mut ben = ada.fork();
    for (is_ada, kind, at) in changes {
        let auto = if *is_ada { &mut ada } else { &mut ben };
        let length = auto.length(&list);
        let at = usize::from(*at) % (length + 1);
        let done = match kind % 3 {
            0 => auto.insert(&list, at, i64::from(*kind)),
            1 if at < length => auto.put(&list, at, i64::from(*kind)),
            _ if at < length => auto.delete(&list, at),
            _ => Ok(()),
        };
        done.expect("it is that long");
    }
    ada.merge(&mut ben).expect("they began together");
    (ada, list)
}

proptest! {
    #[test]
    fn a_list_is_as_long_as_automerge_counts(
        changes in proptest::collection::vec(any::<(bool, u8, u8)>(), 0..60),
    ) {
        let (auto, list) = merged(&changes);
        let counted = auto.length(&list);
        prop_assert_eq!(length(&auto, &list), counted);
        let at = |part: &str| place(&auto, &list, part);
        let end = |part: &str| matches!(at(part), Ok(Place::End(at)) if at == counted);
        prop_assert!(end("-") && end(&counted.to_string()));
        prop_assert!(at(&(counted + 1).to_string()).is_err());
        if let Some(last) = counted.checked_sub(1) {
            let is_last = matches!(at(&last.to_string()), Ok(Place::Index(at)) if at == last);
            prop_assert!(is_last);
        }
    }
}
