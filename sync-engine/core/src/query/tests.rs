use proptest::prelude::*;
use serde_json::json;

use super::*;

fn fits(condition: &str, document: &Value) -> bool {
    condition.parse::<Condition>().expect("a condition").fits(document)
}

#[test]
fn conditions_are_read_as_people_write_them() {
    let document = json!({
        "title": "Summer in Rome", "rating": 4, "tags": ["travel", "food"], "open": true,
        "author": {"name": "Ada"}, "a/b": 1, "nothing": null, "digits": [1, 2], "version": "5",
    });
    for condition in [
        "rating>=4",
        "rating >= 4",
        "rating=4.0",
        "rating<5",
        "/rating<=4",
        "rating!=5",
        "title~rome",
        "title = \"Summer in Rome\"",
        "title=Summer in Rome",
        "title>S",
        "tags~food",
        "tags~\"food\"",
        "/tags/0=travel",
        "open=true",
        "/author/name=Ada",
        "/a~1b=1",
        "/digits ~1",
        "nothing=null",
        "missing=null",
        "missing!=1",
        "version=\"5\"",
        "tags!=food",
        "author={\"name\":\"Ada\"}",
    ] {
        assert!(fits(condition, &document), "{condition}");
    }
    for condition in [
        "rating>4",
        "rating=\"4\"",
        "rating>a",
        "title~paris",
        "tags~foo",
        "open=false",
        "missing>=0",
        "missing<0",
        "version=5",
        "title<5",
        "author~Ada",
        "/tags/2=food",
    ] {
        assert!(!fits(condition, &document), "{condition}");
    }
}

#[test]
fn large_whole_numbers_are_told_apart() {
    let document = json!({"n": 9_007_199_254_740_993_i64});
    assert!(fits("n=9007199254740993", &document) && !fits("n=9007199254740992", &document));
    assert!(fits("n<18446744073709551615", &document));
}

#[test]
fn what_is_no_condition_is_refused() {
    let bad = |text: &str| text.parse::<Condition>().expect_err("it is none");
    assert_eq!(bad("rating"), BadCondition::NoSign);
    assert_eq!(bad("rating!4"), BadCondition::NoSign);
    assert_eq!(bad(""), BadCondition::NoSign);
    assert_eq!(bad("=4"), BadCondition::NoPath("=4".into()));
    assert_eq!(bad("/a~1"), BadCondition::NoSign);
    assert_eq!(bad(&format!("a={}", "x".repeat(CONDITION_BYTES_MAX))), BadCondition::TooLong);
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused_and_every_text_is_itself(
        text in "[/a~01=<>! \"\\[\\]{}ü-]{0,40}",
        document in "[a~01\"ü]{0,8}",
    ) {
        let value = json!({"a": document});
        if let Ok(condition) = text.parse::<Condition>() {
            let _ = condition.fits(&value);
        }
        let says = |sign: &str| fits(&format!("a{sign}{}", value["a"]), &value);
        prop_assert!(says("=") && says("~") && says(">=") && !says("!=") && !says("<"));
    }
}

fn pointer(text: &str) -> Option<Pointer> {
    Some(Pointer::parse(text).expect("a pointer"))
}

#[test]
fn documents_are_added_up_by_groups() {
    let mut tally = Tally::new(pointer("/kind"), pointer("hours"));
    for document in [
        json!({"kind": "walk", "hours": 2}),
        json!({"kind": "walk", "hours": 1.5}),
        json!({"kind": "read", "hours": -1}),
        json!({"hours": "many"}),
        json!({"kind": ["walk", "talk", "walk"], "hours": 4}),
    ] {
        tally.add(&document);
    }
    let tallied = tally.finish();
    let sums = |documents, numbers, sum, least, most| Sums {
        documents,
        numbers,
        sum,
        least: Some(least),
        most: Some(most),
    };
    assert_eq!(tallied.all, sums(5, 4, 6.5, -1.0, 4.0));
    let none = Sums { documents: 1, ..Sums::default() };
    let expected = [
        (json!("walk"), sums(3, 3, 7.5, 1.5, 4.0)),
        (json!("read"), sums(1, 1, -1.0, -1.0, -1.0)),
        (json!("talk"), sums(1, 1, 4.0, 4.0, 4.0)),
        (Value::Null, none),
    ];
    assert_eq!(tallied.groups, expected);
}

#[test]
fn many_groups_take_no_room_without_end() {
    let mut tally = Tally::new(pointer("n"), None);
    let documents = (0..GROUPS_MAX + 7).chain([3]);
    documents.for_each(|n| tally.add(&json!({"n": n})));
    let tallied = tally.finish();
    assert_eq!((tallied.groups.len(), tallied.others.documents), (GROUPS_MAX, 7));
    assert_eq!((tallied.groups[0].0.clone(), tallied.groups[0].1.documents), (json!(3), 2));
    assert_eq!(tallied.all.documents, GROUPS_MAX as u64 + 8);
}
