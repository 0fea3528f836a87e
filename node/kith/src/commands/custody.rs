//! `kith custody`.

use serde_json::Value;

use super::{Asking, places};
use crate::{
    args::Custody,
    client::escape,
    error::CliError,
    show::{answer, bytes, list, number, printable, table, text},
};

pub(super) async fn run(asking: &Asking<'_>, command: Custody) -> Result<(), CliError> {
    let Custody::List { space } = command;
    let path = match &space {
        Some(space) => format!("/api/v1/custody?space={}", escape(space)),
        None => "/api/v1/custody".to_owned(),
    };
    let custody = asking.client.get(&path).await?;
    answer(asking.is_json, &custody, || {
        let spaces = list(&custody, "spaces");
        if spaces.is_empty() {
            return "No spaces yet: kith space new NAME".to_owned();
        }
        spaces.iter().map(one).collect::<Vec<_>>().join("\n\n")
    });
    Ok(())
}

fn one(space: &Value) -> String {
    let entries = number(space, "entries");
    let rows: Vec<_> = list(space, "holders").iter().map(|it| row(it, entries)).collect();
    let headings = ["WHO", "DEVICE", "AS", "HOLDS", "SIGNED", "LAST SYNC", "PLACE", "CONNECTED"];
    format!(
        "{}: {}\n{}",
        printable(text(space, "name")),
        text(space, "words"),
        table(&headings, &rows)
    )
}

fn row(holder: &Value, entries: u64) -> Vec<String> {
    let is = |key| holder.get(key).and_then(Value::as_bool) == Some(true);
    let who = if is("this") { "this device".to_owned() } else { printable(text(holder, "name")) };
    let role = if is("keeper") { "keeper" } else { text(holder, "role") };
    let (signed, announced) = (&holder["signed"], &holder["announced"]);
    let holds = match (signed["entries"].as_u64(), announced["bytes"].as_u64()) {
        _ if entries == 0 => "–".to_owned(),
        (Some(held), _) if held >= entries => "everything".to_owned(),
        (Some(held), _) => format!("{held} of {entries} entries"),
        (None, Some(said)) => format!("says {}", bytes(said)),
        (None, None) => "not known".to_owned(),
    };
    let or_never = |time: &str| if time.is_empty() { "never".to_owned() } else { time.to_owned() };
    let [signed, synced] = if is("this") {
        ["", ""].map(ToOwned::to_owned)
    } else {
        [text(signed, "at"), text(holder, "last_sync")].map(or_never)
    };
    vec![
        who,
        printable(text(holder, "device_name")),
        role.to_owned(),
        holds,
        signed,
        synced,
        places::place(holder),
        if is("connected") { "yes" } else { "no" }.to_owned(),
    ]
}
