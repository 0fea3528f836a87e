//! Messages of the search lane: a question, and what was found.
//!
//! Invariant: what decodes is within all bounds, and a score is a number from 0 to 1.
//! Format: `docs/protocol/search.md`.

use node_model::{
    DocumentId, SpaceId,
    cbor::{self, DecodeError},
    limit::NAME_BYTES_MAX,
};
use serde::{Deserialize, Serialize};

/// Longest question in bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// Most results that one node answers with.
pub const HITS_MAX: usize = 100;

/// Longest title in bytes; a longer one is cut.
pub const TITLE_BYTES_MAX: usize = 512;

/// Longest piece of text in bytes; a longer one is cut.
pub const SNIPPET_BYTES_MAX: usize = 2_048;

/// Largest message in bytes: as many of the largest results.
pub const MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// A document that another node found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundHit {
    /// Its space.
    pub space: SpaceId,
    /// Which document.
    pub document: DocumentId,
    /// Its type.
    pub kind: String,
    /// What people call it.
    pub title: String,
    /// A piece of its text, with the marks of matches in it.
    pub snippet: String,
    /// From 0 to 1, higher is better.
    pub score: f64,
}

/// What two nodes say to each other on the search lane.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Which of your documents that I may read hold these words?
    Ask {
        /// Names the question in its answer.
        id: u64,
        /// The words, as a person types them.
        text: String,
        /// Only in this space.
        space: Option<SpaceId>,
        /// How many results at most: 1 to [`HITS_MAX`].
        limit: u8,
    },
    /// These.
    Found {
        /// To which question.
        id: u64,
        /// Best first.
        hits: Vec<FoundHit>,
        /// Whether everything was looked through.
        is_complete: bool,
    },
}

#[derive(Serialize, Deserialize)]
enum Sent {
    Ask {
        id: u64,
        text: String,
        space: Option<SpaceId>,
        limit: u8,
    },
    Found {
        id: u64,
        #[serde(deserialize_with = "cbor::at_most::<HITS_MAX, _, _>")]
        hits: Vec<SentHit>,
        complete: bool,
    },
}

#[derive(Serialize, Deserialize)]
struct SentHit {
    space: SpaceId,
    document: DocumentId,
    kind: String,
    title: String,
    snippet: String,
    /// In parts of 65,535.
    score: u16,
}

impl Message {
    /// The bytes of a frame. Of a hit as much goes as fits.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let sent = match self {
            Self::Ask { id, text, space, limit } => {
                Sent::Ask { id: *id, text: text.clone(), space: *space, limit: *limit }
            }
            Self::Found { id, hits, is_complete } => Sent::Found {
                id: *id,
                hits: hits.iter().take(HITS_MAX).map(SentHit::from).collect(),
                complete: *is_complete,
            },
        };
        cbor::encode(&sent)
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`DecodeError`]; at most [`MESSAGE_BYTES_MAX`] bytes are looked at.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match cbor::decode(bytes, MESSAGE_BYTES_MAX)? {
            Sent::Ask { id, text, space, limit } => {
                let is_bounded =
                    text.len() <= TEXT_BYTES_MAX && (1..=HITS_MAX).contains(&usize::from(limit));
                is_bounded
                    .then_some(Self::Ask { id, text, space, limit })
                    .ok_or(DecodeError::Malformed)
            }
            Sent::Found { id, hits, complete } => {
                let hits = hits.into_iter().map(FoundHit::try_from).collect::<Result<_, _>>()?;
                Ok(Self::Found { id, hits, is_complete: complete })
            }
        }
    }
}

impl From<&FoundHit> for SentHit {
    fn from(hit: &FoundHit) -> Self {
        let cut = |text: &str, bytes_max| text[..text.floor_char_boundary(bytes_max)].to_owned();
        let score = if hit.score.is_finite() { hit.score.clamp(0.0, 1.0) } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 65,535")]
        let score = (score * f64::from(u16::MAX)).round() as u16;
        Self {
            space: hit.space,
            document: hit.document,
            kind: cut(&hit.kind, NAME_BYTES_MAX),
            title: cut(&hit.title, TITLE_BYTES_MAX),
            snippet: cut(&hit.snippet, SNIPPET_BYTES_MAX),
            score,
        }
    }
}

impl TryFrom<SentHit> for FoundHit {
    type Error = DecodeError;

    fn try_from(sent: SentHit) -> Result<Self, DecodeError> {
        let SentHit { space, document, kind, title, snippet, score } = sent;
        let is_bounded = kind.len() <= NAME_BYTES_MAX
            && title.len() <= TITLE_BYTES_MAX
            && snippet.len() <= SNIPPET_BYTES_MAX;
        let score = f64::from(score) / f64::from(u16::MAX);
        let hit = Self { space, document, kind, title, snippet, score };
        is_bounded.then_some(hit).ok_or(DecodeError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(score: f64, letters: usize) -> FoundHit {
        let text = "ä".repeat(letters);
        FoundHit {
            space: SpaceId([1; 32]),
            document: DocumentId([2; 16]),
            kind: "note".into(),
            title: text.clone(),
            snippet: text,
            score,
        }
    }

    #[test]
    fn what_is_asked_and_found_reads_back() {
        let ask = Message::Ask {
            id: 7,
            text: "rain \"in a barrel\"".into(),
            space: Some(SpaceId([1; 32])),
            limit: 100,
        };
        assert_eq!(Message::decode(&ask.encode()), Ok(ask));
        let found =
            Message::Found { id: 7, hits: vec![hit(1.0, 3), hit(0.0, 0)], is_complete: true };
        assert_eq!(Message::decode(&found.encode()), Ok(found));
    }

    #[test]
    fn scores_are_numbers_and_texts_are_cut() {
        for (score, read) in [(f64::NAN, 0.0), (f64::INFINITY, 0.0), (7.0, 1.0), (-1.0, 0.0)] {
            let sent = Message::Found { id: 1, hits: vec![hit(score, 9_999)], is_complete: false };
            let Ok(Message::Found { hits, .. }) = Message::decode(&sent.encode()) else {
                panic!("it reads back");
            };
            assert!((hits[0].score - read).abs() < 1e-9, "{score}: {}", hits[0].score);
            assert_eq!((hits[0].title.len(), hits[0].snippet.len()), (512, 2_048));
        }
        let many = Message::Found { id: 1, hits: vec![hit(0.5, 9_999); 200], is_complete: true };
        let bytes = many.encode();
        assert!(bytes.len() <= MESSAGE_BYTES_MAX, "{}", bytes.len());
        let Ok(Message::Found { hits, .. }) = Message::decode(&bytes) else { panic!("it fits") };
        assert_eq!(hits.len(), HITS_MAX);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused() {
        let ask =
            |text: usize, limit| Sent::Ask { id: 1, text: "a".repeat(text), space: None, limit };
        let long = |title: usize, snippet: usize| {
            let sent = SentHit {
                title: "a".repeat(title),
                snippet: "a".repeat(snippet),
                ..(&hit(0.5, 1)).into()
            };
            Sent::Found { id: 1, hits: vec![sent], complete: true }
        };
        for bad in [ask(1_025, 1), ask(1, 0), ask(1, 101), long(513, 1), long(1, 2_049)] {
            assert_eq!(Message::decode(&cbor::encode(&bad)), Err(DecodeError::Malformed));
        }
        let hits = (0..101).map(|_| SentHit::from(&hit(0.5, 1))).collect();
        assert!(
            Message::decode(&cbor::encode(&Sent::Found { id: 1, hits, complete: true })).is_err()
        );
        assert!(Message::decode(&vec![0; MESSAGE_BYTES_MAX + 1]).is_err());
    }
}
