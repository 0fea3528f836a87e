//! Disks that are full, read-only or hang, without touching the machine's own: a test runs itself
//! again in a namespace of its own, where it may mount what it wants.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Says to the second run that it is one.
const INSIDE: &str = "KITH_ACCEPTANCE_INSIDE";

/// Whether this run may mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// Yes: do the test.
    Yes,
    /// The test ran inside, or was skipped: nothing is left to do here.
    No,
}

/// Runs the test `name` again where it may mount, and fails if it fails there.
///
/// # Panics
/// When the test fails inside.
#[must_use]
pub fn in_own_mounts(name: &str) -> Inside {
    if std::env::var_os(INSIDE).is_some() {
        return Inside::Yes;
    }
    let trial = Command::new("unshare").args(["-rm", "true"]).stderr(Stdio::null()).status();
    if !trial.is_ok_and(|status| status.success()) {
        skip(&format!("{name}: this machine allows no namespaces to `unshare -rm`"));
        return Inside::No;
    }
    let tests = std::env::current_exe().expect("a running test has a path");
    let status = Command::new("unshare")
        .args(["-rm"])
        .arg(tests)
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("it just worked");
    assert!(status.success(), "{name} failed inside its namespace");
    Inside::No
}

/// Mounts something; false where it is not permitted.
#[must_use]
pub fn mount(arguments: &[&str], target: &Path) -> bool {
    let mount = Command::new("mount").args(arguments).arg(target).status();
    mount.is_ok_and(|status| status.success())
}

/// Mounts a file system whose server never answers, in a shell that holds it until it can read.
const HANG: &str = "exec 3<>/dev/fuse && \
    mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 hung \"$0\" && echo hangs && read _";

/// A folder that hangs like a network mount whose server is gone; until dropped.
pub struct HungMount {
    server: Child,
    target: PathBuf,
}

impl HungMount {
    /// Mounts it; nothing where that is not permitted.
    #[must_use]
    pub fn begin(target: &Path) -> Option<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", HANG]).arg(target).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = shell.spawn().ok()?;
        let mut said = [0; 5];
        let hangs = server.stdout.as_mut().map(|out| out.read_exact(&mut said));
        hangs.filter(Result::is_ok).map(|_| Self { server, target: target.to_owned() })
    }
}

impl Drop for HungMount {
    /// Everybody who waits gets an error, and what is below is there again.
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        // Whether it ended well matters less than that it ended.
        let _ = self.server.wait();
        let _ = Command::new("umount").arg(&self.target).status();
    }
}

/// Says why something is not tested here.
#[expect(clippy::print_stdout, reason = "whoever reads the output must see it")]
pub fn skip(why: &str) {
    println!("skipped by design: {why}");
}
