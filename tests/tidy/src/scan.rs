//! A scanner that knows just enough Rust: what is code, what is a literal, what is a comment,
//! where an item's braces end.
//!
//! Non-goal: parsing. Braces in macro patterns may fool it; then write the code plainly.

use std::iter::repeat_n;

/// What a character of a source file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    Literal,
    Comment,
}

/// One function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Index of the line that holds `fn`.
    pub(crate) first_line: usize,
    pub(crate) lines: usize,
}

/// The text with everything blanked that is not of a wanted kind; lines stay where they are.
pub(crate) fn view(text: &str, wanted: &[Kind]) -> String {
    let chars: Vec<char> = text.chars().collect();
    let kinds = classify(&chars);
    let keep = |(&char, kind): (&char, Kind)| match char {
        '\n' => '\n',
        _ if wanted.contains(&kind) => char,
        _ => ' ',
    };
    chars.iter().zip(kinds).map(keep).collect()
}

fn classify(chars: &[char]) -> Vec<Kind> {
    let mut kinds = Vec::with_capacity(chars.len());
    while kinds.len() < chars.len() {
        let at = kinds.len();
        let after_word = at > 0 && is_word(chars[at - 1]);
        let (kind, length) = next_piece(&chars[at..], after_word);
        kinds.extend(repeat_n(kind, length));
    }
    kinds
}

/// The kind and length of the piece that a non-empty rest begins with.
fn next_piece(rest: &[char], after_word: bool) -> (Kind, usize) {
    match rest {
        ['/', '/', ..] => (Kind::Comment, line_length(rest)),
        ['/', '*', ..] => (Kind::Comment, block_comment_length(rest)),
        ['"', ..] => (Kind::Literal, quoted_length(rest, '"')),
        ['r', '"' | '#', ..] if !after_word => match raw_string_length(rest) {
            Some(length) => (Kind::Literal, length),
            None => (Kind::Code, 1),
        },
        ['b' | 'c', 'r', '"' | '#', ..] if !after_word => match raw_string_length(&rest[1..]) {
            Some(length) => (Kind::Literal, length + 1),
            None => (Kind::Code, 1),
        },
        // A quote that opens neither form is a lifetime.
        ['\'', '\\', ..] => (Kind::Literal, quoted_length(rest, '\'')),
        ['\'', _, '\'', ..] => (Kind::Literal, 3),
        _ => (Kind::Code, 1),
    }
}

fn line_length(rest: &[char]) -> usize {
    rest.iter().position(|char| *char == '\n').unwrap_or(rest.len())
}

fn block_comment_length(rest: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (at, depth) = (at + 2, depth + 1),
            ['*', '/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted_length(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            char if char == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The length of `r#"…"#`, or nothing for a raw identifier such as `r#type`.
fn raw_string_length(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|char| **char == '#').count();
    let body = 1 + hashes;
    if rest.get(body) != Some(&'"') {
        return None;
    }
    let closing: Vec<char> = std::iter::once('"').chain(repeat_n('#', hashes)).collect();
    let end = rest[body + 1..].windows(closing.len()).position(|it| it == closing);
    Some(end.map_or(rest.len(), |end| body + 1 + end + closing.len()))
}

/// Every function with a body, given code without literals and comments.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let starts_a_word = !code[..at].ends_with(is_word);
        let name: String = code[at + 3..].chars().take_while(|char| is_word(*char)).collect();
        if !starts_a_word || name.is_empty() {
            continue;
        }
        if let Some(end) = item_end(code, at).filter(|end| code[..*end].ends_with('}')) {
            let lines = 1 + code[at..end].matches('\n').count();
            found.push(Function { name, first_line: line_of(code, at), lines });
        }
    }
    found
}

/// Where the item that begins at `start` ends: behind its `;` or its closing brace.
pub(crate) fn item_end(code: &str, start: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (offset, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' => braces += 1,
            b'}' => braces -= 1,
            b';' if brackets == 0 && braces == 0 => return Some(offset + 1),
            _ => {}
        }
        if byte == b'}' && braces <= 0 && brackets == 0 {
            return Some(offset + 1);
        }
    }
    None
}

/// The index of the line that holds a byte offset.
pub(crate) fn line_of(code: &str, offset: usize) -> usize {
    code[..offset].matches('\n').count()
}

/// Whether a character can be part of an identifier.
pub(crate) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

#[test]
fn literals_and_comments_are_blanked() {
    let code = |text| view(text, &[Kind::Code]);
    assert_eq!(code("a \"{\\\"\" b"), "a       b");
    assert_eq!(code("a // {\nb"), "a     \nb");
    assert_eq!(code("a /* { /* } */ { */ b"), format!("a {} b", " ".repeat(17)));
    assert_eq!(code("r#\"{\"{\"# r#type"), "         r#type");
    assert_eq!(code("'{' '\\'' &'a b"), "         &'a b");
    assert_eq!(code("br\"{\" b\"{\" var"), "      b    var");
    assert_eq!(view("a // b", &[Kind::Comment]), "  // b");
}

#[test]
fn functions_are_measured_to_their_closing_brace() {
    let code = "trait T {\n fn none(&self) -> [u8; 4];\n}\nfn some(f: fn(u8)) {\n {\n }\n}\n";
    let expected = Function { name: "some".to_owned(), first_line: 3, lines: 4 };
    assert_eq!(functions(code), [expected]);
}
