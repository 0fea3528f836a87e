//! The arguments of `kith sync`.

use std::{path::PathBuf, time::Duration};

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
    /// Through the doorway of another node instead of directly: where only HTTP gets through
    #[arg(long, value_name = "URL", conflicts_with = "folder")]
    pub doorway: Option<String>,
    /// Only this space; with a folder
    #[arg(long, requires = "folder")]
    pub space: Option<String>,
    /// From now on so often, and soon after each change here, while the node runs; such as 5m
    #[arg(long, value_name = "TIME", requires = "folder", value_parser = crate::duration::parse)]
    pub every: Option<Duration>,
    /// No more, of what --every said; what is in the folder stays
    #[arg(long, requires = "folder", conflicts_with_all = ["every", "full", "space"])]
    pub stop: bool,
}
