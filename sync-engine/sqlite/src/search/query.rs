//! What people type, as an expression of FTS5.
//!
//! Invariant: the expression consists of our operators and quoted strings that
//! hold no quote, so nothing that is typed is read as syntax.

use super::{
    SearchError,
    snippet::{Wanted, words},
};

/// Longest query, in bytes: several sentences.
pub const QUERY_BYTES_MAX: usize = 1_024;

/// Most words of a query. FTS5 walks each word's places, also those of a phrase
/// that repeats one word.
pub const WORDS_MAX: usize = 32;

/// Shortest beginning of a word that is completed; a single letter begins too
/// many words.
const PREFIX_CHARACTERS_MIN: usize = 2;

#[derive(Debug, PartialEq, Eq)]
struct Term<'a> {
    text: &'a str,
    is_excluded: bool,
    is_phrase: bool,
}

impl Term<'_> {
    /// Whether its last word may be the beginning of one.
    fn goes_on(&self) -> bool {
        let last = words(self.text).next_back().unwrap_or_default();
        !self.is_phrase
            && self.text.ends_with(last)
            && last.chars().count() >= PREFIX_CHARACTERS_MIN
    }
}

/// A query that can be asked.
#[derive(Debug)]
pub(super) struct Parsed {
    /// For FTS5.
    pub(super) expression: String,
    /// What a snippet marks.
    pub(super) wanted: Vec<Wanted>,
}

/// Reads a query.
pub(super) fn parse(query: &str) -> Result<Parsed, SearchError> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(SearchError::TooLong);
    }
    let terms = terms(query);
    let count: usize = terms.iter().map(|term| words(term.text).count()).sum();
    if count > WORDS_MAX {
        return Err(SearchError::TooManyWords);
    }
    let last = terms.len().saturating_sub(1);
    let mut parsed = Parsed { expression: String::new(), wanted: Vec::new() };
    let (mut wanted, mut excluded) = (Vec::new(), Vec::new());
    for (at, term) in terms.iter().enumerate() {
        if term.is_excluded {
            excluded.push(quote(term.text));
            continue;
        }
        let is_prefix = at == last && term.goes_on();
        wanted.push(format!("{}{}", quote(term.text), if is_prefix { "*" } else { "" }));
        let mut words = words(term.text).peekable();
        while let Some(word) = words.next() {
            parsed.wanted.push(Wanted::new(word, is_prefix && words.peek().is_none()));
        }
    }
    let (wanted, excluded) = (wanted.join(" AND "), excluded.join(" OR "));
    parsed.expression = match (wanted.is_empty(), excluded.is_empty()) {
        (true, _) => return Err(SearchError::NoWords),
        (false, true) => wanted,
        (false, false) => format!("({wanted}) NOT ({excluded})"),
    };
    Ok(parsed)
}

/// Terms that hold a word, in order.
fn terms(query: &str) -> Vec<Term<'_>> {
    let mut terms = Vec::new();
    let mut rest = query;
    loop {
        rest = rest.trim_start_matches(is_gap);
        if rest.is_empty() {
            return terms;
        }
        let body = rest.trim_start_matches('-');
        let is_excluded = body.len() < rest.len();
        let phrase = body.strip_prefix(is_quote);
        let body = phrase.unwrap_or(body);
        let end = match phrase {
            Some(phrase) => phrase.find(is_quote),
            None => body.find(|character| is_gap(character) || is_quote(character)),
        };
        let (text, after) = body.split_at(end.unwrap_or(body.len()));
        rest = if phrase.is_some() { after.strip_prefix(is_quote).unwrap_or(after) } else { after };
        if words(text).next().is_some() {
            terms.push(Term { text, is_excluded, is_phrase: phrase.is_some() });
        }
    }
}

/// `text` holds no quote: quotes end terms.
fn quote(text: &str) -> String {
    let text: String = text.chars().map(|it| if is_gap(it) { ' ' } else { it }).collect();
    format!("\"{text}\"")
}

fn is_gap(character: char) -> bool {
    character.is_whitespace() || character.is_control()
}

/// Quotes as programs and as phones write them.
fn is_quote(character: char) -> bool {
    matches!(character, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_become_expressions() {
        let long_phrase = format!("\"{}\"", ["word"; WORDS_MAX].join(" "));
        let table: &[(&str, &str)] = &[
            ("cake", "\"cake\"*"),
            (" tea  cake ", "\"tea\" AND \"cake\"*"),
            ("cake.", "\"cake.\""),
            ("c", "\"c\""),
            ("\"tea cake\"", "\"tea cake\""),
            ("„tea cake“ x", "\"tea cake\" AND \"x\""),
            ("tea\"cake mix\"jam", "\"tea\" AND \"cake mix\" AND \"jam\"*"),
            ("\"tea cake", "\"tea cake\""),
            ("tea -cake", "(\"tea\") NOT (\"cake\")"),
            ("-\"a b\" tea --jam", "(\"tea\") NOT (\"a b\" OR \"jam\")"),
            ("well-known", "\"well-known\"*"),
            ("- tea", "\"tea\"*"),
            ("title:cake*", "\"title:cake*\""),
            ("a OR b", "\"a\" AND \"OR\" AND \"b\""),
            ("NEAR(a b)", "\"NEAR(a\" AND \"b)\""),
            ("te\u{0}a ca\nke", "\"te\" AND \"a\" AND \"ca\" AND \"ke\"*"),
            (&long_phrase, &long_phrase),
        ];
        for (query, expected) in table {
            assert_eq!(parse(query).expect("has words").expression, *expected, "{query}");
        }
    }

    #[test]
    fn what_is_wanted_is_marked() {
        let parsed = parse("-no \"two words\" a-be").expect("has words");
        let words = [("two", false), ("words", false), ("a", false), ("be", true)];
        assert_eq!(parsed.wanted, words.map(|(word, is_prefix)| Wanted::new(word, is_prefix)));
    }

    #[test]
    fn queries_without_words_or_with_too_many_are_told_so() {
        for query in
            ["", " ", "\"", "\"\"", "-", "--", "-cake", "-\"a b\"", "*", "()", "\u{0}", "🎂"]
        {
            assert!(matches!(parse(query), Err(SearchError::NoWords)), "{query}");
        }
        let many = "a ".repeat(WORDS_MAX + 1);
        let joined = "a.".repeat(WORDS_MAX + 1);
        for query in [many.as_str(), joined.as_str()] {
            assert!(matches!(parse(query), Err(SearchError::TooManyWords)), "{query}");
        }
        let long = "\"".repeat(QUERY_BYTES_MAX);
        assert!(matches!(parse(&long), Err(SearchError::NoWords)));
        assert!(matches!(parse(&format!("{long}\"")), Err(SearchError::TooLong)));
    }
}
