//! Which documents somebody wants, in terms of what is in them.
//!
//! Types, folders and times are sealed: whoever has a space's keys, and its documents, can say
//! which documents a rule chooses; what is compared by everybody are their ids
//! ([`crate::part`]).
//!
//! Non-goals: who may ask.

use std::collections::BTreeSet;

use node_model::{Timestamp, cbor};
use serde::{Deserialize, Serialize};

use crate::document::Summary;

/// Types or folders in a rule: more than somebody names by hand.
pub const RULE_NAMES_MAX: usize = 64;

/// Bytes of one of them: as long as paths are.
pub const RULE_NAME_BYTES_MAX: usize = 1_024;

/// A choice of documents: those that fit all that it says; one that says nothing chooses none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Of one of these types; none is any.
    #[serde(deserialize_with = "names")]
    pub kinds: BTreeSet<String>,
    /// In one of these folders or below; none is any. `a/b` is the folder of `a/b/c.md`.
    #[serde(deserialize_with = "names")]
    pub folders: BTreeSet<String>,
    /// Changed then or later, by the clock of whoever changed it.
    pub since: Option<Timestamp>,
    /// Last changed before then.
    pub until: Option<Timestamp>,
}

impl Rule {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is as large as a rule may be, or smaller.
    #[must_use]
    pub fn is_within_bounds(&self) -> bool {
        let short = |names: &BTreeSet<String>| {
            names.len() <= RULE_NAMES_MAX
                && names.iter().all(|name| name.len() <= RULE_NAME_BYTES_MAX)
        };
        short(&self.kinds) && short(&self.folders)
    }

    /// The same with folders written as paths of documents are: no `.`, `..`, empty part or
    /// slash at either end. `None` when one leads out of the space.
    #[must_use]
    pub fn canonical(self) -> Option<Self> {
        let folders = self.folders.iter().map(|folder| canonical_folder(folder));
        Some(Self { folders: folders.collect::<Option<_>>()?, ..self })
    }

    /// Whether it chooses a document.
    #[must_use]
    pub fn chooses(&self, summary: &Summary) -> bool {
        let is_of_kind = self.kinds.is_empty() || self.kinds.contains(&summary.kind);
        let path = summary.path.as_deref();
        let is_in_folder = self.folders.is_empty()
            || path.is_some_and(|path| self.folders.iter().any(|folder| is_below(path, folder)));
        let is_in_time = match summary.changed_at {
            Some(at) => {
                self.since.is_none_or(|since| at >= since)
                    && self.until.is_none_or(|until| at < until)
            }
            None => self.since.is_none() && self.until.is_none(),
        };
        !self.is_empty() && is_of_kind && is_in_folder && is_in_time
    }
}

fn canonical_folder(folder: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn is_below(path: &str, folder: &str) -> bool {
    let folder = folder.trim_matches('/');
    let path = path.trim_start_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| folder.is_empty() || rest.starts_with('/'))
}

fn names<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    let names: Vec<String> = cbor::at_most::<RULE_NAMES_MAX, _, _>(deserializer)?;
    Ok(names.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use node_model::DocumentId;

    use super::*;

    fn summary(kind: &str, path: Option<&str>, changed_at: Option<u64>) -> Summary {
        Summary {
            document: DocumentId([1; 16]),
            kind: kind.to_owned(),
            app: crate::document::OWN_APP.into(),
            title: "Cake".to_owned(),
            path: path.map(ToOwned::to_owned),
            content_id: None,
            changed_at: changed_at.map(Timestamp),
        }
    }

    fn rule(kinds: &[&str], folders: &[&str], since: Option<u64>, until: Option<u64>) -> Rule {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Rule {
            kinds: owned(kinds),
            folders: owned(folders),
            since: since.map(Timestamp),
            until: until.map(Timestamp),
        }
    }

    #[test]
    fn a_rule_chooses_what_fits_all_of_it() {
        let cake = summary("recipe", Some("food/sweet/cake.md"), Some(50));
        for (rule, chooses) in [
            (rule(&["recipe"], &[], None, None), true),
            (rule(&["note", "recipe"], &[], None, None), true),
            (rule(&["note"], &[], None, None), false),
            (rule(&[], &["food"], None, None), true),
            (rule(&[], &["/food/sweet/"], None, None), true),
            (rule(&[], &["foo"], None, None), false),
            (rule(&[], &["food/sweet/cake.md"], None, None), false),
            (rule(&[], &[""], None, None), true),
            (rule(&["recipe"], &["letters"], None, None), false),
            (rule(&[], &[], Some(50), None), true),
            (rule(&[], &[], Some(51), None), false),
            (rule(&[], &[], None, Some(50)), false),
            (rule(&[], &[], Some(40), Some(51)), true),
            (rule(&[], &[], None, None), false),
        ] {
            assert_eq!(rule.chooses(&cake), chooses, "{rule:?}");
        }
        let bare = summary("recipe", None, None);
        assert!(rule(&["recipe"], &[], None, None).chooses(&bare));
        assert!(!rule(&[], &[""], None, None).chooses(&bare), "it is in no folder");
        assert!(!rule(&[], &[], Some(0), None).chooses(&bare), "nobody knows when");
    }

    #[test]
    fn a_folder_has_one_name_and_none_leads_outside() {
        let canonical = |folder| {
            let rule = rule(&[], &[folder], None, None).canonical()?;
            rule.folders.into_iter().next()
        };
        for folder in ["food/sweet", "/food//sweet/", "./food/./sweet", "food/salty/../sweet"] {
            assert_eq!(canonical(folder).as_deref(), Some("food/sweet"), "{folder}");
        }
        assert_eq!(canonical("..food").as_deref(), Some("..food"));
        for folder in ["/", ".", "", "food/.."] {
            assert_eq!(canonical(folder).as_deref(), Some(""), "{folder}");
        }
        for folder in ["..", "/..", "food/../..", "food/../../food"] {
            assert_eq!(canonical(folder), None, "{folder}");
        }
        let one = rule(&[], &["a", "./a/", "b"], None, None).canonical().expect("inside");
        assert_eq!(one.folders.len(), 2);
    }

    #[test]
    fn rules_are_bounded() {
        let many: Vec<String> = (0..=RULE_NAMES_MAX).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(!rule(&many, &[], None, None).is_within_bounds());
        assert!(!rule(&[], &["x".repeat(1_025).as_str()], None, None).is_within_bounds());
        assert!(rule(&many[1..], &many[1..], None, None).is_within_bounds());
    }
}
