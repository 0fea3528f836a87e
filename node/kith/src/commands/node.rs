//! `kith status`, `id`, `sync` and `peer`.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::{Asking, folder, places, space::part};
use crate::{
    args::{Peer, Sync},
    client::escape,
    error::CliError,
    show::{Bar, answer, bytes, list, number, printable, table, text},
};

pub(super) async fn status(asking: &Asking<'_>) -> Result<(), CliError> {
    let status = asking.client.get("/api/v1/status").await?;
    answer(asking.is_json, &status, || {
        let peers = list(&status, "peers");
        let spaces: Vec<_> = list(&status, "spaces").iter().map(space_row).collect();
        let mut parts = vec![
            format!("{} on {}", text(&status, "name"), text(&status, "device_name")),
            format!("node   {}", text(&status, "node")),
            format!("agent  {}", text(&status, "agent")),
            String::new(),
            table(&["SPACE", "DOCUMENTS", "FILES", "ENTRIES", "SAFE", "SIZE", "STATE"], &spaces),
            String::new(),
        ];
        parts.push(peers_table(peers));
        parts.extend(folder::kept(&status).into_iter().flat_map(|it| [String::new(), it]));
        for alarm in list(&status, "alarms") {
            parts.push(format!("! {}: {}", text(alarm, "device"), text(alarm, "words")));
        }
        if !asking.client.is_running() {
            parts.push("\nNo node runs here now: kith up".to_owned());
        }
        parts.join("\n")
    });
    Ok(())
}

fn space_row(space: &Value) -> Vec<String> {
    let (blobs, missing) = (number(space, "blobs"), number(space, "blobs_missing"));
    let files =
        if missing == 0 { blobs.to_string() } else { format!("{} of {blobs}", blobs - missing) };
    vec![
        text(space, "name").to_owned(),
        number(space, "documents").to_string(),
        files,
        number(space, "entries").to_string(),
        number(space, "safe_entries").to_string(),
        bytes(number(space, "bytes")),
        state(space),
    ]
}

/// The state of a space or peer, and how far an exchange with it is.
fn standing(of: &Value) -> String {
    let state = text(of, "state");
    match of.pointer("/progress/words").and_then(Value::as_str) {
        Some(words) => format!("{state}, {words} here"),
        None => state.to_owned(),
    }
}

/// How a space stands, and with how much of it.
fn state(space: &Value) -> String {
    let own = part(space).map(|part| format!(" ({part})")).unwrap_or_default();
    let others = match number(space, "partial_peers") {
        0 => String::new(),
        1 => ", 1 peer keeps a part".to_owned(),
        many => format!(", {many} peers keep a part"),
    };
    format!("{}{own}{others}", standing(space))
}

fn peers_table(peers: &[Value]) -> String {
    if peers.is_empty() {
        return "No peers yet: kith ticket, or kith pair TICKET".to_owned();
    }
    let rows: Vec<_> = peers
        .iter()
        .map(|peer| {
            let last_sync = text(peer, "last_sync");
            vec![
                text(peer, "name").to_owned(),
                text(peer, "peer").to_owned(),
                places::class(peer),
                places::place(peer),
                way(peer, peers)
                    .map_or_else(|| standing(peer), |way| format!("{}, {way}", standing(peer))),
                if last_sync.is_empty() { "never".to_owned() } else { last_sync.to_owned() },
            ]
        })
        .collect();
    let mut shown = table(&["PEER", "NODE", "CLASS", "PLACE", "STATE", "LAST IN SYNC"], &rows);
    if peers.iter().any(|peer| way(peer, peers).is_some()) {
        shown.push_str(
            "\nthrough another node: no direct way was found; that node passes on what it cannot read",
        );
    }
    shown
}

/// Through whom a peer is connected, unless it is directly.
fn way(peer: &Value, peers: &[Value]) -> Option<String> {
    let through = peer.get("through")?.as_str()?;
    let name = peers.iter().find(|other| text(other, "peer") == through);
    let name = name.map(|other| text(other, "name")).filter(|name| !name.is_empty());
    Some(format!("through {}", name.unwrap_or(through)))
}

pub(super) async fn id(asking: &Asking<'_>) -> Result<(), CliError> {
    let info = asking.client.get("/api/v1/info").await?;
    answer(asking.is_json, &info, || {
        let mut lines = vec![
            format!("name    {} on {}", text(&info, "name"), text(&info, "device_name")),
            format!("node    {}", text(&info, "node")),
            format!("agent   {}", text(&info, "agent")),
        ];
        let listen = list(&info, "listen").iter().filter_map(Value::as_str);
        lines.extend(listen.map(|address| format!("listen  {address}")));
        lines.join("\n")
    });
    Ok(())
}

/// How often somebody who waits is told how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(300);

pub(super) async fn sync(asking: &Asking<'_>, args: Sync) -> Result<(), CliError> {
    let body = json!({"peer": args.peer, "full": args.full});
    let report = with_bar(asking, asking.client.post("/api/v1/sync", body)).await?;
    show_synced(asking, &report)
}

/// Waits until it is synchronised, and shows on a terminal how far it is.
pub(super) async fn with_bar<T>(asking: &Asking<'_>, synced: impl Future<Output = T>) -> T {
    let bar = Bar::new("Syncing", asking.is_json);
    let mut synced = std::pin::pin!(synced);
    let report = loop {
        tokio::select! {
            report = &mut synced => break report,
            () = tokio::time::sleep(LOOK_EVERY), if !bar.is_hidden() => {
                if let Ok(status) = asking.client.get("/api/v1/status").await {
                    show_progress(&status, &bar);
                }
            }
        }
    };
    bar.finish();
    report
}

/// How many entries are here of how many, in all spaces with an exchange under way.
fn show_progress(status: &Value, bar: &Bar) {
    let under_way = list(status, "spaces").iter().filter_map(|space| space.get("progress"));
    let counted = under_way.map(|it| (number(it, "here"), number(it, "wanted")));
    let (here, wanted) = counted.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    if wanted > 0 {
        bar.at(here, wanted);
    }
}

/// Shows the report of a synchronisation with peers.
pub(super) fn show_synced(asking: &Asking<'_>, report: &Value) -> Result<(), CliError> {
    answer(asking.is_json, report, || {
        let peers = list(report, "peers");
        if peers.is_empty() {
            return "Nobody to sync with yet: kith ticket, or kith pair TICKET".to_owned();
        }
        let peers = peers.iter().map(|peer| format!("{}  {}", text(peer, "peer"), standing(peer)));
        let (pushed, pulled) = (number(report, "pushed"), number(report, "pulled"));
        let mut lines = vec![format!("{pushed} changes sent, {pulled} received")];
        lines.extend(peers);
        let warnings = list(report, "warnings");
        for warning in warnings {
            lines.push(format!("! {}", printable(text(warning, "words"))));
            lines.push(format!("  → {}", printable(text(warning, "next"))));
        }
        // Alone it says that some documents were not looked at, which is no warning.
        if !warnings.is_empty() && report.get("warnings_complete") == Some(&Value::Bool(false)) {
            lines.push("! and more: kith doctor".to_owned());
        }
        lines.join("\n")
    });
    let states = list(report, "peers");
    if !states.is_empty() && states.iter().all(|peer| text(peer, "state") == "unreachable") {
        let failure = node_core::Failure::new(
            node_core::FailureKind::Unreachable,
            "no peer could be reached",
            "check that their nodes run (kith up), then: kith peer list",
        );
        return Err(failure.into());
    }
    Ok(())
}

pub(super) async fn peer(asking: &Asking<'_>, command: Peer) -> Result<(), CliError> {
    match command {
        Peer::List => {
            let peers = asking.client.get("/api/v1/peers").await?;
            answer(asking.is_json, &peers, || peers_table(list(&peers, "peers")));
        }
        Peer::Clusters => places::clusters(asking).await?,
        Peer::Add { peer, addresses } => {
            let body = json!({"peer": peer, "addresses": addresses});
            asking.client.post("/api/v1/peers", body.clone()).await?;
            answer(asking.is_json, &body, || format!("{peer} will be looked for there"));
        }
        Peer::Remove { peer } => {
            let path = format!("/api/v1/peers/{}", escape(&peer));
            asking.client.call(Method::DELETE, &path, None).await?;
            answer(asking.is_json, &json!({"peer": peer}), || {
                format!("{peer}: addresses forgotten; the relationship stays")
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_moves_with_what_the_node_says() {
        let bar = Bar::new("Syncing", true);
        let status = |here: u64| {
            json!({"spaces": [
                {"name": "album", "progress": {"here": here, "wanted": 300}},
                {"name": "diary", "progress": null},
                {"name": "guide", "progress": {"here": 10, "wanted": 20}},
            ]})
        };
        show_progress(&status(100), &bar);
        assert_eq!(bar.shown(), (110, Some(320)));
        show_progress(&status(290), &bar);
        assert_eq!(bar.shown(), (300, Some(320)));
        show_progress(&json!({"spaces": [{"name": "album", "progress": null}]}), &bar);
        assert_eq!(bar.shown(), (300, Some(320)), "nothing is under way");
    }
}
