//! A device with little room keeps some documents of a space.

use std::fs;

use acceptance::{Home, list, number, until};
use serde_json::{Value, json};

/// Paths of the documents that a node lists.
async fn paths(home: &Home) -> Vec<String> {
    let documents = home.kith(&["doc", "list", "album"]).json().await;
    let documents = list(&documents, "docs");
    let mut paths: Vec<_> =
        documents.iter().map(|it| it["path"].as_str().unwrap_or_default().to_owned()).collect();
    paths.sort();
    paths
}

async fn space(home: &Home) -> Value {
    let status = home.kith(&["status"]).json().await;
    let found = list(&status, "spaces").iter().find(|it| it["name"] == "album");
    found.expect("it is shared").clone()
}

#[tokio::test]
async fn a_phone_gets_what_it_chose_and_later_the_rest() {
    let (ada, phone) = (Home::new(), Home::new());
    let _on_ada = ada.up().name("Ada").ready().await;
    let on_phone = phone.up().name("Ben").ready().await;
    ada.new_space("album").await;
    let ticket = ada.ticket(&["--space", "album", "--role", "writer"]).await;
    phone.pair(&ticket).json().await;
    phone.sync().await;

    let keep = ["space", "keep", "album", "--doc", "cake.md", "--doc", "soup.md"];
    let kept = phone.kith(&keep).json().await;
    assert_eq!(number(&kept["part"], "here"), 0, "chosen before anything is here: {kept}");
    let source = ada.beside("source");
    fs::create_dir(&source).expect("a new folder");
    for name in ["cake.md", "soup.md", "bread.md", "rice.md"] {
        fs::write(source.join(name), format!("# {name}\n")).expect("room on the disk");
    }
    let source = source.to_str().expect("plain");
    ada.kith(&["import", source, "--space", "album"]).json().await;
    phone.sync().await;
    assert_eq!(paths(&phone).await, ["cake.md", "soup.md"]);
    assert_eq!(number(&space(&phone).await["part"], "here"), 2);
    for home in [&phone, &ada] {
        until("both have confirmed it", async || {
            (space(home).await["state"] == "synced").then_some(())
        })
        .await;
    }
    assert_eq!(number(&space(&ada).await, "partial_peers"), 1);
    let findings = phone.kith(&["doctor"]).json().await;
    assert_eq!(list(&findings, "causes"), [] as [Value; 0], "{findings}");

    // What is written on the phone goes out; the choice survives a restart.
    on_phone.stop().await;
    let note = phone.new_document("album", &json!({"title": "note"})).await;
    let _on_phone = phone.up().ready().await;
    phone.sync().await;
    assert_eq!(ada.value("album", &note).await["title"], "note");
    assert_eq!(paths(&phone).await, ["", "cake.md", "soup.md"]);

    let kept = phone.kith(&["space", "keep", "album", "--everything"]).json().await;
    assert_eq!(kept["part"], Value::Null);
    phone.sync().await;
    assert_eq!(paths(&phone).await, ["", "bread.md", "cake.md", "rice.md", "soup.md"]);
}

#[tokio::test]
async fn a_choice_says_what_it_wants() {
    let home = Home::new();
    home.new_space("album").await;
    assert_eq!(home.kith(&["space", "keep", "album"]).run().await.exit, 2);
    let both = ["space", "keep", "album", "--everything", "--doc", "x"];
    assert_eq!(home.kith(&both).run().await.exit, 2);
    home.kith(&["space", "keep", "garden", "--everything"]).fails().await.is(4, "not-found");
    home.kith(&["space", "keep", "album", "--doc", ""]).fails().await.is(2, "invalid");
    let outside = ["space", "keep", "album", "--folder", "pictures/../../letters"];
    home.kith(&outside).fails().await.is(2, "invalid").says("within the space");
    let listed = home.kith(&["space", "list"]).json().await;
    assert!(list(&listed, "spaces").iter().all(|space| space["part"].is_null()), "{listed}");
}

#[tokio::test]
async fn a_folder_is_kept_with_what_comes_into_it_later() {
    let (ada, phone) = (Home::new(), Home::new());
    let _on_ada = ada.up().name("Ada").ready().await;
    let on_phone = phone.up().name("Ben").ready().await;
    ada.new_space("album").await;
    let ticket = ada.ticket(&["--space", "album", "--role", "reader"]).await;
    phone.pair(&ticket).json().await;
    phone.sync().await;
    let keep = ["space", "keep", "album", "--folder", "recipes", "--since", "30d"];
    phone.kith(&keep).json().await;

    let import = async |names: &[&str]| {
        let source = ada.beside("source");
        for name in names {
            let file = source.join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("room on the disk");
            fs::write(file, format!("# {name}\n")).expect("room on the disk");
        }
        let source = source.to_str().expect("plain");
        ada.kith(&["import", source, "--space", "album"]).json().await;
    };
    import(&["recipes/cake.md", "recipes/sweet/pie.md", "letters/aunt.md"]).await;
    phone.sync().await;
    let chosen = async |expected: &[&str]| {
        until("what the rule chooses is here", async || {
            (paths(&phone).await == expected).then_some(())
        })
        .await;
    };
    chosen(&["recipes/cake.md", "recipes/sweet/pie.md"]).await;
    let part = space(&phone).await["part"].clone();
    assert_eq!((&part["folders"], &part["answered"]), (&json!(["recipes"]), &json!(true)));

    // The rule and what it chose survive a restart without anybody near.
    on_phone.stop().await;
    let kept = phone.kith(&["space", "list"]).json().await;
    let listed = list(&kept, "spaces").iter().find(|it| it["name"] == "album").expect("is here");
    assert_eq!(number(&listed["part"], "documents"), 2, "{listed}");
    let _on_phone = phone.up().ready().await;
    import(&["recipes/soup.md", "letters/uncle.md"]).await;
    phone.sync().await;
    chosen(&["recipes/cake.md", "recipes/soup.md", "recipes/sweet/pie.md"]).await;

    let wrong = ["space", "keep", "album", "--since", "yesterday"];
    assert_eq!(phone.kith(&wrong).run().await.exit, 2);
}
