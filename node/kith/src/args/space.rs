//! The arguments of `kith space`.

use clap::{Args, Subcommand};
use node_model::Timestamp;

/// `kith space`.
#[derive(Debug, Subcommand)]
pub enum Space {
    /// Make a space
    New {
        /// Its name
        name: String,
        /// How far it may travel
        #[arg(long, default_value = "private")]
        reach: String,
        /// New members do not read what was written before them
        #[arg(long)]
        closed_history: bool,
    },
    /// List the spaces that you are a member of
    List,
    /// List the spaces of connected people that you may read without having been let in
    #[command(
        after_help = "Examples:\n  kith space offers\n  kith space follow orchard\n\nA space reaches people by how close they are to whoever founded it: kith space new --reach."
    )]
    Offers,
    /// Become a reader of a space that is offered, for as long as it reaches you
    #[command(
        after_help = "Examples:\n  kith space follow orchard\n  kith space leave orchard      ends it\n\nWhoever is in the space sees that you are. When you and its founder are not as close any\nmore as it needs, nothing new comes; what you have stays readable."
    )]
    Follow {
        /// The space: name, id or the beginning of the id, as `kith space offers` shows it
        space: String,
    },
    /// Let somebody in, or change what they may do
    #[command(
        after_help = "Examples:\n  kith space grant album Bo writer\n  kith space grant album family reader     all who are in the circle, now and later"
    )]
    Grant {
        /// The space: name, id or the beginning of the id
        space: String,
        /// Whom: the agent's id (did:key:…), a node's id, or a name that only one has;
        /// or a circle or another space, for all who may read it
        agent: String,
        /// What they may do: custodian, reader, writer or admin; custodian or reader
        /// for a circle or another space
        role: String,
    },
    /// Remove somebody, and change the space's keys
    #[command(
        after_help = "Examples:\n  kith space revoke album Bo\n\nWhat they received they keep. What anybody writes from now on they cannot read,\nand what they write from now on nobody shows."
    )]
    Revoke {
        /// The space: name, id or the beginning of the id
        space: String,
        /// Whom: the agent's id (did:key:…), a node's id, or a name that only one has
        agent: String,
    },
    /// Leave a space; what you have of it stays readable
    Leave {
        /// The space: name, id or the beginning of the id
        space: String,
    },
    /// List who may do what
    Members {
        /// The space: name, id or the beginning of the id
        space: String,
    },
    /// Keep only some documents of a space on this device, or everything again
    #[command(
        after_help = "Examples:\n  kith space keep album --doc cake --doc recipes/bread.md\n  kith space keep album --folder recipes --type note --since 2026-01-01\n  kith space keep album --everything\n\nOther nodes send this device the documents that you name, and what belongs to them. With\n--folder, --type, --since and --until those that fit all of these come, too, also new ones:\nmembers who can read say which these are. What you write here is kept, too, and goes out as\never, and so does what nobody else has yet said to have. Keeping less removes nothing that is here; it only gets nothing new. Each time you\nname all that you want to keep."
    )]
    #[command(group = clap::ArgGroup::new("part").required(true).multiple(true)
        .args(["doc", "folder", "kind", "since", "until", "everything"]))]
    Keep {
        /// The space: name, id or the beginning of the id
        space: String,
        /// What to keep.
        #[command(flatten)]
        chosen: KeptPart,
        /// Keep everything
        #[arg(long, conflicts_with_all = ["doc", "folder", "kind", "since", "until"])]
        everything: bool,
    },
    /// Make the database of a space anew from what can still be read of it; while no node runs
    #[command(
        after_help = "Examples:\n  kith space repair album\n\nFor a file that a failing disk damaged. What was written here and reached nobody else is kept as\nfar as it can be read; the rest comes back from others at the next sync. The old file stays until you delete it; what is\npurged later is still in it."
    )]
    Repair {
        /// The space: its id, a unique beginning of it, or its name
        space: String,
    },
}

/// What to keep, when it is not everything.
#[derive(Debug, Args)]
pub struct KeptPart {
    /// A document to keep: id, content id or path, here or not; may be repeated
    #[arg(long)]
    pub doc: Vec<String>,
    /// A folder of documents to keep; may be repeated
    #[arg(long)]
    pub folder: Vec<String>,
    /// A type of documents to keep; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Vec<String>,
    /// Keep what was changed then or later: a day such as 2026-01-01, a time such as
    /// 2026-01-01T12:00:00Z, or how long ago: 30d
    #[arg(long, value_name = "TIME", value_parser = crate::duration::moment)]
    pub since: Option<Timestamp>,
    /// Keep what was last changed before then
    #[arg(long, value_name = "TIME", value_parser = crate::duration::moment)]
    pub until: Option<Timestamp>,
}
