use serde_json::json;

use super::*;

/// All addresses in a page.
fn addresses(page: &str, attribute: &str) -> Vec<String> {
    let marker = format!("{attribute}=\"");
    let pieces = page.split(&marker).skip(1);
    pieces.filter_map(|piece| piece.split('"').next()).map(|it| it.replace("&amp;", "&")).collect()
}

#[track_caller]
fn assert_calm(page: &str) {
    assert!(page.contains("<html lang=\"en\">") && page.contains("<main id=\"main\""));
    assert!(page.contains("class=\"skip\"") && page.matches("<h1").count() == 1, "{page}");
    for banned in ["<script", "=\"javascript:", " style=", " onclick", "<style", "<iframe"] {
        assert!(!page.contains(banned), "{banned}");
    }
    for image in page.split("<img ").skip(1) {
        assert!(image.split('>').next().is_some_and(|tag| tag.contains("alt=")), "{image}");
    }
}

#[tokio::test]
async fn home_shows_the_node_its_people_and_its_spaces() {
    let (house, space) = House::with_guide().await;
    let page = house.page("/").await;
    assert_eq!(page.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
    let page = page.text();
    assert_calm(&page);
    assert!(page.contains("Ada") && page.contains(&format!("href=\"/s/{space}\"")));
    assert!(page.contains("only on this device") && page.contains("1 person"), "{page}");
    let style = house.page("/assets/kith.css").await;
    assert!(style.text().contains("prefers-color-scheme: dark"));
}

#[tokio::test]
async fn every_page_of_the_guide_can_be_walked() {
    let (house, space) = House::with_guide().await;
    let mut waiting = vec![format!("/s/{space}")];
    let mut seen = std::collections::BTreeSet::new();
    let (mut steps, mut images, mut players) = (0, 0, 0);
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let reply = house.page(&path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        if path.contains("/b/") {
            let kind = reply.header(header::CONTENT_TYPE).to_owned();
            images += usize::from(kind.starts_with("image/"));
            players += usize::from(kind.starts_with("audio/"));
            continue;
        }
        let page = reply.text();
        assert_calm(&page);
        assert!(!page.contains("has not arrived yet"), "{path}");
        assert!(!page.contains("content_format:"), "front matter in {path}");
        steps += usize::from(path.contains("/p/"));
        let mut found = addresses(&page, "href");
        found.extend(addresses(&page, "src"));
        waiting.extend(found.into_iter().filter(|it| it.starts_with("/s/")));
    }
    assert!(steps > 40 && images >= 16 && players == 1, "{steps} {images} {players}");
}

#[tokio::test]
async fn progress_is_kept_in_the_persons_own_space() {
    let (house, space) = House::with_guide().await;
    let first = format!("/s/{space}/p/your-first-node/0");
    let page = house.page(&first).await.text();
    assert!(page.contains("Mark as done") && page.contains("<audio controls"), "{page}");
    let marked = house.submit(&first, "step=meet-your-node-1&done=true").await;
    assert_eq!(marked.status, StatusCode::SEE_OTHER, "{}", marked.text());
    assert!(marked.header(header::LOCATION).starts_with(&format!("/s/{space}/p/")));
    assert!(house.page(&first).await.text().contains("Mark as not done"));
    let path = house.page(&format!("/s/{space}/d/your-first-node")).await.text();
    assert!(path.contains("1 of ") && path.contains("Go on") && path.contains("✓ done"), "{path}");

    let status = house.get("/api/v1/status").await.json();
    let spaces = status["spaces"].as_array().expect("spaces");
    let home = spaces.iter().find(|it| it["home"] == true).expect("a home");
    let docs = format!("/api/v1/spaces/{}/docs?type=progress", home["space"].as_str().expect("id"));
    assert_eq!(house.get(&docs).await.json()["docs"].as_array().map(Vec::len), Some(1));

    house.submit(&first, "step=meet-your-node-1&done=false").await;
    assert!(house.page(&first).await.text().contains("Mark as done"));
    let odd = format!("/s/{space}/p/running-a-home-rack/0");
    let id = "why-and-what%2Fthe-idea%2Falways-at-home%2Fwhat-a-home-rack-is";
    assert_eq!(
        house.submit(&odd, &format!("step={id}&done=true")).await.status,
        StatusCode::SEE_OTHER
    );
    assert!(house.page(&odd).await.text().contains("Mark as not done"));
    let unknown = house.submit(&first, "step=none&done=true").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.text().contains("Nothing here"));
}

#[tokio::test]
async fn what_has_not_arrived_says_so() {
    let house = House::new().await;
    let space = house.found("family").await;
    let docs = "/api/v1/spaces/family/docs";
    let path = json!({ "title": "P", "chapters": [{ "id": "c", "steps": [
        { "id": "a", "resource_id": "missing" },
        { "id": "b", "step_type": "external", "resource_id": "https://example.org/x" },
        { "id": "c", "step_type": "external", "resource_id": "javascript:alert(1)" },
        { "id": "d", "step_type": "path", "resource_id": "p" },
    ]}]});
    let new = json!({ "id": "p", "type": "learning-path", "value": path });
    assert_eq!(house.post(docs, &new).await.status, StatusCode::CREATED);
    let file = json!({ "id": "f", "type": "file", "value": { "name": "x.png", "blob": "a".repeat(52), "mime": "image/png" } });
    house.post(docs, &file).await;
    let step = async |at: usize| house.page(&format!("/s/{space}/p/p/{at}")).await.text();
    assert!(step(0).await.contains("This part has not arrived yet."));
    assert!(step(1).await.contains("href=\"https://example.org/x\" rel=\"noopener noreferrer\""));
    assert!(!step(2).await.contains("href=\"javascript"));
    assert!(step(3).await.contains("Open the path: P"));
    assert_eq!(house.page(&format!("/s/{space}/p/p/4")).await.status, StatusCode::NOT_FOUND);
    let file = house.page(&format!("/s/{space}/d/f")).await.text();
    assert!(file.contains("This file has not arrived yet."), "{file}");
}

#[tokio::test]
async fn hostile_documents_are_harmless_pages() {
    let house = House::new().await;
    let space = house.found("family").await;
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1))";
    let mut documents = vec![json!({ "title": hostile, "odd": [hostile, { hostile: hostile }] })];
    for format in ["markdown", "html", "text", hostile] {
        documents.push(json!({ "title": hostile, "content": hostile, "content_format": format,
            "description": hostile }));
    }
    documents.push(json!({ "content": { "a": [1, null] } }));
    documents.push(json!({ "content": 7, "title": [] }));
    documents.push(json!({ "content": "<div>".repeat(30_000), "content_format": "html" }));
    let steps: Vec<_> = (0..300).map(|at| json!({ "id": at, "step_title": hostile })).collect();
    documents.push(json!({ "chapters": [{ "title": hostile, "steps": steps }, 5] }));
    for (at, value) in documents.into_iter().enumerate() {
        let kind = if value.get("chapters").is_some() { "learning-path" } else { hostile };
        let new = json!({ "id": format!("d{at}"), "type": kind, "value": value });
        let made = house.post("/api/v1/spaces/family/docs", &new).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        let page = house.page(&format!("/s/{space}/d/d{at}")).await;
        assert_eq!(page.status, StatusCode::OK, "{at}");
        let page = page.text();
        let open = page.matches("<img").count() + page.matches("<script").count();
        assert!(open == 0 || !page.contains("onerror=alert(1)>"), "{page}");
        assert!(!page.contains("<script") && !page.contains("href=\"javascript"), "{at}");
    }
    let page = house.page(&format!("/s/{space}")).await.text();
    assert_calm(&page);
}

#[tokio::test]
async fn long_lists_have_pages_and_addresses_forgive() {
    let house = House::new().await;
    let space = house.found("family").await;
    for at in 0..150 {
        let new = json!({ "type": "note", "title": format!("note {at:03}"), "value": {} });
        house.post("/api/v1/spaces/family/docs", &new).await;
    }
    let first = house.page(&format!("/s/{space}")).await.text();
    assert!(first.contains("note 099") && !first.contains("note 100"));
    assert!(first.contains("?page=2") && first.contains("Page 1 of 2"));
    let second = house.page(&format!("/s/{space}?page=2")).await.text();
    assert!(second.contains("note 149") && !second.contains("note 099"));
    assert_eq!(house.page(&format!("/s/{space}?page=99")).await.status, StatusCode::OK);
    let slash = house.page("/s/family/").await;
    assert_eq!(slash.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(slash.header(header::LOCATION), format!("/s/{space}"));
    let nowhere = by_session(Method::GET, "/nowhere").header(header::ACCEPT, "text/html");
    let nowhere = house.send(nowhere.body(Body::empty()).expect("it")).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert!(nowhere.text().contains("<h1>Nothing here</h1>"));
}
