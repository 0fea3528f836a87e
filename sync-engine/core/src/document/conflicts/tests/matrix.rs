//! Which concurrent changes are conflicts, the same on every device and in every
//! order of arrival.

use super::{
    ConflictKind::{DeletedAndChanged as Deleted, Overwritten},
    *,
};

fn start() -> Value {
    json!({
        "title": "Bread", "url": "https://a.example", "n": 1,
        "chapters": [{"id": "a", "title": "Flour"}, {"id": "b", "title": "Water"}, "end"],
        "author": {"name": "Ada", "address": {"city": "Ghent"}}, "tags": ["x"],
    })
}

/// What each device does; the place, kind and number of sides that are not shown
/// of the conflict, if there is one.
type Case = (&'static str, Vec<Value>, Option<(&'static str, ConflictKind, usize)>);

fn set(path: &str, value: Value) -> Value {
    json!([{"op": "add", "path": path, "value": value}])
}

fn replace(path: &str, value: Value) -> Value {
    json!([{"op": "replace", "path": path, "value": value}])
}

fn remove(path: &str) -> Value {
    json!([{"op": "remove", "path": path}])
}

fn title(value: &str) -> Value {
    set("/title", json!(value))
}

fn writes() -> Vec<Case> {
    let chapter = json!({"id": "c", "title": "Salt"});
    let add = |key: &str| set(key, chapter.clone());
    let last = |value: Value| replace("/chapters/2", value);
    vec![
        ("titles", vec![title("A"), title("B")], Some(("/title", Overwritten, 1))),
        ("the same title", vec![title("A"), title("A")], None),
        ("three", vec![title("A"), title("B"), title("C")], Some(("/title", Overwritten, 2))),
        ("two agree", vec![title("A"), title("B"), title("A")], Some(("/title", Overwritten, 1))),
        ("different keys", vec![title("A"), set("/n", json!(2))], None),
        ("both append", vec![add("/chapters/-"), set("/chapters/-", json!(1))], None),
        ("one new key", vec![add("/k"), set("/k", json!(2))], Some(("/k", Overwritten, 1))),
        ("equal objects", vec![add("/k"), add("/k")], None),
        ("the same url in two items", vec![add("/tags/-"), add("/tags/-")], None),
        ("elements", vec![last(json!(1)), last(json!(2))], Some(("/chapters/2", Overwritten, 1))),
    ]
}

fn deletions() -> Vec<Case> {
    let city = || set("/author/address/city", json!("Delft"));
    let flour = || set("/chapters/0/title", json!("Rye"));
    let author = || remove("/author");
    let overwritten = Some(("/author", Overwritten, 1));
    let element = Some(("/chapters/0", Deleted, 1));
    let deleted = |sides| Some(("/author", Deleted, sides));
    let moved = json!([{"op": "move", "from": "/chapters/0", "path": "/chapters/2"}]);
    let fin = replace("/chapters/2", json!("fin"));
    vec![
        ("key", vec![remove("/n"), set("/n", json!(2))], Some(("/n", Deleted, 1))),
        ("twice", vec![remove("/n"), remove("/n")], None),
        ("edit inside", vec![author(), city()], deleted(1)),
        ("inside and outside", vec![author(), remove("/author/name")], None),
        ("replace", vec![set("/author", json!("Ada")), city()], overwritten),
        ("element", vec![remove("/chapters/0"), flour()], element),
        ("scalar element", vec![remove("/chapters/2"), fin], Some(("/chapters/2", Deleted, 1))),
        ("neighbours", vec![remove("/chapters/1"), set("/chapters/0", json!(0))], None),
        ("move", vec![moved, flour()], element),
        ("list", vec![remove("/tags"), set("/tags/-", json!("y"))], Some(("/tags", Deleted, 1))),
        ("two edits", vec![author(), city(), set("/author/name", json!("Ben"))], deleted(1)),
        ("replaced too", vec![author(), set("/author", json!(1)), city()], deleted(2)),
        ("two depths", vec![author(), remove("/author/address"), city()], deleted(1)),
    ]
}

/// All orders of `0..count`.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![vec![]] };
    let insert = |order: Vec<usize>| {
        (0..=last).map(move |at| {
            let mut order = order.clone();
            order.insert(at, last);
            order
        })
    };
    orders(last).into_iter().flat_map(insert).collect()
}

#[test]
fn each_kind_of_concurrent_change_is_a_conflict_or_merges() {
    for (name, patches, expected) in writes().into_iter().chain(deletions()) {
        let mut devices = shared(&start(), patches.len() as u8);
        for (device, patch) in devices.iter_mut().zip(&patches) {
            device.patch(patch.clone());
        }
        let made = all_of(&devices);
        let all = Device::with(99, &made).document.conflicts();
        let items = all.items.iter();
        let found: Vec<_> =
            items.map(|item| (item.place.as_str(), item.kind, item.others.len())).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{name}: {all:#?}");
        for order in orders(made.len()) {
            let mut late = Device::new(98);
            for at in order {
                late.document.apply(vec![made[at].clone()]);
            }
            assert_eq!(late.document.conflicts(), all, "{name}");
        }
    }
}

#[test]
fn sides_say_what_was_said_by_which_entry_when_and_what_was_before() {
    let (mut ada, mut ben) = pair(&start());
    let bens = ben.set("/title", json!("Ben's"));
    ada.set("n", json!(2));
    let adas = ada.set("/title", json!("Ada's"));
    meet(&mut ada, &mut ben);
    let conflict = ada.only();
    assert_eq!(conflict.before, Before::Value(json!("Bread")));
    assert_eq!(conflict.shown.value, Some(ada.document.value()["title"].clone()));
    let mut sides = vec![conflict.shown.clone(), conflict.others[0].clone()];
    sides.sort_by_key(|side| side.at);
    let side = |value: &str, entry, at| Side {
        value: Some(json!(value)),
        entries: BTreeSet::from([entry]),
        at: Some(Timestamp(at)),
    };
    assert_eq!(sides, [side("Ben's", bens, 1_000), side("Ada's", adas, 3_000)]);
}

#[test]
fn what_was_deleted_is_told_with_the_edits_that_it_did_not_know() {
    let (mut ada, mut ben) = pair(&start());
    ada.remove("/chapters/0");
    ben.set("/chapters/0/title", json!("Rye"));
    ben.set("/chapters/0/time", json!(5));
    meet(&mut ada, &mut ben);
    let conflict = ben.only();
    assert_eq!(conflict.shown.value, None);
    let edited = json!({"id": "a", "title": "Rye", "time": 5});
    assert_eq!(conflict.others[0].value, Some(edited));
    assert_eq!(conflict.others[0].entries.len(), 2);
    assert_eq!(conflict.before, Before::Value(json!({"id": "a", "title": "Flour"})));
}

#[test]
fn an_edit_in_something_deleted_at_two_depths_is_told_as_its_writer_saw_it() {
    let mut devices = shared(&start(), 3);
    devices[0].remove("/author");
    devices[1].remove("/author/address");
    devices[2].set("/author/address/city", json!("Delft"));
    let conflict = Device::with(9, &all_of(&devices)).only();
    let edited = json!({"name": "Ada", "address": {"city": "Delft"}});
    assert_eq!(conflict.others[0].value, Some(edited));
}

#[test]
fn the_same_import_at_two_devices_is_no_conflict_and_edits_of_either_copy_are_told() {
    let meta = Meta { kind: "note".into(), app: None, path: None, source: Some(vec![1]) };
    let (mut ada, mut ben) = (Device::new(1), Device::new(2));
    ada.edit(|document| document.fill(&meta, &start()));
    ben.edit(|document| document.fill(&meta, &start()));
    meet(&mut ada, &mut ben);
    ada.assert_none();
    let (adas, bens) = (ada.made.clone(), ben.made.clone());
    for made in [adas, bens] {
        let mut other = Device::with(3, &made);
        other.set("/author/name", json!("Cyd"));
        let mut reader = Device::with(4, &[ada.made.clone(), ben.made.clone()].concat());
        reader.take(&other);
        let conflict = reader.only();
        let sides = [conflict.shown.value, conflict.others[0].value.clone()];
        let names = sides.map(|value| value.expect("an author")["name"].clone());
        assert_eq!(BTreeSet::from(names.map(|name| name.to_string())).len(), 2);
    }
}

#[test]
fn a_later_write_that_knows_both_ends_the_conflict() {
    let (mut ada, mut ben) = pair(&start());
    ada.remove("/author");
    ben.set("/author/name", json!("Ben"));
    meet(&mut ada, &mut ben);
    ada.only();
    ada.set("/author", json!("nobody"));
    ada.assert_none();
    ada.set("/n", json!(7));
    ada.remove("/author");
    ada.assert_none();
    ben.take(&ada);
    ben.assert_none();
}

#[test]
fn a_write_that_knows_one_side_leaves_the_other() {
    let mut devices = shared(&start(), 3);
    devices[0].remove("/author");
    devices[1].set("/author/name", json!("Ben"));
    devices[2].set("/author/name", json!("Cyd"));
    let (mut ada, ben) = (Device::with(1, &devices[0].made), &devices[1]);
    ada.take(ben);
    ada.set("/author", json!("Ada and Ben"));
    ada.take(&devices[2]);
    ada.take(&devices[0]);
    let conflict = ada.only();
    assert_eq!(conflict.shown.value, Some(json!("Ada and Ben")));
    assert_eq!(conflict.others[0].entries, BTreeSet::from([devices[2].made[0].0]));
}

#[test]
fn deep_places_are_found_and_named() {
    let deep = (0..30).fold(json!({"x": 1}), |inner, _| json!({"a/~b": [inner]}));
    let (mut ada, mut ben) = pair(&json!({"deep": deep}));
    let place = format!("/deep{}", "/a~1~0b/0".repeat(30));
    ada.patch(replace(&place, json!(0)));
    ben.set(&format!("{place}/y"), json!(3));
    meet(&mut ada, &mut ben);
    let conflict = ada.only();
    assert_eq!((conflict.place, conflict.kind), (place, Overwritten));
    assert_eq!(conflict.others[0].value, Some(json!({"x": 1, "y": 3})));
}

#[test]
fn texts_of_other_programs_merge_by_themselves() {
    use automerge::{ObjType, ROOT, transaction::Transactable};
    let (mut ada, mut ben) = pair(&json!({}));
    let mut text = ROOT;
    ada.edit(|document| {
        text = document.auto.put_object(ROOT, "text", ObjType::Text)?;
        Ok(document.auto.splice_text(&text, 0, 0, "bread and water")?)
    });
    ben.take(&ada);
    ada.edit(|document| Ok(document.auto.splice_text(&text, 0, 5, "Rye")?));
    ben.edit(|document| Ok(document.auto.splice_text(&text, 3, 4, "!")?));
    meet(&mut ada, &mut ben);
    ada.assert_none();
    // Deleting the whole of it is another matter.
    let merged = ada.document.value()["text"].as_str().map(|text| format!("Hot {text}"));
    ada.remove("/text");
    ben.edit(|document| Ok(document.auto.splice_text(&text, 0, 0, "Hot ")?));
    meet(&mut ada, &mut ben);
    assert_eq!(ada.only().others[0].value, merged.map(Value::String));
}

#[test]
fn a_conflict_inside_a_value_that_lost_waits_until_it_is_shown() {
    let object = |by: &str| json!({"by": by, "n": 0});
    let (mut ada, mut ben) = pair(&json!({}));
    ada.set("o", object("ada"));
    ben.set("o", object("ben"));
    let (mut cyd, mut dan) = (Device::with(3, &ada.made), Device::with(4, &ada.made));
    let (mut eve, mut fay) =
        (Device::with(5, &[ada.made.clone(), ben.made.clone()].concat()), Device::new(6));
    fay.take(&ada);
    fay.take(&ben);
    cyd.set("/o/n", json!(3));
    dan.set("/o/n", json!(4));
    eve.set("/o/n", json!(5));
    fay.set("/o/n", json!(6));
    for other in [&ben, &cyd, &dan, &eve, &fay] {
        ada.take(other);
    }
    let conflicts = ada.document.conflicts();
    let places: Vec<_> = conflicts.items.iter().map(|item| item.place.as_str()).collect();
    assert_eq!(places, ["/o", "/o/n"], "{conflicts:#?}");
    let shown = ada.document.value()["o"]["n"].clone();
    assert_eq!(conflicts.items[1].shown.value, Some(shown));
}
