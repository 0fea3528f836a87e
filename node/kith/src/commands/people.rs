//! `kith relation` and `kith why`.

use serde_json::{Value, json};

use super::{Asking, places};
use crate::{
    args::{Relation, Why},
    client::escape,
    error::CliError,
    show::{answer, bytes, list, table, text},
};

pub(super) async fn relation(asking: &Asking<'_>, command: Relation) -> Result<(), CliError> {
    match command {
        Relation::List => {
            let relations = asking.client.get("/api/v1/relations").await?;
            answer(asking.is_json, &relations, || {
                let rows: Vec<_> = list(&relations, "relations").iter().map(row).collect();
                table(
                    &[
                        "NAME",
                        "KIND",
                        "STATE",
                        "LAYER",
                        "PRIORITY",
                        "YOU KEEP",
                        "THEY KEEP",
                        "PLACES",
                        "AGENT",
                    ],
                    &rows,
                )
            });
        }
        Relation::Add { agent, layer, keep, let_keep, quota_gb, emergency, expires, kind } => {
            let body = json!({
                "agent": agent,
                "layer": layer,
                "keeps_for_them": keep,
                "lets_them_keep": let_keep,
                "quota_bytes": quota_gb.map(|gb| gb.saturating_mul(1_000_000_000)),
                "emergency": emergency.then_some(true),
                "expires_in": expires.map(|time| time.as_secs()),
                "kind": kind,
            });
            let said = asking.client.post("/api/v1/relations", body).await?;
            answer(asking.is_json, &said, || related(&said));
        }
        Relation::End { agent } => {
            let path = format!("/api/v1/relations/{}", escape(&agent));
            let ended = asking.client.delete(&path).await?;
            answer(asking.is_json, &ended, || format!("you are not related to {agent} any more"));
        }
        Relation::Vouch { agent, text } => {
            let path = format!("/api/v1/relations/{}/vouches", escape(&agent));
            let said = asking.client.post(&path, json!({"text": text})).await?;
            answer(asking.is_json, &said, || format!("you vouch for {agent}: {text}"));
        }
    }
    Ok(())
}

/// What has come about, and who keeps what by it.
fn related(said: &Value) -> String {
    let name = text(said, "name");
    if text(said, "state") != "mutual" {
        return format!("said; it holds once {name} says so too (kith relation add)");
    }
    let is_said = |pointer| said.pointer(pointer).and_then(Value::as_bool).unwrap_or_default();
    let keep = is_said("/mine/keeps_for_them") && is_said("/theirs/lets_them_keep");
    let are_kept = is_said("/mine/lets_them_keep") && is_said("/theirs/keeps_for_them");
    let is_offered = is_said("/mine/keeps_for_them") || is_said("/mine/lets_them_keep");
    let copies = match (keep, are_kept) {
        (true, true) => "; you keep sealed copies of each other's spaces",
        (true, false) => "; you keep sealed copies of their spaces",
        (false, true) => "; they keep sealed copies of your spaces",
        (false, false) if is_offered => {
            "; to keep sealed copies they have to say so, too: kith relation add YOU, there"
        }
        (false, false) => "",
    };
    format!("you and {name} are related{copies}")
}

fn row(relation: &Value) -> Vec<String> {
    let keeps = relation.pointer("/mine/keeps_for_them").and_then(Value::as_bool);
    let quota = relation.pointer("/mine/quota_bytes").and_then(Value::as_u64).unwrap_or_default();
    let keeps = match keeps {
        Some(true) => {
            let now = relation.get("kept_bytes").and_then(Value::as_u64).unwrap_or_default();
            format!("{} of up to {} GB", bytes(now), quota / 1_000_000_000)
        }
        Some(false) => "nothing".to_owned(),
        None => "–".to_owned(),
    };
    let kept = match relation.pointer("/theirs/keeps_for_them").and_then(Value::as_bool) {
        Some(true) => {
            let quota = relation.pointer("/theirs/quota_bytes").and_then(Value::as_u64);
            format!("up to {} GB", quota.unwrap_or_default() / 1_000_000_000)
        }
        Some(false) => "nothing".to_owned(),
        None => "–".to_owned(),
    };
    vec![
        text(relation, "name").to_owned(),
        kind(relation),
        text(relation, "state").to_owned(),
        text(relation, "layer").to_owned(),
        text(relation, "priority").to_owned(),
        keeps,
        kept,
        places::places(list(relation, "described")),
        text(relation, "agent").to_owned(),
    ]
}

/// What they are to us, and we to them, as each side says.
fn kind(relation: &Value) -> String {
    let said = |pointer| relation.pointer(pointer).and_then(Value::as_str);
    match (said("/mine/kind"), said("/theirs/kind")) {
        (None, None) => "–".to_owned(),
        (Some(mine), None) => mine.to_owned(),
        (None, Some(theirs)) => format!("(you: {theirs})"),
        (Some(mine), Some(theirs)) => format!("{mine} (you: {theirs})"),
    }
}

pub(super) async fn why(asking: &Asking<'_>, Why { thing }: Why) -> Result<(), CliError> {
    let path = format!("/api/v1/why/{}", escape(&thing));
    let answered = asking.client.get(&path).await?;
    answer(asking.is_json, &answered, || {
        let mut lines: Vec<String> = Vec::new();
        for decision in list(&answered, "decisions") {
            let mark = if text(decision, "verdict") == "denied" { "✗" } else { "✓" };
            lines.push(format!("{mark} {}  {}", text(decision, "at"), text(decision, "words")));
            for evidence in list(decision, "evidence") {
                lines.push(format!("    {}", text(evidence, "words")));
            }
        }
        if lines.is_empty() {
            lines.push("nothing was decided about it yet".to_owned());
        }
        if answered.get("intact") == Some(&Value::Bool(false)) {
            lines.push("! lines of the journal are missing or were changed".to_owned());
        }
        lines.join("\n")
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_has_its_own_word() {
        let said = |mine: Value, theirs: Value| {
            kind(&json!({"mine": {"kind": mine}, "theirs": {"kind": theirs}}))
        };
        assert_eq!(said("sister".into(), Value::Null), "sister");
        assert_eq!(said(Value::Null, "brother".into()), "(you: brother)");
        assert_eq!(said("sister".into(), "brother".into()), "sister (you: brother)");
        assert_eq!(kind(&json!({"mine": null, "theirs": {"kind": null}})), "–");
    }

    #[test]
    fn whoever_relates_is_told_who_keeps_what() {
        let said = |mine: bool, theirs: bool| {
            let side = |is: bool| json!({"keeps_for_them": is, "lets_them_keep": is});
            related(&json!({"name": "Bea", "state": "mutual", "mine": side(mine),
                "theirs": side(theirs)}))
        };
        assert!(said(true, true).ends_with("each other's spaces"));
        assert!(said(true, false).contains("they have to say so, too"));
        assert!(said(false, true).ends_with("are related"));
        let one_way = json!({"name": "Bea", "state": "mutual",
            "mine": {"keeps_for_them": true, "lets_them_keep": false},
            "theirs": {"keeps_for_them": true, "lets_them_keep": true}});
        assert!(related(&one_way).ends_with("you keep sealed copies of their spaces"));
        let alone = related(&json!({"name": "Bea", "state": "offered", "mine": {}}));
        assert!(alone.contains("holds once Bea says so"), "{alone}");
    }
}
