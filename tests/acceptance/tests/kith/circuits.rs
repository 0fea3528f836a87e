//! Two whom nobody can dial, and somebody whom both know.

use acceptance::{Home, Running, Signal, list, text, until};
use serde_json::{Value, json};

/// Waits until a peer is connected and confirms that everything is equal.
async fn synced(home: &Home, with: &Running) -> Value {
    until("both to have confirmed the same", async || {
        let peers = home.kith(&["peer", "list"]).json().await;
        let peer = list(&peers, "peers").iter().find(|peer| text(peer, "peer") == with.node());
        peer.filter(|peer| text(peer, "state") == "synced").cloned()
    })
    .await
}

#[tokio::test]
async fn two_whom_nobody_reaches_meet_through_a_third() {
    let (rack, ada, bo) = (Home::new(), Home::new(), Home::new());
    let of_rack = rack.up().name("Rack").ready().await;
    let of_ada = ada.up().name("Ada").listen("none").ready().await;
    let of_bo = bo.up().name("Bo").listen("none").ready().await;
    rack.kith(&["space", "new", "family"]).json().await;
    for home in [&ada, &bo] {
        let ticket = rack.ticket(&["--space", "family", "--role", "writer"]).await;
        home.pair(&ticket).json().await;
    }
    let peer = synced(&ada, &of_bo).await;
    let way = ["path", "through"].map(|key| peer[key].clone());
    assert_eq!(way, [json!("circuit"), json!(of_rack.node())]);
    assert_eq!(synced(&ada, &of_rack).await["path"], "direct");

    // What the one in the middle has no part in.
    ada.kith(&["space", "new", "two"]).json().await;
    ada.kith(&["space", "grant", "two", of_bo.agent(), "writer"]).json().await;
    let doc = ada.new_document("two", &json!({"title": "Only for Bo"})).await;
    let value = until("the document to arrive", async || {
        let spaces = bo.kith(&["space", "list"]).json().await;
        let is_here = list(&spaces, "spaces").iter().any(|space| text(space, "name") == "two");
        let documents = if is_here { bo.documents("two").await } else { vec![] };
        if documents.contains(&doc) { Some(bo.value("two", &doc).await) } else { None }
    })
    .await;
    assert_eq!(value, json!({"title": "Only for Bo"}));
    let spaces = rack.kith(&["space", "list"]).json().await;
    assert!(list(&spaces, "spaces").iter().all(|space| text(space, "name") != "two"), "{spaces}");

    of_bo.signal(Signal::STOP);
    ada.new_document("two", &json!({"title": "Under way"})).await;
    let words = until("the doctor to say how it goes", async || {
        let answer = ada.kith(&["doctor"]).json().await;
        let cause = list(&answer, "causes").iter().find(|it| text(it, "cause") == "relay-only");
        cause.map(|cause| text(cause, "words").to_owned())
    })
    .await;
    assert!(words.contains("it goes through Rack"), "{words}");
    of_bo.signal(Signal::CONT);
    synced(&ada, &of_bo).await;

    of_rack.stop().await;
    until("the circuit to end with it", async || {
        let peers = ada.kith(&["peer", "list"]).json().await;
        list(&peers, "peers").iter().all(|peer| peer["connected"] == json!(false)).then_some(())
    })
    .await;
    // At home they find each other.
    of_bo.stop().await;
    let of_bo = bo.up().ready().await;
    ada.kith(&["peer", "add", of_bo.node(), of_bo.listen()]).json().await;
    let peer = synced(&ada, &of_bo).await;
    assert_eq!((text(&peer, "path"), &peer["through"]), ("direct", &Value::Null));
    of_ada.stop().await;
}
