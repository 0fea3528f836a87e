//! Text that people wrote, as HTML that cannot do anything.
//!
//! Markdown becomes HTML, and all HTML goes through one filter: an allow list of
//! tags, no script, no style, no form, and only links that we have looked at.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::{links, weight};

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Markdown,
    Html,
    Text,
}

impl Format {
    /// From `content_format`; what we do not know is shown as it stands.
    pub(crate) fn of(word: Option<&str>) -> Self {
        match word.map(str::to_ascii_lowercase).as_deref() {
            Some("markdown" | "md" | "text/markdown") => Self::Markdown,
            Some("html" | "text/html") => Self::Html,
            Some(_) | None => Self::Text,
        }
    }
}

/// Longest text that is laid out; a novel has 1 MB. Longer ones are shown as they
/// stand, cut there.
pub(crate) const TEXT_BYTES_MAX: usize = 1_000_000;

/// Most links that are looked up for one text.
const LINKS_MAX: usize = 500;

/// A text without its front matter: lines between two `---` at the beginning.
pub(crate) fn without_front_matter(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(first) = text.split_inclusive('\n').next() else {
        return text;
    };
    if first.trim_end() != "---" {
        return text;
    }
    let mut at = first.len();
    for line in text[at..].split_inclusive('\n') {
        at += line.len();
        if line.trim_end() == "---" {
            return &text[at..];
        }
    }
    text
}

/// A text as HTML that is not yet safe; `None` where it is too much to lay out.
pub(crate) fn to_html(format: Format, text: &str) -> Option<String> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let html = match format {
        Format::Markdown => markdown_to_html(text),
        Format::Html => text.to_owned(),
        Format::Text => return None,
    };
    (!weight::is_too_much(&html)).then_some(html)
}

fn markdown_to_html(text: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let events = Parser::new_ext(text, options).map(adapt);
    let mut written = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut written, events);
    written
}

fn adapt(mut event: Event<'_>) -> Event<'_> {
    // The page has a first heading already.
    if let Event::Start(Tag::Heading { level, .. }) | Event::End(TagEnd::Heading(level)) =
        &mut event
    {
        *level = (*level).max(HeadingLevel::H2);
    }
    // The filter lets no `input` through.
    if let Event::TaskListMarker(is_done) = event {
        return Event::Text(if is_done { "☑ " } else { "☐ " }.into());
    }
    event
}

/// What links and images point at, each once, in order.
pub(crate) fn links_in(html: &str) -> Vec<String> {
    let found = Arc::new(Mutex::new(Vec::<String>::new()));
    let into = Arc::clone(&found);
    let mut filter = ammonia::Builder::default();
    filter.attribute_filter(move |element, attribute, value| {
        if points(element, attribute) {
            let mut found = into.lock().unwrap_or_else(PoisonError::into_inner);
            if found.len() < LINKS_MAX && !found.iter().any(|link| link == value) {
                found.push(value.to_owned());
            }
        }
        Some(value.into())
    });
    filter.clean(html);
    drop(filter);
    std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Safe HTML. A link stays if it leads out or `targets` says where it leads; an
/// image only in the latter case.
pub(crate) fn clean(html: &str, targets: BTreeMap<String, String>) -> String {
    let mut filter = ammonia::Builder::default();
    filter
        .url_schemes(["http", "https", "mailto"].into())
        .set_tag_attribute_value("img", "loading", "lazy")
        .attribute_filter(move |element, attribute, value| -> Option<Cow<'_, str>> {
            if points(element, attribute) {
                let known = targets.get(value).map(|target| Cow::Owned(target.clone()));
                let is_out = element == "a" && links::leads_out(value);
                return known.or_else(|| is_out.then_some(Cow::Borrowed(value)));
            }
            (attribute != "cite").then_some(Cow::Borrowed(value))
        });
    filter.clean(html).to_string()
}

fn points(element: &str, attribute: &str) -> bool {
    matches!((element, attribute), ("a", "href") | ("img", "src"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str) -> String {
        let html = to_html(Format::Markdown, text).expect("small");
        clean(&html, BTreeMap::new())
    }

    #[test]
    fn nothing_that_runs_comes_through() {
        let hostile = [
            "<script>alert(1)</script>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "<a href=' javascript:alert(1)'>x</a>",
            "<img src=x onerror=alert(1)>",
            "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg>",
            "<iframe src='https://x.org'></iframe>",
            "<form action='/s'><input name=x><button>ok</button></form>",
            "<style>body{display:none}</style><p style='position:fixed'>x</p>",
            "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
            "<object data=x></object><embed src=x><base href='//x.org'>",
            "<meta http-equiv=refresh content='0;url=//x.org'><link rel=stylesheet href=x>",
            "<a href='https://x.org' target=_top onclick=alert(1) id=main class=button>x</a>",
        ];
        let banned = [
            "<script",
            "=\"javascript:",
            "onerror",
            "onload",
            "onclick",
            "<iframe",
            "<form",
            "<input",
            "<button",
            "<style",
            "style=",
            "<object",
            "<embed",
            "<base",
            "<meta",
            "<link",
            "=\"data:",
            "<svg",
            "<math",
            "target=",
            "id=",
            "class=",
        ];
        for text in hostile {
            for html in [render(text), clean(text, BTreeMap::new())] {
                let lower = html.to_ascii_lowercase();
                let found = banned.iter().find(|word| lower.contains(*word));
                assert_eq!(found, None, "{text} became {html}");
            }
        }
    }

    #[test]
    fn links_lead_where_we_say() {
        let text = "[a](b.md) ![p](../m/p.png) [w](https://x.org/) [n](none.md) ![far](https://x.org/p.png)";
        let html = to_html(Format::Markdown, text).expect("small");
        let found = links_in(&html);
        assert_eq!(found.len(), 5);
        let targets = [("b.md", "/s/1/d/2"), ("../m/p.png", "/s/1/b/3/p.png")];
        let targets = targets.map(|(from, to)| (from.to_owned(), to.to_owned())).into();
        let html = clean(&html, targets);
        assert!(html.contains("href=\"/s/1/d/2\""), "{html}");
        assert!(html.contains("src=\"/s/1/b/3/p.png\"") && html.contains("loading=\"lazy\""));
        assert!(html.contains("href=\"https://x.org/\" rel=\"noopener noreferrer\""), "{html}");
        assert!(!html.contains("none.md") && !html.contains("https://x.org/p.png"), "{html}");
    }

    #[test]
    fn markdown_is_laid_out() {
        let html = render("# A\n\n- [x] done\n- [ ] open\n\n|a|b|\n|---|---|\n|1|2|\n");
        assert!(html.contains("<h2>A</h2>") && html.contains("☑ done") && html.contains("<table>"));
    }

    #[test]
    fn front_matter_is_left_out() {
        assert_eq!(without_front_matter("---\nid: a\n---\n\nText"), "\nText");
        assert_eq!(without_front_matter("---\r\nid: a\r\n---\r\nText"), "Text");
        assert_eq!(without_front_matter("---\nnever closed"), "---\nnever closed");
        assert_eq!(without_front_matter("Text\n---\n"), "Text\n---\n");
        assert_eq!(without_front_matter(""), "");
    }

    #[test]
    fn what_would_take_too_long_is_not_laid_out() {
        assert_eq!(to_html(Format::Markdown, &"a".repeat(TEXT_BYTES_MAX + 1)), None);
        assert_eq!(to_html(Format::Html, &"<div>".repeat(50_000)), None);
        assert_eq!(to_html(Format::Markdown, &format!("{}x", ">".repeat(50_000))), None);
        let deep = "<div>".repeat(weight::NESTING_MAX);
        assert!(
            clean(&to_html(Format::Html, &deep).expect("not too much"), BTreeMap::new()).len()
                > deep.len()
        );
        let deep = "[".repeat(50_000);
        assert!(render(&deep).contains('['));
    }
}
