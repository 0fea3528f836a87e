//! The last entry of each author.

use std::collections::{BTreeMap, BTreeSet};

use node_model::DeviceId;
use rusqlite::{Connection, Transaction};
use sync_engine_core::{
    entry::VerifiedEntry,
    store::{Tip, raise_tip},
};

use super::signed;

/// Looks through all entries for the last ones of these authors.
pub(super) fn tips_of(
    transaction: &Transaction<'_>,
    authors: &BTreeSet<DeviceId>,
) -> rusqlite::Result<BTreeMap<DeviceId, Tip>> {
    let mut tips = BTreeMap::new();
    let mut statement = transaction.prepare("SELECT bytes FROM entries")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Ok(entry) = VerifiedEntry::from_storage(row.get(0)?)
            && authors.contains(&entry.header().author)
        {
            raise_tip(&mut tips, &entry);
        }
    }
    Ok(tips)
}

/// Keeps those that are later than what is kept.
pub(super) fn write_tips(
    connection: &Connection,
    tips: &BTreeMap<DeviceId, Tip>,
) -> rusqlite::Result<()> {
    for (author, tip) in tips {
        connection
            .prepare_cached(
                "INSERT INTO tips (author, sequence, id) VALUES (?1, ?2, ?3)
                 ON CONFLICT (author) DO UPDATE SET sequence = excluded.sequence, id = excluded.id
                 WHERE excluded.sequence > tips.sequence",
            )?
            .execute((author.0, signed(tip.sequence), tip.id.0))?;
    }
    Ok(())
}
