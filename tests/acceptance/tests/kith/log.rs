//! The audit log: it says who asked for what, and never what they searched for.

use std::{fs, os::unix::fs::PermissionsExt};

use acceptance::{Home, Said, number, text};
use serde_json::{Value, json};

const SECRET: &str = "secretword";

pub(crate) async fn log(home: &Home, options: &[&str]) -> Vec<Value> {
    records(&home.kith(&[&["log"], options].concat()).run().await)
}

fn records(said: &Said) -> Vec<Value> {
    assert_eq!(said.exit, 0, "{said:?}");
    let lines = String::from_utf8_lossy(&said.out);
    lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[tokio::test]
async fn a_search_is_in_the_log_and_its_words_are_not() {
    let home = Home::new();
    home.new_space("garden").await;
    home.new_document("garden", &json!({"title": "One", "content": SECRET})).await;
    home.kith(&["search", SECRET]).json().await;
    let running = home.up().ready().await;
    home.kith(&["search", SECRET, "--space", "garden"]).json().await;

    let searches = log(&home, &["--event", "search"]).await;
    assert_eq!(searches.len(), 2, "with and without a running node: {searches:?}");
    for search in &searches {
        assert_eq!(text(search, "event"), "search");
        assert_eq!((text(search, "by"), text(search, "outcome")), ("local-socket", "allowed"));
        assert_eq!((number(search, "query_characters"), number(search, "results")), (10, 1));
    }
    let all = log(&home, &["--hours", "1"]).await;
    let made = "POST /api/v1/spaces/{space}/docs";
    assert!(all.iter().any(|record| record["what"] == made), "{all:?}");
    running.stop().await;
    assert_eq!(log(&home, &["--hours", "1"]).await, all, "reading is not noted");

    let path = home.data_dir().join("audit.jsonl");
    let whole = fs::read_to_string(&path).expect("is there");
    assert!(!whole.contains(SECRET) && !whole.contains("garden"), "{whole}");
    let mode = fs::metadata(&path).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    home.kith(&["log", "--event", "gossip"]).fails().await.is(2, "invalid");
    home.kith(&["log", "--hours", "0"]).fails().await.is(2, "invalid");
}

#[tokio::test]
async fn who_knocks_without_a_right_is_in_the_log() {
    let home = Home::new();
    let running = home.up().ready().await;
    let stranger = running.browser().with_token("guessedtoken");
    assert_eq!(stranger.get(&format!("/api/v1/search?q={SECRET}")).await.status, 401);
    assert_eq!(stranger.get(&format!("/s/{SECRET}")).await.status, 401);
    let denied = log(&home, &[]).await;
    let [search, page] = &denied[..] else { panic!("{denied:?}") };
    for (record, event) in [(search, "search"), (page, "access")] {
        assert_eq!((text(record, "event"), text(record, "by")), (event, "nobody"));
        assert_eq!((text(record, "outcome"), number(record, "status")), ("denied", 401));
    }
    running.stop().await;
    let whole = fs::read_to_string(home.data_dir().join("audit.jsonl")).expect("is there");
    assert!(!whole.contains(SECRET) && !whole.contains("guessedtoken"), "{whole}");
}

#[tokio::test]
async fn what_was_denied_to_another_node_is_in_the_log() {
    let (ada, ben) = (Home::new(), Home::new());
    let (ada_up, ben_up) = (ada.up().ready().await, ben.up().ready().await);
    let ticket = ada.ticket(&[]).await;
    ben.pair(&ticket).json().await;
    ben.pair(&ticket).fails().await;
    let by = format!("device:{}", ben_up.node());
    let refused = log(&ada, &["--event", "access"]).await;
    let refused: Vec<_> = refused.iter().filter(|record| record["by"] == *by).collect();
    let [refused] = refused[..] else { panic!("{refused:?}") };
    assert_eq!((text(refused, "what"), text(refused, "error")), ("pair", "used-ticket"));
    ada_up.stop().await;
    ben_up.stop().await;
}

#[tokio::test]
async fn a_line_that_was_cut_off_spoils_itself_only() {
    let home = Home::new();
    home.new_space("garden").await;
    let running = home.up().ready().await;
    home.kith(&["search", SECRET]).json().await;
    // Whoever reads the log waits until it is written.
    assert_eq!(log(&home, &[]).await.len(), 2);
    running.kill().await;
    let path = home.data_dir().join("audit.jsonl");
    let whole = fs::read(&path).expect("is there");
    fs::write(&path, &whole[..whole.len() - 5]).expect("writes");
    home.kith(&["search", SECRET]).json().await;
    let said = home.kith(&["log"]).run().await;
    let whats: Vec<_> = records(&said).iter().map(|it| it["what"].clone()).collect();
    assert_eq!(whats, ["POST /api/v1/spaces", "GET /api/v1/search"]);
    assert!(said.err.contains("cannot be read: 1"), "{said:?}");
}
