use node_model::{challenge::Challenge, sign::Signer};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::*;

/// A doorway's memory with a clock of its own.
struct Scene {
    sessions: Sessions,
    entropy: ChaCha8Rng,
    now: Now,
}

impl Scene {
    fn new() -> Self {
        Self {
            sessions: Sessions::default(),
            entropy: ChaCha8Rng::seed_from_u64(1),
            now: at(Duration::ZERO),
        }
    }

    fn challenge(&mut self, device: DeviceId) -> Nonce {
        self.sessions.challenge(&mut self.entropy, self.now, device).0
    }

    fn redeem(&mut self, signer: &Signer, nonce: Nonce) -> bool {
        self.sessions.redeem(self.now, &answered(signer, nonce))
    }

    fn grant(&mut self, device: DeviceId) -> Token {
        self.sessions.grant(&mut self.entropy, self.now, device).0
    }

    fn is_good(&self, token: &Token) -> bool {
        self.sessions.holder(self.now, token).is_some()
    }

    fn size(&self) -> [usize; 6] {
        let of = |book: &Book| [book.lines.len(), book.order.len(), book.of_device.len()];
        [of(&self.sessions.challenges), of(&self.sessions.tokens)].concat().try_into().expect("six")
    }
}

fn at(since_start: Duration) -> Now {
    Now { monotonic: since_start, wall: Timestamp(1_700_000_000_000).plus(since_start) }
}

fn signer(number: u8) -> Signer {
    Signer::from_secret(&[number; 32])
}

/// For where only the name counts.
fn device(number: usize) -> DeviceId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    DeviceId(id)
}

fn answered(signer: &Signer, nonce: Nonce) -> Answered {
    let challenge = Challenge::new(nonce, device(0), "127.0.0.1:1").expect("a good host");
    let answer = challenge.sign(signer);
    challenge.verify(signer.device(), &answer).expect("its answer")
}

const MOMENT: Duration = Duration::from_millis(1);

#[test]
fn a_challenge_is_good_once_and_for_one_device() {
    let mut scene = Scene::new();
    let (ada, bo) = (signer(1), signer(2));
    let nonce = scene.challenge(ada.device());
    assert!(!scene.redeem(&bo, nonce), "it was for another device");
    assert!(!scene.redeem(&ada, Nonce([0; 32])), "nobody asked for that");
    assert!(scene.redeem(&ada, nonce));
    assert!(!scene.redeem(&ada, nonce), "it was used");
    assert_eq!(scene.size(), [0; 6]);
}

#[test]
fn a_challenge_ends_after_five_minutes_by_either_clock() {
    let end = Duration::from_secs(300);
    assert_eq!(CHALLENGE_LIFETIME, end);
    let slept = Now { monotonic: Duration::ZERO, wall: at(end).wall };
    let set_back = Now { monotonic: end, wall: at(Duration::ZERO).wall };
    let cases = [(at(end - MOMENT), true), (at(end), false), (slept, false), (set_back, false)];
    for (now, is_good) in cases {
        let mut scene = Scene::new();
        let ada = signer(1);
        let (nonce, until) = scene.sessions.challenge(&mut scene.entropy, scene.now, ada.device());
        assert_eq!(until, at(end).wall);
        scene.now = now;
        assert_eq!(scene.redeem(&ada, nonce), is_good, "{now:?}");
    }
}

#[test]
fn a_token_ends_after_an_hour_by_either_clock() {
    let mut scene = Scene::new();
    let end = Duration::from_secs(3_600);
    let (token, until) = scene.sessions.grant(&mut scene.entropy, scene.now, device(1));
    assert_eq!(until, at(end).wall);
    scene.now = at(end - MOMENT);
    assert_eq!(scene.sessions.holder(scene.now, &token), Some(device(1)));
    scene.now = Now { monotonic: end - MOMENT, wall: at(end).wall };
    assert!(!scene.is_good(&token));
    scene.now = Now { monotonic: end, wall: at(Duration::ZERO).wall };
    assert!(!scene.is_good(&token));
    // The next one sweeps it out.
    scene.grant(device(2));
    assert_eq!(scene.size(), [0, 0, 0, 1, 1, 1]);
}

#[test]
fn only_the_very_token_is_good() {
    let mut scene = Scene::new();
    let token = scene.grant(device(1));
    let text = token.expose();
    let last = if text.ends_with('0') { "1" } else { "0" };
    let other: Token = (text[..63].to_owned() + last).parse().expect("a token");
    assert!(scene.is_good(&token) && !scene.is_good(&other));
    assert!(scene.sessions.tokens.lines.keys().eq([&token.hash()]), "its hash is what is kept");
    assert!(scene.is_good(&token), "it is good more than once");
}

#[test]
fn a_flood_by_one_device_pushes_out_its_own_only() {
    let mut scene = Scene::new();
    let (ada, bo) = (signer(1), signer(2));
    let of_bo = scene.challenge(bo.device());
    let token_of_bo = scene.grant(bo.device());
    let first = scene.challenge(ada.device());
    let second = scene.challenge(ada.device());
    for _ in 0..CHALLENGES_PER_DEVICE_MAX - 1 {
        scene.challenge(ada.device());
    }
    assert!(!scene.redeem(&ada, first) && scene.redeem(&ada, second) && scene.redeem(&bo, of_bo));

    let oldest = scene.grant(ada.device());
    let next = scene.grant(ada.device());
    for _ in 0..TOKENS_PER_DEVICE_MAX - 1 {
        scene.grant(ada.device());
    }
    assert!(!scene.is_good(&oldest) && scene.is_good(&next) && scene.is_good(&token_of_bo));
    assert_eq!(scene.size()[0], CHALLENGES_PER_DEVICE_MAX - 1);
    assert_eq!(scene.size()[3], TOKENS_PER_DEVICE_MAX + 1);
}

#[test]
fn when_all_is_full_the_oldest_goes() {
    let mut scene = Scene::new();
    let (ada, bo) = (signer(1), signer(2));
    let of_ada = scene.challenge(ada.device());
    let of_bo = scene.challenge(bo.device());
    for number in 0..CHALLENGES_MAX - 1 {
        scene.challenge(device(number));
    }
    assert_eq!(scene.size()[..2], [CHALLENGES_MAX; 2]);
    assert!(!scene.redeem(&ada, of_ada) && scene.redeem(&bo, of_bo));

    let tokens: Vec<Token> = (0..=TOKENS_MAX).map(|number| scene.grant(device(number))).collect();
    assert!(!scene.is_good(&tokens[0]) && tokens[1..].iter().all(|token| scene.is_good(token)));
    assert_eq!(scene.size()[3..], [TOKENS_MAX; 3]);
    scene.now = at(TOKEN_LIFETIME);
    scene.challenge(ada.device());
    scene.grant(ada.device());
    assert_eq!(scene.size(), [1; 6]);
}

#[test]
fn a_full_book_takes_the_place_of_the_device_itself() {
    let mut book = Book::new(TOKEN_LIFETIME, 3, 2);
    let now = at(Duration::ZERO);
    for (key, owner) in [(1, 1), (2, 2), (3, 2), (4, 2)] {
        book.write(now, [key; 32], device(owner));
    }
    let kept: Vec<u8> = book.lines.keys().map(|key| key[0]).collect();
    assert_eq!(kept, [1, 3, 4]);
}

#[test]
fn a_device_is_forgotten_whole() {
    let mut scene = Scene::new();
    let (ada, bo) = (signer(1), signer(2));
    let (of_ada, of_bo) = (scene.challenge(ada.device()), scene.challenge(bo.device()));
    let (token, other) = (scene.grant(ada.device()), scene.grant(bo.device()));
    scene.sessions.forget(ada.device());
    assert!(!scene.is_good(&token) && scene.is_good(&other));
    assert!(!scene.redeem(&ada, of_ada) && scene.redeem(&bo, of_bo));
    assert_eq!(scene.size(), [0, 0, 0, 1, 1, 1]);
}
