//! Measurements whose size can be said on the command line.

use std::{path::PathBuf, process::ExitCode};

use kith_bench::{circuit, growth, hostile, open, options::Options, pending, resident, start};

use crate::report_all;

/// One of them, with its size.
pub(crate) enum Measurement {
    Pending { operations: u64 },
    Resident { documents: u64, prepare: Option<PathBuf> },
    Open,
    Growth { documents_max: u64, svg: Option<PathBuf> },
    Start { entries: u64, prepare: Option<PathBuf> },
    Circuit,
    Hostile { prepare: Option<PathBuf> },
}

impl Measurement {
    /// What a command line says, if it is of one of these and of nothing else.
    ///
    /// # Errors
    /// What is wrong with the options.
    pub(crate) fn read(names: &[String]) -> Option<Result<Self, String>> {
        let (name, rest) = names.split_first()?;
        let known: &[&str] = match name.as_str() {
            "pending" => &["--operations"],
            "resident" => &["--documents", "--prepare"],
            "growth" => &["--documents-max", "--svg"],
            "start" => &["--entries", "--prepare"],
            "hostile" => &["--prepare"],
            "open" | "circuit" => &[],
            _ => return None,
        };
        // Other names follow: each gets a process of its own.
        if rest.first().is_some_and(|next| !next.starts_with("--")) {
            return None;
        }
        Some(Options::read(rest, known).and_then(|options| Self::of(name, &options)))
    }

    fn of(name: &str, options: &Options) -> Result<Self, String> {
        let path = |name| options.text(name).map(PathBuf::from);
        Ok(match name {
            "pending" => Self::Pending { operations: options.number("--operations", 10_000)? },
            "resident" => {
                let documents = options.number("--documents", 10_000)?;
                Self::Resident { documents, prepare: path("--prepare") }
            }
            "growth" => {
                let documents_max = options.number("--documents-max", 8_000)?;
                Self::Growth { documents_max, svg: path("--svg") }
            }
            "start" => {
                let entries = options.number("--entries", 1_000_000)?;
                Self::Start { entries, prepare: path("--prepare") }
            }
            "open" => Self::Open,
            "hostile" => Self::Hostile { prepare: path("--prepare") },
            _ => Self::Circuit,
        })
    }

    /// Measures, and prints what it came to.
    pub(crate) async fn run(self) -> ExitCode {
        match self {
            Self::Pending { operations } => report_all(pending::pending(operations).await),
            Self::Resident { documents, prepare: Some(folder) } => {
                resident::prepare(documents, &folder).await;
            }
            Self::Resident { documents, prepare: None } => {
                report_all(resident::resident(documents).await);
            }
            Self::Open => report_all(open::open().await),
            Self::Growth { documents_max, svg } => {
                let growth = growth::growth(documents_max).await;
                report_all(growth.lines());
                if let Some(file) = svg {
                    std::fs::write(file, growth.svg()).expect("the file can be written");
                }
            }
            Self::Start { entries, prepare: Some(folder) } => {
                start::prepare(entries, &folder).await;
            }
            Self::Start { entries, prepare: None } => report_all(start::start(entries).await),
            Self::Circuit => report_all(circuit::circuit().await),
            Self::Hostile { prepare: Some(folder) } => hostile::prepare(&folder).await,
            Self::Hostile { prepare: None } => report_all(hostile::hostile().await),
        }
        ExitCode::SUCCESS
    }
}
