//! A space that travels on a stick: no network, two homes that met once.

use std::{fs, path::Path};

use acceptance::{Home, list, number, text, until};
use serde_json::{Value, json};

const CANARY: &str = "canary-7f3a-sings";

/// Two who paired, share an album as writers, and are stopped.
async fn apart() -> (Home, Home) {
    let (ada, ben) = (Home::new(), Home::new());
    let running = [ada.up().name("Ada").ready().await, ben.up().name("Ben").ready().await];
    ada.new_space("album").await;
    let ticket = ada.ticket(&["--space", "album", "--role", "writer"]).await;
    ben.pair(&ticket).json().await;
    ben.sync().await;
    for node in running {
        node.stop().await;
    }
    (ada, ben)
}

async fn pack(home: &Home, file: &Path, since: Option<&Path>) -> Value {
    let file = file.to_str().expect("plain");
    let since = since.map(|since| ["--since", since.to_str().expect("plain")]);
    let command = [&["pack", "album", file][..], since.as_ref().map_or(&[], |it| &it[..])].concat();
    home.kith(&command).json().await
}

fn unpacking(home: &Home, file: &Path) -> acceptance::Kith {
    home.kith(&["unpack", file.to_str().expect("plain")])
}

fn holds(file: &Path, part: &str) -> bool {
    let bytes = fs::read(file).expect("a pack");
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

#[tokio::test]
async fn a_space_travels_on_a_stick() {
    let (ada, ben) = apart().await;
    let doc = ada.new_document("album", &json!({"title": CANARY})).await;
    let file = ada.beside("film.bin");
    let film: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&file, [CANARY.as_bytes(), &film].concat()).expect("writes");
    let file = file.to_str().expect("plain");
    let stored = ada.kith(&["blob", "put", "album", file]).json().await;

    let first = ada.beside("first.kithpack");
    let made = pack(&ada, &first, None).await;
    assert_eq!((number(&made, "blobs"), text(&made, "file")), (1, first.to_str().expect("plain")));
    assert!(number(&made, "attestations") > 0 && number(&made, "entries") > 1, "{made}");
    for secret in [CANARY, "film.bin", "album"] {
        assert!(!holds(&first, secret), "{secret}");
    }

    // Ben's node does not run; then it does. Either way nobody is connected.
    let taken = unpacking(&ben, &first).json().await;
    assert_eq!(number(&taken, "entries_new"), number(&made, "entries"), "{taken}");
    assert_eq!((number(&taken, "blobs_new"), list(&taken, "refused").len()), (1, 0), "{taken}");
    assert_eq!(ben.value("album", &doc).await["title"], CANARY);
    let copy = ben.beside("copy.bin");
    let get = ["blob", "get", "album", text(&stored, "blob"), copy.to_str().expect("plain")];
    assert_eq!(ben.kith(&get).run().await.exit, 0);
    assert!(fs::read(&copy).expect("a file") == fs::read(file).expect("a file"));
    let again = unpacking(&ben, &first).json().await;
    assert_eq!((number(&again, "entries_new"), number(&again, "blobs_new")), (0, 0), "{again}");

    let running = ben.up().ready().await;
    ben.kith(&["doc", "set", "album", &doc, "seen", "true"]).json().await;
    let second = ben.beside("second.kithpack");
    let made = pack(&ben, &second, Some(&first)).await;
    assert_eq!((number(&made, "entries"), number(&made, "blobs")), (1, 0), "{made}");
    assert!(number(&made, "bytes") < 10_000, "{made}");
    running.stop().await;
    let running = ada.up().ready().await;
    let taken = unpacking(&ada, &second).json().await;
    assert_eq!(number(&taken, "entries_new"), 1, "{taken}");
    assert_eq!(ada.value("album", &doc).await["seen"], true);
    running.stop().await;
}

/// Keys travel with the pack, sealed to whom they are for, version by version.
#[tokio::test]
async fn keys_and_their_next_versions_come_on_a_stick_too() {
    let (ada, ben) = apart().await;
    // Ben hears of nothing of this but by the stick.
    ada.new_space("letters").await;
    ada.kith(&["space", "grant", "letters", "Ben", "reader"]).json().await;
    ada.new_document("letters", &json!({"title": "first"})).await;
    let stick = ada.beside("letters.kithpack");
    let file = stick.to_str().expect("plain");
    let carry = async || {
        ada.kith(&["pack", "letters", file]).json().await;
        unpacking(&ben, &stick).json().await
    };
    carry().await;
    assert_eq!(ben.documents("letters").await.len(), 1);
    // From here on other keys are used, whoever has the ones before.
    let cy = Home::new();
    let cys = cy.kith(&["id"]).json().await;
    let running = [ada.up().name("Ada").ready().await, cy.up().name("Cy").ready().await];
    let ticket = ada.ticket(&["--space", "letters", "--role", "reader"]).await;
    cy.pair(&ticket).json().await;
    for node in running {
        node.stop().await;
    }
    ada.kith(&["space", "revoke", "letters", text(&cys, "agent")]).json().await;
    ada.new_document("letters", &json!({"title": "second"})).await;
    carry().await;
    assert_eq!(ben.documents("letters").await.len(), 2);
    unpacking(&cy, &stick).fails().await.is(3, "not-allowed");
}

#[tokio::test]
async fn a_pack_in_the_wrong_hands_or_in_pieces_says_what_to_do() {
    let (ada, ben) = apart().await;
    ada.new_document("album", &json!({"title": CANARY})).await;
    let whole = ada.beside("whole.kithpack");
    pack(&ada, &whole, None).await;
    let eve = Home::new();
    eve.new_space("other").await;
    let refused = unpacking(&eve, &whole).fails().await;
    refused.is(3, "not-allowed").says("ticket");
    let other = eve.beside("other.kithpack");
    let other_text = other.to_str().expect("plain");
    eve.kith(&["pack", "other", other_text]).json().await;
    unpacking(&ben, &other).fails().await.is(3, "not-allowed");

    let bytes = fs::read(&whole).expect("a pack");
    let piece = ada.beside("piece.kithpack");
    fs::write(&piece, &bytes[..bytes.len() - 1]).expect("writes");
    unpacking(&ben, &piece).fails().await.is(1, "storage").says("cut off");
    fs::write(&piece, "not a pack").expect("writes");
    unpacking(&ben, &piece).fails().await.is(2, "invalid").says("not a pack");
    unpacking(&ben, &ada.beside("none")).fails().await.is(4, "not-found");
    let since = ["pack", "album", "x.kithpack", "--since", other_text];
    ada.kith(&since).fails().await.is(2, "invalid").says("another space");
    unpacking(&ben, &whole).json().await;
}

#[tokio::test]
async fn a_killed_unpack_goes_on_when_it_is_begun_again() {
    let (ada, ben) = apart().await;
    let folder = ada.beside("files");
    fs::create_dir(&folder).expect("a folder");
    for at in 0..40_u32 {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(|i| (i ^ at).to_le_bytes()).collect();
        fs::write(folder.join(format!("{at}.bin")), bytes).expect("writes");
    }
    let import = ["import", folder.to_str().expect("plain"), "--space", "album"];
    ada.kith(&import).json().await;
    let file = ada.beside("all.kithpack");
    let made = pack(&ada, &file, None).await;

    let blobs = ben.data_dir().join("blobs").join("data");
    let count = || fs::read_dir(&blobs).map_or(0, Iterator::count);
    for more in [1, 10] {
        let before = count();
        let mut child = unpacking(&ben, &file).begin();
        until("a part of the files", async || {
            let is_over = child.try_wait().expect("a child").is_some();
            (is_over || count() >= before + more).then_some(())
        })
        .await;
        child.kill().await.expect("it can be killed");
    }
    unpacking(&ben, &file).json().await;
    let status = ben.kith(&["status"]).json().await;
    assert_eq!(number(&status["storage"], "blobs_missing"), 0, "{status}");
    let again = unpacking(&ben, &file).json().await;
    assert_eq!(number(&again, "entries_known"), number(&made, "entries"), "{again}");
    assert_eq!((number(&again, "entries_new"), number(&again, "blobs_new")), (0, 0), "{again}");
}
