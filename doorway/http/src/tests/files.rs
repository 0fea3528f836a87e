use serde_json::json;

use super::*;

async fn put(house: &House, name: &str, mime: &str, bytes: &'static [u8]) -> String {
    let path = format!("/api/v1/spaces/family/blobs?name={name}");
    let request = by_token(Method::PUT, &path).header(header::CONTENT_TYPE, mime);
    let reply = house.send(request.body(Body::from(bytes)).expect("a request")).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
    assert_eq!(reply.json()["size"], bytes.len());
    reply.json()["blob"].as_str().expect("a hash").to_owned()
}

#[tokio::test]
async fn a_file_goes_in_and_out_in_parts() {
    let house = House::new().await;
    house.found("family").await;
    let blob = put(&house, "ten.txt", "text/plain", b"0123456789").await;
    let at = format!("/api/v1/spaces/family/blobs/{blob}");
    let with = async |name: header::HeaderName, value: &str| {
        let request = by_token(Method::GET, &at).header(name, value);
        house.send(request.body(Body::empty()).expect("a request")).await
    };
    let whole = house.get(&at).await;
    assert_eq!((whole.status, &*whole.body), (StatusCode::OK, &b"0123456789"[..]));
    assert_eq!(whole.header(header::ETAG), format!("\"{blob}\""));
    assert_eq!(whole.header(header::CONTENT_LENGTH), "10");
    assert_eq!(whole.header(header::CONTENT_TYPE), "text/plain; charset=utf-8");
    assert_eq!(whole.header(header::CONTENT_SECURITY_POLICY), "sandbox; default-src 'none'");
    assert!(whole.header(header::CACHE_CONTROL).contains("private"));
    assert!(whole.header(header::CACHE_CONTROL).contains("immutable"));

    let part = with(header::RANGE, "bytes=2-4").await;
    assert_eq!((part.status, &*part.body), (StatusCode::PARTIAL_CONTENT, &b"234"[..]));
    assert_eq!(part.header(header::CONTENT_RANGE), "bytes 2-4/10");
    let end = with(header::RANGE, "bytes=-3").await;
    assert_eq!((end.status, &*end.body), (StatusCode::PARTIAL_CONTENT, &b"789"[..]));
    let none = with(header::RANGE, "bytes=10-").await;
    assert_eq!(none.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(none.header(header::CONTENT_RANGE), "bytes */10");
    let known = with(header::IF_NONE_MATCH, &format!("\"{blob}\"")).await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let stale = by_token(Method::GET, &at)
        .header(header::RANGE, "bytes=2-4")
        .header(header::IF_RANGE, "\"x\"");
    let stale = house.send(stale.body(Body::empty()).expect("a request")).await;
    assert_eq!(stale.status, StatusCode::OK);

    let head = house.send(by_token(Method::HEAD, &at).body(Body::empty()).expect("it")).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header(header::CONTENT_LENGTH), "10");

    let listed = house.get("/api/v1/spaces/family/blobs").await.json();
    assert_eq!(listed["blobs"][0]["name"], "ten.txt");
    assert_eq!(listed["blobs"][0]["here"], true);
    let other = house.get(&format!("/api/v1/spaces/family/blobs/{}", "a".repeat(52))).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    assert_eq!(
        house.get("/api/v1/spaces/family/blobs/nonsense").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_hostile_file_is_saved_not_shown() {
    let house = House::new().await;
    let space = house.found("family").await;
    let page: &[u8] = b"<script>alert(1)</script>";
    for (name, mime) in [
        ("x.html", "text/html"),
        ("x.xml", "text/xml"),
        ("x", "image/evil"),
        ("x.js", "text/javascript"),
    ] {
        let blob = put(&house, name, mime, page).await;
        let paths =
            [format!("/api/v1/spaces/{space}/blobs/{blob}"), format!("/s/{space}/b/{blob}/{name}")];
        for path in paths {
            let reply = house.page(&path).await;
            assert_eq!(reply.status, StatusCode::OK, "{path}");
            assert_eq!(reply.header(header::CONTENT_TYPE), "application/octet-stream", "{path}");
            assert!(reply.header(header::CONTENT_DISPOSITION).starts_with("attachment"), "{path}");
            let policy = reply.header(header::CONTENT_SECURITY_POLICY);
            assert_eq!(policy, "sandbox; default-src 'none'");
            assert_eq!(reply.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        }
    }
    let blob = put(&house, "x.svg", "image/svg+xml", b"<svg onload='alert(1)'/>").await;
    // The name in the address may claim what it likes.
    for name in ["x.svg", "x.png", "x.html", "x"] {
        let reply = house.page(&format!("/s/{space}/b/{blob}/{name}")).await;
        assert!(reply.header(header::CONTENT_SECURITY_POLICY).starts_with("sandbox"), "{name}");
        assert!(!reply.header(header::CONTENT_TYPE).contains("html"), "{name}");
    }
}

#[tokio::test]
async fn a_folder_goes_in_and_out_over_the_socket() {
    let house = House::new().await;
    let space = house.found("guide").await;
    let send = async |path: &str, body: Value| {
        let request = bare(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        send(&house.socket, request.body(Body::from(body.to_string())).expect("it")).await
    };
    let folder = guide();
    let reply = send(&format!("/api/v1/spaces/{space}/import"), json!({ "path": folder })).await;
    assert_eq!(reply.header(header::CONTENT_TYPE), "application/x-ndjson");
    let text = reply.text();
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (last, before) = lines.split_last().expect("lines");
    assert!(last["result"]["documents"].as_u64() > Some(50), "{text}");
    assert!(last["result"]["skipped"].is_array());
    assert!(before.iter().all(|line| line["progress"]["unit"].is_string()), "{text}");

    let out = tempfile::tempdir().expect("a folder");
    let reply =
        send(&format!("/api/v1/spaces/{space}/export"), json!({ "path": out.path() })).await;
    let text = reply.text();
    let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert!(last["result"]["files"].as_u64() > Some(50), "{text}");
    let file = "content/what-a-node-is.md";
    let (before, after) = (std::fs::read(folder.join(file)), std::fs::read(out.path().join(file)));
    assert_eq!(before.expect("it"), after.expect("it"));

    let relative = send("/api/v1/spaces/guide/import", json!({ "path": "here" })).await;
    assert_eq!(relative.status, StatusCode::BAD_REQUEST);
    let none = send("/api/v1/spaces/guide/import", json!({ "path": "/nowhere/at/all" })).await;
    let last: Value =
        serde_json::from_str(none.text().lines().last().expect("a line")).expect("JSON");
    assert!(last["error"]["code"].is_string() && last["error"]["fix"].is_string(), "{last}");
}

#[tokio::test]
async fn a_pack_goes_out_and_in_over_the_socket_only() {
    let house = House::new().await;
    let space = house.found("family").await;
    put(&house, "ten.txt", "text/plain", b"0123456789").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("family.kithpack");
    let send = async |path: &str, body: Value| {
        let request = bare(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        let reply = send(&house.socket, request.body(Body::from(body.to_string())).expect("it"));
        let text = reply.await.text();
        serde_json::from_str::<Value>(text.lines().last().expect("a line")).expect("JSON")
    };
    let made = send("/api/v1/spaces/family/pack", json!({ "file": file })).await;
    let made = &made["result"];
    assert_eq!(made["file"], json!(file));
    assert_eq!((&made["space"], &made["blobs"]), (&json!(space), &json!(1)));
    assert_eq!(made["entries"], 1, "{made}");
    assert!(made["attestations"].as_u64() > Some(0), "{made}");
    let bytes = std::fs::metadata(&file).expect("a file").len();
    assert_eq!(made["bytes"], bytes);

    let taken = send("/api/v1/unpack", json!({ "file": file })).await;
    let expected = json!({
        "space": space, "entries_new": 0, "entries_known": 1, "blobs_new": 0, "refused": [],
    });
    assert_eq!(taken["result"], expected);
    let later = folder.path().join("later.kithpack");
    let made = send("/api/v1/spaces/family/pack", json!({ "file": later, "since": file })).await;
    assert_eq!((&made["result"]["entries"], &made["result"]["blobs"]), (&json!(0), &json!(0)));

    std::fs::write(&file, "something else").expect("writes");
    let refused = send("/api/v1/unpack", json!({ "file": file })).await;
    assert_eq!(refused["error"]["code"], "invalid", "{refused}");
    let relative = send("/api/v1/unpack", json!({ "file": "here" })).await;
    assert_eq!(relative["code"], "invalid", "{relative}");
    for path in ["/api/v1/unpack", "/api/v1/spaces/family/pack"] {
        assert_eq!(house.post(path, &json!({ "file": file })).await.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_folder_is_synchronised_with_over_the_socket_only() {
    let house = House::new().await;
    let space = house.found("family").await;
    put(&house, "ten.txt", "text/plain", b"0123456789").await;
    let folder = tempfile::tempdir().expect("a folder");
    let send = async |body: Value| {
        let request = bare(Method::POST, "/api/v1/sync/folder");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let reply = send(&house.socket, request.body(Body::from(body.to_string())).expect("it"));
        let text = reply.await.text();
        serde_json::from_str::<Value>(text.lines().last().expect("a line")).expect("JSON")
    };
    let ask = json!({ "path": folder.path(), "space": "family" });
    let report = |pushed: u64, blobs_pushed: u64| {
        let of_space = json!({
            "space": space, "pushed": pushed, "pulled": 0,
            "blobs_pushed": blobs_pushed, "blobs_pulled": 0,
        });
        json!({
            "folder": folder.path(), "pushed": pushed, "pulled": 0, "refused": [],
            "passed_over": [], "spaces": [of_space],
        })
    };
    assert_eq!(send(ask.clone()).await["result"], report(1, 1));
    assert_eq!(send(ask.clone()).await["result"], report(0, 0));
    let in_it = folder.path().join("kith").join(space.to_string());
    let stranger = in_it.join("notes.txt");
    std::fs::write(&stranger, "x").expect("writes");
    let named = &send(ask.clone()).await["result"]["passed_over"][0];
    assert_eq!(named["path"], format!("{space}/notes.txt"), "{named}");
    let none = send(json!({ "path": folder.path().join("none") })).await;
    assert_eq!(none["error"]["code"], "not-found", "{none}");
    let unknown = send(json!({ "path": folder.path(), "space": "nobody's" })).await;
    assert_eq!(unknown["code"], "not-found", "{unknown}");
    assert_eq!(send(json!({ "path": "here" })).await["code"], "invalid");
    let outside = house.post("/api/v1/sync/folder", &ask).await;
    assert_eq!(outside.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn folders_are_kept_over_the_socket_only_and_shown_in_the_status() {
    let house = House::new().await;
    let space = house.found("album").await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = "/api/v1/folders";
    let ask = async |method: Method, body: Value| {
        let request = bare(method, path).header(header::CONTENT_TYPE, "application/json");
        send(&house.socket, request.body(Body::from(body.to_string())).expect("it")).await
    };
    let body = json!({ "path": folder.path(), "space": "album", "every_seconds": 60 });
    let outside = house.post(path, &body).await;
    assert_eq!(outside.status, StatusCode::FORBIDDEN, "{}", outside.text());
    assert_eq!(ask(Method::POST, body).await.json(), json!({ "done": true }));
    let status = house.get("/api/v1/status").await.json();
    let expected = json!([{ "path": folder.path(), "space": space, "every_seconds": 60,
        "state": "waiting", "since": null, "last_sync": null, "left_out": 0, "why": null,
        "fix": null }]);
    assert_eq!(status["folders"], expected);

    let relative = ask(Method::POST, json!({ "path": "here", "every_seconds": 60 })).await;
    assert_eq!(relative.status, StatusCode::BAD_REQUEST);
    let never = ask(Method::POST, json!({ "path": "/here", "every_seconds": 0 })).await;
    assert_eq!(never.status, StatusCode::BAD_REQUEST);
    let gone = ask(Method::DELETE, json!({ "path": folder.path() })).await;
    assert_eq!(gone.json(), json!({ "done": true }));
    let again = ask(Method::DELETE, json!({ "path": folder.path() })).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get("/api/v1/status").await.json()["folders"], json!([]));
}
