//! A disk that goes bad: what can be read stays, and the rest comes back from others.

use std::{fmt::Write as _, fs, path::PathBuf};

use acceptance::{Home, dice, number, text};
use rand_core::Rng;
use serde_json::json;

/// Where a home keeps the entries of a space.
fn entries_file(home: &Home, space: &str) -> PathBuf {
    home.data_dir().join("spaces").join(space).join("entries.db")
}

/// Notes that are a page each, and do not get smaller.
fn write_notes(home: &Home) -> PathBuf {
    let (folder, mut dice) = (home.beside("notes"), dice());
    fs::create_dir(&folder).expect("creates");
    for number in 0..60 {
        let mut bytes = [0; 2_000];
        dice.fill_bytes(&mut bytes);
        let mut text = format!("# Note {number}\n\n");
        bytes.iter().for_each(|byte| write!(text, "{byte:02x}").expect("a string has room"));
        fs::write(folder.join(format!("note-{number}.md")), text).expect("writes");
    }
    folder
}

#[tokio::test]
async fn a_damaged_space_is_repaired_and_others_bring_the_rest() {
    let (ada, ben) = (Home::new(), Home::new());
    let space = ada.new_space("album").await;
    let folder = write_notes(&ada);
    let import = ["import", folder.to_str().expect("plain"), "--space", "album"];
    ada.kith(&import).json().await;
    let running = ada.up().name("Ada").ready().await;
    let of_ben = ben.up().name("Ben").ready().await;
    ben.pair(&ada.ticket(&["--space", "album", "--role", "writer"]).await).json().await;
    ben.sync().await;
    let repair = ["space", "repair", "album"];
    ada.kith(&repair).fails().await.is(1, "conflict").says("a node runs");
    running.stop().await;
    // Nobody else has this one.
    let own = ada.new_document("album", &json!({"title": "Mine alone"})).await;

    let file = entries_file(&ada, &space);
    let mut bytes = fs::read(&file).expect("is there");
    let pages = bytes.len() / 4_096;
    assert!(pages > 60, "{pages} pages");
    for page in [pages / 3, pages / 2] {
        bytes[page * 4_096..(page + 1) * 4_096].fill(0xa5);
    }
    fs::write(&file, &bytes).expect("writes");

    let repaired = ada.kith(&repair).json().await;
    assert!(number(&repaired, "kept") > 40 && number(&repaired, "lost") > 0, "{repaired}");
    assert!(fs::read(text(&repaired, "old")).expect("the old file stays") == bytes);
    assert_eq!(ada.value("album", &own).await["title"], "Mine alone");
    assert!(ada.documents("album").await.len() < 61);
    let running = ada.up().ready().await;
    ada.sync().await;
    ben.sync().await;
    for home in [&ada, &ben] {
        assert_eq!(home.documents("album").await.len(), 61);
    }
    running.stop().await;
    of_ben.stop().await;

    // What is whole stays whole.
    let again = ada.kith(&["space", "repair", &space]).json().await;
    assert_eq!(number(&again, "lost"), 0, "{again}");
    assert_eq!(ada.documents("album").await.len(), 61);
    ada.kith(&["space", "repair", "nothing"]).fails().await.is(4, "not-found");
}
