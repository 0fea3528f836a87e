//! Which statements are here with all that their issuers knew.

use std::collections::BTreeSet;

use node_model::AttestationId;

use crate::attestation::Attestation;

/// All statements that are here, and what was found out about them.
pub(super) struct Known<'a> {
    by_id: Vec<&'a Attestation>,
    whole: BTreeSet<AttestationId>,
}

impl<'a> Known<'a> {
    /// Statements in the order of their ids.
    pub(super) fn new(by_id: Vec<&'a Attestation>) -> Self {
        Self { by_id, whole: BTreeSet::new() }
    }

    /// Whether a statement is here with all that it is after.
    pub(super) fn holds(&mut self, id: AttestationId) -> bool {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![id];
        while let Some(id) = waiting.pop() {
            if self.whole.contains(&id) || !seen.insert(id) {
                continue;
            }
            let Ok(place) = self.by_id.binary_search_by_key(&id, |said| said.id) else {
                return false;
            };
            waiting.extend(self.by_id[place].claim.after());
        }
        self.whole.append(&mut seen);
        true
    }
}
