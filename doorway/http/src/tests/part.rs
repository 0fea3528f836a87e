//! What a device keeps of a space, chosen on the page of the space.

use node_runtime::testing::introduce;
use serde_json::json;

use super::*;

async fn part(house: &House) -> Value {
    house.get("/api/v1/spaces/kitchen").await.json()["part"].clone()
}

/// A kitchen with a recipe in a folder and a note in none.
async fn kitchen() -> (House, SpaceId) {
    let house = House::new().await;
    let space = house.found("kitchen").await;
    for new in [
        json!({"type": "recipe", "path": "sweet/cake.md", "value": {"title": "Cake"}}),
        json!({"type": "<i>note", "id": "n", "value": {"title": "Salt"}}),
    ] {
        let made = house.post("/api/v1/spaces/kitchen/docs", &new).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    }
    (house, space)
}

#[tokio::test]
async fn a_form_chooses_a_part_of_a_space_and_everything_again() {
    let (house, space) = kitchen().await;
    let address = format!("/s/{space}");
    let form = format!("{address}/keep");
    let page = house.page(&address).await.text();
    assert!(page.contains("This device keeps everything"), "{page}");
    assert!(page.contains("name=\"type\" value=\"recipe\"> Recipe"), "{page}");
    assert!(page.contains("name=\"folder\" value=\"sweet\""), "{page}");
    assert!(!page.contains("Keep everything") && !page.contains("<i>note"), "{page}");

    let fields = "type=recipe&type=&folder=&folder=sweet%2F&since=2026-01-01&until=&doc=n%0D%0A";
    let kept = house.submit(&form, &format!("{fields}&keep=part")).await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER, "{}", kept.text());
    assert_eq!(kept.header(header::LOCATION), address);
    let page = house.page(&address).await.text();
    let said = "keeps a part of it: Recipe, in the folder sweet, changed since 2026-01-01. ";
    assert!(page.contains(said) && page.contains("Keep everything"), "{page}");
    assert!(page.contains("value=\"recipe\" checked") && page.contains("value=\"2026-01-01\""));
    let said = part(&house).await;
    assert_eq!((&said["types"], &said["folders"]), (&json!(["recipe"]), &json!(["sweet"])));
    assert_eq!(said["since"], "2026-01-01T00:00:00Z");

    let all = house.submit(&form, "keep=everything").await;
    assert_eq!(all.status, StatusCode::SEE_OTHER, "{}", all.text());
    assert_eq!(part(&house).await, Value::Null);
    assert!(house.page(&address).await.text().contains("This device keeps everything"));
}

#[tokio::test]
async fn the_root_of_a_space_stays_chosen_when_the_form_is_sent_again() {
    let (house, space) = kitchen().await;
    let form = format!("/s/{space}/keep");
    house.submit(&form, "keep=part&folder=%2F").await;
    assert_eq!(part(&house).await["folders"], json!([""]));
    let page = house.page(&format!("/s/{space}")).await.text();
    assert!(page.contains("name=\"folder\" value=\"/\" checked> any folder"), "{page}");
    house.submit(&form, "keep=part&folder=%2F&type=recipe").await;
    assert_eq!(part(&house).await["folders"], json!([""]));
}

#[tokio::test]
async fn what_chooses_nothing_or_comes_from_elsewhere_changes_nothing() {
    let (house, space) = kitchen().await;
    let form = format!("/s/{space}/keep");
    for bad in ["", "keep=part", "keep=part&since=soon", "keep=part&folder=..", "type=recipe"] {
        let refused = house.submit(&form, bad).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{bad}: {}", refused.text());
        assert!(refused.text().contains("<h1>This did not work</h1>"), "{bad}");
    }
    let foreign = by_session(Method::POST, &form)
        .header(header::ORIGIN, "http://evil.example")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("keep=part&type=recipe"));
    let refused = house.send(foreign.expect("a request")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(part(&house).await, Value::Null);

    let hostile = house.submit(&form, "keep=part&type=%3Cscript%3E").await;
    assert_eq!(hostile.status, StatusCode::SEE_OTHER);
    let page = house.page(&format!("/s/{space}")).await.text();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"), "{page}");
}

#[tokio::test]
async fn who_only_reads_a_space_chooses_for_their_device_too() {
    let (ada, space) = kitchen().await;
    let bo = House::of(test_node("Bo", Network::None).await);
    introduce(&ada.node, &bo.node).await;
    introduce(&bo.node, &ada.node).await;
    let agent = bo.get("/api/v1/info").await.json()["agent"].clone();
    let grant = json!({"agent": agent, "role": "reader"});
    assert!(ada.post("/api/v1/spaces/kitchen/members", &grant).await.status.is_success());
    let file = ada.node.folder.path().join("carried.kithpack");
    let progress = || tokio::sync::watch::channel(Progress::default()).0;
    ada.node.handle.pack(space, file.clone(), None, progress()).await.expect("packs");
    bo.node.handle.unpack(file, progress()).await.expect("takes it in");
    let kept = bo.submit(&format!("/s/{space}/keep"), "keep=part&doc=sweet%2Fcake.md").await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER, "{}", kept.text());
    let page = bo.page(&format!("/s/{space}")).await.text();
    assert!(page.contains("This device keeps a part of it. ") && page.contains("of them here"));
    assert_eq!(part(&ada).await, Value::Null, "Ada chose nothing");
}
