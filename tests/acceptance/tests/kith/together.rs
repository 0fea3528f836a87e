//! The whole in one command.

use acceptance::{Kith, PATIENCE};
use serde_json::Value;

#[tokio::test]
async fn the_demo_checks_itself() {
    let demo = Kith::new(&["demo", "--check", "--json"]).without("KITH_PASSPHRASE").run();
    let said = tokio::time::timeout(PATIENCE, demo).await.expect("in time");
    assert_eq!(said.exit, 0, "{said:?}");
    let lines = String::from_utf8(said.out).expect("text");
    let last: Value = lines.lines().last().expect("lines").parse().expect("JSON");
    assert_eq!((&last["step"], &last["ok"]), (&"checked".into(), &true.into()), "{lines}");
}
