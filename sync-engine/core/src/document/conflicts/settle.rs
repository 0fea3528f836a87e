//! Decisions of people about a place, kept in the document itself.
//!
//! Under [`RESERVED_KEY`], the key `settled:` and the place's hash holds the
//! operation whose value was kept, as Automerge prints it, or nothing for a
//! deletion. The change that writes it overrules exactly what it knows of:
//! whatever somebody said about the place without knowing of the decision is a
//! conflict again. The format is in `docs/protocol/conflicts.md`.

use automerge::{
    AutoCommit, Automerge, AutomergeError, ObjId, ObjType, ROOT, ReadDoc, Value as AutomergeValue,
    transaction::Transactable,
};

use super::{
    escalate::answered,
    find::SIDES_MAX,
    touch::{OpKey, Part, Slot},
};
use crate::document::{
    RESERVED_KEY,
    graph::{Graph, Node},
};

/// What the names of decisions begin with.
pub(super) const PREFIX: &str = "settled:";

/// A decision.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) by: Node,
    /// The operation whose value was kept; `None` keeps a deletion.
    pub(super) kept: Option<OpKey>,
}

/// Name of a decision about a place within the reserved map.
pub(super) fn name(slot: &Slot) -> String {
    format!("{PREFIX}{}", place_hash(slot))
}

/// What names a place within the reserved map.
pub(super) fn place_hash(slot: &Slot) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("kith 2026-11 settled place");
    hasher.update(slot.object().to_string().as_bytes());
    match &slot.part {
        Part::Key(key) => hasher.update(b"\0key\0").update(key.as_bytes()),
        Part::Element(id) => hasher.update(b"\0element\0").update(id.to_string().as_bytes()),
    };
    let hash = hasher.finalize().to_hex();
    hash[..32].to_owned()
}

/// The decisions about a place of which none knows of another.
pub(super) fn settled(auto: &Automerge, graph: &Graph, slot: &Slot) -> Vec<Settled> {
    let name = name(slot);
    let mut found = Vec::new();
    // Two devices may have made the reserved map at the same time.
    for (_, own) in auto.get_all(ROOT, RESERVED_KEY).into_iter().flatten().take(SIDES_MAX) {
        for (value, id) in auto.get_all(&own, name.as_str()).into_iter().flatten().take(SIDES_MAX) {
            let by = auto.hash_for_opid(&id).and_then(|hash| graph.node(&hash));
            let kept = match &value {
                AutomergeValue::Scalar(scalar) => scalar.as_str(),
                AutomergeValue::Object(_) => None,
            };
            if let (Some(by), Some(kept)) = (by, kept) {
                found.push(Settled { by, kept: OpKey::parse(kept) });
            }
        }
    }
    found
}

/// Notes that whoever writes this decided for `kept`.
pub(super) fn settle(
    auto: &mut AutoCommit,
    slot: &Slot,
    kept: Option<&ObjId>,
) -> Result<(), AutomergeError> {
    let own = reserved(auto)?;
    answered(auto, slot)?;
    let name = name(slot);
    if auto.get(&own, name.as_str())?.is_some() {
        // Automerge leaves out a put of what is there already.
        auto.delete(&own, name.as_str())?;
    }
    auto.put(&own, name, kept.map_or_else(String::new, ToString::to_string))
}

/// The map of what is not content.
pub(super) fn reserved(auto: &mut AutoCommit) -> Result<ObjId, AutomergeError> {
    match auto.get(ROOT, RESERVED_KEY)? {
        Some((AutomergeValue::Object(ObjType::Map), own)) => Ok(own),
        Some(_) | None => auto.put_object(ROOT, RESERVED_KEY, ObjType::Map),
    }
}
