//! Pages of entries and of ids, one after another, of one copy.

use super::*;

const OTHER: StoreEpoch = StoreEpoch([9; 16]);

#[test]
fn the_next_page_is_on_its_way_while_earlier_ones_are_verified() {
    let (here, there) = (store(1, &[]), store(2, &entries(1, 10)));
    let epoch = there.head().epoch;
    let mut session = session();
    let head = Head { arrivals: 1_000, ..head_of(&there) };
    session.on_head(head, &here).expect("reads");
    let pull = |after| Some(Message::Pull { space: SPACE, after });
    for page in 1..u64::from(PAGES_UNVERIFIED_MAX) {
        let upto = (10 * page, true);
        let todo = session.on_page(epoch, 10 * (page - 1), upto, vec![], &here).expect("reads");
        assert!(todo.deliver.is_some() && todo.ask == pull(10 * page), "page {page}: {todo:?}");
    }
    // No more than that: what is verified slowly is not piled up.
    let last = 10 * u64::from(PAGES_UNVERIFIED_MAX);
    let todo = session.on_page(epoch, last - 10, (last, true), vec![], &here).expect("reads");
    assert!(todo.deliver.is_some() && todo.ask.is_none(), "{todo:?}");
    assert_eq!(session.on_delivered(false, &here).expect("reads").ask, pull(last));
}

/// The peer set an entry aside, so that others moved to its place.
#[test]
fn a_page_of_another_order_is_not_the_next() {
    let (here, there) = (store(1, &[]), store(2, &entries(1, 10)));
    let epoch = there.head().epoch;
    let mut session = session();
    session.on_head(head_of(&there), &here).expect("reads");
    let mut page = |epoch, after, upto| {
        session.on_page(epoch, after, (upto, true), vec![], &here).expect("reads")
    };
    assert!(page(epoch, 0, 4).deliver.is_some());
    assert_eq!(page(OTHER, 0, 4), Todo::default(), "nobody asked for that");
    let todo = page(OTHER, 4, 8);
    assert_eq!((todo.deliver, todo.ask), (None, Some(Message::List { space: SPACE, after: 0 })));
}

#[test]
fn ids_of_another_order_begin_the_list_anew_and_the_cursor_is_of_theirs() {
    let all = entries(3, 6);
    let (here, there) = (store(1, &all), store(2, &all[..5]));
    let ids: Vec<u8> = all[..3].iter().flat_map(|it| it.id().0).collect();
    let mut session = session();
    session.compare_all();
    let asked = session.on_head(head_of(&there), &here).expect("reads").ask;
    assert_eq!(asked, Some(Message::List { space: SPACE, after: 0 }));
    let mut listed = |epoch, after, upto, more| {
        session.on_ids(epoch, after, (upto, more), &ids, &here).expect("reads")
    };
    let list = |after| Some(Message::List { space: SPACE, after });
    let epoch = there.head().epoch;
    assert_eq!(listed(epoch, 0, 3, true).ask, list(3));
    assert_eq!(listed(OTHER, 3, 5, false).ask, list(0), "places mean something else now");
    assert_eq!(listed(OTHER, 0, 3, true).ask, list(3));
    // The head that is known is of the order before.
    let cursor = listed(OTHER, 3, 5, false).deliver.and_then(|it| it.cursor).expect("it is over");
    assert_eq!((cursor.epoch, cursor.after), (OTHER, 5));
}
