//! What two people changed at the same time: shown by pages, settled by their forms.

use node_runtime::testing::introduce;
use serde_json::json;

use super::*;

/// Ada's album, which Bo has, too, and a document in it.
struct Album {
    ada: House,
    bo: House,
    space: SpaceId,
    doc: String,
}

async fn album(role: &str) -> Album {
    let (ada, bo) = (House::new().await, House::of(test_node("Bo", Network::None).await));
    introduce(&ada.node, &bo.node).await;
    introduce(&bo.node, &ada.node).await;
    let space = ada.found("album").await;
    let agent = bo.get("/api/v1/info").await.json()["agent"].clone();
    let grant = json!({"agent": agent, "role": role});
    let granted = ada.post("/api/v1/spaces/album/members", &grant).await;
    assert!(granted.status.is_success(), "{}", granted.text());
    let value = json!({"title": "<b>Summer</b>", "list": ["one", "two"], "note": "start"});
    let note = json!({"type": "note", "value": value});
    let made = ada.post("/api/v1/spaces/album/docs", &note).await;
    let doc = made.json()["doc"].as_str().expect("an id").to_owned();
    let album = Album { ada, bo, space, doc };
    album.pass(&album.ada, &album.bo).await;
    album
}

impl Album {
    /// Carries everything of the space from one to the other.
    async fn pass(&self, from: &House, to: &House) {
        let file = from.node.folder.path().join("carried.kithpack");
        let _ = std::fs::remove_file(&file);
        let progress = || tokio::sync::watch::channel(Progress::default()).0;
        from.node.handle.pack(self.space, file.clone(), None, progress()).await.expect("packs");
        to.node.handle.unpack(file, progress()).await.expect("takes it in");
    }

    async fn set(&self, house: &House, key: &str, value: &str) {
        let path = format!("/api/v1/spaces/{}/docs/{}/value", self.space, self.doc);
        let set = json!({"path": key, "value": value});
        let reply = house.with_json(Method::PUT, &path, &set).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    }

    /// Both change these keys, and Ada hears of it.
    async fn disagree(&self, keys: &[&str], said: &str) {
        for key in keys {
            self.set(&self.ada, key, &format!("{said} of Ada")).await;
            self.set(&self.bo, key, &format!("{said} of <i>Bo")).await;
        }
        self.pass(&self.bo, &self.ada).await;
    }

    fn conflicts(&self) -> String {
        format!("/s/{}/conflicts", self.space)
    }

    async fn open(&self) -> Vec<Value> {
        let path = format!("/api/v1/spaces/{}/conflicts", self.space);
        let listed = self.ada.get(&path).await.json();
        listed["conflicts"].as_array().expect("a list").clone()
    }

    async fn value(&self, key: &str) -> Value {
        let path = format!("/api/v1/spaces/{}/docs/{}", self.space, self.doc);
        self.ada.get(&path).await.json()["value"][key].clone()
    }
}

#[track_caller]
fn is_plain(page: &str) {
    assert!(page.matches("<h1").count() == 1 && !page.contains("<script"), "{page}");
    assert!(!page.contains("<i>Bo") && !page.contains("<b>Summer"), "{page}");
}

#[tokio::test]
async fn a_choice_is_made_by_a_form_and_taken_back() {
    let album = album("writer").await;
    let nothing = album.ada.page(&album.conflicts()).await.text();
    assert!(nothing.contains("Nothing waits for you here."), "{nothing}");
    assert!(!album.ada.page("/").await.text().contains("waits for your choice"));
    album.disagree(&["/note"], "it is").await;
    let document = format!("/s/{}/d/{}", album.space, album.doc);
    for path in ["/".to_owned(), format!("/s/{}", album.space), document.clone()] {
        let page = album.ada.page(&path).await.text();
        assert!(page.contains(&format!("href=\"{}", album.conflicts())), "{path}: {page}");
        is_plain(&page);
    }
    let page = album.ada.page(&album.conflicts()).await.text();
    is_plain(&page);
    for words in ["Note</h3>", "of Ada", "of &lt;i&gt;Bo", "Keep mine", "Keep Bo’s", "Keep both"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let conflict = album.open().await.remove(0);
    let shown = conflict["sides"][0]["value"].clone();
    let id = conflict["conflict"].as_str().expect("an id");
    let form = format!("{document}/conflicts");
    let chosen = album.ada.submit(&form, &format!("conflict={id}&keep=1")).await;
    assert_eq!(chosen.status, StatusCode::SEE_OTHER, "{}", chosen.text());
    assert_eq!(album.value("note").await, conflict["sides"][1]["value"]);
    let after = chosen.header(header::LOCATION).to_owned();
    let page = album.ada.page(&after).await.text();
    assert!(page.contains("Settled") && page.contains(">Undo</button>"), "{page}");
    is_plain(&page);
    let (_, change) = after.split_once("change=").expect("the change");
    let undone = album.ada.submit(&format!("{form}/undo"), &format!("change={change}")).await;
    assert_eq!(undone.status, StatusCode::SEE_OTHER, "{}", undone.text());
    assert_eq!(album.value("note").await, shown);
    // Only the last change can be taken back, and only once.
    let again = album.ada.submit(&format!("{form}/undo"), &format!("change={change}")).await;
    assert!(again.status.is_client_error(), "{}", again.status);
    let page = album.ada.page(&after).await.text();
    assert!(!page.contains(">Undo</button>"), "{page}");
    let bad = album.ada.submit(&form, &format!("conflict={id}&keep=best")).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn all_of_one_side_is_kept_after_a_question() {
    let album = album("writer").await;
    album.disagree(&["/note", "/list/0", "/more"], "it is").await;
    assert_eq!(album.open().await.len(), 3);
    let all = format!("{}/all", album.conflicts());
    let question = album.ada.page(&format!("{all}?keep=theirs")).await.text();
    assert!(question.contains("3 conflicts") && question.contains("Not now"), "{question}");
    assert_eq!(album.open().await.len(), 3, "a question settles nothing");
    let done = album.ada.submit(&all, "keep=theirs").await;
    assert_eq!(done.header(header::LOCATION), format!("{}?settled=3&open=0", album.conflicts()));
    let page = album.ada.page(done.header(header::LOCATION)).await.text();
    assert!(page.contains("3 conflicts settled."), "{page}");
    for key in ["note", "more"] {
        assert_eq!(album.value(key).await, "it is of <i>Bo");
    }
    album.disagree(&["/note", "/more"], "it was").await;
    let path = format!("/api/v1/spaces/{}/docs/{}/conflicts", album.space, album.doc);
    let settled = album.ada.post(&path, &json!({"keep": "mine"})).await.json();
    let expected = json!({"settled": 2, "left_open": 0, "left": [], "complete": true});
    assert_eq!(settled, expected);
    assert_eq!(album.value("note").await, "it was of Ada");
    for bad in [json!({"keep": "both"}), json!({}), json!({"keep": "mine", "after": "x"})] {
        let path = format!("/api/v1/spaces/{}/conflicts", album.space);
        assert_eq!(album.ada.post(&path, &bad).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn what_is_left_to_the_admins_is_seen_and_settled_by_one() {
    let album = album("writer").await;
    album.disagree(&["/note"], "it is").await;
    album.pass(&album.ada, &album.bo).await;
    let conflict = album.open().await.remove(0);
    let id = conflict["conflict"].as_str().expect("an id");
    let page = album.bo.page(&album.conflicts()).await.text();
    assert!(page.contains(">Let the admins decide</button>"), "{page}");
    let form = format!("/s/{}/d/{}/conflicts/ask", album.space, album.doc);
    let left = album.bo.submit(&form, &format!("conflict={id}&why=%3Ci%3EBo+is+unsure")).await;
    assert_eq!(left.status, StatusCode::SEE_OTHER, "{}", left.text());
    let page = album.bo.page(left.header(header::LOCATION)).await.text();
    is_plain(&page);
    assert!(page.contains(">Do not ask the admins</button>"), "{page}");
    assert!(!page.contains(">Keep mine</button>"), "{page}");
    let settle = format!("/api/v1/spaces/{}/docs/{}/conflicts/{id}", album.space, album.doc);
    let refused = album.bo.post(&settle, &json!({"keep": "mine"})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    album.pass(&album.bo, &album.ada).await;
    let asked = album.open().await.remove(0)["asked"][0].clone();
    assert_eq!(
        (&asked["why"], &asked["by"][0]["name"], &asked["mine"]),
        (&json!("<i>Bo is unsure"), &json!("Bo"), &json!(false))
    );
    let page = album.ada.page(&album.conflicts()).await.text();
    assert!(page.contains("Bo</strong> left this to the admins"), "{page}");
    let settled = album.ada.post(&settle, &json!({"keep": "theirs"})).await;
    assert_eq!(settled.status, StatusCode::OK, "{}", settled.text());
    album.disagree(&["/more"], "it is").await;
    let conflict = album.open().await.remove(0);
    let id = conflict["conflict"].as_str().expect("an id");
    let path =
        format!("/api/v1/spaces/{}/docs/{}/conflicts/{id}/escalation", album.space, album.doc);
    assert_eq!(
        album.ada.post(&path, &json!({"why": "x".repeat(1_001)})).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(album.ada.post(&path, &json!({})).await.status, StatusCode::OK);
    assert_eq!(album.ada.with_json(Method::DELETE, &path, &json!({})).await.status, StatusCode::OK);
    assert_eq!(
        album.ada.with_json(Method::DELETE, &path, &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_form_from_elsewhere_decides_nothing() {
    let album = album("writer").await;
    album.disagree(&["/note"], "it is").await;
    let forms = [
        format!("{}/all", album.conflicts()),
        format!("/s/{}/d/{}/conflicts", album.space, album.doc),
    ];
    for path in forms {
        for origin in ["http://evil.example", "null"] {
            let request = by_session(Method::POST, &path)
                .header(header::ORIGIN, origin)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Body::from("keep=mine&conflict=00000000000000000000"));
            let refused = album.ada.send(request.expect("a request")).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path} {origin}");
        }
        let stranger = stranger(Method::POST, &path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from("keep=mine"));
        let refused = album.ada.send(stranger.expect("a request")).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(album.open().await.len(), 1);
}

#[tokio::test]
async fn a_deleted_document_that_was_changed_is_restored_or_stays_deleted() {
    for (keep, is_there) in [("0", false), ("1", true)] {
        let album = album("writer").await;
        let path = format!("/api/v1/spaces/{}/docs/{}", album.space, album.doc);
        let removed = by_token(Method::DELETE, &path).body(Body::empty());
        album.ada.send(removed.expect("a request")).await;
        album.set(&album.bo, "/note", "late").await;
        album.pass(&album.bo, &album.ada).await;
        let page = album.ada.page(&album.conflicts()).await.text();
        is_plain(&page);
        for words in ["Keep it deleted", "Restore it, with Bo’s change", "Decide later"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        let conflict = album.open().await.remove(0);
        let id = conflict["conflict"].as_str().expect("an id");
        let form = format!("/s/{}/d/{}/conflicts", album.space, album.doc);
        let chosen = album.ada.submit(&form, &format!("conflict={id}&keep={keep}")).await;
        let page = album.ada.page(chosen.header(header::LOCATION)).await.text();
        assert!(page.contains("Settled") && !page.contains(">Undo</button>"), "{page}");
        let docs = album.ada.get(&format!("/api/v1/spaces/{}/docs", album.space)).await.json();
        assert_eq!(docs["docs"].as_array().is_some_and(|docs| !docs.is_empty()), is_there);
        assert_eq!(album.open().await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn the_doctor_has_a_page() {
    let house = House::new().await;
    house.found("family").await;
    let page = house.page("/doctor").await.text();
    assert!(page.contains("aria-live=\"polite\"") && page.contains("Yes: everybody"), "{page}");
    let new = json!({ "type": "note", "value": { "blob": "a".repeat(52) } });
    house.post("/api/v1/spaces/family/docs", &new).await;
    let page = house.page("/doctor").await.text();
    assert!(page.contains("1 thing is not up to date"), "{page}");
    for words in ["1 file of family", "What helps: ", "Since ", "href=\"/doctor\""] {
        assert!(page.contains(words), "{words}: {page}");
    }
}
