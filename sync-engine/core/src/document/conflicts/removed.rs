//! A document that was removed while somebody else changed it.
//!
//! A tombstone names the changes that it knew of. What it did not know of is the
//! conflict. To keep it removed is to write another tombstone, which knows them;
//! so nothing else needs to be noted. A tombstone is never undone: a peer that
//! comes late would not know. To restore is to write the content into a new
//! document.

use std::collections::BTreeSet;

use node_model::DocumentId;

use super::{Before, Conflict, ConflictId, ConflictKind, Conflicts, Side, View, id_of};
use crate::document::{
    Document,
    graph::{Node, Window},
};

impl Document {
    pub(super) fn removal_conflicts(&mut self) -> Conflicts {
        let graph = self.intake.graph();
        let said = self.tombstones.values().flatten();
        let known: Vec<Node> = said.clone().filter_map(|hash| graph.node(hash)).collect();
        let is_complete = said.clone().all(|hash| graph.node(hash).is_some());
        let unknown = graph.unknown_to(&known);
        let mut conflicts = Conflicts { items: vec![], is_complete, changes_read: unknown.len() };
        if unknown.is_empty() {
            return conflicts;
        }
        let said = unknown.iter().map(|node| graph.hash(*node).to_string());
        let said: BTreeSet<String> = said.collect();
        let shown =
            Side { value: None, entries: self.tombstones.keys().copied().collect(), at: None };
        let mut other = Side { value: Some(self.value()), entries: BTreeSet::new(), at: None };
        let ends = graph.ends_of(&unknown).into_iter().collect();
        let auto = self.auto.document();
        let window = Window::new(graph, 0, 0);
        View { auto, window, intake: &self.intake }.add_entries(&mut other, &ends);
        conflicts.items.push(Conflict {
            id: id_of(said.into_iter()),
            place: String::new(),
            kind: ConflictKind::RemovedDocument,
            shown,
            others: vec![other],
            before: Before::Unknown,
            asked: vec![],
        });
        conflicts
    }
}

/// The document that a removed one is restored as, the same for everybody who
/// restores it because of the same conflict.
#[must_use]
pub fn restored_document(removed: DocumentId, conflict: ConflictId) -> DocumentId {
    let mut hasher = blake3::Hasher::new_derive_key("kith 2026-11 restored document");
    hasher.update(&removed.0).update(conflict.to_string().as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    DocumentId(id)
}
