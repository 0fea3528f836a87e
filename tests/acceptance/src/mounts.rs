//! Disks that are full or read-only, without touching the machine's own: a test runs itself again
//! in a namespace of its own, where it may mount what it wants.

use std::{
    path::Path,
    process::{Command, Stdio},
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

/// Says why something is not tested here.
#[expect(clippy::print_stdout, reason = "whoever reads the output must see it")]
pub fn skip(why: &str) {
    println!("skipped by design: {why}");
}
