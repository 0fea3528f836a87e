//! `kith token`.

use node_model::{
    DeviceId,
    challenge::{Nonce, Token},
};
use serde_json::{Value, json};

use super::Asking;
use crate::{
    args,
    elsewhere::Elsewhere,
    error::CliError,
    show::{answer, text},
};

/// Longest time as a doorway prints it.
const TIME_LETTERS_MAX: usize = 32;

pub(super) async fn run(asking: &Asking<'_>, args: args::Token) -> Result<(), CliError> {
    let there = Elsewhere::at(&args.url)?;
    let Entered { token, expires_at, node } = enter(asking, &there).await?;
    let shown = json!({"token": token, "node": node, "expires_at": expires_at});
    answer(asking.is_json, &shown, || {
        format!("{token}\n\nGood until {expires_at}, at {}, for whoever has it.", args.url)
    });
    Ok(())
}

/// What a doorway gave.
pub(super) struct Entered {
    pub(super) token: String,
    pub(super) expires_at: String,
    /// Whose doorway it says it is.
    pub(super) node: DeviceId,
}

/// Proves to a doorway with this device's key which device it is.
pub(super) async fn enter(asking: &Asking<'_>, there: &Elsewhere) -> Result<Entered, CliError> {
    let own = asking.client.get("/api/v1/info").await?;
    let device = text(&own, "device");
    let asked = there.post("/api/v1/challenges", None, &json!({"device": device})).await?;
    let (challenge, node) = read_challenge(&asked).ok_or_else(|| there.odd())?;
    // Our node signs for doorways of our own devices and of peers only.
    let to_sign = json!({"challenge": challenge.to_string(), "node": node, "host": there.host()});
    let signed = asking.client.post("/api/v1/challenges/answer", to_sign).await?;
    let proof = json!({
        "device": device, "challenge": challenge.to_string(), "signature": text(&signed, "signature"),
    });
    let given = there.post("/api/v1/tokens", None, &proof).await?;
    let (token, expires_at) = read_token(&given).ok_or_else(|| there.odd())?;
    Ok(Entered { token, expires_at, node })
}

fn read_challenge(asked: &Value) -> Option<(Nonce, DeviceId)> {
    Some((text(asked, "challenge").parse().ok()?, text(asked, "node").parse().ok()?))
}

/// Whoever answers there must not write to the terminal.
fn read_token(given: &Value) -> Option<(String, String)> {
    let token: Token = text(given, "token").parse().ok()?;
    let time = text(given, "expires_at");
    let is_time = time.bytes().all(|byte| byte.is_ascii_digit() || b"-:TZ".contains(&byte));
    (is_time && (1..=TIME_LETTERS_MAX).contains(&time.len()))
        .then(|| (token.expose(), time.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_doorway_says_is_shown() {
        let token = "0f".repeat(32);
        let time = "2026-11-21T14:00:00Z";
        let given = |token: &str, time: &str| json!({"token": token, "expires_at": time});
        assert_eq!(read_token(&given(&token, time)), Some((token.clone(), time.to_owned())));
        let long = "0".repeat(33);
        for bad in ["", "\u{1b}[2J", "soon", &long] {
            assert_eq!(read_token(&given(&token, bad)), None, "{bad}");
        }
        for bad in ["", "\u{1b}[2J", &token[1..]] {
            assert_eq!(read_token(&given(bad, time)), None, "{bad}");
        }
        assert_eq!(read_token(&json!([])), None);
        let node = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";
        assert!(read_challenge(&json!({"challenge": token, "node": node})).is_some());
        for (challenge, node) in [("", node), (&*token, ""), (&*token, "me")] {
            let asked = json!({"challenge": challenge, "node": node});
            assert_eq!(read_challenge(&asked), None);
        }
    }
}
