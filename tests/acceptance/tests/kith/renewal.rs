//! A device that takes new keys: another node, with all that it had, and its people go on.

use std::fs;

use acceptance::{Home, list, text, until};
use serde_json::{Value, json};

async fn has(home: &Home, doc: &str, key: &str) {
    until(key, async || {
        let got = home.kith(&["doc", "get", "album", doc]).run().await;
        String::from_utf8_lossy(&got.out).contains(&format!("\"{key}\"")).then_some(())
    })
    .await;
}

async fn states(home: &Home) -> Vec<(String, bool, bool)> {
    let devices = home.kith(&["device", "list"]).json().await;
    let is = |device: &Value, key: &str| device[key] == Value::Bool(true);
    let row = |it: &Value| (text(it, "device").to_owned(), is(it, "this"), is(it, "revoked"));
    list(&devices, "devices").iter().map(row).collect()
}

#[tokio::test]
async fn a_device_with_new_keys_goes_on_with_its_people() {
    let (ada, ben) = (Home::new(), Home::new());
    let of_ada = ada.up().name("Ada").ready().await;
    let of_ben = ben.up().name("Ben").ready().await;
    let old = of_ada.node().to_owned();
    ada.new_space("album").await;
    let doc = ada.new_document("album", &json!({"title": "Summer"})).await;
    let ticket = ada.ticket(&["--space", "album", "--role", "writer"]).await;
    ben.pair(&ticket).json().await;
    has(&ben, &doc, "title").await;
    ada.kith(&["device", "renew"]).fails().await.says("a node runs");
    of_ada.stop().await;
    ben.kith(&["doc", "set", "album", &doc, "meanwhile", "1"]).json().await;

    let renewed = ada.kith(&["device", "renew"]).json().await;
    assert_eq!(renewed["previous"], old.as_str());
    let new = text(&renewed, "node").to_owned();
    let mut found = states(&ada).await;
    found.sort();
    let mut expected = vec![(new.clone(), true, false), (old.clone(), false, true)];
    expected.sort();
    assert_eq!(found, expected);
    ada.kith(&["doc", "set", "album", &doc, "renewed", "2"]).json().await;

    // Ben has never heard of the new keys.
    let of_ada = ada.up().ready().await;
    assert_eq!(of_ada.node(), new);
    has(&ben, &doc, "renewed").await;
    has(&ada, &doc, "meanwhile").await;
    ben.kith(&["doc", "set", "album", &doc, "later", "3"]).json().await;
    has(&ada, &doc, "later").await;
    let why = ben.kith(&["why", &old]).json().await;
    let rules: Vec<&str> = list(&why, "decisions").iter().map(|it| text(it, "rule")).collect();
    assert!(rules.contains(&"revoked-device"), "{why}");
    of_ada.stop().await;
    of_ben.stop().await;
}

/// Whenever it is killed, the directory opens, and a renewal that is run again ends.
#[tokio::test]
async fn a_renewal_that_is_killed_leaves_the_old_or_the_new_device() {
    let home = Home::new();
    home.new_space("album").await;
    let doc = home.new_document("album", &json!({"title": "Summer"})).await;
    let (keys, log) =
        (home.data_dir().join("identity/keys.json"), home.data_dir().join("trust.db-wal"));
    for round in 0..6_u64 {
        let before = fs::read(&keys).expect("is there");
        let mut renewal = home.kith(&["device", "renew"]).begin();
        // Once the new keys are drawn, or while the statements go over.
        let is_begun = || match round % 2 {
            0 => fs::read(&keys).is_ok_and(|now| now != before),
            _ => fs::metadata(&log).is_ok_and(|log| log.len() > 0),
        };
        while !is_begun() && renewal.try_wait().is_ok_and(|ended| ended.is_none()) {
            tokio::task::yield_now().await;
        }
        // It may have come to its end by now.
        let _ = renewal.kill().await;
        let value = json!(round).to_string();
        home.kith(&["doc", "set", "album", &doc, "round", &value]).json().await;
        let this = states(&home).await.into_iter().filter(|(_, this, _)| *this).count();
        assert_eq!(this, 1);
        home.kith(&["device", "renew"]).json().await;
        assert_eq!(home.value("album", &doc).await["round"], round);
        let good = states(&home).await.into_iter().filter(|(.., revoked)| !revoked).count();
        assert_eq!(good, 1, "all that were before are taken back");
    }
}
