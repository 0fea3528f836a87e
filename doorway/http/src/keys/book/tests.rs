use super::*;

const NOW: Timestamp = Timestamp(1_795_219_200_000);

fn name(text: &str) -> KeyName {
    text.parse().expect("a name")
}

fn rules(texts: &[&str]) -> Vec<Rule> {
    texts.iter().map(|text| text.parse().expect("a rule")).collect()
}

fn key(secret: u8, texts: &[&str]) -> Key {
    Key {
        hash: [secret; 32],
        rules: rules(texts),
        pace: Pace::default(),
        made_at: NOW,
        made_by: None,
        expires_at: None,
        last_used_day: None,
    }
}

fn book(keys: &[(&str, &[&str])]) -> Book {
    let mut book = Book::default();
    for (at, (text, rules)) in (1..).zip(keys) {
        book.add(Who::Owner, name(text), key(at, rules)).expect("is added");
    }
    book
}

fn asked(method: &str, path: &str) -> Option<Asked> {
    Asked::read(method, path)
}

const MANAGER: &[&str] = &["* /api/v1/doorway/keys/**", "GET /api/v1/spaces/**"];

#[test]
fn a_key_opens_what_its_rules_say_until_it_ends() {
    let mut book = book(&[("reader", &["GET /api/v1/spaces/**"]), ("other", &["* /api/v1/**"])]);
    let spaces = asked("GET", "/api/v1/spaces");
    let reader =
        |book: &Book, asked: Option<Asked>, now| book.decide(&[1; 32], asked.as_ref(), now);
    assert_eq!(
        reader(&book, spaces.clone(), NOW),
        Verdict::Allowed(name("reader"), Pace::default())
    );
    for denied in [asked("POST", "/api/v1/spaces"), asked("GET", "/api/v1/log"), None] {
        assert_eq!(reader(&book, denied, NOW), Verdict::NoRule(name("reader")));
    }
    assert_eq!(book.decide(&[9; 32], spaces.as_ref(), NOW), Verdict::Unknown);
    book.keys.get_mut(&name("reader")).expect("is there").expires_at = Some(NOW);
    assert_eq!(reader(&book, spaces.clone(), NOW), Verdict::Unknown);
    let before = Timestamp(NOW.0 - 1);
    assert_eq!(
        reader(&book, spaces.clone(), before),
        Verdict::Allowed(name("reader"), Pace::default())
    );
    assert_eq!(book.revoke(Who::Owner, name("reader"), false), Ok(vec![]));
    assert_eq!(reader(&book, spaces, before), Verdict::Unknown);
}

#[test]
fn after_a_denial_nothing_of_it_is_left() {
    let mut book = book(&[(
        "bot",
        &["GET /api/v1/spaces/album", "GET /api/v1/spaces/diary", "POST /api/v1/spaces/*/docs"],
    )]);
    let wider: Rule = "* /api/v1/spaces/**".parse().expect("a rule");
    let docs: Rule = "POST /api/v1/spaces/album/docs".parse().expect("a rule");
    let before = book.clone();
    let refused = book.deny(Who::Owner, name("bot"), &docs, true).expect_err("reaches further");
    assert_eq!(refused.kind, FailureKind::Conflict);
    assert!(refused.fix.contains("deny bot 'POST /api/v1/spaces/*/docs'"), "{}", refused.fix);
    assert_eq!(book, before);
    let album: Rule = "GET /api/v1/spaces/album".parse().expect("a rule");
    book.deny(Who::Owner, name("bot"), &album, false).expect("is its own rule");
    assert_eq!(book.keys()[&name("bot")].rules.len(), 2);
    book.deny(Who::Owner, name("bot"), &wider, false).expect("covers them");
    assert!(book.keys()[&name("bot")].rules.is_empty());
    book.deny(Who::Owner, name("bot"), &wider, false).expect("it is so already");
}

#[test]
fn a_key_gives_nothing_that_it_does_not_have() {
    let mut book = book(&[("admin", MANAGER), ("bot", &["GET /api/v1/status"])]);
    let admin = Who::Key(name("admin"));
    for beyond in ["GET /api/v1/log", "* /api/v1/**", "* /api/v1/spaces/*", "POST /api/v1/spaces"] {
        let refused = book.add(admin, name("new"), key(9, &[beyond])).expect_err("is refused");
        assert_eq!(refused.kind.code(), "not-allowed", "{beyond}");
        assert_eq!(refused.fix, format!("kith doorway keys add new --allow '{beyond}'"));
        for whom in ["bot", "admin"] {
            let rule = beyond.parse().expect("a rule");
            let refused = book.allow(admin, name(whom), rule).expect_err("is refused");
            assert_eq!(refused.fix, format!("kith doorway keys allow {whom} '{beyond}'"));
        }
    }
    book.add(admin, name("new"), key(9, &["GET /api/v1/spaces/*/docs"])).expect("has it");
    let own = "HEAD /api/v1/spaces/*".parse().expect("a rule");
    book.allow(admin, name("bot"), own).expect("has it");
    let gone = Who::Key(name("gone"));
    assert!(book.add(gone, name("x"), key(8, &["GET /api/v1/spaces"])).is_err());
}

#[test]
fn what_a_key_makes_does_not_outlive_it() {
    let mut book = book(&[("admin", MANAGER)]);
    let end = NOW.plus(std::time::Duration::from_secs(60));
    book.keys.get_mut(&name("admin")).expect("is there").expires_at = Some(end);
    let admin = Who::Key(name("admin"));
    let mut new = key(9, &["GET /api/v1/spaces"]);
    for too_long in [None, Some(Timestamp(end.0 + 1))] {
        new.expires_at = too_long;
        let refused = book.add(admin, name("new"), new.clone()).expect_err("is refused");
        assert_eq!(refused.kind, FailureKind::NotAllowed);
    }
    (new.expires_at, new.made_by) = (Some(end), Some(name("admin")));
    book.add(admin, name("new"), new).expect("ends with it");
    assert_eq!(book.revoke(Who::Owner, name("admin"), false), Ok(vec![name("new")]));
}

#[test]
fn what_a_key_makes_is_no_faster() {
    let mut book = book(&[("admin", MANAGER)]);
    let pace = |number| Pace::new(number).expect("a pace");
    book.keys.get_mut(&name("admin")).expect("is there").pace = pace(60);
    let admin = Who::Key(name("admin"));
    let mut new = key(9, &["GET /api/v1/spaces"]);
    new.pace = pace(61);
    let refused = book.add(admin, name("new"), new.clone()).expect_err("is refused");
    assert_eq!(refused.kind, FailureKind::NotAllowed);
    assert_eq!((book.usual_pace(admin), book.usual_pace(Who::Owner)), (pace(60), Pace::default()));
    new.pace = book.usual_pace(admin);
    book.add(admin, name("new"), new).expect("is as fast");
}

#[test]
fn nobody_locks_themselves_out_by_mistake() {
    let mut book = book(&[("admin", MANAGER), ("other", MANAGER)]);
    let (admin, own) = (Who::Key(name("admin")), name("admin"));
    let keys: Rule = "* /api/v1/doorway/keys/**".parse().expect("a rule");
    let spaces: Rule = "GET /api/v1/spaces/**".parse().expect("a rule");
    let before = book.clone();
    for refused in [
        book.clone().revoke(admin, own, false).map(drop),
        book.clone().deny(admin, own, &keys, false),
    ] {
        let refused = refused.expect_err("is refused");
        assert_eq!(refused.kind, FailureKind::Conflict);
        assert!(refused.message.contains("yes=true"), "{refused}");
    }
    assert_eq!(book, before);
    book.deny(admin, own, &spaces, false).expect("it can still manage keys");
    book.deny(admin, own, &keys, true).expect("it is sure");
    book.revoke(admin, own, true).expect("it is sure");
    book.revoke(Who::Key(name("other")), name("other"), true).expect("it is sure");
    assert!(book.keys().is_empty());
}

#[test]
fn there_is_an_end_to_keys_and_rules() {
    let mut book = Book::default();
    let rule = ["GET /api/v1/status"];
    for at in 0..KEYS_MAX {
        let text = format!("k{at}");
        let secret = u8::try_from(at).expect("small");
        book.add(Who::Owner, name(&text), key(secret, &rule)).expect("is added");
    }
    let refused = book.add(Who::Owner, name("more"), key(200, &rule)).expect_err("is refused");
    assert_eq!(refused.kind, FailureKind::TooLarge);
    assert!(!book.restore(name("more"), key(200, &rule)));
    for at in 1..RULES_MAX {
        let rule = format!("GET /api/v1/spaces/{at}").parse().expect("a rule");
        book.allow(Who::Owner, name("k0"), rule).expect("is allowed");
    }
    book.allow(Who::Owner, name("k0"), rules(&rule).remove(0)).expect("has it already");
    let more = "GET /api/v1/log".parse().expect("a rule");
    let refused = book.allow(Who::Owner, name("k0"), more).expect_err("is refused");
    assert_eq!(refused.kind, FailureKind::TooLarge);
    let taken = book.add(Who::Owner, name("k0"), key(201, &rule)).expect_err("is taken");
    assert_eq!(taken.kind, FailureKind::Conflict);
    assert!(Book::default().add(Who::Owner, name("a"), key(1, &[])).is_err());
}

#[test]
fn the_first_use_of_a_day_is_new() {
    let mut book = book(&[("bot", &["GET /api/v1/status"])]);
    let bot = name("bot");
    assert!(book.used(bot, NOW));
    assert!(!book.used(bot, Timestamp(NOW.0 + DAY_MS - 1)));
    assert!(book.used(bot, Timestamp(NOW.0 + DAY_MS)));
    assert!(!book.used(bot, NOW), "a clock that goes back");
    assert!(!book.used(name("gone"), NOW));
    let last = book.keys()[&bot].last_used_day.map(printed_day);
    assert_eq!(last.as_deref(), Some("2026-11-22"));
}
