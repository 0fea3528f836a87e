//! What the audit log says of a request, and what it never says.

use node_model::Timestamp;
use node_runtime::audit::Wanted;
use serde_json::{Map, json};

use super::*;

const SECRET: &str = "secretword";

impl House {
    async fn noted(&self) -> Vec<Map<String, Value>> {
        let wanted = Wanted { since: Timestamp(0), event: None };
        self.node.handle.audit().read(wanted).await.expect("reads").records
    }

    /// The last record, without what differs from run to run.
    async fn last(&self) -> Value {
        let mut last = self.noted().await.pop().expect("a record");
        assert!(last.remove("at").is_some_and(|at| at.is_string()));
        assert!(last.remove("duration_ms").is_some_and(|ms| ms.is_u64()));
        Value::Object(last)
    }

    fn whole_log(&self) -> String {
        std::fs::read_to_string(self.node.folder.path().join("audit.jsonl")).expect("is there")
    }
}

async fn knock(house: &House, request: Builder) -> StatusCode {
    house.send(request.body(Body::empty()).expect("a request")).await.status
}

#[tokio::test]
async fn a_search_is_noted_without_its_words() {
    let house = House::new().await;
    let space = house.found("garden").await;
    let new = json!({ "id": "beds", "value": { "title": SECRET, "content": SECRET } });
    house.post("/api/v1/spaces/garden/docs", &new).await;

    house.get(&format!("/api/v1/search?q=%C3%BC+{SECRET}+OR+-{SECRET}x&space=garden")).await;
    house.get(&format!("/api/v1/search?q={SECRET}&space=garden")).await;
    let expected = json!({
        "event": "search", "by": "local-token", "what": "GET /api/v1/search",
        "space": space.to_string(), "query_characters": 10, "results": 1,
        "outcome": "allowed", "status": 200,
    });
    assert_eq!(house.last().await, expected);

    house.page(&format!("/search?q={SECRET}")).await;
    let expected = json!({
        "event": "search", "by": "session", "what": "GET /search", "query_characters": 10,
        "results": 1, "outcome": "allowed", "status": 200,
    });
    assert_eq!(house.last().await, expected);
    house.page("/search").await;
    assert_eq!(house.last().await, expected, "an empty field is no search");

    let query = format!("q={SECRET}{}", "%00%0A%22%1b%7D%E2%80%A8");
    knock(&house, stranger(Method::GET, &format!("/api/v1/search?{query}"))).await;
    let expected = json!({
        "event": "search", "by": "nobody", "what": "GET /api/v1/search",
        "outcome": "denied", "status": 401, "error": "not-signed-in",
    });
    assert_eq!(house.last().await, expected);
    house.get(&format!("/api/v1/search?{query}")).await;
    house.get(&format!("/api/v1/search?q=-{SECRET}&space={SECRET}")).await;
    let count = house.noted().await.len();
    let whole = house.whole_log();
    assert_eq!(whole.lines().count(), count, "one record is one line");
    assert!(!whole.contains(SECRET) && !whole.contains("garden"), "{whole}");
}

#[tokio::test]
async fn denials_are_noted_without_what_was_offered() {
    let house = House::new().await;
    house.found("garden").await;
    let denied = |by: &str, what: &str, status: u16, error: &str| {
        json!({
            "event": "access", "by": by, "what": what, "outcome": "denied",
            "status": status, "error": error,
        })
    };
    let named = format!("/api/v1/spaces/{SECRET}");
    knock(&house, stranger(Method::GET, &named).header(header::AUTHORIZATION, "Bearer guess"))
        .await;
    let expected = denied("nobody", "GET /api/v1/spaces/{space}", 401, "not-signed-in");
    assert_eq!(house.last().await, expected);
    house.get(&named).await;
    let expected = denied("local-token", "GET /api/v1/spaces/{space}", 404, "not-found");
    assert_eq!(house.last().await, expected);
    knock(&house, bare(Method::GET, "/health").header(header::HOST, SECRET)).await;
    assert_eq!(house.last().await, denied("nobody", "GET /health", 421, "wrong-host"));
    let foreign = format!("http://{SECRET}.example");
    knock(&house, by_session(Method::POST, "/enter").header(header::ORIGIN, &foreign)).await;
    assert_eq!(house.last().await, denied("nobody", "POST /enter", 403, "foreign-origin"));
    house.post("/api/v1/spaces/garden/export", &json!({ "path": SECRET })).await;
    let expected = denied("local-token", "POST /api/v1/spaces/{space}/export", 403, "socket-only");
    assert_eq!(house.last().await, expected);
    let odd = Method::from_bytes(SECRET.as_bytes()).expect("a token");
    knock(&house, stranger(odd, &format!("/{SECRET}")).header(header::ORIGIN, &foreign)).await;
    assert_eq!(house.last().await, denied("nobody", "OTHER", 403, "foreign-origin"));
    knock(&house, stranger(Method::GET, &format!("/enter/{SECRET}"))).await;
    assert_eq!(house.last().await, denied("nobody", "GET /enter/{code}", 401, "not-signed-in"));
    knock(&house, stranger(Method::GET, "/")).await;
    assert_eq!(house.last().await, denied("nobody", "GET /", 401, "not-signed-in"));

    let whole = house.whole_log();
    for secret in [SECRET, TOKEN, SESSION, CODE, "guess", "garden"] {
        assert!(!whole.contains(secret), "{secret}: {whole}");
    }
}

#[tokio::test]
async fn changes_and_reads_are_noted_with_ids_and_nothing_else_is() {
    let house = House::new().await;
    let space = house.found("garden").await;
    let founded = json!({
        "event": "access", "by": "local-token", "what": "POST /api/v1/spaces",
        "space": space.to_string(), "outcome": "allowed", "status": 201,
    });
    assert_eq!(house.last().await, founded);
    let new = json!({ "id": SECRET, "value": { "title": SECRET } });
    let made = house.post("/api/v1/spaces/garden/docs", &new).await.json();
    let expected = |by: &str, what: &str, status: u16| {
        json!({
            "event": "access", "by": by, "what": what, "space": space.to_string(),
            "doc": made["doc"], "outcome": "allowed", "status": status,
        })
    };
    let what = "POST /api/v1/spaces/{space}/docs";
    assert_eq!(house.last().await, expected("local-token", what, 201));
    house.get(&format!("/api/v1/spaces/garden/docs/{SECRET}")).await;
    let what = "GET /api/v1/spaces/{space}/docs/{doc}";
    assert_eq!(house.last().await, expected("local-token", what, 200));
    house.page(&format!("/s/garden/d/{SECRET}")).await;
    assert_eq!(house.last().await, expected("session", "GET /s/{space}/d/{doc}", 200));
    let request = bare(Method::DELETE, &format!("/api/v1/spaces/garden/docs/{SECRET}"));
    let removed = send(&house.socket, request.body(Body::empty()).expect("a request")).await;
    assert!(removed.status.is_success(), "{}", removed.text());
    let what = "DELETE /api/v1/spaces/{space}/docs/{doc}";
    let status = removed.status.as_u16();
    assert_eq!(house.last().await, expected("local-socket", what, status));

    let file = by_token(Method::POST, &format!("/api/v1/spaces/garden/blobs?name={SECRET}.txt"));
    let put = house.send(file.body(Body::from(SECRET)).expect("a request")).await.json();
    let hash = put["blob"].as_str().expect("a hash");
    house.page(&format!("/s/garden/b/{hash}/{SECRET}.txt")).await;
    let expected = json!({
        "event": "access", "by": "session", "what": "GET /s/{space}/b/{hash}/{name}",
        "space": space.to_string(), "blob": hash, "outcome": "allowed", "status": 200,
    });
    assert_eq!(house.last().await, expected);

    let count = house.noted().await.len();
    for path in ["/health", "/ready", "/assets/kith.css", "/api/v1/status", "/api/v1/spaces"] {
        assert_eq!(house.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(house.page("/").await.status, StatusCode::OK);
    assert_eq!(house.get("/favicon.ico").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.noted().await.len(), count);
    let whole = house.whole_log();
    assert!(!whole.contains(SECRET) && !whole.contains("garden"), "{whole}");
}

#[tokio::test]
async fn whoever_comes_in_is_noted_and_so_is_who_hangs_up() {
    let house = House::new().await;
    knock(&house, stranger(Method::GET, &format!("/enter/{CODE}"))).await;
    let entered = house.last().await;
    assert_eq!((&entered["by"], &entered["outcome"]), (&json!("entry-code"), &json!("allowed")));

    // The body never comes, so the answer cannot; then the sender goes.
    let never = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let request = by_token(Method::POST, "/api/v1/spaces")
        .header(header::CONTENT_TYPE, "application/json")
        .body(never)
        .expect("a request");
    let mut answer = Box::pin(house.tcp.clone().oneshot(request));
    assert!(futures::poll!(&mut answer).is_pending());
    drop(answer);
    let expected = json!({
        "event": "access", "by": "local-token", "what": "POST /api/v1/spaces",
        "outcome": "failed", "error": "unanswered",
    });
    assert_eq!(house.last().await, expected);
}

#[tokio::test]
async fn the_log_is_read_over_the_doorway() {
    let house = House::new().await;
    house.found("garden").await;
    house.get(&format!("/api/v1/search?q={SECRET}")).await;
    assert_eq!(house.noted().await.len(), 2);
    let path = house.node.folder.path().join("audit.jsonl");
    // Something wrote after us, and died over it.
    let mut file = std::fs::OpenOptions::new().append(true).open(path).expect("opens");
    let odd = b"{\"at\":\"2999-01-01T00:00:00Z\",\"event\":\"access\",\"by\":5}\n{\"at\":\"2";
    std::io::Write::write_all(&mut file, odd).expect("writes");

    let log = house.get("/api/v1/log").await.json();
    let whats: Vec<_> =
        log["records"].as_array().expect("records").iter().map(|it| it["what"].clone()).collect();
    assert_eq!(whats, ["POST /api/v1/spaces", "GET /api/v1/search"]);
    assert_eq!((&log["truncated"], &log["passed_over"]), (&json!(false), &json!(2)));
    let searches = house.get("/api/v1/log?hours=1&event=search").await.json();
    assert_eq!(searches["records"].as_array().map(Vec::len), Some(1));
    assert_eq!(searches["records"][0], log["records"][1]);
    for wrong in ["hours=0", "hours=876601", "hours=-1", "hours=x", "event=", "event=gossip"] {
        let reply = house.get(&format!("/api/v1/log?{wrong}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(knock(&house, stranger(Method::GET, "/api/v1/log")).await, 401);
}
