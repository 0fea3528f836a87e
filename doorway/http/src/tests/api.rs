use serde_json::json;

use super::*;

#[tokio::test]
async fn open_routes_need_only_the_right_host() {
    let house = House::new().await;
    for (path, key, value) in
        [("/health", "status", "ok"), ("/ready", "status", "ready"), ("/version", "name", "kith")]
    {
        let reply = house.send(stranger(Method::GET, path).body(Body::empty()).expect("it")).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.json()[key], value);
    }
}

#[tokio::test]
async fn status_has_its_shape() {
    let house = House::new().await;
    house.found("family").await;
    let status = house.get("/api/v1/status").await.json();
    for key in ["node", "agent", "version", "name", "device"] {
        assert!(status[key].is_string(), "{key}");
    }
    for key in ["listen", "peers", "spaces"] {
        assert!(status[key].is_array(), "{key}");
    }
    assert!(status["storage"].is_object());
    let space =
        status["spaces"].as_array().expect("spaces").iter().find(|it| it["name"] == "family");
    let space = space.expect("the space");
    assert_eq!((&space["reach"], &space["role"]), (&json!("private"), &json!("admin")));
    let info = house.get("/api/v1/info").await.json();
    assert_eq!(info["node"], status["node"]);
    assert_eq!(info["name"], "Ada");
}

#[tokio::test]
async fn a_document_lives() {
    let house = House::new().await;
    house.found("family").await;
    let docs = "/api/v1/spaces/family/docs";
    let new = json!({ "type": "note", "title": "T", "value": { "list": [1, 2], "who": "ada" } });
    let made = house.post(docs, &new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let doc = made.json()["doc"].as_str().expect("an id").to_owned();
    let at = format!("{docs}/{doc}");

    let read = house.get(&at).await.json();
    assert_eq!(read["value"], json!({ "list": [1, 2], "who": "ada", "title": "T" }));
    assert_eq!((&read["type"], &read["title"]), (&json!("note"), &json!("T")));
    assert_eq!(house.get(&format!("{at}?path=/list/1")).await.json()["value"], 2);
    assert_eq!(house.get(&format!("{at}?path=who")).await.json()["value"], "ada");
    assert_eq!(house.get(&format!("{at}?path=/nothing")).await.status, StatusCode::NOT_FOUND);

    let patch = json!([{ "op": "test", "path": "/who", "value": "ada" },
        { "op": "add", "path": "/list/-", "value": 3 }]);
    let patched = house.with_json(Method::PATCH, &at, &patch).await;
    assert_eq!(patched.status, StatusCode::OK, "{}", patched.text());
    assert_eq!(patched.json()["durability"], "local");
    assert_ne!(patched.json()["heads"], made.json()["heads"]);
    let stale = json!([{ "op": "test", "path": "/who", "value": "bob" }]);
    let refused = house.with_json(Method::PATCH, &at, &stale).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.json()["code"], "conflict");
    assert_eq!(refused.header(header::CONTENT_TYPE), "application/problem+json");

    let set = json!({ "path": "/who", "value": "eve" });
    let reply = house.with_json(Method::PUT, &format!("{at}/value"), &set).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(house.get(&at).await.json()["value"]["who"], "eve");
    let history = house.get(&format!("{at}/history")).await.json();
    assert_eq!(history["history"].as_array().map(Vec::len), Some(3));

    let removed = house.send(by_token(Method::DELETE, &at).body(Body::empty()).expect("it")).await;
    assert_eq!(removed.status, StatusCode::OK);
    assert_eq!(house.get(&at).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn programs_look_back_restore_and_count() {
    let house = House::new().await;
    house.found("family").await;
    let docs = "/api/v1/spaces/family/docs";
    let made = house.post(docs, &json!({ "value": { "n": 1 } })).await.json();
    let at = format!("{docs}/{}", made["doc"].as_str().expect("an id"));
    for by in [5, -2] {
        let patch = json!([{ "op": "increment", "path": "/n", "by": by }]);
        let counted = house.with_json(Method::PATCH, &at, &patch).await;
        assert_eq!(counted.status, StatusCode::OK, "{}", counted.text());
    }
    assert_eq!(house.get(&at).await.json()["value"], json!({ "n": 4 }));
    let whole = house.get(&format!("{at}/history?limit=999999")).await.json();
    let changes = whole["history"].as_array().expect("a list");
    // One that made the counter is among them, and carries no time.
    assert_eq!((changes.len(), &whole["total"]), (4, &json!(4)));
    let edit = &changes[0]["edits"][0];
    assert_eq!(
        (&edit["op"], &edit["by"], &edit["new"]),
        (&json!("increment"), &json!(-2), &json!(4))
    );
    assert!(changes.iter().any(|change| change["at"].is_null()));
    assert!(changes.iter().all(|change| change["by"]["agent"].is_string()));
    let page = house.get(&format!("{at}/history?limit=0")).await.json();
    assert_eq!((&page["history"][0], &page["next"]), (&changes[0], &changes[0]["change"]));
    let next = page["next"].as_str().expect("there is more");
    let rest = house.get(&format!("{at}/history?before={next}")).await.json();
    assert_eq!(rest["history"].as_array().expect("a list"), &changes[1..]);

    let before = changes[1]["change"].as_str().expect("a hash");
    let past = house.get(&format!("{at}?at={before}&path=/n")).await.json();
    assert_eq!((&past["value"], &past["heads"]), (&json!(6), &json!([before])));
    let restored = house.post(&format!("{at}/restore"), &json!({ "at": before })).await;
    assert_eq!(restored.status, StatusCode::OK, "{}", restored.text());
    assert_eq!(house.get(&at).await.json()["value"], json!({ "n": 6 }));

    for odd in ["history?before=xyz", "history?limit=-1", "history?before="] {
        let refused = house.get(&format!("{at}/{odd}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{odd}");
    }
    let unknown = "f".repeat(64);
    assert_eq!(house.get(&format!("{at}?at={unknown}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get(&format!("{at}?at=")).await.status, StatusCode::BAD_REQUEST);
    for body in [json!({}), json!({ "at": "now" }), json!({ "at": 5 })] {
        let refused = house.post(&format!("{at}/restore"), &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let far = json!([{ "op": "increment", "path": "/n", "by": i64::MAX }]);
    let refused = house.with_json(Method::PATCH, &at, &far).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn documents_have_names_and_pages() {
    let house = House::new().await;
    house.found("family").await;
    let docs = "/api/v1/spaces/family/docs";
    for at in 0..5 {
        let new = json!({ "id": format!("n{at}"), "type": "note", "value": {} });
        assert_eq!(house.post(docs, &new).await.status, StatusCode::CREATED);
    }
    let named = json!({ "path": "a/b.json", "value": {} });
    assert_eq!(house.post(docs, &named).await.status, StatusCode::CREATED);
    let again = house.post(docs, &json!({ "id": "n1", "value": {} })).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(house.get(&format!("{docs}/n1")).await.json()["value"]["id"], "n1");
    assert_eq!(house.get(&format!("{docs}/a%2Fb.json")).await.json()["type"], "json");

    let mut found = Vec::new();
    let mut next = format!("{docs}?type=note&limit=2");
    loop {
        let page = house.get(&next).await.json();
        let lines = page["docs"].as_array().expect("docs");
        found.extend(lines.iter().map(|line| line["id"].as_str().expect("an id").to_owned()));
        let Some(after) = page["next"].as_str() else {
            break;
        };
        next = format!("{docs}?type=note&limit=2&after={after}");
    }
    found.sort();
    assert_eq!(found, ["n0", "n1", "n2", "n3", "n4"]);
}

#[tokio::test]
async fn what_makes_no_sense_is_a_problem() {
    let house = House::new().await;
    house.found("family").await;
    let docs = "/api/v1/spaces/family/docs";
    let send = async |kind: &str, body: Body| {
        let request = by_token(Method::POST, docs).header(header::CONTENT_TYPE, kind);
        house.send(request.body(body).expect("a request")).await
    };
    let not_json = send("text/plain", Body::from("{}")).await;
    assert_eq!(not_json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(send("application/json", Body::from("{")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(send("application/json", Body::from("[]")).await.status, StatusCode::BAD_REQUEST);
    let large = send("application/json", Body::from(vec![b' '; 10 * 1024 * 1024 + 1])).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let many = format!(r#"{{"value": {{"a": [{}0]}}}}"#, "0,".repeat(1 << 20));
    let many = send("application/json", Body::from(many)).await;
    assert_eq!(many.status, StatusCode::PAYLOAD_TOO_LARGE);

    let announced = by_token(Method::POST, docs)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, "99999999999")
        .body(Body::from("{}"));
    let reply = house.send(announced.expect("a request")).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);

    for path in ["/api/v1/spaces/none", "/api/v1/spaces/family/docs/none", "/api/v1/none", "/x"] {
        let reply = house.get(path).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        let problem = reply.json();
        for key in ["type", "title", "code", "detail", "state", "fix"] {
            assert!(problem[key].is_string(), "{path} {key}");
        }
        assert_eq!(problem["status"], 404);
    }
    let reply = house.with_json(Method::PATCH, "/api/v1/spaces", &json!([])).await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(reply.json()["code"], "wrong-method");
    for (agent, status) in [("did:key:x", StatusCode::BAD_REQUEST), ("x", StatusCode::NOT_FOUND)] {
        let nobody = json!({ "agent": agent, "role": "reader" });
        let members = house.post("/api/v1/spaces/family/members", &nobody).await;
        assert_eq!(members.status, status);
    }
    let ticket =
        house.post("/api/v1/tickets", &json!({ "role": "owner", "space": "family" })).await;
    assert_eq!(ticket.status, StatusCode::BAD_REQUEST);
    let pair = house.post("/api/v1/pair", &json!({ "ticket": "hello" })).await;
    assert_eq!(pair.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn people_and_spaces_are_listed() {
    let house = House::new().await;
    let space = house.found("family").await;
    let spaces = house.get("/api/v1/spaces").await.json();
    assert!(spaces["spaces"].as_array().expect("spaces").iter().any(|it| it["name"] == "family"));
    let shown = house.get(&format!("/api/v1/spaces/{space}")).await.json();
    assert_eq!((&shown["name"], &shown["documents"]), (&json!("family"), &json!(0)));
    let members = house.get("/api/v1/spaces/family/members").await.json();
    assert_eq!(members["members"][0]["role"], "admin");
    assert!(house.get("/api/v1/peers").await.json()["peers"].is_array());
    assert!(house.get("/api/v1/pairings").await.json()["pairings"].is_array());
    let ticket =
        house.post("/api/v1/tickets", &json!({ "space": "family", "role": "writer" })).await;
    assert!(ticket.json()["ticket"].as_str().expect("a ticket").starts_with("kith1"));
    assert!(ticket.json()["expires_at"].as_str().expect("a time").ends_with('Z'));
    let synced =
        house.send(by_token(Method::POST, "/api/v1/sync").body(Body::empty()).expect("it")).await;
    assert_eq!(synced.json()["pulled"], 0, "{}", synced.text());
}

#[tokio::test]
async fn events_follow_changes() {
    let house = House::new().await;
    let space = house.found("family").await;
    let request = by_token(Method::GET, "/api/v1/events").body(Body::empty());
    let asked = house.tcp.clone().oneshot(request.expect("a request"));
    let response = asked.await.expect("infallible");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body();
    let docs = "/api/v1/spaces/family/docs";
    let made = house.post(docs, &json!({ "value": {} })).await.json();
    let doc = made["doc"].as_str().expect("an id");
    let mut seen = String::new();
    while !seen.contains(doc) {
        let frame = body.frame().await.expect("more events").expect("no error");
        seen.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
    }
    assert!(seen.contains("event: changed") && seen.contains(&space.to_string()), "{seen}");
}

#[tokio::test]
async fn whoever_keeps_the_stamp_is_told_what_changed_since() {
    let house = House::new().await;
    let album = house.found("album").await;
    let path = format!("/api/v1/spaces/{album}/changes");
    let since = async |stamp: &str| house.get(&format!("{path}?since={stamp}")).await.json();
    let write = async |id: &str| {
        let new = json!({"id": id, "value": {"title": id}});
        house.post(&format!("/api/v1/spaces/{album}/docs"), &new).await.json()["doc"].clone()
    };
    let first = write("first").await;
    let all = house.get(&path).await.json();
    assert_eq!(
        (&all["docs"], &all["all"], &all["more"]),
        (&json!([first]), &json!(true), &json!(false))
    );
    let stamp = all["stamp"].as_str().expect("a stamp").to_owned();
    let none = since(&stamp).await;
    assert_eq!(
        (&none["docs"], &none["all"], &none["stamp"]),
        (&json!([]), &json!(false), &json!(stamp))
    );
    let second = write("second").await;
    let doomed = format!("/api/v1/spaces/{album}/docs/first");
    let removed = house.with_json(Method::DELETE, &doomed, &json!({})).await;
    assert_eq!(removed.status, StatusCode::OK);
    let changed = since(&stamp).await;
    let mut docs = changed["docs"].as_array().expect("a list").clone();
    docs.sort_by_key(ToString::to_string);
    let mut expected = [first.clone(), second.clone()];
    expected.sort_by_key(ToString::to_string);
    assert_eq!((docs.as_slice(), &changed["all"]), (&expected[..], &json!(false)));
    // A stamp that is none of this space's is no reason to miss something.
    assert_eq!(since(&"00".repeat(64)).await["all"], json!(true));
    for bad in ["x", "0", "zz"] {
        assert_eq!(house.get(&format!("{path}?since={bad}")).await.status, StatusCode::BAD_REQUEST);
    }
    let nowhere = house.get("/api/v1/spaces/nothing/changes").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_arrived_is_told_entry_by_entry_and_by_kind() {
    let house = House::new().await;
    let album = house.found("album").await;
    let path = format!("/api/v1/spaces/{album}/arrivals");
    let new = json!({"id": "first", "value": {"title": "first"}});
    let made = house.post(&format!("/api/v1/spaces/{album}/docs"), &new).await.json();
    let all = house.get(&path).await.json();
    let entry = &all["entries"][0];
    assert_eq!(
        (&entry["position"], &entry["doc"], &entry["kind"], &entry["name"]),
        (&json!(1), &made["doc"], &json!("local"), &json!("Ada"))
    );
    let stamp = all["stamp"].as_str().expect("a stamp");
    let later = house.get(&format!("{path}?since={stamp}")).await.json();
    assert_eq!((&later["entries"], &later["all"]), (&json!([]), &json!(false)));
    let others = house.get(&format!("{path}?kinds=new,backfill,outlier")).await.json();
    assert_eq!((&others["entries"], &others["stamp"]), (&json!([]), &all["stamp"]));
    for bad in ["?kinds=old", "?kinds=", "?since=x"] {
        let refused = house.get(&format!("{path}{bad}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn what_does_not_fit_its_schema_is_kept_and_said() {
    let house = House::new().await;
    let space = house.found("family").await;
    let path = json!({ "title": "P", "odd": { "kept": [1] }, "chapters": [{ "title": "C", "steps": [
        { "id": "s", "step_title": "<b>Knots", "mastery_threshold": 9 } ]}]});
    let new = json!({ "id": "p", "type": "learning-path", "value": path });
    let docs = "/api/v1/spaces/family/docs";
    assert_eq!(house.post(docs, &new).await.status, StatusCode::CREATED);
    let read = house.get(&format!("{docs}/p")).await.json();
    let said = [
        "Step 1 (“<b>Knots”) leads nowhere: it has no “resource_id”.",
        "Step 1 (“<b>Knots”) has “mastery_threshold”, but it is not 0 to 7: 9.",
    ];
    assert_eq!(read["validation"], json!(said));
    assert_eq!(read["value"]["odd"], path["odd"]);
    let part = house.get(&format!("{docs}/p?path=title")).await.json();
    assert_eq!((&part["value"], &part["validation"]), (&json!("P"), &json!(said)));
    let page = house.page(&format!("/s/{space}/d/p")).await.text();
    assert!(page.contains("not as Kith expects it"), "{page}");
    assert!(page.contains("(“&lt;b&gt;Knots”) leads nowhere") && !page.contains("<b>Knots"));

    let mended = json!({ "op": "replace", "path": "/chapters/0/steps/0",
        "value": { "id": "s", "resource_id": "x" } });
    let patched = house.with_json(Method::PATCH, &format!("{docs}/p"), &json!([mended])).await;
    assert_eq!(patched.status, StatusCode::OK, "{}", patched.text());
    assert!(house.get(&format!("{docs}/p")).await.json().get("validation").is_none());
    assert!(!house.page(&format!("/s/{space}/d/p")).await.text().contains("not as Kith expects"));
}

#[tokio::test]
async fn nothing_in_the_guide_is_odd() {
    let (house, _) = House::with_guide().await;
    let listed = house.get("/api/v1/spaces/guide/docs").await.json();
    let mut checked = 0;
    for line in listed["docs"].as_array().expect("documents") {
        let doc = line["doc"].as_str().expect("an id");
        let read = house.get(&format!("/api/v1/spaces/guide/docs/{doc}")).await.json();
        assert_eq!(read.get("validation"), None, "{}", read["title"]);
        checked +=
            usize::from(["content", "learning-path"].iter().any(|kind| read["type"] == *kind));
    }
    assert!(checked > 40, "{checked}");
}

#[tokio::test]
async fn the_status_says_what_was_bundled() {
    let house = House::new().await;
    let path = format!("/api/v1/spaces/{}/docs", house.found("album").await);
    house.post(&path, &json!({"id": "one", "value": {"title": "One"}})).await;
    let bundled = house.get("/api/v1/status").await.json()["compaction"].clone();
    let expected = json!({
        "bundles": 0, "entries": 0, "entry_bytes": 0, "bundle_bytes": 0, "last_at": null,
        "dropped": 0, "waiting": 1, "waiting_changes": 1, "collected_entries": 0,
        "collected_bytes": 0, "last_collected_at": null,
    });
    assert_eq!(bundled, expected);
}
