//! `kith circle`.

use serde_json::{Value, json};

use super::Asking;
use crate::{
    args::Circle,
    client::escape,
    error::CliError,
    show::{answer, list, printable, table, text},
};

pub(super) async fn run(asking: &Asking<'_>, command: Circle) -> Result<(), CliError> {
    match command {
        Circle::New { name } => {
            let made = asking.client.post("/api/v1/circles", json!({"name": name})).await?;
            answer(asking.is_json, &made, || {
                format!(
                    "made the circle {}; add people: kith circle add CIRCLE WHOM",
                    printable(text(&made, "name"))
                )
            });
        }
        Circle::List => {
            let circles = asking.client.get("/api/v1/circles").await?;
            answer(asking.is_json, &circles, || {
                let rows: Vec<_> = list(&circles, "circles").iter().map(row).collect();
                table(&["NAME", "PEOPLE", "OPENS", "CIRCLE"], &rows)
            });
        }
        Circle::Add { circle, agent } => {
            let path = format!("/api/v1/circles/{}/members", escape(&circle));
            let added = asking.client.post(&path, json!({"agent": agent})).await?;
            answer(asking.is_json, &added, || format!("{agent} is in {circle} now"));
        }
        Circle::Remove { circle, agent } => {
            let path = format!("/api/v1/circles/{}/members/{}", escape(&circle), escape(&agent));
            let removed = asking.client.delete(&path).await?;
            answer(asking.is_json, &removed, || format!("{agent} is not in {circle} any more"));
        }
    }
    Ok(())
}

fn row(circle: &Value) -> Vec<String> {
    let names = |key| {
        let names = list(circle, key).iter().map(|it| printable(text(it, "name")));
        names.collect::<Vec<_>>().join(", ")
    };
    vec![
        printable(text(circle, "name")),
        names("members"),
        names("spaces"),
        text(circle, "circle").to_owned(),
    ]
}
