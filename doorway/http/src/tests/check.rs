use serde_json::json;

use super::*;

#[test]
fn what_fits_the_schema_is_fine_with_whatever_else_it_holds() {
    let item = json!({ "id": "i", "content_type": "guide", "title": "T", "content": "x",
        "tags": ["a"], "related_node_ids": [], "reach": "commons", "estimated_minutes": 3,
        "summary": null, "x_own": { "deep": [1] } });
    assert_eq!(check("content", &item), [""; 0]);
    let blob = json!({ "content_type": "video", "title": "T", "blob": "abc" });
    assert_eq!(check("content", &blob), [""; 0]);
    let path = json!({ "title": "P", "visibility": "public", "x": 1, "chapters": [
        { "title": "One", "mastery_threshold": 7, "steps": [
            { "id": "a", "resource_id": "i", "mastery_threshold": 0 },
            { "id": "b", "step_type": "reflection", "completion_criteria": "view" },
        ]},
        { "title": "Two", "modules": [{ "title": "M", "sections": [
            { "title": "S", "conceptIds": ["i", { "id": "j" }] },
        ]}]},
    ]});
    assert_eq!(check("learning-path", &path), [""; 0]);
    assert_eq!(
        check(
            "learning-path",
            &json!({ "title": "P", "steps": [{ "id": "a", "resource_id": "i" }] })
        ),
        [""; 0]
    );
    assert_eq!(check("recipe", &json!({ "title": 1, "chapters": 2 })), [""; 0]);
}

#[test]
fn an_item_is_told_what_it_lacks() {
    let item = json!({ "title": "", "content_type": 4, "tags": "a", "related_node_ids": [1],
        "reach": "the moon", "estimated_minutes": -1 });
    let expected = [
        "The item has no “title”.",
        "The item has “content_type”, but it is no text.",
        "The item has neither “content” nor “blob”.",
        "The item has “tags”, but it is no list.",
        "The item has something in “related_node_ids” that is no text.",
        "The item has “estimated_minutes”, but it is no whole number.",
        "The item has “reach”, but there is no such reach: “the moon”.",
    ];
    assert_eq!(check("content", &item), expected);
}

#[test]
fn a_path_is_told_where_what_is_wrong() {
    let path = json!({ "chapters": [{ "title": "One", "mastery_threshold": 8, "steps": [
        { "id": "a", "step_title": "Knots", "mastery_threshold": "3" },
        { "id": "a", "resource_id": "i", "step_type": "dance" },
        { "resource_id": "i", "attestation_granted": 1, "is_optional": "no" },
        7,
    ]}, 5, { "title": "Three", "sections": [{ "title": "S", "conceptIds": [""] }] }]});
    let expected = [
        "The path has no “title”.",
        "Chapter 1 (“One”) has “mastery_threshold”, but it is not 0 to 7: 8.",
        "Step 1 (“Knots”) leads nowhere: it has no “resource_id”.",
        "Step 1 (“Knots”) has “mastery_threshold”, but it is not 0 to 7: “3”.",
        "Step 2 (“a”) has the id of another step, “a”.",
        "Step 2 (“a”) has “step_type”, but it is none of content, path, external, checkpoint, \
         reflection: “dance”.",
        "Step 3 has no “id”: when it moves, progress on it is lost.",
        "Step 3 has “attestation_granted”, but it is no text.",
        "Step 3 has “is_optional”, but it is neither true nor false.",
        "Step 4 of chapter 1 (“One”) is no object.",
        "Chapter 2 is no object.",
        "Section 1 (“S”) has something in “conceptIds” that is no id.",
    ];
    assert_eq!(check("learning-path", &path), expected);
    let empty = ["The path has no “chapters”.", "The path has no steps."];
    assert_eq!(check("learning-path", &json!({ "title": "P" })), empty);
}

#[test]
fn hostile_values_are_walked_within_bounds() {
    let mut deep = json!({ "conceptIds": [1] });
    for _ in 0..60 {
        deep = json!({ "title": "d", "modules": [deep] });
    }
    let path = json!({ "title": "P", "chapters": [deep] });
    assert_eq!(check("learning-path", &path), ["The path has no steps."]);
    let long = "x".repeat(100_000);
    let steps = vec![json!({ "id": long }); 200];
    let path = json!({ "title": [], "chapters": [{ "title": long, "steps": steps }] });
    let said = check("learning-path", &path);
    assert_eq!(said.len(), SENTENCES_MAX);
    assert!(said.iter().all(|sentence| sentence.len() < 400), "{said:?}");
    for odd in [json!(null), json!([1]), json!("x"), json!(7)] {
        assert_eq!(check("learning-path", &odd), [""; 0]);
    }
}

#[test]
fn the_guide_is_as_the_schema_has_it() {
    let folder = std::path::Path::new("../../node/kith/guide").join("paths");
    let mut paths = 0;
    for file in std::fs::read_dir(folder).expect("the guide") {
        let text = std::fs::read_to_string(file.expect("an entry").path()).expect("readable");
        let value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(check("learning-path", &value), [""; 0], "{text}");
        paths += 1;
    }
    assert_eq!(paths, 5);
}
