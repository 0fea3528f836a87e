use serde_json::json;

use super::*;

impl House {
    async fn describe(&self, device: &str, what: &Value) -> Reply {
        self.with_json(Method::PATCH, &format!("/api/v1/devices/{device}"), what).await
    }

    async fn this_device(&self) -> Value {
        self.get("/api/v1/devices").await.json()["devices"][0].clone()
    }
}

#[tokio::test]
async fn a_device_is_what_a_person_says_and_nothing_before() {
    let house = House::new().await;
    let first = house.this_device().await;
    assert_eq!(
        (&first["class"], &first["site"], &first["region"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(house.get("/api/v1/clusters").await.json(), json!({"clusters": []}));

    let id = first["device"].as_str().expect("an id");
    let what = json!({"class": "home-rack", "site": " House ", "region": "valley"});
    let said = house.describe(id, &what).await;
    assert_eq!(said.status, StatusCode::OK, "{}", said.text());
    let said = said.json();
    assert_eq!((&said["class"], &said["site"]), (&json!("home-rack"), &json!("House")));
    assert_eq!(house.this_device().await, said);

    let agent = house.get("/api/v1/info").await.json()["agent"].clone();
    let device = json!({"device": id, "agent": agent, "name": "Ada's device", "class": "home-rack",
        "connected": true});
    let cluster = json!({"site": "House", "region": "valley", "nearness": "same-site",
        "devices": [device]});
    assert_eq!(house.get("/api/v1/clusters").await.json(), json!({"clusters": [cluster]}));

    // What is left out stays, what is empty goes.
    let said = house.describe(id, &json!({"site": ""})).await.json();
    assert_eq!(
        (&said["class"], &said["site"], &said["region"]),
        (&json!("home-rack"), &Value::Null, &json!("valley"))
    );
}

#[tokio::test]
async fn a_description_that_makes_no_sense_is_a_problem_and_changes_nothing() {
    let house = House::new().await;
    let first = house.this_device().await;
    let id = first["device"].as_str().expect("an id");
    for bad in [
        json!({"class": "toaster"}),
        json!({"site": "two\nlines"}),
        json!({"site": "\u{202e}esuoh"}),
        json!({"region": "x".repeat(65)}),
        json!({"class": "laptop", "site": "\u{1b}[31m"}),
        json!({"class": 1}),
    ] {
        let refused = house.describe(id, &bad).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    let words = house.describe(id, &json!({"class": "toaster"})).await.text();
    assert!(words.contains("home-rack"), "{words}");
    assert_eq!(house.this_device().await, first);
    let other = node_model::sign::Signer::from_secret(&[9; 32]).device().to_string();
    let unknown = house.describe(&other, &json!({"class": "laptop"})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(house.describe("x", &json!({})).await.status, StatusCode::BAD_REQUEST);
}
