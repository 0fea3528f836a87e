//! The piece of a body that a result shows.
//!
//! FTS5's own `snippet()` compares every match with every other, and `highlight()`
//! copies the text at each: a word that stands 200,000 times in one document
//! takes them minutes and seconds. Here each word is looked at once. Words that
//! FTS5 folds in another way than [`fold`] are found all the same, and not marked.

use std::{collections::BTreeMap, ops::Range};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{MARK_END, MARK_START};

/// Within how many bytes different matches are shown together.
const WINDOW_BYTES: usize = 160;

/// How much stands before the first match, in bytes.
const CONTEXT_BYTES: usize = 40;

/// Longest snippet in characters, without marks: three lines of a terminal.
const CHARACTERS_MAX: usize = 240;

/// A word that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    folded: String,
    is_prefix: bool,
}

impl Wanted {
    pub(super) fn new(word: &str, is_prefix: bool) -> Self {
        Self { folded: fold(word), is_prefix }
    }

    fn matches(&self, folded: &str) -> bool {
        if self.is_prefix { folded.starts_with(&self.folded) } else { folded == self.folded }
    }
}

/// Runs of letters, digits and their accents: what FTS5 takes for words.
pub(super) fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let is_part = |character: char| character.is_alphanumeric() || is_combining_mark(character);
    text.split(move |character| !is_part(character)).filter(|word| !word.is_empty())
}

/// In lower case and without accents.
fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_ascii_lowercase();
    }
    let plain = word.nfd().filter(|character| !is_combining_mark(*character));
    plain.flat_map(char::to_lowercase).collect()
}

/// A word of the body that is wanted.
struct Match {
    at: Range<usize>,
    /// Which of those that are wanted.
    wanted: usize,
}

/// The piece of `body` that shows the most different words that are wanted, them
/// between our marks; the beginning when there are none. One line, `…` where the
/// body goes on.
pub(super) fn snippet(body: &str, wanted: &[Wanted]) -> String {
    let matches = matches(body, wanted);
    let best = best_start(&matches);
    let early = body.floor_char_boundary(best.saturating_sub(CONTEXT_BYTES));
    let gap = body[early..best].find(char::is_whitespace);
    let start = if early == 0 { 0 } else { early + gap.unwrap_or_default() };
    let cut = body[start..].char_indices().nth(CHARACTERS_MAX).map(|(end, _)| start + end);
    let end = match cut {
        // At the end of a word, unless it is a long one.
        Some(cut) => {
            let late = body.floor_char_boundary(cut - CONTEXT_BYTES);
            late + body[late..cut].rfind(char::is_whitespace).unwrap_or(cut - late)
        }
        None => body.len(),
    };
    let mut line = Line(if start > 0 { "…".to_owned() } else { String::new() });
    let mut at = start;
    let first = matches.partition_point(|it| it.at.end <= start);
    for it in matches[first..].iter().take_while(|it| it.at.start < end) {
        let (from, to) = (it.at.start.max(start), it.at.end.min(end));
        line.push(&body[at..from]);
        line.0.push(MARK_START);
        line.push(&body[from..to]);
        line.0.push(MARK_END);
        at = to;
    }
    line.push(body[at..end].trim_end());
    line.0.push_str(if cut.is_some() { "…" } else { "" });
    line.0
}

fn matches(body: &str, wanted: &[Wanted]) -> Vec<Match> {
    let mut found = Vec::new();
    for word in words(body) {
        let folded = fold(word);
        if let Some(wanted) = wanted.iter().position(|wanted| wanted.matches(&folded)) {
            let start = word.as_ptr().addr() - body.as_ptr().addr();
            found.push(Match { at: start..start + word.len(), wanted });
        }
    }
    found
}

/// Where those matches begin that show the most within a window.
fn best_start(matches: &[Match]) -> usize {
    let mut shown: BTreeMap<usize, usize> = BTreeMap::new();
    let (mut first, mut best, mut best_count) = (0, 0, 0);
    for it in matches {
        *shown.entry(it.wanted).or_default() += 1;
        while it.at.start - matches[first].at.start > WINDOW_BYTES {
            let gone = matches[first].wanted;
            match shown.get_mut(&gone) {
                Some(count) if *count > 1 => *count -= 1,
                Some(_) | None => {
                    shown.remove(&gone);
                }
            }
            first += 1;
        }
        if shown.len() > best_count {
            (best, best_count) = (matches[first].at.start, shown.len());
        }
    }
    best
}

/// Text in which white space is single spaces.
struct Line(String);

impl Line {
    fn push(&mut self, text: &str) {
        for character in text.chars() {
            match character.is_whitespace() {
                false => self.0.push(character),
                true if self.0.is_empty() || self.0.ends_with([' ', '…']) => {}
                true => self.0.push(' '),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str, wanted: &[&str]) -> String {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|word| Wanted::new(word.trim_end_matches('*'), word.ends_with('*')))
            .collect();
        snippet(body, &wanted).replace(MARK_START, "[").replace(MARK_END, "]")
    }

    #[test]
    fn the_piece_with_most_different_words_is_shown() {
        let gap = "lorem ipsum ".repeat(40);
        let body = format!("tea {gap} tea tea tea {gap}\nwith tea and\ncake {gap}");
        let shown = of(&body, &["cake", "tea"]);
        assert!(shown.contains("lorem ipsum with [tea] and [cake] lorem"), "{shown}");
        assert!(shown.starts_with("…") && shown.ends_with("…"), "{shown}");
        let apart = of(&format!("tea {gap} cake"), &["cake", "tea"]);
        assert!(apart.starts_with("[tea] lorem"), "{apart}");
    }

    #[test]
    fn words_are_marked_in_whatever_case_and_with_whatever_accents() {
        let body = "Müller, müllerin\nMU\u{308}LLER (война) ВОЙНА wars";
        assert_eq!(
            of(body, &["muller", "ВОЙНА", "war"]),
            "[Müller], müllerin [MU\u{308}LLER] ([война]) [ВОЙНА] wars"
        );
        assert_eq!(of(body, &["MÜL*"]), "[Müller], [müllerin] [MU\u{308}LLER] (война) ВОЙНА wars");
    }

    #[test]
    fn short_bodies_are_shown_whole_and_long_ones_from_the_beginning() {
        for body in ["", "a", "a b c", "é ü"] {
            assert_eq!(of(body, &["x"]), body);
        }
        let shown = of(&"words that go on ".repeat(100), &["x"]);
        assert!(shown.starts_with("words that go") && shown.ends_with("…"), "{shown}");
    }

    #[test]
    fn words_beyond_all_measure_are_cut_and_marked() {
        let long = "ü".repeat(1_000);
        for body in [
            long.clone(),
            format!("{long} a-{long}-b"),
            format!("{long}-{long} {long}"),
            format!("{long} {}", "a b ".repeat(300)),
        ] {
            let shown = of(&body, &["u*"]);
            let count = |mark| shown.chars().filter(|character| *character == mark).count();
            assert_eq!(count('['), count(']'), "{shown}");
            assert!(count('[') > 0, "{shown}");
            assert!(shown.chars().count() - 2 * count('[') <= CHARACTERS_MAX + 2, "{shown}");
        }
        let shown = of(&format!("{} - 漢字 - {}", "漢".repeat(500), "字".repeat(500)), &["漢字"]);
        assert!(shown.contains("- [漢字] - 字"), "{shown}");
    }
}
