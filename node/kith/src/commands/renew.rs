//! `kith device renew`.

use serde_json::json;

use super::device::is_running;
use crate::{
    args::Global,
    client::{Client, Reach, key_seal},
    error::CliError,
    home::{Home, Taken, renew, take},
    show::{answer, text},
};

/// Gives this device new keys. Only while no node runs here: it would go on as the old one.
pub(super) async fn run(global: &Global) -> Result<(), CliError> {
    let home = Home::find(global.data_dir.as_deref())?;
    if !home.exists() {
        let kind = node_core::FailureKind::NotFound;
        return Err(node_core::Failure::new(kind, "nobody lives here yet", "kith up").into());
    }
    let lock = match take(&home).await? {
        Taken::Lock(lock) => lock,
        Taken::Running(..) => return Err(is_running()),
    };
    let (old, new) = renew(&home, &key_seal(global))?;
    drop(lock);
    // Opening it takes the old keys back.
    let client = Client::connect(global, Reach::Here).await?;
    let id = client.get("/api/v1/info").await;
    client.close().await;
    let id = id?;
    let renewed = json!({"node": new.to_string(), "previous": old.to_string()});
    answer(global.json, &renewed, || {
        format!(
            "This device is node {new} now, still of {}\nThe old keys are taken back. Others hear \
             of it when it comes to them: kith up",
            text(&id, "agent")
        )
    });
    Ok(())
}
