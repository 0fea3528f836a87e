//! `kith doorway keys`.

use serde_json::{Value, json};

use super::Asking;
use crate::{
    args::{Doorway, Keys},
    client::escape,
    error::CliError,
    show::{answer, list, number, table, text},
};

const PATH: &str = "/api/v1/doorway/keys";

pub(super) async fn run(asking: &Asking<'_>, command: Doorway) -> Result<(), CliError> {
    let Doorway::Keys(command) = command;
    match command {
        Keys::Add { name, allow, expires, per_minute } => {
            let expires = expires.map(|time| time.as_secs());
            let rules = (!allow.is_empty()).then_some(allow);
            let new = json!({
                "name": name, "rules": rules, "expires_seconds": expires,
                "per_minute": per_minute,
            });
            let made = asking.client.post(PATH, new).await?;
            answer(asking.is_json, &made, || shown(&made));
        }
        Keys::List => {
            let keys = asking.client.get(PATH).await?;
            answer(asking.is_json, &keys, || match list(&keys, "keys") {
                [] => "no program has a key".to_owned(),
                keys => {
                    let rows: Vec<_> = keys.iter().flat_map(rows).collect();
                    table(&["NAME", "LAST USED", "UNTIL", "MADE BY", "A MINUTE", "MAY"], &rows)
                }
            });
        }
        Keys::Revoke { name } => {
            let revoked = asking.client.delete(&format!("{PATH}/{}", escape(&name))).await?;
            answer(asking.is_json, &revoked, || {
                let left = list(&revoked, "made").iter().filter_map(Value::as_str);
                let left = left.map(|made| {
                    format!(
                        "\nIt made {made}, which is still good: kith doorway keys revoke {made}"
                    )
                });
                format!("{name} opens nothing any more{}", left.collect::<String>())
            });
        }
        Keys::Allow { name, rule } => {
            let path = format!("{PATH}/{}/allow", escape(&name));
            let done = asking.client.post(&path, json!({"rule": rule})).await?;
            answer(asking.is_json, &done, || format!("{name} may: {rule}"));
        }
        Keys::Deny { name, rule } => {
            let path = format!("{PATH}/{}/deny", escape(&name));
            let done = asking.client.post(&path, json!({"rule": rule})).await?;
            answer(asking.is_json, &done, || format!("{name} may not: {rule}"));
        }
    }
    Ok(())
}

fn shown(made: &Value) -> String {
    let end = match text(made, "expires_at") {
        "" => String::new(),
        end => format!(" It is good until {end}."),
    };
    format!("{}\n\nSend it as X-API-Key. It is not shown again.{end}", text(made, "key"))
}

/// A key, and each further rule on a line of its own.
fn rows(key: &Value) -> Vec<Vec<String>> {
    let word = |name: &str| match text(key, name) {
        "" => "–".to_owned(),
        word => word.to_owned(),
    };
    let until = match key.get("expired").and_then(Value::as_bool) {
        Some(true) => "over".to_owned(),
        Some(false) | None => word("expires_at"),
    };
    let mut rules = list(key, "rules").iter().filter_map(Value::as_str);
    let first = rules.next().unwrap_or("nothing").to_owned();
    let pace = number(key, "per_minute").to_string();
    let mut rows = vec![vec![word("name"), word("last_used"), until, word("made_by"), pace, first]];
    rows.extend(rules.map(|rule| [vec![String::new(); 5], vec![rule.to_owned()]].concat()));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_row_and_each_further_rule_another() {
        let key = json!({
            "name": "bot", "rules": ["GET /api/v1/status", "GET /api/v1/log"], "per_minute": 60,
            "expires_at": "2026-11-21T14:00:00Z", "expired": false, "last_used": null,
        });
        let found = rows(&key);
        assert_eq!(found[0], ["bot", "–", "2026-11-21T14:00:00Z", "–", "60", "GET /api/v1/status"]);
        assert_eq!(found[1], ["", "", "", "", "", "GET /api/v1/log"]);
        let over = json!({
            "name": "old", "rules": [], "per_minute": 1, "expires_at": "x", "expired": true,
        });
        assert_eq!(rows(&over), [["old", "–", "over", "–", "1", "nothing"]]);
    }
}
