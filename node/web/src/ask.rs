//! What a page asks, and what it is answered: the same words as at `/api/v1`.

use node_core::{
    Failure, FailureKind, Request, Response,
    request::{DocumentView, Meta, PatchOp, Reach, Status, Summary, WriteDocument},
};
use node_model::{
    DeviceId, DocumentId, SpaceId,
    ticket::{Ticket, TicketError},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The type of a document that nobody gave one.
const TYPE: &str = "json";

/// A question.
#[derive(Debug, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// Who is this?
    Identity,
    /// Accept a ticket; the answer is a code to compare.
    Pair {
        /// The ticket.
        ticket: String,
    },
    /// The codes were compared.
    Confirm {
        /// With whom.
        device: DeviceId,
        /// Whether they are equal.
        is_same: bool,
    },
    /// Spaces and peers, and how they stand.
    Status,
    /// Found a space.
    Found {
        /// Its name.
        name: String,
    },
    /// Documents of a space.
    Docs {
        /// Which space.
        space: SpaceId,
    },
    /// One document.
    Read {
        /// Its space.
        space: SpaceId,
        /// Which.
        doc: DocumentId,
    },
    /// Write a new document.
    Create {
        /// Where.
        space: SpaceId,
        /// What it is; `json` unless said.
        r#type: Option<String>,
        /// Stands in the value unless there is one.
        title: Option<String>,
        /// What it holds.
        value: Map<String, Value>,
    },
    /// Set one value.
    Set {
        /// Its space.
        space: SpaceId,
        /// Which document.
        doc: DocumentId,
        /// JSON Pointer, or a key.
        path: String,
        /// The value.
        value: Value,
    },
    /// Change a document by a JSON Patch.
    Patch {
        /// Its space.
        space: SpaceId,
        /// Which document.
        doc: DocumentId,
        /// The operations.
        operations: Vec<PatchOp>,
    },
    /// Remove a document.
    Remove {
        /// Its space.
        space: SpaceId,
        /// Which.
        doc: DocumentId,
    },
}

impl Ask {
    /// What that is for the node. `new_id` is for a document, if one is made.
    pub(crate) fn request(self, new_id: DocumentId) -> Result<Request, Failure> {
        Ok(match self {
            Self::Identity => Request::Identity,
            Self::Pair { ticket } => {
                let ticket: Ticket = ticket.parse().map_err(|error: TicketError| {
                    let fix = "copy the whole invitation, from kith1 to its end";
                    Failure::new(FailureKind::Invalid, error.to_string(), fix)
                })?;
                Request::Pair { ticket, is_link: false }
            }
            Self::Confirm { device, is_same } => Request::ConfirmPairing { device, is_same },
            Self::Status => Request::Status,
            Self::Found { name } => {
                Request::FoundSpace { name, reach: Reach::Private, has_open_history: true }
            }
            Self::Docs { space } => Request::Documents { space },
            Self::Read { space, doc } => Request::ReadDocument { space, document: doc },
            Self::Create { space, r#type, title, mut value } => {
                if let Some(title) = title {
                    value.entry("title").or_insert(Value::String(title));
                }
                let kind = r#type.unwrap_or_else(|| TYPE.to_owned());
                let meta = Meta { kind, app: None, path: None, source: None };
                let value = Value::Object(value);
                let documents = vec![WriteDocument { document: new_id, meta, value }];
                Request::WriteDocuments { space, documents }
            }
            Self::Set { space, doc, path, value } => {
                Request::SetValue { space, document: doc, path, value }
            }
            Self::Patch { space, doc, operations } => {
                Request::Patch { space, document: doc, operations }
            }
            Self::Remove { space, doc } => Request::RemoveDocument { space, document: doc },
        })
    }
}

/// The answer in the words of the page; `None` for one that no question here has.
pub(crate) fn answer(response: Response) -> Option<Value> {
    Some(match response {
        Response::Identity(identity) => json!({
            "node": identity.device, "agent": identity.agent,
            "name": identity.name, "device_name": identity.device_name,
        }),
        Response::PairingCode { device, code } => json!({"device": device, "code": code}),
        Response::Paired { device, agent, name, layer: _ } => {
            json!({"device": device, "agent": agent, "name": name})
        }
        Response::Status(status) => all(status),
        Response::Space(info) => json!({"space": info.space, "name": info.name}),
        Response::Documents(summaries) => {
            let line = |it: Summary| {
                let (kind, title) = (it.kind, it.title);
                json!({"doc": it.document, "type": kind, "title": title, "path": it.path})
            };
            json!({"docs": summaries.into_iter().map(line).collect::<Vec<_>>()})
        }
        Response::Document(view) => document(view),
        Response::Written(written) => {
            let (doc, heads) = written.into_iter().next()?;
            json!({"doc": doc, "heads": heads})
        }
        Response::Done
        | Response::Ticket(_)
        | Response::Linked { .. }
        | Response::Pairings(_)
        | Response::Spaces(_)
        | Response::Offers(_)
        | Response::Circles(_)
        | Response::Members(_)
        | Response::Custody(_)
        | Response::Agent(_)
        | Response::Relations(_)
        | Response::PeersFound(_)
        | Response::Devices(_)
        | Response::Clusters(_)
        | Response::Why { .. }
        | Response::Findings(_)
        | Response::Found(_)
        | Response::Purged(_)
        | Response::Conflict(_)
        | Response::History(_)
        | Response::Changes(_)
        | Response::Arrivals(_)
        | Response::Unwritten(_)
        | Response::Looked(_)
        | Response::BlobSecret(_)
        | Response::Blobs(_)
        | Response::Peers(_)
        | Response::Synced(_)
        | Response::Pack(_)
        | Response::Doorway(_) => return None,
    })
}

fn all(status: Status) -> Value {
    let spaces = status.spaces.into_iter().filter(|it| !it.info.is_circle).map(|it| {
        json!({
            "space": it.info.space, "name": it.info.name,
            "role": it.info.role.map(|role| role.word()), "home": it.info.is_home,
            "documents": it.documents, "entries": it.entries,
            "safe_entries": it.safe_entries, "state": it.state.word(),
        })
    });
    let peers = status.peers.into_iter().map(|it| {
        json!({
            "device": it.device, "agent": it.agent, "name": it.name,
            "connected": it.is_connected, "state": it.state.word(),
        })
    });
    json!({"spaces": spaces.collect::<Vec<_>>(), "peers": peers.collect::<Vec<_>>()})
}

fn document(view: DocumentView) -> Value {
    let durability = view.durability.map_or("local", |durability| durability.word());
    json!({
        "doc": view.document, "heads": view.heads, "type": view.meta.kind,
        "title": view.title(), "path": view.meta.path,
        "value": view.value, "durability": durability, "refused": view.refused,
    })
}

/// A failure in the words of the page.
pub(crate) fn failure(failure: &Failure) -> Value {
    json!({
        "code": failure.kind.code(), "message": failure.message,
        "state": failure.state, "fix": failure.fix,
    })
}
