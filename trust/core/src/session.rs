//! Challenges that wait for an answer, and tokens that were given for one.
//!
//! Invariants: a challenge is good once; nothing is good at or after its end; of a token
//! only its hash is here; no device pushes out what belongs to another one, unless
//! everything is full.
//! Non-goals: signatures, which [`node_model::challenge`] checks, and who may have a
//! token, which the graph says. Nothing here outlives the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use node_model::{
    DeviceId, Entropy, Now, Timestamp,
    challenge::{Answered, Nonce, Token},
    random_bytes,
};

/// How long a challenge waits: an answer takes a moment, a person who has to unlock a
/// key a few minutes.
pub const CHALLENGE_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// How long a token is good: a piece of work, and not much longer than that for whoever
/// steals it.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Most challenges that wait: 1 MB of memory.
pub const CHALLENGES_MAX: usize = 10_000;

/// Most that wait for one device. Its programs ask for one at a time; the others are
/// there because everybody may ask in its name, and must not push out its own so easily.
pub const CHALLENGES_PER_DEVICE_MAX: usize = 32;

/// Most tokens that are good: more devices than anybody has.
pub const TOKENS_MAX: usize = 1_024;

/// Most that are good of one device: a program each.
pub const TOKENS_PER_DEVICE_MAX: usize = 16;

/// What waits and what was given.
#[derive(Debug)]
pub struct Sessions {
    challenges: Book,
    tokens: Book,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            challenges: Book::new(CHALLENGE_LIFETIME, CHALLENGES_MAX, CHALLENGES_PER_DEVICE_MAX),
            tokens: Book::new(TOKEN_LIFETIME, TOKENS_MAX, TOKENS_PER_DEVICE_MAX),
        }
    }
}

impl Sessions {
    /// A challenge for `device`, and until when it waits.
    pub fn challenge(
        &mut self,
        entropy: &mut Entropy,
        now: Now,
        device: DeviceId,
    ) -> (Nonce, Timestamp) {
        let (nonce, end) = unkept_challenge(entropy, now);
        self.challenges.write(now, nonce.0, device);
        (nonce, end)
    }

    /// Uses up the challenge that was answered. Says whether it waited for this device.
    pub fn redeem(&mut self, now: Now, answered: &Answered) -> bool {
        let key = answered.nonce().0;
        let is_waiting = self.challenges.owner(now, &key) == Some(answered.device());
        if is_waiting {
            self.challenges.strike(&key);
        }
        is_waiting
    }

    /// A token for `device`, and until when it is good.
    pub fn grant(
        &mut self,
        entropy: &mut Entropy,
        now: Now,
        device: DeviceId,
    ) -> (Token, Timestamp) {
        let token = Token::random(entropy);
        self.tokens.write(now, token.hash(), device);
        (token, now.wall.plus(TOKEN_LIFETIME))
    }

    /// Whose token it is, if it is good.
    #[must_use]
    pub fn holder(&self, now: Now, token: &Token) -> Option<DeviceId> {
        // By hash: how long the search takes tells nothing of the token.
        self.tokens.owner(now, &token.hash())
    }

    /// Forgets all that was given to a device and all that waits for it.
    pub fn forget(&mut self, device: DeviceId) {
        self.challenges.forget(device);
        self.tokens.forget(device);
    }
}

/// A challenge that nobody can use, for those who must not learn that.
pub fn unkept_challenge(entropy: &mut Entropy, now: Now) -> (Nonce, Timestamp) {
    (Nonce(random_bytes(entropy)), now.wall.plus(CHALLENGE_LIFETIME))
}

/// Keys with their owners, for a while: at most so many of one owner and in all, where
/// the oldest go first.
#[derive(Debug)]
struct Book {
    lifetime: Duration,
    keys_max: usize,
    per_device_max: usize,
    /// How many were ever written.
    count: u64,
    lines: BTreeMap<[u8; 32], Line>,
    /// Keys by age.
    order: BTreeMap<u64, [u8; 32]>,
    /// Ages by owner.
    of_device: BTreeMap<DeviceId, BTreeSet<u64>>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    number: u64,
    device: DeviceId,
    /// Ends by both clocks, whichever comes first: one stands still while the machine
    /// sleeps, somebody may set the other one back.
    end: Now,
}

impl Line {
    fn is_over(&self, now: Now) -> bool {
        now.monotonic >= self.end.monotonic || now.wall >= self.end.wall
    }
}

impl Book {
    fn new(lifetime: Duration, keys_max: usize, per_device_max: usize) -> Self {
        Self {
            lifetime,
            keys_max,
            per_device_max,
            count: 0,
            lines: BTreeMap::new(),
            order: BTreeMap::new(),
            of_device: BTreeMap::new(),
        }
    }

    fn write(&mut self, now: Now, key: [u8; 32], device: DeviceId) {
        self.strike_over(now);
        let own = self.of_device.get(&device);
        let is_own_full = own.is_some_and(|own| own.len() >= self.per_device_max);
        let oldest_own = own.and_then(|own| own.first()).copied().filter(|_| is_own_full);
        let is_full = self.lines.len() >= self.keys_max;
        let oldest = self.order.keys().next().copied().filter(|_| is_full);
        // Room that a device makes among its own is room enough.
        if let Some(key) = oldest_own.or(oldest).and_then(|number| self.order.get(&number)) {
            self.strike(&key.clone());
        }
        let number = self.count;
        self.count += 1;
        let end =
            Now { monotonic: now.monotonic + self.lifetime, wall: now.wall.plus(self.lifetime) };
        self.lines.insert(key, Line { number, device, end });
        self.order.insert(number, key);
        self.of_device.entry(device).or_default().insert(number);
    }

    fn owner(&self, now: Now, key: &[u8; 32]) -> Option<DeviceId> {
        self.lines.get(key).filter(|line| !line.is_over(now)).map(|line| line.device)
    }

    fn strike(&mut self, key: &[u8; 32]) {
        let Some(line) = self.lines.remove(key) else { return };
        self.order.remove(&line.number);
        if let Some(own) = self.of_device.get_mut(&line.device) {
            own.remove(&line.number);
            if own.is_empty() {
                self.of_device.remove(&line.device);
            }
        }
    }

    fn strike_over(&mut self, now: Now) {
        while let Some(key) = self.order.values().next().copied() {
            if !self.lines.get(&key).is_some_and(|line| line.is_over(now)) {
                return;
            }
            self.strike(&key);
        }
    }

    fn forget(&mut self, device: DeviceId) {
        for number in self.of_device.remove(&device).unwrap_or_default() {
            if let Some(key) = self.order.remove(&number) {
                self.lines.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
