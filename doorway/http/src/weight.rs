//! Whether HTML is too much to lay out.
//!
//! A parser follows the standard, and the standard makes a few kilobytes into
//! hours and gigabytes: time grows with the square of nesting, and every
//! formatting element that is left open is made again in every paragraph.

use std::collections::BTreeSet;

/// Most tags that can stand inside each other; 5,000 take a tenth of a second,
/// 50,000 ten seconds.
pub(crate) const NESTING_MAX: usize = 5_000;

/// Most elements that a parser can be made to make: 100 MB.
const ELEMENTS_MAX: usize = 500_000;

/// How many equal formatting elements a parser keeps open ("Noah's Ark clause").
const EQUALS_OPEN: usize = 3;

/// Tags that do not nest, or only within ones that count.
const FLAT: &[&str] =
    &["p", "br", "hr", "img", "li", "dt", "dd", "tr", "td", "th", "input", "wbr", "col"];

/// Elements that are made again in the next paragraph. Of `a`, one at most.
const FORMATTING: &[&str] =
    &["b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];

/// Whether it is.
pub(crate) fn is_too_much(html: &str) -> bool {
    let html = html.to_ascii_lowercase();
    // In there, every tag nests.
    let is_foreign = html.contains("<svg") || html.contains("<math");
    let (mut tags, mut nesting, mut odd) = (0_usize, 0_usize, 1_usize);
    let mut formatting = BTreeSet::new();
    for tag in html.split('<').skip(1) {
        tags += 1;
        let end = tag.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let name = &tag[..end];
        if name.is_empty() {
            continue;
        }
        nesting += usize::from(is_foreign || !FLAT.contains(&name));
        if FORMATTING.contains(&name) {
            match attributes(&tag[end..]) {
                Some(attributes) => _ = formatting.insert((name, attributes)),
                None => odd += 1,
            }
        }
    }
    let open = EQUALS_OPEN.saturating_mul(formatting.len()).saturating_add(odd);
    nesting > NESTING_MAX || tags.saturating_mul(open) > ELEMENTS_MAX
}

/// The attributes of a tag, if they are written so plainly that equal text means
/// equal attributes.
fn attributes(rest: &str) -> Option<&str> {
    let mut left = rest;
    loop {
        left = left.trim_start();
        if left.starts_with('>') {
            return Some(&rest[..rest.len() - left.len()]);
        }
        let (name, value) = left.split_once("=\"")?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return None;
        }
        left = value.split_once('"')?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_not_too_much() {
        let paragraph = "<p>It is <em>very</em> <strong>good</strong>: <a href=\"x\">here</a>.</p>";
        let code = "<pre><code class=\"language-rust\">let x;</code></pre>";
        let row = "<tr><td>1</td><td>2</td></tr>";
        assert!(!is_too_much(&paragraph.repeat(1_000)));
        assert!(!is_too_much(&code.repeat(1_000)));
        assert!(!is_too_much(&format!("<table>{}</table>", row.repeat(5_000))));
        assert!(!is_too_much("1 < 2 and <b>bold</b> <B>bold</B> <i >i</i>"));
    }

    #[test]
    fn bombs_are_too_much() {
        let many = |make: fn(usize) -> String| (0..20_000).map(make).collect::<String>();
        let bombs = [
            "<div>".repeat(50_000),
            "<div></x>".repeat(50_000),
            "<div><!--</div>-->".repeat(50_000),
            format!("<svg>{}", "<td>".repeat(50_000)),
            "</x>".repeat(600_000),
            many(|at| format!("<b x=\"{at}\">y<p>")),
            many(|at| format!("<b x='{at}'>y<p>")),
            many(|at| format!("<b x=\">{at}\">y<p>")),
            many(|at| format!("<b x=\"<{at}\">y<p>")),
            many(|at| format!("<b x\" y=\">{at}\">y<p>")),
            many(|at| format!("<B\nX={at}>y<p>")),
        ];
        for bomb in bombs {
            assert!(is_too_much(&bomb), "{}", &bomb[..40]);
        }
    }
}
