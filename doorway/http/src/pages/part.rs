//! What this device keeps of a space, and the forms that choose it: everything, or what
//! fits a rule.

use std::collections::BTreeSet;

use axum::{extract::State, http::StatusCode, response::Redirect};
use maud::{Markup, html};
use node_core::request::{KeptBy, PartInfo, PartRule, Role, SpaceInfo, Summary};
use node_model::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{PageError, words};
use crate::{
    ask,
    config::App,
    extract::{FormBody, Params},
    links,
    problem::Problem,
};

/// Types or folders to tick: as many as a person looks through. Others are typed.
const TICKS_MAX: usize = 40;

/// What this device keeps, and how to choose it anew.
pub(super) fn section(space: &SpaceInfo, documents: &[Summary]) -> Markup {
    html! {
        @if let Some(part) = &space.part { (kept(part)) }
        @if space.role.is_some_and(|role| role.includes(Role::Reader)) {
            details.keep {
                summary {
                    @if space.part.is_some() { "Choose what this device keeps" }
                    @else { "This device keeps everything" }
                }
                (forms(space, documents))
            }
        }
    }
}

fn kept(part: &PartInfo) -> Markup {
    let chosen = words::count(part.documents, "document", "documents");
    let of = sentence(&part.rule);
    html! {
        p.note {
            "This device keeps a part of it"
            @if let Some(of) = of { ": " (of) } ". "
            (chosen) ", " (part.here) " of them here. Others may have more."
            @if part.has_answer == Some(false) {
                " Nobody who can read has said yet which documents these are."
            }
        }
    }
}

/// A rule in words; `None` for one that chooses nothing.
fn sentence(rule: &PartRule) -> Option<String> {
    let all = |names: &BTreeSet<String>, word: fn(&str) -> String| {
        let named: Vec<String> = names.iter().map(|name| word(name)).collect();
        (!named.is_empty()).then(|| named.join(" or "))
    };
    let kinds = all(&rule.kinds, words::kind);
    let folders = all(&rule.folders, folder).map(|folders| format!("in {folders}"));
    let since = rule.since.map(|since| format!("changed since {}", day(since)));
    let until = rule.until.map(|until| format!("last changed before {}", day(until)));
    let said: Vec<String> = [kinds, folders, since, until].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn folder(folder: &str) -> String {
    if folder.trim_matches('/').is_empty() {
        "any folder".to_owned()
    } else {
        format!("the folder {folder}")
    }
}

/// A day in UTC, as a field for dates has it.
fn day(at: Timestamp) -> String {
    at.rfc3339().chars().take("YYYY-MM-DD".len()).collect()
}

fn forms(space: &SpaceInfo, documents: &[Summary]) -> Markup {
    let action = links::keep(space.space);
    let mut rule = space.part.as_ref().map(|part| part.rule.clone()).unwrap_or_default();
    // A field without text says nothing.
    if rule.folders.remove("") {
        rule.folders.insert("/".to_owned());
    }
    let kinds = documents.iter().map(|it| it.kind.as_str()).filter(|kind| !kind.is_empty());
    let first = |it: &'_ Summary| Some(it.path.as_deref()?.split_once('/')?.0.to_owned());
    let folders: BTreeSet<String> = documents.iter().filter_map(first).collect();
    html! {
        @if space.part.is_some() {
            form method="post" action=(action) {
                button type="submit" name="keep" value="everything" { "Keep everything" }
            }
        }
        form method="post" action=(action) {
            p { "A device with little room can keep a part: what fits all that you say here, and "
                "what is written on it. Files come with the documents that name them. "
                "What is here stays; it only gets nothing new." }
            (ticks("Of these types", "type", kinds, &rule.kinds, words::kind))
            (ticks("In these folders", "folder", folders.iter().map(String::as_str), &rule.folders, folder))
            (date("since", "Changed on this day or later", rule.since))
            (date("until", "Last changed before this day", rule.until))
            label for="keep-doc" { "These documents, too, whatever they are" }
            p.quiet { "By path or id, one on each line. Name them all each time: what was named "
                "before and is not named now gets nothing new." }
            textarea id="keep-doc" name="doc" rows="3" {}
            p { button type="submit" name="keep" value="part" { "Keep only this part" } }
        }
    }
}

/// A box for each name that is known here or chosen already, and a field for another one.
fn ticks<'a>(
    legend: &str,
    field: &str,
    known: impl Iterator<Item = &'a str>,
    chosen: &'a BTreeSet<String>,
    word: fn(&str) -> String,
) -> Markup {
    let mut names: BTreeSet<&str> = known.collect();
    while names.len() > TICKS_MAX {
        names.pop_last();
    }
    names.extend(chosen.iter().map(String::as_str));
    let other = format!("keep-{field}");
    html! {
        fieldset {
            legend { (legend) }
            @for name in names {
                label.tick {
                    input type="checkbox" name=(field) value=(name) checked[chosen.contains(name)];
                    " " (word(name))
                }
            }
            label for=(other) { "Another one" }
            input type="text" id=(other) name=(field) maxlength="1000";
        }
    }
}

fn date(field: &str, label: &str, at: Option<Timestamp>) -> Markup {
    let id = format!("keep-{field}");
    html! {
        label for=(id) { (label) }
        input type="date" id=(id) name=(field) value=[at.map(day)];
    }
}

/// What to keep. Names may come more than once.
#[derive(Default, Deserialize, ToSchema)]
#[serde(from = "Vec<(String, String)>")]
pub(crate) struct Form {
    /// `everything` or `part`.
    keep: String,
    /// Types of documents.
    r#type: BTreeSet<String>,
    /// Folders by their paths within the space.
    folder: BTreeSet<String>,
    /// A day, such as 2026-01-01.
    since: String,
    /// A day.
    until: String,
    /// Documents by id, content id or path, one on each line.
    doc: String,
}

impl From<Vec<(String, String)>> for Form {
    fn from(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in fields {
            let value = value.trim().to_owned();
            match name.as_str() {
                "keep" => form.keep = value,
                "type" if !value.is_empty() => drop(form.r#type.insert(value)),
                "folder" if !value.is_empty() => drop(form.folder.insert(value)),
                "since" => form.since = value,
                "until" => form.until = value,
                "doc" => form.doc = value,
                _ => {}
            }
        }
        form
    }
}

impl Form {
    /// What it chooses; `None` is everything.
    fn part(self, before: &PartRule) -> Result<Option<KeptBy>, Problem> {
        if self.keep == "everything" {
            return Ok(None);
        }
        let since = moment(&self.since, before.since)?;
        let until = moment(&self.until, before.until)?;
        let rule = PartRule { kinds: self.r#type, folders: self.folder, since, until };
        let lines = self.doc.lines().map(str::trim).filter(|line| !line.is_empty());
        let documents: Vec<String> = lines.map(ToOwned::to_owned).collect();
        if self.keep != "part" || (rule.is_empty() && documents.is_empty()) {
            return Err(problem("nothing is said of what this device should keep"));
        }
        Ok(Some(KeptBy { documents, rule }))
    }
}

/// The beginning of a day, or the very moment that was chosen before where the day is still
/// the one of that moment.
fn moment(text: &str, before: Option<Timestamp>) -> Result<Option<Timestamp>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    if before.is_some_and(|before| day(before) == text) {
        return Ok(before);
    }
    let read = Timestamp::from_rfc3339(&format!("{text}T00:00:00Z"));
    read.map(Some).ok_or_else(|| problem(format!("{text:?} is no day such as 2026-01-01")))
}

fn problem(detail: impl Into<String>) -> Problem {
    let fix = "go back, and choose a type, a folder, a day or a document";
    Problem::new(StatusCode::BAD_REQUEST, "invalid", detail, fix)
}

/// Keep everything of a space on this device, or a part.
#[utoipa::path(post, path = "/s/{space}/keep",
    request_body(content = Form, content_type = "application/x-www-form-urlencoded"),
    responses((status = 303, description = "Back to the space")))]
pub(crate) async fn choose(
    State(app): State<App>,
    Params(space): Params<String>,
    FormBody(form): FormBody<Form>,
) -> Result<Redirect, PageError> {
    let info = ask::space(&app.handle, &space).await?;
    let before = info.part.map(|part| part.rule).unwrap_or_default();
    let part = form.part(&before)?;
    ask::keep(&app.handle, info.space, part).await?;
    Ok(Redirect::to(&links::space(info.space)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        fields.iter().map(owned).collect::<Vec<_>>().into()
    }

    #[test]
    fn a_form_says_a_rule_and_a_rule_says_itself() {
        let fields = [("keep", "part"), ("type", "note"), ("type", "recipe"), ("type", " ")];
        let more = [("folder", "food"), ("since", "2026-01-01"), ("doc", "cake\r\n\r\n a/b.md ")];
        let form = form(&[&fields[..], &more[..]].concat());
        let kept = form.part(&PartRule::default()).expect("good").expect("a part");
        assert_eq!(kept.documents, ["cake", "a/b.md"]);
        let said = "Note or Recipe, in the folder food, changed since 2026-01-01";
        assert_eq!(sentence(&kept.rule).as_deref(), Some(said));
        assert_eq!(sentence(&PartRule::default()), None);
    }

    #[test]
    fn what_says_nothing_or_no_day_is_refused() {
        for fields in [
            &[][..],
            &[("keep", "part")],
            &[("keep", "much"), ("type", "note")],
            &[("keep", "part"), ("since", "soon")],
            &[("keep", "part"), ("until", "2026-02-30")],
        ] {
            assert!(form(fields).part(&PartRule::default()).is_err(), "{fields:?}");
        }
        assert_eq!(
            form(&[("keep", "everything"), ("type", "x")]).part(&PartRule::default()).ok(),
            Some(None)
        );
    }

    #[test]
    fn a_day_that_nobody_changed_stays_the_moment_that_it_was() {
        let noon = Timestamp::from_rfc3339("2026-01-02T12:00:00Z").expect("a time");
        let before = PartRule { since: Some(noon), ..PartRule::default() };
        let since = |day: &str| {
            let part = form(&[("keep", "part"), ("since", day)]).part(&before).expect("good");
            part.and_then(|part| part.rule.since)
        };
        assert_eq!(since(&day(noon)), Some(noon));
        assert_eq!(since("2026-01-03").map(day).as_deref(), Some("2026-01-03"));
    }
}
