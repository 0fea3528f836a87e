use super::*;

#[tokio::test]
async fn a_space_that_nobody_else_holds_is_only_here_and_says_so() {
    let house = House::new().await;
    let space = house.found("diary <b>").await;
    let empty = house.get("/api/v1/custody?space=diary%20%3Cb%3E").await.json();
    assert_eq!(empty["spaces"][0]["words"], "empty");
    let document = serde_json::json!({"type": "note", "value": {"title": "first"}});
    let written = house.post(&format!("/api/v1/spaces/{space}/docs"), &document).await;
    assert_eq!(written.status, StatusCode::CREATED, "{}", written.text());

    let all = house.get("/api/v1/custody").await.json();
    let spaces = all["spaces"].as_array().expect("a list");
    let held = spaces.iter().find(|it| it["space"] == space.to_string()).expect("it is held");
    assert_eq!((&held["name"], &held["founder"]), (&"diary <b>".into(), &"Ada".into()));
    assert_eq!(
        (&held["entries"], &held["only_here"], &held["places"]),
        (&1.into(), &1.into(), &0.into())
    );
    assert_eq!(held["words"], "only on this device");
    let holders = held["holders"].as_array().expect("a list");
    let [this] = holders.as_slice() else { panic!("one device: {holders:?}") };
    assert_eq!(
        (&this["this"], &this["role"], &this["keeper"]),
        (&true.into(), &"admin".into(), &false.into())
    );
    assert_eq!((&this["signed"]["entries"], &this["announced"]), (&1.into(), &Value::Null));
    assert_eq!((&this["nearness"], &this["relation"]), (&"same-site".into(), &Value::Null));

    let page = house.page(&format!("/s/{space}")).await.text();
    assert!(page.contains("Kept: only on this device"), "{page}");
    let unknown = house.get("/api/v1/custody?space=nothing").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}
