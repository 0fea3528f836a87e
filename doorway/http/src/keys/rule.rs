//! Rules: a method, and a pattern for paths. Pure.
//!
//! Invariants: a path is compared segment by segment after its percent-encoding was taken
//! away, so that every spelling of one address gets one answer; an address in which
//! programs could see two different paths is no [`Asked`] and fits no rule.
//! Non-goals: what stands behind the question mark, and what a name in a path stands for.

use std::{fmt, str::FromStr};

/// Longest text of a rule: twice the longest address of ids that there is.
const RULE_BYTES_MAX: usize = 512;

/// The interface for programs: keys are good for nothing else.
const ROOT: [&str; 2] = ["api", "v1"];

/// What a method of a rule may be.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "*"];

/// What a request asks for, in its one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    method: String,
    segments: Vec<String>,
}

impl Asked {
    /// Reads a method and the path as it was sent. None when a segment is empty, `.` or
    /// `..`, or not a text in percent-encoding.
    pub(crate) fn read(method: &str, path: &str) -> Option<Self> {
        let segments = path.strip_prefix('/')?.split('/').map(decode_segment);
        Some(Self { method: method.to_owned(), segments: segments.collect::<Option<_>>()? })
    }

    /// The narrowest rule that would allow it; none for what rules cannot say.
    pub(crate) fn rule(&self) -> Option<Rule> {
        let segments = self.segments.iter().cloned().map(Segment::Exact).collect();
        let method = METHODS.iter().find(|method| **method == self.method && **method != "*")?;
        Some(Rule { method, segments, rest: false })
    }
}

/// What a key may do: `METHOD PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// One of [`METHODS`].
    method: &'static str,
    segments: Vec<Segment>,
    /// Whether it ends with `**`: anything may follow, or nothing.
    rest: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Exact(String),
    Any,
}

/// A text that is no rule, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRule {
    #[error(
        "it is METHOD PATH, such as `GET /api/v1/spaces/*`; METHOD is GET, HEAD, POST, PUT, \
         PATCH, DELETE or *"
    )]
    Form,
    #[error("keys are for what begins with /api/v1/ only")]
    Elsewhere,
    #[error(
        "a part of the path is empty, . or .., or not in percent-encoding; * and ** stand alone \
         between slashes, and ** is the last"
    )]
    Path,
    #[error("it is longer than {RULE_BYTES_MAX} bytes")]
    TooLong,
}

impl Rule {
    /// Whether it allows this.
    pub(crate) fn allows(&self, asked: &Asked) -> bool {
        asked.rule().is_some_and(|exact| self.covers(&exact))
    }

    /// Whether it allows everything that the other one allows.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        // Without a body HEAD tells less than GET.
        let method_fits = matches!(self.method, "*")
            || self.method == other.method
            || (self.method, other.method) == ("GET", "HEAD");
        let fits = |(own, other): (&Segment, &Segment)| match own {
            Segment::Any => true,
            Segment::Exact(_) => own == other,
        };
        let length_fits = if self.rest {
            self.segments.len() <= other.segments.len()
        } else {
            !other.rest && self.segments.len() == other.segments.len()
        };
        method_fits && length_fits && self.segments.iter().zip(&other.segments).all(fits)
    }

    /// Whether there is anything that both allow.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let is_head = |method| matches!(method, "GET" | "HEAD");
        let methods_meet = self.method == other.method
            || [self.method, other.method].contains(&"*")
            || (is_head(self.method) && is_head(other.method));
        let meet = |(one, other): (&Segment, &Segment)| match (one, other) {
            (Segment::Exact(one), Segment::Exact(other)) => one == other,
            (Segment::Any, Segment::Any | Segment::Exact(_))
            | (Segment::Exact(_), Segment::Any) => true,
        };
        let reaches = |one: &Self, other: &Self| {
            one.segments.len() == other.segments.len()
                || (one.rest && one.segments.len() < other.segments.len())
        };
        methods_meet
            && (reaches(self, other) || reaches(other, self))
            && self.segments.iter().zip(&other.segments).all(meet)
    }

    /// The rule for a route: its parameters may be anything.
    pub(crate) fn of_route(method: &str, template: &str) -> Option<Self> {
        let method = METHODS.iter().find(|known| **known == method)?;
        let parts = template.strip_prefix('/')?.split('/');
        let segments = parts.map(|part| match part.starts_with('{') {
            true => Segment::Any,
            false => Segment::Exact(part.to_owned()),
        });
        Some(Self { method, segments: segments.collect(), rest: false })
    }
}

impl FromStr for Rule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        if text.len() > RULE_BYTES_MAX {
            return Err(BadRule::TooLong);
        }
        let (method, path) = text.trim().split_once(' ').ok_or(BadRule::Form)?;
        let method = method.to_ascii_uppercase();
        let method = METHODS.iter().find(|known| **known == method).ok_or(BadRule::Form)?;
        let path = path.trim_start().strip_prefix('/').ok_or(BadRule::Form)?;
        let mut parts: Vec<&str> = path.split('/').collect();
        let rest = parts.pop_if(|last| *last == "**").is_some();
        let segments: Vec<Segment> =
            parts.into_iter().map(read_segment).collect::<Result<_, _>>()?;
        let is_ours = ROOT.iter().enumerate().all(
            |(at, word)| matches!(segments.get(at), Some(Segment::Exact(text)) if text == word),
        );
        if !is_ours || (segments.len() == ROOT.len() && !rest) {
            return Err(BadRule::Elsewhere);
        }
        let rule = Self { method, segments, rest };
        // In its one form it may be longer than it came.
        if rule.to_string().len() > RULE_BYTES_MAX { Err(BadRule::TooLong) } else { Ok(rule) }
    }
}

fn read_segment(text: &str) -> Result<Segment, BadRule> {
    if text == "*" {
        return Ok(Segment::Any);
    }
    if text.contains(['*', '?', '#']) {
        return Err(BadRule::Path);
    }
    decode_segment(text).map(Segment::Exact).ok_or(BadRule::Path)
}

impl fmt::Display for Rule {
    /// The one form of a rule: letters that a shell or an address could take for
    /// something else are percent-encoded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method)?;
        for segment in &self.segments {
            match segment {
                Segment::Any => f.write_str("/*")?,
                Segment::Exact(text) => {
                    f.write_str("/")?;
                    write_encoded(f, text)?;
                }
            }
        }
        if self.rest { f.write_str("/**") } else { Ok(()) }
    }
}

fn write_encoded(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                write!(f, "{}", char::from(byte))?;
            }
            byte => write!(f, "%{byte:02X}")?,
        }
    }
    Ok(())
}

/// The text of a segment; none when it is none, or names no place of its own.
fn decode_segment(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let digits =
                    [rest.next()?, rest.next()?].map(|digit| char::from(digit).to_digit(16));
                let [Some(high), Some(low)] = digits else { return None };
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        };
        bytes.push(byte);
    }
    let text = String::from_utf8(bytes).ok()?;
    let is_place = !matches!(&*text, "" | "." | "..");
    (is_place && !text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn allows(text: &str, method: &str, path: &str) -> bool {
        Asked::read(method, path).is_some_and(|asked| rule(text).allows(&asked))
    }

    #[test]
    fn a_star_is_one_segment_and_two_are_the_rest() {
        let table: &[(&str, &str, &str, bool)] = &[
            ("GET /api/v1/spaces", "GET", "/api/v1/spaces", true),
            ("GET /api/v1/spaces", "GET", "/api/v1/spaces/a", false),
            ("GET /api/v1/spaces", "GET", "/api/v1/Spaces", false),
            ("GET /api/v1/spaces/*", "GET", "/api/v1/spaces/a", true),
            ("GET /api/v1/spaces/*", "GET", "/api/v1/spaces", false),
            ("GET /api/v1/spaces/*", "GET", "/api/v1/spaces/a/docs", false),
            ("GET /api/v1/spaces/*/docs/*", "GET", "/api/v1/spaces/a/docs/b", true),
            ("GET /api/v1/spaces/**", "GET", "/api/v1/spaces/a/docs/b/history", true),
            ("GET /api/v1/spaces/**", "GET", "/api/v1/spaces", true),
            ("GET /api/v1/spaces/**", "GET", "/api/v1/log", false),
            ("GET /api/v1/spaces/*/**", "GET", "/api/v1/spaces", false),
            ("GET /api/v1/spaces/K%C3%BCche", "GET", "/api/v1/spaces/K%c3%bcche", true),
            ("GET /api/v1/spaces/Küche", "GET", "/api/v1/spaces/K%C3%BCche", true),
        ];
        for (text, method, path, expected) in table {
            assert_eq!(allows(text, method, path), *expected, "{text}: {method} {path}");
        }
    }

    #[test]
    fn methods_are_exact_but_that_get_is_head_too() {
        let path = "/api/v1/spaces";
        for (text, method, expected) in [
            ("GET /api/v1/spaces", "GET", true),
            ("GET /api/v1/spaces", "HEAD", true),
            ("GET /api/v1/spaces", "POST", false),
            ("GET /api/v1/spaces", "get", false),
            ("HEAD /api/v1/spaces", "GET", false),
            ("HEAD /api/v1/spaces", "HEAD", true),
            ("post /api/v1/spaces", "POST", true),
            ("POST /api/v1/spaces", "GET", false),
            ("* /api/v1/spaces", "DELETE", true),
            ("* /api/v1/spaces", "OPTIONS", false),
            ("* /api/v1/spaces", "*", false),
        ] {
            assert_eq!(allows(text, method, path), expected, "{text}: {method}");
        }
    }

    #[test]
    fn what_programs_could_read_in_two_ways_fits_no_rule() {
        for path in [
            "/api/v1/spaces/",
            "/api/v1/spaces//docs",
            "//api/v1/spaces",
            "/api/v1/spaces/..",
            "/api/v1/spaces/../log",
            "/api/v1/spaces/%2e%2E/log",
            "/api/v1/spaces/./a",
            "/api/v1/spaces/%2e",
            "/api/v1/spaces/%",
            "/api/v1/spaces/%4",
            "/api/v1/spaces/%zz",
            "/api/v1/spaces/%ff",
            "/api/v1/spaces/a%00",
            "/api/v1/spaces/a%0Ab",
            "api/v1/spaces",
            "*",
            "",
        ] {
            assert_eq!(Asked::read("GET", path), None, "{path}");
        }
    }

    #[test]
    fn an_encoded_letter_is_that_letter_and_an_encoded_slash_no_border() {
        assert!(allows("GET /api/v1/spaces/album", "GET", "/api/v1/spaces/%61lbum"));
        assert!(allows("GET /api/v1/spaces/*", "GET", "/api/v1/spaces/a%2Fdocs"));
        assert!(!allows("GET /api/v1/spaces/*/docs", "GET", "/api/v1/spaces/a%2Fdocs"));
        assert!(!allows("GET /api/v1/spaces/a/docs", "GET", "/api/v1/spaces/a%2Fdocs"));
        assert!(!allows("GET /api/v1/spaces/*", "GET", "/api/v1/spaces%2Fa"));
        // Encoded twice it is another name.
        assert!(!allows("GET /api/v1/spaces/album", "GET", "/api/v1/spaces/%2561lbum"));
        assert!(!allows("GET /api/v1/spaces/%2A", "GET", "/api/v1/spaces/album"));
        assert!(allows("GET /api/v1/spaces/%2A", "GET", "/api/v1/spaces/*"));
    }

    #[test]
    fn rules_have_one_form_and_bad_ones_say_why() {
        for (text, printed) in [
            ("get /api/v1/spaces/*", "GET /api/v1/spaces/*"),
            ("  * /api/v1/**", "* /api/v1/**"),
            ("GET  /api/v1/spaces/K%c3%BCche's", "GET /api/v1/spaces/K%C3%BCche%27s"),
            ("GET /api/v1/spaces/%2A/docs", "GET /api/v1/spaces/%2A/docs"),
        ] {
            assert_eq!(rule(text).to_string(), printed);
            assert_eq!(rule(printed), rule(text));
        }
        let long = format!("GET /api/v1/{}", "a".repeat(RULE_BYTES_MAX));
        for (text, why) in [
            ("", BadRule::Form),
            ("GET", BadRule::Form),
            ("/api/v1/spaces", BadRule::Form),
            ("FETCH /api/v1/spaces", BadRule::Form),
            ("GET api/v1/spaces", BadRule::Form),
            ("GET /", BadRule::Path),
            ("GET /**", BadRule::Elsewhere),
            ("GET /*/v1/spaces", BadRule::Elsewhere),
            ("GET /s/album", BadRule::Elsewhere),
            ("GET /api/v1", BadRule::Elsewhere),
            ("GET /api/v1/", BadRule::Path),
            ("GET /api/v1/spaces/", BadRule::Path),
            ("GET /api/v1//spaces", BadRule::Path),
            ("GET /api/v1/../x", BadRule::Path),
            ("GET /api/v1/**/docs", BadRule::Path),
            ("GET /api/v1/a*", BadRule::Path),
            ("GET /api/v1/search?q=x", BadRule::Path),
            (&long, BadRule::TooLong),
            (&format!("GET /api/v1/{}", "ü".repeat(RULE_BYTES_MAX / 4)), BadRule::TooLong),
        ] {
            assert_eq!(text.parse::<Rule>(), Err(why), "{text}");
        }
    }

    #[test]
    fn covering_and_overlapping() {
        let table: &[(&str, &str, bool, bool)] = &[
            ("* /api/v1/**", "GET /api/v1/spaces/*", true, true),
            ("GET /api/v1/spaces/*", "* /api/v1/**", false, true),
            ("GET /api/v1/spaces/*", "GET /api/v1/spaces/album", true, true),
            ("GET /api/v1/spaces/album", "GET /api/v1/spaces/*", false, true),
            ("GET /api/v1/spaces/album", "GET /api/v1/spaces/diary", false, false),
            ("GET /api/v1/spaces/*", "GET /api/v1/spaces/**", false, true),
            ("GET /api/v1/spaces/**", "GET /api/v1/spaces/*/**", true, true),
            ("GET /api/v1/spaces/*/**", "GET /api/v1/spaces/**", false, true),
            ("GET /api/v1/spaces/*/**", "GET /api/v1/spaces", false, false),
            ("GET /api/v1/log", "POST /api/v1/log", false, false),
            ("GET /api/v1/log", "HEAD /api/v1/log", true, true),
            ("HEAD /api/v1/log", "GET /api/v1/log", false, true),
            ("GET /api/v1/log", "* /api/v1/log", false, true),
            ("GET /api/v1/spaces/*/docs", "GET /api/v1/*/album/docs", false, true),
            ("GET /api/v1/spaces/*/docs", "GET /api/v1/spaces/a", false, false),
        ];
        for (one, other, covers, overlaps) in table {
            let (one, other) = (rule(one), rule(other));
            assert_eq!(one.covers(&other), *covers, "{one} covers {other}");
            assert_eq!(one.overlaps(&other), *overlaps, "{one} overlaps {other}");
            assert_eq!(other.overlaps(&one), *overlaps, "{other} overlaps {one}");
        }
    }

    #[test]
    fn the_rule_that_is_named_allows_exactly_that() {
        let asked = Asked::read("POST", "/api/v1/spaces/a'b%2F$(x)/docs").expect("an address");
        let named = asked.rule().expect("a rule").to_string();
        assert_eq!(named, "POST /api/v1/spaces/a%27b%2F%24%28x%29/docs");
        assert!(rule(&named).allows(&asked));
        assert_eq!(Asked::read("OPTIONS", "/api/v1/x").and_then(|asked| asked.rule()), None);
    }
}
