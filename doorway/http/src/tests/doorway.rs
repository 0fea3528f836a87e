//! Devices come in with a proof, as long as they are the person's own.

use node_model::{
    DeviceId,
    challenge::{Challenge, Nonce},
    sign::{Domain, Signature, Signer},
};
use node_runtime::{
    DeviceKeys,
    testing::{introduce, test_node_with},
};
use serde_json::json;

use super::*;

const CHALLENGES: &str = "/api/v1/challenges";
pub(super) const TOKENS: &str = "/api/v1/tokens";
const STATUS: &str = "/api/v1/status";

pub(super) const LAPTOP: [u8; 32] = [2; 32];
pub(super) const OF_BO: [u8; 32] = [3; 32];

/// The rack of somebody whose laptop, and whose friend's device, it knows.
pub(super) async fn rack_and_laptop() -> (House, House) {
    let node = async |device: &[u8; 32], root: &[u8; 32], name: &str| {
        test_node_with(DeviceKeys::from_secrets(device, root, device), name, Network::None).await
    };
    let rack = node(&[1; 32], &[9; 32], "Ada").await;
    let laptop = node(&LAPTOP, &[9; 32], "Ada").await;
    let of_bo = node(&OF_BO, &[8; 32], "Bo").await;
    introduce(&laptop, &rack).await;
    introduce(&rack, &laptop).await;
    introduce(&of_bo, &rack).await;
    (House::of(rack), House::of(laptop))
}

pub(super) fn signer(secret: [u8; 32]) -> Signer {
    Signer::from_secret(&secret)
}

pub(super) fn rack() -> DeviceId {
    signer([1; 32]).device()
}

/// Without any right.
pub(super) async fn ask(house: &House, path: &str, body: &Value) -> Reply {
    let request = stranger(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
    house.send(request.body(Body::from(body.to_string())).expect("a request")).await
}

pub(super) async fn challenge(house: &House, device: DeviceId) -> Nonce {
    let reply = ask(house, CHALLENGES, &json!({ "device": device })).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    let reply = reply.json();
    assert_eq!(reply["node"], rack().to_string());
    reply["challenge"].as_str().expect("a challenge").parse().expect("a challenge")
}

pub(super) fn to_sign(nonce: Nonce, node: DeviceId, host: &str) -> Challenge {
    Challenge::new(nonce, node, host).expect("a good host")
}

async fn redeem(house: &House, device: DeviceId, nonce: Nonce, signature: Signature) -> Reply {
    let signature: String = signature.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let proof = json!({ "device": device, "challenge": nonce.to_string(), "signature": signature });
    ask(house, TOKENS, &proof).await
}

/// The whole conversation, as it should be.
pub(super) async fn prove(house: &House, signer: &Signer) -> Reply {
    let nonce = challenge(house, signer.device()).await;
    let signature = to_sign(nonce, rack(), HOST).sign(signer);
    redeem(house, signer.device(), nonce, signature).await
}

pub(super) async fn token(house: &House) -> String {
    let given = prove(house, &signer(LAPTOP)).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.text());
    given.json()["token"].as_str().expect("a token").to_owned()
}

async fn with(house: &House, token: &str, method: Method, path: &str) -> Reply {
    let request = stranger(method, path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    house.send(request.body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn a_device_of_the_person_gets_a_token_and_comes_in() {
    let (house, _laptop) = rack_and_laptop().await;
    let token = token(&house).await;
    let status = with(&house, &token, Method::GET, STATUS).await;
    assert_eq!((status.status, &status.json()["node"]), (StatusCode::OK, &json!(rack())));
    let made = stranger(Method::POST, "/api/v1/spaces")
        .header(header::AUTHORIZATION, format!("bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json");
    let made = made.body(Body::from(r#"{"name":"album"}"#)).expect("a request");
    assert_eq!(house.send(made).await.status, StatusCode::CREATED);

    for (method, path) in [(Method::GET, "/"), (Method::POST, "/api/v1/challenges/answer")] {
        let reply = with(&house, &token, method, path).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}: for programs only");
    }
    let other = if token.ends_with('0') { "1" } else { "0" };
    for wrong in [&token[1..], &(token[..63].to_owned() + other), &token.to_uppercase()] {
        let reply = with(&house, wrong, Method::GET, STATUS).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let elsewhere = stranger(Method::GET, STATUS)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::ORIGIN, "http://evil.example");
    let elsewhere = house.send(elsewhere.body(Body::empty()).expect("a request")).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn whoever_may_not_have_a_token_cannot_tell_why() {
    let (house, _laptop) = rack_and_laptop().await;
    let (laptop, of_bo, unknown) = (signer(LAPTOP), signer(OF_BO), signer([7; 32]));
    let mut refusals = Vec::new();
    // Somebody else's device that is known here, and one that nobody knows, both with
    // good signatures.
    for device in [&of_bo, &unknown] {
        refusals.push(prove(&house, device).await);
    }
    let id = laptop.device();
    let nonce = challenge(&house, id).await;
    let good = to_sign(nonce, rack(), HOST);
    let mut flipped = good.sign(&laptop);
    flipped.0[40] ^= 1;
    let localhost = to_sign(nonce, rack(), "localhost:8420");
    let wrong = [
        flipped,
        good.sign(&of_bo),
        localhost.sign(&laptop),
        to_sign(nonce, id, HOST).sign(&laptop),
        to_sign(Nonce([0; 32]), rack(), HOST).sign(&laptop),
        laptop.sign(Domain::DeviceLink, &[]),
    ];
    for signature in wrong {
        refusals.push(redeem(&house, id, nonce, signature).await);
    }
    let made_up = to_sign(Nonce([0; 32]), rack(), HOST).sign(&laptop);
    refusals.push(redeem(&house, id, Nonce([0; 32]), made_up).await);
    // None of that used the challenge up; this does.
    assert_eq!(redeem(&house, id, nonce, good.sign(&laptop)).await.status, StatusCode::OK);
    refusals.push(redeem(&house, id, nonce, good.sign(&laptop)).await);
    for refusal in &refusals {
        assert_eq!(refusal.status, StatusCode::FORBIDDEN, "{}", refusal.text());
        assert_eq!(refusal.text(), refusals[0].text());
        assert_eq!(refusal.headers, refusals[0].headers);
    }
    assert_eq!(refusals.len(), 10);
}

#[tokio::test]
async fn a_challenge_says_nothing_about_the_device() {
    let (house, _laptop) = rack_and_laptop().await;
    let mut shapes = Vec::new();
    for secret in [LAPTOP, OF_BO, [7; 32], [1; 32]] {
        let asked = json!({ "device": signer(secret).device() });
        let (one, two) =
            (ask(&house, CHALLENGES, &asked).await, ask(&house, CHALLENGES, &asked).await);
        assert_ne!(one.json()["challenge"], two.json()["challenge"]);
        let body = one.json();
        let keys: Vec<String> = body.as_object().expect("an object").keys().cloned().collect();
        shapes.push((one.status, one.headers, one.body.len(), keys, body["node"].clone()));
    }
    assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:?}");
    assert_eq!(shapes[0].3, ["challenge", "expires_at", "node"]);
}

#[tokio::test]
async fn a_device_that_is_taken_back_is_out_at_once() {
    let (house, _laptop) = rack_and_laptop().await;
    let laptop = signer(LAPTOP);
    let token = token(&house).await;
    let nonce = challenge(&house, laptop.device()).await;
    let events = stranger(Method::GET, "/api/v1/events")
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let events = events.body(Body::empty()).expect("a request");
    let listening = house.tcp.clone().oneshot(events).await.expect("infallible");
    assert_eq!(listening.status(), StatusCode::OK);

    let device = format!("/api/v1/devices/{}", laptop.device());
    let by_rack = by_token(Method::DELETE, &device).body(Body::empty()).expect("a request");
    assert_eq!(house.send(by_rack).await.status, StatusCode::OK);
    let refused = with(&house, &token, Method::GET, STATUS).await;
    let never = with(&house, &"0".repeat(64), Method::GET, STATUS).await;
    assert_eq!((refused.status, refused.text()), (StatusCode::UNAUTHORIZED, never.text()));

    let answer = to_sign(nonce, rack(), HOST).sign(&laptop);
    let begun_before = redeem(&house, laptop.device(), nonce, answer).await;
    let unknown = prove(&house, &signer([7; 32])).await;
    for refused in [begun_before, prove(&house, &laptop).await] {
        assert_eq!((refused.status, refused.text()), (unknown.status, unknown.text()));
    }
    // What it listened to ends with the next event, and without it.
    let space = house.found("secret").await;
    let document = json!({ "id": "plan", "type": "note", "value": { "title": "Plan" } });
    let made = house.post(&format!("/api/v1/spaces/{space}/docs"), &document).await;
    assert!(made.status.is_success(), "{}", made.text());
    let heard = listening.into_body().collect().await.expect("it ends").to_bytes();
    assert!(!String::from_utf8_lossy(&heard).contains(&space.to_string()));
}

#[tokio::test]
async fn a_node_answers_challenges_of_its_own_persons_doorways_only() {
    let (house, laptop) = rack_and_laptop().await;
    let ask_laptop = async |challenge: &str, node: DeviceId, host: &str| {
        let asked = json!({ "challenge": challenge, "node": node, "host": host }).to_string();
        let request = bare(Method::POST, "/api/v1/challenges/answer")
            .header(header::CONTENT_TYPE, "application/json");
        send(&laptop.socket, request.body(Body::from(asked)).expect("a request")).await
    };
    let id = signer(LAPTOP).device();
    let nonce = challenge(&house, id).await;
    let answer = ask_laptop(&nonce.to_string(), rack(), HOST).await.json();
    assert_eq!(answer["device"], id.to_string());
    let proof = json!({ "device": id, "challenge": nonce.to_string(),
        "signature": answer["signature"] });
    assert_eq!(ask(&house, TOKENS, &proof).await.status, StatusCode::OK);

    for stranger in [signer(OF_BO), signer([7; 32])] {
        let refused = ask_laptop(&nonce.to_string(), stranger.device(), HOST).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.text().contains("not one of your devices"), "{}", refused.text());
    }
    for (challenge, host) in [("", HOST), ("00", HOST), (&*nonce.to_string(), "a b")] {
        let refused = ask_laptop(challenge, rack(), host).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{challenge} {host}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_before_anything_else() {
    let (house, _laptop) = rack_and_laptop().await;
    let (id, nonce) = (signer(LAPTOP).device(), "0".repeat(64));
    let (signature, long) = ("0".repeat(128), "x".repeat(5_000));
    let proof = |device: &str, nonce: &str, signature: &str| json!({ "device": device, "challenge": nonce, "signature": signature });
    let id = id.to_string();
    let bad = [
        (CHALLENGES, json!({}), StatusCode::BAD_REQUEST),
        (CHALLENGES, json!({ "device": "me" }), StatusCode::BAD_REQUEST),
        (CHALLENGES, json!({ "device": long }), StatusCode::PAYLOAD_TOO_LARGE),
        (TOKENS, proof("me", &nonce, &signature), StatusCode::BAD_REQUEST),
        (TOKENS, proof(&id, "00", &signature), StatusCode::BAD_REQUEST),
        (TOKENS, proof(&id, &nonce, &signature[1..]), StatusCode::BAD_REQUEST),
        (TOKENS, proof(&id, &nonce, &long), StatusCode::PAYLOAD_TOO_LARGE),
        (TOKENS, proof(&id, &nonce, &signature), StatusCode::FORBIDDEN),
    ];
    for (path, body, status) in bad {
        let reply = ask(&house, path, &body).await;
        assert_eq!(reply.status, status, "{path} {body}: {}", reply.text());
    }
}
