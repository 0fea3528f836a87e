//! What lies on the disk is on the page that says what it tells.

use std::{collections::BTreeSet, fs};

use acceptance::Home;
use serde_json::json;

#[tokio::test]
async fn every_file_of_the_data_directory_is_on_the_privacy_page() {
    let page = fs::read_to_string("../../docs/privacy.md").expect("the page");
    let home = Home::new();
    let mut found = BTreeSet::new();
    let mut look = || {
        for entry in fs::read_dir(home.data_dir()).expect("a folder") {
            found.insert(entry.expect("an entry").file_name().into_string().expect("a name"));
        }
    };
    let running = home.up().ready().await;
    home.new_space("garden").await;
    home.new_document("garden", &json!({"title": "One"})).await;
    home.kith(&["blob", "put", "garden", "-"]).stdin(vec![7; 200_000]).json().await;
    home.kith(&["search", "one"]).json().await;
    home.kith(&["doorway", "keys", "add", "bot"]).json().await;
    look();
    running.stop().await;
    look();
    for name in ["trust.db", "program-keys.json", "audit.jsonl", "node.sock", "views"] {
        assert!(found.contains(name), "{name}: {found:?}");
    }
    for name in found {
        // What SQLite keeps beside a database.
        let name = name.trim_end_matches("-wal").trim_end_matches("-shm");
        assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/privacy.md");
    }
}
