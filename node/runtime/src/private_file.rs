//! Files that only their owner reads, replaced as a whole.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// Writes a file for its owner only (0600), so that after a crash either the old
/// or the new content is there.
///
/// # Errors
/// The system's.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
