use node_model::EntryId;
use sync_engine_core::{RefusedEntries, document::Refusal, reconcile::Hindrance};

use super::*;

const SPACE: SpaceId = SpaceId([1; 32]);
const PEER: DeviceId = DeviceId([2; 32]);
const DOCUMENT: DocumentId = DocumentId([3; 16]);

fn copies(state: PeerState) -> CopyFacts {
    CopyFacts {
        state,
        has_spoken: true,
        unread_here: 0,
        unread_there: 0,
        progress: None,
        has_refused: false,
        refused: RefusedEntries::default(),
        hindrance: None,
    }
}

/// A space in which nothing is wrong.
fn well() -> SpaceFacts {
    let peer = PeerFacts {
        peer: PEER,
        is_connected: true,
        has_address: true,
        failure: None,
        is_circuit: false,
        is_congested: false,
        foreign: None,
        clock_ahead: None,
        copies: Some(copies(PeerState::Equal)),
        files_coming: 0,
    };
    SpaceFacts {
        space: SPACE,
        out: None,
        is_open: true,
        store_error: None,
        lacks_room: false,
        peers: vec![peer],
        files_wanted: 0,
        documents: vec![],
    }
}

fn words(space: &SpaceFacts) -> Vec<&'static str> {
    let facts = Facts { spaces: vec![space.clone()], ..Facts::default() };
    diagnose(&facts).iter().map(|(_, cause)| cause.word()).collect()
}

/// Everything is wrong at once; one thing after the other is mended, and each time the
/// next one is named alone, until nothing is left.
#[test]
fn causes_count_in_their_order() {
    let mut space = well();
    let copies = CopyFacts {
        state: PeerState::Denied,
        has_spoken: true,
        unread_here: 4,
        unread_there: 5,
        progress: None,
        has_refused: true,
        refused: RefusedEntries { count: 6, last: Some("it is bad".to_owned()) },
        hindrance: Some(Hindrance::Quota),
    };
    space.out = Some(Out::Removed);
    space.store_error = Some(StoreError::Full);
    space.peers[0] = PeerFacts {
        is_connected: false,
        failure: Some("nobody is there".to_owned()),
        is_circuit: true,
        is_congested: true,
        foreign: Some(Foreign::Version(9)),
        clock_ahead: Some(Duration::from_secs(600)),
        copies: Some(copies),
        ..space.peers[0].clone()
    };
    let copies_of = |space: &mut SpaceFacts, mend: &dyn Fn(&mut CopyFacts)| {
        mend(space.peers[0].copies.as_mut().expect("there is a session"));
    };
    type Mend<'a> = &'a dyn Fn(&mut SpaceFacts);
    let steps: [(&str, Mend<'_>); 15] = [
        ("revoked", &|it| it.out = None),
        ("no-path", &|it| it.peers[0].is_connected = true),
        ("version-mismatch", &|it| it.peers[0].foreign = None),
        ("quota", &|it| copies_of(it, &|copies| copies.hindrance = None)),
        ("clock-skew", &|it| it.peers[0].clock_ahead = None),
        ("denied", &|it| copies_of(it, &|copies| copies.state = PeerState::Different)),
        ("disk-full", &|it| it.store_error = Some(StoreError::Storage("broken".to_owned()))),
        ("storage-failed", &|it| it.store_error = None),
        ("relay-only", &|it| it.peers[0].is_circuit = false),
        ("transferring", &|it| {
            copies_of(it, &|copies| {
                (copies.unread_here, copies.hindrance) = (0, Some(Hindrance::DiskFull));
            });
        }),
        ("disk-full", &|it| copies_of(it, &|copies| copies.hindrance = None)),
        ("back-pressure", &|it| it.peers[0].is_congested = false),
        ("peer-behind", &|it| copies_of(it, &|copies| copies.unread_there = 0)),
        ("rejected-entry", &|it| copies_of(it, &|copies| copies.has_refused = false)),
        ("rejected-entry", &|it| copies_of(it, &|copies| copies.state = PeerState::Equal)),
    ];
    for (word, mend) in steps {
        assert_eq!(words(&space), [word]);
        mend(&mut space);
    }
    assert_eq!(words(&space), Vec::<&str>::new());
}

#[test]
fn a_space_that_is_not_open_has_one_cause_whoever_is_near() {
    let mut space = well();
    space.is_open = false;
    space.store_error = Some(StoreError::Damaged("entries.db".to_owned()));
    space.peers[0].copies = None;
    assert_eq!(words(&space), ["storage-failed"]);
    space.peers.clear();
    assert_eq!(words(&space), ["storage-failed"]);
}

/// The property behind it all: whatever the facts are, a pair that is not confirmed to be
/// equal has one cause, and one that is has none.
#[test]
fn whatever_the_facts_each_pair_has_one_cause_unless_it_is_equal() {
    let states = [
        PeerState::Unknown,
        PeerState::Equal,
        PeerState::Pulling,
        PeerState::Different,
        PeerState::Denied,
    ];
    for bits in 0_u32..1 << 12 {
        let is_set = |at: u32| bits & (1 << at) != 0;
        for state in states {
            let mut space = well();
            space.store_error = is_set(0).then_some(StoreError::Full);
            let peer = &mut space.peers[0];
            peer.is_connected = is_set(1);
            peer.has_address = is_set(2);
            peer.is_circuit = is_set(10);
            peer.is_congested = is_set(11);
            peer.foreign = is_set(3).then_some(Foreign::Unreadable);
            peer.clock_ahead = is_set(4).then_some(Duration::from_secs(600));
            peer.copies = is_set(5).then(|| CopyFacts {
                has_spoken: is_set(6),
                unread_here: u64::from(is_set(7)),
                unread_there: u64::from(is_set(8)),
                hindrance: is_set(9).then_some(Hindrance::Quota),
                ..copies(state)
            });
            let is_equal = is_set(1) && !is_set(3) && is_set(5) && state == PeerState::Equal;
            assert_eq!(words(&space).len(), usize::from(!is_equal), "{bits:b} {state:?}");
        }
    }
}

#[test]
fn files_are_coming_or_missing() {
    let mut space = well();
    (space.files_wanted, space.peers[0].files_coming) = (3, 3);
    assert_eq!(words(&space), ["transferring"]);
    space.peers[0].is_circuit = true;
    assert_eq!(words(&space), ["relay-only"]);
    space.peers[0].is_circuit = false;
    space.peers[0].files_coming = 1;
    assert_eq!(words(&space), ["missing-files", "transferring"]);
    space.peers[0].files_coming = 0;
    assert_eq!(words(&space), ["missing-files"]);
    space.peers.clear();
    assert_eq!(words(&space), ["missing-files"]);
}

#[test]
fn what_a_document_refused_counts_before_what_waits() {
    let mut space = well();
    let example = Some((EntryId([4; 32]), Refusal::Malformed));
    let trouble = DocumentTrouble { refused: 2, example, waiting: 3 };
    space.documents = vec![(DOCUMENT, trouble)];
    assert_eq!(words(&space), ["rejected-entry"]);
    space.documents[0].1 = DocumentTrouble { refused: 0, example: None, waiting: 3 };
    assert_eq!(words(&space), ["missing-dependency"]);
    space.documents[0].1.waiting = 0;
    assert_eq!(words(&space), Vec::<&str>::new());
}

#[test]
fn a_subject_has_one_cause() {
    let (one, other) = (Consent::Inviting, Consent::Accepting);
    let consents = vec![(Some(PEER), one), (Some(PEER), other), (None, one)];
    let facts = Facts { spaces: vec![well()], consents, ..Facts::default() };
    let found = diagnose(&facts);
    let of_peer = Subject { peer: Some(PEER), ..Subject::default() };
    assert_eq!(
        found,
        [
            (Subject::default(), Cause::WaitingForConsent(one)),
            (of_peer, Cause::WaitingForConsent(one)),
        ]
    );
}
