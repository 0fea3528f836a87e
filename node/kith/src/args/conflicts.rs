//! The command line: what people changed at the same time.

use clap::Subcommand;

/// `kith conflicts`.
#[derive(Debug, Subcommand)]
pub enum Conflicts {
    /// List what waits for your choice; nothing else waits for it
    #[command(after_help = "Examples:\n  kith conflicts list\n  kith conflicts list album")]
    List {
        /// The space; all spaces when left out
        space: Option<String>,
    },
    /// Show the conflicts of one document, also of a removed one
    #[command(after_help = "Examples:\n  kith conflicts show album notes")]
    Show {
        /// The space
        space: String,
        /// The document: id, content id, path, or the beginning of the id
        doc: String,
    },
    /// Settle a conflict, for everybody in the space
    #[command(
        after_help = "Examples:\n  kith conflicts resolve album notes 0f1e2d3c4b5a69788796 --keep theirs\n\nFor a removed document `shown` keeps it removed, and `1` brings it back as a new document."
    )]
    Resolve {
        /// The space
        space: String,
        /// The document
        doc: String,
        /// The conflict's id, as the list shows it
        conflict: String,
        /// What stays: shown, mine, theirs, both (beside each other), undo (what was there before),
        /// or the number of a side
        #[arg(long, value_name = "WHAT")]
        keep: String,
    },
}
