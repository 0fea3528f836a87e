//! `kith search`.

use std::io::IsTerminal;

use serde_json::Value;

use super::Asking;
use crate::{
    args::Search,
    client::escape,
    error::CliError,
    show::{answer, list, note, printable, text},
};

const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

pub(super) async fn run(asking: &Asking<'_>, search: Search) -> Result<(), CliError> {
    let Search { query, space, limit, peers } = search;
    let mut path = format!("/api/v1/search?q={}&limit={limit}", escape(&query.join(" ")));
    if let Some(space) = space {
        path.push_str(&format!("&space={}", escape(&space)));
    }
    if peers {
        path.push_str("&peers=true");
    }
    let found = asking.client.get(&path).await?;
    let is_terminal = std::io::stdout().is_terminal();
    answer(asking.is_json, &found, || {
        let lines: Vec<_> =
            list(&found, "results").iter().map(|result| line(result, is_terminal)).collect();
        if lines.is_empty() { "nothing found".to_owned() } else { lines.join("\n") }
    });
    if asking.is_json {
        return Ok(());
    }
    let asked = list(&found, "peers");
    for peer in asked.iter().filter(|peer| peer.get("answered") != Some(&Value::Bool(true))) {
        note(&format!("no answer from {}", printable(text(peer, "name"))));
    }
    if peers && asked.is_empty() {
        note("nobody is connected who reads what you read: kith up, kith peer list");
    } else if found.get("complete") == Some(&Value::Bool(false)) {
        note("not everything was looked through yet; search again in a moment to see more");
    }
    Ok(())
}

fn line(result: &Value, is_terminal: bool) -> String {
    let score = result.get("score").and_then(Value::as_f64).unwrap_or_default();
    let title = match text(result, "title") {
        "" => "(untitled)".to_owned(),
        title => printable(title),
    };
    let snippet = if is_terminal { emphasised(result) } else { printable(text(result, "snippet")) };
    let dash = if snippet.is_empty() { "" } else { " — " };
    format!("[{}] ({score:.2}) {title}{dash}{snippet}", printable(text(result, "source")))
}

/// The snippet with its matches in bold.
fn emphasised(result: &Value) -> String {
    let mut line = String::new();
    let marks: Vec<(u64, u64)> = list(result, "marks")
        .iter()
        .filter_map(|mark| Some((mark.get(0)?.as_u64()?, mark.get(1)?.as_u64()?)))
        .collect();
    for (at, character) in (0..).zip(printable(text(result, "snippet")).chars()) {
        if marks.iter().any(|(start, _)| *start == at) {
            line.push_str(BOLD);
        }
        line.push(character);
        if marks.iter().any(|(_, end)| *end == at + 1) {
            line.push_str(PLAIN);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn matches_are_bold_on_a_terminal_only() {
        let result = json!({
            "source": "local", "score": 0.888, "title": "Küche",
            "snippet": "…ü käse x", "marks": [[3, 7], [8, 9]],
        });
        assert_eq!(line(&result, false), "[local] (0.89) Küche — …ü käse x");
        let bold = format!("[local] (0.89) Küche — …ü {BOLD}käse{PLAIN} {BOLD}x{PLAIN}");
        assert_eq!(line(&result, true), bold);
        let empty =
            json!({"source": "local", "score": 0.5, "title": "", "snippet": "", "marks": []});
        assert_eq!(line(&empty, true), "[local] (0.50) (untitled)");
    }
}
