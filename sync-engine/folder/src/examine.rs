//! Files that are read to their end before anything in them is used.

use node_model::EntryId;

use crate::{file, store::FolderStore};

impl FolderStore {
    /// Reads each file to its end that holds an entry which is wanted, and passes it over from
    /// now on if it is not as it was written.
    pub fn examine(&mut self, is_wanted: &dyn Fn(EntryId) -> bool) {
        let mut bad = Vec::new();
        self.files.retain(|file| {
            if !file.read.head.entries().any(|(id, _)| is_wanted(id)) {
                return true;
            }
            match file::check(&file.path, &file.read) {
                Ok(()) => true,
                Err(error) => {
                    bad.push((file.path.clone(), error));
                    false
                }
            }
        });
        if !bad.is_empty() {
            bad.iter().for_each(|(path, error)| self.leave_out(path, error));
            self.look_anew();
        }
    }
}
