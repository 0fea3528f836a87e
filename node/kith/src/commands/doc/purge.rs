//! `kith doc purge`.

use std::io::{BufRead, IsTerminal};

use serde_json::json;

use super::super::Asking;
use crate::{
    client::escape,
    error::CliError,
    show::{answer, line, list, printable},
};

pub(super) async fn purge(
    asking: &Asking<'_>,
    space: &str,
    docs: Vec<String>,
    is_sure: bool,
) -> Result<(), CliError> {
    if !is_sure && !std::io::stdin().is_terminal() {
        let message = "somebody must say that it is to go for good, and nobody is here";
        return Err(CliError::usage(message, "kith doc purge --yes SPACE DOC"));
    }
    if !is_sure && !ask_sure(&docs).await {
        return Err(CliError::usage("nothing was purged", "kith doc purge SPACE DOC, and say yes"));
    }
    let path = format!("/api/v1/spaces/{}/purge", escape(space));
    let purged = asking.client.post(&path, json!({"docs": docs})).await?;
    answer(asking.is_json, &purged, || {
        let count = list(&purged, "docs").len();
        let are = if count == 1 { "document is" } else { "documents are" };
        format!("{count} {are} gone for good here; other nodes delete them when they hear of it")
    });
    Ok(())
}

async fn ask_sure(docs: &[String]) -> bool {
    for doc in docs {
        line(&format!("  {}", printable(doc)));
    }
    line("Delete these with all of their history, for everybody and for good? [y/N]");
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = read.await.ok().and_then(Result::ok).unwrap_or_default();
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
