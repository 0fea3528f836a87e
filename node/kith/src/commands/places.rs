//! `kith device describe` and `kith peer clusters`: what devices are, and where.

use axum::http::Method;
use serde_json::Value;

use super::Asking;
use crate::{
    client::escape,
    error::CliError,
    show::{answer, list, table, text},
};

pub(super) async fn describe(
    asking: &Asking<'_>,
    device: Option<String>,
    description: Value,
) -> Result<(), CliError> {
    let device = match device {
        Some(device) => device,
        None => text(&asking.client.get("/api/v1/info").await?, "device").to_owned(),
    };
    let path = format!("/api/v1/devices/{}", escape(&device));
    let said = asking.client.call(Method::PATCH, &path, Some(description)).await?;
    answer(asking.is_json, &said, || {
        format!("{}: {}, {}", text(&said, "name"), class(&said), place(&said))
    });
    Ok(())
}

pub(super) async fn clusters(asking: &Asking<'_>) -> Result<(), CliError> {
    let clusters = asking.client.get("/api/v1/clusters").await?;
    answer(asking.is_json, &clusters, || {
        let rows: Vec<_> = list(&clusters, "clusters").iter().flat_map(rows).collect();
        if rows.is_empty() {
            return "Nobody said where a device stands: kith device describe --site PLACE"
                .to_owned();
        }
        table(&["PLACE", "NEARNESS", "NAME", "CLASS", "CONNECTED", "DEVICE"], &rows)
    });
    Ok(())
}

fn rows(cluster: &Value) -> impl Iterator<Item = Vec<String>> {
    list(cluster, "devices").iter().map(move |device| {
        let is_connected = device.get("connected") == Some(&Value::Bool(true));
        vec![
            place(cluster),
            text(cluster, "nearness").to_owned(),
            text(device, "name").to_owned(),
            class(device),
            if is_connected { "yes" } else { "no" }.to_owned(),
            text(device, "device").to_owned(),
        ]
    })
}

/// What a device is, for a cell of a table.
pub(super) fn class(device: &Value) -> String {
    or_dash(text(device, "class").to_owned())
}

/// Where something stands, for a cell of a table.
pub(super) fn place(described: &Value) -> String {
    let words = [text(described, "site"), text(described, "region")];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    or_dash(words.join(", "))
}

/// Where several devices stand, each place once.
pub(super) fn places(described: &[Value]) -> String {
    let places: std::collections::BTreeSet<String> =
        described.iter().map(place).filter(|place| place != NOTHING).collect();
    or_dash(places.into_iter().collect::<Vec<_>>().join("; "))
}

const NOTHING: &str = "–";

fn or_dash(text: String) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { text }
}
