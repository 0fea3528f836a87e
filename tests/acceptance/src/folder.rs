//! Folders as values, to write and to compare.

use std::{collections::BTreeMap, ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

/// Files by their path below a folder, as the system knows it.
pub type Tree = BTreeMap<Vec<u8>, Vec<u8>>;

/// Writes files below a folder.
///
/// # Panics
/// When the disk does not take them.
pub fn write_tree(folder: &Path, tree: &Tree) {
    for (path, bytes) in tree {
        let path = folder.join(OsStr::from_bytes(path));
        let parent = path.parent().expect("it is below a folder");
        fs::create_dir_all(parent).expect("a folder can be made");
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// Reads all regular files below a folder; links and sockets are left out.
///
/// # Panics
/// When something cannot be read.
#[must_use]
pub fn read_tree(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    collect(folder, folder, &mut tree);
    tree
}

fn collect(root: &Path, folder: &Path, tree: &mut Tree) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry can be read").path();
        let kind = path.symlink_metadata().expect("it was listed").file_type();
        if kind.is_dir() {
            collect(root, &path, tree);
        } else if kind.is_file() {
            let relative = path.strip_prefix(root).expect("it is below the root");
            let bytes = fs::read(&path).expect("it can be read");
            tree.insert(relative.as_os_str().as_bytes().to_vec(), bytes);
        }
    }
}
