//! `kith sync --folder`.

use std::path::Path;

use serde_json::{Value, json};

use super::{Asking, transfer::told};
use crate::{
    args::Sync,
    error::CliError,
    show::{Bar, answer, list, note, number, text},
};

pub(super) async fn sync(asking: &Asking<'_>, folder: &Path, args: &Sync) -> Result<(), CliError> {
    let body = json!({ "path": told(folder)?, "space": args.space, "full": args.full });
    let bar = Bar::new("synchronising", asking.is_json);
    let done = asking.client.stream("/api/v1/sync/folder", body, |line| bar.update(line)).await;
    bar.finish();
    let report = done?;
    if !asking.is_json {
        for refused in list(&report, "refused") {
            note(&format!("left out: {}: {}", text(refused, "id"), text(refused, "why")));
        }
        for passed in list(&report, "passed_over") {
            note(&format!("passed over: {}: {}", text(passed, "path"), text(passed, "why")));
        }
    }
    answer(asking.is_json, &report, || told_in_words(&report, args.full));
    Ok(())
}

fn told_in_words(report: &Value, is_full: bool) -> String {
    let spaces = list(report, "spaces");
    if spaces.is_empty() {
        return "No space of yours is here or in the folder: kith space new NAME".to_owned();
    }
    let sum = |key: &str| spaces.iter().map(|space| number(space, key)).sum::<u64>();
    let mut words = format!(
        "{} changes and {} files into the folder, {} changes and {} files out of it",
        number(report, "pushed"),
        sum("blobs_pushed"),
        number(report, "pulled"),
        sum("blobs_pulled"),
    );
    if !is_full && !list(report, "passed_over").is_empty() {
        words.push_str("\nWhat is damaged is mended by who has it: kith sync --folder DIR --full");
    }
    words
}
