//! Byte ranges (RFC 9110, section 14): one range, or the whole.

use std::ops::Range;

/// Which part of a blob is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it; also where the header is none that we understand.
    Whole,
    /// These bytes.
    Some(Range<u64>),
    /// Bytes that do not exist.
    Unsatisfiable,
}

/// Reads a `Range` header for something of `size` bytes.
pub(crate) fn parse(header: Option<&str>, size: u64) -> Part {
    let Some(spec) = header.and_then(ranges) else {
        return Part::Whole;
    };
    if spec.contains(',') {
        return Part::Whole;
    }
    let Some((first, last)) = spec.split_once('-') else {
        return Part::Whole;
    };
    match (number(first.trim()), number(last.trim())) {
        (Number::Some(first), Number::Some(last)) if first > last => Part::Whole,
        (Number::Some(first), Number::Some(last)) => part(first, last.saturating_add(1), size),
        (Number::Some(first), Number::None) => part(first, size, size),
        (Number::None, Number::Some(length)) => part(size.saturating_sub(length), size, size),
        (Number::None, Number::None) | (Number::Bad, _) | (_, Number::Bad) => Part::Whole,
    }
}

fn ranges(header: &str) -> Option<&str> {
    let (unit, spec) = header.split_once('=')?;
    unit.trim().eq_ignore_ascii_case("bytes").then_some(spec)
}

fn part(start: u64, end: u64, size: u64) -> Part {
    let range = start..end.min(size);
    if range.is_empty() { Part::Unsatisfiable } else { Part::Some(range) }
}

enum Number {
    Some(u64),
    None,
    Bad,
}

fn number(text: &str) -> Number {
    if text.is_empty() {
        return Number::None;
    }
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_plain => Number::Some(number),
        // More digits than fit are beyond the end of everything.
        Err(_) if is_plain => Number::Some(u64::MAX),
        Ok(_) | Err(_) => Number::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ten(header: &str) -> Part {
        parse(Some(header), 10)
    }

    #[test]
    fn one_range_is_understood() {
        assert_eq!(of_ten("bytes=0-0"), Part::Some(0..1));
        assert_eq!(of_ten("bytes=2-4"), Part::Some(2..5));
        assert_eq!(of_ten("bytes=2-400"), Part::Some(2..10));
        assert_eq!(of_ten("bytes=2-"), Part::Some(2..10));
        assert_eq!(of_ten("bytes=-3"), Part::Some(7..10));
        assert_eq!(of_ten("BYTES=-30"), Part::Some(0..10));
    }

    #[test]
    fn what_does_not_exist_is_unsatisfiable() {
        for header in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(of_ten(header), Part::Unsatisfiable, "{header}");
        }
        assert_eq!(parse(Some("bytes=0-"), 0), Part::Unsatisfiable);
    }

    #[test]
    fn anything_else_is_the_whole() {
        assert_eq!(parse(None, 10), Part::Whole);
        for header in
            ["bytes=4-2", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "items=0-1", "0-1", "bytes=+1-2"]
        {
            assert_eq!(of_ten(header), Part::Whole, "{header}");
        }
    }
}
