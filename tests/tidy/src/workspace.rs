//! The checkout under test: its root, its crates, its files, and how a rule reports.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folders that hold no source of ours.
const SKIPPED_FOLDERS: &[&str] = &["target", ".git", "node_modules", "dist"];

/// One workspace crate, as `cargo metadata` sees it.
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Relative to the root, with forward slashes.
    pub(crate) folder: String,
    /// Names of all direct dependencies: normal, build and dev.
    pub(crate) dependencies: Vec<String>,
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    // Tests run in their package's folder. A path from compile time may be another checkout's.
    std::env::current_dir()
        .ok()
        .and_then(|here| here.ancestors().nth(2).map(Path::to_path_buf))
        .expect("tidy lives in tests/tidy")
}

/// Fails with every problem at once, and with the way to mend them.
pub(crate) fn report(problems: &[String], mend: &str) {
    assert!(
        problems.is_empty(),
        "{} problem(s):\n  {}\nTo mend: {mend}\n",
        problems.len(),
        problems.join("\n  "),
    );
}

/// All crates of the workspace, in cargo's order.
pub(crate) fn crates() -> Vec<Crate> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    packages.iter().map(read_crate).collect()
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {complaint}");
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn read_crate(package: &Value) -> Crate {
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let dependencies = package["dependencies"].as_array().expect("a list");
    Crate {
        name: text(&package["name"]),
        folder: relative(manifest.parent().expect("a manifest is in a folder")),
        dependencies: dependencies.iter().map(|it| text(&it["name"])).collect(),
    }
}

/// Every file of the checkout, relative to the root, sorted.
pub(crate) fn files() -> Vec<String> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<String>) {
    for item in fs::read_dir(folder).expect("a folder of the checkout is readable") {
        let path = item.expect("a folder entry is readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !path.is_dir() {
            found.push(relative(&path));
        } else if !SKIPPED_FOLDERS.contains(&name.as_ref()) {
            collect(&path, found);
        }
    }
}

/// A text file of the checkout; a missing one is a failure that names it.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn relative(path: &Path) -> String {
    let inside = path.strip_prefix(root()).expect("inside the checkout");
    inside.to_string_lossy().replace('\\', "/")
}
