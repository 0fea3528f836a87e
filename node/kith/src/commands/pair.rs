//! `kith ticket` and `kith pair`.

use std::{
    io::{BufRead, IsTerminal},
    time::Duration,
};

use node_core::{Failure, Mend};
use qrcode::{QrCode, render::unicode};
use serde_json::{Value, json};

use super::Asking;
use crate::{
    args::{Pair, Ticket},
    client::escape,
    error::CliError,
    show::{answer, line, list, note, text},
};

/// How often `kith ticket` asks whether somebody came.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn ticket(asking: &Asking<'_>, args: Ticket) -> Result<(), CliError> {
    let role = args.space.as_ref().map(|_| args.role.as_deref().unwrap_or("reader"));
    let body = json!({
        "space": args.space, "role": role, "expires_seconds": args.expires.as_secs(),
    });
    show_ticket(asking, body, args.expires, args.no_wait).await
}

/// Makes a ticket, shows it, and waits for somebody to come with it.
pub(super) async fn show_ticket(
    asking: &Asking<'_>,
    body: Value,
    expires: Duration,
    no_wait: bool,
) -> Result<(), CliError> {
    let before = asking.client.get("/api/v1/pairings").await?;
    let made = asking.client.post("/api/v1/tickets", body).await?;
    answer(asking.is_json, &made, || {
        let ticket = text(&made, "ticket");
        let code = qr_code(ticket).unwrap_or_default();
        format!("{code}{ticket}\n\nGood once, until {}.", text(&made, "expires_at"))
    });
    if !asking.client.is_running() {
        note("Nobody can use it before your node runs: kith up");
        return Ok(());
    }
    if asking.is_json || no_wait || !std::io::stdout().is_terminal() {
        return Ok(());
    }
    line("Waiting for somebody to come with it; Ctrl-C stops waiting, the ticket stays good.");
    let wait = wait_for_pairing(asking, list(&before, "pairings").len());
    // The ticket is useless after that, and so is waiting.
    match tokio::time::timeout(expires, wait).await {
        Ok(done) => done,
        Err(_) => {
            line("Nobody came; the ticket has expired.");
            Ok(())
        }
    }
}

async fn wait_for_pairing(asking: &Asking<'_>, known: usize) -> Result<(), CliError> {
    let mut is_shown = false;
    loop {
        let pairings = asking.client.get("/api/v1/pairings").await?;
        if let Some(pairing) = list(&pairings, "pairings").get(known) {
            if !is_shown {
                line(&format!(
                    "The code is {}. The other side must see the same.",
                    text(pairing, "code")
                ));
                is_shown = true;
            }
            if !text(pairing, "agent").is_empty() {
                line(&format!("You and {} are related now.", text(pairing, "name")));
                return Ok(());
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The ticket as blocks for a camera; capitals make the code smaller.
fn qr_code(ticket: &str) -> Option<String> {
    let code = QrCode::new(ticket.to_ascii_uppercase()).ok()?;
    let image = code
        .render::<unicode::Dense1x2>()
        .dark_color(unicode::Dense1x2::Light)
        .light_color(unicode::Dense1x2::Dark)
        .build();
    Some(format!("{image}\n\n"))
}

pub(super) async fn pair(asking: &Asking<'_>, args: Pair) -> Result<(), CliError> {
    let body = json!({"ticket": args.ticket});
    let paired = accept(asking, body, args.yes, "kith pair --yes TICKET").await?;
    answer(asking.is_json, &paired, || {
        format!(
            "You and {} are related now.\nagent {}\nnode  {}",
            text(&paired, "name"),
            text(&paired, "agent"),
            text(&paired, "peer"),
        )
    });
    Ok(())
}

/// Accepts a ticket and lets the person compare the codes.
pub(super) async fn accept(
    asking: &Asking<'_>,
    body: Value,
    is_sure: bool,
    fix: &str,
) -> Result<Value, CliError> {
    if !is_sure && !std::io::stdin().is_terminal() {
        let message = "somebody must compare the code, and nobody is here";
        return Err(CliError::usage(message, fix));
    }
    let begun = asking.client.post("/api/v1/pair", body).await?;
    let (peer, code) = (text(&begun, "peer"), text(&begun, "code"));
    let is_same = is_sure || ask_same(code).await?;
    let path = format!("/api/v1/pair/{}", escape(peer));
    let paired = asking.client.post(&path, json!({"same": is_same})).await;
    if !is_same {
        // The node says what the ticket was for, and so which new one it takes.
        let message = "the codes differ: somebody else may have answered; nothing was shared; ask \
                       for a new ticket, over another way";
        let mend = Mend::Invite { space: None, role: None };
        let fix = paired.err().map_or_else(|| mend.to_string(), |refused| refused.fix);
        return Err(CliError { fix, ..Failure::refused(message, &mend).into() });
    }
    let mut paired = paired?;
    if let Value::Object(map) = &mut paired {
        map.insert("code".to_owned(), code.into());
    }
    Ok(paired)
}

async fn ask_same(code: &str) -> Result<bool, CliError> {
    line(&format!("The code is {}.", code));
    line("Does the other side show the same code? [y/N]");
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = read.await.ok().and_then(Result::ok).unwrap_or_default();
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
