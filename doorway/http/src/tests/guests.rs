//! Devices that nobody knows yet come in to pair, while a ticket is open, and to nothing else.

use std::time::Duration;

use node_runtime::visit::{Batch, Frame, Lane, Returned, VisitId};
use serde_json::json;

use super::{
    doorway::{prove, rack_and_laptop, signer},
    *,
};

const FRAMES: &str = "/api/v1/sync/frames";
const NUDGE: &str = "/api/v1/sync/nudge";

/// A house with an open ticket, and a token of a device that nobody knows.
async fn with_guest() -> (House, String) {
    let (house, _laptop) = rack_and_laptop().await;
    let stranger = signer([7; 32]);
    assert_eq!(prove(&house, &stranger).await.status, StatusCode::FORBIDDEN, "no ticket is open");
    let ticket = house.post("/api/v1/tickets", &json!({})).await;
    assert_eq!(ticket.status, StatusCode::OK, "{}", ticket.text());
    let given = prove(&house, &stranger).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.text());
    let token = given.json()["token"].as_str().expect("a token").to_owned();
    (house, token)
}

async fn with(house: &House, token: &str, (method, path): (Method, &str), body: Body) -> Reply {
    let request = stranger(method, path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    house.send(request.body(body).expect("a request")).await
}

fn batch(number: u64, wait: Duration, frames: Vec<Frame>) -> Batch {
    Batch { visit: VisitId([1; 16]), number, wait, is_last: false, frames }
}

#[tokio::test]
async fn a_guest_may_pair_and_nothing_else() {
    let (house, token) = with_guest().await;
    let no = [
        (Method::POST, "/api/v1/sync/blobs/wanted"),
        (Method::POST, "/api/v1/sync/blobs"),
        (Method::PUT, "/api/v1/sync/blobs"),
        (Method::GET, "/api/v1/status"),
        (Method::GET, "/"),
    ];
    let frame = |lane, bytes: &[u8]| Frame { lane, bytes: bytes.to_vec().into() };
    // What says nothing that may be said, and what makes no sense, is left out.
    let frames =
        vec![frame(Lane::Trust, b"hello"), frame(Lane::Sync, b"hello"), frame(Lane::Pair, b"")];
    let opened = with(
        &house,
        &token,
        (Method::POST, FRAMES),
        batch(0, Duration::ZERO, frames).encode().into(),
    );
    let opened = opened.await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.text());
    let said = Returned::decode(&opened.body).expect("frames").frames;
    assert!(said.iter().all(|frame| frame.lane == Lane::Pair), "{said:?}");
    for route in no {
        let path = route.1;
        let reply = with(&house, &token, route, Body::empty()).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_batch_that_waits_is_answered_when_its_visitor_has_something_to_say() {
    let (house, token) = with_guest().await;
    let asked = with(&house, &token, (Method::POST, NUDGE), Body::empty()).await;
    assert_eq!(asked.json(), json!({"waited": false}), "nothing waits");
    let first = batch(0, Duration::ZERO, vec![]).encode();
    let opened = with(&house, &token, (Method::POST, FRAMES), first.into()).await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.text());
    let second = batch(1, Duration::from_secs(20), vec![]).encode();
    let waiting = with(&house, &token, (Method::POST, FRAMES), second.into());
    let nudging = async {
        loop {
            let nudged = with(&house, &token, (Method::POST, NUDGE), Body::empty()).await;
            if nudged.json() == json!({"waited": true}) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let (answered, ()) = tokio::join!(waiting, nudging);
    let answered = Returned::decode(&answered.body).expect("frames");
    assert_eq!((answered.number, answered.frames), (1, vec![]));
}
