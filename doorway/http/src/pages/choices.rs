//! One conflict for people: what it is about, both sides beside each other, and a button
//! for each choice.

use maud::{Markup, html};
use node_core::request::{
    AskedInfo, Author, Before, ConflictInfo, ConflictKind, Role, SideInfo, SpaceInfo,
};
use serde_json::Value;

use super::words;
use crate::links;

/// Bytes shown of a value: about a page of a book.
const VALUE_BYTES_MAX: usize = 2_000;

/// Entries shown of a list or an object.
const ENTRIES_MAX: usize = 12;

/// Sides shown beside each other; who needs more has `kith conflicts show`.
const SIDES_MAX: usize = 8;

/// Whether the person may settle conflicts of this space.
pub(crate) fn may_choose(space: &SpaceInfo) -> bool {
    space.role.is_some_and(|role| role.includes(Role::Writer))
}

/// Whether the person may settle this one.
fn may_settle(space: &SpaceInfo, conflict: &ConflictInfo) -> bool {
    may_choose(space) && (conflict.asked.is_empty() || space.role == Some(Role::Admin))
}

/// Says to who may not choose why that is so.
pub(crate) fn who_may(space: &SpaceInfo) -> Markup {
    html! {
        @if !may_choose(space) {
            p.note {
                @if space.role.is_some() {
                    "You can read this space, not change it. Whoever may write in it can choose; ask one of them."
                } @else {
                    "You are not in this space any more, so you cannot choose."
                }
            }
        }
    }
}

/// A conflict. `value` is what its document shows now.
pub(crate) fn card(space: &SpaceInfo, conflict: &ConflictInfo, value: &Value) -> Markup {
    let heading = format!("c-{}", conflict.conflict);
    let place = place(&conflict.place, value);
    let action = links::settle(space.space, conflict.document);
    html! {
        article.card.conflict aria-labelledby=(heading) {
            h3 id=(heading) { (subject(conflict, &place)) }
            form method="post" action=(action) {
                input type="hidden" name="conflict" value=(conflict.conflict);
                div.sides {
                    @for (at, side) in conflict.sides.iter().enumerate().take(SIDES_MAX) {
                        (self::side(space, (conflict, at, side), &place))
                    }
                }
                @if may_settle(space, conflict) { (others(conflict, &place)) }
            }
            (left_to_admins(space, conflict, &place))
        }
    }
}

fn subject(conflict: &ConflictInfo, place: &str) -> Markup {
    match conflict.kind {
        ConflictKind::Overwritten => html! { (capital(place)) },
        ConflictKind::DeletedAndChanged => {
            html! { (capital(place)) ": deleted by one, changed by another" }
        }
        ConflictKind::RemovedDocument => html! { "Deleted by one, changed by another" },
    }
}

fn side(
    space: &SpaceInfo,
    (conflict, at, side): (&ConflictInfo, usize, &SideInfo),
    place: &str,
) -> Markup {
    let did = if side.value.is_some() { "wrote" } else { "deleted it" };
    html! {
        div.side {
            p {
                strong { (who(side)) } " " (did)
                @if at == 0 { " " span.badge { "shown now" } }
                @if let Some(when) = side.at { br; span.quiet { (words::moment(when)) } }
            }
            @if let Some(value) = &side.value { (shown(value)) }
            @if may_settle(space, conflict) { (keep(conflict, (at, side), place)) }
        }
    }
}

/// The button for a side.
fn keep(conflict: &ConflictInfo, (at, side): (usize, &SideInfo), place: &str) -> Markup {
    let is_deletion = side.value.is_none();
    let is_document = conflict.kind == ConflictKind::RemovedDocument;
    let label = match (is_deletion, at) {
        (true, 0) => "Keep it deleted".to_owned(),
        (true, _) => "Delete it".to_owned(),
        (false, _) if conflict.kind == ConflictKind::Overwritten => format!("Keep {}", whose(side)),
        (false, 0) => format!("Keep it, with {} change", whose(side)),
        (false, _) => format!("Restore it, with {} change", whose(side)),
    };
    let spoken = format!("{label}: {place}, {}", conflict.title);
    let button = html! {
        button type="submit" name="keep" value=(at) aria-label=(spoken) { (label) }
    };
    // A document that is removed again cannot be brought back by this page.
    html! {
        @if is_document && is_deletion {
            details.sure {
                summary { (label) "…" }
                p { "The change is not shown any more, to anybody. This cannot be undone here." }
                (button)
            }
        } @else { (button) }
    }
}

/// What else can be chosen.
fn others(conflict: &ConflictInfo, place: &str) -> Markup {
    let values = conflict.sides.iter().filter(|side| side.value.is_some()).count();
    let is_document = conflict.kind == ConflictKind::RemovedDocument;
    let spoken = |label: &str| format!("{label}: {place}, {}", conflict.title);
    html! {
        @if !is_document {
            p.row {
                @if values > 1 {
                    button.quiet type="submit" name="keep" value="both" aria-label=(spoken("Keep both")) { "Keep both" }
                }
                @match &conflict.before {
                    Before::Value(_) | Before::Nothing => {
                        button.quiet type="submit" name="keep" value="undo" aria-label=(spoken("Put back what was there before")) { "Put back what was there before" }
                    }
                    Before::Unknown => {}
                }
            }
            @if let Before::Value(value) = &conflict.before {
                details { summary { "What was there before" } (shown(value)) }
            }
        }
    }
}

/// Who left it to the admins, or how to.
fn left_to_admins(space: &SpaceInfo, conflict: &ConflictInfo, place: &str) -> Markup {
    let can_be_left = conflict.kind != ConflictKind::RemovedDocument
        && may_choose(space)
        && space.role != Some(Role::Admin);
    let may_withdraw = conflict.asked.iter().all(|asked| asked.is_mine);
    let spoken = |label: &str| format!("{label}: {place}, {}", conflict.title);
    html! {
        @for asked in &conflict.asked { (question(asked)) }
        @if conflict.asked.is_empty() && can_be_left {
            details {
                summary { "Let the admins decide…" }
                form method="post" action=(links::leave(space.space, conflict.document)) {
                    input type="hidden" name="conflict" value=(conflict.conflict);
                    label { "Why, for everybody in this space to read" br; textarea name="why" rows="2" maxlength="250" {} }
                    button type="submit" aria-label=(spoken("Let the admins decide")) { "Let the admins decide" }
                }
            }
        } @else if !conflict.asked.is_empty() && may_withdraw && can_be_left {
            form method="post" action=(links::leave(space.space, conflict.document)) {
                input type="hidden" name="conflict" value=(conflict.conflict);
                input type="hidden" name="withdraw" value="true";
                button.quiet type="submit" aria-label=(spoken("Do not ask the admins")) { "Do not ask the admins" }
            }
        }
    }
}

fn question(asked: &AskedInfo) -> Markup {
    html! {
        div.note {
            p {
                strong { (named(&asked.by, asked.is_mine)) } " left this to the admins of the space."
                @if let Some(when) = asked.at { br; span.quiet { (words::moment(when)) } }
            }
            @if !asked.why.is_empty() { blockquote { (asked.why) } }
        }
    }
}

fn who(side: &SideInfo) -> String {
    named(&side.by, side.is_mine)
}

fn named(by: &[Author], is_mine: bool) -> String {
    let names: Vec<&str> = by.iter().map(|author| author.name.as_str()).collect();
    match (names.is_empty(), is_mine) {
        (true, _) => "Somebody".to_owned(),
        (false, true) => "You".to_owned(),
        (false, false) => names.join(", "),
    }
}

fn whose(side: &SideInfo) -> String {
    match (&side.by[..], side.is_mine) {
        (_, true) => "mine".to_owned(),
        ([author], false) => format!("{}’s", author.name),
        (_, false) => "this".to_owned(),
    }
}

/// A place in words: `chapters › 2 › title`.
fn place(pointer: &str, document: &Value) -> String {
    let mut holder = Some(document);
    let mut parts = Vec::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let here = holder.take();
        match (here, part.parse::<usize>()) {
            (Some(Value::Array(list)), Ok(at)) => {
                parts.push(format!("number {}", at.saturating_add(1)));
                holder = list.get(at);
            }
            (here, _) => {
                parts.push(part.replace('_', " "));
                holder = here.and_then(|here| here.get(&part));
            }
        }
    }
    if parts.is_empty() { "the whole document".to_owned() } else { parts.join(" › ") }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}", letters.as_str())
}

fn shown(value: &Value) -> Markup {
    match value {
        Value::Object(map) => html! {
            dl.facts.value {
                @for (key, item) in map.iter().take(ENTRIES_MAX) { dt { (key) } dd { (shortened(item)) } }
                @if map.len() > ENTRIES_MAX { dt { "and " (map.len() - ENTRIES_MAX) " more" } }
            }
        },
        Value::Array(list) => html! {
            ul.value {
                @for item in list.iter().take(ENTRIES_MAX) { li { (shortened(item)) } }
                @if list.len() > ENTRIES_MAX { li.quiet { "and " (list.len() - ENTRIES_MAX) " more" } }
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => html! {
            div.value.text { (shortened(value)) }
        },
    }
}

fn shortened(value: &Value) -> String {
    let text = match value {
        Value::String(text) if text.is_empty() => "(empty)".to_owned(),
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    let end = text.floor_char_boundary(VALUE_BYTES_MAX);
    if end < text.len() { format!("{}…", &text[..end]) } else { text }
}

#[cfg(test)]
mod tests {
    use node_core::request::Reach;
    use node_model::{AgentId, DocumentId, SpaceId};
    use serde_json::json;

    use super::*;

    fn space(role: Option<Role>) -> SpaceInfo {
        let (space, reach) = (SpaceId([1; 32]), Reach::Private);
        SpaceInfo {
            space,
            name: "album".into(),
            reach,
            role,
            members: 2,
            is_home: false,
            kept_for: None,
            part: None,
            is_circle: false,
        }
    }

    fn said(value: Option<Value>, name: &str) -> SideInfo {
        let by = vec![Author { agent: AgentId([1; 32]), name: name.to_owned() }];
        SideInfo { value, by, is_mine: name == "Ada", at: None }
    }

    fn conflict(kind: ConflictKind, sides: Vec<SideInfo>) -> ConflictInfo {
        ConflictInfo {
            space: SpaceId([1; 32]),
            document: DocumentId([2; 16]),
            title: "Sum<mer".into(),
            conflict: "00".repeat(10).parse().expect("an id"),
            place: "/ti<tle".into(),
            kind,
            sides,
            before: Before::Nothing,
            asked: vec![],
        }
    }

    #[test]
    fn what_others_wrote_is_told_as_text() {
        let sides = vec![
            said(Some(json!("shown")), "Ada"),
            said(Some(json!("<script>".repeat(10_000))), "B<en"),
            said(Some(json!({"<k>": vec!["<v>"; 1_000]})), "Cyd"),
            said(None, "Dee"),
        ];
        let conflict = conflict(ConflictKind::DeletedAndChanged, sides);
        let page = card(&space(Some(Role::Writer)), &conflict, &json!({})).into_string();
        for words in ["Ti&lt;tle", "B&lt;en</strong> wrote", "Dee</strong> deleted it", "&lt;k&gt;"]
        {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(!page.contains("<script") && !page.contains("<v>"), "{page}");
        assert!(page.len() < 20_000, "{}", page.len());
    }

    #[test]
    fn who_may_not_write_sees_both_sides_and_no_button() {
        let sides = vec![said(Some(json!("a")), "Ada"), said(Some(json!("b")), "Ben")];
        let conflict = conflict(ConflictKind::Overwritten, sides);
        for role in [None, Some(Role::Reader)] {
            let space = space(role);
            let page = card(&space, &conflict, &json!({})).into_string();
            assert!(page.contains("Ben") && !page.contains("<button"), "{page}");
            assert!(who_may(&space).into_string().contains("class=\"note\""));
        }
        let page = card(&space(Some(Role::Admin)), &conflict, &json!({})).into_string();
        for label in ["Keep mine", "Keep Ben’s", "Keep both", "Put back what was there before"] {
            assert!(page.contains(&format!(">{label}</button>")), "{label}: {page}");
        }
        assert_eq!(who_may(&space(Some(Role::Admin))).into_string(), "");
    }

    #[test]
    fn what_was_left_to_the_admins_is_theirs_to_settle() {
        let sides = vec![said(Some(json!("a")), "Ada"), said(Some(json!("b")), "Ben")];
        let mut conflict = conflict(ConflictKind::Overwritten, sides);
        let page = |role, conflict: &ConflictInfo| {
            card(&space(Some(role)), conflict, &json!({})).into_string()
        };
        assert!(page(Role::Writer, &conflict).contains(">Let the admins decide</button>"));
        assert!(!page(Role::Admin, &conflict).contains("Let the admins decide"));
        let by = vec![Author { agent: AgentId([2; 32]), name: "B<en".to_owned() }];
        conflict.asked.push(AskedInfo { why: "no<idea".into(), by, is_mine: false, at: None });
        let seen = page(Role::Writer, &conflict);
        assert!(
            seen.contains("B&lt;en</strong> left this") && seen.contains("no&lt;idea"),
            "{seen}"
        );
        assert!(!seen.contains("<button"), "{seen}");
        assert!(page(Role::Admin, &conflict).contains(">Keep mine</button>"));
        conflict.asked[0].is_mine = true;
        let own = page(Role::Writer, &conflict);
        assert!(own.contains(">Do not ask the admins</button>"), "{own}");
        assert!(!own.contains(">Keep mine</button>"), "{own}");
    }

    #[test]
    fn a_place_is_told_in_words() {
        let document = json!({"a_b": [{"t/x": 1}], "2024": {"n": 1}});
        assert_eq!(place("/a_b/0/t~1x", &document), "a b › number 1 › t/x");
        assert_eq!(place("/2024/n", &document), "2024 › n");
        assert_eq!(place("/gone/3", &document), "gone › 3");
        assert_eq!(place("", &Value::Null), "the whole document");
    }
}
