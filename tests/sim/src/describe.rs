//! Inputs and commands, as they weigh in the trace and as a person reads them.

use data_plane_core::net::{Lane, NetCommand, NetEvent};
use node_core::Input;
use node_model::DeviceId;
use sync_engine_core::reconcile::Message;

/// What a command weighs in the hash.
pub(crate) fn command_bytes(command: &NetCommand) -> Vec<u8> {
    match command {
        NetCommand::Send { device, lane, frame } => frame_bytes(*device, *lane, frame),
        NetCommand::Dial { .. }
        | NetCommand::Disconnect { .. }
        | NetCommand::Admit { .. }
        | NetCommand::Forbid { .. }
        | NetCommand::Fetch { .. }
        | NetCommand::Answer { .. } => format!("{command:?}").into_bytes(),
    }
}

/// What an input weighs in the hash.
pub(crate) fn input_bytes(input: &Input) -> Vec<u8> {
    match input {
        Input::Net(NetEvent::Frame { device, lane, frame }) => frame_bytes(*device, *lane, frame),
        Input::Verified { job, results } => {
            [job.0, results.len() as u64].map(u64::to_le_bytes).concat()
        }
        Input::Loaded(loaded) => format!("{loaded:?}").into_bytes(),
        Input::Bundled(made) => format!("{made:?}").into_bytes(),
        Input::Net(_) | Input::Request(..) | Input::BlobsHeld(_) | Input::Timeout => {
            format!("{input:?}").into_bytes()
        }
    }
}

fn frame_bytes(device: DeviceId, lane: Lane, frame: &[u8]) -> Vec<u8> {
    [&device.0, lane.protocol().as_bytes(), frame].concat()
}

/// A command for people.
pub(crate) fn command(command: &NetCommand) -> String {
    match command {
        NetCommand::Send { device, lane, frame } => {
            format!("to {}: {}", tail(device), content(*lane, frame))
        }
        NetCommand::Dial { .. }
        | NetCommand::Disconnect { .. }
        | NetCommand::Admit { .. }
        | NetCommand::Forbid { .. }
        | NetCommand::Fetch { .. }
        | NetCommand::Answer { .. } => short(&format!("{command:?}")),
    }
}

/// An input for people.
pub(crate) fn input(input: &Input) -> String {
    match input {
        Input::Net(NetEvent::Frame { device, lane, frame }) => {
            format!("from {}: {}", tail(device), content(*lane, frame))
        }
        Input::Net(event) => short(&format!("{event:?}")),
        Input::Verified { results, .. } => {
            let good = results.iter().filter(|result| result.is_ok()).count();
            format!("verified: {good} of {} are good", results.len())
        }
        Input::Request(..)
        | Input::Loaded(_)
        | Input::Bundled(_)
        | Input::BlobsHeld(_)
        | Input::Timeout => short(&format!("{input:?}")),
    }
}

fn content(lane: Lane, frame: &[u8]) -> String {
    match lane {
        Lane::Sync => Message::decode(frame).map_or_else(|error| error.to_string(), message),
        Lane::Pair | Lane::Trust | Lane::Search => format!("{lane:?}, {} bytes", frame.len()),
    }
}

fn message(message: Message) -> String {
    match message {
        Message::Hello(hello) => format!("{hello:?}"),
        Message::Heads { heads, .. } => {
            let heads = heads.into_iter().map(|head| {
                let seen = head.seen.map(|(_, place)| place);
                format!("{} of {}, seen {seen:?}", head.arrivals, tail(&head.space))
            });
            format!("Heads ({})", heads.collect::<Vec<_>>().join("; "))
        }
        Message::Keep { documents, .. } => match documents {
            Some(ids) => format!("Keep {} documents", ids.len() / 16),
            None => "Keep everything".to_owned(),
        },
        Message::Choose { rule, .. } => format!("Choose by {rule:?}"),
        Message::Chosen { documents, .. } => format!("Chosen: {} documents", documents.len() / 16),
        Message::Pull { after, .. } => format!("Pull after {after}"),
        Message::Page { upto, more, entries, .. } => {
            format!("Page of {} up to {upto}, more: {more}", entries.len())
        }
        Message::List { after, .. } => format!("List after {after}"),
        Message::Ids { upto, more, ids, .. } => {
            format!("Ids, {} up to {upto}, more: {more}", ids.len() / 32)
        }
        Message::Get { ids, .. } => format!("Get {}", ids.len() / 32),
        Message::Sketch { first, length, counts, .. } => {
            format!("Sketch from {first}, {length}, {} bytes of counts", counts.len())
        }
        Message::Symbols { arrivals, run, .. } => {
            format!("Symbols of {arrivals}, {} bytes", run.len())
        }
        Message::Lacking { arrivals, ids, .. } => {
            format!("Lacking {} of {arrivals}", ids.len() / 16)
        }
        Message::Find { ids, .. } => format!("Find {}", ids.len() / 16),
        Message::Entries { entries, .. } => format!("Entries, {}", entries.len()),
        Message::Receipt(receipt) => format!("Receipt of {}", tail(&receipt.space)),
        Message::Denied { .. } => "Denied".to_owned(),
        Message::Hindered { why, .. } => format!("Hindered by {why:?}"),
    }
}

/// The end of an id is enough to tell a few apart.
fn tail(id: &impl ToString) -> String {
    let id = id.to_string();
    id[id.len().saturating_sub(4)..].to_owned()
}

/// What fits into a line.
const TEXT_MAX: usize = 160;

/// The beginning of a text.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}
