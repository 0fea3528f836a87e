use std::path::Path;

use node_core::{
    FailureKind, Request, Response,
    request::{Meta, Reach, WriteDocument, content_document},
};
use node_model::{DocumentId, SpaceId};
use serde_json::json;
use sync_engine_sqlite::search::{Opened, SearchIndex};
use tempfile::TempDir;
use trust_core::keyring::DeviceKeys;

use super::{
    Indexing, Limit, SearchAnswer,
    catch_up::{Batch, CatchUp},
};
use crate::{Handle, Network, OsEntropy, StartConfig, Started, start};

const CANARY: &str = "canarywordthatnobodyelsewrites";

/// A folder with the keys of whoever lives there.
struct House {
    folder: TempDir,
    keys: DeviceKeys,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, keys: DeviceKeys::random(&mut OsEntropy) }
    }

    async fn start(&self, indexing: Indexing) -> Started {
        let root = self.keys.root().map(|root| *root.secret()).expect("a new identity");
        let keys =
            DeviceKeys::from_secrets(self.keys.device.secret(), &root, self.keys.hpke_seed());
        let config = StartConfig {
            data_dir: self.folder.path().to_owned(),
            keys,
            agent_name: "Ada".to_owned(),
            device_name: "desk".to_owned(),
            sync_interval: std::time::Duration::from_secs(1_800),
            network: Network::None,
            indexing,
        };
        start(config).await.expect("starts")
    }

    fn saved(&self) -> (SearchIndex, Opened) {
        let file = self.folder.path().join("views/search");
        SearchIndex::open(Some(&file), &self.keys.local_seal()).expect("opens")
    }
}

async fn found_space(node: &Handle, name: &str) -> SpaceId {
    let found = Request::FoundSpace {
        name: name.to_owned(),
        reach: Reach::Private,
        has_open_history: true,
    };
    let Response::Space(info) = node.request(found).await.expect("founds") else {
        panic!("not the answer");
    };
    info.space
}

async fn write(node: &Handle, space: SpaceId, name: &str, text: &str) -> DocumentId {
    let document = content_document(space, name);
    let meta = Meta { kind: "note".to_owned(), ..Meta::default() };
    let value = json!({"title": name, "content": text});
    let documents = vec![WriteDocument { document, meta, value }];
    node.request(Request::WriteDocuments { space, documents }).await.expect("writes");
    document
}

async fn find(node: &Handle, text: &str) -> SearchAnswer {
    node.search(text, None, Limit::default()).await.expect("searches")
}

/// Titles of what was found, best first.
async fn titles(node: &Handle, text: &str) -> Vec<String> {
    let found = find(node, text).await;
    assert!(found.is_complete, "{found:?}");
    found.hits.into_iter().map(|hit| hit.found.title).collect()
}

#[tokio::test]
async fn what_is_written_is_found_and_what_is_removed_is_not() {
    let house = House::new();
    for indexing in [Indexing::AsItGoes, Indexing::WhenAsked] {
        let node = house.start(indexing).await;
        let space = found_space(&node.handle, "garden").await;
        assert_eq!(titles(&node.handle, "compost").await, [] as [String; 0]);
        let one = write(&node.handle, space, "one", "compost heap").await;
        assert_eq!(titles(&node.handle, "compost").await, ["one"]);
        write(&node.handle, space, "one", "nothing of it").await;
        assert_eq!(titles(&node.handle, "compost").await, [] as [String; 0]);
        write(&node.handle, space, "two", "compost and compost").await;
        write(&node.handle, space, "one", "compost again").await;
        let found = find(&node.handle, "compost").await;
        assert_eq!(found.hits.len(), 2, "{found:?}");
        let hit = &found.hits[0];
        assert_eq!((hit.found.space, hit.space_name.as_str()), (space, "garden"));
        assert_eq!(
            (hit.found.kind.as_str(), hit.found.snippet.matches('\u{2}').count() > 0),
            ("note", true)
        );
        node.handle
            .request(Request::RemoveDocument { space, document: one })
            .await
            .expect("removes");
        assert_eq!(titles(&node.handle, "compost").await, ["two"]);
        let two = content_document(space, "two");
        let remove = Request::RemoveDocument { space, document: two };
        node.handle.request(remove).await.expect("removes");
        node.stop().await;
    }
}

#[tokio::test]
async fn one_space_can_be_searched_and_nonsense_is_refused() {
    let house = House::new();
    let node = house.start(Indexing::AsItGoes).await.handle;
    let (garden, kitchen) =
        (found_space(&node, "garden").await, found_space(&node, "kitchen").await);
    write(&node, garden, "one", "basil").await;
    write(&node, kitchen, "two", "basil").await;
    assert_eq!(find(&node, "basil").await.hits.len(), 2);
    let only = node.search("basil", Some(kitchen), Limit::default()).await.expect("searches");
    assert_eq!(only.hits.iter().map(|hit| hit.found.space).collect::<Vec<_>>(), [kitchen]);
    let first = node.search("basil", None, Limit::new(1)).await.expect("searches");
    assert_eq!(first.hits.len(), 1);
    for text in ["", "  ", "-basil", &"x".repeat(2_000), &"x ".repeat(100)] {
        let refused = node.search(text, None, Limit::default()).await.expect_err("is refused");
        assert_eq!(refused.kind, FailureKind::Invalid, "{text}");
    }
    let unknown = node.search("basil", Some(SpaceId([7; 32])), Limit::default()).await;
    assert_eq!(unknown.expect_err("is refused").kind, FailureKind::NotFound);
}

#[tokio::test]
async fn a_saved_index_goes_on_where_it_was() {
    let house = House::new();
    let node = house.start(Indexing::AsItGoes).await;
    let space = found_space(&node.handle, "garden").await;
    for at in 0..20 {
        write(&node.handle, space, &format!("note {at}"), CANARY).await;
    }
    assert_eq!(find(&node.handle, CANARY).await.hits.len(), 10);
    node.stop().await;

    let (mut index, opened) = house.saved();
    assert_eq!(opened, Opened::Loaded);
    assert_eq!(index.versions(space).expect("reads").len(), 20);
    let node = house.start(Indexing::WhenAsked).await;
    let calls = node.handle.weak_calls();
    let begun = CatchUp::begin(&calls, &mut index, space).await.expect("asks");
    assert!(begun.is_none(), "nothing has changed");

    write(&node.handle, space, "note 7", "changed").await;
    write(&node.handle, space, "another", CANARY).await;
    let mut begun = CatchUp::begin(&calls, &mut index, space).await.expect("asks").expect("work");
    let (batch, indexed) = begun.batch(&calls, &mut index).await.expect("indexes");
    assert_eq!(batch, Batch::Done);
    assert_eq!(indexed, 2, "only what has changed is indexed");
    assert_eq!(titles(&node.handle, "changed").await, ["note 7"]);
    // As if the power had gone: the file is the one from before.
    let file = house.folder.path().join("views/search");
    let before = std::fs::read(&file).expect("reads");
    node.stop().await;
    assert!(std::fs::read(&file).expect("reads") != before);
    std::fs::write(&file, before).expect("writes");

    let node = house.start(Indexing::WhenAsked).await;
    assert_eq!(titles(&node.handle, "changed").await, ["note 7"]);
    node.stop().await;
    std::fs::remove_dir_all(house.folder.path().join("views")).expect("removes");
    let node = house.start(Indexing::AsItGoes).await;
    assert_eq!(titles(&node.handle, "changed").await, ["note 7"]);
    node.stop().await;
    assert_sealed(&house.folder.path().join("views"));
    std::fs::write(house.folder.path().join("views/search"), b"KITHFIND no").expect("writes");
    let node = house.start(Indexing::AsItGoes).await;
    assert_eq!(titles(&node.handle, "changed").await, ["note 7"]);
}

#[tokio::test]
async fn nothing_of_a_purged_document_stays_in_the_file() {
    for indexing in [Indexing::AsItGoes, Indexing::WhenAsked] {
        let house = House::new();
        let node = house.start(Indexing::AsItGoes).await;
        let space = found_space(&node.handle, "garden").await;
        let document = write(&node.handle, space, "one", CANARY).await;
        assert_eq!(titles(&node.handle, CANARY).await, ["one"]);
        node.stop().await;
        let holds = || {
            let versions = house.saved().0.versions(space).expect("reads");
            versions.contains_key(&document)
        };
        assert!(holds());
        let node = house.start(indexing).await;
        let purge = Request::Purge { space, names: vec![document.to_string()] };
        node.handle.request(purge).await.expect("purges");
        node.stop().await;
        assert!(!holds(), "{indexing:?}");
    }
}

#[tokio::test]
async fn a_document_that_changed_many_times_is_read_once() {
    let house = House::new();
    let node = house.start(Indexing::AsItGoes).await;
    let space = found_space(&node.handle, "garden").await;
    write(&node.handle, space, "one", CANARY).await;
    assert_eq!(find(&node.handle, CANARY).await.hits.len(), 1);
    node.stop().await;

    // More than one answer of the node names.
    let (mut index, _) = house.saved();
    let node = house.start(Indexing::WhenAsked).await;
    let two = content_document(space, "two");
    let meta = Meta { kind: "note".to_owned(), ..Meta::default() };
    let change = |n| WriteDocument { document: two, meta: meta.clone(), value: json!({"n": n}) };
    let documents = (0..1_500).map(change).collect();
    node.handle.request(Request::WriteDocuments { space, documents }).await.expect("writes");
    let calls = node.handle.weak_calls();
    let mut begun = CatchUp::begin(&calls, &mut index, space).await.expect("asks").expect("work");
    let (batch, indexed) = begun.batch(&calls, &mut index).await.expect("indexes");
    assert_eq!((batch, indexed), (Batch::Done, 1));
}

fn assert_sealed(views: &Path) {
    let files: Vec<_> = std::fs::read_dir(views).expect("is there").collect();
    assert_eq!(files.len(), 1, "{files:?}");
    for file in files {
        let bytes = std::fs::read(file.expect("readable").path()).expect("readable");
        assert!(bytes.len() > 500);
        let canary = CANARY.as_bytes();
        assert!(!bytes.windows(canary.len()).any(|window| window == canary));
    }
}
