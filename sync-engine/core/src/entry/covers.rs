//! Which entries a bundle stands for: numbers of its author's entries.
//!
//! A number alone does not name an entry: a device whose disk was set back, or copied,
//! gives it twice. So each entry also says in which *run* of its node it was written, and
//! a node draws a new one whenever it starts.
//!
//! Bytes: `[[run, [gap, length, gap, length, …]], …]`, runs ascending. A gap counts the
//! numbers that are left out before a span, the length those in it.
//!
//! Invariant: spans are apart from each other and not empty; one set, one byte string.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Names a run of a node: random bytes that it draws when it starts. 64 bits, since they
/// need to differ only among the runs of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Run(#[serde(with = "serde_bytes")] pub [u8; 8]);

/// Spans in one bundle: a document that is edited in turn with many others has a span for
/// each edit.
pub const SPANS_MAX: usize = 4_096;

/// Entries that one bundle stands for: as many changes as a document may have.
pub const COVERED_MAX: u64 = 1 << 18;

/// Most bytes that they take in a header: with each span a gap and a length of up to five
/// bytes, or a run.
pub const COVERS_BYTES_MAX: usize = SPANS_MAX * 24;

/// Numbers in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    length: u64,
}

/// A set of entries of one author in one document, by run and number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covers(BTreeMap<Run, Vec<Span>>);

impl Covers {
    /// The set of these entries; `None` when they are more than a bundle may stand for.
    #[must_use]
    pub fn of(entries: &BTreeSet<(Run, u64)>) -> Option<Self> {
        let mut runs: BTreeMap<Run, Vec<Span>> = BTreeMap::new();
        for (run, sequence) in entries {
            let spans = runs.entry(*run).or_default();
            match spans.last_mut() {
                Some(last) if last.first + last.length == *sequence => last.length += 1,
                Some(_) | None => spans.push(Span { first: *sequence, length: 1 }),
            }
        }
        let covers = Self(runs);
        covers.is_bounded().then_some(covers)
    }

    fn is_bounded(&self) -> bool {
        let spans: usize = self.0.values().map(Vec::len).sum();
        spans <= SPANS_MAX && self.count() <= COVERED_MAX
    }

    /// How many entries.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().flatten().fold(0, |sum, span| sum.saturating_add(span.length))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the author's entry of this number, written in this run, is one of them.
    #[must_use]
    pub fn contain(&self, run: Run, sequence: u64) -> bool {
        self.0.get(&run).is_some_and(|spans| {
            let after = spans.partition_point(|span| span.first <= sequence);
            let span = after.checked_sub(1).map(|at| spans[at]);
            span.is_some_and(|span| sequence - span.first < span.length)
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Run, u64)> {
        self.0.iter().flat_map(|(run, spans)| {
            let numbers = spans.iter().flat_map(|span| span.first..span.first + span.length);
            numbers.map(move |sequence| (*run, sequence))
        })
    }
}

impl Serialize for Covers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let runs = self.0.iter().map(|(run, spans)| {
            let mut next = 0;
            let mut numbers = Vec::with_capacity(spans.len() * 2);
            for span in spans {
                numbers.extend([span.first - next, span.length]);
                next = span.first + span.length;
            }
            (*run, numbers)
        });
        serializer.collect_seq(runs)
    }
}

impl<'de> Deserialize<'de> for Covers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The header that they are in is capped, and with it these.
        let wire: Vec<(Run, Vec<u64>)> = Deserialize::deserialize(deserializer)?;
        let mut runs = BTreeMap::new();
        for (run, numbers) in wire {
            let is_ascending = runs.last_key_value().is_none_or(|(last, _)| *last < run);
            let spans = read_spans(&numbers).filter(|spans| is_ascending && !spans.is_empty());
            runs.insert(run, spans.ok_or_else(|| D::Error::custom("these are no spans"))?);
        }
        let covers = Self(runs);
        if covers.is_bounded() {
            Ok(covers)
        } else {
            Err(D::Error::custom("it stands for too many entries"))
        }
    }
}

fn read_spans(numbers: &[u64]) -> Option<Vec<Span>> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    let mut spans = Vec::with_capacity(pairs.len());
    let mut next = 0_u64;
    for [gap, length] in pairs {
        let touches = *gap == 0 && !spans.is_empty();
        let first = next.checked_add(*gap).filter(|_| !touches && *length > 0)?;
        next = first.checked_add(*length)?;
        spans.push(Span { first, length: *length });
    }
    rest.is_empty().then_some(spans)
}

#[cfg(test)]
mod tests {
    use node_model::cbor;
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Covers> {
        cbor::decode(bytes, COVERS_BYTES_MAX).ok()
    }

    proptest! {
        #[test]
        fn a_set_reads_back_and_holds_its_members_only(
            entries in prop::collection::btree_set((0..3_u8, 0..60_u64), 1..80),
        ) {
            let entries: BTreeSet<(Run, u64)> =
                entries.into_iter().map(|(run, number)| (Run([run; 8]), number)).collect();
            let covers = Covers::of(&entries).expect("they are few");
            prop_assert_eq!(read(&cbor::encode(&covers)), Some(covers.clone()));
            prop_assert_eq!(covers.iter().collect::<BTreeSet<_>>(), entries.clone());
            prop_assert_eq!(covers.count(), entries.len() as u64);
            for run in 0..4 {
                for number in 0..61 {
                    let is_member = entries.contains(&(Run([run; 8]), number));
                    prop_assert_eq!(covers.contain(Run([run; 8]), number), is_member);
                }
            }
        }
    }

    #[test]
    fn spans_that_touch_are_empty_or_overflow_are_refused() {
        type Wire = Vec<(Run, Vec<u64>)>;
        let (low, high) = (Run([1; 8]), Run([2; 8]));
        let good: Wire = vec![(low, vec![0, 1, 1, 2]), (high, vec![3, 1])];
        assert!(read(&cbor::encode(&good)).is_some());
        let bad: [Wire; 7] = [
            vec![(low, vec![])],
            vec![(low, vec![0, 0])],
            vec![(low, vec![0, 1, 0, 1])],
            vec![(low, vec![0, 1, 1])],
            vec![(low, vec![u64::MAX, 1])],
            vec![(high, vec![0, 1]), (low, vec![0, 1])],
            vec![(low, vec![0, COVERED_MAX + 1])],
        ];
        for wire in bad {
            assert_eq!(read(&cbor::encode(&wire)), None, "{wire:?}");
        }
    }
}
