//! Circles and offers, as far as one node alone can show them.

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_circle_is_made_and_let_in_and_stands_in_a_list_of_its_own() {
    let house = House::new().await;
    let album = house.found("album").await;
    let made = house.post("/api/v1/circles", &json!({"name": " family "})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let made = made.json();
    assert_eq!(made["name"], "family");
    for bad in ["family", "", &"x".repeat(257)] {
        let refused = house.post("/api/v1/circles", &json!({"name": bad})).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    let grant = json!({"agent": "family", "role": "reader"});
    let granted = house.post(&format!("/api/v1/spaces/{album}/members"), &grant).await.json();
    assert_eq!(granted["agent"], made["circle"]);
    let circles = house.get("/api/v1/circles").await.json();
    let circle = &circles["circles"][0];
    assert_eq!((&circle["circle"], &circle["role"]), (&made["circle"], &json!("admin")));
    assert_eq!(circle["members"].as_array().map(Vec::len), Some(1));
    let opened = json!([{"space": album.to_string(), "name": "album", "role": "reader"}]);
    assert_eq!(circle["spaces"], opened);

    let spaces = house.get("/api/v1/spaces").await.text();
    assert!(spaces.contains("album") && !spaces.contains("family"), "{spaces}");
    let home = house.page("/").await.text();
    assert!(home.contains("album") && !home.contains("family"), "{home}");
}

#[tokio::test]
async fn a_space_is_no_circle_and_strangers_are_not_added() {
    let house = House::new().await;
    house.found("album").await;
    house.post("/api/v1/circles", &json!({"name": "family"})).await;
    for (circle, agent) in [("album", "Ada"), ("nothing", "Ada"), ("family", "Nobody")] {
        let path = format!("/api/v1/circles/{circle}/members");
        let refused = house.post(&path, &json!({"agent": agent})).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{circle} {agent}");
        let removed = house.with_json(Method::DELETE, &format!("{path}/{agent}"), &json!({})).await;
        assert_eq!(removed.status, StatusCode::NOT_FOUND, "{circle} {agent}");
    }
    // Somebody who is called like a circle is not taken for it.
    house.post("/api/v1/circles", &json!({"name": "Ada"})).await;
    let grant = json!({"agent": "Ada", "role": "reader"});
    let refused = house.post("/api/v1/spaces/album/members", &grant).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text());
    assert!(refused.text().contains("both a person and a space"), "{}", refused.text());
}

#[tokio::test]
async fn what_nobody_offers_is_not_followed() {
    let house = House::new().await;
    house.found("album").await;
    assert_eq!(house.get("/api/v1/offers").await.json(), json!({"offers": []}));
    for space in ["album", "nothing"] {
        let refused = house.post(&format!("/api/v1/offers/{space}"), &json!({})).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text());
        let refused = house.submit(&format!("/offers/{space}"), "").await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text());
    }
    assert!(!house.page("/").await.text().contains("Offered to you"));
}
