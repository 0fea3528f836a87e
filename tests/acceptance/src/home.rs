//! A data directory of its own, and commands on it.

use std::{ffi::OsStr, path::PathBuf, process::Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::timeout,
};

use crate::{
    running::Up,
    wait::{PATIENCE, until},
};

/// Seals the keys of every test node.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// What would lead a command away from the test's own directory and passphrase.
const FOREIGN: &[&str] = &[
    "KITH_DATA_DIR",
    "KITH_PASSPHRASE_FILE",
    "CREDENTIALS_DIRECTORY",
    "RUST_LOG",
    "VISUAL",
    "EDITOR",
];

/// A folder with a data directory in it; gone when dropped.
pub struct Home {
    folder: TempDir,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// An empty one.
    ///
    /// # Panics
    /// Without a temporary folder.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("kith-").tempdir();
        Self { folder: folder.expect("a temporary folder") }
    }

    /// The data directory; a command creates it.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A place beside the data directory, for files of the test.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command on this directory, with `--json`.
    #[must_use]
    pub fn kith<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Kith {
        let mut kith = Kith::new(arguments);
        kith.command.arg("--json");
        kith.command.arg("--data-dir").arg(self.data_dir());
        kith
    }

    /// `kith up` on this directory, with ports of the system's choice.
    #[must_use]
    pub fn up(&self) -> Up {
        Up::new(&self.data_dir())
    }

    /// Makes a space, and returns its id.
    pub async fn new_space(&self, name: &str) -> String {
        let made = self.kith(&["space", "new", name]).json().await;
        crate::text(&made, "space").to_owned()
    }

    /// Makes a document of `value`, and returns its id.
    pub async fn new_document(&self, space: &str, value: &Value) -> String {
        let new = self.kith(&["doc", "new", space, "--from", "-"]);
        let made = new.stdin(value.to_string()).json().await;
        crate::text(&made, "doc").to_owned()
    }

    /// What a document holds.
    pub async fn value(&self, space: &str, doc: &str) -> Value {
        let got = self.kith(&["doc", "get", space, doc]).json().await;
        got.get("value").cloned().expect("a document has a value")
    }

    /// Ids of all documents of a space, sorted.
    pub async fn documents(&self, space: &str) -> Vec<String> {
        let listed = self.kith(&["doc", "list", space]).json().await;
        let docs = crate::list(&listed, "docs").iter();
        let mut ids: Vec<_> = docs.map(|doc| crate::text(doc, "doc").to_owned()).collect();
        ids.sort();
        ids
    }

    /// Makes a ticket; with these options, such as `--space`.
    pub async fn ticket(&self, options: &[&str]) -> String {
        let made = self.kith(&[&["ticket", "--no-wait"], options].concat()).json().await;
        crate::text(&made, "ticket").to_owned()
    }

    /// Accepts a ticket.
    #[must_use]
    pub fn pair(&self, ticket: &str) -> Kith {
        self.kith(&["pair", "--yes", ticket])
    }

    /// Synchronises with everybody, until everything is here: files, too.
    ///
    /// # Panics
    /// When somebody is not in sync afterwards.
    pub async fn sync(&self) {
        self.sync_by(&["sync"]).await;
    }

    /// The same with one peer; others may be away.
    ///
    /// # Panics
    /// When it is not in sync afterwards.
    pub async fn sync_with(&self, peer: &str) {
        self.sync_by(&["sync", peer]).await;
    }

    async fn sync_by(&self, command: &[&str]) {
        let report = self.kith(command).json().await;
        let peers = crate::list(&report, "peers");
        assert!(!peers.is_empty(), "nobody to sync with");
        for peer in peers {
            assert_eq!(crate::text(peer, "state"), "synced", "{report}");
        }
        until("all files to arrive", async || {
            let status = self.kith(&["status"]).json().await;
            let storage = status.get("storage").expect("a status has it");
            (crate::number(storage, "blobs_missing") == 0).then_some(())
        })
        .await;
    }

    /// Agents that this node is related to.
    pub async fn relations(&self) -> Vec<String> {
        let listed = self.kith(&["peer", "list"]).json().await;
        let related = crate::list(&listed, "peers")
            .iter()
            .filter(|peer| peer.get("relation").is_some_and(Value::is_string));
        related.map(|peer| crate::text(peer, "agent").to_owned()).collect()
    }
}

/// The binary that is tested: `KITH_BIN`, or what the same build made.
///
/// # Panics
/// When there is none.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("KITH_BIN") {
        return path.into();
    }
    // The tests are in `debug/deps`, the binary and other programs in `debug`.
    let tests = std::env::current_exe().expect("a running test has a path");
    let built = tests.ancestors().skip(1).take(2).map(|folder| folder.join("kith"));
    let built = built.into_iter().find(|path| path.is_file());
    built.expect("no binary to test: cargo build -p kith, or set KITH_BIN")
}

/// A command without anything of the developer's own environment.
pub(crate) fn clean_command() -> Command {
    cleaned(Command::new(binary()))
}

fn cleaned(mut command: Command) -> Command {
    for name in FOREIGN {
        command.env_remove(name);
    }
    command.env("KITH_PASSPHRASE", PASSPHRASE).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// One command, not yet run.
pub struct Kith {
    command: Command,
    stdin: Option<Vec<u8>>,
}

impl Kith {
    /// A command that says itself which directory it means, if any.
    #[must_use]
    pub fn new<S: AsRef<OsStr>>(arguments: &[S]) -> Self {
        let mut command = clean_command();
        command.args(arguments);
        Self { command, stdin: None }
    }

    /// A command that another program starts: `wrapper` is that program and its arguments.
    ///
    /// # Panics
    /// Without a program.
    #[must_use]
    pub fn under<S: AsRef<OsStr>>(wrapper: &[&str], arguments: &[S]) -> Self {
        let (program, rest) = wrapper.split_first().expect("a program");
        let mut command = cleaned(Command::new(program));
        command.args(rest).arg(binary()).args(arguments);
        Self { command, stdin: None }
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without a variable of the environment.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// With something to read.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Runs it and returns the one JSON document that it printed.
    ///
    /// # Panics
    /// When it fails, or prints anything else.
    pub async fn json(self) -> Value {
        let said = self.run().await;
        assert_eq!(said.exit, 0, "{said:?}");
        serde_json::from_slice(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// Runs it and returns what it says about its failure.
    ///
    /// # Panics
    /// When it does not fail, or not in the form that scripts rely on.
    pub async fn fails(self) -> Failed {
        let said = self.run().await;
        assert_ne!(said.exit, 0, "it should have failed: {said:?}");
        said.failure()
    }

    /// Starts it, for a test that ends it.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn begin(mut self) -> Child {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        self.command.spawn().expect("the binary starts")
    }

    /// Starts it with standard input that never ends, and waits until it has read some of it.
    ///
    /// # Panics
    /// When it reads nothing.
    pub async fn hang(mut self) -> Child {
        // More than a pipe holds: what does not fit, the command has taken.
        const MORE_THAN_A_PIPE: usize = 1 << 20;
        self.command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = self.command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("it was asked for");
        let writing = stdin.write_all(&[0; MORE_THAN_A_PIPE]);
        let written = timeout(PATIENCE, writing).await.expect("it reads in time");
        written.expect("it reads");
        child.stdin = Some(stdin);
        child
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run(mut self) -> Said {
        let command = &mut self.command;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.stdin.is_some() {
            command.stdin(Stdio::piped());
        }
        let shown = format!("{:?}", command.as_std());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        if let (Some(bytes), Some(mut stdin)) = (self.stdin, child.stdin.take()) {
            // A command that fails early does not read to the end.
            let _ = stdin.write_all(&bytes).await;
        }
        let ended = timeout(PATIENCE, child.wait_with_output()).await;
        let ended = ended.unwrap_or_else(|_| panic!("{shown} did not end"));
        let output = ended.unwrap_or_else(|error| panic!("{shown}: {error}"));
        Said {
            exit: output.status.code().unwrap_or(-1),
            out: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What a command said.
pub struct Said {
    /// Its exit code; -1 when a signal ended it.
    pub exit: i32,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: String,
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { exit, out, err } = self;
        let out = String::from_utf8_lossy(out);
        write!(f, "exit {exit}\nstdout: {out:.2000}\nstderr: {err:.2000}")
    }
}

impl Said {
    /// The error on standard error.
    ///
    /// # Panics
    /// When it has not the form that scripts rely on.
    #[must_use]
    pub fn failure(&self) -> Failed {
        // Log lines may stand before it.
        let last = self.err.lines().last().unwrap_or_default();
        let parsed: Value = serde_json::from_str(last).unwrap_or_default();
        let error = parsed.get("error").unwrap_or_else(|| panic!("no error: {self:?}"));
        let part = |key: &str| {
            let text = crate::text(error, key);
            assert!(!text.trim().is_empty(), "an empty {key}: {self:?}");
            text.to_owned()
        };
        Failed {
            exit: self.exit,
            code: part("code"),
            message: part("message"),
            state: part("state"),
            fix: part("fix"),
        }
    }
}

/// `{error: {code, message, state, fix}}`, none of them empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The exit code.
    pub exit: i32,
    /// The stable code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What state it left.
    pub state: String,
    /// What mends it.
    pub fix: String,
}

impl Failed {
    /// Checks the exit code and the stable code.
    ///
    /// # Panics
    /// When they are others.
    #[track_caller]
    pub fn is(&self, exit: i32, code: &str) -> &Self {
        assert_eq!((self.exit, self.code.as_str()), (exit, code), "{self:?}");
        self
    }

    /// Checks that the message holds this.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn says(&self, part: impl AsRef<str>) -> &Self {
        let part = part.as_ref();
        assert!(self.message.contains(part), "nothing of {part:?}: {self:?}");
        self
    }
}
