//! `kith device` and `kith phrase`.

use std::io::{IsTerminal, Read};

use bip39::Mnemonic;
use data_encoding::BASE64;
use node_core::{Failure, FailureKind, Mend};
use node_model::sign::Signer;
use node_runtime::Standing;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Asking, pair, places};
use crate::{
    args::{Device, Global, Phrase},
    client::{Client, Reach, escape, key_seal},
    error::CliError,
    home::{Home, Taken, load_or_create, take, write_standing},
    show::{answer, line, list, note, number, table, text},
};

/// Longest input that can be 24 words.
const PHRASE_BYTES_MAX: u64 = 1_024;

pub(super) async fn run(asking: &Asking<'_>, command: Device) -> Result<(), CliError> {
    match command {
        Device::List => {
            let devices = asking.client.get("/api/v1/devices").await?;
            answer(asking.is_json, &devices, || {
                let rows: Vec<_> = list(&devices, "devices").iter().map(row).collect();
                table(&["NAME", "STATE", "CLASS", "PLACE", "DEVICE"], &rows)
            });
            Ok(())
        }
        Device::Describe { device, class, site, region } => {
            let description = json!({"class": class, "site": site, "region": region});
            places::describe(asking, device, description).await
        }
        // With a ticket it is for `join`.
        Device::Link { expires, no_wait, .. } => {
            let body = json!({"device": true, "expires_seconds": expires.as_secs()});
            pair::show_ticket(asking, body, expires, no_wait).await
        }
        // It has no node to ask: see `renew`.
        Device::Renew => Err(is_running()),
        Device::Revoke { device } => {
            let path = format!("/api/v1/devices/{}", escape(&device));
            let revoked = asking.client.delete(&path).await?;
            answer(asking.is_json, &revoked, || {
                format!("{device} is not yours any more; the keys of your spaces were changed")
            });
            Ok(())
        }
    }
}

fn row(device: &Value) -> Vec<String> {
    let is = |key| device.get(key).and_then(Value::as_bool).unwrap_or_default();
    let state = match (is("revoked"), is("this")) {
        (true, _) => "taken back",
        (false, true) => "this one",
        (false, false) => "linked",
    };
    vec![
        text(device, "name").to_owned(),
        state.to_owned(),
        places::class(device),
        places::place(device),
        text(device, "device").to_owned(),
    ]
}

/// Makes this device one of those of the person who shows the ticket.
pub(super) async fn join(ticket: &str, is_sure: bool, global: &Global) -> Result<(), CliError> {
    let home = Home::find(global.data_dir.as_deref())?;
    let client = Client::connect(global, Reach::Others).await?;
    let joined = join_with(&client, ticket, is_sure).await;
    client.close().await;
    let joined = joined?;

    let links = list(&joined, "links").iter().filter_map(Value::as_str);
    let links: Vec<Vec<u8>> =
        links.filter_map(|link| BASE64.decode(link.as_bytes()).ok()).collect();
    let agent = text(&joined, "agent").parse().map_err(|_| other_answer())?;
    let lock = match take(&home).await? {
        Taken::Lock(lock) => lock,
        Taken::Running(..) => return Err(is_running()),
    };
    // Only what an empty device knew of itself goes; should the power go in
    // between, it begins anew and the ticket is used: nothing else is lost.
    home.forget()?;
    write_standing(&home, key_seal(global), Standing::Linked { agent, links })?;
    drop(lock);

    let client = Client::connect(global, Reach::Here).await?;
    let known = json!({"peer": joined["peer"], "addresses": joined["addresses"]});
    let added = client.post("/api/v1/peers", known).await;
    let id = client.get("/api/v1/info").await;
    client.close().await;
    added?;
    let id = id?;
    answer(global.json, &id, || {
        format!(
            "This device is one of yours now: {}\nYour spaces come once both nodes run: kith up",
            text(&id, "agent")
        )
    });
    Ok(())
}

async fn join_with(client: &Client, ticket: &str, is_sure: bool) -> Result<Value, CliError> {
    if client.is_running() {
        return Err(is_running());
    }
    let relations = client.get("/api/v1/relations").await?;
    let status = client.get("/api/v1/status").await?;
    let is_used = |space: &Value| {
        space.get("home") != Some(&Value::Bool(true)) || number(space, "documents") > 0
    };
    let is_fresh =
        list(&relations, "relations").is_empty() && !list(&status, "spaces").iter().any(is_used);
    if !is_fresh {
        let failure = Failure::new(
            FailureKind::Conflict,
            "somebody lives in this data directory already: it has spaces or relationships",
            "kith --data-dir DIR device link TICKET, with a new directory",
        );
        return Err(failure.into());
    }
    let asking = Asking { client, is_json: true };
    let body = json!({"ticket": ticket, "link": true});
    pair::accept(&asking, body, is_sure, "kith device link --yes TICKET").await
}

pub(super) fn is_running() -> CliError {
    let fix = "stop it (Ctrl-C), run this again, then start it: kith up";
    Failure::new(FailureKind::Conflict, "a node runs on this data directory", fix).into()
}

fn other_answer() -> CliError {
    CliError::machine("the node gave an unexpected answer".to_owned(), "kith status")
}

pub(super) async fn phrase(command: Phrase, global: &Global) -> Result<(), CliError> {
    let home = Home::find(global.data_dir.as_deref())?;
    match command {
        Phrase::Show => show(&home, global),
        Phrase::Restore => restore(&home, global).await,
    }
}

fn show(home: &Home, global: &Global) -> Result<(), CliError> {
    if !home.exists() {
        let failure = Failure::new(FailureKind::NotFound, "nobody lives here yet", "kith up");
        return Err(failure.into());
    }
    let (keys, _) = load_or_create(home, key_seal(global))?;
    let Some(root) = keys.root() else {
        let message = "this device does not keep your root key; the one that you began with does, \
                       and shows the words";
        return Err(Failure::refused(message, &Mend::ShowPhrase).into());
    };
    let words = Mnemonic::from_entropy(root.secret()).map_err(|_| other_answer())?;
    let words = Zeroizing::new(words.to_string());
    answer(global.json, &json!({"phrase": words.as_str(), "agent": keys.agent()}), || {
        let rows = words.split(' ').enumerate().map(|(at, word)| format!("{:2}. {word}", at + 1));
        rows.collect::<Vec<_>>().join("\n")
    });
    if !global.json {
        note(
            "Write them on paper. Whoever has them is you; without them and without your devices nobody is.",
        );
    }
    Ok(())
}

async fn restore(home: &Home, global: &Global) -> Result<(), CliError> {
    home.prepare()?;
    let _lock = match take(home).await? {
        Taken::Lock(lock) => lock,
        Taken::Running(..) => return Err(is_running()),
    };
    if home.exists() {
        let failure = Failure::new(
            FailureKind::Conflict,
            "somebody lives in this data directory already",
            "kith --data-dir DIR phrase restore, with a new directory",
        );
        return Err(failure.into());
    }
    if std::io::stdin().is_terminal() {
        line("The 24 words, in one line or many, then Ctrl-D:");
    }
    let mut typed = Zeroizing::new(String::new());
    let read = std::io::stdin().lock().take(PHRASE_BYTES_MAX).read_to_string(&mut typed);
    read.map_err(|error| CliError::usage(error.to_string(), "kith phrase restore < FILE"))?;
    // As `show` numbers them, or not.
    let words = typed.split_whitespace().filter(|word| !word.ends_with('.'));
    let words = Zeroizing::new(words.collect::<Vec<_>>().join(" ").to_lowercase());
    let phrase = Mnemonic::parse_normalized(&words).map_err(|error| {
        let message = format!("these are not the 24 words: {error}");
        CliError::usage(message, "look at the words again: each is in the list, in order")
    })?;
    let entropy = Zeroizing::new(phrase.to_entropy());
    let secret: &[u8; 32] = entropy
        .as_slice()
        .try_into()
        .map_err(|_| CliError::usage("a phrase has 24 words", "kith phrase restore"))?;
    let root = Signer::from_secret(secret);
    let agent = root.agent();
    write_standing(home, key_seal(global), Standing::Root { root, is_restored: true })?;
    answer(global.json, &json!({"agent": agent}), || {
        format!(
            "You are back: {agent}\nThis device has new keys. Ask your people for a ticket, and \
             what they keep of yours comes: kith up, kith pair TICKET"
        )
    });
    Ok(())
}
