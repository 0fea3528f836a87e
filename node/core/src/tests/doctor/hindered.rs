//! What keeps the other side from taking anything in.

use sync_engine_core::reconcile::Hindrance;

use super::*;

/// Its disk is full, and here is something that it lacks.
#[test]
fn what_keeps_the_other_one_from_taking_anything_in_is_named_here() {
    let mut couple = Couple::new();
    couple.disks[1].fill(true);
    let space = couple.space;
    couple.company.write(0, space, "second");
    let found = couple.only();
    assert_eq!(found.cause, Cause::PeerHindered { why: Hindrance::DiskFull });
    assert!(found.sentence.contains("is full") && found.next.contains("kith sync"), "{found:?}");
    couple.disconnect();
    couple.connect();
    assert_eq!(couple.only().cause.word(), "disk-full", "it says so again");
    couple.disks[1].fill(false);
    couple.sync(1);
    assert!(couple.company.has(1, space, "second"));
    couple.assert_well();
}

/// A quota that is used up, a failing disk, and what a newer version may say.
#[test]
fn what_the_other_one_says_of_itself_has_a_sentence_and_is_over_when_it_says_so() {
    let mut couple = Couple::new();
    let space = couple.space;
    let founder = couple.company.agent(0).to_string();
    couple.disks[1].fill(true);
    couple.company.write(0, space, "second");
    for (number, word, next) in [
        (2, "quota", founder.as_str()),
        (3, "storage-failed", "kith doctor"),
        (77, "storage-failed", "kith doctor"),
    ] {
        couple.forge(&Message::Hindered { space, why: Some(number) });
        let found = couple.only();
        assert_eq!(found.cause.word(), word);
        assert!(found.next.contains(next), "{found:?}");
    }
    couple.forge(&Message::Hindered { space, why: None });
    assert_eq!(couple.only().cause.word(), "peer-behind");
    let nowhere = SpaceId([9; 32]);
    couple.forge(&Message::Hindered { space: nowhere, why: Some(1) });
    assert_eq!(couple.only().cause.word(), "peer-behind");
}

/// Bo's store cannot be opened after a start: he does not say that there is no such space.
#[test]
fn a_space_that_cannot_be_opened_there_is_not_a_refusal() {
    let mut couple = Couple::new();
    let space = couple.space;
    couple.disconnect();
    couple.company.nodes[1].sync_engine().close_space(space);
    couple.disks[1].fill(true);
    let agent = couple.company.agent(0);
    let relate = Request::Relate { agent, terms: Terms::of(Layer::Invested), lifetime: None };
    couple.company.ask(1, relate).expect("changes what is known");
    couple.connect();
    let found = couple.only();
    assert_eq!(found.cause, Cause::PeerHindered { why: Hindrance::DiskFull });
    couple.disks[1].fill(false);
    couple.company.wall += 60_000;
    couple.company.inbox.push_back((1, Input::Timeout));
    couple.company.run();
    couple.assert_well();
}
