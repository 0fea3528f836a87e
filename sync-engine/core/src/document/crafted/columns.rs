//! Crafted documents whose columns say more than their bytes: bombs of runs, keys,
//! actors, nesting, counters, marks.

use super::{
    Crafted,
    forge::{Column, Forged, action, chunk, column, signed, unsigned},
};

/// Operations that set one key each, by number.
pub(in crate::document) fn sets(forged: Forged, count: u64, action: u64) -> Forged {
    let runs = count as i64;
    forged
        .with(column::ACTION, Column::default().run(runs, action))
        .with(column::VALUE_META, Column::default().run(runs, 0))
        .with(column::INSERT, Column::default().truths(&[count]))
        .with(column::PREDECESSORS, Column::default().run(runs, 0))
}

/// Operations that all set one key of the root.
pub(in crate::document) fn one_key(forged: Forged, count: u64, key: &[u8]) -> Forged {
    sets(forged, count, action::SET)
        .with(column::KEY_NAME, Column::default().text(count as i64, key))
}

/// A list or text at the root and items in it, each after the one before.
pub(in crate::document) fn sequence(forged: Forged, count: u64, make: u64) -> Forged {
    let items = count as i64;
    forged
        .with(column::ACTION, Column::default().run(1, make).run(items, action::SET))
        .with(column::OBJECT_ACTOR, Column::default().nulls(1).run(items, 0))
        .with(column::OBJECT_COUNTER, Column::default().nulls(1).run(items, 1))
        .with(column::KEY_NAME, Column::default().text(1, b"items").nulls(count))
        .with(column::KEY_ACTOR, Column::default().nulls(2).run(items - 1, 0))
        .with(
            column::KEY_COUNTER,
            Column::default().nulls(1).steps(1, 0).steps(1, 2).steps(items - 2, 1),
        )
        .with(column::INSERT, Column::default().truths(&[1, count]))
        .with(column::VALUE_META, Column::default().run(items + 1, 0))
        .with(column::PREDECESSORS, Column::default().run(items + 1, 0))
}

/// Every column, one after the other, says that it has this many rows.
pub(in crate::document) fn runs(to: &mut Vec<Crafted>) {
    let all = [
        column::OBJECT_ACTOR,
        column::OBJECT_COUNTER,
        column::KEY_ACTOR,
        column::KEY_COUNTER,
        column::KEY_NAME,
        column::INSERT,
        column::ACTION,
        column::VALUE_META,
        column::PREDECESSORS,
        column::PREDECESSOR_ACTOR,
        column::PREDECESSOR_COUNTER,
        column::EXPAND,
        column::MARK_NAME,
    ];
    for wanted in all {
        for count in [1_i64 << 19, 1 << 31, 1 << 40, i64::MAX] {
            let truths = Column::default().truths(&[count as u64]);
            let bombs = match wanted {
                column::INSERT | column::EXPAND => vec![truths],
                column::KEY_NAME | column::MARK_NAME => {
                    vec![Column::default().text(count, b"x"), Column::default().nulls(count as u64)]
                }
                _ => vec![Column::default().run(count, 1), Column::default().nulls(count as u64)],
            };
            for bomb in bombs {
                let mut forged = one_key(Forged::by(1), 1, b"x");
                forged.columns.retain(|(column, _)| *column != wanted);
                let forged = forged.with(wanted, bomb);
                to.push(Crafted::new(format!("{count} rows in column {wanted:#x}"), [&forged]));
            }
        }
    }
}

/// Many rows in all columns together, and groups that are the many.
pub(in crate::document) fn operations(to: &mut Vec<Crafted>) {
    for count in [1_000, 1 << 18, (1 << 18) + 1, 1 << 24, 1 << 40] {
        let forged = one_key(Forged::by(1), count, b"x");
        to.push(Crafted::new(format!("{count} operations on a key"), [&forged]));
        let first = one_key(Forged::by(1), 1, b"x");
        let mut group = one_key(Forged::by(1).after(&first, 1), 1, b"x");
        group.columns.retain(|(column, _)| *column != column::PREDECESSORS);
        let group = group
            .with(column::PREDECESSORS, Column::default().run(1, count))
            .with(column::PREDECESSOR_ACTOR, Column::default().run(count as i64, 0))
            .with(
                column::PREDECESSOR_COUNTER,
                Column::default().steps(1, 1).steps(count as i64 - 1, 0),
            );
        to.push(Crafted::new(format!("{count} times the same predecessor"), [&first, &group]));
    }
    for count in [1 << 17, (1 << 18) - 10, 1 << 20] {
        for make in [action::MAKE_LIST, action::MAKE_TEXT] {
            let forged = sequence(Forged::by(1), count, make);
            to.push(Crafted::new(format!("a sequence of {count}, made by {make}"), [&forged]));
        }
    }
    let list = sequence(Forged::by(1), 1 << 16, action::MAKE_LIST);
    to.push(Crafted::new("an update of each item".to_owned(), [&list, &updates(&list, 1 << 16)]));
}

/// Replaces each item of a list.
pub(in crate::document) fn updates(list: &Forged, count: u64) -> Forged {
    let items = count as i64;
    let each = || Column::default().steps(1, 2).steps(items - 1, 1);
    Forged::by(1)
        .after(list, count + 1)
        .with(column::ACTION, Column::default().run(items, action::SET))
        .with(column::OBJECT_ACTOR, Column::default().run(items, 0))
        .with(column::OBJECT_COUNTER, Column::default().run(items, 1))
        .with(column::KEY_ACTOR, Column::default().run(items, 0))
        .with(column::KEY_COUNTER, each())
        .with(column::INSERT, Column::default().truths(&[count]))
        .with(column::VALUE_META, Column::default().run(items, 0))
        .with(column::PREDECESSORS, Column::default().run(items, 1))
        .with(column::PREDECESSOR_ACTOR, Column::default().run(items, 0))
        .with(column::PREDECESSOR_COUNTER, each())
}

/// Long keys, many times, and keys that are odd.
pub(in crate::document) fn keys(to: &mut Vec<Crafted>) {
    let long = vec![b'k'; 1 << 20];
    for count in [1, 10, 100, 1_000, 200_000] {
        let forged = one_key(Forged::by(1), count, &long);
        to.push(Crafted::new(format!("{count} times a key of 1 MiB"), [&forged]));
        let forged = one_key(Forged::by(1), count, b"x")
            .with(column::MARK_NAME, Column::default().text(count as i64, &long));
        to.push(Crafted::new(format!("{count} times a mark of 1 MiB"), [&forged]));
    }
    let combining = "a\u{300}\u{301}\u{489}".repeat(50_000);
    let odd = ["", "\0", "@kith", "\u{202e}", combining.as_str()];
    for key in odd.map(str::as_bytes).into_iter().chain([[0xff, 0xfe].as_slice()]) {
        let forged = one_key(Forged::by(1), 1, key);
        to.push(Crafted::new(format!("an odd key of {} bytes", key.len()), [&forged]));
    }
}

/// Actors: many, long, the same one twice.
pub(in crate::document) fn actors(to: &mut Vec<Crafted>) {
    for (count, bytes) in [(1, 0), (1_000, 16), (4_096, 16), (4_097, 16), (1_000_000, 1), (1, 65)] {
        let mut forged = one_key(Forged::by(1), 1, b"x");
        forged.others = vec![vec![1; bytes]; count];
        to.push(Crafted::new(format!("{count} other actors of {bytes} bytes"), [&forged]));
    }
    for bytes in [0, 1, 64, 65, 1 << 20] {
        let mut forged = one_key(Forged::by(1), 1, b"x");
        forged.actor = vec![1; bytes];
        to.push(Crafted::new(format!("an actor of {bytes} bytes"), [&forged]));
    }
    for count in [100_u64, 2_000, 5_000] {
        let each = (0..count).map(|at| {
            let mut forged = one_key(Forged::by(1), 1, b"x");
            forged.actor = at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().to_vec();
            forged.bytes()
        });
        to.push(Crafted {
            name: format!("{count} actors, heads and values"),
            changes: each.collect(),
        });
    }
}

/// Maps in maps, lists in lists.
pub(in crate::document) fn nesting(to: &mut Vec<Crafted>) {
    for depth in [63, 64, 65, 1_000, 20_000, 100_000_u64] {
        let below = depth as i64 - 1;
        let objects =
            || Column::default().nulls(1).numbers((1..depth as usize).map(|at| at as u64));
        let maps = sets(Forged::by(1), depth, action::MAKE_MAP)
            .with(column::KEY_NAME, Column::default().text(depth as i64, b"x"))
            .with(column::OBJECT_ACTOR, Column::default().nulls(1).run(below, 0))
            .with(column::OBJECT_COUNTER, objects());
        to.push(Crafted::new(format!("{depth} maps deep"), [&maps]));
        let mut lists = sets(Forged::by(1), depth, action::MAKE_LIST)
            .with(column::KEY_NAME, Column::default().text(1, b"x").nulls(depth - 1))
            .with(column::KEY_COUNTER, Column::default().nulls(1).steps(below, 0))
            .with(column::OBJECT_ACTOR, Column::default().nulls(1).run(below, 0))
            .with(column::OBJECT_COUNTER, objects());
        lists.columns.retain(|(column, _)| *column != column::INSERT);
        let lists = lists.with(column::INSERT, Column::default().truths(&[1, depth - 1]));
        to.push(Crafted::new(format!("{depth} lists deep"), [&lists]));
    }
}

/// Counters at the ends of what a number can be.
pub(in crate::document) fn counters(to: &mut Vec<Crafted>) {
    let one = |count: u64, action: u64, kind: u64, number: i64| {
        let mut value = Vec::new();
        signed(number, &mut value);
        let meta = ((value.len() as u64) << 4) | kind;
        let mut forged = one_key(Forged::by(1), count, b"counter");
        forged.columns.retain(|(c, _)| *c != column::ACTION && *c != column::VALUE_META);
        forged
            .with(column::ACTION, Column::default().run(count as i64, action))
            .with(column::VALUE_META, Column::default().run(count as i64, meta))
            .with(column::VALUE, Column::default().bytes(&value.repeat(count as usize)))
    };
    const COUNTER: u64 = 8;
    const SIGNED: u64 = 4;
    for start in [i64::MIN, 0, i64::MAX] {
        let first = one(1, action::SET, COUNTER, start);
        for step in [i64::MIN, -1, 1, i64::MAX] {
            for count in [1, 2, 100] {
                let mut more = one(count, action::INCREMENT, SIGNED, step).after(&first, 1);
                more.columns.retain(|(column, _)| *column != column::PREDECESSORS);
                let runs = count as i64;
                let more = more
                    .with(column::PREDECESSORS, Column::default().run(runs, 1))
                    .with(column::PREDECESSOR_ACTOR, Column::default().run(runs, 0))
                    .with(
                        column::PREDECESSOR_COUNTER,
                        Column::default().steps(1, 1).steps(runs - 1, 0),
                    );
                let name = format!("a counter at {start}, {count} times {step} more");
                to.push(Crafted::new(name, [&first, &more]));
            }
        }
    }
}

/// Marks over a text, each over nearly all of it.
pub(in crate::document) fn marks(to: &mut Vec<Crafted>) {
    for (characters, count) in
        [(100, 10), (2_000, 500), (20_000, 5_000), (100_000, 20), (100_000, 200)]
    {
        let text = sequence(Forged::by(1), characters, action::MAKE_TEXT);
        let ends = 2 * count as usize;
        let place = |at: usize| match at % 2 {
            0 => 2 + at as i64 / 2,
            _ => characters as i64 - at as i64 / 2,
        };
        let names = (0..count).fold(Column::default(), |names, at| {
            names.text(1, format!("m{at}").as_bytes()).nulls(1)
        });
        let marks = Forged::by(1)
            .after(&text, characters + 1)
            .with(column::ACTION, Column::default().run(ends as i64, action::MARK))
            .with(column::OBJECT_ACTOR, Column::default().run(ends as i64, 0))
            .with(column::OBJECT_COUNTER, Column::default().run(ends as i64, 1))
            .with(column::KEY_ACTOR, Column::default().run(ends as i64, 0))
            .with(column::KEY_COUNTER, Column::default().deltas((0..ends).map(place)))
            .with(column::INSERT, Column::default().truths(&[0, ends as u64]))
            .with(column::VALUE_META, Column::default().run(ends as i64, 1))
            .with(column::PREDECESSORS, Column::default().run(ends as i64, 0))
            .with(column::MARK_NAME, names);
        let name = format!("{count} marks over {characters} characters");
        to.push(Crafted::new(name, [&text, &marks]));
    }
}

/// Values of every kind with lengths that fit and others, good and bad bytes.
pub(in crate::document) fn values(to: &mut Vec<Crafted>) {
    for kind in 0..16_u64 {
        for (says, bytes) in [(0, 0), (8, 8), (9, 9), (1, 0), (1_u64 << 50, 4)] {
            let mut forged = one_key(Forged::by(1), 1, b"x");
            forged.columns.retain(|(column, _)| *column != column::VALUE_META);
            let meta = (says << 4) | kind;
            let forged = forged
                .with(column::VALUE_META, Column::default().run(1, meta))
                .with(column::VALUE, Column::default().bytes(&vec![0xfe; bytes]));
            let name = format!("a value of kind {kind} that says {says} bytes and has {bytes}");
            to.push(Crafted::new(name, [&forged]));
        }
    }
}

/// Numbers of the header that promise what does not come.
pub(in crate::document) fn promises(to: &mut Vec<Crafted>) {
    for promised in [1 << 20, 1 << 40, u64::MAX] {
        // Dependencies, the actor, the message, other actors, columns, a column.
        let before: [&[u8]; 6] = [
            &[],
            &[0],
            &[0, 1, 7, 1, 1, 0],
            &[0, 1, 7, 1, 1, 0, 0],
            &[0, 1, 7, 1, 1, 0, 0, 0],
            &[0, 1, 7, 1, 1, 0, 0, 0, 1, 0x42],
        ];
        for start in before {
            let mut contents = start.to_vec();
            unsigned(promised, &mut contents);
            contents.extend([0; 64]);
            let name = format!("{promised} promised after {} bytes", start.len());
            to.push(Crafted { name, changes: vec![chunk(1, &contents)] });
        }
    }
}
