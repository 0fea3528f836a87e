//! Ids of documents that are derived from what they are called.

use node_model::{DocumentId, SpaceId};

/// The document for a content item with this `id`, the same on every node.
#[must_use]
pub fn content_document(space: SpaceId, content_id: &str) -> DocumentId {
    derived_document("kith 2026-11 document of a content id", space, content_id)
}

/// The document for an imported file at this path.
#[must_use]
pub fn path_document(space: SpaceId, path: &str) -> DocumentId {
    derived_document("kith 2026-11 document of a path", space, path)
}

fn derived_document(context: &str, space: SpaceId, name: &str) -> DocumentId {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(&space.0).update(name.as_bytes());
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    DocumentId(id)
}
