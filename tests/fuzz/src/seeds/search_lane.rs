//! What nodes say to each other on the search lane.

use node_core::search::{FoundHit, Message};
use node_model::DocumentId;

use crate::wire::SPACE;

pub(crate) fn search_messages() -> Vec<Vec<u8>> {
    let hit = |score| FoundHit {
        space: SPACE,
        document: DocumentId([7; 16]),
        kind: "note".into(),
        title: "Beds".into(),
        snippet: "compost goes on the beds".into(),
        score,
    };
    let messages = [
        Message::Ask { id: 1, text: "compost \"on the beds\"".into(), space: None, limit: 10 },
        Message::Ask { id: u64::MAX, text: String::new(), space: Some(SPACE), limit: 100 },
        Message::Found { id: 1, hits: vec![hit(1.0), hit(0.25), hit(0.0)], is_complete: true },
        Message::Found { id: 2, hits: vec![], is_complete: false },
    ];
    messages.iter().map(Message::encode).collect()
}
