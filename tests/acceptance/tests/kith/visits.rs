//! Nodes that reach each other's doorway, and nothing else of each other.

use std::{fs, path::Path};

use acceptance::{Home, Running, list, number, read_tree, text, until, write_tree};
use serde_json::{Value, json};

use crate::{devices::laptop_and_phone, sharing::some_files};

/// Thirty-two bytes that nothing else holds.
const CANARY: &str = "canary-8c2f-knocks-at-no-doorway";

fn url(running: &Running) -> String {
    text(&running.ready, "doorway").to_owned()
}

async fn sync(home: &Home, url: &str, with: &str) -> Value {
    let report = home.kith(&["sync", "--doorway", url]).json().await;
    assert_eq!(
        list(&report, "peers"),
        [json!({"peer": with, "progress": null, "state": "synced"})],
        "{report}"
    );
    report
}

fn holds(folder: &Path, secret: &str) -> bool {
    fs::read_dir(folder).expect("lists").any(|entry| {
        let entry = entry.expect("lists");
        if entry.file_type().expect("is known").is_dir() {
            return holds(&entry.path(), secret);
        }
        let bytes = fs::read(entry.path()).unwrap_or_default();
        bytes.windows(secret.len()).any(|part| part == secret.as_bytes())
    })
}

/// Ada and her guests, who met once; all have stopped since.
async fn met(roles: &[&str]) -> (Home, Vec<Home>) {
    let ada = Home::new();
    let on_ada = ada.up().name("Ada").ready().await;
    ada.new_space("album").await;
    let mut guests = Vec::new();
    let mut running = Vec::new();
    for role in roles {
        let guest = Home::new();
        running.push(guest.up().name(role).ready().await);
        let ticket = ada.ticket(&["--space", "album", "--role", role]).await;
        guest.pair(&ticket).json().await;
        guest.sync_with(on_ada.node()).await;
        guests.push(guest);
    }
    for node in running.into_iter().chain([on_ada]) {
        node.stop().await;
    }
    (ada, guests)
}

#[tokio::test]
async fn two_nodes_become_equal_by_http_alone_in_both_directions() {
    let (ada, guests) = met(&["writer"]).await;
    let ben = &guests[0];
    let doc = ada.new_document("album", &json!({"title": CANARY})).await;
    let of_ben = ben.new_document("album", &json!({"title": "of Ben"})).await;
    let (source, files) = (ada.beside("source"), some_files());
    write_tree(&source, &files);
    ada.kith(&["import", source.to_str().expect("plain"), "--space", "album"]).json().await;
    let photo = ben.beside("photo.jpg");
    fs::write(&photo, vec![7; 3_000_000]).expect("writes");
    let photo = ben.kith(&["blob", "put", "album", photo.to_str().expect("plain")]).json().await;
    let on_ada = ada.up().ready().await;
    // Without a node that runs: nothing but this command speaks to anybody.
    let url = url(&on_ada);
    let report = sync(ben, &url, on_ada.node()).await;
    assert!(number(&report, "pushed") >= 1 && number(&report, "pulled") >= 1, "{report}");
    assert_eq!(ben.value("album", &doc).await["title"], CANARY);
    assert_eq!(ada.value("album", &of_ben).await["title"], "of Ben");
    let target = ben.beside("target");
    ben.kith(&["export", "album", target.to_str().expect("plain")]).json().await;
    let mut found = read_tree(&target);
    found.retain(|path, _| files.contains_key(path));
    assert_eq!(found, files, "bit for bit");
    let got = ada.kith(&["blob", "get", "album", text(&photo, "blob")]).run().await;
    assert_eq!((got.exit, got.out.len()), (0, 3_000_000));
    let quiet = sync(ben, &url, on_ada.node()).await;
    assert_eq!((number(&quiet, "pushed"), number(&quiet, "pulled")), (0, 0), "{quiet}");

    // A token of a peer opens nothing else.
    let token = text(&ben.kith(&["token", &url]).json().await, "token").to_owned();
    let by_ben = on_ada.browser().with_token(&token);
    assert_eq!(by_ben.get("/api/v1/status").await.status, 401);

    let elsewhere = ["sync", of_ben.as_str(), "--doorway", &url];
    ben.kith(&elsewhere).fails().await.is(4, "not-found").says(on_ada.node());
    let stranger = Home::new();
    stranger.kith(&["sync", "--doorway", &url]).fails().await.is(3, "not-allowed");
    let https = url.replace("http:", "https:");
    ben.kith(&["sync", "--doorway", &https]).fails().await.is(2, "invalid").says("no TLS");
    on_ada.stop().await;
    ben.kith(&["sync", "--doorway", &url]).fails().await.is(5, "unreachable");
}

#[tokio::test]
async fn a_blind_custodian_carries_from_its_doorway_to_a_connection() {
    let (ada, guests) = met(&["custodian", "writer"]).await;
    let [mule, ben] = &guests[..] else { panic!("there are two") };
    let doc = ada.new_document("album", &json!({"title": CANARY})).await;
    let on_mule = mule.up().ready().await;
    // First by HTTP, then by a connection.
    sync(&ada, &url(&on_mule), on_mule.node()).await;
    let on_ben = ben.up().ready().await;
    let addresses = on_mule.listen().to_owned();
    ben.kith(&["peer", "add", on_mule.node(), &addresses]).json().await;
    until("Ben has what Ada wrote", async || {
        ben.sync_with(on_mule.node()).await;
        let documents = ben.documents("album").await;
        documents.contains(&doc).then_some(())
    })
    .await;
    assert_eq!(ben.value("album", &doc).await["title"], CANARY);
    mule.kith(&["doc", "get", "album", &doc]).fails().await;
    for node in [on_ben, on_mule] {
        node.stop().await;
    }
    assert!(!holds(&mule.data_dir(), CANARY));
}

#[tokio::test]
async fn a_device_that_is_taken_back_is_out() {
    let ([laptop, phone], [on_laptop, on_phone], _) = laptop_and_phone().await;
    let (url, lost) = (url(&on_laptop), on_phone.node().to_owned());
    // With a node of its own that runs and is connected, too.
    sync(&phone, &url, on_laptop.node()).await;
    phone.sync_with(on_laptop.node()).await;
    on_phone.stop().await;
    laptop.kith(&["device", "revoke", &lost]).json().await;
    let out = phone.kith(&["sync", "--doorway", &url]).fails().await;
    out.is(3, "not-allowed").says("does not let");
}
