//! Devices of one person at each other's doorways.

use acceptance::{Browser, Home, Running, text};
use serde_json::json;

use crate::devices::laptop_and_phone;

fn url(running: &Running) -> String {
    text(&running.ready, "doorway").to_owned()
}

async fn token(home: &Home, url: &str) -> String {
    let given = home.kith(&["token", url]).json().await;
    text(&given, "token").to_owned()
}

async fn status(browser: &Browser, token: &str) -> u16 {
    browser.clone().with_token(token).get("/api/v1/status").await.status
}

#[tokio::test]
async fn an_own_device_comes_in_by_its_key_until_it_is_taken_back() {
    let ([laptop, phone], [on_laptop, on_phone], _) = laptop_and_phone().await;
    let (url, lost) = (url(&on_laptop), on_phone.node().to_owned());
    let given = phone.kith(&["token", &url]).json().await;
    assert_eq!(text(&given, "node"), on_laptop.node());
    assert!(text(&given, "expires_at").ends_with('Z'), "{given}");
    let by_phone = on_laptop.browser().with_token(text(&given, "token"));
    assert_eq!(text(&by_phone.get("/api/v1/status").await.json(), "node"), on_laptop.node());
    let made = by_phone.post("/api/v1/spaces", &json!({"name": "from-phone"})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(by_phone.get("/").await.status, 401, "pages are for people");
    assert_eq!(status(&on_phone.browser(), text(&given, "token")).await, 401);

    // Without a node of its own that runs, too.
    on_phone.stop().await;
    let second = token(&phone, &url).await;
    assert_ne!(second, text(&given, "token"));
    let own = token(&laptop, &url).await;
    for token in [&second, &own] {
        assert_eq!(status(&on_laptop.browser(), token).await, 200);
    }

    laptop.kith(&["device", "revoke", &lost]).json().await;
    assert_eq!(by_phone.get("/api/v1/status").await.status, 401);
    assert_eq!(status(&on_laptop.browser(), &second).await, 401);
    phone.kith(&["token", &url]).fails().await.is(3, "not-allowed").says("does not let");
    assert_eq!(status(&on_laptop.browser(), &own).await, 200);

    let address = on_laptop.browser().address().to_owned();
    on_laptop.stop().await;
    let again = laptop.up().doorway(&address).ready().await;
    assert_eq!(status(&again.browser(), &own).await, 401, "it ended with the node");
}

#[tokio::test]
async fn a_token_is_asked_of_own_doorways_on_this_machine_only() {
    let (ada, bo) = (Home::new(), Home::new());
    let running = ada.up().ready().await;
    let url = url(&running);
    let of_bo = bo.kith(&["token", &url]).fails().await;
    of_bo.is(3, "not-allowed").says("not one of your devices").says(running.node());
    for (wrong, says) in [
        ("http://192.0.2.1:4718", "another machine"),
        ("https://127.0.0.1:4718", "http://HOST:PORT"),
        ("http://127.0.0.1", "port"),
        ("127.0.0.1:4718", "address"),
    ] {
        ada.kith(&["token", wrong]).fails().await.is(2, "invalid").says(says);
    }
    let other_name = url.replace("127.0.0.1", "127.0.0.2");
    ada.kith(&["token", &other_name]).fails().await.is(5, "unreachable");
    running.stop().await;
    ada.kith(&["token", &url]).fails().await.is(5, "unreachable").says("cannot be reached");
}
