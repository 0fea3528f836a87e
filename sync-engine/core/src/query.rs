//! What documents say, as questions: which of them fit, and what they add up to.
//!
//! A value that is not there counts as null. Numbers compare by size, texts by code points,
//! and values of two kinds are neither smaller nor larger than each other.
//!
//! Non-goals: words (search has them), and an index: whoever asks looks at each document.

use std::{cmp::Ordering, collections::BTreeMap, str::FromStr};

use serde_json::Value;

use crate::json::Pointer;

/// Conditions of one question.
pub const CONDITIONS_MAX: usize = 16;

/// Bytes of one condition.
pub const CONDITION_BYTES_MAX: usize = 1_024;

/// Groups that documents are told apart by; those of others are counted together.
pub const GROUPS_MAX: usize = 1_000;

/// How two values shall stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `~`: a text has this text in it, in whatever case; a list has this element.
    Has,
}

/// Longer signs come before those that they begin with.
const SIGNS: [(&str, Comparison); 7] = [
    ("!=", Comparison::Unequal),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("~", Comparison::Has),
];

/// Why a condition cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCondition {
    /// No comparison.
    #[error("a condition is a path, one of = != < <= > >= ~, and a value: rating>=4")]
    NoSign,
    /// The path is none.
    #[error("no JSON Pointer or key comes before the sign in {0:?}")]
    NoPath(String),
    /// Too long.
    #[error("a condition has at most {CONDITION_BYTES_MAX} bytes")]
    TooLong,
}

/// What a document shall say at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    place: Pointer,
    comparison: Comparison,
    value: Value,
}

impl FromStr for Condition {
    type Err = BadCondition;

    /// Reads `PATH SIGN VALUE`, with or without spaces: the path is a JSON Pointer or a key of
    /// the root without signs in it, the value is JSON, and a text if it is none. In a pointer
    /// `~0` and `~1` are letters of a key, unless a space comes before them.
    fn from_str(text: &str) -> Result<Self, BadCondition> {
        if text.len() > CONDITION_BYTES_MAX {
            return Err(BadCondition::TooLong);
        }
        let signs = text.match_indices(['=', '!', '<', '>', '~']).map(|(at, _)| at);
        let at = { signs }.find(|at| !is_escape(text, *at)).ok_or(BadCondition::NoSign)?;
        let (path, rest) = text.split_at(at);
        let signs = SIGNS.into_iter();
        let mut read = signs.filter_map(|(sign, it)| Some((it, rest.strip_prefix(sign)?)));
        let (comparison, value) = read.next().ok_or(BadCondition::NoSign)?;
        let (path, value) = (path.trim(), value.trim());
        let place = Pointer::parse(path).ok().filter(|place| !place.is_root());
        Ok(Self {
            place: place.ok_or_else(|| BadCondition::NoPath(text.to_owned()))?,
            comparison,
            value: serde_json::from_str(value).unwrap_or_else(|_| value.into()),
        })
    }
}

fn is_escape(text: &str, at: usize) -> bool {
    let (before, sign) = text.split_at(at);
    let is_in_key = before.starts_with('/') && !before.ends_with(' ');
    is_in_key && (sign.starts_with("~0") || sign.starts_with("~1"))
}

impl Condition {
    /// Whether a document says so.
    #[must_use]
    pub fn fits(&self, document: &Value) -> bool {
        let found = self.place.find(document).unwrap_or(&Value::Null);
        let order = || compare(found, &self.value);
        match self.comparison {
            Comparison::Equal => is_equal(found, &self.value),
            Comparison::Unequal => !is_equal(found, &self.value),
            Comparison::Less => order() == Some(Ordering::Less),
            Comparison::AtMost => order().is_some_and(Ordering::is_le),
            Comparison::Greater => order() == Some(Ordering::Greater),
            Comparison::AtLeast => order().is_some_and(Ordering::is_ge),
            Comparison::Has => has(found, &self.value),
        }
    }
}

fn is_equal(one: &Value, other: &Value) -> bool {
    one == other || compare(one, other) == Some(Ordering::Equal)
}

fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            (None | Some(_), None | Some(_)) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        },
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_),
            _,
        ) => None,
    }
}

fn has(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::String(found), Value::String(wanted)) => {
            found.to_lowercase().contains(&wanted.to_lowercase())
        }
        (Value::Array(elements), wanted) => elements.iter().any(|it| is_equal(it, wanted)),
        (
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_),
            _,
        ) => false,
    }
}

/// What documents add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// How many there are.
    pub documents: u64,
    /// How many of them have a number to add up.
    pub numbers: u64,
    /// The sum of these.
    pub sum: f64,
    /// The smallest.
    pub least: Option<f64>,
    /// The largest.
    pub most: Option<f64>,
}

impl Sums {
    fn add(&mut self, number: Option<f64>) {
        self.documents += 1;
        let Some(number) = number else { return };
        self.numbers += 1;
        self.sum += number;
        self.least = Some(self.least.map_or(number, |least| least.min(number)));
        self.most = Some(self.most.map_or(number, |most| most.max(number)));
    }
}

/// Adds documents up, all together and by groups.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Whose values tell groups apart.
    by: Option<Pointer>,
    /// Which numbers to add up.
    of: Option<Pointer>,
    all: Sums,
    groups: BTreeMap<String, (Value, Sums)>,
    others: Sums,
}

/// What [`Tally`] comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Tallied {
    /// All documents.
    pub all: Sums,
    /// By value, most documents first, then by the value as JSON.
    pub groups: Vec<(Value, Sums)>,
    /// Those of values beyond [`GROUPS_MAX`].
    pub others: Sums,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new(by: Option<Pointer>, of: Option<Pointer>) -> Self {
        let (all, others) = (Sums::default(), Sums::default());
        Self { by, of, all, groups: BTreeMap::new(), others }
    }

    /// Adds a document. One with a list where groups are told apart belongs to the group of
    /// each of its elements.
    pub fn add(&mut self, document: &Value) {
        let number = self.of.as_ref().and_then(|of| of.find(document)).and_then(Value::as_f64);
        self.all.add(number);
        let Some(by) = &self.by else { return };
        let found = by.find(document).unwrap_or(&Value::Null);
        let values = found.as_array().map_or(std::slice::from_ref(found), Vec::as_slice);
        // Once for each value, however often a list has it.
        let groups: BTreeMap<String, &Value> =
            values.iter().map(|value| (value.to_string(), value)).collect();
        for (key, value) in groups {
            if self.groups.len() < GROUPS_MAX || self.groups.contains_key(&key) {
                let new = || (value.clone(), Sums::default());
                self.groups.entry(key).or_insert_with(new).1.add(number);
            } else {
                self.others.add(number);
            }
        }
    }

    /// What it comes to.
    #[must_use]
    pub fn finish(self) -> Tallied {
        let mut groups: Vec<(Value, Sums)> = self.groups.into_values().collect();
        // By value already; the sort is stable.
        groups.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.documents));
        Tallied { all: self.all, groups, others: self.others }
    }
}

#[cfg(test)]
mod tests;
