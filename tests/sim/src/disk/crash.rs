//! What a power cut makes of the pending operations of one file.
//!
//! The model is a page cache over a medium with sectors and a journal for metadata. Each sector
//! that pending writes touch has one image per write; the medium gets at most one of them, whole,
//! torn, or with garbage. Sizes and truncations are metadata and apply in order, up to a random
//! point.
//!
//! Invariant: only bytes that a pending operation touched can differ from what was durable.
//! SQLite calls a medium with this property safe for overwrites (`POWERSAFE_OVERWRITE`) and takes
//! it for granted on every Unix; without it, damage would spread to the rest of a sector.

use std::collections::BTreeMap;
use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;

use super::faults::FaultCounts;
use super::file::{File, Pending, write_at};
use super::{below, chance};

/// What a disk writes at once, or not.
pub(super) const SECTOR_BYTES: usize = 512;

/// What reaches the medium of one sector.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Old,
    New,
    /// New up to this offset in the written range, then old.
    Torn {
        draw: u64,
    },
    Garbage,
}

/// The fate of a sector, and which pending operation wrote the image that it concerns.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    operation: usize,
    fate: Fate,
}

/// The content of a file after the power cut.
pub(super) fn settle(file: File, rng: &mut ChaCha8Rng, counts: &mut FaultCounts) -> Vec<u8> {
    if file.pending.is_empty() {
        return file.durable;
    }
    // A quarter of the cuts are clean: neither too rare to be tested nor the rule.
    match below(rng, 8) {
        0 => {
            counts.files_rolled_back += 1;
            file.durable
        }
        1 => {
            counts.files_written_back += 1;
            file.current
        }
        _ => scatter(file, rng, counts),
    }
}

fn scatter(file: File, rng: &mut ChaCha8Rng, counts: &mut FaultCounts) -> Vec<u8> {
    let verdicts = draw_verdicts(&file.pending, rng, counts);
    let metadata_applied = below(rng, file.pending.len() + 1);
    let mut cache = file.durable.clone();
    let mut medium = file.durable;
    let mut size = medium.len();
    for (index, operation) in file.pending.iter().enumerate() {
        let applied = index < metadata_applied;
        match operation {
            Pending::Write { offset, bytes } => {
                let before = sectors(*offset, bytes.len())
                    .map(|sector| image(&cache, sector))
                    .collect::<Vec<_>>();
                operation.apply(&mut cache);
                let written = *offset..*offset + bytes.len();
                for (sector, before) in sectors(*offset, bytes.len()).zip(before) {
                    let verdict = verdicts[&sector];
                    if verdict.operation == index {
                        let after = image(&cache, sector);
                        let landed = land(verdict.fate, &written, sector, (&before, after), rng);
                        put(&mut medium, sector, landed.as_deref());
                    }
                }
                if applied {
                    size = size.max(written.end);
                }
            }
            Pending::Truncate { size: new_size } => {
                operation.apply(&mut cache);
                if applied {
                    medium.truncate(*new_size);
                    size = *new_size;
                } else {
                    counts.lost_truncates += 1;
                }
            }
        }
    }
    medium.resize(size, 0);
    medium
}

/// Draws what happens to each touched sector, in the order of sectors.
fn draw_verdicts(
    pending: &[Pending],
    rng: &mut ChaCha8Rng,
    counts: &mut FaultCounts,
) -> BTreeMap<usize, Verdict> {
    let mut writers = BTreeMap::<usize, Vec<usize>>::new();
    for (index, operation) in pending.iter().enumerate() {
        if let Pending::Write { offset, bytes } = operation {
            for sector in sectors(*offset, bytes.len()) {
                writers.entry(sector).or_default().push(index);
            }
        }
    }
    // Cuts differ in kind: one bad sector among hundreds, or hardly a good one.
    let damaged = [10, 100, 600][below(rng, 3)];
    let landed = [100, 500, 950][below(rng, 3)];
    let draw = |(sector, operations): (usize, Vec<usize>)| {
        let operation = operations[below(rng, operations.len())];
        let fate = draw_fate(damaged, landed, rng, counts);
        (sector, Verdict { operation, fate })
    };
    writers.into_iter().map(draw).collect()
}

fn draw_fate(damaged: u16, landed: u16, rng: &mut ChaCha8Rng, counts: &mut FaultCounts) -> Fate {
    if chance(rng, damaged) {
        if chance(rng, 500) {
            counts.torn_sectors += 1;
            let draw = rng.next_u64();
            return Fate::Torn { draw };
        }
        counts.garbage_sectors += 1;
        return Fate::Garbage;
    }
    if chance(rng, landed) {
        return Fate::New;
    }
    counts.lost_writes += 1;
    Fate::Old
}

/// The new content of a sector's part of the medium, or nothing if it stays as it was.
fn land(
    fate: Fate,
    written: &Range<usize>,
    sector: usize,
    (before, mut after): (&[u8], Vec<u8>),
    rng: &mut ChaCha8Rng,
) -> Option<Vec<u8>> {
    let start = sector * SECTOR_BYTES;
    let from = written.start.max(start) - start;
    let to = written.end.min(start + SECTOR_BYTES) - start;
    match fate {
        Fate::Old => None,
        Fate::New => Some(after),
        Fate::Torn { draw } => {
            // At least one new byte and, if there are two, one old.
            let inner = (to - from - 1).max(1);
            let split = from + 1 + (draw % inner as u64) as usize;
            let old_end = to.min(before.len());
            if split < old_end {
                after[split..old_end].copy_from_slice(&before[split..old_end]);
            }
            after[old_end.max(split)..to].fill(0);
            Some(after)
        }
        Fate::Garbage => {
            rng.fill_bytes(&mut after[from..to]);
            Some(after)
        }
    }
}

/// Every sector that a write touches.
fn sectors(offset: usize, length: usize) -> Range<usize> {
    let end = (offset + length).div_ceil(SECTOR_BYTES);
    offset / SECTOR_BYTES..if length == 0 { offset / SECTOR_BYTES } else { end }
}

/// A sector of the content, shorter at the end of the file.
fn image(content: &[u8], sector: usize) -> Vec<u8> {
    let start = (sector * SECTOR_BYTES).min(content.len());
    let end = (start + SECTOR_BYTES).min(content.len());
    content[start..end].to_vec()
}

fn put(medium: &mut Vec<u8>, sector: usize, landed: Option<&[u8]>) {
    if let Some(landed) = landed {
        write_at(medium, sector * SECTOR_BYTES, landed);
    }
}
