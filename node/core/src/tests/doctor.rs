//! Each cause is brought about between whole nodes; the doctor names it and nothing
//! else, and nothing once it is mended.

mod couple;
mod hindered;
mod store;
mod warnings;

use node_model::BlobId;
use sync_engine_core::{entry::VerifiedEntry, reconcile::EntryProgress};
use trust_core::{Layer, Party, Terms};

use self::couple::Couple;
use super::*;
use crate::doctor::{Cause, DoctorOf, Finding};

#[test]
fn no_path_is_named_with_its_last_error_and_its_age() {
    let mut couple = Couple::new();
    couple.company.wall = 5_000;
    couple.disconnect();
    let found = couple.only();
    assert!(matches!(&found.cause, Cause::NoPath { has_address: true, failure: None }));
    assert_eq!(found.since, Timestamp(5_000));
    couple.company.wall = 90_000;
    let device = couple.company.devices[1];
    let reason = "10.0.0.1: refused".to_owned();
    couple.company.inbox.push_back((0, Input::Net(NetEvent::DialFailed { device, reason })));
    couple.company.run();
    let found = couple.only();
    assert!(found.sentence.contains("10.0.0.1: refused"), "{found:?}");
    assert_eq!(found.since, Timestamp(5_000), "the same cause since then");
    couple.connect();
    couple.assert_well();
}

/// It looks by itself a little after something happened, so that the age is right
/// although nobody asked.
#[test]
fn the_age_counts_from_when_it_began() {
    let mut couple = Couple::new();
    couple.company.wall = 1_000_000;
    couple.disconnect();
    let due = couple.company.nodes[0].poll_timeout().expect("it wants to look");
    couple.company.wall = u64::try_from(due.as_millis()).expect("small") + 4_000;
    let begun = couple.company.now().wall;
    couple.company.alone(0, Input::Timeout);
    couple.company.wall = 9_000_000;
    assert_eq!(couple.only().since, begun);
    assert!(begun.0 < 1_010_000, "{begun:?}");
}

#[test]
fn who_refuses_us_is_named() {
    let mut couple = Couple::new();
    let space = couple.space;
    couple.forge(&Message::Denied { space });
    assert_eq!(couple.only().cause, Cause::Denied);
    couple.sync(1);
    couple.assert_well();
}

/// The other one's clock is ten minutes ahead, so what ends has ended for it.
#[test]
fn a_clock_that_is_ahead_explains_a_refusal() {
    let mut couple = Couple::new();
    let (space, agent) = (couple.space, couple.company.agent(0));
    couple.company.wall = 601_000;
    let relate = Request::Relate { agent, terms: Terms::of(Layer::Invested), lifetime: None };
    couple.company.ask(1, relate).expect("relates");
    couple.company.wall = 1_000;
    couple.forge(&Message::Denied { space });
    let found = couple.only();
    assert_eq!(found.cause, Cause::ClockSkew { ahead: Duration::from_secs(600) });
    assert!(found.sentence.contains("10 minutes"), "{found:?}");
    couple.company.wall = 602_000;
    assert_eq!(couple.only().cause, Cause::Denied);
    couple.sync(1);
    couple.assert_well();
}

#[test]
fn who_was_removed_hears_it_and_left_is_left_alone() {
    let mut couple = Couple::new();
    let (space, party) = (couple.space, Party::Agent(couple.company.agent(1)));
    couple.company.ask(0, Request::Revoke { space, party }).expect("removes");
    let found = couple.company.doctor(1, DoctorOf::Space(space));
    let causes: Vec<&Cause> = found.iter().map(|found| &found.cause).collect();
    assert_eq!(causes, [&Cause::Revoked { is_device: false }]);
    assert!(found[0].next.contains("kith space grant"), "{found:?}");
    assert_eq!(couple.company.doctor(0, DoctorOf::Space(space)), [], "nobody shares it here");
    let role = Role::Writer;
    couple.company.ask(0, Request::Grant { space, party, role }).expect("admits again");
    let mut couple = couple.assert_well();
    couple.company.ask(1, Request::Revoke { space, party }).expect("leaves");
    couple.assert_well();
}

#[test]
fn another_version_of_the_protocol_is_named() {
    let mut couple = Couple::new();
    for (protocol, word) in [(PROTOCOL + 1, "newer"), (PROTOCOL - 1, "older")] {
        couple.forge(&Message::Heads { protocol, heads: vec![] });
        let found = couple.only();
        assert_eq!(found.cause.word(), "version-mismatch");
        assert!(found.sentence.contains(word), "{found:?}");
    }
    couple.forge_bytes(vec![0xff; 20]);
    assert_eq!(couple.only().cause, Cause::VersionMismatch { is_newer: None });
    couple.disconnect();
    couple.connect();
    couple.assert_well();
}

#[test]
fn a_full_disk_is_named_until_it_has_room() {
    let mut couple = Couple::new();
    couple.disks[0].fill(true);
    let space = couple.space;
    couple.company.write(1, space, "second");
    let found = couple.only();
    assert_eq!(found.cause, Cause::DiskFull);
    assert!(found.next.contains("kith sync"), "{found:?}");
    assert!(!couple.company.has(0, space, "second"));
    couple.disks[0].fill(false);
    couple.sync(1);
    assert!(couple.company.has(0, space, "second"));
    couple.assert_well();
}

#[test]
fn an_entry_that_is_refused_is_named_by_both_sides() {
    let mut couple = Couple::new();
    let space = couple.space;
    let mut bytes = couple.garbage().bytes().to_vec();
    // The last bytes are the signature.
    *bytes.last_mut().expect("not empty") ^= 1;
    let forged = VerifiedEntry::from_storage(bytes).expect("its form is right");
    couple.disks[1].slip_in(space, forged);
    couple.sync(1);
    let found = couple.only();
    assert_eq!(found.cause.word(), "rejected-entry");
    assert!(found.sentence.contains("refused here"), "{found:?}");
    let theirs = couple.company.doctor(1, DoctorOf::Space(space));
    let pair: Vec<&Finding> = theirs.iter().filter(|it| it.subject.peer.is_some()).collect();
    assert_eq!((pair.len(), pair[0].cause.word()), (1, "rejected-entry"), "{theirs:?}");
    assert!(pair[0].next.contains("kith doctor"), "{theirs:?}");
}

#[test]
fn an_entry_that_is_no_change_is_named_with_its_document() {
    let mut couple = Couple::new();
    let (space, garbage) = (couple.space, couple.garbage());
    let document = content_document(space, "first");
    couple.disks[1].slip_in(space, garbage.clone());
    couple.sync(1);
    let found = couple.company.doctor(0, DoctorOf::Everything);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].subject.document, Some(document));
    assert!(found[0].sentence.contains("it is not a change of a document"), "{found:?}");
    let read = couple.company.ask(0, Request::ReadDocument { space, document }).expect("reads");
    let Response::Document(view) = read else { panic!("{read:?}") };
    assert_eq!(view.refused, 1, "something of it is missing");
    assert_eq!(couple.company.doctor(0, DoctorOf::Document(space, document)), found);
    let other = content_document(space, "other");
    assert_eq!(couple.company.doctor(0, DoctorOf::Document(space, other)), []);
    couple.company.ask(0, Request::RemoveDocument { space, document }).expect("removes");
    couple.assert_well();
}

#[test]
fn changes_that_wait_for_others_are_named_with_their_document() {
    let mut couple = Couple::new();
    let (space, id) = (couple.space, "second");
    let document = content_document(space, id);
    couple.disconnect();
    couple.company.write(1, space, id);
    let (path, value) = ("a".to_owned(), json!(1));
    let change = Request::SetValue { space, document, path, value };
    couple.company.ask(1, change).expect("writes");
    let stored = couple.company.nodes[1].sync_engine().stored(space, document).expect("is here");
    let last = stored.last().expect("there are two").clone();
    let engine = couple.company.nodes[0].sync_engine();
    let carried = engine.on_carried(space, entry::read_batch(vec![last]), &mut |_| true);
    assert_eq!(carried.expect("it is kept").new, 1);
    engine.flush().result(space).expect("memory does not fail");
    let found = couple.company.doctor(0, DoctorOf::Document(space, document));
    let words: Vec<_> = found.iter().map(|found| found.cause.word()).collect();
    assert_eq!(words, ["no-path", "missing-dependency"]);
    assert_eq!(found[1].cause, Cause::MissingDependency { changes: 1 });
    couple.connect();
    couple.assert_well();
}

#[test]
fn a_peer_that_has_not_confirmed_is_behind_until_it_does() {
    let mut couple = Couple::new();
    let space = couple.space;
    let documents = vec![WriteDocument {
        document: content_document(space, "second"),
        meta: Meta::default(),
        value: json!({}),
    }];
    let id = RequestId(1_000);
    let write = Input::Request(id, Request::WriteDocuments { space, documents });
    let effects = couple.company.alone(0, write);
    assert_eq!(couple.only().cause, Cause::PeerBehind { entries: 1, has_spoken: true });
    let Ok(Response::Peers(peers)) = couple.company.ask(0, Request::Peers) else {
        panic!("no peers");
    };
    assert_eq!(peers[0].state, PeerSyncState::Behind, "nobody has confirmed it");
    effects.into_iter().for_each(|effect| couple.company.carry(0, effect));
    couple.company.run();
    couple.assert_well();
}

#[test]
fn entries_and_files_under_way_are_counted() {
    let mut couple = Couple::new();
    let (space, blob) = (couple.space, BlobId([7; 32]));
    let documents = vec![WriteDocument {
        document: content_document(space, "second"),
        meta: Meta::default(),
        value: json!({"blob": blob.to_string()}),
    }];
    let held = Input::BlobsHeld(vec![(blob, 1)]);
    couple.company.inbox.push_back((1, held));
    let write = Request::WriteDocuments { space, documents };
    let told = couple.company.alone(1, Input::Request(RequestId(1_000), write));
    let mut job = None;
    let mut held_back = Vec::new();
    for effect in told {
        let Effect::Net(NetCommand::Send { lane, frame, .. }) = effect else { continue };
        let device = couple.company.devices[1];
        let input = Input::Net(NetEvent::Frame { device, lane, frame });
        held_back.extend(couple.company.alone(0, input));
    }
    assert_eq!(
        couple.only().cause,
        Cause::Transferring {
            entries: 1,
            files: 0,
            progress: Some(EntryProgress { here: 0, wanted: 1, is_at_least: false }),
        }
    );
    held_back.into_iter().for_each(|effect| couple.company.carry(0, effect));
    while let Some((at, input)) = couple.company.inbox.pop_front() {
        for effect in couple.company.alone(at, input) {
            if let (0, Effect::Net(NetCommand::Fetch { job: id, .. })) = (at, &effect) {
                job = Some(*id);
            }
            couple.company.carry(at, effect);
        }
    }
    let job = job.expect("it is fetched");
    assert_eq!(couple.only().cause, Cause::Transferring { entries: 0, files: 1, progress: None });

    let ended = NetEvent::FetchEnded { job, error: Some("it broke".to_owned()) };
    couple.company.inbox.push_back((0, Input::Net(ended)));
    couple.company.run();
    let found = couple.company.doctor(0, DoctorOf::Everything);
    assert_eq!((found.len(), &found[0].cause), (1, &Cause::MissingFiles { files: 1 }));
    couple.company.inbox.push_back((0, Input::BlobsHeld(vec![(blob, 1)])));
    couple.company.run();
    couple.assert_well();
}

#[test]
fn who_has_not_agreed_yet_is_waited_for() {
    let mut couple = Couple::new();
    let space = couple.space;
    let (one, other) = (couple.company.agent(0), couple.company.agent(1));
    for (at, agent) in [(0, other), (1, one)] {
        couple.company.ask(at, Request::Part { agent }).expect("parts");
    }
    let party = Party::Agent(other);
    couple.company.ask(0, Request::Revoke { space, party }).expect("removes");
    let relate = |agent| Request::Relate { agent, terms: Terms::of(Layer::Gift), lifetime: None };
    couple.company.ask(0, relate(other)).expect("says so");
    let found = couple.company.doctor(0, DoctorOf::Everything);
    let words: Vec<_> = found.iter().map(|found| found.cause.word()).collect();
    assert_eq!(words, ["waiting-for-consent"]);
    assert!(found[0].next.contains(&format!("kith relation add {one}")), "{found:?}");
    couple.company.ask(0, Request::Part { agent: other }).expect("thinks again");
    assert_eq!(couple.company.doctor(0, DoctorOf::Everything), []);

    let ticket = couple.company.ticket(0, Some(space));
    let pair = Request::Pair { ticket, is_link: false };
    let Ok(Response::PairingCode { device, .. }) = couple.company.ask(1, pair) else {
        panic!("no code");
    };
    for at in 0..2 {
        let found = couple.company.doctor(at, DoctorOf::Everything);
        let waiting = found.iter().filter(|it| it.cause.word() == "waiting-for-consent");
        assert_eq!(waiting.count(), 1, "{found:?}");
    }
    let confirm = Request::ConfirmPairing { device, is_same: true };
    couple.company.ask(1, confirm).expect("agrees");
    couple.assert_well();
}

#[test]
fn what_is_not_here_cannot_be_asked_about() {
    let mut company = Company::new(1);
    let of = DoctorOf::Space(SpaceId([9; 32]));
    let failure = company.ask(0, Request::Doctor { of }).expect_err("is not here");
    assert_eq!(failure.kind, FailureKind::NotFound);
}

/// A peer that names what it once held, or what it heard from us, does not make us say
/// that it is in sync.
#[test]
fn an_old_digest_is_no_confirmation() {
    let mut couple = Couple::new();
    let space = couple.space;
    let old = couple.company.nodes[0].sync_engine().head(space).expect("is here");
    couple.company.write(0, space, "second");
    let head = Head {
        space,
        store: StoreEpoch([8; 16]),
        arrivals: old.arrivals,
        digest: old.digest,
        seen: Some((old.epoch, old.arrivals + 1)),
        part: None,
    };
    let message = Message::Heads { protocol: PROTOCOL, heads: vec![head] };
    let (device, frame) = (couple.company.devices[1], message.encode().into());
    let input = Input::Net(NetEvent::Frame { device, lane: Lane::Sync, frame });
    couple.company.alone(0, input);
    assert_ne!(couple.company.doctor(0, DoctorOf::Everything), []);
    let Ok(Response::Status(status)) = couple.company.ask(0, Request::Status) else {
        panic!("no status");
    };
    assert_ne!(status.peers[0].state, PeerSyncState::Synced);
    let of_space = status.spaces.iter().find(|it| it.info.space == space).expect("is here");
    assert_ne!(of_space.state, crate::request::SpaceState::Synced);
}
