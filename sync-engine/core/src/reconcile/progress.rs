//! How far a running exchange of entries is, from what reconciliation knows anyway.
//!
//! Invariant: nothing is guessed. What a peer has said of its copy, and what ids showed to
//! be missing, is known to be wanted; as long as there may be more, it is "at least".

use std::fmt;

use super::{Session, Step};
use crate::store::{EntryStore, StoreError};

/// Entries of a peer that are wanted in an exchange, and those of them that are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryProgress {
    /// Here, durably. Of a copy that is read place by place, places that were looked at.
    pub here: u64,
    /// Known to be wanted; places, likewise, of which some may be empty since.
    pub wanted: u64,
    /// Whether more may turn out to be wanted.
    pub is_at_least: bool,
}

impl EntryProgress {
    /// Of two exchanges about different entries.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            here: self.here.saturating_add(other.here),
            wanted: self.wanted.saturating_add(other.wanted),
            is_at_least: self.is_at_least || other.is_at_least,
        }
    }

    /// Of two exchanges that may be about the same entries: that of which more is known to
    /// be wanted, which is at least what both want.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let larger = if other.wanted > self.wanted { other } else { self };
        Self { is_at_least: true, ..larger }
    }
}

/// For people: `1,200 of 8,000 entries`.
impl fmt::Display for EntryProgress {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = if self.is_at_least { "at least " } else { "" };
        let noun = if self.wanted == 1 { "entry" } else { "entries" };
        write!(to, "{} of {at_least}{} {noun}", in_threes(self.here), in_threes(self.wanted))
    }
}

fn in_threes(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Session {
    /// How far the exchange that is running is; `None` when none is, or nothing is known of
    /// it yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn progress(&self, store: &dyn EntryStore) -> Result<Option<EntryProgress>, StoreError> {
        let pulling = match &self.step {
            Step::Pull(pulling) => pulling,
            Step::List(listing) => return Ok(listing.progress()),
            Step::Find(finding) => return Ok(Some(finding.progress())),
            Step::Idle | Step::Sketch(_) | Step::Await | Step::Finish => return Ok(None),
        };
        let theirs = self.theirs();
        if let Some(part) = theirs.and_then(|theirs| theirs.part) {
            // Places of a part count what is in none of it.
            let here = self.own(store.head()).entries.min(part.entries);
            let is_at_least = pulling.begun > 0;
            return Ok(Some(EntryProgress { here, wanted: part.entries, is_at_least }));
        }
        let reach = theirs.map_or(0, |theirs| theirs.arrivals).max(pulling.next);
        let cursor = store.cursor(self.peer)?;
        let read = cursor.filter(|it| theirs.is_some_and(|theirs| theirs.store == it.epoch));
        let here = read.map_or(0, |cursor| cursor.after.saturating_sub(pulling.begun));
        let wanted = reach.saturating_sub(pulling.begun);
        Ok(Some(EntryProgress { here: here.min(wanted), wanted, is_at_least: false }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_in_words() {
        let says =
            |here, wanted, is_at_least| EntryProgress { here, wanted, is_at_least }.to_string();
        assert_eq!(says(1_200, 8_000, false), "1,200 of 8,000 entries");
        assert_eq!(says(999, 1_234_567, true), "999 of at least 1,234,567 entries");
        assert_eq!(says(0, 1, false), "0 of 1 entry");
    }

    #[test]
    fn nothing_is_counted_twice() {
        let few = EntryProgress { here: 1, wanted: 5, is_at_least: false };
        let many = EntryProgress { here: 3, wanted: 9, is_at_least: false };
        assert_eq!(few.and(many), EntryProgress { here: 4, wanted: 14, is_at_least: false });
        assert_eq!(few.or(many), EntryProgress { is_at_least: true, ..many });
        assert_eq!(many.or(few), EntryProgress { is_at_least: true, ..many });
    }
}
