//! Keys of programs: what each may do, changed while the node runs.

use std::{fs, os::unix::fs::PermissionsExt};

use acceptance::{Browser, Home, list, text};

const STATUS: &str = "/api/v1/status";

async fn status(browser: &Browser, path: &str) -> u16 {
    browser.get(path).await.status
}

#[tokio::test]
async fn a_program_does_what_its_key_allows_while_the_node_runs_and_later() {
    let home = Home::new();
    home.new_space("album").await;
    let keys = |arguments: &[&'static str]| home.kith(&[&["doorway", "keys"], arguments].concat());
    // Without a node that runs, too.
    let made = keys(&["add", "bot", "--allow", "GET /api/v1/status", "--expires", "30d"]);
    let made = made.json().await;
    let key = text(&made, "key").to_owned();
    assert!(text(&made, "expires_at").ends_with('Z'), "{made}");

    let running = home.up().ready().await;
    let bot = running.browser().with("x-api-key", &key);
    assert_eq!(status(&bot, STATUS).await, 200);
    let denied = bot.get("/api/v1/spaces/album/docs").await;
    assert_eq!((denied.status, text(&denied.json(), "code")), (403, "no-rule"));
    let fix = "kith doorway keys allow bot 'GET /api/v1/spaces/album/docs'";
    assert_eq!(text(&denied.json(), "fix"), fix);
    keys(&["allow", "bot", "GET /api/v1/spaces/album/docs"]).json().await;
    assert_eq!(status(&bot, "/api/v1/spaces/album/docs").await, 200);
    keys(&["deny", "bot", "GET /api/v1/spaces/**"]).json().await;
    assert_eq!(status(&bot, "/api/v1/spaces/album/docs").await, 403);
    let wide = keys(&["deny", "bot", "GET /api/v1/*"]).json().await;
    assert_eq!(wide["done"], true);
    keys(&["allow", "bot", "* /api/v1/**"]).json().await;
    let refused = keys(&["deny", "bot", "GET /api/v1/log"]).fails().await;
    refused.is(1, "conflict").says("* /api/v1/**");
    assert_eq!(status(&bot, "/").await, 403, "pages are for people");
    let log = home.kith(&["log"]).run().await;
    let log = String::from_utf8_lossy(&log.out).into_owned();
    assert!(log.contains("\"key:bot\"") && log.contains("no-rule"), "{log}");
    running.kill().await;

    let again = home.up().ready().await;
    let bot = again.browser().with("x-api-key", &key);
    assert_eq!(status(&bot, STATUS).await, 200, "what was said is on the disk");
    let listed = keys(&["list"]).json().await;
    let [row] = list(&listed, "keys") else { panic!("{listed}") };
    assert_eq!((text(row, "name"), text(row, "last_used").len()), ("bot", 10));
    keys(&["revoke", "bot"]).json().await;
    assert_eq!(status(&bot, STATUS).await, 401);
    keys(&["revoke", "bot"]).fails().await.is(4, "not-found");
    keys(&["add", "bot", "--allow", "GET /"]).fails().await.is(2, "invalid");
    again.stop().await;

    let path = home.data_dir().join("program-keys.json");
    assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
    for file in ["program-keys.json", "audit.jsonl"] {
        let whole = fs::read_to_string(home.data_dir().join(file)).expect("is there");
        assert!(!whole.contains(&key["kith_key_".len()..]), "{file}");
    }
}
