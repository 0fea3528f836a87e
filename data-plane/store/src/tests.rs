use std::io::Cursor;

use super::*;

async fn store() -> (tempfile::TempDir, Blobs) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let blobs = Blobs::open(folder.path()).await.expect("opens");
    (folder, blobs)
}

fn bytes(len: usize) -> Bytes {
    (0..len).map(|index| (index * 7 + index / 251) as u8).collect()
}

async fn encoded(blobs: &Blobs, blob: BlobId, ranges: &Ranges) -> Vec<u8> {
    let mut encoded = Vec::new();
    blobs.provide(blob, ranges, &mut encoded).await.expect("is here");
    encoded
}

#[tokio::test]
async fn the_length_of_a_transfer_is_known_before() {
    let (_folder, blobs) = store().await;
    let small = SMALL_BYTES_MAX as usize;
    for len in [1, 20_000, small, small + 1, 163_840, 163_841, 1_000_000] {
        let blob = blobs.add(bytes(len)).await.expect("stored");
        blobs.sync(&[blob]).await.expect("synced");
        let transfer = encoded(&blobs, blob, &Ranges::all()).await;
        assert_eq!(transfer.len() as u64, transfer_bytes(len as u64), "{len} bytes");
    }
}

#[tokio::test]
async fn blobs_survive_closing_and_opening() {
    let (folder, blobs) = store().await;
    let mut ids = Vec::new();
    for len in [1, 1_024, 40_000, 3_000_000] {
        ids.push((len, blobs.add(bytes(len)).await.expect("stored")));
    }
    blobs.sync(&ids.iter().map(|(_, id)| *id).collect::<Vec<_>>()).await.expect("synced");
    blobs.close().await;
    drop(blobs);
    let blobs = Blobs::open(folder.path()).await.expect("opens again");
    assert_eq!(blobs.list().await.expect("lists").len(), ids.len());
    for (len, id) in ids {
        assert_eq!(id.0, *blake3::hash(&bytes(len)).as_bytes());
        assert_eq!(blobs.size(id).await.expect("asks"), Some(len as u64));
        assert_eq!(blobs.read(id, 0, len).await.expect("reads"), bytes(len));
    }
}

#[tokio::test]
async fn a_part_is_read_without_the_rest() {
    let (_folder, blobs) = store().await;
    let id = blobs.add(bytes(200_000)).await.expect("stored");
    for (start, len) in [(0, 1), (16_383, 2), (70_000, 90_000), (199_999, 1)] {
        let part = blobs.read(id, start as u64, len).await.expect("reads");
        assert_eq!(part, bytes(200_000)[start..start + len]);
    }
    assert!(blobs.read(id, 199_999, 2).await.is_err());
    assert!(blobs.read(BlobId([9; 32]), 0, 1).await.is_err());
}

#[tokio::test]
async fn a_blob_travels_verified() {
    for len in [1, 20_000, SMALL_BYTES_MAX as usize, SMALL_BYTES_MAX as usize + 1, 1_000_000] {
        let ((_a, from), (_b, to)) = (store().await, store().await);
        let id = from.add(bytes(len)).await.expect("stored");
        from.sync(&[id]).await.expect("synced");
        let missing = to.missing(id).await.expect("asks");
        let mut wire = Cursor::new(encoded(&from, id, &missing).await);
        assert_eq!(to.receive(id, &missing, &mut wire).await.expect("arrives"), len as u64);
        to.sync(&[id]).await.expect("synced");
        assert!(to.missing(id).await.expect("asks").is_empty());
        assert_eq!(to.read(id, 0, len).await.expect("reads"), bytes(len));
    }
}

#[tokio::test]
async fn a_broken_transfer_goes_on_where_it_stopped() {
    let ((_a, from), (_b, to)) = (store().await, store().await);
    let len = 2_000_000;
    let id = from.add(bytes(len)).await.expect("stored");
    let mut wire = encoded(&from, id, &Ranges::all()).await;
    wire.truncate(len / 2);
    assert!(to.receive(id, &Ranges::all(), &mut Cursor::new(wire)).await.is_err());
    let missing = to.missing(id).await.expect("asks");
    let rest = encoded(&from, id, &missing).await;
    assert!(rest.len() < len * 2 / 3, "{} bytes again", rest.len());
    to.receive(id, &missing, &mut Cursor::new(rest)).await.expect("arrives");
    assert_eq!(to.size(id).await.expect("asks"), Some(len as u64));
}

#[tokio::test]
async fn a_broken_transfer_goes_on_after_a_restart() {
    let ((_a, from), (folder, to)) = (store().await, store().await);
    let len = 2_000_000;
    let id = from.add(bytes(len)).await.expect("stored");
    let mut wire = encoded(&from, id, &Ranges::all()).await;
    wire.truncate(len / 2);
    assert!(to.receive(id, &Ranges::all(), &mut Cursor::new(wire)).await.is_err());
    to.close().await;
    drop(to);
    let to = Blobs::open(folder.path()).await.expect("opens again");
    assert_eq!(to.size(id).await.expect("asks"), None, "a part of it is not it");
    let missing = to.missing(id).await.expect("asks");
    let rest = encoded(&from, id, &missing).await;
    assert!(rest.len() < len * 2 / 3, "{} bytes again", rest.len());
    to.receive(id, &missing, &mut Cursor::new(rest)).await.expect("arrives");
    to.sync(&[id]).await.expect("synced");
    assert_eq!(to.read(id, 0, len).await.expect("reads"), bytes(len));
}

#[tokio::test]
async fn changed_bytes_are_refused() {
    let ((_a, from), (_b, to)) = (store().await, store().await);
    let id = from.add(bytes(150_000)).await.expect("stored");
    let wire = encoded(&from, id, &Ranges::all()).await;
    for place in [9, 200, 50_000, wire.len() - 1] {
        let mut wire = wire.clone();
        wire[place] ^= 1;
        let got = to.receive(id, &Ranges::all(), &mut Cursor::new(wire)).await;
        assert!(got.is_err(), "byte {place}");
    }
    assert_eq!(to.size(id).await.expect("asks"), None);
    let mut huge = Cursor::new(u64::MAX.to_le_bytes());
    let got = to.receive(id, &Ranges::all(), &mut huge).await;
    assert!(matches!(got, Err(BlobError::TooLarge)));
}

#[tokio::test]
async fn changed_bytes_of_a_small_blob_are_refused() {
    let ((_a, from), (_b, to)) = (store().await, store().await);
    let id = from.add(bytes(1_000)).await.expect("stored");
    from.sync(&[id]).await.expect("synced");
    let wire = encoded(&from, id, &Ranges::all()).await;
    for place in [0, 8, wire.len() - 1] {
        let mut wire = wire.clone();
        wire[place] ^= 1;
        let got = to.receive(id, &Ranges::all(), &mut Cursor::new(wire)).await;
        assert!(got.is_err(), "byte {place}");
    }
    assert!(matches!(to.sync(&[id]).await, Err(BlobError::NotHere)));
    assert_eq!(to.size(id).await.expect("asks"), None);
}

#[tokio::test]
async fn what_was_not_synced_is_not_held() {
    let (_folder, blobs) = store().await;
    let id = blobs.add(bytes(1_000)).await.expect("stored");
    assert_eq!(blobs.size(id).await.expect("asks"), None);
    blobs.sync(&[]).await.expect("synced");
    assert_eq!(blobs.size(id).await.expect("asks"), Some(1_000));
}

/// Ends the task that owns the database, as a commit does that fails.
async fn end_database(blobs: &Blobs) {
    let opened = blobs.large.opened().await.expect("is open");
    opened.store.shutdown().await.expect("ends");
}

#[tokio::test]
async fn a_database_that_ended_is_opened_again() {
    let ((_a, from), (_b, to)) = (store().await, store().await);
    let len = 300_000;
    let kept = from.add(bytes(len)).await.expect("stored");
    from.sync(&[kept]).await.expect("synced");
    end_database(&from).await;
    assert_eq!(from.read(kept, 0, len).await.expect("reads"), bytes(len));
    end_database(&from).await;
    assert_eq!(from.size(kept).await.expect("asks"), Some(len as u64));
    end_database(&from).await;
    assert_eq!(from.list().await.expect("lists").into_keys().collect::<Vec<_>>(), [kept]);
    end_database(&from).await;
    let added = from.add(bytes(len + 1)).await.expect("stored");
    from.sync(&[added]).await.expect("synced");

    // What goes over a connection cannot be done again: it fails, and the next works.
    end_database(&from).await;
    let mut wire = Vec::new();
    assert!(from.provide(kept, &Ranges::all(), &mut wire).await.is_err());
    let wire = encoded(&from, kept, &Ranges::all()).await;
    end_database(&to).await;
    let got = to.receive(kept, &Ranges::all(), &mut Cursor::new(&wire)).await;
    assert!(got.is_err());
    to.receive(kept, &Ranges::all(), &mut Cursor::new(&wire)).await.expect("arrives");
    to.sync(&[kept]).await.expect("synced");
    assert_eq!(to.read(kept, 0, len).await.expect("reads"), bytes(len));
}

#[tokio::test]
async fn what_a_failed_commit_took_back_is_not_held() {
    let (_folder, blobs) = store().await;
    let lost = BlobId([7; 32]);
    end_database(&blobs).await;
    assert!(blobs.sync(&[lost]).await.is_err());
    blobs.close().await;
    assert!(matches!(blobs.size(lost).await, Err(BlobError::Closed)));
}
