//! Looking back at a document, bringing back what it was, and counting on two devices.

use acceptance::{Home, list, text};
use serde_json::{Value, json};

#[tokio::test]
async fn a_document_is_looked_back_at_and_restored() {
    let home = Home::new();
    home.new_space("album").await;
    let doc = home.new_document("album", &json!({"title": "One", "list": [1]})).await;
    for value in ["\"Two\"", "\"Three\""] {
        home.kith(&["doc", "set", "album", &doc, "title", value]).json().await;
    }
    let history = home.kith(&["doc", "history", "album", &doc]).json().await;
    let changes = list(&history, "history");
    assert_eq!((changes.len(), &history["total"], history.get("next")), (3, &json!(3), None));
    let edit = &list(&changes[0], "edits")[0];
    assert_eq!((text(edit, "op"), text(edit, "path")), ("replace", "/title"));
    assert_eq!((&edit["old"], &edit["new"]), (&json!("Two"), &json!("Three")));
    assert!(!text(&changes[0]["by"], "agent").is_empty());
    let second = text(&changes[1], "change");
    let page = ["doc", "history", "album", &doc, "--limit", "1", "--before", second];
    assert_eq!(list(&home.kith(&page).json().await, "history"), &changes[2..]);

    let first = &text(&changes[2], "change")[..12];
    let past = home.kith(&["doc", "get", "album", &doc, "--at", first]).json().await;
    assert_eq!(past["value"], json!({"title": "One", "list": [1]}));
    let past = home.kith(&["doc", "get", "album", &doc, "title", "--at", second]).json().await;
    assert_eq!(past["value"], "Two");
    let now = home.kith(&["doc", "get", "album", &doc, "--at", "2999-01-01T00:00:00Z"]);
    assert_eq!(now.json().await["value"]["title"], "Three");
    home.kith(&["doc", "restore", "album", &doc, "--at", first]).json().await;
    assert_eq!(home.value("album", &doc).await["title"], "One");
    home.kith(&["doc", "restore", "album", &doc, "--at", text(&changes[0], "change")]).json().await;
    assert_eq!(home.value("album", &doc).await["title"], "Three");

    for command in ["get", "restore"] {
        for (at, exit, code) in [
            ("ffffffffffff", 4, "not-found"),
            ("2001-01-01T00:00:00Z", 4, "not-found"),
            ("yesterday", 2, "invalid"),
            ("fff", 2, "invalid"),
        ] {
            let failed = home.kith(&["doc", command, "album", &doc, "--at", at]).fails().await;
            failed.is(exit, code);
            assert!(failed.fix.contains("kith doc history SPACE DOC"), "{failed:?}");
        }
    }
    home.kith(&["doc", "remove", "album", &doc]).json().await;
    let past = home.kith(&["doc", "get", "album", &doc, "--at", first]).json().await;
    assert_eq!(past["value"]["title"], "One");
    let gone = home.kith(&["doc", "restore", "album", &doc, "--at", first]).fails().await;
    gone.is(4, "not-found");
    assert!(gone.fix.contains("kith doc new SPACE"), "{gone:?}");
}

#[tokio::test]
async fn two_devices_count_apart_and_the_sum_is_shown() {
    let (ada, ben) = (Home::new(), Home::new());
    let of_ada = ada.up().name("Ada").ready().await;
    let of_ben = ben.up().name("Ben").ready().await;
    ada.new_space("class").await;
    let doc = ada.new_document("class", &json!({"title": "Scales", "practised": 4})).await;
    let ticket = ada.ticket(&["--space", "class", "--role", "writer"]).await;
    ben.pair(&ticket).json().await;
    ben.sync().await;
    of_ben.stop().await;
    let add = async |home: &Home, path: &str, by: &str| -> Value {
        home.kith(&["doc", "add", "class", &doc, path, by]).json().await
    };
    add(&ada, "practised", "2").await;
    add(&ada, "/new", "1").await;
    add(&ben, "/practised", "-1").await;
    ben.kith(&["doc", "add", "class", &doc, "new"]).json().await;
    ben.kith(&["doc", "add", "class", &doc, "title"]).fails().await.is(2, "invalid");
    let of_ben = ben.up().ready().await;
    ben.sync_with(of_ada.node()).await;
    for home in [&ada, &ben] {
        let value = home.value("class", &doc).await;
        assert_eq!(value, json!({"title": "Scales", "practised": 5, "new": 2}));
        let conflicts = home.kith(&["conflicts", "list"]).json().await;
        assert_eq!(list(&conflicts, "conflicts"), [] as [Value; 0]);
    }
    of_ben.stop().await;
    of_ada.stop().await;
}
