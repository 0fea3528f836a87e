//! A running node.

use std::{path::Path, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    home::{Failed, Kith, Said, clean_command},
    http::Browser,
    wait::PATIENCE,
};

/// `kith up`, not yet started.
pub struct Up {
    arguments: Vec<String>,
    listen: String,
    doorway: String,
}

impl Up {
    pub(crate) fn new(data_dir: &Path) -> Self {
        let data_dir = data_dir.to_str().expect("temporary folders have plain names");
        let arguments = ["--json", "--data-dir", data_dir, "up", "--no-mdns"];
        Self {
            arguments: arguments.map(ToOwned::to_owned).to_vec(),
            listen: "/ip4/127.0.0.1/tcp/0".to_owned(),
            doorway: "127.0.0.1:0".to_owned(),
        }
    }

    /// With another address for nodes.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// With another address for browsers.
    #[must_use]
    pub fn doorway(mut self, address: &str) -> Self {
        address.clone_into(&mut self.doorway);
        self
    }

    /// With the name by which others know it.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.arguments.extend(["--name", name].map(ToOwned::to_owned));
        self
    }

    fn all(self) -> Vec<String> {
        let Self { mut arguments, listen, doorway } = self;
        arguments.extend(["--listen", &listen, "--doorway", &doorway].map(ToOwned::to_owned));
        arguments
    }

    /// Starts it, and waits until it says that it is ready.
    ///
    /// # Panics
    /// When it does not.
    pub async fn ready(self) -> Running {
        let mut command = clean_command();
        command.args(self.all());
        Running::start(command).await
    }

    /// Starts it, for a test that ends it before it is ready.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn begin(self) -> Child {
        Kith::new(&self.all()).begin()
    }

    /// Starts it, and waits until it has failed.
    ///
    /// # Panics
    /// When it serves.
    pub async fn fails(self) -> Failed {
        Kith::new(&self.all()).fails().await
    }
}

/// A node that serves; killed when dropped.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The line that said so.
    pub ready: Value,
}

impl Running {
    async fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stdout = child.stdout.take().expect("it was asked for");
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(PATIENCE, lines.next_line()).await;
        let first = first.expect("a node is ready in time").expect("a line is text");
        let first = first.expect("the node ended before it was ready; see its error above");
        let ready: Value = serde_json::from_str(&first).expect("the line is JSON");
        assert_eq!(ready.get("ready"), Some(&Value::Bool(true)), "{ready}");
        Self { child, lines, ready }
    }

    /// Its node id.
    #[must_use]
    pub fn node(&self) -> &str {
        crate::text(&self.ready, "node")
    }

    /// Its agent's id.
    #[must_use]
    pub fn agent(&self) -> &str {
        crate::text(&self.ready, "agent")
    }

    /// Where other nodes reach it.
    ///
    /// # Panics
    /// When it listens nowhere.
    #[must_use]
    pub fn listen(&self) -> &str {
        let first = crate::list(&self.ready, "listen").first();
        first.and_then(Value::as_str).expect("it listens")
    }

    /// A browser or program at its doorway, with nothing in its hands.
    #[must_use]
    pub fn browser(&self) -> Browser {
        let url = crate::text(&self.ready, "doorway");
        Browser::new(url.trim_start_matches("http://"))
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The next line that it prints, as JSON.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn line(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("a line in time").expect("a line is text");
        let line = line.expect("the node still runs");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Ends it without a warning, as a power cut would.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("a process id"), signal).expect("it can be signalled");
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn end(mut self, signal: Signal) -> Said {
        self.signal(signal);
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.expect("it ends in time").expect("it was ours");
        let mut out = String::new();
        while let Ok(Some(line)) = self.lines.next_line().await {
            out.push_str(&line);
            out.push('\n');
        }
        Said { exit: status.code().unwrap_or(-1), out: out.into_bytes(), err: String::new() }
    }

    /// Ends it as Ctrl-C does.
    ///
    /// # Panics
    /// When it does not end well.
    pub async fn stop(self) {
        let said = self.end(Signal::INT).await;
        assert_eq!(said.exit, 0, "{said:?}");
    }
}
