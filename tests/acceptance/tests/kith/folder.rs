//! Spaces that travel through a folder: homes that met once and are never connected again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use acceptance::{Home, list, number, text};
use serde_json::{Value, json};

/// Thirty-two bytes that nothing else holds.
const CANARY: &str = "canary-5b1e-sings-in-no-folder-!";

/// Ada, who shares an album with a writer and with a blind custodian; all are stopped.
pub(crate) async fn apart() -> (Home, Home, Home) {
    let (ada, ben, mule) = (Home::new(), Home::new(), Home::new());
    let running = [
        ada.up().name("Ada").ready().await,
        ben.up().name("Ben").ready().await,
        mule.up().name("Mule").ready().await,
    ];
    ada.new_space("album").await;
    for (home, role) in [(&ben, "writer"), (&mule, "custodian")] {
        let ticket = ada.ticket(&["--space", "album", "--role", role]).await;
        home.pair(&ticket).json().await;
        // The other guest is known to be a member, and perhaps not found yet.
        home.sync_with(running[0].node()).await;
    }
    for node in running {
        node.stop().await;
    }
    (ada, ben, mule)
}

fn syncing(home: &Home, folder: &Path) -> acceptance::Kith {
    home.kith(&["sync", "--folder", folder.to_str().expect("plain")])
}

async fn sync(home: &Home, folder: &Path) -> Value {
    let report = syncing(home, folder).json().await;
    assert_eq!(list(&report, "refused").len(), 0, "{report}");
    assert_eq!(list(&report, "passed_over").len(), 0, "{report}");
    report
}

pub(crate) fn new_folder(home: &Home, name: &str) -> PathBuf {
    let folder = home.beside(name);
    fs::create_dir(&folder).expect("a folder");
    folder
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("lists") {
        let entry = entry.expect("lists");
        match entry.file_type().expect("is known").is_dir() {
            true => files.extend(all_files(&entry.path())),
            false => files.push(entry.path()),
        }
    }
    files
}

fn assert_blind(folder: &Path, names: &[&str]) {
    let files = all_files(folder);
    assert!(!files.is_empty());
    for file in files {
        let bytes = fs::read(&file).expect("reads");
        for secret in names {
            let holds = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!holds, "{secret} in {}", file.display());
        }
    }
}

#[tokio::test]
async fn two_who_are_never_connected_write_through_a_folder() {
    let (ada, ben, _) = apart().await;
    let folder = new_folder(&ada, "stick");
    let doc = ada.new_document("album", &json!({"title": CANARY})).await;
    let file = ada.beside("film.bin");
    let film: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&file, [CANARY.as_bytes(), &film].concat()).expect("writes");
    let stored = ada.kith(&["blob", "put", "album", file.to_str().expect("plain")]).json().await;
    let out = sync(&ada, &folder).await;
    assert!(number(&out, "pushed") > 1 && number(&out, "pulled") == 0, "{out}");
    assert_blind(&folder, &[CANARY, "film.bin", "album"]);

    let taken = sync(&ben, &folder).await;
    assert!(number(&taken, "pulled") > 1, "{taken}");
    assert_eq!(ben.value("album", &doc).await["title"], CANARY);
    let copy = ben.beside("copy.bin");
    let get = ["blob", "get", "album", text(&stored, "blob"), copy.to_str().expect("plain")];
    assert_eq!(ben.kith(&get).run().await.exit, 0);
    assert!(fs::read(&copy).expect("a file") == fs::read(&file).expect("a file"));

    // With a node that runs, and at the same place at the same time.
    let running = ben.up().ready().await;
    ben.kith(&["doc", "set", "album", &doc, "of_ben", "true"]).json().await;
    ada.kith(&["doc", "set", "album", &doc, "of_ada", "true"]).json().await;
    assert_eq!(number(&sync(&ben, &folder).await, "pushed"), 1);
    running.stop().await;
    let both = sync(&ada, &folder).await;
    assert_eq!((number(&both, "pushed"), number(&both, "pulled")), (1, 1), "{both}");
    assert_eq!(number(&sync(&ben, &folder).await, "pulled"), 1);
    for home in [&ada, &ben] {
        let value = home.value("album", &doc).await;
        assert_eq!((&value["of_ada"], &value["of_ben"]), (&json!(true), &json!(true)));
        let quiet = sync(home, &folder).await;
        assert_eq!((number(&quiet, "pushed"), number(&quiet, "pulled")), (0, 0), "{quiet}");
    }
    assert_blind(&folder, &[CANARY, "film.bin", "album", "of_ada"]);
}

#[tokio::test]
async fn a_blind_custodian_carries_from_one_folder_to_another() {
    let (ada, ben, mule) = apart().await;
    let doc = ada.new_document("album", &json!({"title": CANARY})).await;
    let (here, there) = (new_folder(&ada, "here"), new_folder(&ben, "there"));
    sync(&ada, &here).await;
    let taken = sync(&mule, &here).await;
    assert!(number(&taken, "pulled") > 0, "{taken}");
    assert_eq!(number(&sync(&mule, &there).await, "pushed"), number(&taken, "pulled"));
    assert_blind(&there, &[CANARY, "album"]);
    sync(&ben, &there).await;
    assert_eq!(ben.value("album", &doc).await["title"], CANARY);
    mule.kith(&["doc", "get", "album", &doc]).fails().await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_says_what_to_do() {
    let home = Home::new();
    home.new_space("album").await;
    home.new_document("album", &json!({"title": CANARY})).await;
    let missing = syncing(&home, &home.beside("none")).fails().await;
    missing.is(4, "not-found").says("there is no folder");
    let file = home.beside("file");
    fs::write(&file, "x").expect("writes");
    syncing(&home, &file).fails().await.is(2, "invalid").says("not a folder");
    let other = new_folder(&home, "other");
    fs::create_dir_all(other.join("kith").join("photos")).expect("a folder");
    syncing(&home, &other).fails().await.is(2, "invalid").says("not a folder that kith wrote");
    let folder = new_folder(&home, "stick");
    let path = folder.to_str().expect("plain");
    home.kith(&["sync", "--folder", path, "--space", "nothing"]).fails().await.is(4, "not-found");
    assert_eq!(home.kith(&["sync", "--space", "album"]).run().await.exit, 2);

    // One that is cut off is named, and mended by who has what was in it.
    let first = home.kith(&["sync", "--folder", path, "--space", "album"]).json().await;
    assert!(number(&first, "pushed") > 0, "{first}");
    let entries = all_files(&folder);
    let entries = entries.iter().find(|it| it.extension().is_some_and(|it| it == "entries"));
    let entries = entries.expect("a file of entries");
    let bytes = fs::read(entries).expect("reads");
    fs::write(entries, &bytes[..bytes.len() - 1]).expect("writes");
    let again = syncing(&home, &folder).json().await;
    assert_eq!(number(&again, "pushed"), number(&first, "pushed"), "{again}");
    assert_eq!(list(&again, "passed_over").len(), 1, "{again}");
}
