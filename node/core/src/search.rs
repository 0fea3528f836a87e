//! Words that are looked for at connected people, too, in the spaces that both sides read.
//!
//! The index is beside the node: what a peer asks becomes an effect, and whoever has the index
//! answers with a request.
//!
//! Invariants: nobody is told of a document in a space that they may not read, neither who asks
//! nor who answers; a question is over when everybody answered or its time is.
//! Non-goals: asking further than one step, and what is worth how much.

mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use data_plane_core::net::Lane;
use node_model::{AgentId, DeviceId, Now, SpaceId};
use trust_core::{Action, Question, Role};

pub use self::wire::{
    FoundHit, HITS_MAX, MESSAGE_BYTES_MAX, Message, SNIPPET_BYTES_MAX, TEXT_BYTES_MAX,
    TITLE_BYTES_MAX,
};
use crate::{
    effect::Effect,
    failure::{Failure, FailureKind},
    node::{Node, RequestId},
    request::Response,
};

/// How long each of those who were asked may take: what one search takes at most, and the way
/// there and back.
const ANSWER_MAX: Duration = Duration::from_secs(6);

/// Questions of one peer that are answered at a time; more are not.
const ASKED_MAX: usize = 4;

/// What a node is asked about searching.
#[derive(Clone, Debug)]
pub enum SearchRequest {
    /// Asks everybody who is connected and reads a space that we read.
    /// → [`Response::PeersFound`]
    Ask {
        /// The words.
        text: String,
        /// Only in this space.
        space: Option<SpaceId>,
        /// How many results of each at most.
        limit: u8,
    },
    /// Answers [`Effect::Search`]. → [`Response::Done`]
    Answer {
        /// Who asked.
        device: DeviceId,
        /// Which question of theirs.
        question: u64,
        /// Best first.
        hits: Vec<FoundHit>,
        /// Whether everything was looked through.
        is_complete: bool,
    },
}

/// What a peer found.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerFound {
    /// Which.
    pub device: DeviceId,
    /// Whose.
    pub agent: AgentId,
    /// What they want to be called.
    pub name: String,
    /// Best first; `None` where no answer came in time.
    pub hits: Option<Vec<FoundHit>>,
    /// Whether everything was looked through.
    pub is_complete: bool,
    /// How long it took.
    pub took: Duration,
}

/// A question of ours.
#[derive(Debug)]
struct Open {
    request: RequestId,
    limit: u8,
    asked_at: Duration,
    /// Whom, and in which spaces.
    waiting: BTreeMap<DeviceId, BTreeSet<SpaceId>>,
    found: Vec<PeerFound>,
}

/// Questions, ours and those of others.
#[derive(Debug, Default)]
pub(crate) struct Searches {
    next: u64,
    open: BTreeMap<u64, Open>,
    asked: BTreeMap<DeviceId, BTreeSet<u64>>,
}

impl Searches {
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.open.values().map(|open| open.asked_at + ANSWER_MAX).min()
    }
}

impl Node {
    pub(crate) fn serve_search(&mut self, now: Now, id: RequestId, request: SearchRequest) {
        match request {
            SearchRequest::Ask { text, space, limit } => {
                self.ask_peers(now, id, text, space, limit)
            }
            SearchRequest::Answer { device, question, hits, is_complete } => {
                self.answer_peer(device, question, hits, is_complete);
                self.reply(id, Ok(Response::Done));
            }
        }
    }

    fn ask_peers(
        &mut self,
        now: Now,
        id: RequestId,
        text: String,
        space: Option<SpaceId>,
        limit: u8,
    ) {
        if text.len() > TEXT_BYTES_MAX || !(1..=HITS_MAX).contains(&usize::from(limit)) {
            let message = format!("a question has {TEXT_BYTES_MAX} bytes at most");
            let fix = "kith search \"two words\"";
            self.reply(id, Err(Failure::new(FailureKind::Invalid, message, fix)));
            return;
        }
        if let Some(Err(failure)) = space.map(|space| self.need_role(space, Role::Reader)) {
            self.reply(id, Err(failure));
            return;
        }
        let connected: Vec<DeviceId> = self.data.connected().collect();
        let waiting: BTreeMap<DeviceId, BTreeSet<SpaceId>> = connected
            .into_iter()
            .map(|device| (device, self.searchable(device, space)))
            .filter(|(_, spaces)| !spaces.is_empty())
            .collect();
        let question = self.searches.next;
        self.searches.next += 1;
        let ask = Message::Ask { id: question, text, space, limit }.encode();
        for device in waiting.keys() {
            self.send(*device, Lane::Search, ask.clone());
        }
        let open = Open { request: id, limit, asked_at: now.monotonic, waiting, found: vec![] };
        self.searches.open.insert(question, open);
        self.end_searches(now);
    }

    /// Spaces of which both this node and a device may be told what is in them.
    fn searchable(&self, device: DeviceId, only: Option<SpaceId>) -> BTreeSet<SpaceId> {
        let Some(agent) = self.trust.agent_of(device) else { return BTreeSet::new() };
        let spaces = self.shares.get(&device).map(|share| &share.spaces);
        let both = spaces.map(|spaces| self.read_by(agent, spaces)).unwrap_or_default();
        let is_meant = |space: &SpaceId| {
            let question = Question { device, action: Action::Hold(*space) };
            only.is_none_or(|only| only == *space)
                && self.need_role(*space, Role::Reader).is_ok()
                && self.trust.decide(question).is_allowed()
        };
        both.into_iter().filter(is_meant).collect()
    }

    pub(crate) fn receive_search(&mut self, now: Now, device: DeviceId, frame: &[u8]) {
        match Message::decode(frame) {
            Ok(Message::Ask { id, text, space, limit }) => {
                self.asked_by(device, id, text, space, limit);
            }
            Ok(Message::Found { id, hits, is_complete }) => {
                self.found_by(now, device, id, hits, is_complete);
            }
            Err(error) => tracing::warn!(%device, %error, "bad search frame"),
        }
    }

    fn asked_by(
        &mut self,
        device: DeviceId,
        question: u64,
        text: String,
        space: Option<SpaceId>,
        limit: u8,
    ) {
        let spaces = self.searchable(device, space);
        if spaces.is_empty() {
            // The same for a space that is not theirs as for one that nobody knows.
            let none = Message::Found { id: question, hits: vec![], is_complete: true };
            self.send(device, Lane::Search, none.encode());
            return;
        }
        let asked = self.searches.asked.entry(device).or_default();
        if asked.len() >= ASKED_MAX || !asked.insert(question) {
            tracing::debug!(%device, "asks more than is answered at a time");
            return;
        }
        let agent = self.trust.agent_of(device);
        self.effects.push_back(Effect::Search { device, agent, question, text, spaces, limit });
    }

    fn answer_peer(
        &mut self,
        device: DeviceId,
        question: u64,
        mut hits: Vec<FoundHit>,
        is_complete: bool,
    ) {
        let Some(asked) = self.searches.asked.get_mut(&device) else { return };
        if !asked.remove(&question) {
            return;
        }
        // They may have been removed while somebody looked.
        let spaces = self.searchable(device, None);
        hits.retain(|hit| spaces.contains(&hit.space));
        let found = Message::Found { id: question, hits, is_complete };
        self.send(device, Lane::Search, found.encode());
    }

    fn found_by(
        &mut self,
        now: Now,
        device: DeviceId,
        question: u64,
        mut hits: Vec<FoundHit>,
        is_complete: bool,
    ) {
        let Some(open) = self.searches.open.get_mut(&question) else { return };
        let Some(spaces) = open.waiting.remove(&device) else { return };
        hits.retain(|hit| spaces.contains(&hit.space));
        hits.truncate(open.limit.into());
        let took = now.monotonic.saturating_sub(open.asked_at);
        let found = self.peer_found(device, Some(hits), is_complete, took);
        if let (Some(open), Some(found)) = (self.searches.open.get_mut(&question), found) {
            open.found.push(found);
        }
        self.end_searches(now);
    }

    fn peer_found(
        &self,
        device: DeviceId,
        hits: Option<Vec<FoundHit>>,
        is_complete: bool,
        took: Duration,
    ) -> Option<PeerFound> {
        let agent = self.trust.agent_of(device)?;
        let name = self.trust.name_of(agent);
        Some(PeerFound { device, agent, name, hits, is_complete, took })
    }

    /// Answers the questions that everybody answered or whose time is over.
    pub(crate) fn end_searches(&mut self, now: Now) {
        let is_over =
            |open: &Open| open.waiting.is_empty() || now.monotonic >= open.asked_at + ANSWER_MAX;
        let over = self.searches.open.iter().filter(|(_, open)| is_over(open));
        for question in over.map(|(question, _)| *question).collect::<Vec<_>>() {
            let Some(mut open) = self.searches.open.remove(&question) else { continue };
            let late = open.waiting.keys();
            let late = late.filter_map(|device| self.peer_found(*device, None, false, ANSWER_MAX));
            open.found.extend(late);
            open.found.sort_by_key(|found| found.device);
            self.reply(open.request, Ok(Response::PeersFound(open.found)));
        }
    }

    /// A device is gone: it answers nothing, and hears nothing.
    pub(crate) fn search_without(&mut self, now: Now, device: DeviceId) {
        self.searches.asked.remove(&device);
        let mut lost = Vec::new();
        for (question, open) in &mut self.searches.open {
            if open.waiting.remove(&device).is_some() {
                lost.push((*question, now.monotonic.saturating_sub(open.asked_at)));
            }
        }
        for (question, took) in lost {
            let found = self.peer_found(device, None, false, took);
            if let (Some(open), Some(found)) = (self.searches.open.get_mut(&question), found) {
                open.found.push(found);
            }
        }
        self.end_searches(now);
    }
}
