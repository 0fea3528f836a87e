//! Five hundred crafted documents, always the same: for tests, and to measure what they cost a
//! node. No node writes what is here.

pub(in crate::document) mod columns;
pub(in crate::document) mod forge;

use automerge::{ActorId, AutoCommit, ObjType, ROOT, ScalarValue, transaction::Transactable};
use flate2::{Compression, write::DeflateEncoder};

use std::io::Write;

use self::forge::{Column, Forged, chunk, column, unsigned};

/// How many there are.
pub const CRAFTED: usize = 500;

/// A document that means harm: the changes that it consists of.
pub struct Crafted {
    /// What is wrong with it.
    pub name: String,
    /// Automerge's change chunks, or what pretends to be some.
    pub changes: Vec<Vec<u8>>,
}

impl Crafted {
    pub(in crate::document) fn new<'a>(
        name: String,
        changes: impl IntoIterator<Item = &'a Forged>,
    ) -> Self {
        Self { name, changes: changes.into_iter().map(Forged::bytes).collect() }
    }
}

/// All of them; mutations of real changes make the number full.
#[must_use]
pub fn all() -> Vec<Crafted> {
    let mut crafted = Vec::with_capacity(CRAFTED);
    columns::runs(&mut crafted);
    columns::operations(&mut crafted);
    columns::keys(&mut crafted);
    columns::actors(&mut crafted);
    columns::nesting(&mut crafted);
    columns::counters(&mut crafted);
    columns::marks(&mut crafted);
    columns::values(&mut crafted);
    columns::promises(&mut crafted);
    numbers(&mut crafted);
    references(&mut crafted);
    histories(&mut crafted);
    packed(&mut crafted);
    let real = real_changes();
    for at in crafted.len()..CRAFTED {
        crafted.push(mutation(&real[at % real.len()], at));
    }
    assert_eq!(crafted.len(), CRAFTED, "the mutations fill it up");
    crafted
}

/// A change that makes a list of so many items, as a run: in as many bytes as one of few.
#[cfg(test)]
pub(crate) fn list(items: u64) -> Vec<u8> {
    columns::sequence(Forged::by(1), items, forge::action::MAKE_LIST).bytes()
}

/// Sequences, operation numbers and times that nobody would write.
fn numbers(to: &mut Vec<Crafted>) {
    let small = || columns::one_key(Forged::by(1), 2, b"x");
    for sequence in [0, 2, 3, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
        let forged = Forged { sequence, ..small() };
        to.push(Crafted::new(format!("sequence {sequence}"), [&forged]));
    }
    let near = u64::from(u32::MAX);
    for start in [0, 2, 1_000, 1 << 31, near - 2, near - 1, near, near + 1, 1 << 63, u64::MAX] {
        let forged = Forged { start, ..small() };
        to.push(Crafted::new(format!("operations from {start}"), [&forged]));
        let second = Forged { start, ..small().after(&small(), 2) };
        to.push(Crafted::new(format!("then operations from {start}"), [&small(), &second]));
    }
    for time in [i64::MIN, -1, i64::MAX] {
        let forged = Forged { time, ..small() };
        to.push(Crafted::new(format!("time {time}"), [&forged]));
    }
    let long = Forged { message: vec![b'm'; 1 << 20], ..small() };
    to.push(Crafted::new("a long message".to_owned(), [&long]));
    let extra = Forged { extra: vec![0xff; 1 << 20], ..small() };
    to.push(Crafted::new("a long end".to_owned(), [&extra]));
}

/// Operations on what is not there, of a kind that does not fit, on themselves.
fn references(to: &mut Vec<Crafted>) {
    for kind in [0, 1, 2, 3, 4, 5, 6, 7, 8, 1 << 40] {
        for (object, says) in [(None, "the root"), (Some(1), "itself"), (Some(99), "nothing")] {
            for key in [None, Some(0), Some(77)] {
                let mut forged = columns::sets(Forged::by(1), 1, kind);
                if let Some(counter) = object {
                    forged = forged
                        .with(column::OBJECT_ACTOR, Column::default().run(1, 0))
                        .with(column::OBJECT_COUNTER, Column::default().run(1, counter));
                }
                forged = match key {
                    None => forged.with(column::KEY_NAME, Column::default().text(1, b"x")),
                    Some(0) => forged.with(column::KEY_COUNTER, Column::default().steps(1, 0)),
                    Some(counter) => forged
                        .with(column::KEY_ACTOR, Column::default().run(1, 3))
                        .with(column::KEY_COUNTER, Column::default().steps(1, counter)),
                };
                to.push(Crafted::new(format!("action {kind} in {says} at {key:?}"), [&forged]));
            }
        }
    }
}

/// Histories that fork, repeat, wait, or come backwards.
fn histories(to: &mut Vec<Crafted>) {
    let first = columns::one_key(Forged::by(1), 1, b"x");
    let other = columns::one_key(Forged::by(1), 1, b"y");
    to.push(Crafted::new("an actor twice in one place".to_owned(), [&first, &other]));
    to.push(Crafted::new("a change twice".to_owned(), [&first, &first]));
    let mut own = columns::one_key(Forged::by(2), 1, b"x");
    own.dependencies = vec![own.hash()];
    to.push(Crafted::new("a change that builds on another and says itself".to_owned(), [&own]));
    for length in [10_usize, 3_000] {
        let mut chain = vec![first.clone()];
        for at in 1..length {
            chain.push(columns::one_key(Forged::by(1), 1, b"x").after(&chain[at - 1], 1));
        }
        to.push(Crafted::new(format!("{length} in a row"), &chain));
        to.push(Crafted::new(format!("{length} backwards"), chain.iter().rev()));
        to.push(Crafted::new(format!("{length} without the first"), &chain[1..]));
        let mut repeated = first.clone();
        repeated.dependencies = vec![first.hash(); length * 10];
        to.push(Crafted::new(format!("{length} tens of times the same dependency"), [&repeated]));
    }
    let bad = (0..200_u8).map(|actor| columns::sets(Forged::by(actor), 1, 200));
    let changes = bad.map(|forged| forged.with(column::KEY_NAME, Column::default().text(1, b"x")));
    to.push(Crafted::new("two hundred bad actors".to_owned(), &changes.collect::<Vec<_>>()));
    let lost = (0..200_u8).map(|actor| {
        columns::one_key(Forged::by(actor), 1, b"x")
            .with(column::OBJECT_ACTOR, Column::default().run(1, 0))
            .with(column::OBJECT_COUNTER, Column::default().run(1, 50))
    });
    to.push(Crafted::new(
        "two hundred in objects that are not".to_owned(),
        &lost.collect::<Vec<_>>(),
    ));
}

/// Bytes, deflated.
pub(in crate::document) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// Deflated changes and documents with deflated columns.
fn packed(to: &mut Vec<Crafted>) {
    for bytes in [100, 11 << 20, 64 << 20] {
        let contents = deflated(&vec![0; bytes]);
        to.push(Crafted {
            name: format!("{bytes} bytes, deflated"),
            changes: vec![chunk(2, &contents)],
        });
        to.push(Crafted {
            name: format!("a column of {bytes}"),
            changes: vec![document(&contents)],
        });
    }
    let good = columns::one_key(Forged::by(1), 1, b"x").contents();
    let half = chunk(2, &deflated(&good)[..10]);
    to.push(Crafted { name: "half of a deflated change".to_owned(), changes: vec![half] });
    let bundle = chunk(3, &good);
    to.push(Crafted { name: "a bundle".to_owned(), changes: vec![bundle] });
}

/// A document chunk with one deflated column of operations.
pub(in crate::document) fn document(column: &[u8]) -> Vec<u8> {
    // No actors, no heads, no columns of changes, one of operations: deflated actions.
    let mut contents = vec![0, 0, 0, 1, 0x4a];
    unsigned(column.len() as u64, &mut contents);
    contents.extend(column);
    chunk(0, &contents)
}

/// What Automerge writes itself: maps, lists, texts, counters, deletions.
fn real_changes() -> Vec<Vec<u8>> {
    let mut auto = AutoCommit::new().with_actor(ActorId::from([5; 16]));
    let map = auto.put_object(ROOT, "map", ObjType::Map).expect("a good edit");
    auto.put(&map, "number", 7).expect("a good edit");
    auto.put(&map, "counter", ScalarValue::counter(1)).expect("a good edit");
    let list = auto.put_object(ROOT, "list", ObjType::List).expect("a good edit");
    for at in 0..20 {
        auto.insert(&list, at, format!("item {at}")).expect("a good edit");
    }
    let mut changes = vec![last(&mut auto)];
    let text = auto.put_object(ROOT, "text", ObjType::Text).expect("a good edit");
    auto.splice_text(&text, 0, 0, "a text that is edited").expect("a good edit");
    auto.increment(&map, "counter", 2).expect("a good edit");
    auto.delete(&list, 3).expect("a good edit");
    changes.push(last(&mut auto));
    changes
}

fn last(auto: &mut AutoCommit) -> Vec<u8> {
    let hash = auto.commit().expect("something changed");
    auto.get_change_by_hash(&hash).expect("it was just made").raw_bytes().to_vec()
}

/// A real change with one bit of its contents turned, or its end cut off.
fn mutation(change: &[u8], number: usize) -> Crafted {
    // Behind the magic, the checksum, the type and a length of two bytes.
    let contents = &change[11..];
    let at = number * 7 % contents.len();
    let (name, mutant) = if number.is_multiple_of(5) {
        (format!("cut at {at}"), contents[..at].to_vec())
    } else {
        let mut mutant = contents.to_vec();
        mutant[at] ^= 1 << (number % 8);
        (format!("bit {} of byte {at}", number % 8), mutant)
    };
    Crafted { name, changes: vec![change.to_vec(), chunk(1, &mutant)] }
}
