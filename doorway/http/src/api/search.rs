use axum::{Json, extract::State};
use node_runtime::search::{AskedPeer, Limit, MARK_END, MARK_START, SearchHit, Source};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use crate::{ask, config::App, extract::Search, problem::Problem};

/// The source of what is found here.
const LOCAL: &str = "local";

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Words, all of which must occur; `"words in quotes"` in this order; `-word` must
    /// not occur; the last word may go on. At most 1,024 bytes.
    q: Option<String>,
    /// Only in this space: its id, a unique beginning of it, or its name.
    space: Option<String>,
    /// At most so many: 1 to 100, and 10 unless said.
    limit: Option<usize>,
    /// Whether to ask connected people, too, about the spaces that they read as well: they
    /// learn the words.
    peers: Option<bool>,
}

/// A document that was found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Hit {
    /// The document's id.
    id: String,
    title: String,
    /// A piece of its text in one line, `…` where it goes on.
    snippet: String,
    /// Where the matches are in the snippet: first character and the one after the
    /// last, counted in Unicode code points from 0.
    marks: Vec<[usize; 2]>,
    /// From 0 to 1, higher is better; the same for the same document whatever else is
    /// there.
    score: f64,
    /// Where it was found: `local`, on this node, or what the person wants to be called whose
    /// node found it.
    source: String,
    /// Which node found it, if it was not this one.
    peer: Option<String>,
    /// How far away that is: 0 is here, 1 at a peer.
    hops: u8,
    /// The space's id.
    space: String,
    space_name: String,
    /// The document's type.
    r#type: String,
}

impl From<SearchHit> for Hit {
    fn from(hit: SearchHit) -> Self {
        let SearchHit { source, space_name, found } = hit;
        let (snippet, marks) = unmarked(&found.snippet);
        let (source, peer, hops) = match source {
            Source::Local => (LOCAL.to_owned(), None, 0),
            // Nobody passes for this node by what they call themselves.
            Source::Peer { device, name } if name == LOCAL => {
                (device.to_string(), Some(device.to_string()), 1)
            }
            Source::Peer { device, name } => (name, Some(device.to_string()), 1),
        };
        Self {
            id: found.document.to_string(),
            title: found.title,
            snippet,
            marks,
            score: found.score,
            source,
            peer,
            hops,
            space: found.space.to_string(),
            space_name,
            r#type: found.kind,
        }
    }
}

/// Somebody who was asked.
#[derive(Serialize, ToSchema)]
pub(crate) struct Asked {
    /// The node.
    peer: String,
    /// What its person wants to be called.
    name: String,
    /// Whether it answered in time.
    answered: bool,
    /// How much it found.
    results: usize,
}

impl From<AskedPeer> for Asked {
    fn from(AskedPeer { device, name, results }: AskedPeer) -> Self {
        let peer = device.to_string();
        Self { peer, name, answered: results.is_some(), results: results.unwrap_or_default() }
    }
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Hits {
    /// Best first.
    results: Vec<Hit>,
    /// Whether everything was looked through. If not, the same question a little later
    /// may find more.
    complete: bool,
    /// Whom else was asked, if that was wished.
    peers: Vec<Asked>,
}

/// Which documents hold these words?
#[utoipa::path(get, path = "/api/v1/search", params(Wanted), responses((status = 200, body = Hits, description = "Documents, best first; within 5 seconds")))]
pub(crate) async fn search(State(app): State<App>, Search(wanted): Search<Wanted>) -> Answer<Hits> {
    let limit = limit(wanted.limit)?;
    let text = wanted.q.unwrap_or_default();
    let scope = (wanted.space.as_deref(), wanted.peers.unwrap_or_default());
    let found = ask::search(&app.handle, &text, scope, limit).await?;
    let results = found.hits.into_iter().map(Hit::from).collect();
    let peers = found.peers.into_iter().map(Asked::from).collect();
    Ok(Json(Hits { results, complete: found.is_complete, peers }))
}

fn limit(wanted: Option<usize>) -> Result<Limit, Problem> {
    let Some(wanted) = wanted else {
        return Ok(Limit::default());
    };
    let limit = Limit::new(wanted);
    if limit.count() == wanted {
        Ok(limit)
    } else {
        Err(Problem::invalid(format!("limit: 1 to {}, not {wanted}", Limit::MAX.count())))
    }
}

/// Takes the marks out of a snippet and says where they were.
fn unmarked(snippet: &str) -> (String, Vec<[usize; 2]>) {
    let mut plain = String::with_capacity(snippet.len());
    let (mut marks, mut start, mut at) = (Vec::new(), 0, 0);
    for character in snippet.chars() {
        match character {
            MARK_START => start = at,
            MARK_END => marks.push([start, at]),
            character => {
                plain.push(character);
                at += 1;
            }
        }
    }
    (plain, marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_counted_in_characters() {
        let (plain, marks) = unmarked("…ü \u{2}käse\u{3}kuchen \u{2}x\u{3}");
        assert_eq!(plain, "…ü käsekuchen x");
        assert_eq!(marks, [[3, 7], [14, 15]]);
        assert_eq!(unmarked(""), (String::new(), vec![]));
    }
}
