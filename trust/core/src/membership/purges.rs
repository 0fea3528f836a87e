//! Which documents of a space were purged.
//!
//! A purge stands among the statements about who is in a space, since it is the right of an
//! admin: it names what its issuer knew, later statements name it, and a removal of its issuer
//! lets it stand that knows of it.

use std::collections::BTreeMap;

use node_model::{AttestationId, DocumentId};

use super::{Kind, Resolution};
use crate::attestation::{Attestation, Claim, Party};

pub(super) fn parts(statement: &Attestation) -> Option<(Party, Kind<'_>, &[AttestationId])> {
    let Claim::DocumentPurge { documents, after, .. } = &statement.claim else { return None };
    Some((Party::Agent(statement.issuer), Kind::Purge(documents), after))
}

impl Resolution<'_> {
    /// The documents that purges which count name, each with the one of the smallest id: all
    /// nodes that know it name the same evidence, and so does whoever decides again.
    pub(super) fn purged(&self) -> BTreeMap<DocumentId, Vec<AttestationId>> {
        let mut purged: BTreeMap<DocumentId, Vec<AttestationId>> = BTreeMap::new();
        let mut counting: Vec<_> = self
            .ops
            .iter()
            .filter_map(|op| match (&op.kind, op.counts) {
                (Kind::Purge(documents), Some((_, right))) => {
                    Some((op.statement.id, *documents, right))
                }
                (Kind::Grant(_) | Kind::Revocation(_) | Kind::Purge(_), _) => None,
            })
            .collect();
        counting.sort_unstable_by_key(|(id, ..)| *id);
        for (id, documents, right) in counting {
            for document in documents {
                purged.entry(*document).or_insert_with(|| {
                    let mut because = self.proof(right);
                    because.push(id);
                    because.sort_unstable();
                    because
                });
            }
        }
        purged
    }
}
