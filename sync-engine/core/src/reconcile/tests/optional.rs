//! What is optional is left out when one of two cannot do it, and both become equal all the
//! same.

use super::{sketches::apart, *};

impl Pair {
    fn enable(&mut self, able: [Capabilities; 2]) {
        for (session, able) in self.sessions.iter_mut().zip(able) {
            session.enable(able);
        }
    }
}

const PUSHES: u32 = Capability::Pushes.number();
const SKETCHES: u32 = Capability::Sketches.number();

#[test]
fn without_sketches_ids_are_listed() {
    let (with, without) = (Capabilities::of(&[SKETCHES]), Capabilities::of(&[PUSHES]));
    for (able, has_list) in [([with, with], false), ([without, without], true)] {
        let mut pair = apart(4_000, (7, 3));
        pair.enable(able);
        pair.run();
        pair.assert_equal();
        assert_eq!((pair.lists > 0, pair.entries), (has_list, 10));
    }
    // Whoever believes that it may ask for a sketch still gets there.
    for able in [[with, without], [without, with]] {
        let mut pair = apart(4_000, (7, 3));
        pair.enable(able);
        pair.run();
        pair.assert_equal();
    }
}

#[test]
fn without_pushes_everything_is_pulled() {
    for side in 0..2 {
        for (numbers, pushes) in [(&[PUSHES][..], 1), (&[SKETCHES], 0)] {
            let mut pair = Pair::new([store(1, &[]), store(2, &[])]);
            let able = Capabilities::of(numbers);
            pair.enable([able, able]);
            for author in 3..5 {
                let batch = Batch { entries: entries(author, 1), ..Batch::default() };
                pair.append(side, batch);
                pair.run();
                pair.assert_equal();
            }
            assert_eq!((pair.pushes, pair.entries), (pushes, 2), "{numbers:?}");
        }
    }
}

#[test]
fn a_page_that_may_not_be_pushed_changes_nothing() {
    let (here, there) = (store(1, &[]), store(2, &entries(3, 1)));
    let page = entries(3, 1).into_iter().map(|entry| ByteBuf::from(entry.bytes())).collect();
    let epoch = there.head().epoch;
    let mut here = here;
    let cursor = Some(Cursor { epoch, after: 0, has_refused: false });
    let batch = Batch { entries: vec![], source: Some(PEER), cursor };
    here.append(&[batch]).expect("memory does not fail");
    for (able, is_taken) in [(all(), true), (Capabilities::NONE, false)] {
        let mut session = Session::new(SPACE, DeviceId([1; 32]), PEER, able);
        let page: Vec<ByteBuf> = Vec::clone(&page);
        let todo = session.on_page(epoch, 0, (1, false), page, &here).expect("reads");
        assert_eq!(todo.deliver.is_some(), is_taken);
    }
}
