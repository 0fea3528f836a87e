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
const BLOBS: &str = "/api/v1/sync/blobs";
const WANTED: &str = "/api/v1/sync/blobs/wanted";

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

/// The rack and the laptop, with somebody who carries between their doors.
struct Visiting {
    house: House,
    laptop: House,
    pipe: Pipe,
    /// Of the rack for the laptop, and of the laptop for the rack.
    tokens: [String; 2],
}

impl Visiting {
    async fn begin() -> Self {
        let (house, laptop) = rack_and_laptop().await;
        let there = token(&house).await;
        let here = token_for_rack(&house, &laptop, &there).await;
        let pipe = Pipe::new(new_visit(), new_visit());
        Self { house, laptop, pipe, tokens: [there, here] }
    }

    fn door(&self, side: Side) -> (&Router, &str) {
        match side {
            Side::There => (&self.house.tcp, &self.tokens[0]),
            Side::Here => (&self.laptop.socket, &self.tokens[1]),
        }
    }

    async fn round(&mut self) {
        for side in [Side::There, Side::Here] {
            let next = self.pipe.next(side);
            let (router, token) = self.door(side);
            let returned = returned(router, token, &next).await;
            self.pipe.returned(side, returned).expect("in order");
        }
    }

    /// Carries until an end wants blobs of the other one.
    async fn until_wanted(&mut self, side: Side) {
        while !self.pipe.wants_blobs(side) {
            self.round().await;
        }
    }

    async fn blobs(&self, side: Side, method: Method, path: &str, body: impl Into<Body>) -> Reply {
        let (router, token) = self.door(side);
        let request = stranger(method, path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(body.into());
        send(router, request.expect("a request")).await
    }

    /// What an end wants, as a request.
    async fn wanted(&self, side: Side) -> Option<Vec<u8>> {
        let reply = self.blobs(side, Method::POST, WANTED, Body::empty()).await;
        match reply.status {
            StatusCode::OK => Some(reply.body),
            StatusCode::NO_CONTENT => None,
            _ => panic!("{}", reply.text()),
        }
    }

    /// What the other end answers.
    async fn answer(&self, side: Side, request: Vec<u8>) -> Vec<u8> {
        let reply = self.blobs(side.other(), Method::POST, BLOBS, request).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
        assert_eq!(reply.header(header::CONTENT_TYPE), "application/vnd.kith.blobs");
        reply.body
    }

    async fn take(&self, side: Side, answer: Vec<u8>) {
        let reply = self.blobs(side, Method::PUT, BLOBS, answer).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    }

    /// Carries frames and blobs until the laptop says how it stands.
    async fn synchronise(&mut self) -> Value {
        self.round().await;
        let (handle, is_done) = (self.laptop.tcp.clone(), Cell::new(false));
        let request = by_token(Method::POST, "/api/v1/sync")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(json!({ "peer": rack() }).to_string()))
            .expect("a request");
        let ask = async {
            let report = send(&handle, request).await;
            is_done.set(true);
            report.json()
        };
        let carry = async {
            while !is_done.get() {
                self.round().await;
                for side in [Side::Here, Side::There] {
                    if !self.pipe.wants_blobs(side) {
                        continue;
                    }
                    while let Some(request) = self.wanted(side).await {
                        let answer = self.answer(side, request).await;
                        self.take(side, answer).await;
                    }
                }
            }
        };
        let (report, ()) = tokio::join!(ask, carry);
        report
    }
}

/// A file that is larger than those in the database, and unlike itself everywhere.
fn photo(bytes: u64) -> Vec<u8> {
    (0..bytes / 8)
        .flat_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .collect()
}

async fn put(house: &House, space: &str, file: Vec<u8>) -> String {
    let request = by_token(Method::PUT, &format!("/api/v1/spaces/{space}/blobs?name=a.jpg"));
    let reply = house.send(request.body(Body::from(file)).expect("a request")).await;
    assert!(reply.status.is_success(), "{}", reply.text());
    reply.json()["blob"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn two_nodes_become_equal_through_a_doorway() {
    let mut visiting = Visiting::begin().await;
    let space = visiting.laptop.found("album").await.to_string();
    let document = json!({ "id": "plan", "type": "note", "value": { "title": "Plan" } });
    let made = visiting.laptop.post(&format!("/api/v1/spaces/{space}/docs"), &document).await;
    assert!(made.status.is_success(), "{}", made.text());
    let synced = json!([{ "peer": rack(), "progress": null, "state": "synced" }]);
    let report = visiting.synchronise().await;
    assert!(report["pushed"].as_u64() > Some(0), "{report}");
    assert_eq!(report["peers"], synced);
    let read = visiting.house.get(&format!("/api/v1/spaces/{space}/docs/plan")).await;
    assert_eq!(read.json()["value"]["title"], "Plan");

    // Files go both ways, more than one request asks for.
    let large = photo(3_000_000);
    let from_laptop = put(&visiting.laptop, &space, large.clone()).await;
    let mut small = Vec::new();
    for number in 0..70 {
        small.push(put(&visiting.laptop, &space, photo(800 + number * 8)).await);
    }
    let from_house = put(&visiting.house, &space, photo(500_000)).await;
    assert_eq!(visiting.synchronise().await["peers"], synced);
    let there = visiting.house.get(&format!("/api/v1/spaces/{space}/blobs/{from_laptop}")).await;
    assert_eq!((there.status, there.body == large), (StatusCode::OK, true));
    for blob in small {
        let there = visiting.house.get(&format!("/api/v1/spaces/{space}/blobs/{blob}")).await;
        assert_eq!(there.status, StatusCode::OK);
    }
    let here = visiting.laptop.get(&format!("/api/v1/spaces/{space}/blobs/{from_house}")).await;
    assert_eq!((here.status, here.body.len()), (StatusCode::OK, 500_000));
}

#[tokio::test]
async fn a_file_that_breaks_off_goes_on_where_it_was_and_a_spoilt_one_is_not_kept() {
    let mut visiting = Visiting::begin().await;
    let space = visiting.laptop.found("album").await.to_string();
    let file = photo(2_000_000);
    let blob = put(&visiting.laptop, &space, file.clone()).await;
    visiting.until_wanted(Side::There).await;
    let request = visiting.wanted(Side::There).await.expect("it wants the file");
    assert_eq!(visiting.wanted(Side::There).await.as_ref(), Some(&request), "until it came");
    let mut answer = visiting.answer(Side::There, request.clone()).await;
    let whole = answer.len();
    answer.truncate(whole / 2);
    visiting.take(Side::There, answer).await;
    assert_eq!(visiting.wanted(Side::There).await, None, "not of this visitor again");
    let unasked = visiting.blobs(Side::There, Method::PUT, BLOBS, vec![1]).await;
    assert_eq!(
        (unasked.status, &unasked.json()["code"]),
        (StatusCode::CONFLICT, &json!("conflict"))
    );

    visiting.pipe = Pipe::new(new_visit(), new_visit());
    visiting.until_wanted(Side::There).await;
    let request = visiting.wanted(Side::There).await.expect("it wants the rest");
    let mut rest = visiting.answer(Side::There, request).await;
    assert!(rest.len() < whole * 6 / 10, "{} of {whole}", rest.len());
    let last = rest.len() - 1;
    rest[last] ^= 1;
    visiting.take(Side::There, rest).await;
    let path = format!("/api/v1/spaces/{space}/blobs/{blob}");
    assert_eq!(visiting.house.get(&path).await.status, StatusCode::NOT_FOUND);

    visiting.pipe = Pipe::new(new_visit(), new_visit());
    visiting.until_wanted(Side::There).await;
    let request = visiting.wanted(Side::There).await.expect("it wants the end");
    let end = visiting.answer(Side::There, request).await;
    visiting.take(Side::There, end).await;
    let read = visiting.house.get(&path).await;
    assert_eq!((read.status, read.body == file), (StatusCode::OK, true));
}

#[tokio::test]
async fn a_new_visit_ends_what_belonged_to_the_old_one() {
    let mut visiting = Visiting::begin().await;
    let space = visiting.laptop.found("album").await.to_string();
    let blob = put(&visiting.laptop, &space, photo(2_000_000)).await;
    visiting.until_wanted(Side::There).await;
    let request = visiting.wanted(Side::There).await.expect("it wants the file");
    // A line that hangs in the middle of an answer.
    let half = visiting.answer(Side::There, request).await[..900_000].to_vec();
    let (pieces, hanging) = tokio::sync::mpsc::channel(1);
    let old = stranger(Method::PUT, BLOBS)
        .header(header::AUTHORIZATION, format!("Bearer {}", visiting.tokens[0]))
        .body(Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(hanging)))
        .expect("a request");
    let router = visiting.house.tcp.clone();
    let old = tokio::spawn(async move { send(&router, old).await });
    pieces.send(Ok::<_, std::io::Error>(half)).await.expect("it is read");
    pieces.reserve().await.expect("the first piece was taken");

    visiting.pipe = Pipe::new(new_visit(), new_visit());
    visiting.until_wanted(Side::There).await;
    assert_eq!(old.await.expect("no panic").status, StatusCode::CONFLICT, "its visit is over");
    while let Some(request) = visiting.wanted(Side::There).await {
        let answer = visiting.answer(Side::There, request).await;
        visiting.take(Side::There, answer).await;
    }
    let read = visiting.house.get(&format!("/api/v1/spaces/{space}/blobs/{blob}")).await;
    assert_eq!((read.status, read.body.len()), (StatusCode::OK, 2_000_000));
}

#[tokio::test]
async fn blobs_go_to_visitors_only_and_only_what_they_may_have() {
    let mut visiting = Visiting::begin().await;
    let request = [&[0, 0, 0, 44, 0, 1][..], &[7; 32], &[0, 1], &[0; 8]].concat();
    let outside = visiting.blobs(Side::There, Method::POST, BLOBS, request.clone()).await;
    assert_eq!(outside.status, StatusCode::CONFLICT, "nobody visits");
    let outside = visiting.blobs(Side::There, Method::POST, WANTED, Body::empty()).await;
    assert_eq!(outside.status, StatusCode::CONFLICT, "nobody visits");
    visiting.round().await;
    let unknown = visiting.blobs(Side::There, Method::POST, BLOBS, request.clone()).await;
    assert_eq!((unknown.status, unknown.body), (StatusCode::OK, vec![0]), "there is none for it");
    let too_long = [&[0xff; 4][..], &[0; 100]].concat();
    for garbage in [vec![1, 2], too_long, vec![]] {
        let reply = visiting.blobs(Side::There, Method::POST, BLOBS, garbage).await;
        assert_eq!((reply.status, reply.body), (StatusCode::OK, vec![]));
    }
    let large = visiting.blobs(Side::There, Method::POST, BLOBS, vec![0; 300_000]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    visiting.tokens[0] = TOKEN.to_owned();
    for (method, path) in [(Method::POST, BLOBS), (Method::PUT, BLOBS), (Method::POST, WANTED)] {
        let reply = visiting.blobs(Side::There, method, path, request.clone()).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
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
