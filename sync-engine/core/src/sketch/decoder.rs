//! The receiver's side: from symbols to the ids that only one set has.
//!
//! A symbol of the difference that stands for one id alone shows that id; taken out
//! of all the symbols it is mapped to, it makes others show theirs ("peeling", Yang
//! et al., section 3). When symbol 0 is empty, to which every id is mapped, all are
//! found.
//!
//! Invariant: however crafted the symbols are, no more ids are taken out than symbols
//! were received, each of them once.

use std::collections::BTreeSet;

use super::{
    CodedSymbol, Run, SYMBOLS_MAX, ShortId, change_all,
    estimate::{estimate, symbols_for},
};

/// Bounds of what is asked for without regard to the estimate when the symbols did not
/// suffice: from 800 bytes, better than another round trip, to 7 KB.
const SYMBOLS_MORE_MIN: usize = 32;
const SYMBOLS_MORE_MAX: usize = 256;

/// Ids that one of two sets has. They are as the sender of the symbols wants them:
/// look each up before believing it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Only the sender has them.
    pub theirs: BTreeSet<ShortId>,
    /// Only we have them.
    pub ours: BTreeSet<ShortId>,
}

impl Difference {
    /// How many they are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.theirs.len() + self.ours.len()
    }

    /// Whether both have the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds those of another part of the sets.
    pub fn add(&mut self, mut other: Self) {
        self.theirs.append(&mut other.theirs);
        self.ours.append(&mut other.ours);
    }

    fn holds(&self, id: ShortId) -> bool {
        self.theirs.contains(&id) || self.ours.contains(&id)
    }
}

/// What came of a run.
#[derive(Debug)]
pub enum Progress {
    /// Ask for [`Decoder::more`] symbols from [`Decoder::received`] on.
    NeedMore(Decoder),
    /// The difference is complete.
    Decoded(Difference),
    /// The symbols are not those of a set, not in order, or more than our own suffice
    /// for: compare lists.
    Hopeless,
}

/// Takes in a peer's symbols.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// Theirs less ours less what was found; from `received` on still without theirs.
    symbols: Vec<CodedSymbol>,
    received: usize,
    found: Difference,
}

impl Decoder {
    /// A decoder for as many symbols as `own` has, at most [`SYMBOLS_MAX`]: those of
    /// our set from index 0 on, as it was when the first symbols were asked for.
    #[must_use]
    pub fn new(own: &[CodedSymbol]) -> Self {
        let mut decoder = Self { symbols: vec![], received: 0, found: Difference::default() };
        decoder.extend(own);
        decoder
    }

    /// Adds the symbols of our set that follow, so that more of theirs can be used.
    pub fn extend(&mut self, own: &[CodedSymbol]) {
        let first = self.symbols.len();
        let room = SYMBOLS_MAX - first;
        self.symbols.extend(own.iter().take(room).map(|own| own.negative()));
        let (theirs, ours) = (self.found.theirs.iter(), self.found.ours.iter());
        for (id, count) in theirs.map(|id| (id, -1)).chain(ours.map(|id| (id, 1))) {
            change_all(&mut self.symbols[first..], first, *id, count);
        }
    }

    /// How many symbols were taken in; the next run begins there.
    #[must_use]
    pub fn received(&self) -> usize {
        self.received
    }

    /// How many symbols our own suffice for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.symbols.len()
    }

    /// How many symbols to ask for next, as far as can be estimated. They may go
    /// beyond [`Self::capacity`]: extend it first, or compare lists.
    #[must_use]
    pub fn more(&self) -> usize {
        let counts = self.symbols[..self.received].iter().map(|symbol| symbol.count);
        let left = estimate(&counts.collect::<Vec<_>>());
        let found = self.found.len() as u64;
        let wanted = symbols_for(left.saturating_add(found));
        // A few that are left share their first indexes: only much later ones tell them
        // apart. Otherwise the estimate fell short, mostly by less than an eighth.
        let is_stuck = left < found / 2;
        let share = self.received / if is_stuck { 1 } else { 8 };
        let share = share.clamp(SYMBOLS_MORE_MIN, SYMBOLS_MORE_MAX);
        wanted.saturating_sub(self.received).max(share)
    }

    /// Takes in the next run.
    #[must_use]
    pub fn receive(mut self, run: &Run) -> Progress {
        let end = self.received.saturating_add(run.symbols.len());
        // A run of nothing would be asked for for ever.
        if run.first != self.received || run.symbols.is_empty() || end > self.symbols.len() {
            return Progress::Hopeless;
        }
        for (symbol, theirs) in self.symbols[self.received..end].iter_mut().zip(&run.symbols) {
            *symbol = symbol.plus(*theirs);
        }
        let new = (self.received..end).rev().collect();
        self.received = end;
        if !self.peel(new) {
            return Progress::Hopeless;
        }
        if self.symbols[0].is_zero() {
            let complete = self.symbols[..end].iter().all(|symbol| symbol.is_zero());
            return if complete { Progress::Decoded(self.found) } else { Progress::Hopeless };
        }
        if end == self.symbols.len() { Progress::Hopeless } else { Progress::NeedMore(self) }
    }

    /// Takes out what symbols show, beginning with `suspects`; says whether they can
    /// be a set's.
    fn peel(&mut self, mut suspects: Vec<usize>) -> bool {
        while let Some(index) = suspects.pop() {
            let Some(id) = shown(self.symbols[index], index) else {
                continue;
            };
            // Of a set each id is found once, in a symbol that is empty afterwards.
            if self.found.len() >= self.received || self.found.holds(id) {
                return false;
            }
            let count = self.symbols[index].count;
            let side = if count > 0 { &mut self.found.theirs } else { &mut self.found.ours };
            side.insert(id);
            let (check, mapping) = id.fingerprint();
            for index in mapping.within(0..self.symbols.len()) {
                self.symbols[index].change(id, check, -count);
                if index < self.received {
                    suspects.push(index);
                }
            }
        }
        true
    }
}

/// The id that a symbol of the difference shows, if it stands for one alone.
fn shown(symbol: CodedSymbol, index: usize) -> Option<ShortId> {
    if symbol.count != 1 && symbol.count != -1 {
        return None;
    }
    let id = ShortId(symbol.sum.to_be_bytes());
    let (check, mapping) = id.fingerprint();
    // One that is mapped elsewhere would stay when it is taken out.
    let is_mapped = || mapping.within(index..index + 1).next().is_some();
    (check == symbol.check && is_mapped()).then_some(id)
}

#[cfg(test)]
mod tests;
