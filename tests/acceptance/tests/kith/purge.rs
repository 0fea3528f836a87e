//! Documents that are purged for good: nothing of them is left in any file, anywhere, and they
//! do not come back.

use acceptance::{Home, list, read_tree, text, until};
use serde_json::{Value, json};

/// Files of a home that hold a document's id, which stands in the clear in each entry of it.
fn files_with(home: &Home, doc: &str) -> Vec<String> {
    let id = id_bytes(doc);
    let tree = read_tree(&home.data_dir());
    let holding = tree.iter().filter(|(_, bytes)| bytes.windows(id.len()).any(|it| it == id));
    holding.map(|(path, _)| String::from_utf8_lossy(path).into_owned()).collect()
}

/// The 16 bytes of a printed id (RFC 4648, base 32 without padding).
fn id_bytes(doc: &str) -> Vec<u8> {
    const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz234567";
    let digit = |letter| LETTERS.find(letter).expect("a letter of an id") as u32;
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for letter in doc.chars() {
        (bits, count) = ((bits << 5 | digit(letter)) & 0xfff, count + 5);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    assert_eq!(bytes.len(), 16, "{doc}");
    bytes
}

async fn titles(home: &Home) -> Vec<String> {
    let found = home.kith(&["search", "wheelbarrow"]).json().await;
    list(&found, "results").iter().map(|result| text(result, "title").to_owned()).collect()
}

fn note(title: &str) -> Value {
    json!({"title": title, "content": "wheelbarrow"})
}

#[tokio::test]
async fn a_purged_document_leaves_no_trace_at_anybody_and_does_not_come_back() {
    let (ada, ben) = (Home::new(), Home::new());
    let of_ada = ada.up().name("Ada").ready().await;
    let of_ben = ben.up().name("Ben").ready().await;
    ada.new_space("album").await;
    let ticket = ada.ticket(&["--space", "album", "--role", "writer"]).await;
    ben.pair(&ticket).json().await;
    let diary = ada.new_document("album", &note("Diary")).await;
    ada.new_document("album", &note("Other")).await;
    until("Ben has both", async || (titles(&ben).await.len() == 2).then_some(())).await;
    ben.kith(&["doc", "set", "album", &diary, "by_ben", "true"]).json().await;
    ben.sync().await;
    of_ben.stop().await;
    ben.kith(&["doc", "set", "album", &diary, "late", "true"]).json().await;
    assert!(!files_with(&ada, &diary).is_empty() && !files_with(&ben, &diary).is_empty());

    ada.kith(&["doc", "purge", "album", &diary]).fails().await.is(2, "invalid");
    let denied = ben.kith(&["doc", "purge", "--yes", "album", &diary]).fails().await;
    denied.is(3, "not-allowed").says("admin");
    let purged = ada.kith(&["doc", "purge", "--yes", "album", &diary]).json().await;
    assert_eq!(purged["docs"], json!([diary]));
    assert_eq!(files_with(&ada, &diary), [] as [String; 0], "also while it runs");
    assert_eq!(titles(&ada).await, ["Other"]);
    ada.kith(&["doc", "get", "album", &diary]).fails().await.is(4, "not-found");

    let of_ben = ben.up().ready().await;
    until("Ben has purged it, too", async || (titles(&ben).await.len() == 1).then_some(())).await;
    ben.sync().await;
    assert_eq!(files_with(&ben, &diary), [] as [String; 0]);
    assert_eq!(files_with(&ada, &diary), [] as [String; 0]);
    for home in [&ada, &ben] {
        let findings = home.kith(&["doctor"]).json().await;
        assert_eq!(list(&findings, "causes"), [] as [Value; 0], "{findings}");
        let why = home.kith(&["why", &format!("album/{diary}")]).json().await;
        let rules: Vec<&str> =
            list(&why, "decisions").iter().map(|decision| text(decision, "rule")).collect();
        assert!(rules.contains(&"purged"), "{why}");
    }
    of_ada.stop().await;
    of_ben.stop().await;
    assert_eq!(files_with(&ada, &diary), [] as [String; 0]);
    assert_eq!(titles(&ada).await, ["Other"], "also in an index that was kept");
}

#[tokio::test]
async fn what_was_purged_does_not_come_back_by_an_import_or_a_pack() {
    let home = Home::new();
    home.new_space("album").await;
    let folder = home.beside("files");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("letter.md"), "# Letter\n\nwheelbarrow\n").expect("writes");
    std::fs::write(folder.join("other.md"), "# Other\n").expect("writes");
    let folder = folder.to_string_lossy().into_owned();
    home.kith(&["import", &folder, "--space", "album"]).json().await;
    let pack = home.beside("album.kithpack").to_string_lossy().into_owned();
    home.kith(&["pack", "album", &pack]).json().await;
    home.kith(&["doc", "purge", "--yes", "album", "letter.md"]).json().await;
    assert_eq!(home.documents("album").await.len(), 1);
    home.kith(&["unpack", &pack]).json().await;
    assert_eq!(home.documents("album").await.len(), 1, "the pack brought nothing back");
    assert_eq!(titles(&home).await, [] as [String; 0]);
    let denied = home.kith(&["import", &folder, "--space", "album"]).fails().await;
    denied.is(3, "not-allowed").says("purged");
}
