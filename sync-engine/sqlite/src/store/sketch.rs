//! The sketch of all ids, from the disk.

use sync_engine_core::{
    sketch::Sketch,
    store::{EntryStore, StoreError},
};

use super::SqliteStore;

/// Ids that are read at once to bring a sketch up to date.
const SKETCH_PAGE: usize = 16_384;

impl SqliteStore {
    /// The stored sketch, with what arrived since.
    pub(super) fn load_sketch(&self) -> Result<Sketch, StoreError> {
        let stored: Option<(i64, Vec<u8>)> =
            self.read_one("SELECT place, state FROM sketch", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let (mut place, mut sketch) = match stored {
            Some((place, state)) => {
                let wrong = || StoreError::Damaged("the sketch has a wrong length".into());
                (place.unsigned_abs(), Sketch::from_bytes(&state).ok_or_else(wrong)?)
            }
            None => (0, Sketch::default()),
        };
        loop {
            let page = self.ids(place, SKETCH_PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(sketch) };
            place = *last;
            page.into_iter().for_each(|(_, id)| sketch.insert(id));
        }
    }
}
