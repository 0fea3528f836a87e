//! Numbers, times, ids and states in words for people.

use maud::{Markup, html};
use node_core::request::{Layer, PeerSyncState, Reach, Role, SpaceState};
use node_model::Timestamp;

/// `1 document`, `12 documents`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// `3.4 MB`.
pub(crate) fn bytes(number: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if number < 1_000 {
        return count(number, "byte", "bytes");
    }
    let mut tenths = number / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < units.len() {
        tenths /= 1_000;
        unit += 1;
    }
    let unit = units[unit];
    if tenths >= 100 {
        format!("{} {unit}", tenths / 10)
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// `5 minutes`, `1 hour 20 minutes`.
pub(crate) fn minutes(number: u64) -> String {
    match (number / 60, number % 60) {
        (0, minutes) => count(minutes, "minute", "minutes"),
        (hours, 0) => count(hours, "hour", "hours"),
        (hours, minutes) => {
            format!("{} {}", count(hours, "hour", "hours"), count(minutes, "minute", "minutes"))
        }
    }
}

/// A moment, in UTC: whoever looks may be anywhere.
pub(crate) fn moment(at: Timestamp) -> Markup {
    let exact = at.rfc3339();
    let (day, time) = exact.split_once('T').unwrap_or((&exact, ""));
    let time = time.get(..5).unwrap_or_default();
    html! { time datetime=(exact) { (day) " " (time) " UTC" } }
}

/// An id that nobody reads: its ends, and all of it on request.
pub(crate) fn id(id: &str) -> Markup {
    html! {
        details.id {
            summary title=(id) { (short(id)) }
            code { (id) }
        }
    }
}

pub(crate) fn short(id: &str) -> String {
    let start: String = id.chars().take(12).collect();
    let end: Vec<char> = id.chars().rev().take(6).collect();
    if id.chars().count() <= 20 {
        return id.to_owned();
    }
    format!("{start}…{}", end.into_iter().rev().collect::<String>())
}

/// How close somebody is.
pub(crate) fn layer(layer: Option<Layer>) -> &'static str {
    match layer {
        Some(Layer::Sovereign) => "your own device",
        Some(Layer::Reciprocal) => "family or friend",
        Some(Layer::Invested) => "a community of yours",
        Some(Layer::Gift) => "someone you give to",
        None => "not yet related",
    }
}

pub(crate) fn peer_state(state: PeerSyncState) -> &'static str {
    match state {
        PeerSyncState::Synced => "synced",
        PeerSyncState::Syncing => "syncing now",
        PeerSyncState::Behind => "waiting to sync",
        PeerSyncState::Unreachable => "not reachable now",
    }
}

pub(crate) fn space_state(state: SpaceState) -> &'static str {
    match state {
        SpaceState::Local => "only on this device",
        SpaceState::Synced => "synced",
        SpaceState::Syncing => "syncing now",
        SpaceState::Behind => "waiting to sync",
        SpaceState::Offline => "not everybody is reachable now",
        SpaceState::Unopened => "cannot be opened: see the doctor",
    }
}

pub(crate) fn role(role: Option<Role>) -> &'static str {
    let Some(role) = role else {
        return "you are not in it any more; what you have stays readable";
    };
    match role {
        Role::Custodian => "you keep a locked copy",
        Role::Reader => "you can read",
        Role::Writer => "you can read and write",
        Role::Admin => "you can read, write and invite",
    }
}

pub(crate) fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Private => "its members only",
        Reach::Invited => "people whom you invite",
        Reach::Local => "your household",
        Reach::Neighborhood => "your neighbours",
        Reach::Municipal => "your town",
        Reach::Bioregional => "your watershed",
        Reach::Regional => "your region",
        Reach::Commons => "everybody",
    }
}

/// What a group of documents of one type is called.
pub(crate) fn kind(kind: &str) -> String {
    match kind {
        "content" => "Reading".to_owned(),
        "document" => "Documents".to_owned(),
        "json" => "Data".to_owned(),
        "file" => "Files".to_owned(),
        "learning-path" => "Learning paths".to_owned(),
        "" => "Other".to_owned(),
        other => {
            let spaced = other.replace(['-', '_'], " ");
            let mut letters = spaced.chars();
            let first = letters.next().into_iter().flat_map(char::to_uppercase).collect::<String>();
            format!("{first}{}", letters.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1_000), "1.0 kB");
        assert_eq!(bytes(3_456_789), "3.4 MB");
        assert_eq!(bytes(999_999), "999 kB");
        assert_eq!(bytes(u64::MAX), "18446744 TB");
        assert_eq!(minutes(80), "1 hour 20 minutes");
        assert_eq!(count(2, "person", "people"), "2 people");
        assert_eq!(kind("shopping-list"), "Shopping list");
    }

    #[test]
    fn ids_are_shortened() {
        assert_eq!(short("abc"), "abc");
        assert_eq!(short(&"a".repeat(52)), "aaaaaaaaaaaa…aaaaaa");
    }
}
