//! One file of an import: what it becomes.

use serde_json::{Map, Value};
use sync_engine_core::{document::RESERVED_KEY, json::DEPTH_MAX};

/// Text files up to this many bytes become documents; larger ones stay files.
pub(crate) const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// Longest front matter that we read.
const FRONT_MATTER_LINES_MAX: usize = 200;

/// What a file becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A document whose `content` is the file's text, in this format.
    Text(&'static str),
    /// A document that is the file's JSON object.
    Json,
    /// A blob with a document that names it.
    Blob,
}

/// A document that a file became.
#[derive(Debug, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) kind: String,
    pub(crate) value: Value,
    /// The file's bytes, where `value` cannot tell them.
    pub(crate) source: Option<Vec<u8>>,
}

/// The form by file name and length; content may still change it to a blob.
pub(crate) fn form(path: &str, len: u64) -> Form {
    let extension = path.rsplit('/').next().and_then(|name| name.rsplit_once('.'));
    let extension = extension.map(|(_, extension)| extension.to_ascii_lowercase());
    if len > TEXT_BYTES_MAX {
        return Form::Blob;
    }
    match extension.as_deref() {
        Some("md" | "markdown") => Form::Text("markdown"),
        Some("html" | "htm") => Form::Text("html"),
        Some("txt") => Form::Text("text"),
        Some("json") => Form::Json,
        Some(_) | None => Form::Blob,
    }
}

/// Parses a file's bytes; `None` when it is better kept as a blob.
pub(crate) fn parse(form: Form, path: &str, bytes: Vec<u8>) -> Option<Parsed> {
    match form {
        Form::Text(format) => parse_text(format, path, bytes),
        Form::Json => parse_json(bytes),
        Form::Blob => None,
    }
}

fn parse_text(format: &str, path: &str, bytes: Vec<u8>) -> Option<Parsed> {
    let text = String::from_utf8(bytes).ok()?;
    let mut map = if format == "markdown" { front_matter(&text) } else { Map::new() };
    if !map.get("title").is_some_and(Value::is_string) {
        let heading = if format == "markdown" { heading(&text) } else { None };
        let title = heading.unwrap_or_else(|| stem(path)).to_owned();
        map.insert("title".to_owned(), title.into());
    }
    map.insert("content_format".to_owned(), format.into());
    map.insert("content".to_owned(), text.into());
    let kind = if map.contains_key("content_type") { "content" } else { "document" };
    Some(Parsed { kind: kind.to_owned(), value: Value::Object(map), source: None })
}

fn heading(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("# ")).map(str::trim)
}

fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Reads the simple part of YAML that front matter consists of: `key: value`
/// and `key: [a, b]`. The text itself is kept whole, so nothing is lost.
fn front_matter(text: &str) -> Map<String, Value> {
    let mut map = Map::new();
    let mut lines = text.lines();
    if lines.next() != Some("---") {
        return map;
    }
    for line in lines.take(FRONT_MATTER_LINES_MAX) {
        if line == "---" {
            return map;
        }
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !key.is_empty() && key.chars().all(is_key) {
            map.insert(key.to_owned(), scalar_or_list(value.trim()));
        }
    }
    // Without an end it was a rule and a paragraph.
    Map::new()
}

fn scalar_or_list(text: &str) -> Value {
    let list = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match list {
        Some(list) => {
            let items = list.split(',').map(str::trim).filter(|item| !item.is_empty());
            items.map(scalar).collect()
        }
        None => scalar(text),
    }
}

fn scalar(text: &str) -> Value {
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote).and_then(|text| text.strip_suffix(*quote)));
    match (unquoted, text) {
        (Some(text), _) => text.into(),
        (None, "true") => true.into(),
        (None, "false") => false.into(),
        (None, text) => text.parse::<i64>().map_or_else(|_| text.into(), Into::into),
    }
}

fn parse_json(bytes: Vec<u8>) -> Option<Parsed> {
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    let map = value.as_object()?;
    if map.contains_key(RESERVED_KEY) || !fits(&value, 0) {
        return None;
    }
    let kind = if map.get("chapters").is_some_and(Value::is_array) {
        "learning-path"
    } else if map.contains_key("content_type") {
        "content"
    } else {
        "json"
    };
    Some(Parsed { kind: kind.to_owned(), value, source: Some(bytes) })
}

/// Whether a document can hold it: not nested too deeply, no empty keys.
fn fits(value: &Value, depth: usize) -> bool {
    if depth >= DEPTH_MAX {
        return false;
    }
    match value {
        Value::Object(map) => {
            map.iter().all(|(key, item)| !key.is_empty() && fits(item, depth + 1))
        }
        Value::Array(list) => list.iter().all(|item| fits(item, depth + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(content: &str) -> Value {
        let parsed = parse(Form::Text("markdown"), "a/b.md", content.into()).expect("is text");
        parsed.value
    }

    #[test]
    fn front_matter_becomes_keys_and_stays_in_the_text() {
        let content = "---\nid: x\ntitle: \"A: b\"\ntags: [one, two]\nminutes: 5\n---\nText";
        assert_eq!(
            text(content),
            json!({"id": "x", "title": "A: b", "tags": ["one", "two"], "minutes": 5,
                "content_format": "markdown", "content": content})
        );
    }

    #[test]
    fn a_title_is_found_where_people_look_for_it() {
        assert_eq!(text("Hello\n# Heading \n")["title"], "Heading");
        assert_eq!(text("no heading")["title"], "b");
        assert_eq!(text("---\nnot: closed")["title"], "b");
    }

    #[test]
    fn what_a_document_cannot_hold_stays_a_file() {
        let deep = format!("{}1{}", "{\"a\":".repeat(70), "}".repeat(70));
        for bytes in ["[1]", "{\"\": 1}", "{\"@kith\": 1}", "{", &deep] {
            assert_eq!(parse(Form::Json, "a.json", bytes.into()), None, "{bytes}");
        }
        assert_eq!(parse(Form::Text("text"), "a.txt", vec![0xff]), None);
        assert_eq!(form("a.md", TEXT_BYTES_MAX + 1), Form::Blob);
        assert_eq!(form("dir.md/picture", 1), Form::Blob);
    }
}
