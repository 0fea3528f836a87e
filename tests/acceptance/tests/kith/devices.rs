//! A person's own devices: linked, lost, and come back to by 24 words.

use acceptance::{Home, Running, list, text, until};
use serde_json::json;

/// Ada's laptop with an album, and her phone.
pub(crate) async fn laptop_and_phone() -> ([Home; 2], [Running; 2], String) {
    let (laptop, phone) = (Home::new(), Home::new());
    let on_laptop = laptop.up().name("Ada").ready().await;
    laptop.new_space("album").await;
    let doc = laptop.new_document("album", &json!({"title": "Summer"})).await;
    let ticket = device_ticket(&laptop).await;
    let joined = phone.kith(&["device", "link", "--yes", &ticket]).json().await;
    assert_eq!(text(&joined, "agent"), on_laptop.agent());
    let on_phone = phone.up().ready().await;
    assert_eq!(on_phone.agent(), on_laptop.agent());
    shows(&phone, &doc, "Summer").await;
    ([laptop, phone], [on_laptop, on_phone], doc)
}

async fn device_ticket(home: &Home) -> String {
    let made = home.kith(&["device", "link", "--no-wait"]).json().await;
    text(&made, "ticket").to_owned()
}

async fn shows(home: &Home, doc: &str, word: &str) {
    until(word, async || {
        let got = home.kith(&["doc", "get", "album", doc]).run().await;
        String::from_utf8_lossy(&got.out).contains(word).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_linked_device_is_a_full_home_until_it_is_lost() {
    let ([laptop, phone], [_on_laptop, on_phone], doc) = laptop_and_phone().await;
    let set = |home: &Home, word: &str| {
        home.kith(&["doc", "set", "album", &doc, word, &format!("\"{word}\"")]).json()
    };
    set(&phone, "from_phone").await;
    shows(&laptop, &doc, "from_phone").await;
    let homes = phone.kith(&["space", "list"]).json().await;
    let private = list(&homes, "spaces").iter().filter(|space| space["home"] == true);
    assert_eq!(private.count(), 1, "one private space for one person: {homes}");

    let lost = on_phone.node().to_owned();
    laptop.kith(&["device", "revoke", &lost]).json().await;
    set(&laptop, "secret").await;
    until("the phone hears of it", async || {
        let devices = phone.kith(&["device", "list"]).json().await;
        list(&devices, "devices")
            .iter()
            .any(|it| it["this"] == true && it["revoked"] == true)
            .then_some(())
    })
    .await;
    let of_phone = phone.value("album", &doc).await;
    assert_eq!(of_phone.get("secret"), None, "{of_phone}");
    let why = laptop.kith(&["why", &lost]).json().await;
    let rules: Vec<&str> = list(&why, "decisions").iter().map(|it| text(it, "rule")).collect();
    assert!(rules.contains(&"revoked-device"), "{rules:?}");
    laptop.kith(&["device", "revoke", &lost]).fails().await.is(4, "not-found");
}

#[tokio::test]
async fn tickets_are_for_one_purpose_and_one_device() {
    let ([laptop, phone], _running, _) = laptop_and_phone().await;
    let (new, other) = (Home::new(), Home::new());
    let ticket = device_ticket(&laptop).await;
    new.pair(&ticket).fails().await.is(3, "not-allowed").says("device link");
    let ticket = laptop.ticket(&[]).await;
    let link = |home: &Home, ticket: &str| home.kith(&["device", "link", "--yes", ticket]);
    link(&new, &ticket).fails().await.is(3, "not-allowed").says("something else");
    let ticket = device_ticket(&laptop).await;
    link(&new, &ticket).json().await;
    link(&other, &ticket).fails().await.is(3, "not-allowed").says("used already");
    // Whoever lives somewhere is not moved out.
    let ticket = device_ticket(&laptop).await;
    other.kith(&["space", "new", "mine"]).json().await;
    link(&other, &ticket).fails().await.is(1, "conflict").says("lives in this data directory");
    link(&phone, &ticket).fails().await.is(1, "conflict").says("a node runs");
    phone.kith(&["device", "link", "--no-wait"]).fails().await.is(3, "not-allowed").says("root");
}

#[tokio::test]
async fn twenty_four_words_bring_a_person_back_with_new_keys() {
    let home = Home::new();
    let old = home.kith(&["id"]).json().await;
    let shown = home.kith(&["phrase", "show"]).json().await;
    let words = text(&shown, "phrase").to_owned();
    assert_eq!(words.split(' ').count(), 24);
    let again = Home::new();
    let restored = again.kith(&["phrase", "restore"]).stdin(words.clone()).json().await;
    assert_eq!(text(&restored, "agent"), text(&old, "agent"));
    let new = again.kith(&["id"]).json().await;
    assert_eq!(text(&new, "agent"), text(&old, "agent"));
    assert_ne!(text(&new, "device"), text(&old, "device"));
    again.kith(&["phrase", "restore"]).stdin(words.clone()).fails().await.is(1, "conflict");
    let nobody = Home::new();
    let wrong = words.replacen(' ', " zoo ", 1);
    for wrong in ["", "one two", &wrong, &words.to_uppercase().replace(' ', "-")] {
        let failed = nobody.kith(&["phrase", "restore"]).stdin(wrong).fails().await;
        failed.is(2, "invalid").says("24 words");
    }
    Home::new().kith(&["phrase", "show"]).fails().await.is(4, "not-found");
}

#[tokio::test]
async fn no_core_dump_holds_the_keys() {
    let home = Home::new();
    let running = home.up().ready().await;
    let limits = format!("/proc/{}/limits", running.process());
    let limits = std::fs::read_to_string(limits).expect("it runs");
    let core = limits.lines().find(|line| line.starts_with("Max core file size"));
    let core: Vec<&str> = core.expect("Linux says so").split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"]);
}
