//! `kith space repair`.

use node_core::{Failure, FailureKind};
use node_model::SpaceId;
use node_runtime::storage;
use serde_json::json;

use super::device::is_running;
use crate::{
    args::Global,
    client::{Client, Reach, escape},
    error::CliError,
    home::{Home, Taken, take},
    show::{answer, text},
};

/// Makes a space's database anew. Only while no node runs here: it has the file open.
pub(super) async fn run(global: &Global, name: &str) -> Result<(), CliError> {
    let home = Home::find(global.data_dir.as_deref())?;
    if !home.exists() {
        return Err(Failure::new(FailureKind::NotFound, "nobody lives here yet", "kith up").into());
    }
    let space = match name.parse() {
        Ok(space) => space,
        Err(_) => find(global, &home, name).await?,
    };
    let lock = match take(&home).await? {
        Taken::Lock(lock) => lock,
        Taken::Running(..) => return Err(is_running()),
    };
    let root = home.root().to_owned();
    let repaired = tokio::task::spawn_blocking(move || storage::repair(&root, space)).await;
    let repaired =
        repaired.map_err(|error| CliError::machine(error.to_string(), "try again"))??;
    drop(lock);
    let old = repaired.old.display().to_string();
    let done = json!({"space": space.to_string(), "kept": repaired.kept, "lost": repaired.lost, "old": old});
    answer(global.json, &done, || {
        let lost = match repaired.lost {
            0 => "nothing was lost".to_owned(),
            lost => format!(
                "up to {lost} could not be read: what others have of them comes back at the next sync"
            ),
        };
        format!("{} entries are in a new database; {lost}\nThe old file: {old}", repaired.kept)
    });
    Ok(())
}

/// A space by its name, which the node knows also while it cannot open it.
async fn find(global: &Global, home: &Home, name: &str) -> Result<SpaceId, CliError> {
    // Whoever runs there would answer, too, and have the file open.
    if let Taken::Running(..) = take(home).await? {
        return Err(is_running());
    }
    let client = Client::connect(global, Reach::Here).await?;
    let found = client.get(&format!("/api/v1/spaces/{}", escape(name))).await;
    client.close().await;
    let found = found?;
    text(&found, "space").parse().map_err(|_| Failure::no_such_space().into())
}
