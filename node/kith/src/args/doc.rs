//! Arguments of `kith doc`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `kith doc`.
#[derive(Debug, Subcommand)]
pub enum Doc {
    /// Make a document
    New {
        /// The space
        space: String,
        /// Its type
        #[arg(long = "type", value_name = "TYPE", default_value = "document")]
        kind: String,
        /// The app whose it is: apps that share a space tell their documents apart by it
        #[arg(long, value_name = "NAME")]
        app: Option<String>,
        /// A file with its content as a JSON object; `-` is standard input
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Print a document, or a value of it, also as it was
    #[command(
        after_help = "Examples:\n  kith doc get album notes\n  kith doc get album notes /people/0/age\n  kith doc get album notes --at 4f1c09be\n  kith doc get album notes title --at 2026-11-21T14:00:00Z\n\nA removed document can be read like that, too, by its id."
    )]
    Get {
        /// The space
        space: String,
        /// The document: id, content id, path, or the beginning of the id
        doc: String,
        /// A JSON Pointer such as /chapters/0/title, or a key
        path: Option<String>,
        /// As it was after a change, or at a time (by the writers' clocks)
        #[arg(long, value_name = "CHANGE|TIME")]
        at: Option<String>,
    },
    /// Set one value
    #[command(
        after_help = "Examples:\n  kith doc set album notes title '\"Summer\"'\n  kith doc set album notes /people/0/age 41"
    )]
    Set {
        /// The space
        space: String,
        /// The document
        doc: String,
        /// A JSON Pointer, or a key
        path: String,
        /// The value, as JSON
        value: String,
    },
    /// Add to a counter; what your devices add while they are apart adds up
    #[command(
        after_help = "Examples:\n  kith doc add album notes /times-practised\n  kith doc add album notes /people/0/points -3\n\nA whole number becomes a counter, and so does nothing: from 0."
    )]
    Add {
        /// The space
        space: String,
        /// The document
        doc: String,
        /// A JSON Pointer, or a key
        path: String,
        /// How much; less than 0 takes away
        #[arg(default_value_t = 1, allow_negative_numbers = true)]
        by: i64,
    },
    /// Change a document in $EDITOR
    Edit {
        /// The space
        space: String,
        /// The document
        doc: String,
    },
    /// List the changes of a document: who, when, and what they did; newest first
    #[command(
        after_help = "Examples:\n  kith doc history album notes\n  kith doc history album notes --before 4f1c09be\n  kith doc history album notes --limit 200 --json"
    )]
    History {
        /// The space
        space: String,
        /// The document; a removed one by its id
        doc: String,
        /// At most so many, up to 200
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = limit)]
        limit: u8,
        /// Only those that come after this one in the list
        #[arg(long, value_name = "CHANGE")]
        before: Option<String>,
    },
    /// Make a document what it was, by one more change
    #[command(
        after_help = "Examples:\n  kith doc history album notes\n  kith doc restore album notes --at 4f1c09be\n  kith doc restore album notes --at 2026-11-21T14:00:00Z\n\nNothing of the history is gone: restore to the change before it undoes a restore."
    )]
    Restore {
        /// The space
        space: String,
        /// The document
        doc: String,
        /// The change, or a time (by the writers' clocks)
        #[arg(long, value_name = "CHANGE|TIME")]
        at: String,
    },
    /// List the documents of a space
    #[command(
        after_help = "Examples:\n  kith doc list album --type note\n  kith doc list album --where 'rating>=4' --where 'tags~travel'\n\nA condition is a JSON Pointer or a key, one of = != < <= > >= ~, and a value. A text with ~ has\nthat text in it, a list that element; what is not there counts as null."
    )]
    List {
        /// The space
        space: String,
        /// Which of them
        #[command(flatten)]
        which: Which,
    },
    /// Count the documents of a space, and add up what they say
    #[command(
        after_help = "Examples:\n  kith doc count album\n  kith doc count album --by /author/name\n  kith doc count album --type walk --where 'year=2026' --by month --of km\n\nA document with a list is counted for each of its elements."
    )]
    Count {
        /// The space
        space: String,
        /// Which of them
        #[command(flatten)]
        which: Which,
        /// Apart by the value here: a JSON Pointer, or a key
        #[arg(long, value_name = "PATH")]
        by: Option<String>,
        /// Add up the numbers here
        #[arg(long, value_name = "PATH")]
        of: Option<String>,
    },
    /// List the documents that changed since you last asked
    #[command(
        after_help = "Examples:\n  kith doc changes album\n  kith doc changes album --since STAMP\n  kith doc changes album --entries --kinds local,new\n\nThe last line is the stamp to ask with next time. It stays good across restarts."
    )]
    Changes {
        /// The space
        space: String,
        /// The stamp of the answer before
        #[arg(long, value_name = "STAMP")]
        since: Option<String>,
        /// Entry by entry, in the order in which they arrived: local, new, backfill or outlier
        #[arg(long)]
        entries: bool,
        /// Only these kinds of entries
        #[arg(long, value_name = "KIND,…", requires = "entries")]
        kinds: Option<String>,
    },
    /// Remove a document
    Remove {
        /// The space
        space: String,
        /// The document
        doc: String,
    },
    /// Delete documents with all of their history, at everybody who keeps the space; only admins
    #[command(
        after_help = "Examples:\n  kith doc purge album notes\n  kith doc purge album --yes notes letters/ada.md\n\nNothing brings a purged document back, and nobody can write one of the same id again, which\na document that was imported has from its path.\nNodes that are away delete it when they hear of it. What somebody copied elsewhere, or keeps\nin a pack, is theirs; a pack that is unpacked does not bring it back here."
    )]
    Purge {
        /// The space
        space: String,
        /// The documents: id, content id, path; one that was removed by its id
        #[arg(required = true, num_args = 1..=1000)]
        docs: Vec<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Which documents of a space.
#[derive(Debug, Args)]
pub struct Which {
    /// Only documents of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only documents of this app
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
    /// Only documents that say so, for example 'rating>=4'; more than once: all of it
    #[arg(long = "where", value_name = "CONDITION")]
    pub conditions: Vec<String>,
}

fn limit(text: &str) -> Result<u8, String> {
    let limit = text.parse().ok().filter(|limit| (1..=200).contains(limit));
    limit.ok_or_else(|| "from 1 to 200".to_owned())
}
