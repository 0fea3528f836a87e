use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use node_model::EntryId;

use super::*;
use crate::sketch::{
    KEPT_SYMBOLS,
    tests::{Sets, random_ids},
};

fn run(first: usize, symbols: &[CodedSymbol]) -> Run {
    Run { size: 0, first, symbols: symbols.to_vec() }
}

fn need_more(progress: Progress) -> Decoder {
    match progress {
        Progress::NeedMore(decoder) => decoder,
        Progress::Decoded(_) | Progress::Hopeless => panic!("{progress:?}"),
    }
}

fn is_hopeless(progress: &Progress) -> bool {
    matches!(progress, Progress::Hopeless)
}

fn symbol(ids: &[(ShortId, i64)]) -> CodedSymbol {
    let mut symbol = CodedSymbol::default();
    for (id, count) in ids {
        symbol.change(*id, id.fingerprint().0, *count);
    }
    symbol
}

#[test]
fn a_decoder_goes_on_beyond_what_is_kept() {
    let sets = Sets::new(5, 500, 3_000);
    let [theirs, ours] = sets.symbols(6_000);
    let decoder = Decoder::new(&ours[..KEPT_SYMBOLS]);
    let mut decoder = need_more(decoder.receive(&run(0, &theirs[..KEPT_SYMBOLS - 1])));
    assert!(decoder.received() + decoder.more() > decoder.capacity());
    decoder.extend(&ours[KEPT_SYMBOLS..3_500]);
    // Some are found before the rest of ours is there.
    let mut decoder =
        need_more(decoder.receive(&run(KEPT_SYMBOLS - 1, &theirs[KEPT_SYMBOLS - 1..3_400])));
    assert!(decoder.found.theirs.len() + decoder.found.ours.len() > 100);
    decoder.extend(&ours[3_500..]);
    match decoder.receive(&run(3_400, &theirs[3_400..])) {
        Progress::Decoded(difference) => assert_eq!(difference, sets.difference()),
        Progress::NeedMore(_) | Progress::Hopeless => panic!("it is not complete"),
    }
}

#[test]
fn what_does_not_decode_with_our_symbols_is_hopeless() {
    let [theirs, ours] = Sets::new(6, 10, 100).symbols(100);
    let decoder = Decoder::new(&ours[..50]);
    let decoder = need_more(decoder.receive(&run(0, &theirs[..49])));
    assert!(is_hopeless(&decoder.clone().receive(&run(49, &theirs[49..50]))));
    assert!(is_hopeless(&decoder.clone().receive(&run(49, &theirs[49..51]))));
    for out_of_order in [0, 48, 50, usize::MAX] {
        assert!(is_hopeless(&decoder.clone().receive(&run(out_of_order, &theirs[49..50]))));
    }
    assert!(is_hopeless(&decoder.receive(&run(49, &[]))));
    assert!(is_hopeless(&Decoder::new(&[]).receive(&run(0, &theirs[..1]))));
}

#[test]
fn a_collision_of_short_ids_ends_without_the_whole_difference() {
    let twin = |last| EntryId([[7; 16], [last; 16]].concat().try_into().expect("32 bytes"));
    let one_each = Sets { shared: vec![], theirs: vec![twin(1)], ours: vec![twin(2)] };
    let [theirs, ours] = one_each.symbols(64);
    assert!(matches!(
        Decoder::new(&ours).receive(&run(0, &theirs)),
        Progress::Decoded(difference) if difference == Difference::default()
    ));
    let both_theirs = Sets { shared: vec![], theirs: vec![twin(1), twin(2)], ours: vec![] };
    let [theirs, ours] = both_theirs.symbols(64);
    assert!(is_hopeless(&Decoder::new(&ours).receive(&run(0, &theirs))));
}

#[test]
fn an_id_where_it_is_not_mapped_is_not_believed() {
    let id = ShortId([1; 16]);
    let indexes: Vec<usize> = id.fingerprint().1.within(0..64).collect();
    let stray = (0..64).find(|index| !indexes.contains(index)).expect("it is not mapped to all");
    let mut symbols = vec![CodedSymbol::default(); 64];
    symbols[stray] = symbol(&[(id, 1)]);
    // Symbol 0 is empty, and yet something is left.
    assert!(is_hopeless(&Decoder::new(&[CodedSymbol::default(); 64]).receive(&run(0, &symbols))));
    symbols[0] = symbol(&[(ShortId([2; 16]), 5)]);
    let decoder = Decoder::new(&[CodedSymbol::default(); 65]).receive(&run(0, &symbols));
    assert_eq!(need_more(decoder).found, Difference::default());
}

#[test]
fn an_id_that_is_found_twice_is_no_sets() {
    let id = ShortId([1; 16]);
    let second = id.fingerprint().1.within(1..200).next().expect("it is mapped to another one");
    let mut symbols = vec![CodedSymbol::default(); 200];
    symbols[0] = symbol(&[(id, 1)]);
    symbols[second] = symbol(&[(id, 1), (id, 1)]);
    assert!(is_hopeless(&Decoder::new(&[CodedSymbol::default(); 201]).receive(&run(0, &symbols))));
}

#[test]
fn crafted_symbols_come_to_an_end() {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let pool: Vec<ShortId> = random_ids(&mut random, 40).into_iter().map(ShortId::of).collect();
    for round in 0..500 {
        let length = 1 + random.next_u32() as usize % 300;
        let mut crafted = || {
            let ids: Vec<(ShortId, i64)> = (0..random.next_u32() % 4)
                .map(|_| {
                    (
                        pool[random.next_u32() as usize % pool.len()],
                        1 - 2 * i64::from(random.next_u32() % 2),
                    )
                })
                .collect();
            let mut symbol = symbol(&ids);
            match random.next_u32() % 8 {
                0 => symbol.count = i64::MIN,
                1 => symbol.count = i64::MAX,
                2 => symbol.sum ^= 1,
                _ => {}
            }
            symbol
        };
        let theirs: Vec<CodedSymbol> = (0..length).map(|_| crafted()).collect();
        let ours: Vec<CodedSymbol> = (0..=length).map(|_| crafted()).collect();
        let split = length / 2;
        let mut progress = Decoder::new(&ours).receive(&run(0, &theirs[..split.max(1)]));
        if let Progress::NeedMore(decoder) = progress {
            assert!(decoder.found.len() <= decoder.received());
            assert!(decoder.more() >= SYMBOLS_MORE_MIN);
            progress = decoder.receive(&run(split.max(1), &theirs[split.max(1)..]));
        }
        if let Progress::NeedMore(decoder) = progress {
            assert!(decoder.found.len() <= length, "round {round}");
        }
    }
}
