use serde_json::json;

use super::*;

#[tokio::test]
async fn what_is_missing_is_named_until_it_is_here() {
    let house = House::new().await;
    let space = house.found("family").await;
    let well = json!({ "causes": [], "complete": true });
    assert_eq!(house.get("/api/v1/doctor").await.json(), well);
    assert!(!house.page("/").await.text().contains("Not up to date"));

    let file = by_token(Method::POST, "/api/v1/spaces/family/blobs?name=here.txt");
    let file = file.header(header::CONTENT_TYPE, "text/plain").body(Body::from("here"));
    assert!(house.send(file.expect("a request")).await.status.is_success());
    assert_eq!(house.get("/api/v1/doctor").await.json(), well);

    let new = json!({ "id": "album", "type": "note", "value": { "blob": "a".repeat(52) } });
    let made = house.post("/api/v1/spaces/family/docs", &new).await.json();
    let doc = made["doc"].as_str().expect("an id");
    let asked = ["", "?space=family", "?space=family&doc=album", "?doc=album"];
    for query in asked.into_iter().map(ToOwned::to_owned).chain([format!("?doc={doc}")]) {
        let found = house.get(&format!("/api/v1/doctor{query}")).await.json();
        assert_eq!(found["causes"].as_array().map(Vec::len), Some(1), "{query}: {found}");
        let cause = &found["causes"][0];
        assert_eq!(cause["space"], space.to_string(), "{query}");
        assert_eq!((&cause["doc"], &cause["peer"]), (&json!(null), &json!(null)), "{query}");
        assert_eq!(cause["cause"], "missing-files", "{query}");
        assert_eq!(cause["space_name"], "family", "{query}");
        assert!(cause["since"].as_str().is_some_and(|at| at.ends_with('Z')), "{query}");
        let words = cause["words"].as_str().expect("a sentence");
        assert!(words.contains("1 file of family"), "{words}");
        assert!(cause["next"].as_str().is_some_and(|next| next.contains("kith sync")), "{query}");
    }
    let page = house.page("/").await.text();
    assert!(page.contains("Not up to date") && page.contains("1 file of family"), "{page}");
    let removed = by_token(Method::DELETE, &format!("/api/v1/spaces/family/docs/{doc}"));
    house.send(removed.body(Body::empty()).expect("a request")).await;
    let found = house.get("/api/v1/doctor?space=family&doc=album").await;
    assert_eq!(found.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_not_here_is_not_found() {
    let house = House::new().await;
    house.found("family").await;
    for query in ["space=nowhere", "space=nowhere&doc=x", "space=family&doc=x", "doc=x"] {
        let reply = house.get(&format!("/api/v1/doctor?{query}")).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{query}");
        assert_eq!(reply.json()["code"], "not-found", "{query}");
    }
    let request = stranger(Method::GET, "/api/v1/doctor").body(Body::empty());
    let reply = house.send(request.expect("a request")).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}
