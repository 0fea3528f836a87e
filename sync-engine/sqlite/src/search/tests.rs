mod bounds;
mod kept;

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
fn what_was_removed_is_not_in_the_file_any_more() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("search");
    let saved_holds = |index: &mut SearchIndex| {
        index.save().expect("saves");
        let (mut saved, opened) = SearchIndex::open(Some(&file), &key()).expect("opens");
        assert_eq!(opened, Opened::Loaded);
        let image = saved.connection.serialize(MAIN_DB).expect("serialises");
        image.windows(9).any(|window| window == b"zebrafink")
    };
    for gone in [Change::RemoveSpace(OTHER), Change::Remove { space: OTHER, document: id(1) }] {
        let mut index = SearchIndex::open(Some(&file), &key()).expect("opens").0;
        put_in(&mut index, OTHER, 1, "zebrafink", "zebrafink");
        assert!(saved_holds(&mut index));
        put(&mut index, 2, "", "other");
        index.apply(&[gone]).expect("applies");
        assert!(!saved_holds(&mut index));
    }
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
