//! Search: what is here is found, with and without a running node, after whatever happened.

use std::fs;

use acceptance::{Home, list, text, until};
use serde_json::json;

use crate::log::log;

const CANARY: &str = "wheelbarrowcanary";

/// Titles of what is found, best first.
async fn titles(home: &Home, words: &[&str]) -> Vec<String> {
    let found = home.kith(&[&["search"], words].concat()).json().await;
    assert_eq!(found["complete"], true, "{found}");
    list(&found, "results").iter().map(|result| text(result, "title").to_owned()).collect()
}

async fn note(home: &Home, title: &str, content: &str) -> String {
    home.new_document("garden", &json!({"title": title, "content": content})).await
}

#[tokio::test]
async fn documents_are_found_with_and_without_a_running_node() {
    let home = Home::new();
    home.new_space("garden").await;
    note(&home, "Beds", "Compost goes on the beds in autumn.").await;
    note(&home, "Compost", "Turn it often.").await;
    let asked = ["search", "compost"];
    let alone = home.kith(&asked).json().await;
    let running = home.up().ready().await;
    assert_eq!(home.kith(&asked).json().await, alone);
    assert_eq!(titles(&home, &["compost"]).await, ["Compost", "Beds"]);
    assert_eq!(titles(&home, &["compost", "--limit", "1"]).await, ["Compost"]);
    assert_eq!(titles(&home, &["autumn beds", "--space", "garden"]).await, ["Beds"]);
    assert_eq!(titles(&home, &["compost -autumn"]).await, ["Compost"]);
    assert_eq!(titles(&home, &["nowhereatall"]).await, [] as [String; 0]);
    let doc = note(&home, "Water", "rain").await;
    assert_eq!(titles(&home, &["rain"]).await, ["Water"]);
    home.kith(&["doc", "set", "garden", &doc, "content", "\"well\""]).json().await;
    assert_eq!(titles(&home, &["rain"]).await, [] as [String; 0]);
    assert_eq!(titles(&home, &["well"]).await, ["Water"]);
    home.kith(&["doc", "remove", "garden", &doc]).json().await;
    assert_eq!(titles(&home, &["well"]).await, [] as [String; 0]);
    running.stop().await;
    assert_eq!(home.kith(&asked).json().await, alone);

    home.kith(&["search", "x", "--limit", "101"]).fails().await.is(2, "invalid");
    home.kith(&["search", "x", "--limit", "0"]).fails().await.is(2, "invalid");
    home.kith(&["search", " -x"]).fails().await.is(2, "invalid");
    home.kith(&["search", "x", "--space", "nowhere"]).fails().await.is(4, "not-found");
}

/// A phone keeps little of a space, and finds the rest where it is.
#[tokio::test]
async fn what_is_not_kept_here_is_found_at_connected_people() {
    let (ada, phone) = (Home::new(), Home::new());
    let on_ada = ada.up().name("Ada").ready().await;
    let on_phone = phone.up().name("Ben").ready().await;
    ada.new_space("garden").await;
    ada.new_space("diary").await;
    let ticket = ada.ticket(&["--space", "garden", "--role", "reader"]).await;
    phone.pair(&ticket).json().await;
    phone.sync().await;
    phone.kith(&["space", "keep", "garden", "--doc", "nothing"]).json().await;
    let beds = note(&ada, "Beds", &format!("{CANARY} on the beds")).await;
    ada.new_document("diary", &json!({"title": "Secret", "content": CANARY})).await;
    phone.sync().await;
    assert_eq!(titles(&phone, &[CANARY]).await, [] as [String; 0]);

    let found = phone.kith(&["search", CANARY, "--peers"]).json().await;
    let results = list(&found, "results");
    assert_eq!(results.len(), 1, "{found}");
    assert_eq!((text(&results[0], "id"), text(&results[0], "title")), (beds.as_str(), "Beds"));
    assert_eq!((text(&results[0], "source"), &results[0]["hops"]), ("Ada", &json!(1)));
    assert_eq!(text(&results[0], "peer"), on_ada.node());
    assert!(results[0]["score"].as_f64().is_some_and(|score| (0.0..=0.9).contains(&score)));
    assert_eq!(
        found["peers"][0],
        json!({"peer": on_ada.node(), "name": "Ada", "answered": true,
        "results": 1})
    );
    // Nobody who is asked keeps the words, neither does who asked.
    let asked = log(&phone, &["--event", "forward"]).await;
    assert_eq!((asked.len(), text(&asked[0], "device")), (1, on_ada.node()), "{asked:?}");
    let looked = log(&ada, &["--event", "search"]).await;
    let by = format!("device:{}", on_phone.node());
    assert_eq!((looked.len(), text(&looked[0], "by")), (1, by.as_str()), "{looked:?}");
    for home in [&ada, &phone] {
        let log = fs::read_to_string(home.data_dir().join("audit.jsonl")).expect("is there");
        assert!(!log.contains(CANARY), "{log}");
    }

    on_ada.stop().await;
    let alone = until("the phone is alone", async || {
        let found = phone.kith(&["search", CANARY, "--peers"]).json().await;
        list(&found, "peers").is_empty().then_some(found)
    })
    .await;
    assert!(list(&alone, "results").is_empty(), "{alone}");
}

#[tokio::test]
async fn an_index_survives_power_cuts_and_its_own_loss() {
    let home = Home::new();
    let running = home.up().ready().await;
    home.new_space("garden").await;
    note(&home, "One", CANARY).await;
    assert_eq!(titles(&home, &[CANARY]).await, ["One"]);
    running.stop().await;
    let views = home.data_dir().join("views");
    assert!(views.join("search").is_file());

    let running = home.up().ready().await;
    note(&home, "Two", CANARY).await;
    running.kill().await;
    assert_eq!(titles(&home, &[CANARY]).await.len(), 2);
    let running = home.up().ready().await;
    assert_eq!(titles(&home, &[CANARY]).await.len(), 2);
    running.stop().await;

    for (path, bytes) in acceptance::read_tree(&home.data_dir()) {
        let path = String::from_utf8_lossy(&path);
        let is_readable = bytes.windows(CANARY.len()).any(|it| it == CANARY.as_bytes());
        assert!(!is_readable, "{path} holds readable text");
    }
    fs::remove_dir_all(&views).expect("removes");
    assert_eq!(titles(&home, &[CANARY]).await.len(), 2);
    fs::write(views.join("search"), b"not an index").expect("writes");
    assert_eq!(titles(&home, &[CANARY]).await.len(), 2);
}

#[tokio::test]
async fn what_arrives_from_others_is_found_unless_it_is_sealed() {
    let (ada, ben, cleo) = (Home::new(), Home::new(), Home::new());
    let mut running = Vec::new();
    for (home, name) in [(&ada, "Ada"), (&ben, "Ben"), (&cleo, "Cleo")] {
        running.push(home.up().name(name).ready().await);
    }
    ada.new_space("garden").await;
    note(&ada, "One", "wheelbarrow").await;
    for (home, role) in [(&ben, "reader"), (&cleo, "custodian")] {
        let ticket = ada.ticket(&["--space", "garden", "--role", role]).await;
        home.pair(&ticket).json().await;
        // With Ada: the others may not have found each other yet.
        home.kith(&["sync", running[0].node()]).json().await;
    }
    assert_eq!(titles(&ben, &["wheelbarrow"]).await, ["One"]);
    note(&ada, "Two", "wheelbarrow").await;
    until("what was written arrives and is found", async || {
        (titles(&ben, &["wheelbarrow"]).await.len() == 2).then_some(())
    })
    .await;
    cleo.kith(&["sync", running[0].node()]).json().await;
    assert_eq!(titles(&cleo, &["wheelbarrow"]).await, [] as [String; 0]);
    ben.kith(&["space", "leave", "garden"]).json().await;
    assert_eq!(titles(&ben, &["wheelbarrow"]).await.len(), 2);
    for node in running {
        node.stop().await;
    }
}

#[tokio::test]
async fn people_read_lines_and_programs_read_marks() {
    let home = Home::new();
    home.new_space("garden").await;
    note(&home, "Beds", "Compost goes on the beds.").await;
    let found = home.kith(&["search", "compost"]).json().await;
    let result = &list(&found, "results")[0];
    assert_eq!((text(result, "space_name"), text(result, "source")), ("garden", "local"));
    assert_eq!((&result["marks"], text(result, "type")), (&json!([[0, 7]]), "document"));
    assert!(result["score"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)));
    assert_eq!(found.as_object().map(serde_json::Map::len), Some(3));
    let nothing = home.kith(&["search", "nowhereatall"]).json().await;
    assert_eq!(nothing, json!({"results": [], "complete": true, "peers": []}));
}
