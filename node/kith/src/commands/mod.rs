//! The commands. All but `up`, `demo` and `completions` are questions to the
//! HTTP API.

mod blob;
mod circle;
mod conflicts;
mod custody;
mod demo;
mod device;
mod doc;
mod doctor;
mod folder;
mod keys;
mod log;
mod node;
mod pack;
mod pair;
mod people;
mod places;
mod renew;
mod repair;
mod search;
mod space;
mod token;
mod transfer;
mod up;
mod visit;

use clap::CommandFactory;

use crate::{
    args::{Cli, Command, Completions, Device, Global, Space, Sync},
    client::{Client, Reach},
    error::CliError,
};

/// A question to a node: which, and how to print the answer.
pub(crate) struct Asking<'a> {
    pub(crate) client: &'a Client,
    pub(crate) is_json: bool,
}

/// Runs a command.
///
/// # Errors
/// [`CliError`] with the exit code.
pub async fn run(cli: Cli) -> Result<(), CliError> {
    let Cli { command, global } = cli;
    match command {
        Command::Up(up) => up::run(up, &global).await,
        Command::Demo(demo) => demo::run(demo, global.json).await,
        Command::Completions(Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "kith", &mut std::io::stdout());
            Ok(())
        }
        Command::Phrase(phrase) => device::phrase(phrase, &global).await,
        Command::Device(Device::Link { ticket: Some(ticket), yes, .. }) => {
            device::join(&ticket, yes, &global).await
        }
        Command::Device(Device::Renew) => renew::run(&global).await,
        Command::Space(Space::Repair { space }) => repair::run(&global, &space).await,
        asking @ (Command::Status
        | Command::Doctor(_)
        | Command::Id
        | Command::Ticket(_)
        | Command::Pair(_)
        | Command::Space(_)
        | Command::Relation(_)
        | Command::Circle(_)
        | Command::Custody(_)
        | Command::Device(_)
        | Command::Why(_)
        | Command::Search(_)
        | Command::Doc(_)
        | Command::Conflicts(_)
        | Command::Blob(_)
        | Command::Import(_)
        | Command::Export(_)
        | Command::Pack(_)
        | Command::Unpack(_)
        | Command::Sync(_)
        | Command::Log(_)
        | Command::Peer(_)
        | Command::Doorway(_)
        | Command::Token(_)) => ask(asking, &global).await,
    }
}

/// Whether a command needs other nodes when none runs here.
fn reach(command: &Command) -> Reach {
    match command {
        Command::Sync(sync) if sync.folder.is_some() || sync.doorway.is_some() => Reach::Here,
        Command::Pair(_) | Command::Sync(_) => Reach::Others,
        Command::Up(_)
        | Command::Demo(_)
        | Command::Completions(_)
        | Command::Phrase(_)
        | Command::Status
        | Command::Doctor(_)
        | Command::Id
        | Command::Ticket(_)
        | Command::Space(_)
        | Command::Relation(_)
        | Command::Circle(_)
        | Command::Custody(_)
        | Command::Device(_)
        | Command::Why(_)
        | Command::Search(_)
        | Command::Doc(_)
        | Command::Conflicts(_)
        | Command::Blob(_)
        | Command::Import(_)
        | Command::Export(_)
        | Command::Pack(_)
        | Command::Unpack(_)
        | Command::Log(_)
        | Command::Peer(_)
        | Command::Doorway(_)
        | Command::Token(_) => Reach::Here,
    }
}

async fn ask(command: Command, global: &Global) -> Result<(), CliError> {
    let client = Client::connect(global, reach(&command)).await?;
    let asking = Asking { client: &client, is_json: global.json };
    let work = async {
        match command {
            Command::Up(_) | Command::Demo(_) | Command::Completions(_) | Command::Phrase(_) => {
                Ok(())
            }
            Command::Status => node::status(&asking).await,
            Command::Doctor(doctor) => doctor::run(&asking, doctor).await,
            Command::Id => node::id(&asking).await,
            Command::Sync(sync) => synchronise(&asking, sync).await,
            Command::Peer(peer) => node::peer(&asking, peer).await,
            Command::Doorway(doorway) => keys::run(&asking, doorway).await,
            Command::Token(token) => token::run(&asking, token).await,
            Command::Log(log) => log::run(&asking, log).await,
            Command::Ticket(ticket) => pair::ticket(&asking, ticket).await,
            Command::Pair(pair) => pair::pair(&asking, pair).await,
            Command::Space(space) => space::run(&asking, space).await,
            Command::Relation(relation) => people::relation(&asking, relation).await,
            Command::Circle(circle) => circle::run(&asking, circle).await,
            Command::Custody(custody) => custody::run(&asking, custody).await,
            Command::Device(device) => device::run(&asking, device).await,
            Command::Why(why) => people::why(&asking, why).await,
            Command::Search(search) => search::run(&asking, search).await,
            Command::Doc(doc) => doc::run(&asking, doc).await,
            Command::Conflicts(command) => conflicts::run(&asking, command).await,
            Command::Blob(blob) => blob::run(&asking, blob).await,
            Command::Import(import) => transfer::import(&asking, import).await,
            Command::Export(export) => transfer::export(&asking, export).await,
            Command::Pack(pack) => pack::pack(&asking, pack).await,
            Command::Unpack(unpack) => pack::unpack(&asking, unpack).await,
        }
    };
    let done = tokio::select! {
        done = work => done,
        interrupted = tokio::signal::ctrl_c() => Err(stopped(interrupted.err())),
    };
    client.close().await;
    done
}

async fn synchronise(asking: &Asking<'_>, sync: Sync) -> Result<(), CliError> {
    match (&sync.folder, &sync.doorway) {
        (Some(folder), _) => folder::sync(asking, folder, &sync).await,
        (None, Some(url)) => visit::sync(asking, url, &sync).await,
        (None, None) => node::sync(asking, sync).await,
    }
}

fn stopped(error: Option<std::io::Error>) -> CliError {
    let failure = node_core::Failure {
        kind: node_core::FailureKind::Storage,
        message: error.map_or_else(|| "interrupted".to_owned(), |error| error.to_string()),
        state: "what was done so far is kept".to_owned(),
        fix: "run the same command again; it goes on from there".to_owned(),
    };
    CliError { code: "interrupted".to_owned(), ..failure.into() }
}
