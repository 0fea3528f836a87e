//! What devices are and where they stand, as their owners say it.

use acceptance::{Home, Kith, list, text, until};
use serde_json::{Value, json};

/// What is printed for people.
async fn printed(home: &Home, command: &[&str]) -> String {
    let dir = home.data_dir();
    let dir = dir.to_str().expect("a plain path");
    let said = Kith::new(&[command, &["--data-dir", dir]].concat()).run().await;
    assert_eq!(said.exit, 0, "{said:?}");
    String::from_utf8(said.out).expect("text")
}

fn only<'a>(answer: &'a Value, key: &str) -> &'a Value {
    let [one] = list(answer, key) else { panic!("not one of {key}: {answer}") };
    one
}

#[tokio::test]
async fn two_homes_learn_that_they_stand_in_one_house() {
    let (ada, ben) = (Home::new(), Home::new());
    let on_ada = ada.up().name("Ada").ready().await;
    let on_ben = ben.up().name("Ben").ready().await;
    ben.pair(&ada.ticket(&[]).await).json().await;
    let none = ada.kith(&["peer", "clusters"]).json().await;
    assert_eq!(none, json!({"clusters": []}), "nobody guesses");

    let rack = ["device", "describe", "--class", "home-rack", "--site", "Elm street 7"];
    let said = ada.kith(&[&rack[..], &["--region", "valley"]].concat()).json().await;
    assert_eq!((text(&said, "class"), text(&said, "region")), ("home-rack", "valley"));
    let laptop = ["device", "describe", on_ben.node(), "--class", "laptop"];
    ben.kith(&[&laptop[..], &["--site", "elm STREET 7"]].concat()).json().await;

    for (home, other) in [(&ada, &on_ben), (&ben, &on_ada)] {
        let clusters = until("both stand in one place", async || {
            let clusters = home.kith(&["peer", "clusters"]).json().await;
            let places = list(&clusters, "clusters");
            let is_whole = places.len() == 1 && list(&places[0], "devices").len() == 2;
            is_whole.then_some(clusters)
        })
        .await;
        let place = only(&clusters, "clusters");
        assert_eq!((text(place, "nearness"), text(place, "region")), ("same-site", "valley"));
        assert!(list(place, "devices").iter().any(|it| text(it, "device") == other.node()));
    }
    let peers = ben.kith(&["peer", "list"]).json().await;
    let peer = only(&peers, "peers");
    assert_eq!((text(peer, "class"), text(peer, "site")), ("home-rack", "Elm street 7"));
    let relations = ada.kith(&["relation", "list"]).json().await;
    let described = only(only(&relations, "relations"), "described");
    assert_eq!((text(described, "device"), text(described, "class")), (on_ben.node(), "laptop"));
    for (command, word) in [
        (["device", "list"], "Elm street 7, valley"),
        (["peer", "list"], "elm STREET 7"),
        (["relation", "list"], "elm STREET 7"),
        (["peer", "clusters"], "same-site"),
    ] {
        let shown = printed(&ada, &command).await;
        assert!(shown.contains(word), "{command:?}: {shown}");
    }

    ben.kith(&["device", "describe", "--site", ""]).json().await;
    until("Ben has moved out", async || {
        let clusters = ada.kith(&["peer", "clusters"]).json().await;
        (list(only(&clusters, "clusters"), "devices").len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_no_description_is_refused_and_says_what_would_be_one() {
    let home = Home::new();
    let describe = |what: &[&str]| home.kith(&[&["device", "describe"], what].concat());
    describe(&["--class", "toaster"]).fails().await.is(2, "invalid").says("home-rack");
    describe(&["--site", "a\u{202e}b"]).fails().await.is(2, "invalid").says("printable");
    describe(&["--region", &"x".repeat(65)]).fails().await.is(2, "invalid").says("64");
    let unknown = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";
    describe(&[unknown, "--class", "laptop"]).fails().await.is(4, "not-found");
    assert_eq!(describe(&[]).run().await.exit, 2);
    let devices = home.kith(&["device", "list"]).json().await;
    let device = only(&devices, "devices");
    assert_eq!((&device["class"], &device["site"]), (&Value::Null, &Value::Null));
}
