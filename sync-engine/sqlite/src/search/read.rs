//! Questions to the index.

use std::collections::BTreeMap;

use node_model::{DocumentId, SpaceId};
use rusqlite::{Connection, OptionalExtension};

use super::{Limit, SearchError, query, snippet};

/// Candidates that are kept before the worst are dropped, as a multiple of the
/// limit: sorting less often costs less.
const CANDIDATES_FACTOR: usize = 8;

/// A word in a title counts like ten in the body. Weights without end give what
/// the formula of BM25 approaches when every word occurs everywhere: the quotient
/// is how close a document comes to that, from 0 to 1, whatever the corpus.
/// (`sqlite.org/fts5.html#the_bm25_function`.)
///
/// FTS5 sorts by rank only once it has seen all; here every match is a row, so
/// that the caller can stop after each.
const MATCHES: &str = "
    SELECT documents.row, documents.space, documents.document,
        CASE WHEN documents.space IN (SELECT value FROM json_each(?2))
            THEN bm25(search, 10.0, 1.0) / bm25(search, 1e12, 1e12) END
    FROM search CROSS JOIN documents ON documents.row = search.rowid
    WHERE search MATCH ?1";

/// What to look for, and where.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// What somebody typed; see [`SearchIndex::search`](super::SearchIndex::search).
    pub text: &'a str,
    /// The spaces to search, and no others.
    pub spaces: &'a [SpaceId],
    /// How many results.
    pub limit: Limit,
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its space.
    pub space: SpaceId,
    /// Which document.
    pub document: DocumentId,
    /// Its title.
    pub title: String,
    /// A piece of its body in one line of plain text, matched words between
    /// [`MARK_START`](super::MARK_START) and [`MARK_END`](super::MARK_END), `…` where it goes on. Empty where time ran
    /// out.
    pub snippet: String,
    /// From 0 to 1, higher is better. It does not depend on how many documents
    /// there are, so scores of several nodes can be compared.
    pub score: f64,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Best first; equal ones by space and document.
    pub hits: Vec<Hit>,
    /// Whether time ran out: there may be better ones.
    pub is_partial: bool,
}

struct Candidate {
    score: f64,
    space: SpaceId,
    document: DocumentId,
    row: i64,
}

pub(super) fn search(
    connection: &Connection,
    query: &Query<'_>,
    deadline: &mut dyn FnMut() -> bool,
) -> Result<Found, SearchError> {
    let parsed = query::parse(query.text)?;
    let mut spaces = BTreeMap::new();
    for space in query.spaces {
        if let Some(number) = number_of(connection, *space)? {
            spaces.insert(number, *space);
        }
    }
    let (candidates, mut is_partial) =
        candidates(connection, &parsed.expression, &spaces, query.limit, deadline)?;
    let mut hits = Vec::new();
    for Candidate { score, space, document, row } in candidates {
        let title = connection
            .prepare_cached("SELECT title FROM texts WHERE row = ?1")?
            .query_row([row], |row| row.get(0))?;
        let mut snippet = String::new();
        is_partial = is_partial || deadline();
        if !is_partial {
            let body: String = connection
                .prepare_cached("SELECT body FROM texts WHERE row = ?1")?
                .query_row([row], |row| row.get(0))?;
            snippet = snippet::snippet(&body, &parsed.wanted);
        }
        hits.push(Hit { space, document, title, snippet, score });
    }
    Ok(Found { hits, is_partial })
}

/// The best matches, best first, and whether time ran out.
fn candidates(
    connection: &Connection,
    expression: &str,
    spaces: &BTreeMap<i64, SpaceId>,
    limit: Limit,
    deadline: &mut dyn FnMut() -> bool,
) -> Result<(Vec<Candidate>, bool), SearchError> {
    let mut found = Vec::new();
    if spaces.is_empty() {
        return Ok((found, false));
    }
    let numbers: Vec<String> = spaces.keys().map(ToString::to_string).collect();
    let numbers = format!("[{}]", numbers.join(","));
    let mut statement = connection.prepare_cached(MATCHES)?;
    let mut rows = statement.query((expression, numbers))?;
    let mut is_partial = deadline();
    while !is_partial && let Some(row) = rows.next()? {
        if let Some(space) = spaces.get(&row.get(1)?) {
            let score = row.get::<_, Option<f64>>(3)?.filter(|score| score.is_finite());
            found.push(Candidate {
                score: score.unwrap_or_default().clamp(0.0, 1.0),
                space: *space,
                document: DocumentId(row.get(2)?),
                row: row.get(0)?,
            });
            if found.len() >= limit.count() * CANDIDATES_FACTOR {
                keep_best(&mut found, limit);
            }
        }
        is_partial = deadline();
    }
    keep_best(&mut found, limit);
    Ok((found, is_partial))
}

fn keep_best(found: &mut Vec<Candidate>, limit: Limit) {
    found.sort_by(|a, b| {
        let by_id = (a.space, a.document).cmp(&(b.space, b.document));
        b.score.total_cmp(&a.score).then(by_id)
    });
    found.truncate(limit.count());
}

fn number_of(connection: &Connection, space: SpaceId) -> Result<Option<i64>, SearchError> {
    Ok(connection
        .prepare_cached("SELECT number FROM spaces WHERE id = ?1")?
        .query_row([space.0], |row| row.get(0))
        .optional()?)
}

pub(super) fn stamp(
    connection: &Connection,
    space: SpaceId,
) -> Result<Option<Vec<u8>>, SearchError> {
    let stamp: Option<Option<Vec<u8>>> = connection
        .prepare_cached("SELECT stamp FROM spaces WHERE id = ?1")?
        .query_row([space.0], |row| row.get(0))
        .optional()?;
    Ok(stamp.flatten())
}

pub(super) fn spaces(connection: &Connection) -> Result<Vec<SpaceId>, SearchError> {
    let mut statement = connection.prepare_cached("SELECT id FROM spaces ORDER BY id")?;
    let spaces = statement.query_map([], |row| Ok(SpaceId(row.get(0)?)))?;
    Ok(spaces.collect::<Result<_, _>>()?)
}

pub(super) fn versions(
    connection: &Connection,
    space: SpaceId,
) -> Result<BTreeMap<DocumentId, Vec<u8>>, SearchError> {
    let mut statement = connection.prepare_cached(
        "SELECT document, version FROM documents
         WHERE space = (SELECT number FROM spaces WHERE id = ?1)",
    )?;
    let versions =
        statement.query_map([space.0], |row| Ok((DocumentId(row.get(0)?), row.get(1)?)))?;
    Ok(versions.collect::<Result<_, _>>()?)
}
