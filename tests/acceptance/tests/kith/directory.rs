//! Data directories that this version must leave alone: newer ones, damaged ones.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use acceptance::{Failed, Home, Inside, Tree, in_own_mounts, list, mount, read_tree, skip, text};
use serde_json::json;

/// Where a SQLite file keeps `PRAGMA user_version` (file format, section 1.3).
const USER_VERSION_AT: u64 = 60;

/// A directory with something in every file of it; nothing runs on it any more.
async fn lived_in() -> (Home, PathBuf) {
    let home = Home::new();
    let running = home.up().ready().await;
    let space = home.new_space("album").await;
    home.new_document("album", &json!({"title": "One"})).await;
    // A small blob and a large one live in different databases.
    for bytes in [&b"bytes"[..], &[7; 200_000]] {
        let put = home.kith(&["blob", "put", "album", "-"]).stdin(bytes).json().await;
        assert!(!text(&put, "blob").is_empty());
    }
    running.stop().await;
    let entries = home.data_dir().join("spaces").join(space).join("entries.db");
    (home, entries)
}

const GARBAGE: &[u8] = b"\xde\xad\xbe\xef garbage";

/// Every command that touches the directory must refuse it in the same way, and change nothing.
async fn is_refused(home: &Home, bad: &Path, says: &[&str]) -> Failed {
    let before = kept(home);
    let mut refusals = vec![home.up().fails().await];
    let commands: [&[&str]; 3] =
        [&["status"], &["doc", "new", "album"], &["space", "new", "another"]];
    for command in commands {
        refusals.push(home.kith(command).fails().await);
    }
    let after = kept(home);
    for (path, bytes) in &before {
        let shown = String::from_utf8_lossy(path);
        assert!(after.get(path) == Some(bytes), "{shown} was changed because of {}", bad.display());
    }
    let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
    let shown: Vec<_> = new.iter().map(|path| String::from_utf8_lossy(path)).collect();
    assert!(new.is_empty(), "{shown:?} appeared because of {}", bad.display());
    let first = refusals.swap_remove(0);
    for refusal in refusals {
        assert_eq!(refusal, first);
    }
    first.is(1, "storage");
    for part in says {
        first.says(part);
    }
    first
}

/// What must stay as it is: not the lock, which says who looked, and not the note of the blob
/// store in its own file that it was opened.
fn kept(home: &Home) -> Tree {
    let mut tree = read_tree(&home.data_dir());
    tree.remove(&b"node.lock"[..]);
    tree.remove(&b"blobs/blobs.db"[..]);
    tree
}

fn patch(path: &Path, at: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).expect("it is there");
    file.write_all_at(bytes, at).expect("it can be written");
}

#[tokio::test]
async fn a_directory_from_the_future_is_left_alone() {
    let (home, _) = lived_in().await;
    let format = home.data_dir().join("format");
    fs::write(&format, "99\n").expect("writes");
    let data_dir = home.data_dir();
    let says = [data_dir.to_str().expect("plain"), "newer", "99"];
    let refusal = is_refused(&home, &format, &says).await;
    assert!(refusal.fix.contains("newest kith"), "{refusal:?}");
    fs::write(&format, "1\n").expect("writes");
    home.up().ready().await.stop().await;
}

#[tokio::test]
async fn keys_from_the_future_are_left_alone() {
    let (home, _) = lived_in().await;
    let keys = home.data_dir().join("identity/keys.json");
    let good = fs::read_to_string(&keys).expect("it is there");
    fs::write(&keys, good.replace("\"format\": 2", "\"format\": 9")).expect("writes");
    let refusal = is_refused(&home, &keys, &["keys.json", "newer"]).await;
    assert!(refusal.fix.contains("newest kith"), "{refusal:?}");
}

#[tokio::test]
async fn databases_from_the_future_are_left_alone() {
    let (home, _) = lived_in().await;
    let inside = |name: &str| home.data_dir().join(name);
    for (path, named) in
        [(inside("trust.db"), inside("trust.db")), (inside("blobs/small.db"), inside("blobs"))]
    {
        let good = fs::read(&path).expect("it is there");
        patch(&path, USER_VERSION_AT, &99_u32.to_be_bytes());
        let named = named.to_str().expect("plain");
        let refusal = is_refused(&home, &path, &[named, "99"]).await;
        assert!(refusal.fix.contains("newest kith"), "{refusal:?}");
        fs::write(&path, good).expect("writes");
    }
    home.up().ready().await.stop().await;
}

#[tokio::test]
async fn damaged_files_are_named_and_left_alone() {
    let (home, _) = lived_in().await;
    let inside = |name: &str| home.data_dir().join(name);
    for path in ["format", "identity/keys.json", "trust.db"].map(inside) {
        let good = fs::read(&path).expect("it is there");
        patch(&path, 0, GARBAGE);
        let refusal = is_refused(&home, &path, &[path.to_str().expect("plain")]).await;
        assert!(refusal.fix.contains("backup"), "{refusal:?}");
        fs::write(&path, good).expect("writes");
    }
    let running = home.up().ready().await;
    // One of ours, and the list of files.
    assert_eq!(home.documents("album").await.len(), 2);
    running.stop().await;
}

/// One space that cannot be opened keeps the others from nothing.
#[tokio::test]
async fn a_space_that_cannot_be_opened_is_named_and_left_alone() {
    let (home, entries) = lived_in().await;
    home.kith(&["space", "new", "garden"]).json().await;
    let good = fs::read(&entries).expect("it is there");
    let newer = || patch(&entries, USER_VERSION_AT, &99_u32.to_be_bytes());
    let damaged = || patch(&entries, 0, GARBAGE);
    let bad: [(&dyn Fn(), &str, &str); 2] =
        [(&newer, "99", "newest kith"), (&damaged, "entries.db", "kith space repair")];
    for (spoil, says, fix) in bad {
        spoil();
        let spoiled = fs::read(&entries).expect("it is there");
        for is_running in [false, true] {
            let running = if is_running { Some(home.up().ready().await) } else { None };
            let refusal = home.kith(&["doc", "list", "album"]).fails().await;
            refusal.is(1, "storage").says("album").says(says);
            assert!(refusal.fix.contains(fix), "{refusal:?}");
            home.new_document("garden", &json!({"title": "Peas"})).await;
            let status = home.kith(&["status"]).json().await;
            let state = |name: &str| {
                let space = list(&status, "spaces").iter().find(|space| space["name"] == name);
                text(space.expect("is listed"), "state").to_owned()
            };
            assert_eq!((state("album").as_str(), state("garden").as_str()), ("unopened", "local"));
            let causes = home.kith(&["doctor"]).json().await;
            let named = list(&causes, "causes").iter().any(|cause| cause["space_name"] == "album");
            assert!(named, "{causes}");
            if let Some(running) = running {
                running.stop().await;
            }
            assert!(fs::read(&entries).expect("it is there") == spoiled, "it was changed");
        }
        fs::write(&entries, &good).expect("writes");
        assert_eq!(home.documents("album").await.len(), 2);
    }
}

#[tokio::test]
async fn a_damaged_blob_store_is_named_and_left_alone() {
    let (home, _) = lived_in().await;
    let folder = home.data_dir().join("blobs");
    for name in ["blobs.db", "small.db"] {
        let path = folder.join(name);
        let good = fs::read(&path).expect("it is there");
        let mut bad = good.clone();
        bad[..64].fill(0xaa);
        fs::write(&path, &bad).expect("writes");
        is_refused(&home, &path, &[folder.to_str().expect("plain")]).await;
        assert!(fs::read(&path).expect("it is there") == bad, "{name} was changed");
        fs::write(&path, good).expect("writes");
    }
    home.up().ready().await.stop().await;
}

#[tokio::test]
async fn a_damaged_token_is_made_anew() {
    let (home, _) = lived_in().await;
    let path = home.data_dir().join("local-token");
    for bad in ["", "short", &"x".repeat(10_000), "not a token, but long enough to be one\n"] {
        fs::write(&path, bad).expect("writes");
        let running = home.up().ready().await;
        let token = fs::read_to_string(&path).expect("it is there");
        assert!(token.trim().len() >= 32 && token != bad, "{token:?}");
        let status = running.browser().with_token(token.trim()).get("/api/v1/status").await;
        assert_eq!(status.status, 200);
        running.stop().await;
    }
}

#[tokio::test]
async fn a_read_only_directory_is_named() {
    if in_own_mounts("directory::a_read_only_directory_is_named") == Inside::No {
        return;
    }
    let (home, _) = lived_in().await;
    let data_dir = home.data_dir();
    let shown = data_dir.to_str().expect("plain");
    let is_read_only =
        mount(&["--bind", shown], &data_dir) && mount(&["-o", "remount,ro,bind"], &data_dir);
    if !is_read_only {
        return skip("this machine allows no read-only mounts in a namespace");
    }
    let before = kept(&home);
    let up = home.up().fails().await;
    up.is(1, "storage").says(shown);
    home.kith(&["status"]).fails().await.is(1, "storage").says(shown);
    home.kith(&["doc", "new", "album"]).fails().await.is(1, "storage").says(shown);
    assert_eq!(kept(&home), before);
}

#[tokio::test]
async fn several_processes_make_it_together() {
    let home = Home::new();
    let id = || home.kith(&["id"]).json();
    let (first, second, third, fourth) = tokio::join!(id(), id(), id(), id());
    for other in [second, third, fourth] {
        assert_eq!(text(&other, "node"), text(&first, "node"));
    }
}
