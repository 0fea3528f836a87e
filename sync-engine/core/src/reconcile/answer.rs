//! Answers to what a peer asks; they need the store and no session.

use node_model::{DeviceId, EntryId, SpaceId};
use serde_bytes::ByteBuf;

use super::{
    View,
    message::{Message, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX},
};
use crate::{
    sketch::{Counts, KEPT_SYMBOLS, ShortId, Sketch, symbols_for},
    store::{EntryStore, StoreError, StoreHead},
};

/// Answers a request for entries by arrival.
///
/// # Errors
/// [`StoreError`].
pub fn answer_pull(
    space: SpaceId,
    after: u64,
    asker: DeviceId,
    view: View<'_>,
) -> Result<Message, StoreError> {
    let head = view.head();
    #[cfg_attr(
        not(feature = "planted-bugs"),
        expect(unused_mut, reason = "changed by a planted bug")
    )]
    let (mut page, upto) = view.page(after, (PAGE_ENTRIES_MAX, PAGE_BYTES_MAX))?;
    #[cfg(feature = "planted-bugs")]
    if node_model::planted::active(node_model::planted::Bug::LostLastFrame) {
        page.pop();
    }
    let entries = page
        .into_iter()
        .filter(|arrival| arrival.source != Some(asker))
        .map(|arrival| ByteBuf::from(arrival.bytes))
        .collect();
    let more = upto < head.arrivals;
    Ok(Message::Page { space, store: head.epoch, after, upto, more, entries })
}

/// Answers a request for ids by arrival.
///
/// # Errors
/// [`StoreError`].
pub fn answer_list(space: SpaceId, after: u64, view: View<'_>) -> Result<Message, StoreError> {
    let head = view.head();
    let (page, upto) = view.ids(after)?;
    let ids = page.iter().flat_map(|(_, id)| id.0).collect::<Vec<u8>>();
    let more = upto < head.arrivals;
    Ok(Message::Ids { space, store: head.epoch, after, upto, more, ids: ByteBuf::from(ids) })
}

/// Answers a request for entries by id, with as many as fit: of the whole store, for
/// whoever may have the space may have all of it.
///
/// # Errors
/// [`StoreError`].
pub fn answer_get(
    space: SpaceId,
    ids: &[u8],
    store: &dyn EntryStore,
) -> Result<Message, StoreError> {
    let ids = ids.chunks_exact(32).filter_map(|id| id.try_into().ok()).map(EntryId);
    entries(space, ids, |id| store.entry(id))
}

fn entries<T>(
    space: SpaceId,
    ids: impl Iterator<Item = T>,
    read: impl Fn(T) -> Result<Option<Vec<u8>>, StoreError>,
) -> Result<Message, StoreError> {
    let mut bytes = 0;
    let mut entries = Vec::new();
    for id in ids {
        if let Some(entry) = read(id)? {
            bytes += entry.len();
            entries.push(ByteBuf::from(entry));
        }
        if bytes >= PAGE_BYTES_MAX {
            break;
        }
    }
    Ok(Message::Entries { space, entries })
}

/// Answers a request for symbols of the sketch. With `counts`, as many as the difference
/// seems to take; none when these are more than are kept.
///
/// # Errors
/// [`StoreError`].
pub fn answer_sketch(
    space: SpaceId,
    counts: &[u8],
    (first, length): (u32, u32),
    view: View<'_>,
) -> Result<Message, StoreError> {
    Ok(symbols(space, counts, (first, length), (view.head(), &view.sketch()?)))
}

/// The same of a shard of the whole store; without its `sketch` none, so that it is split.
#[must_use]
pub fn answer_shard(
    space: SpaceId,
    counts: &[u8],
    (first, length): (u32, u32),
    (store, sketch): (&dyn EntryStore, Option<&Sketch>),
) -> Message {
    match sketch {
        Some(sketch) => symbols(space, counts, (first, length), (store.head(), sketch)),
        None => symbols(space, &[], (first, 0), (store.head(), &Sketch::default())),
    }
}

fn symbols(
    space: SpaceId,
    counts: &[u8],
    (first, length): (u32, u32),
    (head, sketch): (StoreHead, &Sketch),
) -> Message {
    let first = usize::try_from(first).unwrap_or(KEPT_SYMBOLS);
    let length = if counts.is_empty() {
        usize::try_from(length).unwrap_or(KEPT_SYMBOLS)
    } else {
        Counts::decode(counts).map_or(0, |counts| symbols_for(sketch.estimate(&counts)))
    };
    let end = first.saturating_add(length);
    let run = sketch.run(first..if end <= KEPT_SYMBOLS { end } else { first });
    let run = ByteBuf::from(run.encode());
    Message::Symbols { space, store: head.epoch, arrivals: head.arrivals, run }
}

/// Answers a request for entries by short id, with as many as fit.
///
/// # Errors
/// [`StoreError`].
pub fn answer_find(
    space: SpaceId,
    ids: &[u8],
    store: &dyn EntryStore,
) -> Result<Message, StoreError> {
    let ids = ids.chunks_exact(16).filter_map(|id| id.try_into().ok()).map(ShortId);
    let mut found = Vec::new();
    for id in ids {
        found.extend(store.find(id)?);
    }
    // In the order in which they arrived: what others rest on comes first.
    found.sort_unstable();
    entries(space, found.into_iter().map(|(_, id)| id), |id| store.entry(id))
}
