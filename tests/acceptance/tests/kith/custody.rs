//! What people who are related keep for each other: everything comes back.

use std::fs;

use acceptance::{Home, Running, list, read_tree, text, until, write_tree};
use serde_json::{Value, json};

use crate::sharing::some_files;

/// Ada and her sister, who have met and say that they keep copies for each other.
async fn sisters() -> ([Home; 2], [Running; 2]) {
    let (ada, sister) = (Home::new(), Home::new());
    let running = [ada.up().name("Ada").ready().await, sister.up().name("Bea").ready().await];
    let ticket = ada.ticket(&[]).await;
    sister.pair(&ticket).json().await;
    ada.kith(&["relation", "add", "Bea"]).json().await;
    sister.kith(&["relation", "add", "Ada"]).json().await;
    ([ada, sister], running)
}

/// What a node says of a space, by its id.
async fn status(home: &Home, space: &str) -> Option<Value> {
    let status = home.kith(&["status"]).json().await;
    list(&status, "spaces").iter().find(|it| text(it, "space") == space).cloned()
}

/// Waits until a node has so many entries of a space, and all of its files.
async fn holds(home: &Home, space: &str, entries: &Value) {
    until("it holds all", async || {
        let here = status(home, space).await?;
        (here["entries"] == *entries && here["blobs_missing"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stolen_laptop_takes_nothing_with_it() {
    let ([ada, sister], running) = sisters().await;
    let words = ada.kith(&["phrase", "show"]).json().await;
    let words = text(&words, "phrase").to_owned();
    let space = ada.new_space("album").await;
    let (source, files) = (ada.beside("source"), some_files());
    write_tree(&source, &files);
    let source = source.to_str().expect("plain");
    ada.kith(&["import", source, "--space", "album"]).json().await;
    let doc = ada.new_document("album", &json!({"title": "Summer"})).await;
    ada.kith(&["doc", "set", "album", &doc, "stars", "5"]).json().await;
    let had = status(&ada, &space).await.expect("is hers");
    holds(&sister, &space, &had["entries"]).await;

    // She signs for it, and Ada is told what would be left without her laptop.
    let held = until("all of it is elsewhere", async || {
        let custody = ada.kith(&["custody", "list", "album"]).json().await;
        let held = list(&custody, "spaces")[0].clone();
        (held["only_here"] == 0 && held["places"] == 1).then_some(held)
    })
    .await;
    let hers = list(&held, "holders").iter().find(|it| it["keeper"] == true).expect("she keeps");
    assert_eq!((text(hers, "name"), text(hers, "role")), ("Bea", "custodian"));
    assert_eq!((&hers["signed"]["entries"], &hers["equal"]), (&had["entries"], &json!(true)));

    // She keeps what she cannot read.
    let kept = sister.kith(&["space", "list"]).json().await;
    let kept: Vec<&str> = list(&kept, "spaces").iter().map(|it| text(it, "name")).collect();
    assert!(kept.contains(&"(sealed, of Ada)") && !kept.contains(&"album"), "{kept:?}");
    sister.kith(&["doc", "list", &space]).fails().await.is(3, "not-allowed");
    sister.kith(&["export", &space, "nowhere"]).fails().await.is(3, "not-allowed");

    let [laptop, _rack] = running;
    let stolen = laptop.node().to_owned();
    laptop.kill().await;
    fs::remove_dir_all(ada.data_dir()).expect("it is gone");

    let new = Home::new();
    new.kith(&["phrase", "restore"]).stdin(words).json().await;
    let _new_running = new.up().name("Ada").ready().await;
    let ticket = sister.ticket(&[]).await;
    new.pair(&ticket).json().await;
    holds(&new, &space, &had["entries"]).await;
    assert_eq!(new.value("album", &doc).await, json!({"title": "Summer", "stars": 5}));
    let target = new.beside("target");
    new.kith(&["export", "album", target.to_str().expect("plain")]).json().await;
    let mut found = read_tree(&target);
    found.retain(|path, _| files.contains_key(path));
    assert_eq!(found, files, "bit for bit");
    let spaces = new.kith(&["space", "list"]).json().await;
    let own = list(&spaces, "spaces").iter().filter(|it| it["home"] == true).count();
    assert_eq!((own, list(&spaces, "spaces").len()), (1, 3), "{spaces}");

    // Life goes on, without whoever has the laptop now.
    new.kith(&["device", "revoke", &stolen]).json().await;
    new.kith(&["doc", "set", "album", &doc, "stars", "6"]).json().await;
    let goes_on = status(&new, &space).await.expect("is hers");
    holds(&sister, &space, &goes_on["entries"]).await;
}

#[tokio::test]
async fn nobody_keeps_anything_who_has_only_met() {
    let (ada, ben) = (Home::new(), Home::new());
    let _running = [ada.up().name("Ada").ready().await, ben.up().name("Ben").ready().await];
    let ticket = ada.ticket(&[]).await;
    ben.pair(&ticket).json().await;
    let space = ada.new_space("diary").await;
    ada.new_document("diary", &json!({"title": "Secret"})).await;
    let said = ada.kith(&["relation", "add", "Ben"]).json().await;
    assert_eq!(
        (&said["mine"]["lets_them_keep"], &said["theirs"]["keeps_for_them"]),
        (&json!(true), &json!(false))
    );
    ada.sync().await;
    assert_eq!(status(&ben, &space).await, None);
    // Once he says so, too, he is asked for nothing else.
    ben.kith(&["relation", "add", "Ada"]).json().await;
    let had = status(&ada, &space).await.expect("is hers");
    holds(&ben, &space, &had["entries"]).await;
    let members = ada.kith(&["space", "members", "diary"]).json().await;
    let ben_keeps = list(&members, "members")
        .iter()
        .any(|it| text(it, "name") == "Ben" && it["keeper"] == true);
    assert!(ben_keeps, "{members}");
    let device = text(&ben.kith(&["id"]).json().await, "device").to_owned();
    let why = ada.kith(&["why", &device]).json().await;
    let rules: Vec<&str> = list(&why, "decisions").iter().map(|it| text(it, "rule")).collect();
    assert!(rules.contains(&"keeps-for-founder"), "{why}");

    ben.kith(&["relation", "add", "Ada", "--keep", "false"]).json().await;
    until("he is out", async || status(&ben, &space).await.is_none().then_some(())).await;
}
