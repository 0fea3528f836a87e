use serde_json::json;

use super::*;

#[test]
fn the_first_shape_is_read() {
    let path = LearningPath::read(&json!({
        "title": "T", "chapters": [
            { "id": "b", "order_index": 1, "title": "B", "steps": [{ "id": "b1", "resource_id": "r" }] },
            { "id": "a", "order_index": 0, "title": "A", "learning_objectives": ["o", 3], "steps": [
                { "id": "a2", "order_index": 1, "step_type": "external", "step_title": "two" },
                { "id": "a1", "order_index": 0, "step_title": "one", "reflection_prompts": ["why?"],
                  "estimated_minutes": 3 },
            ]},
        ],
    }));
    let ids: Vec<_> = path.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["a1", "a2", "b1"]);
    assert_eq!(path.steps[0].prompts, ["why?"]);
    assert_eq!(path.steps[1].kind, StepKind::External);
    let chapters: Vec<_> = path.chapters.iter().map(|it| (it.first, it.count)).collect();
    assert_eq!(chapters, [(0, 2), (2, 1)]);
    assert_eq!(path.chapters[0].objectives, ["o"]);
    assert_eq!(path.steps[2].chapter, 1);
}

#[test]
fn the_second_shape_is_read() {
    let path = LearningPath::read(&json!({
        "chapters": [{ "id": "c", "title": "C", "modules": [{ "id": "m", "sections": [
            { "id": "s", "title": "Section", "conceptIds": ["one"] },
            { "id": "t", "title": "Two of them", "conceptIds": ["one", { "id": "two", "title": "2" }] },
        ]}]}],
    }));
    let ids: Vec<_> = path.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["c/m/s/one", "c/m/t/one", "c/m/t/two"]);
    assert_eq!(path.steps[0].title.as_deref(), Some("Section"));
    assert_eq!(path.steps[1].title, None);
    assert_eq!(path.steps[2].title.as_deref(), Some("2"));
    assert_eq!(path.steps[1].resource.as_deref(), Some("one"));
}

#[test]
fn moving_a_step_keeps_its_id() {
    let step = |id: &str, order: u64| json!({ "id": id, "order_index": order });
    let of =
        |steps: Value| LearningPath::read(&json!({ "chapters": [{ "id": "c", "steps": steps }] }));
    let before = of(json!([step("x", 0), step("y", 1)]));
    let after = of(json!([step("x", 1), step("y", 0)]));
    assert_eq!(before.steps[0].id, after.steps[1].id);
}

#[test]
fn no_two_steps_share_an_id() {
    let steps: Vec<_> = (0..100).map(|_| json!({ "id": "same" })).collect();
    let path = LearningPath::read(&json!({ "steps": steps }));
    let ids: BTreeSet<_> = path.steps.iter().map(|step| &step.id).collect();
    assert_eq!(ids.len(), 100);
}

#[test]
fn hostile_values_are_read_without_harm() {
    let hostile = [
        json!(null),
        json!("text"),
        json!([1, 2]),
        json!({ "chapters": "none", "title": 3 }),
        json!({ "chapters": [null, 1, "x", [], {}] }),
        json!({ "chapters": [{ "steps": [{ "resource_id": {}, "order_index": -1 }, 5] }] }),
        json!({ "chapters": [{ "modules": [{ "sections": { "id": 1 } }, []] }] }),
        json!({ "chapters": [{ "sections": [{ "conceptIds": [null, 1, {}, [], ""] }] }] }),
    ];
    for value in hostile {
        let path = LearningPath::read(&value);
        assert!(path.steps.len() <= 1, "{value}");
    }
    let long = "x".repeat(100_000);
    let path = LearningPath::read(&json!({ "title": long, "steps": [{ "id": long }] }));
    assert_eq!(path.steps[0].id.len(), ID_CHARS_MAX);
    assert_eq!(path.title.map(|title| title.len()), Some(TEXT_CHARS_MAX));
}

#[test]
fn too_many_steps_and_too_deep_nesting_are_cut() {
    let steps: Vec<_> = (0..100_000).map(|at| json!({ "id": format!("s{at}") })).collect();
    let path = LearningPath::read(&json!({ "chapters": [{ "steps": steps }] }));
    assert_eq!(path.steps.len(), STEPS_MAX);
    assert!(path.is_cut);

    let concepts: Vec<_> = (0..100_000).map(|at| json!(format!("c{at}"))).collect();
    let path = LearningPath::read(&json!({ "chapters": [{ "conceptIds": concepts }] }));
    assert_eq!(path.steps.len(), STEPS_MAX);

    let chapters: Vec<_> = (0..100_000).map(|_| json!({})).collect();
    let path = LearningPath::read(&json!({ "chapters": chapters }));
    assert_eq!((path.chapters.len(), path.is_cut), (CHAPTERS_MAX, true));

    let mut deep = json!({ "conceptIds": ["bottom"] });
    for _ in 0..60 {
        deep = json!({ "modules": [deep] });
    }
    assert!(LearningPath::read(&json!({ "chapters": [deep] })).steps.is_empty());
}

#[test]
fn the_guide_is_read_whole() {
    let folder = std::path::Path::new("../../node/kith/guide").join("paths");
    let mut steps = 0;
    for file in std::fs::read_dir(folder).expect("the guide") {
        let text = std::fs::read_to_string(file.expect("an entry").path()).expect("readable");
        let path = LearningPath::read(&serde_json::from_str(&text).expect("JSON"));
        assert!(path.title.is_some() && !path.steps.is_empty() && !path.is_cut);
        assert!(path.steps.iter().all(|step| step.resource.is_some() || !step.prompts.is_empty()));
        steps += path.steps.len();
    }
    assert!(steps > 40, "{steps}");
}
