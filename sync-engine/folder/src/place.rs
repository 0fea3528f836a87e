//! Which file is where: `<folder>/kith/<space>/<writer>/<number>.entries`, and blobs in
//! `<folder>/kith/<space>/blobs/<hash>.blob`.
//!
//! Invariant: every path here is made from ids and numbers, never from a name that was found;
//! a file counts only if its name is the very one that we would have given it.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use node_model::{BlobId, DeviceId, SpaceId};
use tempfile::NamedTempFile;

const ROOT: &str = "kith";

const BLOBS: &str = "blobs";

/// Begins the names of files that are being written. The export of files uses the same one.
const PART: &str = ".kith-part-";

/// Most names that are looked at in one folder: a writer has some hundred files.
const NAMES_MAX: usize = 65_536;

/// Most files of one writer: sixteen merged small ones and, of 32 MiB each, 128 GiB of entries.
const FILES_PER_WRITER_MAX: usize = 4_096;

/// Most writers of a space, as many as a pack has slots for devices.
const WRITERS_MAX: usize = 4_096;

/// Numbers have at most twelve digits: a thousand files a second for thirty years.
pub(crate) const NUMBER_MAX: u64 = 999_999_999_999;

/// Most files that are named one by one.
const NAMED_MAX: usize = 1_000;

/// Most of a path that is repeated, in characters: two ids of 52 and a name.
const PATH_CHARS_MAX: usize = 256;

/// Most blobs that are looked for: 32 MB of ids.
const BLOBS_MAX: usize = 1_000_000;

/// Something in the folder that was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Where, below the folder's `kith`; what a terminal must not see is left out.
    pub path: String,
    /// Why, in words.
    pub why: String,
}

/// What a file of a writer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Entries.
    Entries,
    /// Statements of trust: a pack of nothing else.
    Statements,
}

impl Kind {
    fn ending(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Statements => "kithpack",
        }
    }
}

/// Makes the folder one of ours, if it is not.
///
/// # Errors
/// The disk's.
pub fn begin(folder: &Path) -> io::Result<()> {
    make_folder(&folder.join(ROOT))
}

/// Whether the folder is one of ours, or could become one: there is no `kith` in it, or an
/// empty one, or one that holds spaces.
///
/// # Errors
/// The disk's.
pub fn is_ours(folder: &Path) -> io::Result<bool> {
    let root = folder.join(ROOT);
    match root.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    }
    let is_empty = fs::read_dir(&root)?.next().is_none();
    Ok(is_empty || !spaces(folder)?.is_empty())
}

/// The spaces that the folder holds, by their names only.
///
/// # Errors
/// The disk's.
pub fn spaces(folder: &Path) -> io::Result<Vec<SpaceId>> {
    let mut found = Vec::new();
    for (name, is_folder) in names(&folder.join(ROOT))? {
        if let Some(space) = parse::<SpaceId>(&name).filter(|_| is_folder) {
            found.push(space);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Where one space is in the folder.
#[derive(Clone, Debug)]
pub struct SpacePlace {
    space: SpaceId,
    folder: PathBuf,
}

impl SpacePlace {
    /// In `folder`, which need not be one of ours yet.
    #[must_use]
    pub fn new(folder: &Path, space: SpaceId) -> Self {
        Self { space, folder: folder.join(ROOT).join(space.to_string()) }
    }

    /// Which space.
    #[must_use]
    pub fn space(&self) -> SpaceId {
        self.space
    }

    /// Who has written here, by the names of their folders only.
    ///
    /// # Errors
    /// The disk's.
    pub fn writers(&self, passed_over: &mut Vec<PassedOver>) -> io::Result<Vec<DeviceId>> {
        let mut writers = Vec::new();
        if !is_folder(&self.folder)? {
            return Ok(writers);
        }
        for (name, is_folder) in names(&self.folder)? {
            if name == BLOBS && is_folder {
                continue;
            }
            let why = match parse::<DeviceId>(&name) {
                Some(writer) if is_folder && writers.len() < WRITERS_MAX => {
                    writers.push(writer);
                    continue;
                }
                Some(_) if is_folder => "there are too many writers",
                Some(_) | None => "it is no writer's folder",
            };
            self.pass_over(passed_over, &self.folder.join(name), why);
        }
        writers.sort_unstable();
        Ok(writers)
    }

    /// A writer's files, by their names only, in the order of their numbers.
    ///
    /// # Errors
    /// The disk's.
    pub fn files(
        &self,
        writer: DeviceId,
        passed_over: &mut Vec<PassedOver>,
    ) -> io::Result<Vec<(u64, Kind)>> {
        let folder = self.folder.join(writer.to_string());
        let mut files = Vec::new();
        if !is_folder(&folder)? {
            return Ok(files);
        }
        for (name, is_folder) in names(&folder)? {
            let why = match numbered(&name) {
                Some(file) if !is_folder && files.len() < FILES_PER_WRITER_MAX => {
                    files.push(file);
                    continue;
                }
                Some(_) if is_folder => "it is a folder, not a file",
                Some(_) => "there are too many files",
                None if name.starts_with(PART) => "it was not written to its end",
                None => "it is a copy, or a file of another program",
            };
            self.pass_over(passed_over, &folder.join(name), why);
        }
        files.sort_unstable();
        Ok(files)
    }

    /// The number for the writer's next file.
    ///
    /// # Errors
    /// The disk's; and when somebody used the numbers up.
    pub fn next_number(&self, writer: DeviceId) -> io::Result<u64> {
        let files = self.files(writer, &mut Vec::new())?;
        match files.last() {
            None => Ok(1),
            Some((last, _)) if *last < NUMBER_MAX => Ok(last + 1),
            Some(_) => {
                let folder = self.folder.join(writer.to_string());
                Err(io::Error::other(format!("{} holds no file of ours", folder.display())))
            }
        }
    }

    /// A file of a writer, whether it is there or not.
    #[must_use]
    pub fn file(&self, writer: DeviceId, number: u64, kind: Kind) -> PathBuf {
        let name = format!("{number}.{}", kind.ending());
        self.folder.join(writer.to_string()).join(name)
    }

    /// The blobs that are here, by the names of their files only.
    ///
    /// # Errors
    /// The disk's.
    pub fn blobs(&self, passed_over: &mut Vec<PassedOver>) -> io::Result<Vec<BlobId>> {
        let folder = self.folder.join(BLOBS);
        let mut blobs = Vec::new();
        if !is_folder(&folder)? {
            return Ok(blobs);
        }
        for entry in fs::read_dir(&folder)?.take(BLOBS_MAX) {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let blob = name.strip_suffix(".blob").and_then(parse::<BlobId>);
            match blob.filter(|_| entry.file_type().is_ok_and(|it| it.is_file())) {
                Some(blob) => blobs.push(blob),
                None => {
                    let why = "it is a copy, or a file of another program";
                    self.pass_over(passed_over, &entry.path(), why);
                }
            }
        }
        Ok(blobs)
    }

    /// The file of a blob, whether it is there or not.
    #[must_use]
    pub fn blob(&self, blob: BlobId) -> PathBuf {
        self.folder.join(BLOBS).join(format!("{blob}.blob"))
    }

    /// A file that nobody sees yet, in the writer's own folder.
    ///
    /// # Errors
    /// The disk's.
    pub fn part(&self, writer: DeviceId) -> io::Result<NamedTempFile> {
        let folder = self.make_writer(writer)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(PART);
        // What other programs give to a new file; a temporary one would stay private.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        builder.tempfile_in(folder)
    }

    /// Makes a file durable, then gives it its name.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(&self, part: NamedTempFile, target: &Path) -> io::Result<()> {
        part.as_file().sync_all()?;
        let folder = target.parent().unwrap_or(&self.folder);
        make_folder(folder)?;
        part.persist(target)?;
        File::open(folder)?.sync_all()
    }

    /// Writes a file of a writer, durable under its name when it returns.
    pub(crate) fn write(&self, writer: DeviceId, number: u64, bytes: &[u8]) -> io::Result<()> {
        let mut part = self.part(writer)?;
        part.write_all(bytes)?;
        self.finish(part, &self.file(writer, number, Kind::Entries))
    }

    /// Makes a device's own folder, and removes what it left behind when it was stopped while
    /// it wrote.
    ///
    /// # Errors
    /// The disk's.
    pub fn prepare(&self, writer: DeviceId) -> io::Result<()> {
        let folder = self.make_writer(writer)?;
        for (name, is_folder) in names(&folder)? {
            if name.starts_with(PART) && !is_folder {
                fs::remove_file(folder.join(name))?;
            }
        }
        Ok(())
    }

    fn make_writer(&self, writer: DeviceId) -> io::Result<PathBuf> {
        let folder = self.folder.join(writer.to_string());
        for folder in [self.folder.parent(), Some(&self.folder), Some(&folder)] {
            folder.map_or(Ok(()), make_folder)?;
        }
        Ok(folder)
    }

    /// Names a file that was not used.
    pub fn pass_over(
        &self,
        passed_over: &mut Vec<PassedOver>,
        path: &Path,
        why: impl std::fmt::Display,
    ) {
        let root = self.folder.parent().unwrap_or(&self.folder);
        let path = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
        let visible = path.chars().filter(|letter| !letter.is_control());
        let path: String = visible.take(PATH_CHARS_MAX).collect();
        let why = why.to_string();
        if passed_over.len() < NAMED_MAX {
            passed_over.push(PassedOver { path, why });
        }
    }
}

/// A folder that is no link to one; nothing at all is no folder, nor what is below a file.
fn is_folder(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Makes a folder durable, unless it is there; a link in its place is refused.
fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Ok(()) => path.parent().map_or(Ok(()), |above| File::open(above)?.sync_all()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match is_folder(path)? {
            true => Ok(()),
            false => Err(io::Error::other(format!("{} is no folder", path.display()))),
        },
        Err(error) => Err(error),
    }
}

/// The names in a folder, and whether each is a folder; a link to one is none.
fn names(folder: &Path) -> io::Result<Vec<(String, bool)>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)?.take(NAMES_MAX) {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let file_type = entry.file_type()?;
        names.push((name, file_type.is_dir()));
    }
    Ok(names)
}

/// A name that is exactly what we would write.
fn parse<T: FromStr + ToString>(name: &str) -> Option<T> {
    let parsed: T = name.parse().ok()?;
    (parsed.to_string() == name).then_some(parsed)
}

fn numbered(name: &str) -> Option<(u64, Kind)> {
    let (number, ending) = name.split_once('.')?;
    let kind = [Kind::Entries, Kind::Statements].into_iter().find(|it| it.ending() == ending)?;
    let number = parse::<u64>(number).filter(|number| (1..=NUMBER_MAX).contains(number))?;
    Some((number, kind))
}
