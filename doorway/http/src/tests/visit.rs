//! Devices synchronise through the doorway with a token, and nobody else does.

use std::{cell::Cell, time::Duration};

use node_model::DeviceId;
use node_runtime::visit::{
    BATCH_BYTES_MAX, Batch, Frame, Pipe, Returned, Side, VisitId, new_visit,
};
use serde_json::json;

use super::{
    doorway::{
        LAPTOP, OF_BO, TOKENS, ask, challenge, prove, rack, rack_and_laptop, signer, to_sign, token,
    },
    *,
};

const FRAMES: &str = "/api/v1/sync/frames";
const PROOF: &str = "/api/v1/sync/proof";

fn batch(visit: VisitId, number: u64) -> Batch {
    Batch { visit, number, wait: Duration::ZERO, is_last: false, frames: vec![] }
}

/// Brings bytes to one of a house's doors.
async fn bring(router: &Router, token: &str, body: impl Into<Body>) -> Reply {
    let request = stranger(Method::POST, FRAMES)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(body.into());
    send(router, request.expect("a request")).await
}

async fn returned(router: &Router, token: &str, batch: &Batch) -> Returned {
    let reply = bring(router, token, batch.encode()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert_eq!(reply.header(header::CONTENT_TYPE), "application/vnd.kith.frames");
    Returned::decode(&reply.body).expect("frames")
}

/// A token of the laptop's node for the rack, which proves itself through its doorway.
async fn token_for_rack(rack: &House, laptop: &House, token: &str) -> String {
    let on_laptop = async |path: &str, body: Value| {
        let request = bare(Method::POST, path)
            .header(header::HOST, "kith")
            .header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body.to_string())).expect("a request");
        send(&laptop.socket, request).await.json()
    };
    let id = super::doorway::rack();
    let asked = on_laptop("/api/v1/challenges", json!({ "device": id })).await;
    let to_sign = json!({ "challenge": asked["challenge"], "host": "kith" }).to_string();
    let signed = stranger(Method::POST, PROOF)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json");
    let signed = rack.send(signed.body(Body::from(to_sign)).expect("a request")).await.json();
    let proof = json!({ "device": id, "challenge": asked["challenge"],
        "signature": signed["signature"] });
    let given = on_laptop(TOKENS, proof).await;
    given["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn two_nodes_become_equal_through_a_doorway() {
    let (house, laptop) = rack_and_laptop().await;
    let space = laptop.found("album").await;
    let document = json!({ "id": "plan", "type": "note", "value": { "title": "Plan" } });
    let made = laptop.post(&format!("/api/v1/spaces/{space}/docs"), &document).await;
    assert!(made.status.is_success(), "{}", made.text());

    let there = token(&house).await;
    let here = token_for_rack(&house, &laptop, &there).await;
    let mut pipe = Pipe::new(new_visit(), new_visit());
    let mut round = async || {
        let next = pipe.next(Side::There);
        pipe.returned(Side::There, returned(&house.tcp, &there, &next).await).expect("in order");
        let next = pipe.next(Side::Here);
        pipe.returned(Side::Here, returned(&laptop.socket, &here, &next).await).expect("in order");
    };
    round().await;
    let (question, is_done) = (json!({ "peer": rack() }), Cell::new(false));
    let ask = async {
        let report = laptop.post("/api/v1/sync", &question).await;
        is_done.set(true);
        report.json()
    };
    let carry = async {
        while !is_done.get() {
            round().await;
        }
    };
    let (report, ()) = tokio::join!(ask, carry);
    assert!(report["pushed"].as_u64() > Some(0), "{report}");
    assert_eq!(report["peers"], json!([{ "peer": rack(), "progress": null, "state": "synced" }]));
    let read = house.get(&format!("/api/v1/spaces/{space}/docs/plan")).await;
    assert_eq!(read.json()["value"]["title"], "Plan");
}

#[tokio::test]
async fn only_a_devices_own_token_lets_frames_in() {
    let (house, _laptop) = rack_and_laptop().await;
    let good = token(&house).await;
    let opening = batch(new_visit(), 0).encode();
    let unknown = "0".repeat(64);
    let refused = bring(&house.tcp, &unknown, opening.clone()).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.json()["code"], "not-signed-in");
    assert!(refused.text().contains("kith sync --doorway"), "{}", refused.text());
    // Neither the file's token, nor whoever opens the socket, is one of the peers.
    for (router, token) in [(&house.tcp, TOKEN), (&house.socket, TOKEN), (&house.tcp, "")] {
        let reply = bring(router, token, opening.clone()).await;
        assert_eq!((reply.status, reply.text()), (refused.status, refused.text()));
    }
    // Who is known, but no peer, does not get a token at all.
    assert_eq!(prove(&house, &signer(OF_BO)).await.status, StatusCode::FORBIDDEN);

    assert!(!returned(&house.tcp, &good, &batch(new_visit(), 0)).await.frames.is_empty());
    let device = format!("/api/v1/devices/{}", signer(LAPTOP).device());
    let by_rack = by_token(Method::DELETE, &device).body(Body::empty()).expect("a request");
    assert_eq!(house.send(by_rack).await.status, StatusCode::OK);
    let out = bring(&house.tcp, &good, opening).await;
    assert_eq!((out.status, out.text()), (refused.status, refused.text()), "taken back");
}

#[tokio::test]
async fn what_is_no_batch_of_this_visit_is_refused() {
    let (house, _laptop) = rack_and_laptop().await;
    let token = token(&house).await;
    let visit = VisitId([1; 16]);
    let good = batch(visit, 0).encode();
    let cut = good[..good.len() - 1].to_vec();
    for garbage in [vec![], vec![0xff; 1_000], cut, [good.clone(), vec![0]].concat()] {
        let reply = bring(&house.tcp, &token, garbage).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text());
    }
    let large = bring(&house.tcp, &token, vec![0; BATCH_BYTES_MAX + 1]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let unannounced = futures::stream::iter(
        (0..17).map(|_| Ok::<_, std::io::Error>(vec![0_u8; BATCH_BYTES_MAX / 16])),
    );
    let large = bring(&house.tcp, &token, Body::from_stream(unannounced)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);

    assert!(!returned(&house.tcp, &token, &batch(visit, 0)).await.frames.is_empty());
    let lane = node_runtime::visit::Lane::Sync;
    let odd = Frame { lane, bytes: vec![0xff; 99].into() };
    let odd = Batch { frames: vec![odd], ..batch(visit, 1) };
    assert_eq!(returned(&house.tcp, &token, &odd).await.number, 1, "the node leaves it out");
    // Of a visit that never began, and twice the same.
    for wrong in [batch(VisitId([2; 16]), 5), batch(visit, 1)] {
        let reply = bring(&house.tcp, &token, wrong.encode()).await;
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (StatusCode::CONFLICT, &json!("conflict"))
        );
    }
    let over = bring(&house.tcp, &token, batch(visit, 2).encode()).await;
    assert_eq!(over.status, StatusCode::CONFLICT, "it ended with the one that came twice");
}

#[tokio::test]
async fn a_node_proves_itself_for_the_doorway_of_its_visitor_only() {
    let (house, _laptop) = rack_and_laptop().await;
    let token = token(&house).await;
    let (id, nonce) = (signer(LAPTOP).device(), challenge(&house, signer(LAPTOP).device()).await);
    let asked = json!({ "challenge": nonce.to_string(), "host": HOST }).to_string();
    let request = stranger(Method::POST, PROOF)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json");
    let signed = house.send(request.body(Body::from(asked)).expect("a request")).await.json();
    assert_eq!(signed["device"], rack().to_string());
    // Good at the laptop's doorway, and so not at the rack's own one.
    let signature = node_model::sign::Signature(
        data_encoding::HEXLOWER
            .decode(signed["signature"].as_str().expect("text").as_bytes())
            .expect("hexadecimal")
            .try_into()
            .expect("64 bytes"),
    );
    assert!(to_sign(nonce, id, HOST).verify(rack(), &signature).is_ok());
    let as_rack = |device: DeviceId| {
        json!({ "device": device, "challenge": nonce.to_string(),
            "signature": signed["signature"] })
    };
    for device in [rack(), id] {
        let refused = ask(&house, TOKENS, &as_rack(device)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
}
