//! `kith-bench doctor`: each cause of `docs/doctor.md` is brought about between real nodes,
//! again and again, and the doctor is asked until it names exactly that one.
//!
//! Right means: within ten seconds an answer names the cause for the right space, document
//! and peer, and nothing else but what the same misfortune brings with it ([`Expected`]).
//!
//! What no real `kith` sends (another protocol, a refusal out of the blue, the date of a
//! clock that is ahead) comes from a puppet: the transport of a node whose keys it has. The
//! node that is asked is a real process in every case.
//!
//! Non-goal: an entry that is no change of its document; `node/core/src/tests/doctor.rs`
//! makes one.

mod couple;
mod inject;
mod puppet;

use acceptance::text;
use serde_json::{Value, json};

pub use self::inject::Misfortune;
use self::{couple::Couple, inject::Expected};
use crate::{
    cost::{Meter, rounded},
    real::Member,
};

/// A person waits so long for an answer.
const RIGHT_SECONDS_MAX: f64 = 10.0;

/// How often the doctor is asked: what lasts longer is seen.
const ASK_EVERY: std::time::Duration = std::time::Duration::from_millis(20);

/// Of a hundred answers so many have to be right.
const RIGHT_PERCENT_MIN: usize = 95;

/// Most wrong answers that are told of one cause.
const WRONG_TOLD_MAX: usize = 5;

/// Brings one misfortune about so many times. Says what the doctor made of it, and whether
/// it was right often enough.
///
/// # Panics
/// When nodes do not start, or do not come together before anything is done to them.
pub async fn doctor(misfortune: Misfortune, repeat: usize) -> (Value, bool) {
    let mut seconds = Vec::new();
    let mut wrong = Vec::new();
    for number in 0..repeat {
        let mut couple = Couple::new(misfortune).await;
        let expected = misfortune.happen(&mut couple, number).await;
        match consult(expected.at.of(&couple), &expected).await {
            Ok(after) => seconds.push(after),
            Err(said) => wrong.push(said),
        }
        couple.end().await;
    }
    let right = seconds.len();
    let slowest = seconds.iter().copied().fold(0.0, f64::max);
    let is_good = right * 100 >= repeat * RIGHT_PERCENT_MIN;
    let wrong_count = wrong.len();
    wrong.truncate(WRONG_TOLD_MAX);
    let said = json!({
        "name": "doctor", "cause": misfortune.cause(), "how": misfortune.how(),
        "injected": repeat, "right": right, "wrong": wrong_count,
        "slowest_seconds": rounded(slowest), "said": wrong,
    });
    (said, is_good)
}

/// Seconds until the answer is right, or the last one that was not.
async fn consult(member: &Member, expected: &Expected) -> Result<f64, Value> {
    let meter = Meter::start_clock();
    loop {
        let causes = member.causes().await;
        let seconds = meter.seconds();
        if expected.is_met_by(&causes) && seconds <= RIGHT_SECONDS_MAX {
            return Ok(seconds);
        }
        if seconds > RIGHT_SECONDS_MAX {
            let words = causes
                .iter()
                .map(|cause| json!({"cause": text(cause, "cause"), "words": text(cause, "words")}));
            return Err(words.collect());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
