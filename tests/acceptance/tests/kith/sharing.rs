//! What one person has, another one gets: documents, files, edits made while apart.

use std::fs;

use acceptance::{Home, Running, Tree, list, read_tree, text, until, write_tree};
use serde_json::json;

/// A folder as people have them, and some names that they should not have.
pub(crate) fn some_files() -> Tree {
    let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let files: &[(&str, &[u8])] = &[
        ("notes.md", b"---\ntitle: Notes\ntags: [a, b]\n---\n# Notes\n\nHello.\n"),
        ("crlf.md", b"# Windows\r\n\r\nlines\r\n"),
        ("empty.md", b""),
        ("not-utf8.md", b"# caf\xe9\n"),
        ("path.json", br#"{"id": "p", "title": "Path", "chapters": [{"id": "c", "steps": [{"id": "s", "resource_id": "notes"}]}]}"#),
        ("numbers.json", br#"{"a": 1.0, "b": -0.0, "c": 18446744073709551615, "d": 1e300, "a": 2}"#),
        ("list.json", b"[1, 2, 3]"),
        ("reserved.json", br#"{"@kith": {"type": "x"}}"#),
        ("broken.json", b"{\"a\": "),
        ("pictures/dot.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("pictures/empty.bin", b""),
        ("deep/a/b/c/d/e/f.txt", b"deep"),
        ("with space/ leading and trailing .txt", b"spaces"),
        ("-rf.md", b"a dash"),
        ("..hidden", b"two dots"),
        ("a.md/inside.md", b"a folder that looks like a file"),
        ("gr\u{fc}n/\u{1f33b} \u{202e}txt.md", "gr\u{fc}n".as_bytes()),
        ("u\u{308}.md", b"decomposed"),
        ("\u{fc}.md", b"composed"),
        ("%2e%2e%2fescape?.md", b"per cent"),
        ("CON.txt", b"a device of another system"),
    ];
    let mut tree: Tree =
        files.iter().map(|(path, bytes)| (path.as_bytes().to_vec(), bytes.to_vec())).collect();
    tree.insert(b"pictures/large.bin".to_vec(), large);
    tree
}

/// Two running nodes, the second invited by the first into the space.
async fn two(space_role: &str) -> ([Home; 2], [Running; 2], String) {
    let (ada, ben) = (Home::new(), Home::new());
    let running = [ada.up().name("Ada").ready().await, ben.up().name("Ben").ready().await];
    let space = ada.new_space("album").await;
    let ticket = ada.ticket(&["--space", "album", "--role", space_role]).await;
    let paired = ben.pair(&ticket).json().await;
    assert_eq!(text(&paired, "agent"), running[0].agent());
    assert_eq!(text(&paired, "peer"), running[0].node());
    assert_eq!(text(&paired, "relation"), "reciprocal");
    ([ada, ben], running, space)
}

#[tokio::test]
async fn an_imported_folder_arrives_byte_for_byte() {
    let ([ada, ben], mut running, space) = two("reader").await;
    let event = running[0].line().await;
    assert_eq!(text(&event, "event"), "pairing-code");
    let event = running[0].line().await;
    assert_eq!((text(&event, "event"), text(&event, "name")), ("paired", "Ben"));

    let (source, files) = (ada.beside("source"), some_files());
    write_tree(&source, &files);
    let source = source.to_str().expect("plain");
    let imported = ada.kith(&["import", source, "--space", "album"]).json().await;
    assert_eq!(list(&imported, "skipped"), [] as [serde_json::Value; 0], "{imported}");
    assert_eq!(imported["documents"], files.len(), "{imported}");

    ben.sync().await;
    let lists = [&ada, &ben].map(|home| home.kith(&["doc", "list", &space]).json());
    let [of_ada, of_ben] = lists;
    let (of_ada, of_ben) = (of_ada.await, of_ben.await);
    assert_eq!(list(&of_ada, "docs").len(), files.len());
    assert_eq!(of_ada, of_ben);

    let target = ben.beside("target");
    let target_text = target.to_str().expect("plain");
    let exported = ben.kith(&["export", "album", target_text]).json().await;
    assert_eq!(list(&exported, "skipped"), [] as [serde_json::Value; 0], "{exported}");
    let (expected, found) = (files.keys().collect::<Vec<_>>(), read_tree(&target));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected);
    for (path, bytes) in &files {
        assert!(found[path] == *bytes, "{} differs", String::from_utf8_lossy(path));
    }
}

#[tokio::test]
async fn importing_the_same_folder_again_brings_only_what_changed() {
    let home = Home::new();
    let _running = home.up().ready().await;
    home.new_space("album").await;
    let source = home.beside("source");
    write_tree(&source, &some_files());
    let import = || home.kith(&["import", source.to_str().expect("plain"), "--space", "album"]);
    import().json().await;
    let (before, entries) = (home.documents("album").await, entries(&home).await);
    import().json().await;
    assert_eq!(self::entries(&home).await, entries, "nothing changed, so nothing is written");
    fs::write(source.join("notes.md"), "# Notes\n\nChanged.\n").expect("writes");
    import().json().await;
    assert_eq!(home.documents("album").await, before);
    let got = home.value("album", "notes.md").await;
    assert_eq!(got["content"], "# Notes\n\nChanged.\n");
}

async fn entries(home: &Home) -> u64 {
    let status = home.kith(&["status"]).json().await;
    acceptance::number(&status["storage"], "entries")
}

#[tokio::test]
async fn what_cannot_be_imported_is_named_and_the_rest_comes() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    home.new_space("album").await;
    let source = home.beside("source");
    let mut files = Tree::new();
    for path in [&b"good.md"[..], b"new\nline.md", b"not-\xff-text.md"] {
        files.insert(path.to_vec(), b"x".to_vec());
    }
    write_tree(&source, &files);
    std::os::unix::fs::symlink("/etc/hostname", source.join("link.md")).expect("links");
    std::os::unix::fs::symlink("..", source.join("loop")).expect("links");
    let pipe = std::ffi::OsStr::from_bytes(b"socket");
    let _socket = std::os::unix::net::UnixListener::bind(source.join(pipe)).expect("binds");
    let source = source.to_str().expect("plain");
    let imported = home.kith(&["import", source, "--space", "album"]).json().await;
    assert_eq!(imported["documents"], 1, "{imported}");
    let skipped = list(&imported, "skipped");
    assert_eq!(skipped.len(), 5, "{imported}");
    for left_out in skipped {
        assert!(!text(left_out, "path").is_empty() && !text(left_out, "why").is_empty());
    }
}

#[tokio::test]
async fn an_export_loses_nothing_silently() {
    let home = Home::new();
    home.new_space("album").await;
    let source = home.beside("source");
    let mut files = Tree::new();
    // Once the export wrote to this name first, and took somebody's file away.
    for index in 0..16 {
        files.insert(format!("{index}.md").into_bytes(), b"a".to_vec());
        files.insert(format!("{index}.md.kith-part").into_bytes(), b"b".to_vec());
    }
    // Another system would take this for a folder.
    files.insert(b"back\\slash.md".to_vec(), b"c".to_vec());
    write_tree(&source, &files);
    let imported =
        home.kith(&["import", source.to_str().expect("plain"), "--space", "album"]).json().await;
    let target = home.beside("target");
    let exported = home.kith(&["export", "album", target.to_str().expect("plain")]).json().await;
    let mut found = read_tree(&target);
    for report in [&imported, &exported] {
        for left_out in list(report, "skipped") {
            let path = text(left_out, "path").rsplit('/').next().unwrap_or_default();
            found.insert(path.as_bytes().to_vec(), files[path.as_bytes()].clone());
        }
    }
    assert_eq!(found, files);
}

#[tokio::test]
async fn a_file_goes_in_and_out_on_both_sides() {
    let ([ada, ben], _running, _) = two("writer").await;
    let bytes: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    let file = ada.beside("photo.jpg");
    fs::write(&file, &bytes).expect("writes");
    let put = ada.kith(&["blob", "put", "album", file.to_str().expect("plain")]).json().await;
    assert_eq!((put["size"].as_u64(), text(&put, "mime")), (Some(200_000), "image/jpeg"), "{put}");
    let again = ada.kith(&["blob", "put", "album", file.to_str().expect("plain")]).json().await;
    assert_eq!(again["blob"], put["blob"], "one file is one blob");
    let piped = ada.kith(&["blob", "put", "album", "-"]).stdin(&b"from a pipe"[..]).json().await;

    ben.sync().await;
    let listed = ben.kith(&["blob", "list", "album"]).json().await;
    let mut hashes: Vec<_> = list(&listed, "blobs").iter().map(|blob| text(blob, "blob")).collect();
    hashes.sort_unstable();
    let mut expected = [text(&put, "blob"), text(&piped, "blob")];
    expected.sort_unstable();
    assert_eq!(hashes, expected, "{listed}");
    let out = ben.kith(&["blob", "get", "album", text(&put, "blob"), "-"]).run().await;
    assert!(out.exit == 0 && out.out == bytes, "{out:?}");
    let target = ben.beside("copy");
    let get = ["blob", "get", "album", text(&piped, "blob"), target.to_str().expect("plain")];
    ben.kith(&get).json().await;
    assert_eq!(fs::read(target).expect("written"), b"from a pipe");
}

#[tokio::test]
async fn edits_made_while_apart_merge() {
    let ([ada, ben], running, _) = two("writer").await;
    let doc = ada.new_document("album", &json!({"title": "List", "items": ["milk"]})).await;
    ben.sync().await;
    let [of_ada, of_ben] = running;
    let listen = of_ada.listen().to_owned();
    of_ada.kill().await;
    of_ben.kill().await;

    // One-shot commands open the directories themselves.
    ada.kith(&["doc", "set", "album", &doc, "from_ada", "1"]).json().await;
    ada.kith(&["doc", "set", "album", &doc, "/items/-", "\"bread\""]).json().await;
    let of_ben = ben.up().ready().await;
    ben.kith(&["doc", "set", "album", &doc, "from_ben", "{\"deep\": [true]}"]).json().await;
    ben.kith(&["doc", "set", "album", &doc, "/items/-", "\"salt\""]).json().await;
    let unreachable = ben.kith(&["sync"]).fails().await;
    unreachable.is(5, "unreachable");

    let _of_ada = ada.up().listen(&listen).ready().await;
    ben.sync().await;
    let merged = ben.value("album", &doc).await;
    assert_eq!(merged, ada.value("album", &doc).await);
    assert_eq!((&merged["from_ada"], &merged["from_ben"]), (&json!(1), &json!({"deep": [true]})));
    let items = merged["items"].as_array().expect("a list");
    for item in ["milk", "bread", "salt"] {
        assert!(items.contains(&json!(item)), "{item} is lost: {merged}");
    }
    of_ben.stop().await;
}

#[tokio::test]
async fn changes_travel_over_a_third_node() {
    let ([ada, ben], [of_ada, of_ben], _) = two("admin").await;
    let doc = ada.new_document("album", &json!({"title": "From Ada"})).await;
    let put = ada.kith(&["blob", "put", "album", "-"]).stdin(&b"a photo of Ada's"[..]).json().await;
    ben.sync().await;
    // Ada is gone before Carol comes, so they can never have met.
    let (ada_agent, ada_node) = (of_ada.agent().to_owned(), of_ada.node().to_owned());
    of_ada.stop().await;

    let carol = Home::new();
    let _of_carol = carol.up().ready().await;
    let ticket = ben.ticket(&["--space", "album", "--role", "reader"]).await;
    carol.pair(&ticket).json().await;
    carol.sync_with(of_ben.node()).await;
    assert_eq!(carol.value("album", &doc).await, json!({"title": "From Ada"}));
    let got = carol.kith(&["blob", "get", "album", text(&put, "blob")]).run().await;
    assert_eq!(got.out, b"a photo of Ada's", "{got:?}");
    assert_eq!(carol.relations().await, [of_ben.agent()]);
    let peers = carol.kith(&["peer", "list"]).json().await;
    // She knows from the space that Ada's node exists, but not where.
    let of_ada = list(&peers, "peers").iter().find(|peer| text(peer, "peer") == ada_node);
    let of_ada = of_ada.expect("a member's node");
    assert_eq!((&of_ada["connected"], &of_ada["addresses"]), (&json!(false), &json!([])));
    assert_eq!(of_ada["last_sync"], json!(null));
    let members = carol.kith(&["space", "members", "album"]).json().await;
    let members: Vec<_> = list(&members, "members").iter().map(|it| text(it, "agent")).collect();
    assert!(members.contains(&ada_agent.as_str()) && members.len() == 3, "{members:?}");
}

#[tokio::test]
async fn a_change_arrives_without_asking() {
    let ([ada, ben], _running, _) = two("writer").await;
    let doc = ada.new_document("album", &json!({"title": "Live"})).await;
    until("the document to arrive by itself", async || {
        ben.documents("album").await.contains(&doc).then_some(())
    })
    .await;
    ben.kith(&["doc", "set", "album", &doc, "answer", "42"]).json().await;
    until("the answer to arrive by itself", async || {
        (ada.value("album", &doc).await["answer"] == 42).then_some(())
    })
    .await;
}

#[tokio::test]
async fn apps_that_share_a_space_tell_their_documents_apart() {
    let ([ada, ben], _running, _) = two("reader").await;
    let new = ["doc", "new", "album", "--type", "recipe"];
    let cake = ada.kith(&[&new[..], &["--app", "recipes"]].concat()).json().await;
    ada.kith(&[&new[..], &["--app", "shop"]].concat()).json().await;
    ada.kith(&new).json().await;
    ben.sync().await;
    let of = async |app: &[&str]| {
        let listed = ben.kith(&[&["doc", "list", "album"][..], app].concat()).json().await;
        list(&listed, "docs").iter().map(|it| text(it, "doc").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of(&[]).await.len(), 3);
    assert_eq!(of(&["--app", "recipes"]).await, [text(&cake, "doc")]);
    assert_eq!(of(&["--app", "letters"]).await, [] as [&str; 0]);
    let read = ben.kith(&["doc", "get", "album", text(&cake, "doc")]).json().await;
    assert_eq!(text(&read, "app"), "recipes");
    for wrong in ["", "Recipes", "a b", "../x", &"x".repeat(65)] {
        let made = ada.kith(&[&new[..], &["--app", wrong]].concat());
        made.fails().await.is(2, "invalid").says("an app is called");
    }
}
