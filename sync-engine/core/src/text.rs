//! The words of a document: what people would look for, and nothing else.
//!
//! Invariant: time and memory grow linearly with the document, whatever it
//! holds, and the texts hold no control characters.
//! Non-goals: layout; finding the words again (that is an index's work).

mod markup;

use serde_json::{Map, Value};

use self::markup::Markup;
use crate::{
    document::{Meta, Summary},
    json::DEPTH_MAX,
};

/// Most bytes of a document's body that are kept: a novel has 1 MB, and an
/// import makes larger files blobs.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Most bytes of a title that are kept: a long sentence.
pub const TITLE_BYTES_MAX: usize = 512;

/// Keys whose strings come first, in this order.
const LEADING_KEYS: &[&str] = &["title", "name", "description", "summary", "content"];

/// Keys whose strings are for programs.
const MACHINE_KEYS: &[&str] = &[
    "id",
    "ids",
    "uuid",
    "guid",
    "blob",
    "hash",
    "checksum",
    "digest",
    "signature",
    "etag",
    "url",
    "urls",
    "uri",
    "href",
    "src",
    "link",
    "content_format",
    "format",
    "mime",
    "media_type",
    "mime_type",
    "encoding",
    "version",
    "$schema",
    "$ref",
];

/// Ends of keys whose strings are for programs, such as `author_id`.
const MACHINE_KEY_ENDS: &[&str] = &["_id", "_ids", "Id", "Ids", "_url", "Url", "_hash", "_at"];

/// Letters and digits without a space, one a digit: from this length on it is a
/// hash, a key or an id. A UUID without dashes has 32; our shortest id 26.
const CODE_BYTES_MIN: usize = 20;

/// What an index stores of a document. Both texts are one line of plain text a
/// string of the document; white space is single spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searchable {
    /// What people call it; at most [`TITLE_BYTES_MAX`].
    pub title: String,
    /// Its strings in reading order; at most [`BODY_BYTES_MAX`].
    pub body: String,
}

impl Searchable {
    /// Takes the words out of a document: title, name, description, summary and
    /// content first, other strings in the order of their keys, objects and lists
    /// inside likewise, the path of the file last. Markdown and HTML in `content`
    /// lose their marks. Ids, hashes, addresses and the names of keys are left
    /// out. The original bytes count when the JSON holds no text.
    #[must_use]
    pub fn of(meta: &Meta, summary: &Summary, value: &Value) -> Self {
        let mut title = PlainText::new(TITLE_BYTES_MAX);
        title.push(&summary.title);
        let mut body = PlainText::new(BODY_BYTES_MAX);
        match value {
            Value::Object(map) => push_object(&mut body, map, Some(&summary.title), 0),
            Value::Array(_) => push(&mut body, value, 0),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        if body.is_empty()
            && let Some(Ok(source)) = meta.source.as_deref().map(std::str::from_utf8)
        {
            body.push(source);
        }
        if let Some(path) = &meta.path {
            body.end_line();
            body.push(path);
        }
        Self { title: title.finish(), body: body.finish() }
    }
}

fn push(body: &mut PlainText, value: &Value, depth: usize) {
    if depth > DEPTH_MAX || body.is_full() {
        return;
    }
    match value {
        Value::String(text) if !is_machine_text(text) => {
            body.end_line();
            body.push(text);
        }
        Value::Array(list) => list.iter().for_each(|item| push(body, item, depth + 1)),
        Value::Object(map) => push_object(body, map, None, depth),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `known_title` is stored already and left out where it is this object's title.
fn push_object(
    body: &mut PlainText,
    map: &Map<String, Value>,
    known_title: Option<&str>,
    depth: usize,
) {
    let leading = LEADING_KEYS.iter().filter_map(|key| map.get_key_value(*key));
    let others = map.iter().filter(|(key, _)| {
        let key = key.as_str();
        !LEADING_KEYS.contains(&key)
            && !MACHINE_KEYS.contains(&key)
            && !MACHINE_KEY_ENDS.iter().any(|end| key.ends_with(end))
    });
    for (key, item) in leading.chain(others) {
        let is_known = matches!(key.as_str(), "title" | "name") && item.as_str() == known_title;
        match item {
            Value::String(text) if key == "content" => {
                body.end_line();
                let format = map.get("content_format").and_then(Value::as_str);
                markup::reduce(Markup::of(format), text, body);
            }
            Value::String(_) if known_title.is_some() && is_known => {}
            Value::String(_)
            | Value::Array(_)
            | Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_) => push(body, item, depth + 1),
        }
    }
}

/// Whether a string is an address, an id or a hash.
fn is_machine_text(text: &str) -> bool {
    if text.contains(char::is_whitespace) {
        return false;
    }
    let starts = ["data:", "did:", "urn:", "mailto:", "blob:"];
    let is_code = text.len() >= CODE_BYTES_MIN
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+/=".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_digit());
    is_code || text.contains("://") || starts.iter().any(|start| text.starts_with(start))
}

/// Text under construction: bounded, white space folded, without characters that
/// control a terminal or the direction of writing.
pub(crate) struct PlainText {
    text: String,
    bytes_max: usize,
    is_space_due: bool,
    is_line_due: bool,
    is_full: bool,
}

impl PlainText {
    fn new(bytes_max: usize) -> Self {
        let text = String::new();
        Self { text, bytes_max, is_space_due: false, is_line_due: false, is_full: false }
    }

    pub(crate) fn push(&mut self, text: &str) {
        for character in text.chars() {
            if self.is_full {
                return;
            }
            self.push_character(character);
        }
    }

    pub(crate) fn push_character(&mut self, character: char) {
        if character.is_whitespace() {
            self.is_space_due = true;
        } else if !is_hidden(character) {
            let gap = match (self.text.is_empty(), self.is_line_due, self.is_space_due) {
                (true, _, _) | (false, false, false) => None,
                (false, true, _) => Some('\n'),
                (false, false, true) => Some(' '),
            };
            let len = gap.map_or(0, char::len_utf8) + character.len_utf8();
            if self.is_full || self.text.len() + len > self.bytes_max {
                self.is_full = true;
                return;
            }
            self.text.extend(gap);
            self.text.push(character);
            (self.is_space_due, self.is_line_due) = (false, false);
        }
    }

    fn end_line(&mut self) {
        self.is_line_due = true;
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    fn finish(self) -> String {
        self.text
    }
}

/// Control characters, marks of direction that could show a text as another one,
/// and invisible ones that would split a word.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests;
