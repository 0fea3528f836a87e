use std::{fs, path::PathBuf};

use super::*;

const SPACE: SpaceId = SpaceId([1; 32]);
const OTHER: SpaceId = SpaceId([2; 32]);

fn key() -> SealKey {
    SealKey::from_bytes([9; 32])
}

fn fresh() -> SearchIndex {
    SearchIndex::open(None, &key()).expect("opens").0
}

fn id(number: u8) -> DocumentId {
    DocumentId([number; 16])
}

fn put_in(index: &mut SearchIndex, space: SpaceId, number: u8, title: &str, body: &str) {
    let text = Searchable { title: title.to_owned(), body: body.to_owned() };
    let change = Change::Put { space, document: id(number), version: b"1", text: &text };
    index.apply(&[change]).expect("applies");
}

fn put(index: &mut SearchIndex, number: u8, title: &str, body: &str) {
    put_in(index, SPACE, number, title, body);
}

fn find(index: &SearchIndex, text: &str, spaces: &[SpaceId]) -> Found {
    let query = Query { text, spaces, limit: Limit::default() };
    index.search(&query, &mut || false).expect("searches")
}

/// Numbers of the documents that were found, best first.
fn found(index: &SearchIndex, text: &str) -> Vec<u8> {
    find(index, text, &[SPACE, OTHER]).hits.iter().map(|hit| hit.document.0[0]).collect()
}

fn marked(text: &str) -> String {
    text.replace(MARK_START, "[").replace(MARK_END, "]")
}

#[test]
fn words_are_found_in_whatever_case_and_with_whatever_accents() {
    let mut index = fresh();
    put(&mut index, 1, "Rezepte", "Müller backt Käsekuchen für Amélie");
    put(&mut index, 2, "Книга", "Война и мир");
    put(&mut index, 3, "Decomposed", "a u\u{308}ber b");
    for (query, expected) in [
        ("käsekuchen", vec![1]),
        ("KASEKUCHEN", vec![1]),
        ("müller amelie", vec![1]),
        ("MULLER", vec![1]),
        ("война", vec![2]),
        ("ВОЙНА МИР", vec![2]),
        ("über", vec![3]),
        ("u\u{308}ber", vec![3]),
        ("käsekuchen война", vec![]),
        ("käsekuch.", vec![]),
    ] {
        assert_eq!(found(&index, query), expected, "{query}");
    }
}

#[test]
fn only_the_last_word_may_go_on() {
    let mut index = fresh();
    put(&mut index, 1, "", "chocolate cake with cream");
    for (query, expected) in [
        ("ch", vec![1]),
        ("choc", vec![1]),
        ("chocolate ca", vec![1]),
        ("choc cake", vec![]),
        ("\"chocolate ca\"", vec![]),
        ("\"choc", vec![]),
        ("cream -choc", vec![1]),
        ("c", vec![]),
    ] {
        assert_eq!(found(&index, query), expected, "{query}");
    }
}

#[test]
fn phrases_keep_their_order_and_exclusions_exclude() {
    let mut index = fresh();
    put(&mut index, 1, "", "the quick brown fox");
    put(&mut index, 2, "", "the brown quick fox");
    assert_eq!(found(&index, "\"quick brown\""), [1]);
    assert_eq!(found(&index, "quick-brown"), [1]);
    assert_eq!(found(&index, "„brown quick“ fox"), [2]);
    assert_eq!(found(&index, "\"quick brown"), [1]);
    assert_eq!(found(&index, "fox -\"quick brown\""), [2]);
    put(&mut index, 3, "slow", "a fox");
    assert_eq!(found(&index, "fox -slow -quick"), Vec::<u8>::new());
    assert_eq!(found(&index, "-quick fox"), [3]);
}

#[test]
fn a_word_in_a_title_weighs_more_than_one_in_a_body() {
    let mut index = fresh();
    put(&mut index, 1, "Supper", "some notes about cake and tea");
    put(&mut index, 2, "Cake", "some notes about bread and tea");
    put(&mut index, 3, "Garden", "cake cake cake and cake and other words that make it long");
    let hits = find(&index, "cake", &[SPACE]).hits;
    let order: Vec<u8> = hits.iter().map(|hit| hit.document.0[0]).collect();
    assert_eq!(order, [2, 3, 1]);
    assert!(hits[0].score > 0.8 && hits[2].score < 0.6, "{hits:?}");
}

#[test]
fn scores_are_between_0_and_1_and_sorted_and_equal_ones_stand_by_id() {
    let mut index = fresh();
    for number in 0..60 {
        let body = format!(
            "common {}{}",
            "word ".repeat(number.into()),
            "rare".repeat((number % 7 == 0).into())
        );
        put(&mut index, number, if number % 3 == 0 { "common title" } else { "" }, &body);
    }
    for number in [203, 201, 202] {
        put_in(&mut index, if number == 202 { OTHER } else { SPACE }, number, "same", "same");
    }
    for query in ["common", "word", "common rare", "common -word", "\"common word\"", "com"] {
        let text = Query { text: query, spaces: &[SPACE], limit: Limit::MAX };
        let hits = index.search(&text, &mut || false).expect("searches").hits;
        assert!(!hits.is_empty(), "{query}");
        assert!(hits.iter().all(|hit| (0.0..=1.0).contains(&hit.score)), "{query} {hits:?}");
        assert!(hits.is_sorted_by(|a, b| a.score >= b.score), "{query}");
    }
    assert_eq!(found(&index, "same"), [201, 203, 202]);
}

#[test]
fn a_score_does_not_depend_on_how_many_documents_there_are() {
    let mut index = fresh();
    put(&mut index, 1, "", "one word");
    let alone = find(&index, "word", &[SPACE]).hits[0].score;
    for number in 2..100 {
        put(&mut index, number, "", "two texts");
    }
    let among_many = find(&index, "word", &[SPACE]).hits[0].score;
    assert!((alone - among_many).abs() < 0.01 && alone > 0.1, "{alone} {among_many}");
}

#[test]
fn only_the_given_spaces_are_searched() {
    let mut index = fresh();
    put_in(&mut index, SPACE, 1, "mine", "shared word");
    put_in(&mut index, OTHER, 1, "theirs", "shared word");
    let titles = |spaces: &[SpaceId]| -> Vec<String> {
        find(&index, "shared", spaces).hits.into_iter().map(|hit| hit.title).collect()
    };
    assert_eq!(titles(&[SPACE]), ["mine"]);
    assert_eq!(titles(&[OTHER]), ["theirs"]);
    assert_eq!(titles(&[OTHER, SPACE, SPACE]), ["mine", "theirs"]);
    assert_eq!(titles(&[SpaceId([3; 32])]), [""; 0]);
    assert_eq!(titles(&[]), [""; 0]);
}

#[test]
fn updates_replace_and_removals_remove() {
    let mut index = fresh();
    put(&mut index, 1, "old title", "old words");
    put(&mut index, 1, "new title", "other words");
    put(&mut index, 2, "", "more words");
    put_in(&mut index, OTHER, 3, "", "far words");
    assert_eq!(found(&index, "old"), Vec::<u8>::new());
    assert_eq!(found(&index, "title"), [1]);
    let remove = |number| Change::Remove { space: SPACE, document: id(number) };
    index.apply(&[remove(1), remove(77)]).expect("applies");
    assert_eq!(found(&index, "words"), [2, 3]);
    index.apply(&[Change::RemoveSpace(SPACE), Change::RemoveSpace(SPACE)]).expect("applies");
    assert_eq!(found(&index, "words"), [3]);
    assert_eq!(index.spaces().expect("reads"), [OTHER]);
    put(&mut index, 1, "", "words again");
    assert_eq!(found(&index, "again"), [1]);
}

#[test]
fn what_was_removed_is_not_in_the_database_any_more() {
    let holds = |index: &mut SearchIndex| {
        let image = index.connection.serialize(MAIN_DB).expect("serialises");
        image.windows(9).any(|window| window == b"zebrafink")
    };
    let mut index = fresh();
    put_in(&mut index, OTHER, 1, "zebrafink", "zebrafink");
    assert!(holds(&mut index));
    put(&mut index, 2, "", "other");
    index.apply(&[Change::RemoveSpace(OTHER)]).expect("applies");
    assert!(!holds(&mut index));
}

#[test]
fn a_put_of_the_same_text_changes_the_version_alone() {
    let mut index = fresh();
    let text = Searchable { title: "t".to_owned(), body: "b".to_owned() };
    for version in [b"1", b"2"] {
        let change = Change::Put { space: SPACE, document: id(1), version, text: &text };
        index.apply(&[change]).expect("applies");
    }
    let versions = index.versions(SPACE).expect("reads");
    assert_eq!(versions, BTreeMap::from([(id(1), b"2".to_vec())]));
    assert_eq!(index.connection.total_changes(), {
        let mut once = fresh();
        put(&mut once, 1, "t", "b");
        once.connection.total_changes() + 1
    });
}

#[test]
fn a_failed_change_takes_the_others_back() {
    let mut index = fresh();
    let text = Searchable { title: String::new(), body: "word".to_owned() };
    let put = |version| Change::Put { space: SPACE, document: id(1), version, text: &text };
    let stamp = Change::Stamp { space: SPACE, stamp: &[0; STAMP_BYTES_MAX + 1] };
    let refused = index.apply(&[put(b"1"), stamp]);
    assert!(matches!(refused, Err(SearchError::StampTooLong)));
    assert_eq!(found(&index, "word"), Vec::<u8>::new());
    assert_eq!(index.spaces().expect("reads"), []);
}

#[test]
fn a_full_index_says_so_and_keeps_what_it_had() {
    let mut index = fresh();
    put(&mut index, 1, "", "kept");
    index.connection.pragma_update_and_check(None, "max_page_count", 40, |_| Ok(())).expect("sets");
    let body: String = (0..40_000).map(|number| format!("{number} ")).collect();
    let text = Searchable { title: String::new(), body };
    let change = Change::Put { space: SPACE, document: id(2), version: b"", text: &text };
    assert!(matches!(index.apply(&[change]), Err(SearchError::Full)));
    assert_eq!(found(&index, "kept"), [1]);
    put(&mut index, 3, "", "small");
    assert_eq!(found(&index, "small"), [3]);
}

#[test]
fn snippets_mark_what_matched_and_texts_cannot_forge_marks() {
    let mut index = fresh();
    let before = "something else ".repeat(50);
    put(&mut index, 1, "Title", &format!("{before}\nthe Müller \u{2}forged\u{3}\ncake{before}"));
    put(&mut index, 2, "Only title", "a body without it");
    put(&mut index, 3, "Long", &format!("muller{}", "x".repeat(5_000)));
    let hits = find(&index, "muller", &[SPACE]).hits;
    let snippet = |number| {
        let hit = hits.iter().find(|hit| hit.document == id(number)).expect("is found");
        marked(&hit.snippet)
    };
    assert!(snippet(1).contains("the [Müller] forged cakesomething"), "{}", snippet(1));
    assert!(snippet(1).starts_with('…') && snippet(1).ends_with('…'));
    assert!(snippet(3).starts_with("[mullerxx") && snippet(3).ends_with("x]…"));
    let hits = find(&index, "only", &[SPACE]).hits;
    assert_eq!(
        (hits[0].title.as_str(), hits[0].snippet.as_str()),
        ("Only title", "a body without it")
    );
}

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

struct Kept {
    folder: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("makes a folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("search.sealed")
    }

    fn open(&self, key: &SealKey) -> (SearchIndex, Opened) {
        SearchIndex::open(Some(&self.path()), key).expect("opens")
    }

    /// An index with some words, saved.
    fn fill(&self) -> SearchIndex {
        let (mut index, opened) = self.open(&key());
        assert_eq!(opened, Opened::Fresh(FreshBecause::Absent));
        for number in 0..40 {
            put(
                &mut index,
                number,
                "Kanarienvogel",
                &format!("number{number} Kanarienvogel sings"),
            );
        }
        let stamp = Change::Stamp { space: SPACE, stamp: b"head" };
        index.apply(&[stamp]).expect("applies");
        index.save().expect("saves");
        index
    }
}

#[test]
fn an_index_that_is_opened_again_answers_the_same_and_can_be_changed() {
    let kept = Kept::new();
    let before = kept.fill();
    let (mut after, opened) = kept.open(&key());
    assert_eq!(opened, Opened::Loaded);
    for query in ["kanarienvogel", "number7", "\"kanarienvogel sings\"", "kan -number3"] {
        assert_eq!(find(&before, query, &[SPACE]), find(&after, query, &[SPACE]), "{query}");
    }
    assert_eq!(after.stamp(SPACE).expect("reads").as_deref(), Some(&b"head"[..]));
    assert_eq!(after.stamp(OTHER).expect("reads"), None);
    assert_eq!(after.versions(SPACE).expect("reads").len(), 40);
    put(&mut after, 1, "changed", "text");
    put_in(&mut after, OTHER, 90, "", &"more ".repeat(100_000));
    after.save().expect("saves");
    let (again, _) = kept.open(&key());
    assert_eq!(found(&again, "changed"), [1]);
    assert_eq!(found(&again, "number1."), Vec::<u8>::new());
    assert_eq!(found(&again, "more"), [90]);
    let names: Vec<_> = fs::read_dir(kept.folder.path()).expect("lists").collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn nothing_readable_is_in_the_file() {
    let kept = Kept::new();
    kept.fill();
    let bytes = fs::read(kept.path()).expect("reads");
    for canary in ["anarienvogel", "ANARIENVOGEL", "sings", "number", "SQLite", "CREATE"] {
        let canary = canary.as_bytes();
        assert!(!bytes.windows(canary.len()).any(|window| window == canary));
    }
    assert!(bytes.windows(8).any(|window| window == b"KITHFIND"));
}

#[test]
fn a_file_that_does_not_open_is_as_good_as_none() {
    let kept = Kept::new();
    kept.fill();
    let good = fs::read(kept.path()).expect("reads");
    let opened = |bytes: &[u8]| {
        fs::write(kept.path(), bytes).expect("writes");
        let (mut index, opened) = kept.open(&key());
        if opened != Opened::Loaded {
            assert_eq!(found(&index, "kanarienvogel"), Vec::<u8>::new());
            put(&mut index, 1, "", "works");
            assert_eq!(found(&index, "works"), [1]);
        }
        opened
    };
    let damaged = Opened::Fresh(FreshBecause::Damaged);
    for len in [0, 1, 8, 11, 12, 13, 51, 52, 60, 61, good.len() / 2, good.len() - 1] {
        assert_eq!(opened(&good[..len]), damaged, "{len}");
    }
    for at in [0, 7, 12, 40, 60, good.len() / 2, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert_eq!(opened(&changed), damaged, "{at}");
    }
    assert_eq!(opened(&[&good[..], b"x"].concat()), damaged);
    let mut future = good.clone();
    future[11] = 2;
    assert_eq!(opened(&future), Opened::Fresh(FreshBecause::OtherFormat));
    assert_eq!(opened(&good), Opened::Loaded);
    let (_, foreign) = kept.open(&SealKey::from_bytes([8; 32]));
    assert_eq!(foreign, damaged);
    fs::remove_file(kept.path()).expect("removes");
    fs::create_dir(kept.path()).expect("makes a folder");
    assert_eq!(kept.open(&key()).1, damaged);
}

/// Sealed by the right key, and wrong all the same: what a mistake of ours, or a
/// later version that forgot to say so, could leave.
#[test]
fn a_sealed_file_that_holds_something_else_is_as_good_as_none() {
    let kept = Kept::new();
    let key_of_file = key().derive("kith 2026-11 search index", &[]);
    let mut other = Connection::open_in_memory().expect("opens");
    other.execute_batch("CREATE TABLE spaces (number INTEGER)").expect("creates");
    let other = other.serialize(MAIN_DB).expect("serialises");
    for database in [&b""[..], b"not a database", &[0; 8192], &other] {
        file::write(&kept.path(), &key_of_file, database).expect("writes");
        let (mut index, opened) = kept.open(&key());
        assert_eq!(opened, Opened::Fresh(FreshBecause::Damaged));
        put(&mut index, 1, "", "works");
        assert_eq!(found(&index, "works"), [1]);
    }
}

#[test]
fn a_failed_save_keeps_the_file_before_and_is_made_up_for() {
    let kept = Kept::new();
    let mut index = kept.fill();
    let good = fs::read(kept.path()).expect("reads");
    put(&mut index, 1, "", "later");
    let in_the_way = kept.folder.path().join("search.sealed.part");
    fs::create_dir(&in_the_way).expect("makes a folder");
    assert!(matches!(index.save(), Err(SearchError::Save(_))));
    assert_eq!(fs::read(kept.path()).expect("reads"), good);
    fs::remove_dir(&in_the_way).expect("removes");
    index.save().expect("saves");
    assert_eq!(found(&kept.open(&key()).0, "later"), [1]);
}

#[test]
fn an_unchanged_index_is_not_written_again() {
    let kept = Kept::new();
    let mut index = kept.fill();
    fs::remove_file(kept.path()).expect("removes");
    index.save().expect("has nothing to do");
    assert!(!kept.path().exists());
    put(&mut index, 1, "", "changed");
    index.save().expect("saves");
    assert!(kept.path().exists());
    fresh().save().expect("has nowhere to save to");
}

#[test]
fn memory_is_given_back_when_a_large_space_is_gone() {
    let kept = Kept::new();
    let mut index = kept.fill();
    let small = index.size_bytes().expect("reads");
    let body: String = (0..20_000).map(|number| format!("{number} ")).collect();
    for number in 0..20 {
        put_in(&mut index, OTHER, number, "", &body);
    }
    let large = index.size_bytes().expect("reads");
    assert!(large > small * 4, "{small} {large}");
    index.apply(&[Change::RemoveSpace(OTHER)]).expect("applies");
    index.save().expect("saves");
    assert!(index.size_bytes().expect("reads") <= small * 2);
    assert_eq!(found(&index, "number7"), [7]);
    let (again, opened) = kept.open(&key());
    assert_eq!((found(&again, "number7"), opened), (vec![7], Opened::Loaded));
}
