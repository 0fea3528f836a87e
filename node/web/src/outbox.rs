//! What the script is to do, while it is put together.

use serde_json::{Value, json};

use crate::{message::Message, records::Change};

/// Effects in their order, and the bytes that they refer to.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    effects: Vec<Value>,
    pieces: Vec<Vec<u8>>,
}

impl Outbox {
    pub(crate) fn push(&mut self, effect: Value) {
        self.effects.push(effect);
    }

    /// A piece, by the number that an effect refers to it with.
    pub(crate) fn piece(&mut self, bytes: Vec<u8>) -> usize {
        self.pieces.push(bytes);
        self.pieces.len() - 1
    }

    /// The message: what has to be kept before anything else, then all effects, and when the
    /// node wants to be woken. New keys come even before: records without the keys that open
    /// them would be worth nothing, keys without records begin anew.
    pub(crate) fn finish(mut self, changes: Vec<Change>, wake_ms: Option<u64>) -> Message {
        if !changes.is_empty() {
            let (mut puts, mut deletes) = (Vec::new(), Vec::new());
            for change in changes {
                match change {
                    Change::Put(key, value) => puts.push([self.piece(key), self.piece(value)]),
                    Change::Delete(key) => deletes.push(self.piece(key)),
                }
            }
            let keep = json!({"do": "keep", "puts": puts, "deletes": deletes});
            let after_keys = self.effects.first().is_some_and(|first| first["do"] == "keys");
            self.effects.insert(usize::from(after_keys), keep);
        }
        let json = json!({"effects": self.effects, "wake_ms": wake_ms});
        Message { json, pieces: self.pieces }
    }
}
