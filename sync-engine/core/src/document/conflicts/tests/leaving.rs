//! Conflicts that are left to those who decide for the space.

use automerge::{ROOT, ReadDoc, transaction::Transactable};

use super::*;
use crate::document::RESERVED_KEY;

fn disputed() -> (Device, Device) {
    let (mut ada, mut ben) = pair(&json!({"title": "start"}));
    ada.set("title", json!("A"));
    ben.set("title", json!("B"));
    meet(&mut ada, &mut ben);
    (ada, ben)
}

impl Device {
    fn ask(&mut self, why: Option<&str>) -> EntryId {
        let conflict = self.only();
        let question = self.document.question(conflict.id, why).expect("there is one");
        self.edit(|document| document.ask(&question))
    }

    fn asked(&mut self) -> Vec<String> {
        self.only().asked.into_iter().map(|asked| asked.why).collect()
    }
}

#[test]
fn a_question_travels_with_who_asked_and_changes_nothing_else() {
    let (mut ada, mut ben) = disputed();
    let before = ben.only();
    let entry = ada.ask(Some("who knows?"));
    meet(&mut ada, &mut ben);
    let after = ben.only();
    let [asked] = &after.asked[..] else { panic!("one asked: {after:?}") };
    assert_eq!((&*asked.why, &asked.entries), ("who knows?", &BTreeSet::from([entry])));
    assert!(asked.at.is_some());
    assert_eq!(Conflict { asked: vec![], ..after }, before);
    assert_eq!(ben.document.value(), ada.document.value());
}

#[test]
fn a_decision_answers_it_and_so_does_taking_it_back() {
    let (mut ada, mut ben) = disputed();
    ada.ask(Some("one"));
    ada.ask(None);
    meet(&mut ada, &mut ben);
    assert_eq!(ben.asked(), [] as [&str; 0]);
    ada.ask(Some("two"));
    meet(&mut ada, &mut ben);
    ben.resolve(Resolution::KeepShown);
    meet(&mut ada, &mut ben);
    ada.assert_none();
    // Another conflict at this place is another question.
    ada.set("title", json!("C"));
    ben.set("title", json!("D"));
    meet(&mut ada, &mut ben);
    assert_eq!(ada.asked(), [] as [&str; 0]);
}

#[test]
fn who_asks_at_the_same_time_is_heard_too() {
    let (mut ada, mut ben) = disputed();
    ada.ask(Some("I"));
    ben.ask(Some("me too"));
    meet(&mut ada, &mut ben);
    let mut asked = ada.asked();
    asked.sort();
    assert_eq!(asked, ["I", "me too"]);
    ada.resolve(Resolution::KeepOther(0));
    meet(&mut ada, &mut ben);
    ben.assert_none();
    ada.set("title", json!("C"));
    ben.set("title", json!("D"));
    meet(&mut ada, &mut ben);
    assert_eq!(ben.asked(), [] as [&str; 0], "all who asked were answered");
}

#[test]
fn what_makes_no_sense_is_refused_and_what_others_wrote_is_cut() {
    let (mut ada, _) = disputed();
    let id = ada.only().id;
    let long = "x".repeat(WHY_BYTES_MAX + 1);
    let refused = |device: &mut Device, id, why: Option<&str>| {
        device.document.question(id, why).expect_err("is refused")
    };
    assert!(matches!(refused(&mut ada, id, Some(&long)), ResolveError::LongReason));
    assert!(matches!(refused(&mut ada, id, None), ResolveError::NotAsked));
    let other = "00".repeat(10).parse().expect("an id");
    assert!(matches!(refused(&mut ada, other, Some("")), ResolveError::NoSuchConflict));
    ada.ask(Some("short"));
    let auto = &ada.document.auto;
    let (_, own) = auto.get(ROOT, RESERVED_KEY).expect("reads").expect("is there");
    let name = auto.keys(&own).find(|key| key.starts_with("asked:")).expect("asked");
    ada.edit(|document| {
        document.auto.put(&own, name.as_str(), "é".repeat(WHY_BYTES_MAX))?;
        Ok(())
    });
    assert_eq!(ada.asked(), ["é".repeat(WHY_BYTES_MAX / 2)]);
    ada.edit(|document| {
        document.auto.put(&own, name.as_str(), 7)?;
        Ok(())
    });
    assert_eq!(ada.asked(), [] as [&str; 0]);
}
