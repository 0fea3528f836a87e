//! What two people change at the same time: shown on both sides, settled by one.

use std::fs;

use acceptance::{Browser, Home, Running, list, text, until};
use serde_json::{Value, json};

/// Ada's album with Ben.
struct Album {
    ada: Home,
    ben: Home,
    doc: String,
    of_ada: Running,
}

/// Starts with both together; `apart` is what each does while the other is away.
async fn album(role: &str, apart: impl AsyncFn(&Album)) -> (Album, Running) {
    let (ada, ben) = (Home::new(), Home::new());
    let of_ada = ada.up().name("Ada").ready().await;
    let of_ben = ben.up().name("Ben").ready().await;
    ada.new_space("album").await;
    let doc = ada.new_document("album", &json!({"title": "Summer", "list": [1]})).await;
    let ticket = ada.ticket(&["--space", "album", "--role", role]).await;
    ben.pair(&ticket).json().await;
    ben.sync().await;
    of_ben.stop().await;
    let album = Album { ada, ben, doc, of_ada };
    apart(&album).await;
    let of_ben = album.ben.up().ready().await;
    album.ben.sync_with(album.of_ada.node()).await;
    (album, of_ben)
}

impl Album {
    async fn set(&self, home: &Home, key: &str, value: &str) {
        home.kith(&["doc", "set", "album", &self.doc, key, &json!(value).to_string()]).json().await;
    }

    async fn settle(&self, home: &Home, conflict: &str, keep: &str) -> Value {
        let command = ["conflicts", "resolve", "album", &self.doc, conflict, "--keep", keep];
        home.kith(&command).json().await
    }

    /// A program of Ada's.
    fn browser(&self) -> Browser {
        let token = fs::read_to_string(self.ada.data_dir().join("local-token"));
        self.of_ada.browser().with_token(token.expect("it is there").trim())
    }

    async fn none_is_left(&self) {
        for home in [&self.ada, &self.ben] {
            until("no conflict is left", async || conflicts(home).await.is_empty().then_some(()))
                .await;
        }
    }
}

async fn conflicts(home: &Home) -> Vec<Value> {
    let listed = home.kith(&["conflicts", "list"]).json().await;
    assert_eq!(listed["complete"], true, "{listed}");
    list(&listed, "conflicts").to_vec()
}

fn names(side: &Value) -> Vec<&str> {
    list(side, "by").iter().map(|author| text(author, "name")).collect()
}

#[tokio::test]
async fn both_see_one_conflict_and_one_of_them_settles_it() {
    let (album, _of_ben) = album("writer", async |album| {
        album.set(&album.ada, "title", "Lake").await;
        album.set(&album.ben, "title", "Beach").await;
    })
    .await;
    let [of_ada, of_ben] =
        [conflicts(&album.ada).await, conflicts(&album.ben).await].map(|mut it| it.remove(0));
    for key in ["space", "doc", "conflict", "place", "kind", "before"] {
        assert_eq!(of_ada[key], of_ben[key], "{key}");
    }
    assert_eq!((text(&of_ada, "doc"), text(&of_ada, "place")), (&*album.doc, "/title"));
    assert_eq!(text(&of_ada, "kind"), "overwritten");
    assert_eq!(of_ada["before"], json!({"state": "value", "value": "Summer"}));
    for (one, name, mine) in [(&of_ada, "Ada", "Lake"), (&of_ben, "Ben", "Beach")] {
        let sides = list(one, "sides");
        assert_eq!(sides.len(), 2, "{one}");
        assert_eq!((&sides[0]["shown"], &sides[1]["shown"]), (&json!(true), &json!(false)));
        let own = sides.iter().find(|side| side["mine"] == true).expect("one is theirs");
        assert_eq!((names(own), &own["value"]), (vec![name], &json!(mine)), "{one}");
    }
    let shown = album.ben.kith(&["conflicts", "show", "album", &album.doc]).json().await;
    assert_eq!(list(&shown, "conflicts"), [of_ben]);

    let address = format!("/s/{}/d/{}", text(&of_ada, "space"), album.doc);
    let page = album.browser().get(&address).await.text();
    assert!(page.contains("at the same time"), "{page}");
    let all = format!("/s/{}/conflicts", text(&of_ada, "space"));
    assert!(page.contains(&all), "{page}");
    let page = album.browser().get(&all).await.text();
    let lost = text(&list(&of_ada, "sides")[1], "value").to_owned();
    assert!(page.contains(&lost), "{page}");

    // Nothing else waits for it.
    let other = album.ada.new_document("album", &json!({"title": "Winter"})).await;
    until("another document", async || {
        album.ben.documents("album").await.contains(&other).then_some(())
    })
    .await;

    let settled = album.settle(&album.ada, text(&of_ada, "conflict"), "theirs").await;
    assert_eq!((text(&settled, "doc"), text(&settled, "durability")), (&*album.doc, "local"));
    album.none_is_left().await;
    for home in [&album.ada, &album.ben] {
        assert_eq!(home.value("album", &album.doc).await["title"], "Beach");
    }
    let page = album.browser().get(&address).await.text();
    assert!(page.contains("Beach") && !page.contains("at the same time"), "{page}");
}

#[tokio::test]
async fn one_chooses_in_the_browser_and_the_other_one_sees_it() {
    let (album, _of_ben) = album("writer", async |album| {
        for key in ["title", "place", "year"] {
            album.set(&album.ada, key, &format!("Ada's {key}")).await;
            album.set(&album.ben, key, &format!("Ben's {key}")).await;
        }
    })
    .await;
    let open = conflicts(&album.ada).await;
    assert_eq!(open.len(), 3, "{open:?}");
    let space = text(&open[0], "space");
    let browser = album.browser();
    let page = browser.get(&format!("/s/{space}/conflicts")).await.text();
    for words in ["Keep mine", "Keep Ben’s", "Ben&#39;s title", "All of theirs"] {
        let words = words.replace("&#39;", "'");
        assert!(page.contains(&words), "{words}: {page}");
    }
    let form = browser.clone().with("content-type", "application/x-www-form-urlencoded");
    let title = open.iter().find(|it| text(it, "place") == "/title").expect("a title");
    let theirs = list(title, "sides").iter().position(|side| side["mine"] == false);
    let body = format!("conflict={}&keep={}", text(title, "conflict"), theirs.expect("a side"));
    let path = format!("/s/{space}/d/{}/conflicts", album.doc);
    let chosen = form.send("POST", &path, body.into()).await;
    assert_eq!(chosen.status, 303, "{}", chosen.text());
    let page = browser.get(chosen.header("location")).await.text();
    assert!(page.contains("Settled") && page.contains("Undo"), "{page}");
    until("Ben sees it", async || (conflicts(&album.ben).await.len() == 2).then_some(())).await;
    let all = ["conflicts", "resolve", "album", "--all", "--keep", "mine"];
    let settled = album.ben.kith(&all).json().await;
    assert_eq!((&settled["settled"], &settled["left_open"]), (&json!(2), &json!(0)));
    album.none_is_left().await;
    let value = album.ada.value("album", &album.doc).await;
    for key in ["title", "place", "year"] {
        assert_eq!(value[key], format!("Ben's {key}"));
    }
    for wrong in [
        &["conflicts", "resolve", "album", "--keep", "mine"][..],
        &["conflicts", "resolve", "album", "--all", "--keep", "both"],
    ] {
        album.ada.kith(wrong).fails().await.is(2, "invalid");
    }
}

#[tokio::test]
async fn a_deletion_against_an_edit_is_shown_and_undone() {
    let (album, _of_ben) = album("writer", async |album| {
        album.ada.kith(&["doc", "remove", "album", &album.doc]).json().await;
        album.set(&album.ben, "title", "Beach").await;
    })
    .await;
    album.ada.kith(&["doc", "get", "album", &album.doc]).fails().await.is(4, "not-found");
    let of_ada = conflicts(&album.ada).await.remove(0);
    assert_eq!((text(&of_ada, "kind"), text(&of_ada, "title")), ("removed-document", "Beach"));
    let sides = list(&of_ada, "sides");
    assert_eq!((&sides[0]["deleted"], names(&sides[0])), (&json!(true), vec!["Ada"]));
    assert_eq!((&sides[1]["value"]["title"], names(&sides[1])), (&json!("Beach"), vec!["Ben"]));
    let [space, doc, conflict] = ["space", "doc", "conflict"].map(|key| text(&of_ada, key));
    let path = format!("/api/v1/spaces/{space}/docs/{doc}/conflicts/{conflict}");
    let settled = album.browser().post(&path, &json!({"keep": 1})).await;
    assert_eq!(settled.status, 200, "{}", settled.text());
    let settled = settled.json();
    album.none_is_left().await;
    for home in [&album.ada, &album.ben] {
        let value = home.value("album", text(&settled, "doc")).await;
        assert_eq!(value, json!({"title": "Beach", "list": [1]}));
    }
}

#[tokio::test]
async fn what_is_wrong_about_a_decision_is_told() {
    let (album, _of_ben) = album("reader", async |album| {
        album.set(&album.ada, "title", "Lake").await;
    })
    .await;
    assert_eq!(conflicts(&album.ben).await, [] as [Value; 0]);
    let nothing = "00".repeat(10);
    let resolve = |home: &Home, conflict: &str, keep: &str| {
        let command = ["conflicts", "resolve", "album", &album.doc, conflict, "--keep", keep];
        home.kith(&command).fails()
    };
    for conflict in [&*nothing, "no-id"] {
        resolve(&album.ada, conflict, "shown").await.is(4, "not-found").says("conflict");
    }
    resolve(&album.ben, &nothing, "shown").await.is(3, "not-allowed");
    for keep in ["best", "1.5", ""] {
        resolve(&album.ada, &nothing, keep).await.is(2, "invalid").says("number of a side");
    }
    album
        .ada
        .kith(&["conflicts", "resolve", "album", &album.doc, &nothing])
        .fails()
        .await
        .is(2, "invalid");
    for command in [&["conflicts", "list", "nosuch"][..], &["conflicts", "show", "album", "nosuch"]]
    {
        album.ada.kith(command).fails().await.is(4, "not-found");
    }
}
