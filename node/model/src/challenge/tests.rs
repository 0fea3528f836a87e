use serde::{Deserialize, Serialize};

use super::*;

const VECTOR: &str = include_str!("../../../../docs/protocol/vectors/doorway.json");

/// From this package's folder, where tests run. `KITH_BLESS=1` writes the file anew.
const PATH: &str = "../../docs/protocol/vectors/doorway.json";

const HOST: &str = "127.0.0.1:4718";

fn laptop() -> Signer {
    Signer::from_secret(&[1; 32])
}

fn rack() -> DeviceId {
    Signer::from_secret(&[2; 32]).device()
}

fn challenge() -> Challenge {
    Challenge::new(Nonce([3; 32]), rack(), HOST).expect("a good host")
}

#[test]
fn an_answer_holds_for_one_challenge_one_node_one_host_and_one_device() {
    let answer = challenge().sign(&laptop());
    let answered = challenge().verify(laptop().device(), &answer).expect("its answer");
    assert_eq!(answered.device(), laptop().device());
    assert_eq!((answered.node(), answered.nonce()), (rack(), Nonce([3; 32])));

    let others = [
        Challenge::new(Nonce([4; 32]), rack(), HOST),
        Challenge::new(Nonce([3; 32]), laptop().device(), HOST),
        Challenge::new(Nonce([3; 32]), rack(), "localhost:4718"),
    ];
    for other in others {
        let other = other.expect("a good host");
        assert_eq!(other.verify(laptop().device(), &answer), Err(BadSignature));
    }
    assert_eq!(challenge().verify(rack(), &answer), Err(BadSignature));
    // Bytes that are no point of the curve.
    assert!(Verifier::new(&[2; 32]).is_err());
    assert_eq!(challenge().verify(DeviceId([2; 32]), &answer), Err(BadSignature));
}

#[test]
fn what_was_signed_for_another_purpose_is_no_answer() {
    for domain in [Domain::Entry, Domain::Attestation, Domain::DeviceLink] {
        let signature = laptop().sign(domain, &challenge().message());
        assert_eq!(challenge().verify(laptop().device(), &signature), Err(BadSignature));
    }
}

#[test]
fn every_bit_of_an_answer_counts() {
    let answer = challenge().sign(&laptop());
    for bit in 0..512 {
        let mut flipped = answer;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(challenge().verify(laptop().device(), &flipped), Err(BadSignature), "{bit}");
    }
}

#[test]
fn a_host_is_short_and_plain() {
    let host = |host: &str| Challenge::new(Nonce([3; 32]), rack(), host).is_ok();
    assert!(host("[::1]:4718") && host(&"x".repeat(HOST_BYTES_MAX)));
    for bad in ["", "a b", "a\n", "küche:80", &"x".repeat(HOST_BYTES_MAX + 1)] {
        assert!(!host(bad), "{bad:?}");
    }
}

#[test]
fn a_token_reads_back_and_does_not_print() {
    let text = "0f".repeat(32);
    let token: Token = text.parse().expect("a token");
    assert_eq!(token.expose(), text);
    assert!(!format!("{token:?}").contains("0f0f"));
    assert_ne!(token.hash(), [0x0f; 32]);
    let long = "0f".repeat(33);
    for bad in ["", "0f", &text[1..], &long, &text.to_uppercase(), &"zz".repeat(32)] {
        assert_eq!(bad.parse::<Token>().err(), Some(NotAToken), "{bad}");
        assert_eq!(bad.parse::<Nonce>(), Err(NotANonce), "{bad}");
    }
    assert_eq!(text.parse::<Nonce>().map(|nonce| nonce.to_string()), Ok(text));
}

/// One answer, for whoever writes another implementation.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    device_secret: String,
    device: DeviceId,
    challenge: String,
    node: DeviceId,
    host: String,
    /// What is signed, without the domain before it.
    message: String,
    signature: String,
}

#[test]
fn the_vector_is_made_and_read_as_it_says() {
    let made = Vector {
        device_secret: HEXLOWER.encode(laptop().secret()),
        device: laptop().device(),
        challenge: challenge().nonce.to_string(),
        node: rack(),
        host: HOST.to_owned(),
        message: HEXLOWER.encode(&challenge().message()),
        signature: HEXLOWER.encode(&challenge().sign(&laptop()).0),
    };
    if std::env::var_os("KITH_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&made).expect("plain values");
        return std::fs::write(PATH, text + "\n").expect("the file is writable");
    }
    let read: Vector = serde_json::from_str(VECTOR).expect("the file is well-formed");
    assert_eq!(read, made);
    let signature = HEXLOWER.decode(read.signature.as_bytes()).expect("hexadecimal digits");
    let signature = Signature(signature.try_into().expect("64 bytes"));
    let challenge = Challenge::new(read.challenge.parse().expect("one"), read.node, &read.host);
    let answered = challenge.expect("a good host").verify(read.device, &signature);
    assert_eq!(answered.map(|answered| answered.device()), Ok(read.device));
}
