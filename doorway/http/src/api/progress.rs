use node_core::request::EntryProgress;
use serde::Serialize;
use utoipa::ToSchema;

/// How far an exchange of entries is that is running.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntriesProgress {
    /// Entries that are here of those that are wanted.
    here: u64,
    /// Entries that are known to be wanted.
    wanted: u64,
    /// Whether more may turn out to be wanted.
    at_least: bool,
    /// The same for people.
    words: String,
}

impl From<EntryProgress> for EntriesProgress {
    fn from(progress: EntryProgress) -> Self {
        Self {
            here: progress.here,
            wanted: progress.wanted,
            at_least: progress.is_at_least,
            words: progress.to_string(),
        }
    }
}
