//! Trials of real processes: they end with a verdict, unlike measurements.

use std::process::{Command, ExitCode, Stdio};

use kith_bench::{
    doctor::{Misfortune, doctor},
    kill,
    options::Options,
    say,
};
use serde_json::json;

use crate::SEED;

/// Kills of a whole run.
const LOOPS: u64 = 200;

/// How often each cause is brought about in a whole run.
const REPEAT: u64 = 20;

/// Says to the second run that it may mount.
const INSIDE: &str = "KITH_BENCH_INSIDE";

/// Which one.
#[derive(Clone, Copy)]
pub(crate) enum Trial {
    Kill,
    Doctor,
}

impl Trial {
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Kill, Self::Doctor].into_iter().find(|trial| trial.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Doctor => "doctor",
        }
    }

    /// Runs it; fails when something was lost or wrong.
    ///
    /// # Errors
    /// What is wrong with the options.
    pub(crate) fn run(self, rest: &[String]) -> Result<ExitCode, String> {
        let known: &[&str] = match self {
            Self::Kill => &["--loops", "--seed", "--kith"],
            Self::Doctor => &["--repeat", "--cause", "--kith"],
        };
        let options = Options::read(rest, known)?;
        // The harness of the acceptance tests finds the binary by a variable of its process.
        if let Some(path) = options.binary()
            && std::env::var_os("KITH_BIN").is_none_or(|it| it != path.as_os_str())
        {
            let again = self.again(&[]).args(rest).env("KITH_BIN", path).status();
            return Ok(exit(again.is_ok_and(|status| status.success())));
        }
        let is_good = match self {
            Self::Kill => kills(options.number("--loops", LOOPS)?, options.number("--seed", SEED)?),
            Self::Doctor => {
                let repeat = options.number("--repeat", REPEAT)?;
                // All of them run, whatever the first ones came to.
                let all = causes(options.text("--cause"))?.into_iter();
                all.filter(|it| !self.cause(*it, repeat)).count() == 0
            }
        };
        Ok(exit(is_good))
    }

    /// This program once more, perhaps under another one.
    fn again(self, wrapper: &[&str]) -> Command {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = match wrapper.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.arg(self.name());
        command
    }

    fn cause(self, misfortune: Misfortune, repeat: u64) -> bool {
        if !misfortune.needs_mounts() || std::env::var_os(INSIDE).is_some() {
            let repeat = usize::try_from(repeat).unwrap_or(usize::MAX);
            let (said, is_good) = on_runtime(doctor(misfortune, repeat));
            say(&said);
            return is_good;
        }
        let trial = Command::new("unshare").args(["-rm", "true"]).stderr(Stdio::null()).status();
        if !trial.is_ok_and(|status| status.success()) {
            let why = "this machine allows no namespaces to `unshare -rm`";
            let cause = misfortune.cause();
            say(&json!({"name": "doctor", "cause": cause, "skipped": why}));
            return true;
        }
        let mut again = self.again(&["unshare", "-rm"]);
        again.args(["--cause", misfortune.cause(), "--repeat", &repeat.to_string()]);
        again.env(INSIDE, "1").status().is_ok_and(|status| status.success())
    }
}

fn kills(loops: u64, seed: u64) -> bool {
    let (said, is_good) = on_runtime(kill::kill(loops, seed));
    say(&said);
    is_good
}

fn causes(named: Option<&str>) -> Result<Vec<Misfortune>, String> {
    let Some(name) = named else { return Ok(Misfortune::ALL.to_vec()) };
    let found = Misfortune::ALL.into_iter().find(|it| it.cause() == name);
    found.map(|it| vec![it]).ok_or_else(|| {
        let all = Misfortune::ALL.map(Misfortune::cause).join(" ");
        format!("--cause {name}: not one of {all}")
    })
}

fn on_runtime<T>(trial: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("this machine has threads").block_on(trial)
}

fn exit(is_good: bool) -> ExitCode {
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
