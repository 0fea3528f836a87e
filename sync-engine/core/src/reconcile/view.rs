//! What is compared of a store: all of it, or a part.

use node_model::EntryId;

use super::message::PAGE_IDS_MAX;
use crate::{
    part::Part,
    sketch::Sketch,
    store::{Arrival, EntryStore, StoreError, StoreHead},
};

/// Places looked at for one page of a part, of which few may belong to it: some ten
/// milliseconds.
const PLACES_AT_ONCE: usize = 16_384;

/// A store, or a part of it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    store: &'a dyn EntryStore,
    part: Option<&'a Part>,
}

/// Some of a view, in order of arrival, and the place up to which these are all.
pub(super) type Upto<T> = (Vec<T>, u64);

impl<'a> View<'a> {
    /// All of a store.
    #[must_use]
    pub fn whole(store: &'a dyn EntryStore) -> Self {
        Self { store, part: None }
    }

    pub(super) fn of(store: &'a dyn EntryStore, part: Option<&'a Part>) -> Self {
        Self { store, part }
    }

    /// The whole store.
    #[must_use]
    pub fn store(self) -> &'a dyn EntryStore {
        self.store
    }

    pub(super) fn head(self) -> StoreHead {
        let whole = self.store.head();
        self.part.map_or(whole, |part| part.head(whole.epoch))
    }

    pub(super) fn sketch(self) -> Result<Sketch, StoreError> {
        self.part.map_or_else(|| self.store.sketch(), |part| part.sketch(self.store))
    }

    /// A page of entries after a place: at most `entries_max`, and no more once `bytes_max`
    /// are reached.
    pub(super) fn page(
        self,
        after: u64,
        (entries_max, bytes_max): (usize, usize),
    ) -> Result<Upto<Arrival>, StoreError> {
        let end = self.head().arrivals;
        let Some(part) = self.part else {
            let page = self.store.arrivals(after, entries_max, bytes_max)?;
            // Nothing more: what was at the places up to the end is superseded.
            let upto = page.last().map_or(end, |last| last.place);
            return Ok((page, upto));
        };
        let (places, mut upto) = self.part_ids(part, after, entries_max)?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        for (place, _) in places {
            let arrival = self.store.arrivals(place - 1, 1, usize::MAX)?.into_iter().next();
            let Some(arrival) = arrival.filter(|arrival| arrival.place == place) else { continue };
            bytes += arrival.bytes.len();
            page.push(arrival);
            if bytes >= bytes_max {
                upto = place;
                break;
            }
        }
        Ok((page, upto))
    }

    /// A page of ids after a place.
    pub(super) fn ids(self, after: u64) -> Result<Upto<(u64, EntryId)>, StoreError> {
        let Some(part) = self.part else {
            let page = self.store.ids(after, PAGE_IDS_MAX)?;
            let upto = page.last().map_or(self.head().arrivals, |(place, _)| *place);
            return Ok((page, upto));
        };
        self.part_ids(part, after, PAGE_IDS_MAX)
    }

    fn part_ids(
        self,
        part: &Part,
        after: u64,
        count_max: usize,
    ) -> Result<Upto<(u64, EntryId)>, StoreError> {
        let selection = part.selection();
        let head = self.head();
        let behind = head.arrivals.saturating_sub(after);
        let is_small = selection.documents().len() <= PAGE_IDS_MAX && head.entries < behind;
        let (mut ids, mut upto) = (Vec::new(), head.arrivals);
        if is_small && head.entries <= PAGE_IDS_MAX as u64 {
            for document in selection.documents() {
                let own = self.store.document_ids(*document)?;
                ids.extend(own.into_iter().filter(|(place, _)| *place > after));
            }
            ids.sort_unstable();
        } else {
            let count = usize::try_from(behind).unwrap_or(usize::MAX).min(PLACES_AT_ONCE);
            let places = self.store.places(after, count)?;
            if let Some((last, ..)) = places.last().filter(|_| places.len() == count) {
                upto = upto.min(*last);
            }
            let own = places.into_iter().filter(|(.., document)| selection.contains(*document));
            ids.extend(own.map(|(place, id, _)| (place, id)));
        }
        if ids.len() > count_max {
            ids.truncate(count_max);
            upto = ids.last().map_or(upto, |(place, _)| *place);
        }
        Ok((ids, upto))
    }
}
