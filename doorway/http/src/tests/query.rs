//! Which documents say so, and what they add up to.

use serde_json::json;

use super::*;

/// A house with a space of walks, and where it is.
async fn with_walks() -> (House, String) {
    let house = House::new().await;
    let path = format!("/api/v1/spaces/{}", house.found("walks").await);
    for (id, kind, value) in [
        ("rome", "walk", json!({"km": 12, "with": ["ada", "ben"], "title": "To Rome"})),
        ("pisa", "walk", json!({"km": 3.5, "with": ["ada"], "rain": true})),
        ("home", "walk", json!({"with": []})),
        ("list", "note", json!({"km": 99})),
    ] {
        let new = json!({"id": id, "type": kind, "value": value});
        assert_eq!(house.post(&format!("{path}/docs"), &new).await.status, StatusCode::CREATED);
    }
    (house, path)
}

fn ids(page: &Value) -> Vec<&str> {
    let docs = page["docs"].as_array().expect("a list");
    let mut ids: Vec<&str> = docs.iter().filter_map(|doc| doc["id"].as_str()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn documents_are_chosen_by_what_they_say() {
    let (house, path) = with_walks().await;
    let query = async |asked: Value| house.post(&format!("{path}/query"), &asked).await.json();
    for (conditions, expected) in [
        (json!([]), &["home", "list", "pisa", "rome"][..]),
        (json!(["km>=3.5"]), &["list", "pisa", "rome"]),
        (json!(["km>=3.5", "with~ada"]), &["pisa", "rome"]),
        (json!(["/with/1=ben"]), &["rome"]),
        (json!(["title ~ rome"]), &["rome"]),
        (json!(["km=null"]), &["home"]),
        (json!(["rain!=true", "km<50"]), &["rome"]),
    ] {
        assert_eq!(ids(&query(json!({"where": conditions})).await), expected, "{conditions}");
    }
    let walks = query(json!({"type": "walk", "app": "kith", "where": ["km>0"]})).await;
    assert_eq!(ids(&walks), ["pisa", "rome"]);
    assert_eq!(ids(&query(json!({"app": "another", "where": ["km>0"]})).await), [] as [&str; 0]);

    // One after the other.
    let (mut seen, mut asked) = (vec![], json!({"where": ["km>0"], "limit": 1}));
    loop {
        let page = query(asked.clone()).await;
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        let Some(next) = page.get("next") else { break };
        asked["after"] = next.clone();
    }
    seen.sort_unstable();
    assert_eq!(seen, ["list", "pisa", "rome"]);
}

#[tokio::test]
async fn what_documents_say_is_added_up() {
    let (house, path) = with_walks().await;
    let tally = async |asked: Value| house.post(&format!("{path}/tally"), &asked).await.json();
    let all = tally(json!({})).await;
    assert_eq!((&all["documents"], &all["groups"]), (&json!(4), &json!([])));
    let walks = tally(json!({"type": "walk", "of": "km", "by": "with"})).await;
    assert_eq!(
        (&walks["documents"], &walks["numbers"], &walks["sum"]),
        (&json!(3), &json!(2), &json!(15.5))
    );
    let by_whom = [
        json!({"value": "ada", "documents": 2, "numbers": 2, "sum": 15.5, "least": 3.5, "most": 12.0}),
        json!({"value": "ben", "documents": 1, "numbers": 1, "sum": 12.0, "least": 12.0, "most": 12.0}),
    ];
    assert_eq!(walks["groups"], json!(by_whom), "who walked alone is in no group");
    assert!(walks.get("next").is_none());
}

#[tokio::test]
async fn what_is_no_question_is_refused() {
    let (house, path) = with_walks().await;
    let too_many = vec!["km>1"; 17];
    for (at, asked) in [
        ("query", json!({"where": ["km"]})),
        ("query", json!({"where": ["=1"]})),
        ("query", json!({"where": too_many})),
        ("query", json!({"wherever": []})),
        ("query", json!({"after": "not an id"})),
        ("tally", json!({"by": "/a~2"})),
        ("tally", json!({"where": ["<"]})),
    ] {
        let answer = house.post(&format!("{path}/{at}"), &asked).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{asked}");
    }
    let nowhere = house.post("/api/v1/spaces/nothing/tally", &json!({})).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}
