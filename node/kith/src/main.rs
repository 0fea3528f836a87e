//! `kith`: the command line of a node.

use std::{process::ExitCode, time::Duration};

use clap::{CommandFactory, Parser, error::ErrorKind};
use kith::{args::Cli, commands, error::CliError, show};

/// How long work that nobody waits for any more may take to end. What hangs in a disk that is gone
/// must not keep the process.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// Gives memory back to the system soon after it was needed: docs/decisions/0033.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let is_json = cli.global.json;
    keep_out_of_core_dumps();
    kith::log::start(cli.global.verbose, is_json);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(commands::run(cli));
            runtime.shutdown_timeout(LEAVE_MAX);
            done
        }
        Err(error) => Err(CliError::machine(error.to_string(), "restart the machine")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, is_json),
    }
}

/// Keys are in this memory. A system where it cannot be said goes without.
fn keep_out_of_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // A handler of core dumps gets them in spite of the limit, but not from here.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

fn fail(error: &CliError, is_json: bool) -> ExitCode {
    let text = if is_json { error.to_json().to_string() } else { error.to_string() };
    show::note(&text);
    ExitCode::from(error.exit)
}

/// Wrong usage; `--help` and `--version` come this way, too.
fn usage(error: &clap::Error) -> ExitCode {
    let is_json = std::env::args().any(|argument| argument == "--json");
    let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if is_answer || !is_json {
        error.exit();
    }
    let text = error.to_string();
    // Missing arguments stand on lines of their own, up to an empty one.
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let message = lines.collect::<Vec<_>>().join(" ");
    let message = message.trim_start_matches("error: ");
    let name = Cli::command().get_name().to_owned();
    fail(&CliError::usage(message, format!("{name} --help")), true)
}
