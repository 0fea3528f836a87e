//! Failures: the exit code, and the JSON that says what happened, what state it left, what mends it.

use acceptance::{Home, Kith, text};
use serde_json::json;

#[tokio::test]
async fn wrong_usage_is_2() {
    let home = Home::new();
    let space = ["space", "new", "album"];
    home.kith(&space).json().await;
    let wrong: &[&[&str]] = &[
        &["nonsense"],
        &["doc"],
        &["doc", "set", "album"],
        &["doc", "get"],
        &["up", "--listen"],
        &["up", "--doorway", "everywhere"],
        &["up", "--doorway", "0.0.0.0:0"],
        &["up", "--sync-interval", "soon"],
        &["ticket", "--role", "reader"],
        &["ticket", "--expires", "0s"],
        &["pair", "kith1"],
        &["space", "new", "far", "--reach", "galaxy"],
        &["space", "grant", "album", "did:key:nobody", "reader"],
        &["doc", "set", "album", "x", "title", "no JSON"],
        &["doc", "new", "album", "--from", "-"],
    ];
    for arguments in wrong {
        let failed = home.kith(arguments).fails().await;
        assert_eq!(
            (failed.exit, failed.code.as_str()),
            (2, "invalid"),
            "{arguments:?}: {failed:?}"
        );
    }
}

#[tokio::test]
async fn a_missing_argument_is_named() {
    let home = Home::new();
    let failed = home.kith(&["doc", "get", "album"]).fails().await;
    failed.is(2, "invalid").says("<DOC>");
}

#[tokio::test]
async fn unknown_things_are_4() {
    let home = Home::new();
    home.kith(&["space", "new", "album"]).json().await;
    let doc = home.new_document("album", &json!({"title": "x"})).await;
    let hash = "a".repeat(52);
    let nobody = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    let unknown: &[&[&str]] = &[
        &["doc", "list", "nosuch"],
        &["doc", "new", "nosuch"],
        &["doc", "get", "album", "nosuch"],
        &["doc", "get", "album", &doc, "/nothing/here"],
        &["doc", "set", "album", &doc, "/nothing/here", "1"],
        &["blob", "get", "album", &hash],
        &["blob", "put", "album", "/no/such/file"],
        &["import", "/no/such/folder", "--space", "album"],
        &["export", "nosuch", "/tmp/kith-never"],
        &["ticket", "--space", "nosuch", "--no-wait"],
        &["space", "members", "nosuch"],
        &["sync", nobody],
    ];
    for arguments in unknown {
        let failed = home.kith(arguments).fails().await;
        let found = (failed.exit, failed.code.as_str());
        assert_eq!(found, (4, "not-found"), "{arguments:?}: {failed:?}");
    }
}

#[tokio::test]
async fn what_a_reader_may_not_do_is_3() {
    let (ada, ben) = (Home::new(), Home::new());
    let (_of_ada, of_ben) = (ada.up().ready().await, ben.up().ready().await);
    ada.new_space("album").await;
    let doc = ada.new_document("album", &json!({"title": "Ada's"})).await;
    let ticket = ada.ticket(&["--space", "album", "--role", "reader"]).await;
    ben.pair(&ticket).json().await;
    ben.sync().await;
    let agent = of_ben.agent();
    let forbidden: &[&[&str]] = &[
        &["doc", "set", "album", &doc, "title", "\"Ben's\""],
        &["doc", "new", "album"],
        &["doc", "remove", "album", &doc],
        &["space", "grant", "album", agent, "admin"],
        &["ticket", "--space", "album", "--no-wait"],
    ];
    for arguments in forbidden {
        let failed = ben.kith(arguments).fails().await;
        let found = (failed.exit, failed.code.as_str());
        assert_eq!(found, (3, "not-allowed"), "{arguments:?}: {failed:?}");
        failed.says("an admin of it (");
        let fix = match arguments[0] {
            "space" => format!("kith space grant album {agent} admin"),
            "ticket" => "kith ticket --space album --role reader".to_owned(),
            _ => format!("kith space grant album {agent} writer"),
        };
        assert_eq!(failed.fix, fix, "{arguments:?}");
    }
    let put = ben.kith(&["blob", "put", "album", "-"]).stdin(&b"x"[..]).fails().await;
    put.is(3, "not-allowed");
    assert_eq!(ada.value("album", &doc).await, json!({"title": "Ada's"}));
    // What mends it is typed as it stands, by the admin.
    let words: Vec<&str> = put.fix.split(' ').skip(1).collect();
    ada.kith(&words).json().await;
    ben.sync().await;
    ben.kith(&["doc", "set", "album", &doc, "title", "\"Ben's\""]).json().await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_5() {
    let home = Home::new();
    let (gone, ticket) = (Home::new(), {
        let gone = Home::new();
        let _running = gone.up().ready().await;
        gone.ticket(&[]).await
    });
    drop(gone);
    home.pair(&ticket).fails().await.is(5, "unreachable");
}

#[tokio::test]
async fn people_read_sentences_and_help_has_examples() {
    let home = Home::new();
    let data_dir = home.data_dir();
    let data_dir = data_dir.to_str().expect("plain");
    let said = Kith::new(&["--data-dir", data_dir, "doc", "list", "nosuch"]).run().await;
    assert_eq!(said.exit, 4);
    assert!(said.err.contains("no space") && said.err.contains("kith space list"), "{said:?}");
    assert!(
        said.out.is_empty() && !said.err.contains('{') && !said.err.contains('\u{1b}'),
        "{said:?}"
    );
    let help = Kith::new(&["--help"]).run().await;
    let shown = String::from_utf8_lossy(&help.out).into_owned();
    assert!(help.exit == 0 && shown.contains("Examples:") && shown.contains("Exit codes"));
    let version = Kith::new(&["--version"]).run().await;
    assert!(version.exit == 0 && version.out.starts_with(b"kith "));
    let script = Kith::new(&["completions", "bash"]).run().await;
    assert!(script.exit == 0 && script.out.len() > 1_000);
}

#[tokio::test]
async fn a_ready_node_names_itself_as_its_commands_do() {
    let home = Home::new();
    let running = home.up().ready().await;
    let id = home.kith(&["id"]).json().await;
    assert_eq!((text(&id, "node"), text(&id, "agent")), (running.node(), running.agent()));
    assert_eq!(id["listen"], running.ready["listen"]);
    running.stop().await;
}
