//! A space that reaches somebody who was not let in.

use acceptance::{Home, list, text, until};
use serde_json::json;

#[tokio::test]
async fn a_space_is_followed_for_as_long_as_it_reaches() {
    let (ada, ben) = (Home::new(), Home::new());
    let (ada_runs, ben_runs) =
        (ada.up().name("Ada").ready().await, ben.up().name("Ben").ready().await);
    ben.pair(&ada.ticket(&[]).await).json().await;
    ada.kith(&["space", "new", "orchard", "--reach", "local"]).json().await;
    ada.new_space("diary").await;
    let doc = ada.new_document("orchard", &json!({"title": "apples"})).await;
    let offer = until("the offer", async || {
        let offers = ben.kith(&["space", "offers"]).json().await;
        list(&offers, "offers").first().cloned()
    })
    .await;
    assert_eq!(text(&offer, "name"), "orchard");
    assert_eq!((text(&offer, "of"), text(&offer, "reach")), ("Ada", "local"));
    assert_eq!((text(&offer, "agent"), text(&offer, "rule")), (ada_runs.agent(), "within-reach"));
    ben.kith(&["space", "follow", "diary"]).fails().await.is(4, "not-found");

    ben.kith(&["space", "follow", "orchard"]).json().await;
    ben.sync().await;
    assert_eq!(ben.value("orchard", &doc).await["title"], "apples");
    let set = ["doc", "set", "orchard", &doc, "title", "\"pears\""];
    ben.kith(&set).fails().await.is(3, "not-allowed");

    ada.kith(&["relation", "end", "Ben"]).json().await;
    let members = ada.kith(&["space", "members", "orchard"]).json().await;
    assert_eq!(list(&members, "members").len(), 1, "{members}");
    let later = ada.new_document("orchard", &json!({"title": "plums"})).await;
    until("Ben to hear of it", async || {
        let spaces = ben.kith(&["space", "list"]).json().await;
        let orchard = list(&spaces, "spaces").iter().find(|it| text(it, "name") == "orchard");
        orchard.expect("it stays").get("role").expect("a role").is_null().then_some(())
    })
    .await;
    assert_eq!(ben.value("orchard", &doc).await["title"], "apples", "what was received stays");
    ben.kith(&["doc", "get", "orchard", &later]).fails().await.is(4, "not-found");
    ada_runs.stop().await;
    ben_runs.stop().await;
}
