//! Two entries of one device under one number: its keys are in two places, or its disk was
//! set back.
//!
//! Invariant: both entries stay, here and wherever they go; they are the proof.
//! Non-goals: which of them is right; collisions below the newest entry of a device that is
//! here.

use std::collections::BTreeMap;

use node_model::{DeviceId, SpaceId};

use super::{Output, SyncEngine};
use crate::{
    entry::VerifiedEntry,
    store::{StoreError, Tip},
};

impl SyncEngine {
    /// Tells of entries that do not go on where their author was, and take a number twice.
    pub(super) fn look_for_forks(
        &mut self,
        space: SpaceId,
        entries: &[VerifiedEntry],
    ) -> Result<(), StoreError> {
        let Some(facts) = self.spaces.get(&space) else { return Ok(()) };
        let mut tips: BTreeMap<DeviceId, Option<Tip>> = BTreeMap::new();
        let mut forks = BTreeMap::new();
        for entry in entries {
            let (header, id) = (entry.header(), entry.id());
            let tip = match tips.get(&header.author) {
                Some(tip) => *tip,
                None => facts.store.tip(header.author)?,
            };
            if let Some(known) = tip {
                let is_twice = header.sequence == known.sequence && id != known.id;
                let is_next = Some(header.sequence) == known.sequence.checked_add(1);
                if is_twice || (is_next && header.prev != Some(known.id)) {
                    forks.insert(header.author, (known.id, id));
                }
            }
            let newest = Tip { sequence: header.sequence, id };
            let is_newer = tip.is_none_or(|known| newest.sequence > known.sequence);
            tips.insert(header.author, if is_newer { Some(newest) } else { tip });
        }
        let told = forks.into_iter().map(|(author, proof)| Output::Fork { space, author, proof });
        self.outputs.extend(told);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use node_model::DeviceId;

    use super::*;
    use crate::engine::testing::{Node, SPACE};

    fn forks(node: &mut Node) -> Vec<DeviceId> {
        let outputs = std::iter::from_fn(|| node.engine.poll_output());
        let authors = outputs.filter_map(|output| match output {
            Output::Fork { author, .. } => Some(author),
            Output::Send { .. }
            | Output::Verify { .. }
            | Output::Changed { .. }
            | Output::Chosen { .. }
            | Output::Equal { .. }
            | Output::Receipt { .. }
            | Output::Unreferenced { .. }
            | Output::Referenced { .. } => None,
        });
        authors.collect()
    }

    #[test]
    fn a_device_that_writes_in_two_places_is_noticed_by_others_and_by_itself() {
        let mut ada = Node::new(1, &[]);
        ada.begin();
        ada.add(2);
        let mut copy = Node::in_run(1, [9; 16], &ada.stored());
        let mut cyd = Node::new(3, &ada.stored());
        let device = ada.signer.device();

        ada.add(1);
        cyd.take(ada.stored());
        assert_eq!(forks(&mut cyd), [], "it goes on");
        copy.add(1);
        cyd.take(copy.stored());
        assert_eq!(forks(&mut cyd), [device], "the same number");
        assert_eq!(cyd.value()["list"].as_array().map(Vec::len), Some(4), "both stay");
        ada.take(copy.stored());
        assert_eq!(forks(&mut ada), [device], "its own");

        // Whoever hears of both at once, in any order.
        let both = [ada.stored(), copy.stored()].concat();
        for turn in 0..both.len() {
            let mut all = both.clone();
            all.rotate_left(turn);
            let mut eve = Node::new(4, &[]);
            eve.take(all);
            let noticed = forks(&mut eve);
            assert!(noticed.iter().all(|author| *author == device), "{noticed:?}");
        }
        let mut eve = Node::new(4, &[]);
        eve.take(both);
        assert_eq!(forks(&mut eve), [device]);
        assert_eq!(eve.engine.head(SPACE).map(|head| head.entries), Some(5));
    }

    #[test]
    fn what_comes_late_or_with_gaps_is_no_fork() {
        let mut ada = Node::new(1, &[]);
        ada.begin();
        ada.add(6);
        let mut again = Node::in_run(1, [7; 16], &ada.stored());
        again.add(2);
        let all = again.stored();
        let mut ben = Node::new(2, &[]);
        for some in [&all[3..4], &all[..2], &all[5..], &all[2..6], &all[..]] {
            ben.take(some.to_vec());
        }
        assert_eq!(forks(&mut ben), []);
    }
}
