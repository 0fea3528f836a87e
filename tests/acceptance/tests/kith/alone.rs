//! Commands on a directory on which no node runs, and the same ones through a node.

use std::{fs, os::unix::fs::PermissionsExt};

use acceptance::{Home, Kith, PASSPHRASE, list, text};
use serde_json::{Value, json};

#[tokio::test]
async fn a_node_is_made_and_used_by_one_shot_commands() {
    let home = Home::new();
    let id = home.kith(&["id"]).json().await;
    for key in ["node", "agent", "device"] {
        assert!(!text(&id, key).is_empty());
    }
    assert_eq!(list(&id, "listen"), [] as [Value; 0]);
    let made = home.kith(&["space", "new", "album"]).json().await;
    assert_eq!((text(&made, "name"), text(&made, "reach")), ("album", "private"));
    let doc = home.new_document("album", &json!({"title": "One", "list": [1]})).await;
    let set = home.kith(&["doc", "set", "album", &doc, "/list/0", "{\"a\": null}"]).json().await;
    assert_eq!((text(&set, "doc"), text(&set, "durability")), (doc.as_str(), "local"));
    assert!(!list(&set, "heads").is_empty());
    let got = home.kith(&["doc", "get", "album", &doc, "/list/0"]).json().await;
    assert_eq!(got["value"], json!({"a": null}));
    let history = home.kith(&["doc", "history", "album", &doc]).json().await;
    assert_eq!(list(&history, "history").len(), 2);
    home.kith(&["doc", "remove", "album", &doc]).json().await;
    assert_eq!(home.documents("album").await, [] as [String; 0]);
    home.kith(&["doc", "get", "album", &doc]).fails().await.is(4, "not-found");
}

#[tokio::test]
async fn documents_are_listed_and_counted_by_what_they_say() {
    let home = Home::new();
    home.new_space("walks").await;
    for value in [json!({"title": "To Rome", "km": 12}), json!({"title": "Near", "km": 3})] {
        home.new_document("walks", &value).await;
    }
    let of = ["doc", "list", "walks", "--where", "km>5", "--where", "title~rome"];
    let listed = home.kith(&of).json().await;
    let titles: Vec<_> = list(&listed, "docs").iter().map(|it| text(it, "title")).collect();
    assert_eq!(titles, ["To Rome"]);
    let counted = home.kith(&["doc", "count", "walks", "--by", "title", "--of", "km"]).json().await;
    assert_eq!((&counted["documents"], &counted["sum"]), (&json!(2), &json!(15.0)));
    assert_eq!(counted["groups"][0]["value"], "Near");
    home.kith(&["doc", "list", "walks", "--where", "km"]).fails().await.is(2, "invalid");
}

#[tokio::test]
async fn the_answers_are_the_same_with_and_without_a_running_node() {
    let home = Home::new();
    let space = home.new_space("album").await;
    let doc = home.new_document("album", &json!({"title": "One", "n": 1.5, "t": "ü"})).await;
    home.kith(&["blob", "put", "album", "-"]).stdin(&b"bytes"[..]).json().await;
    let questions: &[&[&str]] = &[
        &["space", "list"],
        &["space", "members", "album"],
        &["doc", "list", &space],
        &["doc", "list", &space, "--where", "n>1"],
        &["doc", "count", &space, "--by", "t", "--of", "n"],
        &["doc", "get", "album", &doc],
        &["doc", "get", "album", &doc, "title"],
        &["doc", "history", "album", &doc],
        &["blob", "list", "album"],
        &["peer", "list"],
        &["id"],
        &["status"],
    ];
    let before = ask(&home, questions).await;
    let running = home.up().ready().await;
    let during = ask(&home, questions).await;
    running.stop().await;
    assert_eq!(before, during);
    assert_eq!(before, ask(&home, questions).await);
    let unknown = ["doc", "get", "album", "nothing"];
    let alone = home.kith(&unknown).fails().await;
    let running = home.up().ready().await;
    assert_eq!(alone, home.kith(&unknown).fails().await);
    running.stop().await;
}

/// All answers, without where the node listens: that differs.
async fn ask(home: &Home, questions: &[&[&str]]) -> Vec<Value> {
    let mut answers = Vec::new();
    for question in questions {
        let mut answer = home.kith(question).json().await;
        answer.as_object_mut().expect("an object").remove("listen");
        answers.push(answer);
    }
    answers
}

#[tokio::test]
async fn commands_at_the_same_time_wait_for_each_other() {
    let home = Home::new();
    home.new_space("album").await;
    let documents = (0..6).map(|at| {
        let new = home.kith(&["doc", "new", "album", "--from", "-"]);
        tokio::spawn(new.stdin(json!({"at": at}).to_string()).json())
    });
    let mut made = Vec::new();
    for task in documents.collect::<Vec<_>>() {
        made.push(text(&task.await.expect("no panic"), "doc").to_owned());
    }
    made.sort();
    assert_eq!(home.documents("album").await, made);
}

#[tokio::test]
async fn only_the_owner_reads_keys_token_and_socket() {
    let home = Home::new();
    let running = home.up().ready().await;
    let mode = |name: &str| {
        let metadata = fs::metadata(home.data_dir().join(name)).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(""), 0o700);
    for name in ["identity/keys.json", "local-token", "node.sock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    running.stop().await;
}

#[tokio::test]
async fn nothing_that_was_written_is_readable_on_the_disk() {
    let home = Home::new();
    let canary = "the canary sings at dawn";
    home.new_space(&format!("space {canary}")).await;
    let space = format!("space {canary}");
    home.new_document(&space, &json!({"title": canary, canary: 1})).await;
    home.kith(&["blob", "put", &space, "-"]).stdin(canary.repeat(1_000)).json().await;
    for (path, bytes) in acceptance::read_tree(&home.data_dir()) {
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        let path = String::from_utf8_lossy(&path);
        assert!(!holds(canary), "{path} holds readable text");
        assert!(!holds(PASSPHRASE), "{path} holds the passphrase");
    }
}

#[tokio::test]
async fn keys_open_with_their_passphrase_only() {
    let home = Home::new();
    let id = home.kith(&["id"]).json().await;
    let wrong = home.kith(&["id"]).env("KITH_PASSPHRASE", "wrong").fails().await;
    wrong.is(3, "not-allowed").says("passphrase");
    let none = home.kith(&["id"]).without("KITH_PASSPHRASE").fails().await;
    none.is(2, "invalid");
    assert!(none.fix.contains("KITH_PASSPHRASE_FILE"), "{none:?}");
    let file = home.beside("passphrase");
    fs::write(&file, format!("{PASSPHRASE}\n")).expect("writes");
    let by_file = home
        .kith(&["id"])
        .without("KITH_PASSPHRASE")
        .env("KITH_PASSPHRASE_FILE", file.to_str().expect("plain"));
    assert_eq!(by_file.json().await, id);
}

#[tokio::test]
async fn the_data_directory_may_come_from_the_environment() {
    let home = Home::new();
    let id = home.kith(&["id"]).json().await;
    let data_dir = home.data_dir();
    let by_variable =
        Kith::new(&["id", "--json"]).env("KITH_DATA_DIR", data_dir.to_str().expect("plain"));
    assert_eq!(by_variable.json().await, id);
}
