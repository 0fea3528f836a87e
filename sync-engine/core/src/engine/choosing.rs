//! Parts that are chosen by a rule: who can read says which documents it chooses.
//!
//! A device with little room has neither the documents nor their names. It tells its rule to
//! peers who may read the space, who answer with ids, and with more when something new fits.
//!
//! Invariants: rules and answers go only to peers who may read and can ([`Capability::Rules`]); an answer that was not asked
//! for adds nothing; what was chosen stays chosen.
//! Non-goals: who may read, and keeping answers across a restart: the caller's.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{DeviceId, DocumentId, SpaceId};

use super::{EngineError, Output, SyncEngine};
use crate::{
    part::{SELECTED_MAX, Selection},
    reconcile::{Capability, Message, Session},
    rule::Rule,
    store::StoreError,
};

/// Rules that a peer may tell of a space while it is connected: each has all documents looked
/// at.
const RULES_MAX: u32 = 64;

/// What a peer who reads a space asked, and was asked.
#[derive(Default)]
struct Reader {
    /// The rule that it was told.
    told: Option<Rule>,
    /// Whether it answered.
    has_answered: bool,
    /// What it wants.
    wants: Option<Rule>,
    rules: u32,
}

/// Rules of this node, and of connected peers who may read.
#[derive(Default)]
pub(super) struct Choosing {
    rules: BTreeMap<SpaceId, Rule>,
    readers: BTreeMap<(SpaceId, DeviceId), Reader>,
}

impl Choosing {
    pub(super) fn disconnect(&mut self, peer: DeviceId) {
        self.readers.retain(|(_, other), _| *other != peer);
    }
}

impl SyncEngine {
    /// Keeps whatever a rule chooses of a space, beside what is kept anyway; an empty one is
    /// forgotten.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn choose_by(&mut self, space: SpaceId, rule: Rule) -> Result<(), EngineError> {
        if rule.is_empty() {
            self.choosing.rules.remove(&space);
        } else {
            self.choosing.rules.insert(space, rule);
        }
        let readers = self.choosing.readers.keys().filter(|(of, _)| *of == space);
        for (_, peer) in readers.copied().collect::<Vec<_>>() {
            self.tell_rule(space, peer);
        }
        let own = self.chosen(space, self.choosing.rules.get(&space).cloned().as_ref(), None)?;
        self.keep_chosen(space, own.unwrap_or_default())?;
        Ok(())
    }

    /// Which of the spaces shared with a connected peer it may read.
    pub fn read_with(&mut self, peer: DeviceId, spaces: &BTreeSet<SpaceId>) {
        self.choosing.readers.retain(|(space, other), _| *other != peer || spaces.contains(space));
        for space in spaces {
            self.choosing.readers.entry((*space, peer)).or_default();
            self.tell_rule(*space, peer);
        }
    }

    /// Whether somebody who may read said since they connected what the rule of a space
    /// chooses; `None` without a rule.
    #[must_use]
    pub fn has_answer(&self, space: SpaceId) -> Option<bool> {
        self.choosing.rules.get(&space)?;
        let of_space = (space, DeviceId([0; 32]))..=(space, DeviceId([255; 32]));
        Some(self.choosing.readers.range(of_space).any(|(_, reader)| reader.has_answered))
    }

    /// A peer said what it can do: tells it the rules that it may hear.
    pub(super) fn tell_rules(&mut self, peer: DeviceId) {
        let with_peer = self.choosing.readers.keys().filter(|(_, other)| *other == peer);
        for (space, _) in with_peer.copied().collect::<Vec<_>>() {
            self.tell_rule(space, peer);
        }
    }

    fn tell_rule(&mut self, space: SpaceId, peer: DeviceId) {
        if !self.able_with(peer).has(Capability::Rules) {
            return;
        }
        let Some(reader) = self.choosing.readers.get_mut(&(space, peer)) else { return };
        let rule = self.choosing.rules.get(&space).cloned();
        if reader.told != rule {
            (reader.told, reader.has_answered) = (rule.clone(), false);
            self.send(peer, &Message::Choose { space, rule });
        }
    }

    /// A peer says by which rule it chooses.
    pub(super) fn on_choose(
        &mut self,
        peer: DeviceId,
        space: SpaceId,
        rule: Option<Rule>,
    ) -> Result<(), StoreError> {
        if !self.able_with(peer).has(Capability::Rules) {
            return Ok(());
        }
        let Some(reader) = self.choosing.readers.get_mut(&(space, peer)) else { return Ok(()) };
        reader.rules += 1;
        if reader.rules > RULES_MAX {
            tracing::warn!(%peer, %space, "says too often what it chooses");
            return Ok(());
        }
        reader.wants.clone_from(&rule);
        match self.chosen(space, rule.as_ref(), None) {
            Ok(Some(documents)) => self.send_chosen(peer, space, documents),
            Ok(None) => {}
            Err(EngineError::Store(error)) => return Err(error),
            Err(error) => tracing::warn!(%peer, %space, %error, "cannot choose documents"),
        }
        Ok(())
    }

    fn send_chosen(&mut self, peer: DeviceId, space: SpaceId, documents: BTreeSet<DocumentId>) {
        let few = documents.into_iter().take(SELECTED_MAX).collect();
        if let Some(documents) = Selection::new(few).map(|few| few.to_bytes()) {
            self.send(peer, &Message::Chosen { space, documents });
        }
    }

    /// What a rule chooses, among all documents or some; `None` where nobody can say here.
    fn chosen(
        &mut self,
        space: SpaceId,
        rule: Option<&Rule>,
        among: Option<&BTreeSet<DocumentId>>,
    ) -> Result<Option<BTreeSet<DocumentId>>, EngineError> {
        let (Some(rule), Some(facts)) = (rule, self.spaces.get_mut(&space)) else {
            return Ok(None);
        };
        if !facts.is_readable() {
            return Ok(None);
        }
        let index = facts.index()?;
        let fits = |id: &DocumentId| index.get(id).is_some_and(|it| rule.chooses(it));
        Ok(Some(match among {
            None => index.keys().filter(|id| fits(id)).copied().collect(),
            Some(among) => among.iter().filter(|id| fits(id)).copied().collect(),
        }))
    }

    /// Documents changed, durably: tells those who want what they have become.
    pub(super) fn tell_chosen(&mut self, space: SpaceId, changed: &BTreeSet<DocumentId>) {
        let of_space = (space, DeviceId([0; 32]))..=(space, DeviceId([255; 32]));
        let wanting: Vec<_> = self
            .choosing
            .readers
            .range(of_space)
            .filter_map(|((_, peer), reader)| Some((*peer, reader.wants.clone()?)))
            .collect();
        for (peer, rule) in wanting {
            let session = self.sessions.get(&(space, peer));
            let lacking = session.map(|session| session.not_kept_there(changed));
            let lacking = lacking.filter(|lacking| !lacking.is_empty());
            match lacking.map(|lacking| self.chosen(space, Some(&rule), Some(&lacking))) {
                Some(Ok(Some(documents))) if !documents.is_empty() => {
                    self.send_chosen(peer, space, documents);
                }
                Some(Err(error)) => {
                    tracing::warn!(%peer, %space, %error, "cannot choose documents");
                }
                Some(Ok(_)) | None => {}
            }
        }
    }

    /// A peer says which documents our rule chooses.
    pub(super) fn on_chosen(
        &mut self,
        peer: DeviceId,
        space: SpaceId,
        documents: &[u8],
    ) -> Result<(), StoreError> {
        let reader = self.choosing.readers.get_mut(&(space, peer));
        let Some(reader) = reader.filter(|reader| reader.told.is_some()) else { return Ok(()) };
        reader.has_answered = true;
        let chosen = Selection::from_bytes(documents).map(|it| it.documents().clone());
        if self.keep_chosen(space, chosen.unwrap_or_default())? {
            self.outputs.push_back(Output::Chosen { space });
        }
        Ok(())
    }

    fn keep_chosen(
        &mut self,
        space: SpaceId,
        documents: BTreeSet<DocumentId>,
    ) -> Result<bool, StoreError> {
        let Some(facts) = self.spaces.get_mut(&space) else { return Ok(false) };
        let room = facts.kept().map_or(0, |kept| SELECTED_MAX - kept.documents().len());
        let new = documents.into_iter().filter(|document| !facts.keeps(*document));
        let new: BTreeSet<_> = new.take(room).collect();
        let has_grown = facts.keep_more(&new)?;
        if has_grown {
            self.say_kept(space)?;
        }
        Ok(has_grown)
    }
}

impl Session {
    /// Those of some documents that the peer does not keep.
    fn not_kept_there(&self, documents: &BTreeSet<DocumentId>) -> BTreeSet<DocumentId> {
        match self.theirs_kept() {
            Some(kept) => documents.difference(kept.documents()).copied().collect(),
            None => BTreeSet::new(),
        }
    }
}
