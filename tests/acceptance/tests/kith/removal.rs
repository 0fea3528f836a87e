//! People who leave or are removed, relationships that end, and why.

use acceptance::{Home, Running, list, text, until};
use serde_json::{Value, json};

/// Ada's album with two writers.
struct Village {
    ada: Home,
    ben: Home,
    cy: Home,
    running: [Option<Running>; 3],
    doc: String,
}

async fn village() -> Village {
    let (ada, ben, cy) = (Home::new(), Home::new(), Home::new());
    let running = [
        ada.up().name("Ada").ready().await,
        ben.up().name("Ben").ready().await,
        cy.up().name("Cy").ready().await,
    ];
    ada.new_space("album").await;
    for other in [&ben, &cy] {
        let ticket = ada.ticket(&["--space", "album", "--role", "writer"]).await;
        other.pair(&ticket).json().await;
    }
    let doc = ada.new_document("album", &json!({"title": "Summer"})).await;
    ben.kith(&["peer", "add", running[2].node(), running[2].listen()]).json().await;
    let village = Village { ada, ben, cy, running: running.map(Some), doc };
    for home in [&village.ben, &village.cy] {
        village.shows(home, "title").await;
    }
    village
}

impl Village {
    async fn set(&self, home: &Home, key: &str) {
        home.kith(&["doc", "set", "album", &self.doc, key, "true"]).json().await;
    }

    /// Waits until the document has the key.
    async fn shows(&self, home: &Home, key: &str) {
        until(key, async || {
            let got = home.kith(&["doc", "get", "album", &self.doc]).run().await;
            String::from_utf8_lossy(&got.out).contains(&format!("\"{key}\"")).then_some(())
        })
        .await;
    }

    async fn value(&self, home: &Home) -> Value {
        home.value("album", &self.doc).await
    }
}

async fn members(home: &Home) -> Vec<String> {
    let members = home.kith(&["space", "members", "album"]).json().await;
    let mut names: Vec<String> =
        list(&members, "members").iter().map(|member| text(member, "name").to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_removed_member_keeps_what_was_and_gets_no_more() {
    let mut v = village().await;
    v.set(&v.ben, "by_ben").await;
    for home in [&v.ada, &v.cy] {
        v.shows(home, "by_ben").await;
    }
    // Ben writes while he is away and is removed meanwhile.
    v.running[1].take().expect("runs").stop().await;
    v.set(&v.ben, "too_late").await;
    v.ada.kith(&["space", "revoke", "album", "Ben"]).json().await;
    assert_eq!(members(&v.ada).await, ["Ada", "Cy"]);
    v.set(&v.ada, "secret").await;
    v.shows(&v.cy, "secret").await;

    v.running[1] = Some(v.ben.up().ready().await);
    until("Ben hears of it", async || {
        let spaces = v.ben.kith(&["space", "list"]).json().await;
        let album = list(&spaces, "spaces").iter().find(|space| text(space, "name") == "album");
        album.is_some_and(|album| album["role"].is_null()).then_some(())
    })
    .await;
    let of_ben = v.value(&v.ben).await;
    assert_eq!(of_ben["by_ben"], true, "what he had stays readable: {of_ben}");
    assert_eq!(of_ben.get("secret"), None, "{of_ben}");
    let denied = v.ben.kith(&["doc", "set", "album", &v.doc, "more", "1"]).fails().await;
    denied.is(3, "not-allowed").says("not a member of this space any more");
    for home in [&v.ada, &v.cy] {
        let value = v.value(home).await;
        assert_eq!((&value["by_ben"], value.get("too_late")), (&json!(true), None), "{value}");
    }

    // Admitted again, he gets everything, and what he wrote meanwhile comes too.
    v.ada.kith(&["space", "grant", "album", "Ben", "reader"]).json().await;
    v.shows(&v.ben, "secret").await;
    v.ada.kith(&["space", "grant", "album", "Ben", "writer"]).json().await;
    v.shows(&v.ada, "too_late").await;
}

#[tokio::test]
async fn what_a_removed_member_spread_is_set_aside_where_it_arrived() {
    let mut v = village().await;
    v.set(&v.ben, "in_time").await;
    for home in [&v.ada, &v.cy] {
        v.shows(home, "in_time").await;
    }
    // Ada removes Ben while nobody hears her.
    v.running[0].take().expect("runs").stop().await;
    v.ada.kith(&["space", "revoke", "album", "Ben"]).json().await;
    v.set(&v.ben, "too_late").await;
    v.shows(&v.cy, "too_late").await;
    v.running[0] = Some(v.ada.up().ready().await);
    until("Cy sets it aside", async || {
        (v.value(&v.cy).await.get("too_late").is_none()).then_some(())
    })
    .await;
    v.set(&v.ada, "secret").await;
    v.shows(&v.cy, "secret").await;
    assert_eq!(v.value(&v.ada).await, v.value(&v.cy).await);
    assert_eq!(v.value(&v.ada).await["in_time"], true);
    assert_eq!(v.value(&v.ben).await["too_late"], true, "it stays on his own device");
    let why = v.cy.kith(&["why", "Ben"]).json().await;
    let aside = list(&why, "decisions").iter().find(|it| text(it, "rule") == "after-removal");
    let aside = aside.unwrap_or_else(|| panic!("{why}"));
    assert_eq!((text(aside, "verdict"), text(aside, "replay")), ("denied", "same"));
    assert!(!list(aside, "because").is_empty());
}

#[tokio::test]
async fn who_may_remove_whom() {
    let v = village().await;
    let grant = |name| v.ada.kith(&["space", "grant", "album", name, "admin"]).json();
    grant("Ben").await;
    until("Ben is an admin", async || {
        let spaces = v.ben.kith(&["space", "list"]).json().await;
        list(&spaces, "spaces")
            .iter()
            .any(|space| text(space, "role") == "admin" && text(space, "name") == "album")
            .then_some(())
    })
    .await;
    let revoke = |home: &Home, who: &str| home.kith(&["space", "revoke", "album", who]);
    revoke(&v.ben, "Ada").fails().await.is(3, "not-allowed").says("before you");
    revoke(&v.cy, "Ben").fails().await.is(3, "not-allowed").says("only an admin");
    revoke(&v.ada, "Nobody").fails().await.is(4, "not-found");
    revoke(&v.ben, "Cy").json().await;
    revoke(&v.ben, "Cy").fails().await.is(4, "not-found").says("not a member");
    v.ben.kith(&["space", "leave", "album"]).json().await;
    until("Ada is alone", async || (members(&v.ada).await == ["Ada"]).then_some(())).await;
    let private = v.ada.kith(&["space", "leave", "Private"]).fails().await;
    private.is(2, "invalid");
}

#[tokio::test]
async fn relationships_need_both_and_end() {
    let v = village().await;
    let relations = v.ada.kith(&["relation", "list"]).json().await;
    let ben = list(&relations, "relations").iter().find(|it| text(it, "name") == "Ben");
    let ben = ben.expect("they paired").clone();
    assert_eq!((text(&ben, "state"), text(&ben, "layer")), ("mutual", "reciprocal"));
    assert_eq!(ben["mine"]["quota_bytes"], 50_000_000_000_u64);

    let add =
        ["relation", "add", "Ben", "--layer", "invested", "--quota-gb", "7", "--keep", "true"];
    let said = v.ada.kith(&add).json().await;
    assert_eq!(
        (text(&said, "layer"), &said["mine"]["quota_bytes"]),
        ("invested", &json!(7_000_000_000_u64))
    );
    v.ada.kith(&["relation", "vouch", "Ben", "repairs bicycles"]).json().await;
    until("Cy hears it", async || {
        let why = v.cy.kith(&["why", "Ben"]).run().await;
        (why.exit == 0).then_some(())
    })
    .await;

    v.ada.kith(&["relation", "end", text(&ben, "agent")]).json().await;
    until("Ben hears it", async || {
        let relations = v.ben.kith(&["relation", "list"]).json().await;
        let ada = list(&relations, "relations").iter().find(|it| text(it, "name") == "Ada");
        ada.is_some_and(|ada| text(ada, "state") == "offered").then_some(())
    })
    .await;
    v.ada.kith(&["relation", "end", "Ben"]).fails().await.is(4, "not-found");
    v.ada.kith(&["relation", "add", "Ben", "--layer", "best"]).fails().await.is(2, "invalid");
    v.ada.kith(&["relation", "add", "Nobody"]).fails().await.is(4, "not-found");
    // They still share the album.
    v.set(&v.ada, "still").await;
    v.shows(&v.ben, "still").await;
}

#[tokio::test]
async fn why_answers_for_everything_and_nothing() {
    let v = village().await;
    let thing = format!("album/{}", v.doc);
    for thing in ["album", &thing, "Ben", v.running[1].as_ref().expect("runs").node()] {
        let why = v.ada.kith(&["why", thing]).json().await;
        let decisions = list(&why, "decisions");
        assert!(!decisions.is_empty() && why["intact"] == true, "{thing}: {why}");
        for decision in decisions {
            assert_eq!(text(decision, "replay"), "same", "{decision}");
            for key in ["verdict", "rule", "words", "at", "inputs"] {
                assert!(!text(decision, key).is_empty(), "{key}: {decision}");
            }
        }
    }
    v.ada.kith(&["why", "nothing"]).fails().await.is(4, "not-found");
    let devices = v.ada.kith(&["device", "list"]).json().await;
    assert_eq!(list(&devices, "devices").len(), 1);
    let own = text(&list(&devices, "devices")[0], "device").to_owned();
    v.ada.kith(&["device", "revoke", &own]).fails().await.is(2, "invalid");
    let of_ben = v.running[1].as_ref().expect("runs").node();
    v.ada.kith(&["device", "revoke", of_ben]).fails().await.is(4, "not-found");
}

#[tokio::test]
async fn a_space_is_a_group_in_another_one() {
    let v = village().await;
    v.ada.new_space("photos").await;
    let photo = v.ada.new_document("photos", &json!({"title": "Lake"})).await;
    let grant = |who: &str, role: &str| v.ada.kith(&["space", "grant", "photos", who, role]);
    grant("album", "writer").fails().await.is(2, "invalid").says("a group may be");
    grant("photos", "reader").fails().await.is(2, "invalid");
    grant("album", "reader").json().await;
    let reads = async |home: &Home, key: &str| {
        let got = home.kith(&["doc", "get", "photos", &photo]).run().await;
        String::from_utf8_lossy(&got.out).contains(&format!("\"{key}\"")).then_some(())
    };
    for home in [&v.ben, &v.cy] {
        until("everybody of the album reads the photos", || reads(home, "title")).await;
        home.kith(&["doc", "set", "photos", &photo, "mine", "1"])
            .fails()
            .await
            .is(3, "not-allowed");
    }
    let members = v.cy.kith(&["space", "members", "photos"]).json().await;
    let ben = list(&members, "members").iter().find(|it| text(it, "name") == "Ben");
    let album = v.ada.kith(&["space", "list"]).json().await;
    let album = list(&album, "spaces").iter().find(|it| text(it, "name") == "album").cloned();
    assert_eq!(text(ben.expect("he is in it"), "via"), text(&album.expect("is there"), "space"));

    // Who leaves the group leaves what it is in.
    v.ada.kith(&["space", "revoke", "album", "Ben"]).json().await;
    v.ada.kith(&["doc", "set", "photos", &photo, "secret", "1"]).json().await;
    until("Cy reads on", || reads(&v.cy, "secret")).await;
    until("Ben hears of it", async || {
        let spaces = v.ben.kith(&["space", "list"]).json().await;
        let photos =
            list(&spaces, "spaces").iter().find(|it| text(it, "name") == "photos").cloned();
        photos.is_some_and(|photos| photos["role"].is_null()).then_some(())
    })
    .await;
    assert_eq!(reads(&v.ben, "secret").await, None);

    v.ada.kith(&["space", "revoke", "photos", "album"]).json().await;
    let members = v.ada.kith(&["space", "members", "photos"]).json().await;
    assert_eq!(list(&members, "members").len(), 1, "{members}");
}
