//! The files: one that grows, and a few older ones.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Where a file is full: some 20,000 records, a day of a busy household.
pub(super) const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Full files that are kept beside the one that grows.
const OLD_FILES_MAX: u32 = 3;

/// The files of a log.
pub(super) struct Files {
    folder: PathBuf,
    file_bytes_max: u64,
    open: Option<Open>,
}

struct Open {
    file: File,
    bytes: u64,
    /// Whether the last line has no end: the process before died while writing it.
    is_torn: bool,
}

impl Files {
    pub(super) fn new(folder: PathBuf, file_bytes_max: u64) -> Self {
        Self { folder, file_bytes_max, open: None }
    }

    /// Adds whole lines. After an error some of them may be there, the last one cut off.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::new(&self.path(0))?,
        };
        let bytes_new = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if open.bytes > 0 && open.bytes.saturating_add(bytes_new) > self.file_bytes_max {
            open.file.sync_data()?;
            drop(open);
            self.rotate()?;
            open = Open::new(&self.path(0))?;
        }
        if open.is_torn {
            open.file.write_all(b"\n")?;
            open.bytes += 1;
            open.is_torn = false;
        }
        open.file.write_all(lines)?;
        open.bytes += bytes_new;
        self.open = Some(open);
        Ok(())
    }

    /// Makes durable what was added.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.open.as_ref().map_or(Ok(()), |open| open.file.sync_data())
    }

    /// All files, the oldest first, to be read whatever becomes of their names.
    pub(super) fn to_read(&self) -> io::Result<Vec<File>> {
        let mut files = Vec::new();
        for age in (0..=OLD_FILES_MAX).rev() {
            match File::open(self.path(age)) {
                Ok(file) => files.push(file),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    fn path(&self, age: u32) -> PathBuf {
        match age {
            0 => self.folder.join("audit.jsonl"),
            age => self.folder.join(format!("audit.{age}.jsonl")),
        }
    }

    /// Makes room for a new file; the oldest goes.
    fn rotate(&self) -> io::Result<()> {
        for age in (0..OLD_FILES_MAX).rev() {
            match fs::rename(self.path(age), self.path(age + 1)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let bytes = file.metadata()?.len();
        let mut last = [b'\n'];
        if bytes > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(Self { file, bytes, is_torn: last != [b'\n'] })
    }
}
