//! `kith doctor`.

use serde_json::Value;

use super::Asking;
use crate::{
    args::Doctor,
    client::escape,
    error::CliError,
    show::{answer, list, note, printable, text},
};

pub(super) async fn run(asking: &Asking<'_>, Doctor { thing }: Doctor) -> Result<(), CliError> {
    let found = match thing {
        None => asking.client.get("/api/v1/doctor").await?,
        Some(thing) => examine(asking, &thing).await?,
    };
    answer(asking.is_json, &found, || {
        let mut paragraphs: Vec<String> = list(&found, "causes").iter().map(paragraph).collect();
        if paragraphs.is_empty() {
            paragraphs.push("everybody has confirmed to hold the same".to_owned());
        }
        if found.get("complete") == Some(&Value::Bool(false)) {
            paragraphs.push("There is more; ask about one space: kith doctor SPACE".to_owned());
        }
        paragraphs.join("\n\n")
    });
    if !asking.is_json && !asking.client.is_running() {
        note("No node runs here now, so nobody is connected: kith up");
    }
    Ok(())
}

/// A space is called like this, or else a document: alone, or as `SPACE/DOC`.
async fn examine(asking: &Asking<'_>, thing: &str) -> Result<Value, CliError> {
    let path = "/api/v1/doctor";
    let ask = async |query: String| asking.client.get(&format!("{path}?{query}")).await;
    let no_such = match ask(format!("space={}", escape(thing))).await {
        Err(error) if error.code == "not-found" => error,
        answered => return answered,
    };
    if let Some((space, doc)) = thing.split_once('/') {
        match ask(format!("space={}&doc={}", escape(space), escape(doc))).await {
            Err(error) if error.code == "not-found" => {}
            answered => return answered,
        }
    }
    match ask(format!("doc={}", escape(thing))).await {
        Err(error) if error.code == "not-found" => {
            Err(CliError { message: error.message, ..no_such })
        }
        answered => answered,
    }
}

fn paragraph(cause: &Value) -> String {
    let place = match text(cause, "space_name") {
        "" => String::new(),
        space => format!("{}: ", printable(space)),
    };
    let words = printable(text(cause, "words"));
    let (word, since) = (text(cause, "cause"), text(cause, "since"));
    let next = printable(text(cause, "next"));
    format!("{place}{words}\n  {word}, since {since}\n  → {next}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cause_is_told_in_lines_without_control_characters() {
        let cause = json!({
            "space": "s", "doc": null, "peer": "p", "cause": "no-path",
            "since": "2026-11-21T14:00:00Z", "next": "start its node", "space_name": "al\u{1b}bum",
            "peer_name": "Bo", "words": "Bo is not connected",
        });
        let lines = "al\u{fffd}bum: Bo is not connected\n  no-path, since 2026-11-21T14:00:00Z\n  → start its node";
        assert_eq!(paragraph(&cause), lines);
        let alone =
            json!({"space_name": null, "words": "w", "cause": "c", "since": "t", "next": "n"});
        assert_eq!(paragraph(&alone), "w\n  c, since t\n  → n");
    }
}
