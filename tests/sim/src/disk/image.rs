//! What a disk holds durably, as a value: a backup, or a copied data directory.

use std::collections::BTreeMap;

/// Durable files by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskImage {
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

impl DiskImage {
    /// The paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The content of one file.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// A hash over all paths and contents, to compare two runs of one seed.
    #[must_use]
    pub fn content_hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for (path, content) in &self.files {
            for part in [path.as_bytes(), content] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        *hasher.finalize().as_bytes()
    }
}
