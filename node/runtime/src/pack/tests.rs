use std::{path::Path, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use node_core::request::{Meta, Reach, Role, WriteDocument, content_document};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::{
    DeviceKeys, Network, StartConfig, start,
    testing::{TestNode, test_node},
};

pub(crate) const SECRET: &str = "a canary that sings in no pack";

pub(crate) fn progress() -> ProgressSender {
    watch::channel(Progress::default()).0
}

/// A node that can be started again on its folder.
async fn begun(name: &str, folder: TempDir, network: Network) -> TestNode {
    let number = name.as_bytes()[0];
    let config = StartConfig {
        data_dir: folder.path().to_owned(),
        keys: DeviceKeys::from_secrets(&[number; 32], &[number + 1; 32], &[number + 2; 32]),
        agent_name: name.to_owned(),
        device_name: format!("{name}'s device"),
        sync_interval: Duration::from_secs(30 * 60),
        network,
        indexing: crate::Indexing::WhenAsked,
    };
    let started = start(config).await.expect("the folder is its own");
    TestNode { handle: started.handle.clone(), started, folder }
}

pub(crate) async fn without_network(name: &str, node: TestNode) -> TestNode {
    let TestNode { started, folder, .. } = node;
    started.stop().await;
    begun(name, folder, Network::None).await
}

pub(crate) async fn found(node: &TestNode) -> SpaceId {
    let (name, reach) = ("garden".to_owned(), Reach::Private);
    let request = Request::FoundSpace { name, reach, has_open_history: true };
    let Ok(Response::Space(info)) = node.handle.request(request).await else {
        panic!("does not found");
    };
    info.space
}

pub(crate) async fn write(node: &TestNode, space: SpaceId, id: &str) {
    let document = content_document(space, id);
    let meta = Meta { kind: "note".into(), ..Meta::default() };
    let documents = vec![WriteDocument { document, meta, value: json!({"id": id, "of": SECRET}) }];
    node.handle.request(Request::WriteDocuments { space, documents }).await.expect("writes");
}

pub(crate) async fn has(node: &TestNode, space: SpaceId, id: &str) -> bool {
    let document = content_document(space, id);
    node.handle.request(Request::ReadDocument { space, document }).await.is_ok()
}

pub(crate) fn sample(len: u32) -> Bytes {
    (0..len).map(|index| (index % 251) as u8 ^ (index >> 8) as u8).collect()
}

pub(crate) async fn put(node: &TestNode, space: SpaceId, bytes: Bytes) -> BlobId {
    let body = stream::iter([Ok(bytes)]).boxed();
    let stored = node.handle.put_blob(space, body, Some("f.bin".into()), None).await;
    stored.expect("stores").blob
}

pub(crate) async fn get(node: &TestNode, space: SpaceId, blob: BlobId) -> Vec<u8> {
    let reader = node.handle.open_blob(space, blob).await.expect("is here");
    let pieces: Vec<_> = reader.read(0..u64::MAX).try_collect().await.expect("reads");
    pieces.concat()
}

/// Two who met once over a real network and share a space, as they are when it is gone.
pub(crate) struct Apart {
    pub(crate) ada: TestNode,
    pub(crate) ben: TestNode,
    pub(crate) space: SpaceId,
    pub(crate) stick: TempDir,
}

pub(crate) async fn apart(role: Role) -> Apart {
    let addresses = vec!["/ip4/127.0.0.1/tcp/0".into()];
    let here = || Network::Listen { addresses: addresses.clone(), mdns: false, circuits: false };
    let new = async |name: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        begun(name, folder, here()).await
    };
    let (ada, ben) = (new("Ada").await, new("Ben").await);
    let space = found(&ada).await;
    let lifetime = Duration::from_secs(600);
    let grant = Some((space, role));
    let ticket = Request::IssueTicket { grant, is_for_own_device: false, lifetime };
    let Ok(Response::Ticket(ticket)) = ada.handle.request(ticket).await else {
        panic!("no ticket");
    };
    let Ok(Response::PairingCode { device, .. }) =
        ben.handle.request(Request::Pair { ticket, is_link: false }).await
    else {
        panic!("no code");
    };
    let confirm = Request::ConfirmPairing { device, is_same: true };
    ben.handle.request(confirm).await.expect("pairs");
    let sync = Request::Sync { device: None, is_full: false };
    ben.handle.request(sync).await.expect("syncs");
    // From here on both are started anew, and nothing connects them.
    let (ada, ben) = (without_network("Ada", ada).await, without_network("Ben", ben).await);
    let stick = tempfile::tempdir().expect("a temporary folder");
    Apart { ada, ben, space, stick }
}

impl Apart {
    fn at(&self, name: &str) -> PathBuf {
        self.stick.path().join(name)
    }

    async fn pack(&self, from: &TestNode, name: &str, since: Option<&str>) -> PackReport {
        let since = since.map(|name| self.at(name));
        from.handle.pack(self.space, self.at(name), since, progress()).await.expect("packs")
    }

    async fn unpack(&self, to: &TestNode, name: &str) -> UnpackReport {
        to.handle.unpack(self.at(name), progress()).await.expect("unpacks")
    }
}

pub(crate) fn holds(file: &Path, text: &str) -> bool {
    let bytes = std::fs::read(file).expect("reads");
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn a_space_travels_by_pack_and_only_once() {
    let apart = apart(Role::Writer).await;
    let Apart { ada, ben, space, .. } = &apart;
    write(ada, *space, "first").await;
    let (small, large) = (sample(1_000), sample(3_000_000));
    let blobs = [put(ada, *space, small.clone()).await, put(ada, *space, large.clone()).await];
    let made = apart.pack(ada, "one", None).await;
    assert_eq!((made.entries, made.blobs), (3, 2));
    assert_eq!(made.bytes, std::fs::metadata(&made.file).expect("is there").len());
    // Nothing shorter: megabytes of noise hold every word of three letters.
    for readable in [SECRET, "garden", "f.bin"] {
        assert!(!holds(&made.file, readable), "{readable}");
    }
    assert_eq!(std::fs::read_dir(apart.stick.path()).expect("lists").count(), 1, "no leftovers");

    let taken = apart.unpack(ben, "one").await;
    assert_eq!((taken.entries_new, taken.entries_known, taken.blobs_new), (3, 0, 2));
    assert_eq!(taken.refused, []);
    assert!(has(ben, *space, "first").await);
    assert_eq!(get(ben, *space, blobs[0]).await, small);
    assert!(get(ben, *space, blobs[1]).await == large);
    let again = apart.unpack(ben, "one").await;
    assert_eq!((again.entries_new, again.entries_known, again.blobs_new), (0, 3, 0));

    // What is new goes back, and nothing else: the pack of the other one is known.
    write(ben, *space, "second").await;
    let back = apart.pack(ben, "two", Some("one")).await;
    assert_eq!((back.entries, back.blobs, back.attestations), (1, 0, 0));
    assert_eq!(apart.unpack(ada, "two").await.entries_new, 1);
    assert!(has(ada, *space, "second").await);
    // A third builds on all before it.
    write(ada, *space, "third").await;
    assert_eq!(apart.pack(ada, "three", Some("two")).await.entries, 1);
    assert_eq!(apart.unpack(ben, "three").await.entries_new, 1);
}

#[tokio::test]
async fn a_custodian_carries_what_it_cannot_read() {
    let apart = apart(Role::Custodian).await;
    let Apart { ada, ben, space, .. } = &apart;
    write(ada, *space, "first").await;
    let blob = put(ada, *space, sample(200_000)).await;
    apart.pack(ada, "to-ben", None).await;
    let taken = apart.unpack(ben, "to-ben").await;
    assert_eq!((taken.entries_new, taken.blobs_new, taken.refused), (2, 1, vec![]));
    assert!(!has(ben, *space, "first").await, "it is sealed for a custodian");
    assert!(ben.handle.open_blob(*space, blob).await.is_err());
    let made = apart.pack(ben, "to-ada", None).await;
    assert_eq!((made.entries, made.blobs), (2, 1));
    let known = apart.unpack(ada, "to-ada").await;
    assert_eq!((known.entries_new, known.entries_known, known.blobs_new), (0, 2, 0));
}

#[tokio::test]
async fn a_pack_is_nothing_for_others() {
    let apart = apart(Role::Writer).await;
    write(&apart.ada, apart.space, "first").await;
    let made = apart.pack(&apart.ada, "one", None).await;
    let eve = test_node("Eve", Network::None).await;
    let refused = eve.handle.unpack(made.file.clone(), progress()).await.expect_err("is refused");
    assert_eq!(refused.kind, FailureKind::NotAllowed);
    assert!(refused.message.contains("ticket"), "{refused:?}");
    let target = apart.at("eve");
    let made = eve.handle.pack(apart.space, target.clone(), None, progress()).await;
    assert_eq!(made.expect_err("is refused").kind, FailureKind::NotAllowed);
    assert!(!target.exists());
    let of_eve = found(&eve).await;
    let since = Some(apart.at("one"));
    let other = eve.handle.pack(of_eve, target, since, progress()).await;
    assert_eq!(other.expect_err("another space").kind, FailureKind::Invalid);
}

#[tokio::test]
async fn of_a_damaged_pack_everything_before_the_damage_is_kept() {
    let apart = apart(Role::Writer).await;
    let Apart { ada, ben, space, .. } = &apart;
    write(ada, *space, "first").await;
    let blob = put(ada, *space, sample(2_000_000)).await;
    let made = apart.pack(ada, "whole", None).await;
    let whole = std::fs::read(&made.file).expect("reads");
    let unpack = async |bytes: &[u8]| {
        let file = apart.at("damaged");
        std::fs::write(&file, bytes).expect("writes");
        ben.handle.unpack(file, progress()).await
    };
    // Somewhere in the blob, which comes last.
    let mut flipped = whole.clone();
    flipped[whole.len() - 1_000_000] ^= 1;
    for bytes in [&flipped[..], &whole[..whole.len() - 1_000_000], &whole[..whole.len() - 1]] {
        let failure = unpack(bytes).await.expect_err("is damaged");
        assert_eq!(failure.kind, FailureKind::Storage, "{failure:?}");
        assert!(failure.message.contains("damaged") && failure.state.contains("kept"));
    }
    assert!(has(ben, *space, "first").await, "it stood before the damage");
    let longer = unpack(&[&whole[..], b"x"].concat()).await.expect_err("something follows");
    assert_eq!(longer.kind, FailureKind::Storage);
    let taken = unpack(&whole).await.expect("is whole");
    assert_eq!((taken.entries_new, taken.refused), (0, vec![]));
    assert!(get(ben, *space, blob).await == sample(2_000_000));

    let newer = [&whole[..8], &[0, 2], &whole[10..]].concat();
    assert!(unpack(&newer).await.expect_err("is newer").message.contains("version 2"));
    for nothing in [&b""[..], b"KITHPACK", b"a text file that is no pack"] {
        assert_eq!(unpack(nothing).await.expect_err("no pack").kind, FailureKind::Invalid);
    }
    let folder = apart.stick.path().to_owned();
    let failure = ben.handle.unpack(folder, progress()).await.expect_err("a folder");
    assert_eq!(failure.kind, FailureKind::Invalid);
    let failure = ben.handle.unpack(apart.at("none"), progress()).await.expect_err("no file");
    assert_eq!(failure.kind, FailureKind::NotFound);
}

#[tokio::test]
async fn a_pack_brings_the_membership_that_it_needs() {
    let apart = apart(Role::Reader).await;
    let Apart { ada, ben, .. } = &apart;
    let Ok(Response::Identity(identity)) = ben.handle.request(Request::Identity).await else {
        panic!("no identity");
    };
    let space = found(ada).await;
    write(ada, space, "first").await;
    let party = node_core::request::Party::Agent(identity.agent);
    let grant = Request::Grant { space, party, role: Role::Reader };
    ada.handle.request(grant).await.expect("admits");
    let file = apart.at("invitation");
    ada.handle.pack(space, file.clone(), None, progress()).await.expect("packs");
    assert!(!has(ben, space, "first").await);
    let taken = ben.handle.unpack(file, progress()).await.expect("unpacks");
    assert_eq!((taken.space, taken.entries_new), (space, 1));
    assert!(has(ben, space, "first").await, "the keys were in it, too");
}
