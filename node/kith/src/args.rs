//! The command line.

mod conflicts;
mod devices;
mod doc;
mod doorway;
mod log;
mod people;
mod questions;
mod space;
mod sync;
mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use self::{
    conflicts::Conflicts,
    devices::{Device, Peer, Phrase},
    doc::{Doc, Which},
    doorway::{Doorway, Keys},
    log::Log,
    people::{Circle, Custody, Relation},
    questions::{Doctor, Search, Why},
    space::{KeptPart, Space},
    sync::Sync,
    token::Token,
};

const AFTER_HELP: &str = "\
Examples:
  kith demo                          see everything in one minute
  kith up                            run this device's node
  kith space new album               make a space
  kith import ~/Pictures --space album
  kith ticket --space album --role reader
  kith pair kith1…                   accept somebody's ticket

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not allowed, 4 not found,
5 unreachable or timed out.";

/// A first-class home for your data, on your own devices.
#[derive(Debug, Parser)]
#[command(name = "kith", version, about, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Print one JSON document (JSON lines where it streams)
    #[arg(long, global = true)]
    pub json: bool,
    /// Where this node lives; default is the platform's data directory
    #[arg(long, global = true, env = "KITH_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Say more; twice, even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Keep the keys unsealed on the disk: whoever gets the disk gets everything
    #[arg(long, global = true)]
    pub plain_keys: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the node of this device
    Up(Up),
    /// Show the main job with two nodes, in temporary directories
    Demo(Demo),
    /// Show this node, its peers and its spaces
    Status,
    /// Say what is not in sync, why, and what mends it
    #[command(
        after_help = "Examples:\n  kith doctor\n  kith doctor album\n  kith doctor album/notes\n\nThere is one cause for each space and node, or document, that is not in sync; no line\nmeans that everybody has confirmed to hold the same."
    )]
    Doctor(Doctor),
    /// Show who and where this node is
    Id,
    /// Make a one-time ticket that invites somebody
    #[command(
        after_help = "Examples:\n  kith ticket\n  kith ticket --space album --role writer --expires 1h"
    )]
    Ticket(Ticket),
    /// Accept a ticket: relates the two of you
    #[command(
        after_help = "Examples:\n  kith pair kith1…\n  kith pair --yes kith1…   (for scripts: does not compare the code)"
    )]
    Pair(Pair),
    /// Spaces: what belongs together, and who may see it
    #[command(subcommand)]
    Space(Space),
    /// Relationships: who is close to you, and who keeps what for whom
    #[command(subcommand)]
    Relation(Relation),
    /// Circles: people under a name, to be let into spaces together
    #[command(subcommand)]
    Circle(Circle),
    /// Who holds which space, and where
    #[command(subcommand)]
    Custody(Custody),
    /// Your own devices
    #[command(subcommand)]
    Device(Device),
    /// The 24 words that bring you back when all devices are lost
    #[command(subcommand)]
    Phrase(Phrase),
    /// Say why something is here, was sent, or was denied
    #[command(after_help = "Examples:\n  kith why album\n  kith why album/notes\n  kith why Bo")]
    Why(Why),
    /// Find documents by their words
    #[command(
        after_help = "Examples:\n  kith search compost\n  kith search rain water --space garden\n  kith search 'rain -roof'           without documents that say roof\n  kith search '\"in this order\"'\n  kith search compost --peers        also what connected people find in what you both read\n\nAll words must occur; the last one may go on."
    )]
    Search(Search),
    /// Documents
    #[command(subcommand)]
    Doc(Doc),
    /// What people changed at the same time: see all sides, and choose
    #[command(subcommand)]
    Conflicts(Conflicts),
    /// Files
    #[command(subcommand)]
    Blob(Blob),
    /// Bring a file or folder into a space
    #[command(
        after_help = "Examples:\n  kith import ~/recipes --space kitchen\n  kith import ~/photos --space album --new-only   (a snapshot: nothing is updated)\n\nMarkdown, HTML, text and JSON become documents, everything else files.\nThe same folder again brings the changes."
    )]
    Import(Import),
    /// Write a space's files to a folder, byte for byte
    #[command(after_help = "Examples:\n  kith export kitchen ~/kitchen-copy")]
    Export(Export),
    /// Write a space to one sealed file, for a USB stick: any member can take it in
    #[command(
        after_help = "Examples:\n  kith pack album /media/stick/album.kithpack\n  kith pack album later.kithpack --since album.kithpack   (only what is new)\n\nMembers of the space open it, custodians too; for everybody else it is noise.\nFiles that are not on this device are not in it."
    )]
    Pack(Pack),
    /// Take in what somebody packed
    #[command(
        after_help = "Examples:\n  kith unpack /media/stick/album.kithpack\n\nThe same pack again changes nothing. Of a damaged one everything before the damage is kept."
    )]
    Unpack(Unpack),
    /// Synchronise now
    #[command(
        after_help = "Examples:\n  kith sync\n  kith sync --full\n  kith sync --folder /media/stick\n  kith sync --folder ~/Dropbox/family --space album\n  kith sync --folder /mnt/nas/kith --every 5m     from now on; ends with --stop\n  ssh -N -L 4718:127.0.0.1:4718 rack &\n  kith sync --doorway http://127.0.0.1:4718\n\nA folder takes the place of a connection: everybody runs the same command, whenever they\nhave it. Everything in it is sealed; several people and spaces may use one folder. One that\nhangs or is away delays nothing: kith status says since when.\n\nA doorway takes the place of a connection where only HTTP gets through: both nodes prove to\neach other who they are, then speak as they do otherwise. Documents and files come that way."
    )]
    Sync(Sync),
    /// Nodes that this one knows
    #[command(subcommand)]
    Peer(Peer),
    /// Get a token for the doorway of another device of yours
    Token(Token),
    /// The doorway: which programs may do what by it
    #[command(subcommand)]
    Doorway(Doorway),
    /// Who asked this node for what, and what came of it
    #[command(
        after_help = "Examples:\n  kith log\n  kith log --hours 168 --event search\n  kith log --json\n\nSearches, changes, reads of documents and files, and what was denied: never what\nsomebody searched for, wrote or read. The newest comes last."
    )]
    Log(Log),
    /// Print a completion script for a shell
    #[command(
        after_help = "Examples:\n  kith completions bash > ~/.local/share/bash-completion/completions/kith"
    )]
    Completions(Completions),
}

/// `kith up`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  kith up\n  kith up --listen /ip4/0.0.0.0/tcp/4717 --doorway 127.0.0.1:4718\n  kith up --web doorway/web/dist\n  KITH_PASSPHRASE_FILE=/run/keys/kith kith up --json"
)]
pub struct Up {
    /// Where other nodes reach this one, as a multiaddr; may be repeated; `none` for only
    /// through others [default: port 4717]
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<String>,
    /// Where browsers on this machine reach it [default: 127.0.0.1:4718]
    #[arg(long, value_name = "ADDR")]
    pub doorway: Option<std::net::SocketAddr>,
    /// Also serve the web app that is in this folder, at /app/
    #[arg(long, value_name = "FOLDER")]
    pub web: Option<std::path::PathBuf>,
    /// Do not look for nodes on the local network
    #[arg(long)]
    pub no_mdns: bool,
    /// Do not pass connections on among the people you know
    #[arg(long)]
    pub no_circuits: bool,
    /// How often to compare with every peer, even if nothing was heard
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = crate::duration::parse)]
    pub sync_interval: std::time::Duration,
    /// What you want to be called by others; used when the identity is created
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// `kith demo`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  kith demo\n  kith demo --check")]
pub struct Demo {
    /// Run to the end, verify it, and exit
    #[arg(long)]
    pub check: bool,
    /// Where the doorway listens; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub doorway: std::net::SocketAddr,
}

/// `kith ticket`.
#[derive(Debug, Args)]
pub struct Ticket {
    /// Also invite to this space
    #[arg(long, value_name = "SPACE")]
    pub space: Option<String>,
    /// What they may do there: custodian, reader, writer or admin
    #[arg(long, value_name = "ROLE", requires = "space")]
    pub role: Option<String>,
    /// How long the ticket is good, at most 30 days
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = crate::duration::parse)]
    pub expires: std::time::Duration,
    /// Do not wait for somebody to come
    #[arg(long)]
    pub no_wait: bool,
}

/// `kith pair`.
#[derive(Debug, Args)]
pub struct Pair {
    /// The ticket
    pub ticket: String,
    /// Do not ask whether the codes are the same
    #[arg(long, short)]
    pub yes: bool,
}

/// `kith blob`.
#[derive(Debug, Subcommand)]
pub enum Blob {
    /// Put a file into a space
    Put {
        /// The space
        space: String,
        /// The file; `-` is standard input
        file: PathBuf,
    },
    /// Write a file of a space to FILE, or to standard output
    Get {
        /// The space
        space: String,
        /// The file's hash
        hash: String,
        /// Where to; `-` is standard output
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// List the files of a space
    List {
        /// The space
        space: String,
    },
}

/// `kith import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The file or folder
    pub path: PathBuf,
    /// The space
    #[arg(long)]
    pub space: String,
    /// Only what the space never had: nothing is updated, nothing that was removed comes back
    #[arg(long)]
    pub new_only: bool,
}

/// `kith export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The space
    pub space: String,
    /// The folder
    pub dir: PathBuf,
}

/// `kith pack`.
#[derive(Debug, Args)]
pub struct Pack {
    /// The space
    pub space: String,
    /// The file to write; one of that name is replaced
    pub file: PathBuf,
    /// Leave out what this earlier pack of the space, and those that it builds on, hold
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
}

/// `kith unpack`.
#[derive(Debug, Args)]
pub struct Unpack {
    /// The pack
    pub file: PathBuf,
}

/// `kith completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}
