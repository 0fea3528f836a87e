//! Circles, and what people are to each other.

use acceptance::{Home, list, text, until};
use serde_json::json;

#[tokio::test]
async fn a_circle_opens_a_space_to_whoever_is_in_it() {
    let (ada, ben, cy) = (Home::new(), Home::new(), Home::new());
    let mut running = vec![];
    for (home, name) in [(&ada, "Ada"), (&ben, "Ben"), (&cy, "Cy")] {
        running.push(home.up().name(name).ready().await);
    }
    for guest in [&ben, &cy] {
        guest.pair(&ada.ticket(&[]).await).json().await;
    }
    let does = |command: &[&str]| ada.kith(command);
    let made = does(&["circle", "new", "family"]).json().await;
    does(&["circle", "add", "family", "Ben"]).json().await;
    ada.new_space("album").await;
    let photo = ada.new_document("album", &json!({"title": "Lake"})).await;
    does(&["space", "grant", "album", "family", "writer"]).fails().await.is(2, "invalid");
    does(&["space", "grant", "album", "family", "reader"]).json().await;
    let reads = async |home: &Home, key: &str| {
        let got = home.kith(&["doc", "get", "album", &photo]).run().await;
        String::from_utf8_lossy(&got.out).contains(&format!("\"{key}\"")).then_some(())
    };
    until("Ben reads the album", || reads(&ben, "title")).await;
    assert_eq!(reads(&cy, "title").await, None);

    // Whoever comes later sees as much, and everybody in it sees who that is.
    does(&["circle", "add", "family", "Cy"]).json().await;
    until("Cy reads the album", || reads(&cy, "title")).await;
    let circles = cy.kith(&["circle", "list"]).json().await;
    let [family] = list(&circles, "circles") else { panic!("{circles}") };
    assert_eq!(text(family, "circle"), text(&made, "circle"));
    let mut names: Vec<_> = list(family, "members").iter().map(|it| text(it, "name")).collect();
    names.sort_unstable();
    assert_eq!(names, ["Ada", "Ben", "Cy"]);
    assert_eq!(text(&list(family, "spaces")[0], "name"), "album");
    let spaces = ada.kith(&["space", "list"]).json().await;
    assert!(list(&spaces, "spaces").iter().all(|it| text(it, "name") != "family"), "{spaces}");

    does(&["circle", "remove", "family", "Ben"]).json().await;
    does(&["doc", "set", "album", &photo, "secret", "1"]).json().await;
    until("Cy reads on", || reads(&cy, "secret")).await;
    until("Ben hears of it", async || {
        let spaces = ben.kith(&["space", "list"]).json().await;
        let album = list(&spaces, "spaces").iter().find(|it| text(it, "name") == "album").cloned();
        album.is_some_and(|album| album["role"].is_null()).then_some(())
    })
    .await;
    assert_eq!(reads(&ben, "secret").await, None);
    assert_eq!(list(&ben.kith(&["circle", "list"]).json().await, "circles").len(), 0);
    ben.kith(&["circle", "add", "family", "Ben"]).fails().await.is(4, "not-found");
    cy.kith(&["circle", "add", "family", "Cy"]).json().await;
    cy.kith(&["circle", "remove", "family", "Ada"]).fails().await.is(3, "not-allowed");

    // A space is no circle, and a person is not taken for one.
    does(&["circle", "add", "album", "Ben"]).fails().await.is(4, "not-found");
    does(&["circle", "new", "Cy"]).json().await;
    let either = does(&["space", "grant", "album", "Cy", "reader"]).fails().await;
    either.is(2, "invalid").says("both a person and");
    for node in running {
        node.stop().await;
    }
}

#[tokio::test]
async fn each_side_says_what_the_other_is_to_it() {
    let (ada, ben) = (Home::new(), Home::new());
    let (ada_runs, ben_runs) =
        (ada.up().name("Ada").ready().await, ben.up().name("Ben").ready().await);
    ben.pair(&ada.ticket(&[]).await).json().await;
    let add = |more: &[&str]| ada.kith(&[&["relation", "add", "Ben"][..], more].concat());
    let said = add(&["--kind", " little brother "]).json().await;
    assert_eq!(said["mine"]["kind"], "little brother");
    let theirs = until("Ben to hear of it", async || {
        let relations = ben.kith(&["relation", "list"]).json().await;
        list(&relations, "relations").first()?["theirs"]["kind"].as_str().map(ToOwned::to_owned)
    })
    .await;
    assert_eq!(theirs, "little brother");
    let said = add(&["--layer", "sovereign"]).json().await;
    assert_eq!(said["mine"]["kind"], "little brother", "what is left out stays");
    for bad in [&"x".repeat(65), "two\nlines", "\u{202e}"] {
        add(&["--kind", bad]).fails().await.is(2, "invalid");
    }
    let said = add(&["--kind", ""]).json().await;
    assert!(said["mine"]["kind"].is_null(), "{said}");
    ada_runs.stop().await;
    ben_runs.stop().await;
}
