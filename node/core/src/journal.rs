//! The decisions that were made, on their way into the journal.
//!
//! Invariant: they wait until the answer has left, for how long writing takes must not
//! tell whether there was something to write.

use std::time::Duration;

use node_model::Now;

use crate::node::Node;

/// How long a decision may wait until it is written down.
const JOURNAL_DELAY: Duration = Duration::from_secs(1);

/// Most denials that wait to be noted.
const DENIALS_MAX: usize = 1_024;

impl Node {
    /// Sees to it that what was decided is written down within a second.
    pub(crate) fn plan_journal(&mut self, now: Now) {
        if self.denials.len() >= DENIALS_MAX {
            self.note_denials();
        }
        let has_unwritten = self.trust.has_unwritten_decisions() || !self.denials.is_empty();
        if self.journal_at.is_none() && has_unwritten {
            self.journal_at = Some(now.monotonic + JOURNAL_DELAY);
        }
    }

    /// Makes decisions durable that are not yet; they do not wait for it longer than a
    /// second, and nobody waits for them.
    pub fn write_down_decisions(&mut self) {
        self.note_denials();
        if let Err(error) = self.trust.flush_journal() {
            tracing::warn!(%error, "could not write down what was decided");
        }
    }

    pub(crate) fn note_denials(&mut self) {
        let denials = std::mem::take(&mut self.denials);
        self.tell_denials(&denials);
        for (at, question, decision) in denials {
            self.trust.note_decision(at, question, &decision);
        }
    }
}
