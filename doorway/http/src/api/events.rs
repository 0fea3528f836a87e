use std::{convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use node_runtime::NodeEvent;
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{access::Pass, config::App};

/// Shorter than what home routers forget an idle connection after.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// What happens, as it happens.
#[utoipa::path(get, path = "/api/v1/events",
    responses((status = 200, body = String, content_type = "text/event-stream",
        description = "Events `changed`, `pairing-code`, `paired`; `missed` when the reader was too slow")))]
pub(crate) async fn follow(
    State(app): State<App>,
    pass: Option<Extension<Pass>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let start = (app.handle.events(), app, pass);
    let events = stream::unfold(start, |(mut events, app, pass)| async move {
        let (name, data) = next(&mut events).await?;
        // It may have been listening for longer than it may.
        if let Some(Extension(pass)) = &pass
            && !pass.is_good(&app).await
        {
            return None;
        }
        Some((Ok(Event::default().event(name).data(data.to_string())), (events, app, pass)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

async fn next(events: &mut Receiver<NodeEvent>) -> Option<(&'static str, Value)> {
    match events.recv().await {
        Ok(event) => Some(describe(event)),
        Err(RecvError::Lagged(count)) => Some(("missed", json!({ "events": count }))),
        Err(RecvError::Closed) => None,
    }
}

fn describe(event: NodeEvent) -> (&'static str, Value) {
    match event {
        NodeEvent::Changed { space, documents } => {
            let docs: Vec<_> = documents.iter().map(ToString::to_string).collect();
            ("changed", json!({ "space": space.to_string(), "docs": docs }))
        }
        NodeEvent::PairingCode { device, code } => {
            ("pairing-code", json!({ "peer": device.to_string(), "code": code }))
        }
        NodeEvent::Paired { device, name } => {
            ("paired", json!({ "peer": device.to_string(), "name": name }))
        }
    }
}
