//! Arguments of commands that ask and change nothing.

use clap::Args;

/// `kith doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Only this space, or this document [default: everything]
    #[arg(value_name = "SPACE|DOC")]
    pub thing: Option<String>,
}

/// `kith why`.
#[derive(Debug, Args)]
pub struct Why {
    /// A document, a file's hash, a space, a node or a person
    pub thing: String,
}

/// `kith search`.
#[derive(Debug, Args)]
pub struct Search {
    /// Words to look for
    #[arg(required = true)]
    pub query: Vec<String>,
    /// Only in this space
    #[arg(long, value_name = "SPACE")]
    pub space: Option<String>,
    /// Ask connected people, too, about what you both may read; they learn the words
    #[arg(long)]
    pub peers: bool,
    /// At most so many results, up to 100
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = limit)]
    pub limit: u8,
}

fn limit(text: &str) -> Result<u8, String> {
    let limit = text.parse().ok().filter(|limit| (1..=100).contains(limit));
    limit.ok_or_else(|| "from 1 to 100".to_owned())
}
