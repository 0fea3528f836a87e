//! The doorway: who may come in, and what they get.

use std::fs;

use acceptance::{Answer, Browser, Home, Running, text};
use bytes::Bytes;
use serde_json::json;

async fn open() -> (Home, Running, String) {
    let home = Home::new();
    let running = home.up().ready().await;
    home.new_space("album").await;
    let token = fs::read_to_string(home.data_dir().join("local-token")).expect("it is there");
    (home, running, token.trim().to_owned())
}

#[track_caller]
fn is_problem(answer: &Answer, status: u16, code: &str) {
    let problem = answer.json();
    assert_eq!((answer.status, text(&problem, "code")), (status, code), "{problem}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    for key in ["type", "title", "detail", "state", "fix"] {
        assert!(!text(&problem, key).is_empty(), "{problem}");
    }
}

#[tokio::test]
async fn health_is_for_everybody_and_the_rest_is_not() {
    let (_home, running, token) = open().await;
    let stranger = running.browser();
    assert_eq!(stranger.get("/health").await.json(), json!({"status": "ok"}));
    assert_eq!(stranger.get("/ready").await.status, 200);
    assert_eq!(text(&stranger.get("/version").await.json(), "name"), "kith");
    for path in ["/api/v1/status", "/api/v1/spaces/album/docs", "/api/v1/openapi.json"] {
        let refused = stranger.get(path).await;
        is_problem(&refused, 401, "not-signed-in");
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
    }
    for wrong in ["", "wrong", &token[1..], &format!("{token}x"), &token.to_uppercase()] {
        let refused = stranger.clone().with_token(wrong).get("/api/v1/status").await;
        is_problem(&refused, 401, "not-signed-in");
    }
    let known = stranger.with_token(&token);
    assert_eq!(text(&known.get("/api/v1/status").await.json(), "node"), running.node());
    let described = known.get("/api/v1/openapi.json").await.json();
    assert!(text(&described, "openapi").starts_with("3.1"));
}

#[tokio::test]
async fn other_hosts_and_origins_are_refused_even_with_the_token() {
    let (home, running, token) = open().await;
    let known = running.browser().with_token(&token);
    let address = known.address().to_owned();
    let port = address.rsplit(':').next().expect("a port");
    for host in ["evil.example", "127.0.0.1", &format!("evil.example:{port}"), ""] {
        let refused = known.clone().with("host", host).get("/api/v1/status").await;
        is_problem(&refused, 421, "wrong-host");
        let refused = known.clone().with("host", host).get("/health").await;
        is_problem(&refused, 421, "wrong-host");
    }
    let by_name = known.clone().with("host", &format!("localhost:{port}"));
    assert_eq!(by_name.get("/api/v1/status").await.status, 200);
    let foreign =
        ["http://evil.example", "null", "http://127.0.0.1:1", &format!("https://{address}")];
    for origin in foreign {
        let browser = known.clone().with("origin", origin);
        is_problem(&browser.get("/api/v1/status").await, 403, "foreign-origin");
        let made = browser.post("/api/v1/spaces", &json!({"name": "forged"})).await;
        is_problem(&made, 403, "foreign-origin");
    }
    let cross = known.clone().with("sec-fetch-site", "cross-site");
    is_problem(&cross.get("/api/v1/status").await, 403, "foreign-origin");
    let own = known.with("origin", &format!("http://{address}"));
    assert_eq!(own.get("/api/v1/status").await.status, 200);
    let spaces = home.kith(&["space", "list"]).json().await;
    assert!(!spaces.to_string().contains("forged"));
}

/// Follows the link that `kith up` printed.
async fn sign_in(running: &Running) -> Browser {
    let entry = text(&running.ready, "entry");
    let path = &entry[entry.find("/enter").expect("a link")..];
    let entered = running.browser().get(path).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/"));
    let cookie = entered.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();
    running.browser().with("cookie", &cookie)
}

#[tokio::test]
async fn the_entry_link_lets_a_browser_in() {
    let (_home, running, token) = open().await;
    let stranger = running.browser();
    let door = stranger.get("/").await;
    assert_eq!(door.status, 401);
    assert!(door.text().contains("<form") && !door.text().contains("album"));
    assert_eq!(stranger.get("/enter/0123456789abcdef").await.status, 401);

    let browser = sign_in(&running).await;
    let home = browser.get("/").await;
    assert!(home.status == 200 && home.text().contains("album"), "{}", home.text());
    assert!(home.header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(home.header("cache-control"), "no-store");
    assert!(!home.text().contains(&token), "a page holds the token");

    // A session may not change anything without saying where it comes from.
    let forged = browser.post("/api/v1/spaces", &json!({"name": "forged"})).await;
    is_problem(&forged, 403, "foreign-origin");
    let own = browser.clone().with("origin", &format!("http://{}", browser.address()));
    assert_eq!(own.post("/api/v1/spaces", &json!({"name": "mine"})).await.status, 201);

    let form = stranger.with("content-type", "application/x-www-form-urlencoded");
    let by_token = form.send("POST", "/enter", format!("token={token}").into()).await;
    assert_eq!(by_token.status, 303);
    assert_eq!(form.send("POST", "/enter", "token=wrong".into()).await.status, 401);
}

#[tokio::test]
async fn a_session_ends_with_its_node() {
    let (home, running, _) = open().await;
    let browser = sign_in(&running).await;
    let address = browser.address().to_owned();
    running.stop().await;
    let running = home.up().doorway(&address).ready().await;
    assert_eq!(browser.get("/").await.status, 401);
    let again = sign_in(&running).await;
    assert_eq!(again.get("/").await.status, 200);
}

#[tokio::test]
async fn parts_of_a_file_come_by_range() {
    let (_home, running, token) = open().await;
    let known = running.browser().with_token(&token);
    let bytes: Bytes = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let put = known.clone().with("content-type", "video/mp4");
    let put = put.send("PUT", "/api/v1/spaces/album/blobs?name=film.mp4", bytes.clone()).await;
    assert_eq!(put.status, 201, "{}", put.text());
    let path = format!("/api/v1/spaces/album/blobs/{}", text(&put.json(), "blob"));

    let whole = known.get(&path).await;
    assert!(whole.status == 200 && whole.body == bytes);
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert!(whole.header("cache-control").contains("immutable"));
    assert_eq!(whole.header("content-type"), "video/mp4");
    let tag = whole.header("etag").to_owned();
    for (range, from, to) in [
        ("0-0", 0, 1),
        ("65530-65550", 65_530, 65_551),
        ("-1", 299_999, 300_000),
        ("100000-", 100_000, 300_000),
    ] {
        let part = known.clone().with("range", &format!("bytes={range}")).get(&path).await;
        assert_eq!(part.status, 206, "{range}");
        assert_eq!(part.body, bytes.slice(from..to), "{range}");
        let place = format!("bytes {from}-{}/300000", to - 1);
        assert_eq!(part.header("content-range"), place);
    }
    let beyond = known.clone().with("range", "bytes=300000-").get(&path).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, "bytes */300000"));
    let cached = known.clone().with("if-none-match", &tag).get(&path).await;
    assert!(cached.status == 304 && cached.body.is_empty());
    let head = known.send("HEAD", &path, Bytes::new()).await;
    assert_eq!((head.status, head.header("content-length")), (200, "300000"));
    let missing = path.replace(|c: char| c.is_ascii_digit(), "a");
    assert_eq!(known.get(&missing).await.status, 404);
}

#[tokio::test]
async fn what_people_upload_cannot_run_in_the_session() {
    let (_home, running, token) = open().await;
    let known = running.browser().with_token(&token);
    let page = known.clone().with("content-type", "text/html");
    let put = page
        .send("PUT", "/api/v1/spaces/album/blobs?name=x.html", "<script>1</script>".into())
        .await;
    let hash = text(&put.json(), "blob").to_owned();
    let browser = sign_in(&running).await;
    for path in [format!("/s/album/b/{hash}/x.html"), format!("/api/v1/spaces/album/blobs/{hash}")]
    {
        let got = browser.get(&path).await;
        assert_eq!(got.status, 200, "{path}");
        assert!(got.header("content-disposition").starts_with("attachment"), "{path}");
        assert!(got.header("content-security-policy").contains("sandbox"), "{path}");
        assert_eq!(got.header("x-content-type-options"), "nosniff", "{path}");
        assert_ne!(got.header("content-type"), "text/html", "{path}");
    }
}

#[tokio::test]
async fn folders_of_this_machine_are_only_for_the_socket() {
    let (_home, running, token) = open().await;
    let known = running.browser().with_token(&token);
    for route in ["import", "export"] {
        let path = format!("/api/v1/spaces/album/{route}");
        let refused = known.post(&path, &json!({"path": "/etc"})).await;
        is_problem(&refused, 403, "socket-only");
    }
}

#[tokio::test]
async fn documents_are_json_and_patches_are_changes() {
    let (home, running, token) = open().await;
    let known = running.browser().with_token(&token);
    let docs = "/api/v1/spaces/album/docs";
    let made = known.post(docs, &json!({"type": "note", "value": {"a": [1]}})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let doc = text(&made.json(), "doc").to_owned();
    let path = format!("{docs}/{doc}");
    let patch = known.clone().with("content-type", "application/json-patch+json");
    let operations = json!([
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "add", "path": "/a/-", "value": {"b": null}},
        {"op": "add", "path": "/c", "value": "d"},
    ]);
    let patched = patch.send("PATCH", &path, operations.to_string().into()).await;
    assert_eq!(patched.status, 200, "{}", patched.text());
    assert_eq!(home.value("album", &doc).await, json!({"a": [1, {"b": null}], "c": "d"}));
    let half = json!([
        {"op": "add", "path": "/e", "value": 1},
        {"op": "test", "path": "/c", "value": "not d"},
    ]);
    let refused = patch.send("PATCH", &path, half.to_string().into()).await;
    is_problem(&refused, 409, "conflict");
    assert_eq!(home.value("album", &doc).await, json!({"a": [1, {"b": null}], "c": "d"}));
    for bad in ["", "{", "[{}]", "null", "[{\"op\": \"add\", \"path\": \"/@kith\", \"value\": 1}]"]
    {
        let refused = patch.send("PATCH", &path, bad.to_owned().into()).await;
        assert!((400..500).contains(&refused.status), "{bad}: {}", refused.text());
    }
    let removed = known.send("DELETE", &path, Bytes::new()).await;
    assert!((200..300).contains(&removed.status));
    assert_eq!(known.get(&path).await.status, 404);
}
