//! Reads the log back. The files are the owner's, yet nothing in them is believed.

use std::{
    collections::VecDeque,
    io::{self, Read, Seek, SeekFrom},
};

use node_model::Timestamp;
use serde_json::{Map, Value};

use super::{files::FILE_BYTES_MAX, record::Event};

/// Most records of one answer: more than anybody reads, some 4 MB.
pub(super) const RECORDS_MAX: usize = 10_000;

/// Most bytes that are read of one file, its last ones. A file ends up a little larger
/// than full only when a single batch of lines is.
pub(super) const FILE_BYTES_READ_MAX: u64 = FILE_BYTES_MAX + 1024 * 1024;

/// Longest line that is looked at; the longest that is written has some 700 bytes.
pub(super) const LINE_BYTES_MAX: usize = 4 * 1024;

/// Which records.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Those from then on.
    pub since: Timestamp,
    /// Only those of one kind.
    pub event: Option<Event>,
}

/// Records that were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// In the order in which they were written. Each has `at`, a time in RFC 3339, and
    /// `event`, the word of an [`Event`].
    pub records: Vec<Map<String, Value>>,
    /// Whether there were more than an answer has; then the oldest are left out.
    pub is_truncated: bool,
    /// Lines that cannot be read: cut off, too long, or not ours.
    pub passed_over: usize,
}

/// The newest records of files, given the oldest first.
pub(super) fn newest<F: Read + Seek>(
    files: impl IntoIterator<Item = F>,
    wanted: &Wanted,
) -> io::Result<Found> {
    let since = wanted.since.rfc3339();
    let (mut records, mut found) = (VecDeque::new(), Found::default());
    for mut file in files {
        let (bytes, is_cut) = end_of(&mut file)?;
        found.is_truncated |= is_cut;
        // The first piece of a file that is not read from its start is no line.
        let lines = bytes.split(|byte| *byte == b'\n').skip(usize::from(is_cut));
        for line in lines.filter(|line| !line.is_empty()) {
            let Some((record, event)) = parse(line) else {
                found.passed_over += 1;
                continue;
            };
            let is_new = record.get("at").and_then(Value::as_str).is_some_and(|at| at >= &*since);
            if !is_new || wanted.event.is_some_and(|wanted| wanted != event) {
                continue;
            }
            records.push_back(record);
            if records.len() > RECORDS_MAX {
                records.pop_front();
                found.is_truncated = true;
            }
        }
    }
    found.records = records.into();
    Ok(found)
}

/// The last bytes of a file, and whether there are others before them.
fn end_of(file: &mut (impl Read + Seek)) -> io::Result<(Vec<u8>, bool)> {
    let length = file.seek(SeekFrom::End(0))?;
    let start = length.saturating_sub(FILE_BYTES_READ_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_READ_MAX).read_to_end(&mut bytes)?;
    Ok((bytes, start > 0))
}

fn parse(line: &[u8]) -> Option<(Map<String, Value>, Event)> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    let record: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let word = record.get("event")?.as_str()?;
    let event = *Event::ALL.iter().find(|event| event.word() == word)?;
    is_time(record.get("at")?.as_str()?).then_some((record, event))
}

/// Whether it has the form that [`Timestamp::rfc3339`] gives; two of that form compare as
/// the times do.
fn is_time(text: &str) -> bool {
    let form = b"0000-00-00T00:00:00Z";
    text.len() == form.len()
        && text.bytes().zip(form).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            form => byte == *form,
        })
}
