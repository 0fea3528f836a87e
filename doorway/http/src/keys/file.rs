//! The keys on the disk: `<data-dir>/program-keys.json`, as `docs/protocol/program-keys.md`
//! says. Secrets are not in it.

use std::{fs::File, io, io::Read, path::Path};

use data_encoding::HEXLOWER;
use node_core::{Failure, FailureKind};
use node_model::Timestamp;
use node_runtime::write_private;
use serde::{Deserialize, Serialize};

use super::{
    book::{Book, Key},
    pace::Pace,
};

/// Version of the file's form. In the first one all keys had the usual pace.
const FORMAT: u32 = 2;

/// Largest file that is read: 100 keys of 50 rules of at most 512 bytes are 2.6 MB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    format: u32,
    keys: Vec<Row>,
}

/// What a file of any version has.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    hash: String,
    rules: Vec<String>,
    per_minute: Option<u32>,
    made_at_ms: u64,
    made_by: Option<String>,
    expires_at_ms: Option<u64>,
    last_used_day: Option<u64>,
}

/// Reads the keys; without a file there are none.
///
/// # Errors
/// [`Failure`] that names the file. It is never replaced by an empty one.
pub(super) fn read(path: &Path) -> Result<Book, Failure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
        Err(error) => return Err(unusable(path, &error)),
    };
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    let length = read.map_err(|error| unusable(path, &error))?;
    if u64::try_from(length).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(damaged(path));
    }
    let Header { format } = serde_json::from_slice(&bytes).map_err(|_| damaged(path))?;
    if format > FORMAT {
        let message = format!("{} was written by a newer version of kith", path.display());
        return Err(Failure::new(FailureKind::Storage, message, "install the newest kith"));
    }
    let whole: Whole = serde_json::from_slice(&bytes).map_err(|_| damaged(path))?;
    let mut book = Book::default();
    for row in whole.keys {
        let name = row.name.parse().map_err(|_| damaged(path))?;
        let key = key(row).ok_or_else(|| damaged(path))?;
        if !book.restore(name, key) {
            return Err(damaged(path));
        }
    }
    Ok(book)
}

fn key(row: Row) -> Option<Key> {
    let rules = row.rules.iter().map(|rule| rule.parse().ok()).collect::<Option<_>>()?;
    let made_by = match row.made_by {
        Some(name) => Some(name.parse().ok()?),
        None => None,
    };
    Some(Key {
        hash: HEXLOWER.decode(row.hash.as_bytes()).ok()?.try_into().ok()?,
        rules,
        pace: row.per_minute.map_or(Some(Pace::default()), Pace::new)?,
        made_at: Timestamp(row.made_at_ms),
        made_by,
        expires_at: row.expires_at_ms.map(Timestamp),
        last_used_day: row.last_used_day,
    })
}

/// Writes the keys, for their owner only. Once it returns they are on the disk; before
/// that, what was there is.
///
/// # Errors
/// [`Failure`] that names the file.
pub(super) fn write(path: &Path, book: &Book) -> Result<(), Failure> {
    let rows = book.keys().iter().map(|(name, key)| Row {
        name: name.to_string(),
        hash: HEXLOWER.encode(&key.hash),
        rules: key.rules.iter().map(ToString::to_string).collect(),
        per_minute: Some(key.pace.per_minute()),
        made_at_ms: key.made_at.0,
        made_by: key.made_by.map(|name| name.to_string()),
        expires_at_ms: key.expires_at.map(|end| end.0),
        last_used_day: key.last_used_day,
    });
    let whole = Whole { format: FORMAT, keys: rows.collect() };
    let bytes = serde_json::to_vec_pretty(&whole).expect("rows of texts and numbers are JSON");
    write_private(path, &bytes).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let message = format!("{} cannot be used: {error}", path.display());
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        let fix = "free some space and try again";
        return Failure::new(FailureKind::DiskFull, message, fix);
    }
    let fix = "look at the disk and its permissions, then try again";
    Failure::new(FailureKind::Storage, message, fix)
}

fn damaged(path: &Path) -> Failure {
    let message =
        format!("{} is damaged; until it is mended no key opens anything", path.display());
    let fix = "restore it from a backup, or move it away and make new keys: kith doorway keys add";
    Failure::new(FailureKind::Storage, message, fix)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::keys::book::Who;

    fn full() -> Book {
        let mut book = Book::default();
        for (secret, name) in [(1, "backup"), (255, "bot-2")] {
            let key = Key {
                hash: [secret; 32],
                rules: vec!["GET /api/v1/spaces/K%C3%BCche/**".parse().expect("a rule")],
                pace: Pace::new(u32::from(secret)).expect("a pace"),
                made_at: Timestamp(1),
                made_by: (secret == 255).then(|| "backup".parse().expect("a name")),
                expires_at: (secret == 1).then_some(Timestamp(u64::MAX)),
                last_used_day: (secret == 1).then_some(20_778),
            };
            book.add(Who::Owner, name.parse().expect("a name"), key).expect("is added");
        }
        book
    }

    #[test]
    fn what_is_written_is_read_by_its_owner() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("program-keys.json");
        assert_eq!(read(&path).expect("there are none"), Book::default());
        write(&path, &full()).expect("writes");
        assert_eq!(read(&path).expect("reads"), full());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn keys_of_the_first_format_have_the_usual_pace() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("program-keys.json");
        write(&path, &full()).expect("writes");
        let now = fs::read_to_string(&path).expect("is there");
        let lines = now.lines().filter(|line| !line.contains("per_minute"));
        let first = lines.collect::<String>().replace("\"format\": 2", "\"format\": 1");
        fs::write(&path, first).expect("writes");
        let read = read(&path).expect("reads");
        assert_eq!(read.keys().len(), 2);
        assert!(read.keys().values().all(|key| key.pace == Pace::default()));
    }

    #[test]
    fn damaged_and_newer_files_are_named_and_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("program-keys.json");
        write(&path, &full()).expect("writes");
        let good = fs::read_to_string(&path).expect("is there");
        let newer = good.replace("\"format\": 2", "\"format\": 3, \"more\": []");
        for bad in [
            "",
            "{",
            "[]",
            "{\"format\": 1}",
            &newer,
            &good.replace("0101", "01"),
            &good.replace("\"per_minute\": 255", "\"per_minute\": 0"),
            &good.replace("GET /api", "GET /appi"),
            &good.replace("bot-2", "backup"),
            &good.replace(&"ff".repeat(32), &"01".repeat(32)),
            &good.replace("\"rules\"", "\"denied\": [], \"rules\""),
        ] {
            fs::write(&path, bad).expect("writes");
            let failure = read(&path).expect_err("is refused");
            assert_eq!(failure.kind, FailureKind::Storage);
            assert!(failure.message.contains("program-keys.json"), "{failure}");
            let is_newer = bad == newer;
            assert_eq!(failure.fix == "install the newest kith", is_newer, "{bad}");
            assert_eq!(fs::read_to_string(&path).expect("is there"), bad);
        }
        let large = fs::File::create(&path).expect("creates");
        large.set_len(FILE_BYTES_MAX + 1).expect("grows");
        assert!(read(&path).is_err());
    }
}
