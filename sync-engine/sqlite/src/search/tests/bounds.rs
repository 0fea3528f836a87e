//! Limits, deadlines and queries that nobody means well with.

use super::*;

#[test]
fn a_limit_is_ten_unless_asked_and_never_above_a_hundred() {
    let mut index = fresh();
    for number in 0..120 {
        put(&mut index, number, "", "word");
    }
    let count = |limit| {
        let query = Query { text: "word", spaces: &[SPACE], limit };
        index.search(&query, &mut || false).expect("searches").hits.len()
    };
    assert_eq!(count(Limit::default()), 10);
    assert_eq!(count(Limit::new(0)), 1);
    assert_eq!(count(Limit::new(42)), 42);
    assert_eq!(count(Limit::new(usize::MAX)), 100);
}

#[test]
fn at_the_deadline_a_search_returns_what_it_has() {
    let mut index = fresh();
    for number in 0..50 {
        put(&mut index, number, "title", "word");
    }
    let query = Query { text: "word", spaces: &[SPACE], limit: Limit::MAX };
    let after = |calls: usize| {
        let mut left = calls;
        let mut deadline = || {
            left = left.saturating_sub(1);
            left == 0
        };
        index.search(&query, &mut deadline).expect("searches")
    };
    let none = after(1);
    assert!(none.is_partial && none.hits.is_empty());
    let some = after(21);
    assert!(some.is_partial);
    assert_eq!(some.hits.len(), 20);
    assert!(some.hits.iter().all(|hit| hit.title == "title" && hit.snippet.is_empty()));
    let without_snippets = after(61);
    assert!(without_snippets.is_partial && without_snippets.hits.len() == 50);
    assert!(!without_snippets.hits[0].snippet.is_empty());
    let all = after(1_000);
    assert!(!all.is_partial && all.hits.len() == 50);
}

/// Also the words of spaces that are not searched count as steps.
#[test]
fn the_deadline_is_asked_at_each_match_in_whatever_space() {
    let mut index = fresh();
    put_in(&mut index, SPACE, 1, "", "word");
    for number in 0..50 {
        put_in(&mut index, OTHER, number, "", "word");
    }
    let mut calls = 0;
    let query = Query { text: "word", spaces: &[SPACE], limit: Limit::MAX };
    let mut deadline = || {
        calls += 1;
        false
    };
    assert_eq!(index.search(&query, &mut deadline).expect("searches").hits.len(), 1);
    assert!(calls > 50, "{calls}");
}

#[test]
fn hostile_queries_get_an_answer_or_a_clear_error() {
    let mut index = fresh();
    put(&mut index, 1, "title", "near body rowid search and or not the end");
    let quotes = "\"".repeat(10_000);
    let long = "a".repeat(QUERY_BYTES_MAX + 1);
    let many = "a ".repeat(500);
    let parted = "a.".repeat(500);
    let queries = [
        "",
        " ",
        "\0",
        "a\0b",
        "\"",
        "\"\"\"",
        "\"a",
        "a\"b\"c",
        "'",
        "';--",
        "' OR 1=1 --",
        "*",
        "a*",
        "**",
        "^a",
        "title:near",
        "{title body}: near",
        "-title:near",
        "NEAR(near body, 5)",
        "NEAR",
        "AND",
        "OR",
        "NOT",
        "near AND",
        "AND near",
        "NOT near",
        "(near",
        "near)",
        "((((",
        "+",
        "near + body",
        "-",
        "--",
        "-near",
        "- near",
        "rank:1",
        "rowid:1",
        "search",
        "\\",
        "\\\"",
        "%",
        "_",
        "?1",
        ":a",
        "@a",
        "$a",
        "\u{202e}near",
        "🎂",
        "\u{301}",
        "\u{e000}",
        "\u{10ffff}",
        "漢字",
        "ﬁ",
        "\u{feff}near",
        "[\"near\"]",
        "{\"a\":1}",
        "near\tbody\r\n",
        "»near«",
        quotes.as_str(),
        long.as_str(),
        many.as_str(),
        parted.as_str(),
    ];
    for text in queries {
        let query = Query { text, spaces: &[SPACE], limit: Limit::MAX };
        match index.search(&query, &mut || false) {
            Ok(found) => assert!(found.hits.len() <= 1, "{text}"),
            Err(SearchError::NoWords | SearchError::TooLong | SearchError::TooManyWords) => {}
            Err(error) => panic!("{text}: {error}"),
        }
    }
    for text in ["(near", "near)", "near \"body", "^near", "-x near"] {
        assert_eq!(found(&index, text), [1], "{text}");
    }
    // As syntax of FTS5, each would find the document, or not, the other way round.
    for text in ["title:near", "near OR absent", "NEAR(near body)", "absent*"] {
        assert_eq!(found(&index, text), Vec::<u8>::new(), "{text}");
    }
    assert_eq!(found(&index, "near NOT body"), [1]);
}

/// FTS5's `snippet()` takes minutes for this, its `highlight()` seconds.
#[test]
fn a_word_that_stands_a_hundred_thousand_times_is_found_at_once() {
    let mut index = fresh();
    put(&mut index, 1, "", &"more ".repeat(200_000));
    let hits = find(&index, "more", &[SPACE]).hits;
    assert!(marked(&hits[0].snippet).starts_with("[more] [more]"));
}
