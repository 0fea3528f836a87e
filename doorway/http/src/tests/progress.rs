//! Mastery, gates and what is earned, by the forms of a step; and two devices that say so
//! apart.

use node_core::{
    Request,
    request::{Meta, PatchOp, WriteDocument, content_document},
};
use node_model::Timestamp;
use node_runtime::{OsEntropy, testing::introduce};
use serde_json::json;

use super::*;
use crate::{mastery::Mastery, progress};

/// A path of two chapters: `b` waits for level 3 of `a`, the second chapter for level 2 of
/// both, and `d` for what the first chapter earns.
async fn course() -> (House, SpaceId) {
    let house = House::new().await;
    let space = house.found("course").await;
    let path = json!({ "title": "P", "chapters": [
        { "id": "one", "title": "One", "attestation_granted": "first-<i>half", "steps": [
            { "id": "a", "step_title": "Knots" },
            { "id": "b", "step_title": "Ropes", "mastery_threshold": 3 } ]},
        { "id": "two", "title": "Two", "mastery_threshold": 2, "steps": [
            { "id": "c", "step_title": "Sails" },
            { "id": "d", "step_title": "Sea", "attestation_required": "first-<i>half" } ]},
    ]});
    let new = json!({ "id": "p", "type": "learning-path", "value": path });
    let made = house.post("/api/v1/spaces/course/docs", &new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    (house, space)
}

async fn say(house: &House, space: SpaceId, step: &str, said: &str) {
    let reply = house.submit(&format!("/s/{space}/p/p/0"), &format!("step={step}&{said}")).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{step} {said}: {}", reply.text());
}

#[tokio::test]
async fn a_step_waits_until_what_is_before_it_is_known() {
    let (house, space) = course().await;
    let overview = format!("/s/{space}/d/p");
    let step = |at: usize| format!("/s/{space}/p/p/{at}");
    let page = house.page(&overview).await.text();
    assert_eq!(page.matches(">waits</span>").count(), 3, "{page}");
    assert!(page.contains("This chapter waits until") && page.contains("level 2"), "{page}");
    assert!(page.contains(">Begin</a>"), "{page}");
    let page = house.page(&step(1)).await.text();
    assert!(page.contains("This step waits until") && page.contains("Knots</a> is not there yet"));
    assert!(page.contains("level 3, “I can explain it”") && page.contains("Mark as done"));
    assert!(house.page(&step(0)).await.text().contains("(it waits)"));

    say(&house, space, "a", "done=true").await;
    let page = house.page(&overview).await.text();
    assert!(page.contains(">Go over a step again</a>"), "{page}");

    say(&house, space, "a", "mastery=3").await;
    let page = house.page(&step(0)).await.text();
    assert!(
        page.contains("<option value=\"3\" selected>") && !page.contains("(it waits)"),
        "{page}"
    );
    assert!(!house.page(&step(1)).await.text().contains("This step waits"));
    let page = house.page(&overview).await.text();
    assert!(page.contains(">Go on</a>") && page.matches(">waits</span>").count() == 2, "{page}");
    say(&house, space, "a", "mastery=1").await;
    assert!(house.page(&step(1)).await.text().contains("This step waits"), "it was taken back");
}

#[tokio::test]
async fn what_a_finished_chapter_grants_is_earned_and_stays_so() {
    let (house, space) = course().await;
    let overview = format!("/s/{space}/d/p");
    let sea = format!("/s/{space}/p/p/3");
    let page = house.page(&sea).await.text();
    assert!(page.contains("until you have earned “First &lt;i&gt;half”"), "{page}");
    for said in ["done=true", "mastery=3"] {
        say(&house, space, "a", said).await;
        say(&house, space, "b", said).await;
    }
    let page = house.page(&overview).await.text();
    assert!(page.contains("Earned: <span class=\"badge\">★ First &lt;i&gt;half"), "{page}");
    assert!(!page.contains("waits") && !page.contains("<i>half"), "{page}");
    assert!(!house.page(&sea).await.text().contains("This step waits"));
    say(&house, space, "b", "done=false").await;
    assert!(house.page(&overview).await.text().contains("Earned: "));

    // Another path of another space may ask for it.
    let other = house.found("other").await;
    let path = json!({ "steps": [{ "id": "x", "attestation_required": "first-<i>half" }] });
    let new = json!({ "id": "q", "type": "learning-path", "value": path });
    house.post("/api/v1/spaces/other/docs", &new).await;
    let page = house.page(&format!("/s/{other}/p/q/0")).await.text();
    assert!(page.contains("Step 1 of 1") && !page.contains("This step waits"), "{page}");
}

#[tokio::test]
async fn practice_is_counted_and_odd_forms_say_nothing() {
    let (house, space) = course().await;
    let first = format!("/s/{space}/p/p/0");
    assert!(house.page(&first).await.text().contains("Not practised yet."));
    say(&house, space, "a", "practised=true").await;
    assert!(house.page(&first).await.text().contains("Practised 1 time."));
    say(&house, space, "a", "practised=true").await;
    for odd in ["", "note=++", "mastery=8", "mastery=-1", "practised=false", "done=true&mastery=3"]
    {
        let refused = house.submit(&first, &format!("step=a&{odd}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{odd}: {}", refused.text());
    }
    let page = house.page(&first).await.text();
    assert!(page.contains("Practised 2 times.") && page.contains("Mark as done"), "{page}");
    assert!(page.contains("<option value=\"0\" selected>"), "{page}");
}

#[tokio::test]
async fn notes_are_kept_shown_as_text_and_deleted() {
    let (house, space) = course().await;
    let first = format!("/s/{space}/p/p/0");
    say(&house, space, "a", "note=A+%3Cb%3Ebowline%0D%0Aholds").await;
    say(&house, space, "a", "note=Second").await;
    say(&house, space, "b", "note=Elsewhere").await;
    let page = house.page(&first).await.text();
    assert!(page.contains("A &lt;b&gt;bowline") && !page.contains("<b>bowline"), "{page}");
    assert!(page.contains("Second") && !page.contains("Elsewhere"), "{page}");
    let long = "x".repeat(progress::NOTE_CHARS_MAX + 1);
    let refused = house.submit(&first, &format!("step=a&note={long}")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let keys: Vec<&str> = page.split("name=\"forget\" value=\"").skip(1).collect();
    assert_eq!(keys.len(), 2);
    let key = keys[0].split('"').next().expect("a key");
    // Another device may have deleted it before.
    for _ in 0..2 {
        say(&house, space, "a", &format!("forget={key}")).await;
        let page = house.page(&first).await.text();
        assert!(!page.contains("bowline") && page.contains("Second"), "{page}");
    }
}

#[tokio::test]
async fn what_two_devices_say_apart_about_progress_comes_together() {
    let (ada, bo) = (House::new().await, House::of(test_node("Bo", Network::None).await));
    introduce(&ada.node, &bo.node).await;
    introduce(&bo.node, &ada.node).await;
    let space = ada.found("progress").await;
    let agent = bo.get("/api/v1/info").await.json()["agent"].clone();
    let grant = json!({"agent": agent, "role": "writer"});
    assert!(ada.post("/api/v1/spaces/progress/members", &grant).await.status.is_success());
    pass(space, &ada, &bo).await;

    // Neither has the document of the other one.
    let document = content_document(space, "progress:it");
    let before = progress::Progress::default();
    let of_ada = [before.reach("a", Mastery::Create), vec![progress::earn("x")]].concat();
    let of_bo = [before.reach("a", Mastery::Remember), vec![progress::earn("y")]].concat();
    for (house, operations, times) in [(&ada, of_ada, 2), (&bo, of_bo, 3)] {
        let meta = Meta { kind: "progress".into(), app: None, path: None, source: None };
        let new = WriteDocument { document, meta, value: json!({ "id": "progress:it" }) };
        let begin = Request::WriteDocuments { space, documents: vec![new] };
        house.node.handle.request(begin).await.expect("written");
        let practice = (0..times).map(|_| progress::practise("a"));
        let note = progress::note("a", "same time", Timestamp(7), &mut OsEntropy);
        let operations: Vec<PatchOp> =
            operations.into_iter().chain(practice).chain([note]).collect();
        let patch = Request::Patch { space, document, operations };
        house.node.handle.request(patch).await.expect("patched");
    }
    pass(space, &ada, &bo).await;
    pass(space, &bo, &ada).await;
    for house in [&ada, &bo] {
        let path = format!("/api/v1/spaces/{space}/docs/{document}");
        let value = house.get(&path).await.json()["value"].clone();
        let progress = progress::Progress::of(&value);
        assert_eq!(progress.mastery("a"), Mastery::Create, "the highest, not the last: {value}");
        assert_eq!(progress.practised("a"), 5, "{value}");
        assert_eq!(progress.earned.len(), 2, "{value}");
        assert_eq!(progress.notes("a").count(), 2, "{value}");
    }
}

/// Carries everything of a space from one to the other.
async fn pass(space: SpaceId, from: &House, to: &House) {
    let file = from.node.folder.path().join("carried.kithpack");
    let _ = std::fs::remove_file(&file);
    let progress = || tokio::sync::watch::channel(Progress::default()).0;
    from.node.handle.pack(space, file.clone(), None, progress()).await.expect("packs");
    to.node.handle.unpack(file, progress()).await.expect("takes it in");
}
