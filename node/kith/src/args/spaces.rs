//! The arguments of `kith space`.

use clap::Subcommand;

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
    /// Let somebody in, or change what they may do
    Grant {
        /// The space: name, id or the beginning of the id
        space: String,
        /// Whom: the agent's id (did:key:…), a node's id, or a name that only one has;
        /// or another space, for all who may read it
        agent: String,
        /// What they may do: custodian, reader, writer or admin; custodian or reader
        /// for another space
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
        after_help = "Examples:\n  kith space keep album --doc cake --doc recipes/bread.md\n  kith space keep album --everything\n\nOther nodes send this device the documents that you name, and what belongs to them. What\nyou write here is kept, too, and goes out as ever. Keeping less removes nothing that is\nhere; it only gets nothing new. Each time you name all that you want to keep."
    )]
    Keep {
        /// The space: name, id or the beginning of the id
        space: String,
        /// A document to keep: id, content id or path, here or not; may be repeated
        #[arg(long, required_unless_present = "everything", conflicts_with = "everything")]
        doc: Vec<String>,
        /// Keep everything
        #[arg(long)]
        everything: bool,
    },
}
