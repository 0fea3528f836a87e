//! What people do: they write, change, remove, read and synchronise, at any node, at any time.

use std::time::Duration;

use node_core::{
    Request,
    request::{Layer, Meta, PastOf, PastRequest, PatchOp, Terms, WriteDocument, content_document},
};
use node_model::{BlobId, DocumentId};
use serde_json::{Value, json};

use crate::world::{Event, World};

/// Few documents, so that people meet in them.
const DOCUMENTS: usize = 5;

/// Few keys, for the same reason.
const KEYS: usize = 4;

/// Text of a bulky document; three of them are more than a page of entries.
const BULK_BYTES: usize = 200_000;

/// What a request was made for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// The set-up waits for it.
    SetUp,
    /// A write.
    Write {
        /// To which documents.
        documents: Vec<DocumentId>,
        /// A value that the first of them has afterwards, and where.
        mark: Option<(String, Value)>,
        /// Whether it removes the document.
        is_removal: bool,
    },
    /// A ticket for a machine that comes in.
    Ticket { machine: usize },
    /// A machine accepts its ticket.
    Pair { machine: usize },
    /// A machine confirms the code.
    Join,
    /// A machine's agent becomes a writer.
    Grant { machine: usize },
    /// A machine's agent is removed, or leaves.
    Removal,
    /// Somebody says what they keep for somebody else.
    Relation,
    /// Synchronisation.
    Sync,
    /// A question.
    Read,
}

impl World {
    /// Enters what people do within the next `length` into the agenda.
    pub(crate) fn plan_work(&mut self, length: Duration) {
        for _ in 0..15 + self.work.below(30) {
            let at = self.work.between_ms(0..length.as_millis() as u64);
            self.stage.agenda.after(at, Event::Work);
        }
    }

    /// Somebody does one thing.
    pub(crate) fn somebody_works(&mut self) {
        let machine = self.work.below(self.machines.len());
        if self.machines[machine].process.is_none() {
            return;
        }
        let (request, asked) = match self.work.below(100) {
            0..30 => self.write(machine),
            30..55 => self.set(),
            55..72 => self.patch(),
            72..78 => self.remove(),
            78..84 => self.sync(),
            84..86 => self.relate(machine),
            _ => self.read(),
        };
        self.request(machine, request, asked);
    }

    fn document(&mut self) -> DocumentId {
        let number = self.work.below(DOCUMENTS);
        content_document(self.space, &format!("document {number}"))
    }

    /// A value that nobody wrote before.
    fn mark(&mut self) -> Value {
        json!(self.work.number())
    }

    fn write(&mut self, machine: usize) -> (Request, Asked) {
        let space = self.space;
        let mark = self.mark();
        let mut documents: Vec<WriteDocument> = Vec::new();
        let is_several = self.work.chance(250);
        for _ in 0..if is_several { 2 + self.work.below(2) } else { 1 } {
            let document = self.document();
            if documents.iter().any(|other| other.document == document) {
                continue;
            }
            let mut value = json!({ "title": "A page", "list": [1, 2], "k0": mark });
            if self.work.chance(150) {
                value["picture"] = json!({ "blob": self.keep_blob(machine).to_string() });
            }
            if self.is_bulky && self.work.chance(500) {
                value["bulk"] = json!(self.bulk());
            }
            let meta = Meta { kind: "page".to_owned(), app: None, path: None, source: None };
            documents.push(WriteDocument { document, meta, value });
        }
        let asked = Asked::Write {
            documents: documents.iter().map(|written| written.document).collect(),
            mark: Some(("/k0".to_owned(), mark)),
            is_removal: false,
        };
        (Request::WriteDocuments { space, documents }, asked)
    }

    /// Puts a blob on the machine's disk, as a person does before they refer to it.
    fn keep_blob(&mut self, machine: usize) -> BlobId {
        let blob = BlobId(self.work.bytes());
        self.network.fetches.hold(machine, blob);
        self.reference.blobs.insert(blob);
        if let Some(process) = self.machines[machine].process.as_mut() {
            process.inbox.push_back(node_core::Input::BlobsHeld(vec![(blob, 1)]));
        }
        blob
    }

    /// Text that does not compress to nothing.
    fn bulk(&mut self) -> String {
        let mut text = String::with_capacity(BULK_BYTES);
        while text.len() < BULK_BYTES {
            text.push_str(&format!("{:016x}", self.work.number()));
        }
        text
    }

    fn set(&mut self) -> (Request, Asked) {
        let (space, document, value) = (self.space, self.document(), self.mark());
        let path = format!("/k{}", self.work.below(KEYS));
        let mark = Some((path.clone(), value.clone()));
        let asked = Asked::Write { documents: vec![document], mark, is_removal: false };
        (Request::SetValue { space, document, path, value }, asked)
    }

    fn patch(&mut self) -> (Request, Asked) {
        let (space, document, value) = (self.space, self.document(), self.mark());
        let path = format!("/k{}", self.work.below(KEYS));
        let mark = Some((path.clone(), value.clone()));
        let item = json!(self.work.below(100));
        let mut operations = vec![
            PatchOp::Add { path, value },
            PatchOp::Add { path: "/list/0".to_owned(), value: item },
        ];
        if self.work.chance(200) {
            operations.push(PatchOp::Remove { path: "/list/1".to_owned() });
        }
        if self.work.chance(100) {
            let path = "/title".to_owned();
            operations.push(PatchOp::Test { path, value: json!("Another page") });
        }
        let asked = Asked::Write { documents: vec![document], mark, is_removal: false };
        (Request::Patch { space, document, operations }, asked)
    }

    fn remove(&mut self) -> (Request, Asked) {
        let (space, document) = (self.space, self.document());
        let asked = Asked::Write { documents: vec![document], mark: None, is_removal: true };
        (Request::RemoveDocument { space, document }, asked)
    }

    fn sync(&mut self) -> (Request, Asked) {
        let is_full = self.work.chance(300);
        (Request::Sync { device: None, is_full }, Asked::Sync)
    }

    /// Who keeps what for whom comes and goes, and how much.
    fn relate(&mut self, machine: usize) -> (Request, Asked) {
        let others: Vec<usize> = (0..self.machines.len()).filter(|it| *it != machine).collect();
        let other = others[self.work.below(others.len())];
        let terms = Terms {
            keeps_for_them: self.work.chance(700),
            lets_them_keep: self.work.chance(700),
            quota_bytes: if self.work.chance(500) { 1_000 } else { u64::MAX },
            ..Terms::of(Layer::Reciprocal)
        };
        let agent = self.machines[other].agent;
        (Request::Relate { agent, terms, lifetime: None }, Asked::Relation)
    }

    fn read(&mut self) -> (Request, Asked) {
        let (space, document) = (self.space, self.document());
        let request = match self.work.below(4) {
            0 => Request::ReadDocument { space, document },
            1 => {
                let of = PastOf::History { before: None, limit: 20 };
                Request::Past(PastRequest { space, document, of })
            }
            2 => Request::Documents { space },
            _ => Request::Status,
        };
        (request, Asked::Read)
    }
}
