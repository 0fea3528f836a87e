use node_model::DocumentId;
use serde_json::json;

use super::*;
use crate::document::OWN_APP;

fn searchable(value: &Value) -> Searchable {
    let title = value.get("title").and_then(Value::as_str).unwrap_or("Untitled").to_owned();
    let summary = Summary {
        document: DocumentId([1; 16]),
        kind: String::new(),
        app: OWN_APP.into(),
        title,
        path: None,
        content_id: None,
        changed_at: None,
    };
    Searchable::of(&Meta::default(), &summary, value)
}

fn body(value: &Value) -> String {
    searchable(value).body
}

fn reduced(format: &str, content: &str) -> String {
    body(&json!({"content_format": format, "content": content}))
}

#[test]
fn strings_come_in_reading_order_without_what_is_for_programs() {
    let value = json!({
        "title": "Path",
        "id": "path-one",
        "author_id": "carol",
        "picture": {"blob": "anything", "caption": "a picture", "mime": "image/png"},
        "homepage": "https://example.org/secret",
        "checksum": "short",
        "token": "b3fa90b1a2c34d5e6f70",
        "count": 17,
        "summary": "the summary",
        "chapters": [{"title": "One", "steps": ["first", {"title": "Two", "name": "two"}]}],
        "content": "the text",
        "description": "the description",
    });
    let found = searchable(&value);
    assert_eq!(found.title, "Path");
    assert_eq!(
        found.body,
        "the description\nthe summary\nthe text\nOne\nfirst\nTwo\ntwo\na picture"
    );
}

#[test]
fn only_the_known_title_is_left_out_of_the_body() {
    assert_eq!(
        body(&json!({"title": "Cake", "name": "Gugelhupf", "also": "Cake"})),
        "Gugelhupf\nCake"
    );
    assert_eq!(body(&json!({"title": "Cake", "parts": [{"title": "Cake"}]})), "Cake");
}

#[test]
fn long_words_and_dates_are_not_mistaken_for_codes() {
    let text = "Donaudampfschifffahrtsgesellschaft";
    assert_eq!(body(&json!({"a": text, "b": "2026-11-21", "c": "vitamin-b12"})).lines().count(), 3);
    assert_eq!(body(&json!({"a": "4f1d2c3b-0000-4000-8000-123456789abc"})), "");
    assert_eq!(body(&json!({"a": "see https://example.org now"})), "see https://example.org now");
}

#[test]
fn original_bytes_count_only_where_the_json_is_silent() {
    let summary = |value: &Value, source: &[u8]| {
        let meta = Meta {
            kind: String::new(),
            app: None,
            path: Some("notes/tea party.txt".into()),
            source: Some(source.to_vec()),
        };
        let summary = Summary {
            document: DocumentId([1; 16]),
            kind: String::new(),
            app: OWN_APP.into(),
            title: "t".into(),
            path: None,
            content_id: None,
            changed_at: None,
        };
        Searchable::of(&meta, &summary, value).body
    };
    assert_eq!(summary(&json!({}), b"raw  words"), "raw words\nnotes/tea party.txt");
    assert_eq!(summary(&json!({"content": "text"}), b"raw"), "text\nnotes/tea party.txt");
    assert_eq!(summary(&json!({}), &[0xff, 0xfe]), "notes/tea party.txt");
}

#[test]
fn markdown_loses_its_marks_and_keeps_its_words() {
    let content = "---\nid: x\n---\n# Heading *one*\n\n> quoted **bold** text\n\n- [ ] item `code`\n\
        | a | b |\n|---|:-:|\n| 1 | 2 |\n\n[label](https://example.org/a \"t\") and ![alt](data:image/png;base64,AAAA)\n\
        5 \\* 6 &lt; 7 &uuml;ber <https://example.org/b> Vec<u8> <b>bo</b>ld<br>new ~~old~~ snake_case\n";
    assert_eq!(
        reduced("markdown", content),
        "Heading one quoted bold text item code a b 1 2 label and alt \
         5 * 6 < 7 über Vec<u8> bold new old snake_case"
    );
}

#[test]
fn html_loses_its_tags_scripts_and_comments() {
    let content = "<!DOCTYPE html><html><head><style>p{color:red}</style><SCRIPT src=x>alert('no')</Script>\
        </head><body><h1>Title</h1><p class=\"a\">some <em>te</em>xt&nbsp;&#228;&#xe4;&bogus; 1 < 2</p>\
        <!-- hidden > too --><p>end</p>";
    assert_eq!(reduced("html", content), "Title some text ää&bogus; 1 < 2 end");
    assert_eq!(reduced("text", "<p>*kept*</p>"), "<p>*kept*</p>");
}

#[test]
fn malformed_marks_stay_text() {
    for content in ["<", "<b", "a <b c", "&", "&#xffffffff;", "&#;", "x & y"] {
        assert_eq!(reduced("html", content), content);
    }
    for content in ["\\", "Vec<Vec<u8>>", "](", "[x](y", "]()", "!", "<!--", "<scr"] {
        let kept = reduced("markdown", content);
        assert!(kept.len() <= content.len(), "{content}");
    }
    assert_eq!(reduced("markdown", "[text](open\nnext) end"), "text(open next) end");
    assert_eq!(reduced("html", "<script>never closed"), "never closed");
    assert_eq!(reduced("html", "<!-- open > shown"), "shown");
}

/// Each of these would take minutes if a search ahead were repeated.
#[test]
fn hostile_markup_is_read_in_one_pass() {
    for piece in [
        "<",
        "<b",
        "</",
        "<!--",
        "<script>",
        "<script></",
        "](",
        "[](",
        "&",
        "&amp",
        "*",
        "\\",
        "|",
        "- ",
        "> ",
        "<a>](",
        "---\n",
    ] {
        let content = piece.repeat(2 * 1024 * 1024 / piece.len());
        for format in ["html", "markdown"] {
            assert!(reduced(format, &content).len() <= BODY_BYTES_MAX);
        }
    }
}

#[test]
fn control_characters_and_changes_of_direction_do_not_get_through() {
    let value = json!({"a": "one\u{0}\u{1b}[31m \u{2} \u{202e}two\u{200b}\u{ad}three\r\n\n\tfour", "b": "e\u{301}"});
    assert_eq!(body(&value), "one[31m twothree four\ne\u{301}");
}

#[test]
fn texts_are_cut_at_a_character() {
    let long = "ü".repeat(BODY_BYTES_MAX);
    let found =
        searchable(&json!({"title": "x".repeat(TITLE_BYTES_MAX + 1), "content": long, "z": "w"}));
    assert_eq!(found.title.len(), TITLE_BYTES_MAX);
    assert_eq!(found.body.len(), BODY_BYTES_MAX);
    assert!(found.body.chars().all(|character| character == 'ü'));
}

#[test]
fn deep_documents_are_read_as_deep_as_documents_go() {
    let nest = |levels| (0..levels).fold(json!("word"), |value, _| json!([value]));
    assert_eq!(body(&json!({"a": nest(DEPTH_MAX - 1)})), "word");
    assert_eq!(body(&json!({"a": nest(DEPTH_MAX + 1)})), "");
}
