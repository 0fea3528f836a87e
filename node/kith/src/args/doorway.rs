//! The command line: keys of programs.

use clap::Subcommand;

/// `kith doorway`.
#[derive(Debug, Subcommand)]
pub enum Doorway {
    /// Keys of programs: each may do what its rules say, and nothing else
    #[command(
        subcommand,
        after_help = "A rule is METHOD PATH: GET, HEAD, POST, PUT, PATCH, DELETE or *, and an address under\n/api/v1 as /api/v1/openapi.json lists them; * is any one part of it, ** all the rest, also\nnone. A space has several names: a rule holds for the one that it says, and an id always\nmeans the same space. Programs send their key as X-API-Key.\n\nNo key can lock you out: on this machine kith needs none."
    )]
    Keys(Keys),
}

/// `kith doorway keys`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a key and show it, this once
    #[command(
        after_help = "Examples:\n  kith doorway keys add backup --allow 'GET /api/v1/spaces/**' --expires 30d\n  kith doorway keys add notes --allow 'POST /api/v1/spaces/*/docs' --allow 'GET /api/v1/search'"
    )]
    Add {
        /// What you call it: a-z, 0-9 and -
        name: String,
        /// What it may do; may be repeated [default: GET /api/v1/**, read everything]
        #[arg(long, value_name = "RULE")]
        allow: Vec<String>,
        /// After which time it opens nothing any more
        #[arg(long, value_name = "TIME", value_parser = crate::duration::parse)]
        expires: Option<std::time::Duration>,
        /// How many requests it may make in a minute [default: 6000]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        per_minute: Option<u32>,
    },
    /// List keys, what they may do, and when they were last used
    List,
    /// Take a key away, from now on
    #[command(after_help = "Examples:\n  kith doorway keys revoke backup")]
    Revoke {
        /// The key
        name: String,
    },
    /// Let a key do more, from now on
    #[command(
        after_help = "Examples:\n  kith doorway keys allow backup 'GET /api/v1/spaces/*/blobs/*'"
    )]
    Allow {
        /// The key
        name: String,
        /// What it may do
        rule: String,
    },
    /// Take from a key what a rule says, from now on; no rule is cut in two
    #[command(
        after_help = "Examples:\n  kith doorway keys deny backup 'GET /api/v1/search'\n  kith doorway keys deny backup '* /api/v1/**'      everything; the key stays"
    )]
    Deny {
        /// The key
        name: String,
        /// What it may not do
        rule: String,
    },
}
