//! The arguments of `kith sync`.

use std::path::PathBuf;

use clap::Args;

/// `kith sync`.
#[derive(Debug, Args)]
pub struct Sync {
    /// With whom: the peer's node id; everybody when left out
    pub peer: Option<String>,
    /// Compare everything, instead of what changed; in a folder, mend what is damaged
    #[arg(long)]
    pub full: bool,
    /// With this folder instead of with peers: of a stick, or one that is kept equal elsewhere
    #[arg(long, value_name = "DIR", conflicts_with = "peer")]
    pub folder: Option<PathBuf>,
    /// Only this space; with a folder
    #[arg(long, requires = "folder")]
    pub space: Option<String>,
}
