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
    /// Leave a conflict to the admins of its space; until they decide, nobody else settles it
    #[command(
        after_help = "Examples:\n  kith conflicts escalate album notes 0f1e2d3c4b5a69788796 --why 'both of us are sure'"
    )]
    Escalate {
        /// The space
        space: String,
        /// The document
        doc: String,
        /// The conflict's id, as the list shows it
        conflict: String,
        /// Why, for everybody in the space to read
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
    },
    /// Take back that a conflict was left to the admins
    #[command(after_help = "Examples:\n  kith conflicts withdraw album notes 0f1e2d3c4b5a69788796")]
    Withdraw {
        /// The space
        space: String,
        /// The document
        doc: String,
        /// The conflict's id, as the list shows it
        conflict: String,
    },
    /// Settle a conflict, or all of them in favour of one side, for everybody in the space
    #[command(
        after_help = "Examples:\n  kith conflicts resolve album notes 0f1e2d3c4b5a69788796 --keep theirs\n  kith conflicts resolve album notes --all --keep mine\n  kith conflicts resolve album --all --keep theirs\n\nFor a removed document `shown` keeps it removed, and `1` brings it back as a new document.\nWith --all, what is not clear stays open and is named."
    )]
    Resolve {
        /// The space
        space: String,
        /// The document; with --all, all documents of the space when left out
        #[arg(required_unless_present = "all")]
        doc: Option<String>,
        /// The conflict's id, as the list shows it
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        conflict: Option<String>,
        /// All conflicts of the document or space; then --keep is mine or theirs
        #[arg(long)]
        all: bool,
        /// What stays: shown, mine, theirs, both (beside each other), undo (what was there before),
        /// or the number of a side
        #[arg(long, value_name = "WHAT")]
        keep: String,
    },
}
