//! Markdown and HTML without their marks, in one pass.
//!
//! It reads marks, not structure: what is malformed stays text. Every search
//! ahead that fails is remembered, so the whole is linear.
//! Non-goal: safe HTML. What comes out is plain text and must be escaped as such.

use super::PlainText;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Markup {
    Markdown,
    Html,
    Plain,
}

impl Markup {
    /// From `content_format`; what we do not know is taken as it stands.
    pub(super) fn of(word: Option<&str>) -> Self {
        match word.map(str::to_ascii_lowercase).as_deref() {
            Some("markdown" | "md" | "text/markdown") => Self::Markdown,
            Some("html" | "text/html") => Self::Html,
            Some(_) | None => Self::Plain,
        }
    }
}

/// Longest character reference that is read, without `&` and `;`.
const REFERENCE_BYTES_MAX: usize = 8;

/// Character references by name: what markup needs and western texts use.
const REFERENCES: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("agrave", 'à'),
    ("aacute", 'á'),
    ("acirc", 'â'),
    ("ccedil", 'ç'),
    ("egrave", 'è'),
    ("eacute", 'é'),
    ("ecirc", 'ê'),
    ("iacute", 'í'),
    ("ntilde", 'ñ'),
    ("oacute", 'ó'),
    ("ocirc", 'ô'),
    ("uacute", 'ú'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("hellip", '…'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("euro", '€'),
    ("copy", '©'),
    ("shy", '\u{ad}'),
];

/// Tags that stand within a word or a sentence; all others part words.
const INLINE_TAGS: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd",
    "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "u", "var", "wbr",
];

/// The other tags that people write in Markdown, and how its bare links begin.
/// What else stands in angle brackets there is a text's own, such as `Vec<u8>`.
const BLOCK_TAGS: &[&str] = &[
    "article",
    "aside",
    "audio",
    "blockquote",
    "body",
    "br",
    "button",
    "canvas",
    "caption",
    "center",
    "col",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "embed",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "http",
    "https",
    "iframe",
    "img",
    "input",
    "label",
    "li",
    "link",
    "mailto",
    "main",
    "meta",
    "nav",
    "object",
    "ol",
    "option",
    "p",
    "picture",
    "pre",
    "section",
    "select",
    "source",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
    "video",
];

/// Tags whose content nobody reads.
const SILENT_TAGS: [&str; 4] = ["script", "style", "template", "noscript"];

/// Appends `text` without its marks.
pub(super) fn reduce(markup: Markup, text: &str, out: &mut PlainText) {
    match markup {
        Markup::Plain => out.push(text),
        Markup::Html => Reducer::new(text, false).run(out),
        Markup::Markdown => Reducer::new(without_front_matter(text), true).run(out),
    }
}

/// Its keys are keys of the document already.
fn without_front_matter(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.split_inclusive('\n');
    let mut at = match lines.next() {
        Some(first) if first.trim_end() == "---" => first.len(),
        Some(_) | None => return text,
    };
    for line in lines {
        at += line.len();
        if line.trim_end() == "---" {
            return &text[at..];
        }
    }
    text
}

struct Reducer<'a> {
    text: &'a str,
    at: usize,
    is_markdown: bool,
    is_line_start: bool,
    /// From here on no `>` follows; likewise below.
    tags_until: usize,
    comments_until: usize,
    silent_until: [usize; SILENT_TAGS.len()],
    /// Before this place no link's target ends.
    targets_from: usize,
}

impl<'a> Reducer<'a> {
    fn new(text: &'a str, is_markdown: bool) -> Self {
        Self {
            text,
            at: 0,
            is_markdown,
            is_line_start: true,
            tags_until: text.len(),
            comments_until: text.len(),
            silent_until: [text.len(); SILENT_TAGS.len()],
            targets_from: 0,
        }
    }

    fn run(mut self, out: &mut PlainText) {
        while self.at < self.text.len() && !out.is_full() {
            if self.is_line_start && self.is_markdown {
                self.skip_line_marks(out);
            }
            let Some(character) = self.text[self.at..].chars().next() else {
                return;
            };
            self.is_line_start = character == '\n';
            let is_read = match character {
                '<' => self.tag(out),
                '&' => self.reference(out),
                _ => self.is_markdown && self.inline_mark(character, out),
            };
            if !is_read {
                out.push_character(character);
                self.at += character.len_utf8();
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Headings, quotes, bullets, and lines that only draw.
    fn skip_line_marks(&mut self, out: &mut PlainText) {
        let line = self.rest().split('\n').next().unwrap_or_default();
        let draws = |character: char| "-=*_~`|:+ \t\r".contains(character);
        let marks = if line.chars().all(draws) {
            line.len()
        } else {
            let body = line.trim_start_matches([' ', '\t', '#', '>']);
            let is_bullet = ["- ", "+ ", "* "].iter().any(|mark| body.starts_with(mark));
            line.len() - body.len() + if is_bullet { 2 } else { 0 }
        };
        if marks > 0 {
            out.push_character(' ');
        }
        self.at += marks;
    }

    /// A tag, a comment, or an element that nobody reads. Says whether it was one.
    fn tag(&mut self, out: &mut PlainText) -> bool {
        let rest = self.rest();
        if rest.starts_with("<!--") && self.at < self.comments_until {
            match rest.find("-->") {
                Some(end) => return self.skip(end + 3),
                None => self.comments_until = self.at,
            }
        }
        let is_close = rest.starts_with("</");
        let name = &rest[if is_close { 2 } else { 1 }..];
        let name = &name[..name.bytes().take_while(u8::is_ascii_alphanumeric).count()];
        let is_in = |tags: &[&str]| tags.iter().any(|tag| tag.eq_ignore_ascii_case(name));
        let is_inline = is_in(INLINE_TAGS);
        let is_tag = if self.is_markdown {
            is_inline || is_in(BLOCK_TAGS) || is_in(&SILENT_TAGS)
        } else {
            is_close
                || rest[1..].starts_with(|next: char| next.is_ascii_alphabetic() || next == '!')
        };
        if !is_tag || self.at >= self.tags_until {
            return false;
        }
        let Some(end) = rest.find('>') else {
            self.tags_until = self.at;
            return false;
        };
        if !is_inline {
            out.push_character(' ');
        }
        self.skip(end + 1);
        if !is_close && let Some(silent) = SILENT_TAGS.iter().position(|tag| is_in(&[tag])) {
            self.skip_silent(silent);
        }
        true
    }

    fn skip_silent(&mut self, silent: usize) {
        if self.at >= self.silent_until[silent] {
            return;
        }
        let name = SILENT_TAGS[silent].as_bytes();
        let rest = self.rest();
        let end = rest.match_indices("</").find(|(at, _)| {
            let found = rest.as_bytes().get(at + 2..at + 2 + name.len());
            found.is_some_and(|found| found.eq_ignore_ascii_case(name))
        });
        match end {
            Some((end, _)) => self.at += end,
            None => self.silent_until[silent] = self.at,
        }
    }

    fn reference(&mut self, out: &mut PlainText) -> bool {
        let bytes = &self.rest().as_bytes()[1..];
        let window = &bytes[..bytes.len().min(REFERENCE_BYTES_MAX + 1)];
        let Some(end) = window.iter().position(|byte| *byte == b';') else {
            return false;
        };
        let Ok(name) = std::str::from_utf8(&window[..end]) else {
            return false;
        };
        let Some(character) = referenced(name) else {
            return false;
        };
        out.push_character(character);
        self.skip(end + 2)
    }

    /// Emphasis, code, links, escapes and the lines of tables.
    fn inline_mark(&mut self, character: char, out: &mut PlainText) -> bool {
        let rest = self.rest();
        match character {
            '*' | '`' | '[' => self.skip(1),
            '!' if rest.starts_with("![") => self.skip(2),
            '~' if rest.starts_with("~~") => self.skip(2),
            '|' => {
                out.push_character(' ');
                self.skip(1)
            }
            '\\' => match rest[1..].chars().next() {
                Some(escaped) if escaped.is_ascii_punctuation() => {
                    out.push_character(escaped);
                    self.skip(2)
                }
                Some(_) | None => false,
            },
            ']' => {
                let target = if rest.starts_with("](") { self.target() } else { None };
                self.skip(target.map_or(1, |end| end + 1))
            }
            _ => false,
        }
    }

    /// Where the target of the link ends whose text ends here.
    fn target(&mut self) -> Option<usize> {
        if self.at < self.targets_from {
            return None;
        }
        let rest = self.rest();
        let end = rest.find([')', '\n']).unwrap_or(rest.len());
        let is_target = rest[end..].starts_with(')');
        if !is_target {
            self.targets_from = self.at + end;
        }
        is_target.then_some(end)
    }

    fn skip(&mut self, bytes: usize) -> bool {
        self.at += bytes;
        true
    }
}

fn referenced(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return REFERENCES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, character)| *character);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    code.ok().and_then(char::from_u32)
}
