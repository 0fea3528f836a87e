//! A disk that is full.

use std::fs;

use acceptance::{Home, Inside, in_own_mounts, mount, number, skip, text};
use serde_json::json;

/// Small enough to fill in a second.
const DISK_MIB: usize = 64;

/// What is left of it for an import.
const IMPORT_MIB: usize = 20;

/// Files of 1 MiB in the import.
const FILES: u8 = 30;

#[tokio::test]
async fn a_full_disk_takes_nothing_back() {
    if in_own_mounts("disk::a_full_disk_takes_nothing_back") == Inside::No {
        return;
    }
    let home = Home::new();
    fs::create_dir(home.data_dir()).expect("a folder can be made");
    let size = format!("size={DISK_MIB}m,mode=700");
    if !mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], &home.data_dir()) {
        return skip("this machine allows no tmpfs in a namespace");
    }
    let running = home.up().ready().await;
    // Hashing and sealing take their time; what is imported need not be the whole disk.
    let ballast = home.data_dir().join("ballast");
    fs::write(&ballast, vec![0; (DISK_MIB - IMPORT_MIB) << 20]).expect("there is room");
    home.new_space("album").await;
    let before = home.new_document("album", &json!({"title": "Before"})).await;
    let kept = home.kith(&["blob", "put", "album", "-"]).stdin(vec![7; 1 << 20]).json().await;

    let source = home.beside("source");
    fs::create_dir(&source).expect("a folder can be made");
    for index in 0..FILES {
        let mut bytes = vec![index; 1 << 20];
        bytes[0] = 0xff;
        fs::write(source.join(format!("{index:02}.bin")), bytes).expect("writes");
    }
    let import = ["import", source.to_str().expect("plain"), "--space", "album"];
    let full = home.kith(&import).fails().await;
    full.is(1, "disk-full");
    assert!(full.fix.contains("free some space"), "{full:?}");

    // It still answers, and has what it acknowledged.
    assert_eq!(home.value("album", &before).await, json!({"title": "Before"}));
    let got = home.kith(&["blob", "get", "album", text(&kept, "blob")]).run().await;
    assert!(got.exit == 0 && got.out == vec![7; 1 << 20], "exit {}: {}", got.exit, got.err);
    fill(&home);
    let full = home.kith(&["doc", "new", "album", "--from", "-"]);
    let full = full.stdin(json!({"text": "x".repeat(100_000)}).to_string()).fails().await;
    full.is(1, "disk-full");
    let full = home.kith(&["blob", "put", "album", "-"]).stdin(vec![9; 1 << 20]).fails().await;
    full.is(1, "disk-full");
    let documents = home.documents("album").await;

    fs::remove_file(ballast).expect("it is ours");
    fs::remove_file(home.data_dir().join("filler")).expect("it is ours");
    home.new_document("album", &json!({"title": "There is space again"})).await;
    home.kith(&["blob", "put", "album", "-"]).stdin(vec![8; 1 << 10]).json().await;
    let documents_now = home.documents("album").await;
    assert_eq!(documents_now.len(), documents.len() + 1);
    let imported = home.kith(&import).json().await;
    assert_eq!(number(&imported, "blobs"), u64::from(FILES), "{imported}");
    for index in [0, FILES - 1] {
        let got = home.value("album", &format!("{index:02}.bin")).await;
        let got = home.kith(&["blob", "get", "album", text(&got, "blob")]).run().await;
        assert!(got.exit == 0 && got.out.len() == 1 << 20 && got.out[1] == index);
    }
    let documents_now = home.documents("album").await;
    running.stop().await;
    let running = home.up().ready().await;
    assert_eq!(home.documents("album").await, documents_now);
    running.stop().await;
}

#[tokio::test]
async fn a_node_on_a_full_disk_starts_or_says_why_not() {
    if in_own_mounts("disk::a_node_on_a_full_disk_starts_or_says_why_not") == Inside::No {
        return;
    }
    let home = Home::new();
    fs::create_dir(home.data_dir()).expect("a folder can be made");
    if !mount(&["-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs"], &home.data_dir()) {
        return skip("this machine allows no tmpfs in a namespace");
    }
    fill(&home);
    home.up().fails().await.is(1, "disk-full");
    let filler = home.data_dir().join("filler");
    fs::remove_file(&filler).expect("it is ours");
    home.new_space("album").await;
    let doc = home.new_document("album", &json!({"title": "Before"})).await;
    fill(&home);
    let read = home.kith(&["doc", "get", "album", &doc]).run().await;
    if read.exit != 0 {
        read.failure().is(1, "disk-full");
    }
    fs::remove_file(&filler).expect("it is ours");
    assert_eq!(home.value("album", &doc).await, json!({"title": "Before"}));
}

/// Takes what is left of the disk.
fn fill(home: &Home) {
    use std::io::Write;
    let mut filler = fs::File::create(home.data_dir().join("filler")).expect("an empty file");
    for size in [1 << 20, 4_096, 1] {
        while filler.write_all(&vec![0; size]).is_ok() {}
    }
}
