use serde_json::json;

use super::*;

const HOSTILE: &str =
    "<script>alert(1)</script> \u{2}compost\u{3} <img src=x onerror=alert(1)> & \"";

#[tokio::test]
async fn results_say_what_where_and_how_good() {
    let (house, space) = House::with_guide().await;
    let other = house.found("kitchen").await;
    let new = json!({ "id": "soup", "type": "recipe",
        "value": { "title": "Node soup", "content": "Ein Süppchen für jede node, täglich." } });
    let made = house.post("/api/v1/spaces/kitchen/docs", &new).await.json();

    let found = house.get("/api/v1/search?q=node").await.json();
    assert_eq!(found["complete"], true);
    let results = found["results"].as_array().expect("results");
    assert_eq!(results.len(), 10);
    let scores: Vec<f64> = results.iter().filter_map(|it| it["score"].as_f64()).collect();
    assert!(scores.len() == 10 && scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    assert!(results.iter().all(|it| it["source"] == "local"), "{found}");

    let found = house.get("/api/v1/search?q=%22jede+node%22&space=kitchen").await.json();
    let results = found["results"].as_array().expect("results");
    assert_eq!(results.len(), 1, "{found}");
    assert_eq!(
        results[0],
        json!({
            "id": made["doc"], "title": "Node soup", "source": "local", "peer": null, "hops": 0, "type": "recipe",
            "space": other.to_string(), "space_name": "kitchen", "score": results[0]["score"],
            "snippet": "Ein Süppchen für jede node, täglich.", "marks": [[17, 21], [22, 26]],
        })
    );
    for (asked, count) in
        [("q=node&limit=3", 3), ("q=node&limit=100&space=kitchen", 1), ("q=zzzzz", 0)]
    {
        let found = house.get(&format!("/api/v1/search?{asked}")).await.json();
        assert_eq!(found["results"].as_array().map(Vec::len), Some(count), "{asked}");
    }
    let wider = house.get("/api/v1/search?q=zzzzz&peers=true").await.json();
    assert_eq!(wider, json!({"results": [], "complete": true, "peers": []}), "nobody is connected");
    let page = house.page("/search?q=node").await.text();
    assert!(page.contains("Ask connected people, too"), "{page}");
    let page = house.page("/search?q=node&peers=true").await.text();
    assert!(page.contains("Nobody is connected who reads what you read."), "{page}");
    let of_guide = house.get(&format!("/api/v1/search?q=node&space={space}&limit=100")).await;
    let of_guide = of_guide.json();
    let results = of_guide["results"].as_array().expect("results");
    assert!(results.len() > 20 && results.iter().all(|it| it["space_name"] == "guide"));
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let house = House::new().await;
    let long = format!("q={}", "x".repeat(1_025));
    for asked in [
        "",
        "q=",
        "q=%20",
        "q=-x",
        "q=x&limit=0",
        "q=x&limit=101",
        "q=x&limit=many",
        "q=x&peers=yes",
        &long,
    ] {
        let reply = house.get(&format!("/api/v1/search?{asked}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{asked}");
        assert_eq!(reply.json()["code"], "invalid", "{asked}");
    }
    let unknown = house.get("/api/v1/search?q=x&space=nowhere").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    for odd in ["%00", "%22", "%22%22%22", "*", "NEAR(a+b)", "title%3Ax", "a+OR+b", "%F0%9F%8C%BB"]
    {
        let reply = house.get(&format!("/api/v1/search?q=x+{odd}")).await;
        assert_eq!(reply.status, StatusCode::OK, "{odd}: {}", reply.text());
    }
    let request = stranger(Method::GET, "/api/v1/search?q=x").body(Body::empty());
    let reply = house.send(request.expect("a request")).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_page_shows_results_and_lets_nothing_through() {
    let house = House::new().await;
    let space = house.found("family").await;
    let new =
        json!({ "id": "d", "type": HOSTILE, "value": { "title": HOSTILE, "content": HOSTILE } });
    let made = house.post("/api/v1/spaces/family/docs", &new).await.json();
    let home = house.page("/").await.text();
    assert!(home.contains("<form") && home.contains("action=\"/search\""), "{home}");

    let page = house.page("/search?q=compost").await;
    assert_eq!(page.status, StatusCode::OK);
    let page = page.text();
    let address = format!("href=\"/s/{space}/d/{}\"", made["doc"].as_str().expect("an id"));
    assert!(page.contains(&address) && page.contains("<mark>compost</mark>"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(page.contains("value=\"compost\""), "{page}");

    let typed = "/search?q=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let page = house.page(typed).await.text();
    assert!(!page.contains("<script") && page.contains("value=\"&quot;&gt;&lt;script"), "{page}");
    assert!(house.page("/search?q=nowhereatall").await.text().contains("Nothing found"));
    assert!(house.page("/search").await.text().contains("<h1>Search</h1>"));
    let refused = house.page("/search?q=-compost").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("at least one word"));

    let file = by_token(Method::POST, "/api/v1/spaces/family/blobs?name=harvestphoto.jpg");
    let file = file.header(header::CONTENT_TYPE, "image/jpeg").body(Body::from("x"));
    let put = house.send(file.expect("a request")).await;
    assert!(put.status.is_success(), "{}", put.text());
    let page = house.page("/search?q=harvestphoto").await.text();
    assert!(page.contains(&format!("<a href=\"/s/{space}\">Files</a>")), "{page}");
}
