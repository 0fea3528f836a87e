use super::*;
use crate::store::MemoryStore;

const SPACE: SpaceId = SpaceId([1; 32]);
const PEER: DeviceId = DeviceId([2; 32]);

#[test]
fn a_peer_that_learns_of_a_space_late_is_told_again() {
    let store = MemoryStore::new(StoreEpoch([3; 16]));
    let mut session = Session::new(SPACE, PEER);
    assert!(session.announce(&store).expect("reads").is_some());
    assert!(session.announce(&store).expect("reads").is_none());
    session.on_denied();
    assert_eq!(session.state(store.head()), PeerState::Denied);
    let theirs = MemoryStore::new(StoreEpoch([4; 16])).head();
    let head = Head {
        space: SPACE,
        store: theirs.epoch,
        arrivals: theirs.arrivals,
        digest: theirs.digest,
        seen: None,
    };
    session.on_head(head, &store).expect("reads");
    assert!(session.announce(&store).expect("reads").is_some());
    assert_eq!(session.state(store.head()), PeerState::Equal);
}
