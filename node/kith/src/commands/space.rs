//! `kith space`.

use std::time::Duration;

use axum::http::Method;
use node_core::{Failure, FailureKind};
use node_model::Timestamp;
use serde_json::{Value, json};

use super::{Asking, device::is_running};
use crate::{
    args::{KeptPart, Space},
    client::escape,
    error::CliError,
    show::{answer, list, number, printable, table, text},
};

/// How long the founder's node, which is connected, may take to let somebody in.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// How often to look whether it did.
const ASK_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn run(asking: &Asking<'_>, command: Space) -> Result<(), CliError> {
    match command {
        Space::New { name, reach, closed_history } => {
            let body = json!({"name": name, "reach": reach, "open_history": !closed_history});
            let space = asking.client.post("/api/v1/spaces", body).await?;
            answer(asking.is_json, &space, || {
                format!("{}  {}", text(&space, "name"), text(&space, "space"))
            });
        }
        Space::List => {
            let spaces = asking.client.get("/api/v1/spaces").await?;
            answer(asking.is_json, &spaces, || {
                let rows: Vec<_> = list(&spaces, "spaces").iter().map(row).collect();
                table(&["NAME", "REACH", "ROLE", "MEMBERS", "KEPT HERE", "SPACE"], &rows)
            });
        }
        Space::Offers => {
            let offers = asking.client.get("/api/v1/offers").await?;
            answer(asking.is_json, &offers, || offered(asking, list(&offers, "offers")));
        }
        Space::Follow { space } => follow(asking, &space).await?,
        Space::Grant { space, agent, role } => {
            let path = format!("/api/v1/spaces/{}/members", escape(&space));
            let body = json!({"agent": agent, "role": role});
            let granted = asking.client.post(&path, body).await?;
            answer(asking.is_json, &granted, || format!("{agent} is a {role} of {space} now"));
        }
        Space::Revoke { space, agent } => {
            let path = format!("/api/v1/spaces/{}/members/{}", escape(&space), escape(&agent));
            let revoked = asking.client.delete(&path).await?;
            answer(asking.is_json, &revoked, || {
                format!("{agent} is not in {space} any more; its keys were changed")
            });
        }
        Space::Leave { space } => {
            let path = format!("/api/v1/spaces/{}", escape(&space));
            let left = asking.client.delete(&path).await?;
            answer(asking.is_json, &left, || {
                format!("you left {space}; what you have of it stays readable")
            });
        }
        // It has no node to ask: see `repair`.
        Space::Repair { .. } => return Err(is_running()),
        Space::Keep { space, everything, chosen } => {
            keep(asking, &space, everything, chosen).await?;
        }
        Space::Members { space } => {
            let path = format!("/api/v1/spaces/{}/members", escape(&space));
            let members = asking.client.get(&path).await?;
            answer(asking.is_json, &members, || {
                let rows: Vec<_> = list(&members, "members")
                    .iter()
                    .map(|member| {
                        let role = match member.get("keeper") {
                            Some(Value::Bool(true)) => "keeper",
                            Some(_) | None => text(member, "role"),
                        };
                        let [name, agent, via] =
                            ["name", "agent", "via"].map(|key| text(member, key).to_owned());
                        vec![name, role.to_owned(), agent, via]
                    })
                    .collect();
                table(&["NAME", "ROLE", "AGENT", "BY THE GROUP"], &rows)
            });
        }
    }
    Ok(())
}

async fn keep(
    asking: &Asking<'_>,
    space: &str,
    everything: bool,
    chosen: KeptPart,
) -> Result<(), CliError> {
    let KeptPart { doc, folder, kind, since, until } = chosen;
    let [since, until] = [since, until].map(|time| time.map(Timestamp::rfc3339));
    let chosen =
        json!({"docs": doc, "types": kind, "folders": folder, "since": since, "until": until});
    let body = if everything { json!({"everything": true}) } else { chosen };
    let path = format!("/api/v1/spaces/{}/keep", escape(space));
    let kept = asking.client.call(Method::PUT, &path, Some(body)).await?;
    answer(asking.is_json, &kept, || {
        let name = text(&kept, "name");
        match part(&kept) {
            Some(part) => format!("this device keeps {part} of {name}; what it had stays"),
            None => format!("this device keeps all of {name}"),
        }
    });
    Ok(())
}

fn offered(asking: &Asking<'_>, offers: &[Value]) -> String {
    if !asking.client.is_running() {
        return "Offers come from connected people, and no node runs here now: kith up".to_owned();
    }
    if offers.is_empty() {
        return "Nobody who is connected offers you a space".to_owned();
    }
    let cells = |offer: &Value| {
        ["name", "of", "reach", "rule", "space"].map(|key| printable(text(offer, key))).to_vec()
    };
    let rows: Vec<_> = offers.iter().map(cells).collect();
    table(&["NAME", "OF", "REACH", "RULE", "SPACE"], &rows)
}

async fn follow(asking: &Asking<'_>, space: &str) -> Result<(), CliError> {
    let offer = asking.client.post(&format!("/api/v1/offers/{}", escape(space)), json!({})).await?;
    let path = format!("/api/v1/spaces/{}", text(&offer, "space"));
    // A space that one was in before is there already, without a role.
    let is_member = async || {
        let space = asking.client.get(&path).await.unwrap_or_default();
        !text(&space, "role").is_empty()
    };
    let admitted = async {
        while !is_member().await {
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    let is_admitted = tokio::time::timeout(ANSWER_MAX, admitted).await.is_ok();
    if !is_admitted {
        let of = printable(text(&offer, "of"));
        let failure = Failure::new(
            FailureKind::Unreachable,
            format!("the node of {of} has not let you in yet"),
            "look a little later: kith space list; or ask them",
        );
        return Err(failure.into());
    }
    answer(asking.is_json, &offer, || {
        format!("you follow {} now: kith sync", printable(text(&offer, "name")))
    });
    Ok(())
}

fn row(space: &Value) -> Vec<String> {
    vec![
        text(space, "name").to_owned(),
        text(space, "reach").to_owned(),
        text(space, "role").to_owned(),
        number(space, "members").to_string(),
        part(space).unwrap_or_else(|| "everything".to_owned()),
        text(space, "space").to_owned(),
    ]
}

/// What is kept of a space here, when it is not everything.
pub(super) fn part(space: &Value) -> Option<String> {
    let part = space.get("part").filter(|part| part.is_object())?;
    let (documents, here) = (number(part, "documents"), number(part, "here"));
    let what = if documents == 1 { "document" } else { "documents" };
    let part_here = if here == documents { String::new() } else { format!(", {here} here") };
    let is_unknown = part.get("answered").and_then(Value::as_bool) == Some(false);
    let waiting = if is_unknown { ", nobody said yet which fit" } else { "" };
    Some(format!("part: {documents} {what}{part_here}{waiting}"))
}
