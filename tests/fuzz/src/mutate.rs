//! Mutations of valid encodings, seeded.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Largest mutated input: several pages of what is usual, and still quick.
pub const INPUT_BYTES_MAX: usize = 16 * 1024;

/// Mutations of one input, at most.
const MUTATIONS_MAX: usize = 4;

/// Bytes at which decoders decide.
const EDGES: [u8; 16] = [
    0x00, 0x01, 0x17, 0x18, 0x1b, 0x40, 0x58, 0x5b, 0x60, 0x7f, 0x80, 0x9b, 0xa1, 0xbb, 0xf6, 0xff,
];

/// CBOR heads that claim a length in 1, 2, 4 or 8 more bytes.
const LONG_HEADS: [u8; 4] = [0x18, 0x19, 0x1a, 0x1b];

/// Makes inputs from seeds, the same ones from the same number.
pub struct Mutator {
    dice: ChaCha8Rng,
    seeds: Vec<Vec<u8>>,
}

impl Mutator {
    /// A mutator of these encodings; `name` keeps targets from all getting the same dice.
    ///
    /// # Panics
    /// Without seeds.
    #[must_use]
    pub fn new(seed: u64, name: &str, seeds: Vec<Vec<u8>>) -> Self {
        assert!(!seeds.is_empty(), "{name} has no seeds");
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(name.as_bytes());
        Self { dice: ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()), seeds }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let chosen = self.below(self.seeds.len());
        let mut input = self.seeds[chosen].clone();
        for _ in 0..=self.below(MUTATIONS_MAX) {
            self.mutate(&mut input);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        match self.below(9) {
            0 => self.flip(input),
            1 => self.set(input),
            2 => self.cut(input),
            3 => self.remove(input),
            4 => self.repeat(input),
            5 => self.splice(input),
            6 => self.inflate_head(input),
            7 => self.inflate_number(input),
            _ => self.insert(input),
        }
    }

    fn flip(&mut self, input: &mut [u8]) {
        if let Some(at) = self.place(input) {
            input[at] ^= 1 << self.below(8);
        }
    }

    fn set(&mut self, input: &mut [u8]) {
        if let Some(at) = self.place(input) {
            input[at] = EDGES[self.below(EDGES.len())];
        }
    }

    fn cut(&mut self, input: &mut Vec<u8>) {
        let end = self.below(input.len() + 1);
        input.truncate(end);
    }

    fn remove(&mut self, input: &mut Vec<u8>) {
        let (from, to) = self.part(input.len());
        input.drain(from..to);
    }

    fn repeat(&mut self, input: &mut Vec<u8>) {
        let (from, to) = self.part(input.len());
        let part = input[from..to].to_vec();
        for _ in 0..=self.below(8) {
            if input.len() < INPUT_BYTES_MAX {
                input.splice(to..to, part.iter().copied());
            }
        }
    }

    /// The beginning of this and the end of another seed.
    fn splice(&mut self, input: &mut Vec<u8>) {
        let other = self.below(self.seeds.len());
        let (keep, from) = (self.below(input.len() + 1), self.below(self.seeds[other].len() + 1));
        input.truncate(keep);
        input.extend_from_slice(&self.seeds[other][from..]);
    }

    /// A string, list or map that claims to be longer than it is.
    fn inflate_head(&mut self, input: &mut Vec<u8>) {
        let Some(at) = self.place(input) else { return };
        let major = input[at] & 0xe0;
        let width = self.below(LONG_HEADS.len());
        let mut head = vec![major | LONG_HEADS[width]];
        let claim = self.claim().to_be_bytes();
        head.extend_from_slice(&claim[8 - (1 << width)..]);
        input.splice(at..=at, head);
    }

    /// A length in front of something, in either order of bytes or seven bits at a time.
    fn inflate_number(&mut self, input: &mut Vec<u8>) {
        let Some(at) = self.place(input) else { return };
        let claim = self.claim();
        let number = match self.below(4) {
            0 => claim.to_be_bytes()[4..].to_vec(),
            1 => claim.to_le_bytes()[..4].to_vec(),
            2 => claim.to_le_bytes().to_vec(),
            _ => leb128(claim),
        };
        let end = input.len().min(at + number.len());
        input.splice(at..end, number);
    }

    fn insert(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let mut noise = vec![0; 1 + self.below(16)];
        self.dice.fill_bytes(&mut noise);
        input.splice(at..at, noise);
    }

    /// A number at which something overflows.
    fn claim(&mut self) -> u64 {
        let bits = self.below(65);
        let power = 1_u64.checked_shl(u32::try_from(bits).unwrap_or(64)).unwrap_or(0);
        match self.below(3) {
            0 => power,
            1 => power.wrapping_sub(1),
            _ => self.dice.next_u64() & power.wrapping_sub(1),
        }
    }

    fn part(&mut self, len: usize) -> (usize, usize) {
        let from = self.below(len + 1);
        let to = (from + 1 + self.below(32)).min(len);
        (from, to.max(from))
    }

    fn place(&mut self, input: &[u8]) -> Option<usize> {
        (!input.is_empty()).then(|| self.below(input.len()))
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("lengths fit");
        usize::try_from(self.dice.next_u64() % end).expect("below a length")
    }
}

/// Seven bits at a time, lowest first (Automerge's numbers).
#[must_use]
pub fn leb128(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
