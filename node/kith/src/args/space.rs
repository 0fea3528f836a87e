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
}
