//! Every refusal says the command that mends it, whole, as this program reads it.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use clap::{Parser, error::ErrorKind};
use doorway_http::{Access, DoorwayConfig, LocalToken, ProgramKeys, openapi, router};
use node_core::Mend;
use node_runtime::{Network, testing::test_node};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{args::Cli, show::text};

const HOST: &str = "127.0.0.1:8420";

/// What only a browser can mend, by asking from another page or by another name.
const OF_BROWSERS: &[&str] = &["foreign-origin", "wrong-host"];

/// A command line as a shell takes it apart.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_open, mut letters) = (vec![], None, false, line.chars());
    while let Some(letter) = letters.next() {
        let current = |word: &mut Option<String>, letter| {
            word.get_or_insert_with(String::new).push(letter);
        };
        match letter {
            '\'' => {
                is_open = !is_open;
                word.get_or_insert_with(String::new);
            }
            letter if is_open => current(&mut word, letter),
            ' ' => words.extend(word.take()),
            '\\' => current(&mut word, letters.next().expect("a letter after a backslash")),
            letter => {
                let is_plain = letter.is_ascii_alphanumeric() || "_-./:@%+=,".contains(letter);
                assert!(is_plain, "a shell may read {letter:?} in another way: {line}");
                current(&mut word, letter);
            }
        }
    }
    assert!(!is_open, "a quote stays open: {line}");
    words.extend(word);
    words
}

/// Fails when this program would not take the line. Whoever types `--help` sees help.
#[track_caller]
fn assert_is_command(line: &str) {
    match Cli::try_parse_from(words(line)) {
        Ok(_) => assert!(line.starts_with("kith "), "{line}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{line}: {error}"),
    }
}

#[test]
fn every_command_that_mends_a_refusal_is_one() {
    for mend in Mend::examples() {
        let line = mend.to_string();
        assert_eq!(words(&line), mend.words(), "{line}");
        match mend {
            Mend::MakeReadable { .. } | Mend::MakeWritable { .. } => {
                assert!(line.starts_with("chmod "), "{line}");
            }
            Mend::Grant { .. }
            | Mend::Remove { .. }
            | Mend::StopKeeping { .. }
            | Mend::StopLetting { .. }
            | Mend::KeepMore { .. }
            | Mend::Invite { .. }
            | Mend::Members { .. }
            | Mend::Withdraw { .. }
            | Mend::LinkDevice
            | Mend::Devices
            | Mend::NewDocument { .. }
            | Mend::Synchronise
            | Mend::Pack { .. }
            | Mend::Token { .. }
            | Mend::AllowKey { .. }
            | Mend::AddKey { .. }
            | Mend::TryAgain
            | Mend::ShowPhrase
            | Mend::Restore { .. } => assert_is_command(&line),
        }
    }
}

#[test]
fn the_commands_of_the_privacy_page_are_commands() {
    // Tests run in their package's folder.
    let page = std::fs::read_to_string("../../docs/privacy.md").expect("the page");
    let commands = page.split('`').skip(1).step_by(2).filter(|text| text.starts_with("kith "));
    let commands: Vec<_> = commands.collect();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        assert_is_command(command);
    }
}

async fn ask(router: &Router, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from("{}")).expect("a request");
    let answer = router.clone().oneshot(request).await.expect("infallible");
    let status = answer.status().as_u16();
    if status < 400 {
        // What is allowed may stream for ever.
        return (status, Value::Null);
    }
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn every_refusal_of_the_doorway_says_a_command() {
    let node = test_node("Ada", Network::None).await;
    let config = Arc::new(DoorwayConfig {
        token: LocalToken::new("token-of-the-test"),
        entry_code: "code".to_owned(),
        session: "session".to_owned(),
        hosts: vec![HOST.to_owned()],
        keys: ProgramKeys::at(node.folder.path().join("program-keys.json")),
        web: None,
    });
    let doorway = router(node.handle.clone(), Access::Loopback, Arc::clone(&config));
    let owner = router(node.handle.clone(), Access::LocalSocket, config);
    let new = Request::post("/api/v1/doorway/keys").header("content-type", "application/json");
    let rule = json!({"name": "bot", "rules": ["GET /api/v1/status"]});
    let new = new.body(Body::from(rule.to_string())).expect("a request");
    let made = owner.oneshot(new).await.expect("infallible");
    assert_eq!(made.status(), StatusCode::CREATED);
    let made = axum::body::to_bytes(made.into_body(), 1 << 20).await.expect("a body");
    let made: Value = serde_json::from_slice(&made).expect("JSON");

    let host = ("host", HOST);
    let all: &[&[(&str, &str)]] = &[
        &[host],
        &[host, ("x-api-key", "wrong")],
        &[host, ("x-api-key", text(&made, "key"))],
        &[host, ("authorization", "Bearer token-of-the-test")],
        &[host, ("authorization", "Bearer token-of-the-test"), ("sec-fetch-site", "cross-site")],
        &[("host", "evil.example")],
    ];
    let description = openapi();
    let mut codes = std::collections::BTreeSet::new();
    for (path, item) in description["paths"].as_object().expect("paths") {
        let parts = path.split('/').map(|part| if part.starts_with('{') { "0" } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        for method in item.as_object().expect("operations").keys() {
            for headers in all {
                let (status, problem) = ask(&doorway, &method.to_uppercase(), &path, headers).await;
                // Pages show a person where to come in.
                let is_refusal = [401, 403, 421].contains(&status) && problem.is_object();
                let code = text(&problem, "code").to_owned();
                if is_refusal && !OF_BROWSERS.contains(&&*code) {
                    assert_is_command(text(&problem, "fix"));
                    codes.insert(code);
                }
            }
        }
    }
    let expected = ["no-rule", "not-for-keys", "not-signed-in", "socket-only", "wrong-key"];
    assert_eq!(codes.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
