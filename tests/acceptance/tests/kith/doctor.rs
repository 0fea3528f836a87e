//! What is not in sync has one cause each, and nothing has one once it is mended.

use acceptance::{Home, list, text, until};
use serde_json::{Value, json};

/// The causes about a thing, or about everything.
async fn causes(home: &Home, thing: Option<&str>) -> Vec<Value> {
    let command = [&["doctor"][..], thing.as_slice()].concat();
    let answer = home.kith(&command).json().await;
    assert_eq!(answer.get("complete"), Some(&Value::Bool(true)), "{answer}");
    for cause in list(&answer, "causes") {
        let is_said =
            ["cause", "since", "next", "words"].iter().all(|key| !text(cause, key).is_empty());
        assert!(is_said, "{cause}");
    }
    list(&answer, "causes").to_vec()
}

fn names(causes: &[Value]) -> Vec<&str> {
    causes.iter().map(|cause| text(cause, "cause")).collect()
}

/// Two that share an album as writers; both run.
async fn couple() -> (Home, Home, [acceptance::Running; 2]) {
    let (ada, ben) = (Home::new(), Home::new());
    let running = [ada.up().name("Ada").ready().await, ben.up().name("Ben").ready().await];
    ada.new_space("album").await;
    let ticket = ada.ticket(&["--space", "album", "--role", "writer"]).await;
    ben.pair(&ticket).json().await;
    ben.sync().await;
    (ada, ben, running)
}

async fn until_well(home: &Home) {
    until("nothing to be wrong", async || causes(home, None).await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn an_unreachable_peer_is_named_until_it_is_back() {
    let (ada, ben, [of_ada, of_ben]) = couple().await;
    until_well(&ada).await;
    let node = of_ben.node().to_owned();
    of_ben.stop().await;
    let doc = ada.new_document("album", &json!({"title": "while Ben is away"})).await;
    let found = until("the loss to be noticed", async || {
        let found = causes(&ada, Some("album")).await;
        (!found.is_empty()).then_some(found)
    })
    .await;
    assert_eq!(names(&found), ["no-path"], "{found:?}");
    assert_eq!((text(&found[0], "peer"), text(&found[0], "peer_name")), (node.as_str(), "Ben"));
    assert_eq!(found[0].get("doc"), Some(&Value::Null));
    for thing in [format!("album/{doc}"), doc.clone()] {
        assert_eq!(names(&causes(&ada, Some(&thing)).await), ["no-path"], "{thing}");
    }
    let status = ada.kith(&["status"]).json().await;
    let album = list(&status, "spaces").iter().find(|space| text(space, "name") == "album");
    assert_ne!(text(album.expect("it is listed"), "state"), "synced", "{status}");

    let back = ben.up().ready().await;
    ben.sync().await;
    until_well(&ada).await;
    until_well(&ben).await;
    assert_eq!(ben.value("album", &doc).await["title"], "while Ben is away");
    back.stop().await;
    of_ada.stop().await;
}

#[tokio::test]
async fn a_sync_says_what_it_could_not_do_and_what_mends_it() {
    let (ada, ben, [of_ada, of_ben]) = couple().await;
    let report = ada.kith(&["sync"]).json().await;
    assert_eq!(report.get("warnings"), Some(&json!([])), "{report}");
    let node = of_ben.node().to_owned();
    of_ben.stop().await;
    let said = ada.kith(&["sync"]).run().await;
    assert_eq!(said.exit, 5, "nobody could be reached");
    let report: Value = serde_json::from_slice(&said.out).expect("the report is JSON");
    let warnings = list(&report, "warnings");
    assert_eq!(names(warnings), ["no-path"], "{report}");
    assert_eq!(text(&warnings[0], "peer"), node);
    assert!(text(&warnings[0], "next").contains("kith up"), "{report}");

    let back = ben.up().ready().await;
    ben.sync().await;
    let report = ada.kith(&["sync"]).json().await;
    assert_eq!(report.get("warnings"), Some(&json!([])), "{report}");
    back.stop().await;
    of_ada.stop().await;
}

#[tokio::test]
async fn who_was_removed_is_told_so() {
    let (ada, ben, [of_ada, of_ben]) = couple().await;
    ada.kith(&["space", "revoke", "album", "Ben"]).json().await;
    let found = until("Ben to hear of it", async || {
        let found = causes(&ben, Some("album")).await;
        (names(&found) == ["revoked"]).then_some(found)
    })
    .await;
    assert!(text(&found[0], "next").contains("kith space grant"), "{found:?}");
    assert_eq!(causes(&ada, Some("album")).await.len(), 0, "nobody shares it any more");
    ada.kith(&["space", "grant", "album", "Ben", "writer"]).json().await;
    until_well(&ada).await;
    until_well(&ben).await;
    of_ada.stop().await;
    of_ben.stop().await;
}

#[tokio::test]
async fn a_file_that_nobody_has_is_missing_until_it_is_here() {
    let (ada, ben, [of_ada, of_ben]) = couple().await;
    let absent = "a".repeat(52);
    let doc = ada.new_document("album", &json!({"blob": absent})).await;
    ben.kith(&["sync"]).json().await;
    for home in [&ada, &ben] {
        let found = until("the file to be missed", async || {
            let found = causes(home, None).await;
            (names(&found) == ["missing-files"]).then_some(found)
        })
        .await;
        assert_eq!(found[0].get("peer"), Some(&Value::Null), "{found:?}");
    }
    let report = ada.kith(&["sync"]).json().await;
    assert_eq!(names(list(&report, "warnings")), ["missing-files"], "{report}");
    assert_eq!(report.get("warnings_complete"), Some(&Value::Bool(true)), "{report}");
    let unknown = ada.kith(&["doctor", "nothing-of-this-name"]).fails().await;
    unknown.is(4, "not-found").says("no space or document");
    assert_eq!(causes(&ada, Some(&doc)).await.len(), 1);
    of_ada.stop().await;
    of_ben.stop().await;
}

/// Whatever is the matter while things are on their way is one of the two things that go
/// on by themselves.
#[tokio::test]
async fn what_is_written_in_a_hurry_ends_without_a_cause() {
    let (ada, ben, [of_ada, of_ben]) = couple().await;
    for number in 0..20 {
        ada.new_document("album", &json!({"number": number})).await;
        for home in [&ada, &ben] {
            for cause in causes(home, Some("album")).await {
                let word = text(&cause, "cause").to_owned();
                assert!(["peer-behind", "transferring"].contains(&word.as_str()), "{cause}");
            }
        }
    }
    until_well(&ada).await;
    until_well(&ben).await;
    assert_eq!(ada.documents("album").await, ben.documents("album").await);
    of_ada.stop().await;
    of_ben.stop().await;
}
