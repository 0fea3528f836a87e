use node_core::request::{Party, Role};
use tempfile::TempDir;

use super::*;
use crate::{
    Network,
    pack::tests::{Apart, SECRET, apart, found, get, has, holds, progress, put, sample, write},
    testing::{TestNode, test_node},
};

async fn sync(node: &TestNode, folder: &TempDir) -> FolderReport {
    let folder = folder.path().to_owned();
    node.handle.sync_folder(folder, None, false, progress()).await.expect("syncs")
}

async fn sync_fully(node: &TestNode, folder: &TempDir) -> FolderReport {
    let folder = folder.path().to_owned();
    node.handle.sync_folder(folder, None, true, progress()).await.expect("syncs")
}

/// Entries out and in, blobs out and in, of one space.
fn counts(report: &FolderReport, space: SpaceId) -> [u64; 4] {
    let of_space = report.spaces.iter().find(|it| it.space == space).expect("is one of ours");
    [of_space.pushed, of_space.pulled, of_space.blobs_pushed, of_space.blobs_pulled]
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.expect("lists");
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    files.sort();
    files
}

fn one_file(folder: &Path, ending: &str) -> PathBuf {
    let mut all = all_files(folder).into_iter();
    all.find(|path| path.extension().is_some_and(|it| it == ending)).expect("is there")
}

fn flip(file: &Path, from_end: usize) {
    let mut bytes = std::fs::read(file).expect("reads");
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    std::fs::write(file, bytes).expect("writes");
}

#[tokio::test]
async fn a_space_travels_through_a_folder_and_each_part_once() {
    let Apart { ada, ben, space, stick } = &apart(Role::Writer).await;
    write(ada, *space, "first").await;
    let large = sample(3_000_000);
    let blob = put(ada, *space, large.clone()).await;
    let first = sync(ada, stick).await;
    assert_eq!(counts(&first, *space), [2, 0, 1, 0]);
    assert_eq!((first.refused, first.passed_over), (vec![], vec![]));
    for file in all_files(stick.path()) {
        for readable in [SECRET, "garden", "f.bin"] {
            assert!(!holds(&file, readable), "{readable} in {}", file.display());
        }
    }
    let files = all_files(stick.path());
    assert_eq!(counts(&sync(ada, stick).await, *space), [0; 4]);
    assert_eq!(all_files(stick.path()), files, "nothing is lacking");

    let taken = sync(ben, stick).await;
    assert_eq!(counts(&taken, *space), [0, 2, 0, 1]);
    assert!(has(ben, *space, "first").await);
    assert!(get(ben, *space, blob).await == large);
    write(ben, *space, "second").await;
    assert_eq!(counts(&sync(ben, stick).await, *space), [1, 0, 0, 0]);
    write(ada, *space, "third").await;
    assert_eq!(counts(&sync(ada, stick).await, *space), [1, 1, 0, 0], "both ways at once");
    assert!(has(ada, *space, "second").await);
    assert_eq!(counts(&sync(ben, stick).await, *space), [0, 1, 0, 0]);
    assert_eq!(counts(&sync_fully(ben, stick).await, *space), [0; 4]);
}

#[tokio::test]
async fn a_custodian_carries_from_folder_to_folder_what_it_cannot_read() {
    let Apart { ada, ben, space, stick } = &apart(Role::Custodian).await;
    let other = tempfile::tempdir().expect("a temporary folder");
    write(ada, *space, "first").await;
    let blob = put(ada, *space, sample(200_000)).await;
    sync(ada, stick).await;
    assert_eq!(counts(&sync(ben, stick).await, *space), [0, 2, 0, 1]);
    assert!(!has(ben, *space, "first").await, "it is sealed for a custodian");
    assert!(ben.handle.open_blob(*space, blob).await.is_err());
    assert_eq!(counts(&sync(ben, &other).await, *space), [2, 0, 1, 0]);
    assert_eq!(counts(&sync_fully(ada, &other).await, *space), [0; 4], "it is all there");
}

#[tokio::test]
async fn a_folder_brings_the_membership_that_it_needs() {
    let Apart { ada, ben, stick, .. } = &apart(Role::Reader).await;
    let Ok(Response::Identity(identity)) = ben.handle.request(Request::Identity).await else {
        panic!("no identity");
    };
    let space = found(ada).await;
    write(ada, space, "first").await;
    // What is written before somebody comes is for them, too.
    sync(ada, stick).await;
    let early = sync(ben, stick).await;
    assert!(early.spaces.iter().all(|it| it.space != space), "it is none of Ben's");
    let grant = Request::Grant { space, party: Party::Agent(identity.agent), role: Role::Reader };
    ada.handle.request(grant).await.expect("admits");
    let news = sync(ada, stick).await;
    assert_eq!(counts(&news, space)[2..], [0, 0]);
    let taken = sync(ben, stick).await;
    assert!(counts(&taken, space)[1] > 0);
    assert!(has(ben, space, "first").await, "the keys were in it, too");
}

#[tokio::test]
async fn for_others_there_is_nothing_in_a_folder() {
    let Apart { ada, space, stick, .. } = &apart(Role::Writer).await;
    write(ada, *space, "first").await;
    sync(ada, stick).await;
    let eve = test_node("Eve", Network::None).await;
    let own = found(&eve).await;
    let report = sync(&eve, stick).await;
    assert!(report.spaces.iter().all(|it| it.space != *space && it.pulled == 0), "{report:?}");
    assert!(report.spaces.iter().any(|it| it.space == own));
    let folder = stick.path().to_owned();
    let named = eve.handle.sync_folder(folder, Some(*space), false, progress()).await;
    assert_eq!(named.expect_err("is refused").kind, FailureKind::NotAllowed);
    assert!(sync(ada, stick).await.spaces.iter().all(|it| it.space != own));
}

#[tokio::test]
async fn who_was_removed_writes_for_nobody() {
    let Apart { ada, ben, space, stick } = &apart(Role::Writer).await;
    let Ok(Response::Identity(identity)) = ben.handle.request(Request::Identity).await else {
        panic!("no identity");
    };
    let revoke = Request::Revoke { space: *space, party: Party::Agent(identity.agent) };
    ada.handle.request(revoke).await.expect("removes");
    write(ben, *space, "too late").await;
    sync(ben, stick).await;
    let report = sync(ada, stick).await;
    assert_eq!((counts(&report, *space)[1], report.refused.len()), (0, 1), "{report:?}");
    assert!(report.refused[0].1.contains("may not write"), "{report:?}");
    assert!(!has(ada, *space, "too late").await);
}

#[tokio::test]
async fn what_is_damaged_is_named_and_mended_by_who_has_it() {
    let Apart { ada, ben, space, stick } = &apart(Role::Writer).await;
    write(ada, *space, "first").await;
    let blob = put(ada, *space, sample(500_000)).await;
    sync(ada, stick).await;
    let of_space = stick.path().join("kith").join(space.to_string());
    flip(&one_file(&of_space, "entries"), 50);
    let blob_file = one_file(&of_space, "blob");
    let taken = sync(ben, stick).await;
    assert_eq!(counts(&taken, *space), [0; 4]);
    let [passed] = &taken.passed_over[..] else { panic!("{taken:?}") };
    assert!(passed.path.ends_with(".entries") && passed.why.contains("damaged"), "{passed:?}");
    assert_eq!(counts(&sync_fully(ada, stick).await, *space), [2, 0, 0, 0]);

    // Once in the middle, once at the end.
    flip(&blob_file, 250_000);
    let taken = sync(ben, stick).await;
    assert_eq!(counts(&taken, *space), [0, 2, 0, 0]);
    assert!(taken.passed_over.iter().any(|it| it.path.ends_with(".blob")), "{taken:?}");
    assert_eq!(counts(&sync_fully(ada, stick).await, *space), [0, 0, 1, 0]);
    let bytes = std::fs::read(&blob_file).expect("reads");
    std::fs::write(&blob_file, &bytes[..bytes.len() - 1]).expect("writes");
    assert_eq!(counts(&sync(ben, stick).await, *space), [0; 4]);
    assert_eq!(counts(&sync(ada, stick).await, *space), [0, 0, 1, 0], "its length shows it");
    assert_eq!(counts(&sync(ben, stick).await, *space), [0, 0, 0, 1]);
    assert!(get(ben, *space, blob).await == sample(500_000));
}

#[tokio::test]
async fn damaged_statements_are_passed_over_and_written_anew() {
    let Apart { ada, ben, space, stick } = &apart(Role::Writer).await;
    sync(ada, stick).await;
    let of_space = stick.path().join("kith").join(space.to_string());
    let packs = || {
        let mut all = all_files(&of_space);
        all.retain(|path| path.extension().is_some_and(|it| it == "kithpack"));
        all
    };
    sync(ben, stick).await;
    let [first] = &packs()[..] else { panic!("Ben knows no more than Ada: {:?}", packs()) };
    flip(first, 50);
    let report = sync(ada, stick).await;
    let [passed] = &report.passed_over[..] else { panic!("{report:?}") };
    assert!(passed.path.ends_with(".kithpack") && passed.why.contains("damaged"), "{passed:?}");
    assert!(packs().len() == 1 && !first.exists(), "a new one is in its place");
    assert_eq!(sync(ben, stick).await.passed_over, []);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_says_what_mends_it() {
    let ada = test_node("Ada", Network::None).await;
    let space = found(&ada).await;
    write(&ada, space, "first").await;
    let fails = async |folder: &Path| {
        let synced = ada.handle.sync_folder(folder.to_owned(), None, false, progress()).await;
        synced.expect_err("cannot be used")
    };
    let stick = tempfile::tempdir().expect("a temporary folder");
    let missing = fails(&stick.path().join("none")).await;
    assert_eq!(missing.kind, FailureKind::NotFound);
    assert!(missing.message.contains("there is no folder") && missing.fix.contains("mkdir"));
    let file = stick.path().join("file");
    std::fs::write(&file, "x").expect("writes");
    assert_eq!(fails(&file).await.kind, FailureKind::Invalid);
    let other = stick.path().join("other");
    std::fs::create_dir_all(other.join("kith").join("photos")).expect("creates");
    let strange = fails(&other).await;
    assert_eq!(strange.kind, FailureKind::Invalid);
    assert!(strange.message.contains("not a folder that kith wrote"), "{strange:?}");
    // Our own folder cannot be made.
    let blocked = stick.path().join("blocked");
    let own = blocked.join("kith").join(space.to_string());
    std::fs::create_dir_all(own.parent().expect("has one")).expect("creates");
    std::fs::write(&own, "x").expect("writes");
    std::fs::create_dir(blocked.join("kith").join(SpaceId([1; 32]).to_string())).expect("creates");
    let failure = fails(&blocked).await;
    assert!(failure.message.contains("cannot write into the folder"), "{failure:?}");
    assert!(failure.state.contains("what was new"), "{failure:?}");
}

#[test]
fn each_way_in_which_a_folder_cannot_be_written_has_its_kind() {
    let kind_of = |kind: io::ErrorKind| cannot_write(Path::new("/stick"), &kind.into()).kind;
    assert_eq!(kind_of(io::ErrorKind::ReadOnlyFilesystem), FailureKind::NotAllowed);
    assert_eq!(kind_of(io::ErrorKind::PermissionDenied), FailureKind::NotAllowed);
    assert_eq!(kind_of(io::ErrorKind::StorageFull), FailureKind::DiskFull);
    assert_eq!(kind_of(io::ErrorKind::NotFound), FailureKind::NotFound);
    assert_eq!(kind_of(io::ErrorKind::Other), FailureKind::Storage);
}
