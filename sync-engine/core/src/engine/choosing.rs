//! Parts that are chosen by a rule: who can read says which documents it chooses.
//!
//! A device with little room has neither the documents nor their names. It tells its rule to
//! peers who may read the space, who answer with ids, and with more when something new fits.
//!
//! Invariants: rules and answers go only to peers who may read and can ([`Capability::Rules`]);
//! an answer that was not asked for adds nothing; what was chosen stays chosen; no document is
//! loaded for an answer but those that just changed.
//! Non-goals: who may read, keeping answers across a restart, and listing a space before what
//! is owed is answered: the caller's.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

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

/// Changed documents that are looked at for an answer at once; more are left for the list.
const LOOKS_MAX: usize = 32;

/// What a peer asked of a space, and was asked.
#[derive(Default)]
struct Reader {
    /// Nothing is told, asked or answered otherwise.
    may_read: bool,
    /// The rule that it was told.
    told: Option<Rule>,
    /// Whether it answered.
    has_answered: bool,
    /// What it wants.
    wants: Option<Rule>,
    /// Whether it waits for all that this chooses.
    is_owed: bool,
    rules: u32,
}

/// Rules of this node, and of connected peers who may read.
#[derive(Default)]
pub(super) struct Choosing {
    rules: BTreeMap<SpaceId, Rule>,
    /// Spaces of which our own rule has not chosen among what is here.
    own_owed: BTreeSet<SpaceId>,
    readers: BTreeMap<(SpaceId, DeviceId), Reader>,
}

impl Choosing {
    pub(super) fn disconnect(&mut self, peer: DeviceId) {
        self.readers.retain(|(_, other), _| *other != peer);
    }
}

/// All peers in a space.
fn with_all(space: SpaceId) -> RangeInclusive<(SpaceId, DeviceId)> {
    (space, DeviceId([0; 32]))..=(space, DeviceId([255; 32]))
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
            self.choosing.own_owed.remove(&space);
        } else {
            self.choosing.rules.insert(space, rule);
            self.choosing.own_owed.insert(space);
        }
        let readers = self.choosing.readers.keys().filter(|(of, _)| *of == space);
        for (_, peer) in readers.copied().collect::<Vec<_>>() {
            self.tell_rule(space, peer);
        }
        Ok(())
    }

    /// Which of the spaces shared with a connected peer it may read.
    pub fn read_with(&mut self, peer: DeviceId, spaces: &BTreeSet<SpaceId>) {
        for ((space, other), reader) in &mut self.choosing.readers {
            if *other == peer && !spaces.contains(space) {
                let (wants, rules) = (reader.wants.take(), reader.rules);
                *reader = Reader { wants, is_owed: true, rules, ..Reader::default() };
            }
        }
        for space in spaces {
            self.choosing.readers.entry((*space, peer)).or_default().may_read = true;
            self.tell_rule(*space, peer);
        }
    }

    /// Whether somebody who may read said since they connected what the rule of a space
    /// chooses; `None` without a rule.
    #[must_use]
    pub fn has_answer(&self, space: SpaceId) -> Option<bool> {
        self.choosing.rules.get(&space)?;
        let mut readers = self.choosing.readers.range(with_all(space));
        Some(readers.any(|(_, reader)| reader.has_answered))
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
        let reader = self.choosing.readers.get_mut(&(space, peer));
        let Some(reader) = reader.filter(|reader| reader.may_read) else { return };
        let rule = self.choosing.rules.get(&space).cloned();
        if reader.told != rule {
            (reader.told, reader.has_answered) = (rule.clone(), false);
            self.send(peer, &Message::Choose { space, rule });
        }
    }

    /// A peer says by which rule it chooses. It is answered once it may read.
    pub(super) fn on_choose(&mut self, peer: DeviceId, space: SpaceId, rule: Option<Rule>) {
        if !self.spaces.contains_key(&space) {
            return;
        }
        let reader = self.choosing.readers.entry((space, peer)).or_default();
        reader.rules += 1;
        if reader.rules > RULES_MAX {
            tracing::warn!(%peer, %space, "says too often what it chooses");
            return;
        }
        reader.is_owed = rule.is_some();
        reader.wants = rule;
    }

    /// Keys came, or entries came back: more of a space may fit.
    pub(super) fn choose_again(&mut self, space: SpaceId) {
        if self.choosing.rules.contains_key(&space) {
            self.choosing.own_owed.insert(space);
        }
        for (_, reader) in self.choosing.readers.range_mut(with_all(space)) {
            reader.is_owed = reader.wants.is_some();
        }
    }

    /// Readable spaces of which somebody waits for all that a rule chooses: they are listed
    /// first.
    #[must_use]
    pub fn owed_choices(&self) -> BTreeSet<SpaceId> {
        let mut owed = self.choosing.own_owed.clone();
        let readers = self.choosing.readers.iter();
        let waiting = readers.filter(|((_, peer), reader)| self.owes(*peer, reader).is_some());
        owed.extend(waiting.map(|((space, _), _)| *space));
        owed.retain(|space| self.spaces.get(space).is_some_and(|it| it.is_readable()));
        owed
    }

    /// Answers those who wait for what their rules choose of a space, which was listed.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn answer_choices(&mut self, space: SpaceId) -> Result<(), EngineError> {
        if self.choosing.own_owed.remove(&space) {
            let own = self.choosing.rules.get(&space).cloned();
            let own = own.map(|rule| self.chosen(space, &rule, None)).transpose()?.flatten();
            self.keep_chosen(space, own.unwrap_or_default())?;
        }
        let readers = self.choosing.readers.range(with_all(space));
        let waiting = readers
            .filter_map(|((_, peer), reader)| Some((*peer, self.owes(*peer, reader)?.clone())));
        for (peer, rule) in waiting.collect::<Vec<_>>() {
            if let Some(reader) = self.choosing.readers.get_mut(&(space, peer)) {
                reader.is_owed = false;
            }
            if let Some(documents) = self.chosen(space, &rule, None)? {
                self.send_chosen(peer, space, documents);
            }
        }
        Ok(())
    }

    /// The rule of a peer that waits for all that it chooses, if it may hear that and can.
    fn owes<'a>(&self, peer: DeviceId, reader: &'a Reader) -> Option<&'a Rule> {
        let is_able = self.able_with(peer).has(Capability::Rules);
        reader.wants.as_ref().filter(|_| is_able && reader.may_read && reader.is_owed)
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
        rule: &Rule,
        among: Option<&BTreeSet<DocumentId>>,
    ) -> Result<Option<BTreeSet<DocumentId>>, EngineError> {
        let facts = self.spaces.get_mut(&space).filter(|facts| facts.is_readable());
        let Some(facts) = facts else { return Ok(None) };
        let index = facts.index()?;
        let fits = |id: &DocumentId| index.get(id).is_some_and(|it| rule.chooses(it));
        Ok(Some(match among {
            None => index.keys().filter(|id| fits(id)).copied().collect(),
            Some(among) => among.iter().filter(|id| fits(id)).copied().collect(),
        }))
    }

    /// Documents changed, durably: tells those who want what they have become.
    pub(super) fn tell_chosen(&mut self, space: SpaceId, changed: &BTreeSet<DocumentId>) {
        let readers = self.choosing.readers.range(with_all(space));
        let wanting = readers.filter(|(_, it)| it.may_read && !it.is_owed && it.wants.is_some());
        let wanting: Vec<DeviceId> = wanting.map(|((_, peer), _)| *peer).collect();
        if wanting.is_empty() {
            return;
        }
        let facts = self.spaces.get_mut(&space);
        match facts.map_or(Ok(false), |facts| facts.is_listed_but(changed, LOOKS_MAX)) {
            Ok(true) => {}
            Ok(false) => return self.choose_again(space),
            Err(error) => tracing::warn!(%space, %error, "cannot choose documents"),
        }
        for peer in wanting {
            if let Err(error) = self.tell_chosen_to(peer, space, changed) {
                tracing::warn!(%peer, %space, %error, "cannot choose documents");
            }
        }
    }

    fn tell_chosen_to(
        &mut self,
        peer: DeviceId,
        space: SpaceId,
        changed: &BTreeSet<DocumentId>,
    ) -> Result<(), EngineError> {
        let session = self.sessions.get(&(space, peer));
        // Whoever chooses keeps a part; which one it may not have said yet.
        let kept = session.and_then(Session::theirs_kept);
        let lacking: BTreeSet<DocumentId> = match kept {
            Some(kept) => changed.difference(kept.documents()).copied().collect(),
            None => changed.clone(),
        };
        let reader = self.choosing.readers.get(&(space, peer));
        let rule = reader.and_then(|reader| reader.wants.clone());
        if let Some(rule) = rule.filter(|_| !lacking.is_empty())
            && let Some(documents) = self.chosen(space, &rule, Some(&lacking))?
            && !documents.is_empty()
        {
            self.send_chosen(peer, space, documents);
        }
        Ok(())
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
