//! Folders that only their owner reads.

use std::{fs, io, path::Path};

/// Creates a folder for its owner only (0700); one that exists stays as it is.
pub(super) fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
