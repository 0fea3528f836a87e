//! How far an exchange is, as far as the other side and ids have shown.

use super::*;

fn known(here: u64, wanted: u64) -> Option<EntryProgress> {
    Some(EntryProgress { here, wanted, is_at_least: false })
}

#[test]
fn what_is_pulled_counts_from_where_it_began() {
    let all = entries(3, 10);
    let (mut here, there) = (store(1, &[]), store(2, &all));
    let epoch = there.head().epoch;
    let cursor = |after| Some(Cursor { epoch, after, has_refused: false });
    let took = |some: &[VerifiedEntry], after| Batch {
        entries: some.to_vec(),
        source: Some(PEER),
        cursor: cursor(after),
    };
    here.append(&[took(&all[..4], 4)]).expect("memory does not fail");
    let mut session = session();
    assert_eq!(session.progress(&here).expect("reads"), None);
    session.on_head(head_of(&there), &here).expect("reads");
    assert_eq!(session.progress(&here).expect("reads"), known(0, 6));
    session.on_page(epoch, 4, (7, true), vec![], &here).expect("reads");
    assert_eq!(session.progress(&here).expect("reads"), known(0, 6), "it is not durable yet");
    here.append(&[took(&all[4..7], 7)]).expect("memory does not fail");
    session.on_delivered(false, &here).expect("reads");
    assert_eq!(session.progress(&here).expect("reads"), known(3, 6));
    session.on_page(epoch, 7, (10, false), vec![], &here).expect("reads");
    here.append(&[took(&all[7..], 10)]).expect("memory does not fail");
    assert_eq!(session.progress(&here).expect("reads"), known(6, 6));
    session.on_delivered(false, &here).expect("reads");
    assert_eq!(session.progress(&here).expect("reads"), None);
}

#[test]
fn what_a_list_shows_is_at_least_wanted_until_its_end() {
    let all = entries(3, 6);
    let (mut here, there) = (store(1, &all[..1]), store(2, &all));
    let epoch = there.head().epoch;
    let ids = |some: &[VerifiedEntry]| some.iter().flat_map(|it| it.id().0).collect::<Vec<u8>>();
    let bytes = |some: &[VerifiedEntry]| some.iter().map(|it| ByteBuf::from(it.bytes())).collect();
    let mut session = session();
    session.on_head(head_of(&there), &here).expect("reads");
    assert_eq!(session.progress(&here).expect("reads"), None, "no id was named yet");
    session.on_ids(epoch, 0, (3, true), &ids(&all[..3]), &here).expect("reads");
    let at_least = |here| Some(EntryProgress { here, wanted: 2, is_at_least: true });
    assert_eq!(session.progress(&here).expect("reads"), at_least(0));
    session.on_entries(bytes(&all[1..3]));
    here.append(&[Batch { entries: all[1..3].to_vec(), ..Batch::default() }]).expect("memory");
    session.on_delivered(false, &here).expect("reads");
    assert_eq!(session.progress(&here).expect("reads"), at_least(2));
    session.on_ids(epoch, 3, (6, false), &ids(&all[3..]), &here).expect("reads");
    assert_eq!(session.progress(&here).expect("reads"), known(2, 5));
}

#[test]
fn what_a_sketch_shows_is_all_that_is_wanted() {
    let all = entries(3, 100);
    let (mut here, there) = (store(1, &all[..97]), store(2, &all));
    let mut session = session();
    session.on_head(head_of(&there), &here).expect("reads");
    assert_eq!(session.progress(&here).expect("reads"), None, "nothing is known yet");
    let ids: Vec<u8> = all[97..].iter().flat_map(|it| it.id().0[..16].to_vec()).collect();
    let theirs = (there.head().epoch, there.head().arrivals);
    session.on_lacking(theirs, &ids, &here).expect("reads");
    assert_eq!(session.progress(&here).expect("reads"), known(0, 3));
    session.on_entries(vec![]);
    here.append(&[Batch { entries: all[97..99].to_vec(), ..Batch::default() }]).expect("memory");
    session.on_delivered(false, &here).expect("reads");
    assert_eq!(session.progress(&here).expect("reads"), known(2, 3));
}
