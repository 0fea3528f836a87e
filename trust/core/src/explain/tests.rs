//! Every rule, as it comes about among some people, in words: `golden.txt`.
//! `KITH_BLESS=1` writes it anew.

use std::{collections::BTreeMap, fmt::Write};

use node_model::{DocumentId, EntryId, SpaceId};

use super::*;
use crate::{
    attestation::{EntryPin, Prefix, Terms},
    decision::{Question, Rule},
    trust::{
        ReplayError,
        tests::{NOW, admit, device, entropy, found, meet, remove},
    },
    words::{Layer, Reach, Role},
};

const FILE: &str = include_str!("golden.txt");

/// From this package's folder, where tests run.
const PATH: &str = "src/explain/golden.txt";

/// What Ada's laptop decided, and everybody who may have heard of what it rests on.
struct Story {
    laptop: Trust,
    phone: Trust,
    others: Vec<Trust>,
    lines: Vec<(&'static str, Journalled)>,
}

impl Story {
    fn decide(&mut self, title: &'static str, device: DeviceId, action: Action) {
        let question = Question { device, action };
        self.laptop.decide_and_note(NOW, question);
        let line = self.laptop.journal().last().expect("it was noted").clone();
        assert_eq!(line.question, question, "{title}: nothing was new");
        self.lines.push((title, line));
    }

    fn meet(&mut self) {
        let mut all = vec![&mut self.laptop, &mut self.phone];
        all.extend(&mut self.others);
        meet(&mut all);
    }
}

fn relate(one: &mut Trust, other: &mut Trust, layer: Layer) {
    let terms = (Terms::of(layer), None);
    one.relate(NOW, other.agent(), terms.clone(), &[]).expect("memory does not fail");
    other.relate(NOW, one.agent(), terms, &[]).expect("memory does not fail");
}

/// Ada has a laptop and a phone and is related to Bo. Bo, Cy and Di are in her
/// garden, Eve and Fay are not.
fn story() -> Story {
    let (laptop, phone) = (device(1, 0), device(1, 1));
    let others: Vec<Trust> = [2, 3, 4, 5].map(|person| device(person, 0)).into();
    let mut story = Story { laptop, phone, others, lines: vec![] };
    story.meet();
    let [bo, cy, di, eve] = [0, 1, 2, 3].map(|at: usize| story.others[at].device());
    relate(&mut story.laptop, &mut story.others[0], Layer::Invested);
    let garden = found(&mut story.laptop, "garden", Reach::Private);
    let roles = [Role::Writer, Role::Reader, Role::Custodian];
    for (other, role) in story.others.iter().zip(roles) {
        admit(&mut story.laptop, garden, other, role).expect("Ada may");
    }
    story.meet();

    story.decide("a device that nobody knows", device(6, 0).device(), Action::Connect);
    story.decide("Ada's other device", story.phone.device(), Action::Connect);
    story.decide("a friend", bo, Action::Connect);
    story.decide("a member of a common space", cy, Action::Connect);
    story.decide("neither", eve, Action::Connect);
    story.decide("a reader has the garden", cy, Action::Hold(garden));
    story.decide("a custodian keeps the garden", di, Action::Hold(garden));
    story.decide("a writer writes", bo, Action::Write(garden, None));
    story.decide("the founder admits", story.laptop.device(), Action::Administer(garden));
    story.decide("a reader does not write", cy, Action::Write(garden, None));
    story.decide("a writer does not admit", bo, Action::Administer(garden));
    story.decide("somebody else wants the garden", eve, Action::Hold(garden));
    let diary = DocumentId([9; 16]);
    story.laptop.purge(NOW, garden, &[diary]).expect("Ada may");
    story.meet();
    story.decide("a document that was purged", bo, Action::Keep(garden, diary));
    story.decide("another document", bo, Action::Keep(garden, DocumentId([8; 16])));
    after_a_removal(&mut story, garden);
    of_wider_reach(&mut story);
    kept_by_a_sister(&mut story);

    let (phone, no_entries) = (story.phone.device(), BTreeMap::new());
    let mut entropy = entropy(&story.laptop);
    story.laptop.revoke_device(&mut entropy, NOW, phone, &no_entries).expect("Ada may");
    story.meet();
    story.decide("a device that was taken back", phone, Action::Connect);
    story
}

fn after_a_removal(story: &mut Story, garden: SpaceId) {
    let (bo, last) = (story.others[0].device(), EntryId([7; 32]));
    let pin = EntryPin { device: bo, sequence: 4, entry: Prefix::from(last) };
    remove(&mut story.laptop, garden, &story.others[0], vec![pin]).expect("Ada may");
    story.meet();
    story.decide("somebody who was removed", bo, Action::Hold(garden));
    story.decide("their last entry", bo, Action::Write(garden, Some((4, last))));
    story.decide("the one after it", bo, Action::Write(garden, Some((5, EntryId([8; 32])))));
}

fn of_wider_reach(story: &mut Story) {
    let street = found(&mut story.laptop, "street", Reach::Neighborhood);
    let library = found(&mut story.laptop, "library", Reach::Commons);
    admit(&mut story.laptop, library, &story.others[1], Role::Reader).expect("Ada may");
    story.meet();
    story.decide("a neighbour", story.others[0].device(), Action::Hold(street));
    story.decide("anybody", device(6, 0).device(), Action::Hold(library));
}

fn kept_by_a_sister(story: &mut Story) {
    relate(&mut story.laptop, &mut story.others[3], Layer::Reciprocal);
    let diary = found(&mut story.laptop, "diary", Reach::Private);
    story.meet();
    story.decide("a sister keeps a copy", story.others[3].device(), Action::Hold(diary));
}

/// Each rule with the decisions that came about by it.
fn golden(story: &Story) -> String {
    let mut text = String::new();
    for rule in Rule::ALL {
        writeln!(text, "# {}", rule.word()).expect("a string takes all");
        for (title, line) in story.lines.iter().filter(|(_, line)| line.decision.rule == *rule) {
            let Explanation { sentence, evidence } = story.laptop.explain(line);
            let verdict = line.decision.verdict.word();
            writeln!(text, "{title}: {verdict}\n  {sentence}").expect("a string takes all");
            for (id, words) in evidence {
                let id = &id.to_string()[..8];
                writeln!(text, "  - {id}… {words}").expect("a string takes all");
            }
        }
        text.push('\n');
    }
    text
}

#[test]
fn every_rule_comes_about_and_is_explained() {
    let story = story();
    let text = golden(&story);
    if std::env::var_os("KITH_BLESS").is_some() {
        return std::fs::write(PATH, text).expect("the file is writable");
    }
    for rule in Rule::ALL {
        let section = FILE.split("# ").find(|section| section.starts_with(rule.word()));
        let lines = section.map_or(0, |section| section.trim().lines().count());
        assert!(lines > 1, "{} has no decision", rule.word());
    }
    assert_eq!(text, FILE, "`KITH_BLESS=1` writes what this version says");
}

#[test]
fn whoever_knows_the_same_statements_comes_to_the_same_decision() {
    let story = story();
    for (title, line) in &story.lines {
        assert_eq!(story.laptop.replay(line), Ok(()), "{title}");
        assert_eq!(story.phone.replay(line), Ok(()), "{title}: Ada's phone knows all");
        let others = story.others.iter().map(|other| other.replay(line));
        let mut agreeing = 0;
        for answer in others {
            match answer {
                Ok(()) => agreeing += 1,
                Err(ReplayError::Lacks(_)) => {}
                Err(error) => panic!("{title}: {error}"),
            }
        }
        // Whom the founder is related to is nobody else's business.
        let is_private = line.decision.rule == Rule::WithinReach;
        assert_eq!(agreeing == 0, is_private, "{title}");
    }
}

#[test]
fn a_changed_line_is_not_come_to_again() {
    let story = story();
    let any = story.laptop.visible_to(story.laptop.agent())[0];
    for (title, line) in &story.lines {
        let refused = |change: &dyn Fn(&mut Journalled)| {
            let mut changed = line.clone();
            change(&mut changed);
            assert_ne!(changed, *line, "{title}: nothing was changed");
            for at in [&story.laptop, &story.phone] {
                assert!(at.replay(&changed).is_err(), "{title}: {changed:?}");
            }
        };
        refused(&|line| {
            line.decision.verdict = match line.decision.verdict {
                Verdict::Deny | Verdict::Sealed => Verdict::Full,
                Verdict::Full => Verdict::Deny,
            };
        });
        refused(&|line| {
            let is_first = line.decision.rule == Rule::ALL[0];
            line.decision.rule = Rule::ALL[usize::from(is_first)];
        });
        refused(&|line| {
            line.decision.because.pop();
        });
        refused(&|line| match line.decision.because.binary_search(&any) {
            Ok(at) => {
                line.decision.because.remove(at);
            }
            Err(at) => line.decision.because.insert(at, any),
        });
        refused(&|line| line.decision.because.push(AttestationId([9; 32])));
        refused(&|line| line.inputs[31] ^= 1);
    }
}
