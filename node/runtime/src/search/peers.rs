//! Words that are looked for at connected peers, too, and by them here.
//!
//! Invariant: each document stands once, and whatever peers say, the better half of what is here
//! stays; the log says who was asked and who asked, and never for what.
//! Non-goals: who may be told what, which the node decides.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use node_core::{
    Failure, Request, Response,
    request::{PeerFound, SearchRequest},
};
use node_model::{AgentId, DeviceId, DocumentId, SpaceId};
use tokio::sync::mpsc;

use super::{Limit, SearchAnswer, SearchHit, Source};
use crate::{
    audit::{About, By, Event, Outcome, Record, Searched, What},
    handle::{Handle, WeakHandle, unexpected},
};

/// What a score at a peer is worth here: for each step away a little less.
const PEER_SCORE: f64 = 0.9;

/// Questions of peers that may wait; more are not taken.
pub(crate) const PEER_QUESTIONS_MAX: usize = 32;

/// What is asked, in a word of the log.
const ASK: &str = "search";

/// A question of a peer.
pub(crate) struct PeerQuestion {
    pub(crate) device: DeviceId,
    pub(crate) agent: Option<AgentId>,
    pub(crate) question: u64,
    pub(crate) text: String,
    pub(crate) spaces: BTreeSet<SpaceId>,
    pub(crate) limit: u8,
}

/// A peer that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedPeer {
    /// Which.
    pub device: DeviceId,
    /// What its person wants to be called.
    pub name: String,
    /// How much it found; `None` where no answer came in time.
    pub results: Option<usize>,
}

/// Answers questions of peers one after the other, as long as there is a node.
pub(crate) async fn answer_peers(node: WeakHandle, mut asked: mpsc::Receiver<PeerQuestion>) {
    while let Some(question) = asked.recv().await {
        let Some(node) = node.upgrade() else { return };
        let (device, agent) = (question.device, question.agent);
        let characters = question.text.chars().count();
        let begun = node.audit().now().monotonic;
        let found = node.answer_peer(question).await;
        if let Err(error) = &found {
            tracing::debug!(%device, %error, "a question of a peer was not answered");
        }
        let results = found.ok();
        node.audit().write(Record {
            search: Some(Searched { characters, results }),
            duration: Some(node.audit().now().monotonic.saturating_sub(begun)),
            ..record(Event::Search, By::Device { device, agent }, results.is_some())
        });
    }
}

fn record(event: Event, by: By, is_answered: bool) -> Record {
    Record {
        event,
        by,
        what: What::Ask(ASK),
        about: About::default(),
        search: None,
        outcome: if is_answered { Outcome::Allowed } else { Outcome::Failed },
        status: None,
        error: None,
        times: 1,
        duration: None,
    }
}

impl Handle {
    /// Looks here, then at all connected peers who read a space that we read: see
    /// [`Handle::search`]. Who does not answer within seconds is passed over. `by` is for the
    /// log: by which right somebody has others asked.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn search_with_peers(
        &self,
        text: &str,
        (only, limit): (Option<SpaceId>, Limit),
        by: By,
    ) -> Result<SearchAnswer, Failure> {
        let peers_limit = u8::try_from(limit.count()).unwrap_or(u8::MAX);
        let ask = SearchRequest::Ask { text: text.to_owned(), space: only, limit: peers_limit };
        let names = self.readable_spaces(only).await?;
        // First: nobody else learns what makes no sense here.
        let mut answer = self.search_in(text, &names, limit).await?;
        let Response::PeersFound(found) = self.request(Request::Search(ask)).await? else {
            return Err(unexpected());
        };
        let characters = text.chars().count();
        for peer in &found {
            self.note_asked(by, characters, peer);
            answer.is_complete &= peer.hits.is_some() && peer.is_complete;
            let results = peer.hits.as_ref().map(Vec::len);
            let (device, name) = (peer.device, peer.name.clone());
            answer.peers.push(AskedPeer { device, name, results });
        }
        merge(&mut answer.hits, found, &names, limit);
        Ok(answer)
    }

    fn note_asked(&self, by: By, characters: usize, peer: &PeerFound) {
        let results = peer.hits.as_ref().map(Vec::len);
        let about =
            About { agent: Some(peer.agent), device: Some(peer.device), ..About::default() };
        self.audit().write(Record {
            about,
            search: Some(Searched { characters, results }),
            duration: Some(peer.took),
            ..record(Event::Forward, by, results.is_some())
        });
    }

    /// Answers a question of a peer; says how much was found.
    async fn answer_peer(&self, question: PeerQuestion) -> Result<usize, Failure> {
        let PeerQuestion { device, agent: _, question, text, spaces, limit } = question;
        let found = async {
            let mut names = self.readable_spaces(None).await?;
            names.retain(|space, _| spaces.contains(space));
            self.search_in(&text, &names, Limit::new(limit.into())).await
        };
        // Whoever asked is told something, whatever goes wrong here.
        let SearchAnswer { hits, is_complete, .. } = found.await.unwrap_or_default();
        let count = hits.len();
        let hits = hits.into_iter().map(|hit| hit.found).collect();
        let answer = SearchRequest::Answer { device, question, hits, is_complete };
        self.request(Request::Search(answer)).await?;
        Ok(count)
    }
}

/// Best first; of equals whoever stood first.
fn by_score(one: &SearchHit, other: &SearchHit) -> Ordering {
    other.found.score.total_cmp(&one.found.score)
}

/// Puts what peers found among our own results.
fn merge(
    hits: &mut Vec<SearchHit>,
    found: Vec<PeerFound>,
    names: &BTreeMap<SpaceId, String>,
    limit: Limit,
) {
    let mut known: BTreeSet<(SpaceId, DocumentId)> =
        hits.iter().map(|hit| (hit.found.space, hit.found.document)).collect();
    let mut theirs = Vec::new();
    for PeerFound { device, name, hits, .. } in found {
        for mut found in hits.into_iter().flatten() {
            let Some(space_name) = names.get(&found.space).cloned() else { continue };
            found.score *= PEER_SCORE;
            let source = Source::Peer { device, name: name.clone() };
            theirs.push(SearchHit { source, space_name, found });
        }
    }
    // Of several who found the same, whoever says most of it.
    theirs.sort_by(by_score);
    theirs.retain(|hit| known.insert((hit.found.space, hit.found.document)));
    // Nobody else's word takes the place of the better half of what is here.
    let rest = hits.split_off(hits.len().min(limit.count().div_ceil(2)));
    theirs.splice(..0, rest);
    theirs.sort_by(by_score);
    theirs.truncate(limit.count().saturating_sub(hits.len()));
    hits.append(&mut theirs);
    hits.sort_by(by_score);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use node_core::request::FoundHit;

    use super::*;

    const SPACE: SpaceId = SpaceId([1; 32]);

    fn hit(document: u8, score: f64) -> FoundHit {
        FoundHit {
            space: SPACE,
            document: DocumentId([document; 16]),
            kind: "note".into(),
            title: String::new(),
            snippet: String::new(),
            score,
        }
    }

    fn own(document: u8, score: f64) -> SearchHit {
        let found = hit(document, score);
        SearchHit { source: Source::Local, space_name: "garden".into(), found }
    }

    fn by(peer: u8, found: &[(u8, f64)]) -> PeerFound {
        let hit = |(document, score): &(u8, f64)| hit(*document, *score);
        PeerFound {
            device: DeviceId([peer; 32]),
            agent: AgentId([peer; 32]),
            name: format!("peer {peer}"),
            hits: Some(found.iter().map(hit).collect()),
            is_complete: true,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn each_document_stands_once_and_ours_first() {
        let names = BTreeMap::from([(SPACE, "garden".to_owned())]);
        let mut hits = vec![own(1, 0.9), own(2, 0.5)];
        let late = PeerFound { hits: None, ..by(9, &[]) };
        let found =
            vec![by(7, &[(1, 1.0), (3, 0.8), (4, 0.2)]), by(8, &[(3, 1.0), (5, 0.99)]), late];
        merge(&mut hits, found, &names, Limit::new(4));
        let shown: Vec<(u8, &Source, f64)> =
            hits.iter().map(|it| (it.found.document.0[0], &it.source, it.found.score)).collect();
        let eight = Source::Peer { device: DeviceId([8; 32]), name: "peer 8".into() };
        assert_eq!(
            shown,
            [
                (1, &Source::Local, 0.9),
                (3, &eight, PEER_SCORE),
                (5, &eight, 0.99 * PEER_SCORE),
                (2, &Source::Local, 0.5),
            ]
        );
        // Somebody who finds everything everywhere hides the weaker half of ours at most.
        let mut hits: Vec<SearchHit> = (0..4).map(|number| own(number, 0.1)).collect();
        let invented: Vec<(u8, f64)> = (100..200).map(|number| (number, 1.0)).collect();
        merge(&mut hits, vec![by(7, &invented)], &names, Limit::new(4));
        let ours: Vec<bool> = hits.iter().map(|hit| hit.source == Source::Local).collect();
        assert_eq!(ours, [false, false, true, true]);
        let mut hits = vec![];
        merge(&mut hits, vec![by(7, &[(1, 1.0)])], &BTreeMap::new(), Limit::new(4));
        assert_eq!(hits, [], "of a space that we do not read");
    }
}
