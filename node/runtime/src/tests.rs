use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use node_core::{
    FailureKind, Request, Response,
    request::{Meta, Reach, WriteDocument, path_document},
};
use node_model::{BlobId, SpaceId};
use serde_json::json;
use tokio::sync::watch;

use crate::{Handle, Network, Progress, testing::test_node};

async fn space(handle: &Handle) -> SpaceId {
    let found = Request::FoundSpace {
        name: "album".to_owned(),
        reach: Reach::Private,
        has_open_history: true,
    };
    let Response::Space(info) = handle.request(found).await.expect("founds") else {
        panic!("not the answer");
    };
    info.space
}

fn progress() -> watch::Sender<Progress> {
    watch::channel(Progress::default()).0
}

fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.expect("readable"))
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let path = entry.path().strip_prefix(folder).expect("below").display().to_string();
            (path, std::fs::read(entry.path()).expect("readable"))
        })
        .collect()
}

#[tokio::test]
async fn a_folder_goes_in_and_comes_out_byte_for_byte() {
    let node = test_node("Ada", Network::None).await;
    let space = space(&node.handle).await;
    let source = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, bytes: &[u8]| {
        let path = source.path().join(path);
        std::fs::create_dir_all(path.parent().expect("has one")).expect("creates");
        std::fs::write(path, bytes).expect("writes");
    };
    write("a.md", b"---\nid: a\n---\n# A\r\nText without an end");
    write("sub/p.json", b"{ \"chapters\": [ ],\n \"x\": 1.50, \"id\":\"p\" }\n\n");
    write("sub/strange.json", b"[1, 2");
    write("empty.txt", b"");
    write("latin1.txt", b"gr\xfc\xdfe");
    write("picture.png", &vec![7; 300_000]);
    write("large.bin", &(0..5_000_000_u32).map(|i| (i % 249) as u8).collect::<Vec<_>>());
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", source.path().join("link")).expect("links");

    let from = source.path().to_owned();
    let report = node.handle.import(space, from.clone(), progress()).await.expect("imports");
    assert_eq!((report.documents, report.blobs), (7, 4));
    assert_eq!(
        report.skipped.iter().map(|s| s.why.as_str()).collect::<Vec<_>>(),
        ["a link, not a file"]
    );
    let again = node.handle.import(space, from, progress()).await.expect("imports again");
    assert_eq!((again.documents, again.known), (7, 0));

    let target = tempfile::tempdir().expect("a temporary folder");
    let exported =
        node.handle.export(space, target.path().to_owned(), progress()).await.expect("exports");
    assert_eq!((exported.files, exported.skipped.len()), (7, 0));
    std::fs::remove_file(source.path().join("link")).expect("removes");
    assert!(files_below(source.path()) == files_below(target.path()));
}

#[tokio::test]
async fn a_snapshot_brings_what_is_new_and_nothing_else() {
    let node = test_node("Ada", Network::None).await;
    let space = space(&node.handle).await;
    let source = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, text: &str| {
        std::fs::write(source.path().join(path), text).expect("writes");
    };
    let bring = || async {
        let from = source.path().to_owned();
        let report = node.handle.import_new(space, from, progress()).await.expect("imports");
        (report.documents, report.known)
    };
    ["stays.md", "goes.md"].into_iter().for_each(|path| write(path, "one"));
    assert_eq!(bring().await, (2, 0));
    let document = path_document(space, "goes.md");
    let remove = Request::RemoveDocument { space, document };
    node.handle.request(remove).await.expect("removes");
    write("stays.md", "two");
    write("comes.bin", "three");
    assert_eq!(bring().await, (1, 2), "one that is removed was there");
    assert_eq!(bring().await, (0, 3));

    let target = tempfile::tempdir().expect("a temporary folder");
    let to = target.path().to_owned();
    node.handle.export(space, to, progress()).await.expect("exports");
    let there = files_below(target.path());
    let there: Vec<_> = there.iter().map(|(path, bytes)| (path.as_str(), &bytes[..])).collect();
    assert_eq!(there, [("comes.bin", &b"three"[..]), ("stays.md", b"one")]);
}

#[tokio::test]
async fn what_was_removed_keeps_nothing_else_from_being_imported() {
    let node = test_node("Ada", Network::None).await;
    let space = space(&node.handle).await;
    let source = tempfile::tempdir().expect("a temporary folder");
    for path in ["a.md", "gone.bin", "gone.md", "z.md"] {
        std::fs::write(source.path().join(path), path).expect("writes");
    }
    let from = source.path().to_owned();
    node.handle.import(space, from.clone(), progress()).await.expect("imports");
    for path in ["gone.bin", "gone.md"] {
        let remove = Request::RemoveDocument { space, document: path_document(space, path) };
        node.handle.request(remove).await.expect("removes");
    }
    std::fs::write(source.path().join("z.md"), "changed").expect("writes");
    let report = node.handle.import(space, from, progress()).await.expect("imports");
    assert_eq!((report.documents, report.blobs), (2, 0));
    let skipped: Vec<_> = report.skipped.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(skipped, ["gone.bin", "gone.md"]);

    let target = tempfile::tempdir().expect("a temporary folder");
    let to = target.path().to_owned();
    node.handle.export(space, to, progress()).await.expect("exports");
    let there = files_below(target.path());
    assert_eq!(there.into_keys().collect::<Vec<_>>(), ["a.md", "z.md"]);
}

#[tokio::test]
async fn a_path_from_elsewhere_does_not_leave_the_export() {
    let node = test_node("Ada", Network::None).await;
    let space = space(&node.handle).await;
    let documents = ["../evil.md", "good.md"].map(|path| WriteDocument {
        document: path_document(space, path),
        meta: Meta { kind: "document".into(), app: None, path: Some(path.into()), source: None },
        value: json!({"content": "x", "content_format": "markdown"}),
    });
    let write = Request::WriteDocuments { space, documents: documents.to_vec() };
    node.handle.request(write).await.expect("writes");
    let target = tempfile::tempdir().expect("a temporary folder");
    let inner = target.path().join("inner");
    let report = node.handle.export(space, inner, progress()).await.expect("exports");
    assert_eq!((report.files, report.skipped.len()), (1, 1));
    assert_eq!(files_below(target.path()).into_keys().collect::<Vec<_>>(), ["inner/good.md"]);
}

#[tokio::test]
async fn files_read_back_in_parts_and_as_a_whole() {
    let node = test_node("Ada", Network::None).await;
    let space = space(&node.handle).await;
    let plain: Vec<u8> = (0..6_000_000_u32).map(|i| (i % 247) as u8).collect();
    let pieces: Vec<_> = plain.chunks(100_000).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
    let stored = node
        .handle
        .put_blob(space, stream::iter(pieces), Some("film.mp4".to_owned()), None)
        .await
        .expect("stores");
    assert_eq!((stored.size, stored.mime.as_str()), (6_000_000, "video/mp4"));
    for range in [0..6_000_000, 0..1, 65_535..65_537, 1_048_570..3_000_000, 5_999_999..9_000_000] {
        let reader = node.handle.open_blob(space, stored.blob).await.expect("opens");
        let parts: Vec<Bytes> = reader.read(range.clone()).try_collect().await.expect("reads");
        let end = (range.end as usize).min(plain.len());
        assert!(parts.concat() == plain[range.start as usize..end], "{range:?}");
    }
    let files = node.handle.files(space).await.expect("lists");
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].name.as_deref(), Some("film.mp4"));
}

#[tokio::test]
async fn nothing_readable_reaches_the_disk() {
    let canary = b"canary-4f1d6c8e2b7a9035-canary-32";
    let node = test_node("Ada", Network::None).await;
    let space = space(&node.handle).await;
    let source = tempfile::tempdir().expect("a temporary folder");
    for (name, room) in [("a.md", 0), ("b.bin", 10), ("c.bin", 5_000_000)] {
        let mut bytes = vec![b' '; room];
        bytes.extend_from_slice(canary);
        std::fs::write(source.path().join(name), bytes).expect("writes");
    }
    let from = source.path().to_owned();
    node.handle.import(space, from, progress()).await.expect("imports");
    let folder = node.folder;
    node.started.stop().await;
    for (path, bytes) in files_below(folder.path()) {
        let found = bytes.windows(canary.len()).any(|window| window == canary);
        assert!(!found, "{path} holds plain text");
    }
}

#[tokio::test]
async fn a_file_of_another_space_is_as_unknown_as_one_that_never_was() {
    let node = test_node("Ada", Network::None).await;
    let (here, there) = (space(&node.handle).await, space(&node.handle).await);
    let body = stream::iter([Ok(Bytes::from_static(b"secret"))]).boxed();
    let stored = node.handle.put_blob(here, body, None, None).await.expect("stores");
    let (other, none) = (
        node.handle.open_blob(there, stored.blob).await.err().expect("is refused"),
        node.handle.open_blob(there, BlobId([1; 32])).await.err().expect("is refused"),
    );
    assert_eq!(other, none);
    assert_eq!(other.kind, FailureKind::NotFound);
}
