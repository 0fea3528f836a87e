//! The learning paths that come with the program.

use std::{fs, io, path::Path};

/// Relative path and content of each file.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/guide.rs"));

/// Files of the guide that a reader sees: everything but the authors' notes.
pub(crate) fn files() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().copied().filter(|(path, _)| *path != "README.md")
}

/// Writes the guide to a folder.
pub(crate) fn write_to(folder: &Path) -> io::Result<()> {
    for (path, bytes) in files() {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(target, bytes)?;
    }
    Ok(())
}
