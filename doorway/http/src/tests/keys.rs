//! Programs come in with keys of their own, as far as their rules reach.

use node_model::Timestamp;
use node_runtime::audit::Wanted;
use serde_json::json;

use super::*;
use crate::{access::Audience, routes::table};

const KEYS: &str = "/api/v1/doorway/keys";
const STATUS: &str = "/api/v1/status";

fn by_key(method: Method, path: &str, key: &str) -> Builder {
    stranger(method, path).header("x-api-key", key)
}

fn empty(request: Builder) -> Request<Body> {
    request.body(Body::empty()).expect("a request")
}

impl House {
    async fn key(&self, name: &str, rules: &[&str]) -> String {
        let made = self.post(KEYS, &json!({"name": name, "rules": rules})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        made.json()["key"].as_str().expect("a key").to_owned()
    }

    async fn with_key(&self, method: Method, path: &str, key: &str) -> Reply {
        self.send(empty(by_key(method, path, key))).await
    }

    async fn status_by(&self, method: Method, path: &str, key: &str) -> (u16, String) {
        let reply = self.with_key(method, path, key).await;
        let problem: Option<Value> = serde_json::from_slice(&reply.body).ok();
        let code = problem.and_then(|it| it["code"].as_str().map(ToOwned::to_owned));
        (reply.status.as_u16(), code.unwrap_or_default())
    }

    async fn change(&self, key: &str, path: &str, body: &Value) -> Reply {
        let request = by_key(Method::POST, path, key).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }
}

fn answer(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_key_is_shown_once_and_listed_without_its_secret() {
    let house = House::new().await;
    let new = json!({"name": "bot", "rules": ["get /api/v1/status"], "expires_seconds": 60});
    let made = house.post(KEYS, &new).await.json();
    let key = made["key"].as_str().expect("a key");
    assert_eq!((&made["name"], &made["rules"]), (&json!("bot"), &json!(["GET /api/v1/status"])));
    assert_eq!(house.status_by(Method::GET, STATUS, key).await, answer(200, ""));
    let listed = house.get(KEYS).await;
    assert!(!listed.text().contains(key));
    let row = &listed.json()["keys"][0];
    assert_eq!((&row["name"], &row["expired"]), (&json!("bot"), &json!(false)));
    let today = row["made_at"].as_str().expect("a time").split('T').next();
    assert_eq!(row["last_used"].as_str(), today);
    let file = house.node.folder.path().join("program-keys.json");
    let stored = std::fs::read_to_string(file).expect("is there");
    assert!(stored.contains("\"bot\"") && !stored.contains(&key[9..]), "{stored}");
    for (bad, says) in [
        (json!({"name": "Bot", "rules": ["GET /api/v1/status"]}), "name"),
        (json!({"name": "b", "rules": ["GET /"]}), "rule"),
        (json!({"name": "b", "rules": ["GET /api/v1/space/*"]}), "no address"),
        (json!({"name": "b", "rules": ["POST /api/v1/unpack"]}), "no address"),
        (json!({"name": "b", "rules": []}), "without a rule"),
        (json!({"name": "b", "rules": ["GET /api/v1/status"], "expires_seconds": 0}), "expires"),
    ] {
        let refused = house.post(KEYS, &bad).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}");
        assert!(refused.text().contains(says), "{}", refused.text());
    }
    let reader = house.post(KEYS, &json!({"name": "reader"})).await.json();
    assert_eq!(reader["rules"], json!(["GET /api/v1/**"]), "read-only unless said");
    let twice = house.post(KEYS, &new).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_key_that_asks_too_often_waits_and_no_other_does() {
    let house = House::new().await;
    let new = json!({"name": "bot", "rules": ["GET /api/v1/status"], "per_minute": 2});
    let made = house.post(KEYS, &new).await.json();
    assert_eq!(made["per_minute"], json!(2));
    let key = made["key"].as_str().expect("a key");
    let other = house.key("other", &["GET /api/v1/status"]).await;
    for remaining in ["1", "0"] {
        let reply = house.with_key(Method::GET, STATUS, key).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.headers["ratelimit-remaining"], remaining);
        assert_eq!(reply.headers["x-ratelimit-limit"], "2");
    }
    let refused = house.with_key(Method::GET, STATUS, key).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.json()["code"], json!("rate-limited"));
    let wait: u64 = refused.header(header::RETRY_AFTER).parse().expect("seconds");
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(house.status_by(Method::GET, STATUS, &other).await, answer(200, ""));
    assert_eq!(house.get(STATUS).await.status, StatusCode::OK, "the person's own way in");
    for bad in [0, 1_000_001] {
        let new = json!({"name": "b", "rules": ["GET /api/v1/status"], "per_minute": bad});
        assert_eq!(house.post(KEYS, &new).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn strangers_share_a_budget_and_nobody_else_waits_for_it() {
    let house = House::new().await;
    let key = house.key("bot", &["GET /api/v1/status"]).await;
    let mut codes = Vec::new();
    while codes.last().is_none_or(|(status, _)| *status == 401) && codes.len() < 1_000 {
        codes.push(house.status_by(Method::GET, STATUS, "wrong").await);
    }
    assert_eq!(codes.last(), Some(&answer(429, "rate-limited")));
    assert!(codes.len() > 300, "{}", codes.len());
    let health = house.send(empty(stranger(Method::GET, "/health"))).await;
    assert_eq!(health.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(house.status_by(Method::GET, STATUS, &key).await, answer(200, ""));
    assert_eq!(house.get(STATUS).await.status, StatusCode::OK);
    let style = stranger(Method::GET, "/assets/kith.css");
    let cookie = format!("kith_8420={SESSION}");
    let style = house.send(empty(style.header("cookie", cookie))).await;
    assert_eq!(style.status, StatusCode::OK, "a person who is signed in");
}

#[tokio::test]
async fn a_key_opens_its_routes_and_no_other() {
    let house = House::new().await;
    let key = house.key("bot", &["GET /api/v1/status"]).await;
    for row in table() {
        let parts = row.path.split('/').map(|part| if part.starts_with('{') { "0" } else { part });
        let path = parts.collect::<Vec<_>>().join("/");
        let (status, code) = house.status_by(row.method.clone(), &path, &key).await;
        // An answer to HEAD has no body.
        let code = if row.method == Method::HEAD { "no-rule".to_owned() } else { code };
        match row.audience {
            Audience::Anyone | Audience::Visitors => {
                assert!(!["no-rule", "not-for-keys"].contains(&&*code), "{path}");
            }
            Audience::Programs if path == STATUS => assert_eq!(status, 200),
            Audience::Programs => assert_eq!((status, &*code), (403, "no-rule"), "{path}"),
            Audience::People | Audience::Peers | Audience::Guests | Audience::Socket => {
                assert_eq!((status, &*code), (403, "not-for-keys"), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_that_is_a_key_of_nobody_opens_anything() {
    let house = House::new().await;
    let key = house.key("bot", &["* /api/v1/**"]).await;
    let other = if key.ends_with('A') { "E" } else { "A" };
    let near = format!("{}{other}", &key[..key.len() - 1]);
    for wrong in ["", "x", &key[1..], &near, &key.to_uppercase(), TOKEN] {
        let refused = house.status_by(Method::GET, STATUS, wrong).await;
        assert_eq!(refused, answer(401, "wrong-key"), "{wrong}");
    }
    let twice = by_key(Method::GET, STATUS, &key).header("x-api-key", &key);
    assert_eq!(house.send(empty(twice)).await.status, StatusCode::UNAUTHORIZED);
    let bearer = stranger(Method::GET, STATUS).header("authorization", format!("Bearer {key}"));
    assert_eq!(house.send(empty(bearer)).await.status, StatusCode::UNAUTHORIZED);
    let foreign = by_key(Method::GET, STATUS, &key).header("origin", "http://evil.example");
    assert_eq!(house.send(empty(foreign)).await.status, StatusCode::FORBIDDEN);
    let host = bare(Method::GET, STATUS).header("host", "evil.example").header("x-api-key", &key);
    assert_eq!(house.send(empty(host)).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn whoever_shows_a_key_is_held_to_it() {
    let house = House::new().await;
    let key = house.key("bot", &["GET /api/v1/status"]).await;
    let log = "/api/v1/log";
    for request in [by_token(Method::GET, log), by_session(Method::GET, log)] {
        let reply = house.send(empty(request.header("x-api-key", &key))).await;
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (StatusCode::FORBIDDEN, &json!("no-rule"))
        );
    }
    let wrong = by_token(Method::GET, log).header("x-api-key", "wrong");
    assert_eq!(house.send(empty(wrong)).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn other_spellings_of_an_address_open_nothing_more() {
    let house = House::new().await;
    let (album, diary) = (house.found("album").await, house.found("diary").await);
    let key = house.key("bot", &["GET /api/v1/spaces/album/**", "HEAD /api/v1/peers"]).await;
    let docs = "/api/v1/spaces/album/docs";
    assert_eq!(house.status_by(Method::GET, docs, &key).await.0, 200);
    assert_eq!(house.status_by(Method::HEAD, docs, &key).await.0, 200);
    let encoded = "/api/v1/spaces/%61lbum/docs";
    assert_eq!(house.status_by(Method::GET, encoded, &key).await.0, 200, "it is the same");
    for (method, path) in [
        (Method::GET, "/api/v1/spaces/diary/docs".to_owned()),
        (Method::GET, format!("/api/v1/spaces/{diary}/docs")),
        (Method::GET, format!("/api/v1/spaces/{album}/docs")),
        (Method::GET, "/api/v1/spaces/Album/docs".to_owned()),
        (Method::GET, "/api/v1/spaces/%2561lbum/docs".to_owned()),
        (Method::GET, "/api/v1/spaces/album%2F..%2Fdiary/docs".to_owned()),
        (Method::GET, "/api/v1/spaces/album%2Fdocs".to_owned()),
        (Method::GET, "/api/v1/spaces/%2e%2e/docs".to_owned()),
        (Method::GET, "/api/v1/spaces/../docs".to_owned()),
        (Method::GET, "/api/v1/spaces/%ff/docs".to_owned()),
        (Method::GET, "/api/v1/spaces/album%00/docs".to_owned()),
        (Method::POST, docs.to_owned()),
        (Method::DELETE, "/api/v1/spaces/album".to_owned()),
        (Method::GET, "/api/v1/peers".to_owned()),
        (Method::GET, "/api/v1/spaces".to_owned()),
        (Method::GET, format!("http://{HOST}/api/v1/spaces/diary/docs")),
    ] {
        let refused = house.status_by(method.clone(), &path, &key).await;
        assert_eq!(refused, answer(403, "no-rule"), "{method} {path}");
    }
    // These lead nowhere, for nobody; an empty part is taken for the name of a space.
    for path in [
        "/api/v1/spaces/album/docs/",
        "/api/v1/spaces//docs",
        "/api/v1/spaces/album//docs",
        "//api/v1/spaces/album/docs",
        "/api/v1/spaces/album/../diary/docs",
        "/api/v1/spaces/album/%2e%2e/diary/docs",
        "/api/v1/spaces/album/docs/../../diary/docs",
        "/api/v1/%73paces/album/docs",
        "/API/v1/spaces/album/docs",
        "/api/v1/spaces/album/docs;x",
    ] {
        let refused = house.status_by(Method::GET, path, &key).await;
        let is_space = path.starts_with("/api/v1/spaces//");
        let expected = if is_space { answer(403, "no-rule") } else { answer(404, "not-found") };
        assert_eq!(refused, expected, "{path}");
        assert_eq!(house.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(house.status_by(Method::HEAD, "/api/v1/peers", &key).await.0, 200);
    let overridden = by_key(Method::GET, docs, &key).header("x-http-method-override", "DELETE");
    assert_eq!(house.send(empty(overridden)).await.status, StatusCode::OK);
    let elsewhere = by_key(Method::GET, "/api/v1/spaces/diary/docs", &key)
        .header("x-original-url", docs)
        .header("x-rewrite-url", docs);
    assert_eq!(house.send(empty(elsewhere)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(house.get("/api/v1/spaces/diary").await.status, StatusCode::OK, "nothing is gone");
}

#[tokio::test]
async fn a_denial_names_the_rule_that_mends_it_and_is_in_the_log() {
    let house = House::new().await;
    house.found("album").await;
    let key = house.key("bot", &["GET /api/v1/status"]).await;
    let path = "/api/v1/spaces/alb'um/docs";
    let denied = house.with_key(Method::POST, path, &key).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    assert_eq!(denied.header(header::CONTENT_TYPE), "application/problem+json");
    let rule = "POST /api/v1/spaces/alb%27um/docs";
    assert_eq!(denied.json()["fix"], format!("kith doorway keys allow bot '{rule}'"));
    let wanted = Wanted { since: Timestamp(0), event: None };
    let last = house.node.handle.audit().read(wanted).await.expect("reads").records.pop();
    let last = last.expect("a record");
    for (field, value) in [
        ("by", "key:bot"),
        ("what", "POST /api/v1/spaces/{space}/docs"),
        ("outcome", "denied"),
        ("error", "no-rule"),
    ] {
        assert_eq!(last[field], value);
    }
    let allowed = house.post(&format!("{KEYS}/bot/allow"), &json!({"rule": rule})).await;
    assert_eq!(allowed.status, StatusCode::OK, "{}", allowed.text());
    assert_eq!(house.status_by(Method::POST, path, &key).await, answer(400, "invalid"), "let in");
    let log = house.node.folder.path().join("audit.jsonl");
    let log = std::fs::read_to_string(log).expect("is there");
    assert!(!log.contains(&key[9..]) && !log.contains("um/docs"), "{log}");
}

#[tokio::test]
async fn changes_hold_from_the_next_request_on() {
    let house = House::new().await;
    let key = house.key("bot", &["GET /api/v1/status", "GET /api/v1/events"]).await;
    let events = house.tcp.clone().oneshot(empty(by_key(Method::GET, "/api/v1/events", &key)));
    let mut events = events.await.expect("infallible").into_body();
    house.found("album").await;
    let docs = "/api/v1/spaces/album/docs";
    house.post(docs, &json!({"id": "one", "value": {}})).await;
    let frame = events.frame().await.expect("an event").expect("a frame");
    assert!(frame.into_data().expect("data").starts_with(b"event: changed"));

    let everything = json!({"rule": "* /api/v1/**"});
    let denied = house.post(&format!("{KEYS}/bot/deny"), &everything).await;
    assert_eq!(denied.status, StatusCode::OK, "{}", denied.text());
    assert_eq!(house.status_by(Method::GET, STATUS, &key).await, answer(403, "no-rule"));
    house.post(docs, &json!({"id": "two", "value": {}})).await;
    while let Some(frame) = events.frame().await {
        let data = frame.expect("a frame").into_data().expect("data");
        assert!(!data.starts_with(b"event: changed"), "it listens no longer than it may");
    }

    house.post(&format!("{KEYS}/bot/allow"), &everything).await;
    assert_eq!(house.status_by(Method::GET, "/api/v1/log", &key).await.0, 200);
    let gone = house.send(empty(by_token(Method::DELETE, &format!("{KEYS}/bot")))).await;
    assert_eq!(gone.json(), json!({"done": true, "made": []}));
    assert_eq!(house.status_by(Method::GET, STATUS, &key).await, answer(401, "wrong-key"));
    let again = house.send(empty(by_token(Method::DELETE, &format!("{KEYS}/bot")))).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_key_manages_keys_only_as_far_as_it_reaches_itself() {
    let house = House::new().await;
    let plain = house.key("plain", &["GET /api/v1/status"]).await;
    let admin = house.key("admin", &["* /api/v1/doorway/keys/**", "GET /api/v1/spaces/**"]).await;
    let new = json!({"name": "new", "rules": ["GET /api/v1/spaces"]});
    assert_eq!(house.change(&plain, KEYS, &new).await.status, StatusCode::FORBIDDEN);
    let more = json!({"rule": "GET /api/v1/log"});
    let raised = house.change(&plain, &format!("{KEYS}/plain/allow"), &more).await;
    assert_eq!(raised.status, StatusCode::FORBIDDEN);

    let raised = house.change(&admin, &format!("{KEYS}/admin/allow"), &more).await;
    assert_eq!(raised.json()["code"], "not-allowed", "{}", raised.text());
    assert_eq!(raised.json()["fix"], "kith doorway keys allow admin 'GET /api/v1/log'");
    let made = house.change(&admin, KEYS, &new).await;
    assert_eq!((made.status, &made.json()["made_by"]), (StatusCode::CREATED, &json!("admin")));

    let own = format!("{KEYS}/admin");
    let away = house.status_by(Method::DELETE, &own, &admin).await;
    assert_eq!(away, answer(409, "conflict"));
    let all = json!({"rule": "* /api/v1/**"});
    let narrowed = house.change(&admin, &format!("{own}/deny"), &all).await;
    assert_eq!(narrowed.status, StatusCode::CONFLICT, "{}", narrowed.text());
    assert_eq!(house.with_key(Method::GET, KEYS, &admin).await.status, StatusCode::OK);
    let sure = house.with_key(Method::DELETE, &format!("{own}?yes=true"), &admin).await;
    assert_eq!(sure.json(), json!({"done": true, "made": ["new"]}));
    assert_eq!(house.get(KEYS).await.status, StatusCode::OK, "the person always comes in");
}

#[tokio::test]
async fn keys_outlive_the_doorway_and_a_damaged_file_opens_nothing() {
    let house = House::new().await;
    let key = house.key("bot", &["GET /api/v1/status"]).await;
    let file = house.node.folder.path().join("program-keys.json");
    let good = std::fs::read(&file).expect("is there");
    std::fs::write(&file, "{").expect("writes");
    let again = House::of(house.node);
    let refused = again.with_key(Method::GET, STATUS, &key).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(refused.text().contains("program-keys.json"), "{}", refused.text());
    let new = json!({"name": "new", "rules": ["GET /api/v1/status"]});
    assert_eq!(again.post(KEYS, &new).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(again.get(STATUS).await.status, StatusCode::OK, "the person always comes in");
    assert_eq!(std::fs::read_to_string(&file).expect("is there"), "{");
    std::fs::write(&file, good).expect("is mended");
    assert_eq!(again.status_by(Method::GET, STATUS, &key).await.0, 200, "without a restart");
}
