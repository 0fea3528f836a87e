//! The keys of a doorway, and what each may do. Pure: time is an argument.
//!
//! Invariants: whoever changes keys by a key gives nothing that this key does not have, no
//! longer than it has it; a key gives up the right to undo that only when told to.

use std::collections::BTreeMap;

use node_core::{Failure, FailureKind, Mend};
use node_model::{Timestamp, program::KeyName};
use subtle::ConstantTimeEq;

use super::{
    pace::Pace,
    rule::{Asked, Rule},
};

/// Keys of a doorway: a person has a handful of programs, a workshop some dozens.
pub(crate) const KEYS_MAX: usize = 100;

/// Rules of a key: as many as there are routes, roughly.
pub(crate) const RULES_MAX: usize = 50;

/// A day.
const DAY_MS: u64 = 86_400_000;

/// A key, but for its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// What is kept in place of the secret.
    pub(crate) hash: [u8; 32],
    /// What it may do; nothing else.
    pub(crate) rules: Vec<Rule>,
    /// How often it may be used.
    pub(crate) pace: Pace,
    /// When it was made.
    pub(crate) made_at: Timestamp,
    /// By which key, if by one.
    pub(crate) made_by: Option<KeyName>,
    /// From when on it opens nothing.
    pub(crate) expires_at: Option<Timestamp>,
    /// The day on which it last opened something, in days since 1970 in UTC.
    pub(crate) last_used_day: Option<u64>,
}

impl Key {
    /// Whether its time is over.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    fn may(&self, rule: &Rule) -> bool {
        self.rules.iter().any(|own| own.covers(rule))
    }
}

/// Who changes keys: the person, or a program by its own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Owner,
    Key(KeyName),
}

/// What came of a key that was offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// In, unless that is too often.
    Allowed(KeyName, Pace),
    /// It is a key, but none of its rules fits.
    NoRule(KeyName),
    /// There is no such key, or its time is over.
    Unknown,
}

/// All keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Book {
    keys: BTreeMap<KeyName, Key>,
}

/// The day of a time.
pub(crate) fn day(at: Timestamp) -> u64 {
    at.0 / DAY_MS
}

/// A day as `YYYY-MM-DD`.
pub(crate) fn printed_day(day: u64) -> String {
    let text = Timestamp(day.saturating_mul(DAY_MS)).rfc3339();
    text.split('T').next().unwrap_or_default().to_owned()
}

impl Book {
    /// The keys in the order of their names.
    pub(crate) fn keys(&self) -> &BTreeMap<KeyName, Key> {
        &self.keys
    }

    /// Takes a key from the disk. False when it cannot be one of these.
    pub(crate) fn restore(&mut self, name: KeyName, key: Key) -> bool {
        let is_new = !self.keys.values().any(|known| known.hash == key.hash);
        let fits = self.keys.len() < KEYS_MAX && key.rules.len() <= RULES_MAX;
        is_new && fits && self.keys.insert(name, key).is_none()
    }

    /// May whoever carries the key with this hash do that now? An address that has no one
    /// form is asked for by nobody.
    pub(crate) fn decide(&self, hash: &[u8; 32], asked: Option<&Asked>, now: Timestamp) -> Verdict {
        // Compared with all: how long it takes tells how many there are, and no more.
        let mut found = None;
        for (name, key) in &self.keys {
            if bool::from(key.hash.ct_eq(hash)) {
                found = Some((*name, key));
            }
        }
        let Some((name, key)) = found.filter(|(_, key)| !key.is_over(now)) else {
            return Verdict::Unknown;
        };
        match asked.is_some_and(|asked| key.rules.iter().any(|rule| rule.allows(asked))) {
            true => Verdict::Allowed(name, key.pace),
            false => Verdict::NoRule(name),
        }
    }

    /// How often a key may be used of which nothing is said: no key makes a faster one.
    pub(crate) fn usual_pace(&self, who: Who) -> Pace {
        let own = match who {
            Who::Owner => None,
            Who::Key(maker) => self.keys.get(&maker).map(|maker| maker.pace),
        };
        own.map_or_else(Pace::default, |own| own.min(Pace::default()))
    }

    /// Notes a use. True when it is the first of its day.
    pub(crate) fn used(&mut self, name: KeyName, now: Timestamp) -> bool {
        let Some(key) = self.keys.get_mut(&name) else { return false };
        let is_first = key.last_used_day < Some(day(now));
        key.last_used_day = key.last_used_day.max(Some(day(now)));
        is_first
    }

    /// With the uses that were noted meanwhile.
    pub(crate) fn with_uses_of(mut self, other: Option<&Self>) -> Self {
        for (name, key) in &mut self.keys {
            let same = other.and_then(|other| other.keys.get(name));
            let same = same.filter(|same| same.hash == key.hash);
            key.last_used_day = key.last_used_day.max(same.and_then(|same| same.last_used_day));
        }
        self
    }

    /// Adds a key.
    ///
    /// # Errors
    /// [`Failure`]: a name that is taken, too many keys or rules, none at all, or more than
    /// `who` may give.
    pub(crate) fn add(&mut self, who: Who, name: KeyName, key: Key) -> Result<(), Failure> {
        if self.keys.contains_key(&name) {
            let fix = format!("kith doorway keys revoke {name}");
            let message = format!("there is a key {name} already");
            return Err(Failure::new(FailureKind::Conflict, message, fix));
        }
        if self.keys.len() >= KEYS_MAX {
            let message = format!("a doorway has at most {KEYS_MAX} keys");
            return Err(Failure::new(FailureKind::TooLarge, message, "kith doorway keys list"));
        }
        if key.rules.is_empty() {
            let fix = format!("kith doorway keys add {name} --allow 'GET /api/v1/status'");
            let message = "a key without a rule opens nothing";
            return Err(Failure::new(FailureKind::Invalid, message, fix));
        }
        check_count(&name, key.rules.len())?;
        self.may_give(who, name, &key.rules)?;
        if let Who::Key(maker) = who {
            let own = self.keys.get(&maker);
            if let Some(own) = own.filter(|own| key.pace > own.pace) {
                let most = own.pace.per_minute();
                let message = format!("the key {maker} may make none faster than itself: {most}");
                return Err(Failure::refused(message, &add(name, &key.rules)));
            }
            let own_end = own.and_then(|maker| maker.expires_at);
            if own_end.is_some_and(|own| key.expires_at.is_none_or(|end| end > own)) {
                let message = format!("the key {maker} cannot make one that outlives it");
                return Err(Failure::refused(message, &add(name, &key.rules)));
            }
        }
        self.keys.insert(name, key);
        Ok(())
    }

    /// Takes a key away. Answers which keys it made that remain.
    ///
    /// # Errors
    /// [`Failure`]: there is none, or a key that is not `sure` takes away itself.
    pub(crate) fn revoke(
        &mut self,
        who: Who,
        name: KeyName,
        is_sure: bool,
    ) -> Result<Vec<KeyName>, Failure> {
        if !self.keys.contains_key(&name) {
            return Err(no_such_key(name));
        }
        if who == Who::Key(name) && !is_sure {
            return Err(locks_itself_out(name, "the key would take away itself"));
        }
        self.keys.remove(&name);
        let is_child = |key: &Key| key.made_by == Some(name);
        let made = self.keys.iter().filter(|(_, key)| is_child(key)).map(|(name, _)| *name);
        Ok(made.collect())
    }

    /// Lets a key do more.
    ///
    /// # Errors
    /// [`Failure`]: there is none, too many rules, or more than `who` may give.
    pub(crate) fn allow(&mut self, who: Who, name: KeyName, rule: Rule) -> Result<(), Failure> {
        let key = self.keys.get(&name).ok_or_else(|| no_such_key(name))?;
        self.may_give(who, name, std::slice::from_ref(&rule))?;
        let mut rules = key.rules.clone();
        if !rules.contains(&rule) {
            rules.push(rule);
        }
        check_count(&name, rules.len())?;
        self.replace(name, rules);
        Ok(())
    }

    /// Takes from a key what a rule says, so that afterwards it can do nothing of it.
    ///
    /// # Errors
    /// [`Failure`]: there is no such key, a wider rule of it would still allow some of it,
    /// or a key that is not `sure` takes from itself what it would need to undo that.
    pub(crate) fn deny(
        &mut self,
        who: Who,
        name: KeyName,
        rule: &Rule,
        is_sure: bool,
    ) -> Result<(), Failure> {
        let key = self.keys.get(&name).ok_or_else(|| no_such_key(name))?;
        let left: Vec<Rule> = key.rules.iter().filter(|own| !rule.covers(own)).cloned().collect();
        if let Some(wider) = left.iter().find(|own| own.overlaps(rule)) {
            let message = format!(
                "the rule {wider} of the key {name} reaches further than that; \
                take it away, and allow what the key shall keep"
            );
            let fix = format!("kith doorway keys deny {name} '{wider}'");
            return Err(Failure::new(FailureKind::Conflict, message, fix));
        }
        let could_undo = can_manage_itself(name, &key.rules);
        let can_undo = can_manage_itself(name, &left);
        if who == Who::Key(name) && could_undo && !can_undo && !is_sure {
            let message = "the key could not give this right back to itself";
            return Err(locks_itself_out(name, message));
        }
        self.replace(name, left);
        Ok(())
    }

    fn replace(&mut self, name: KeyName, rules: Vec<Rule>) {
        if let Some(key) = self.keys.get_mut(&name) {
            key.rules = rules;
        }
    }

    /// A key gives what it has, and no more.
    fn may_give(&self, who: Who, name: KeyName, rules: &[Rule]) -> Result<(), Failure> {
        let Who::Key(giver) = who else { return Ok(()) };
        let own = self.keys.get(&giver);
        match rules.iter().find(|rule| !own.is_some_and(|own| own.may(rule))) {
            None => Ok(()),
            Some(beyond) => {
                let new = add(name, rules);
                let message =
                    format!("the key {giver} may not give what it does not have: {beyond}");
                let allow = Mend::AllowKey { name: name.to_string(), rule: beyond.to_string() };
                let is_known = self.keys.contains_key(&name);
                Err(Failure::refused(message, if is_known { &allow } else { &new }))
            }
        }
    }
}

fn can_manage_itself(name: KeyName, rules: &[Rule]) -> bool {
    let asked = Asked::read("POST", &format!("/api/v1/doorway/keys/{name}/allow"));
    asked.is_some_and(|asked| rules.iter().any(|rule| rule.allows(&asked)))
}

fn check_count(name: &KeyName, count: usize) -> Result<(), Failure> {
    if count <= RULES_MAX {
        return Ok(());
    }
    let message = format!("a key has at most {RULES_MAX} rules; * and ** say more in one");
    let fix = format!("kith doorway keys deny {name} RULE");
    Err(Failure::new(FailureKind::TooLarge, message, fix))
}

/// How the owner of the node makes that key.
fn add(name: KeyName, rules: &[Rule]) -> Mend {
    let rules = rules.iter().map(ToString::to_string).collect();
    Mend::AddKey { name: name.to_string(), rules }
}

fn no_such_key(name: KeyName) -> Failure {
    let message = format!("there is no key {name}");
    Failure::new(FailureKind::NotFound, message, "kith doorway keys list")
}

fn locks_itself_out(name: KeyName, message: &str) -> Failure {
    let message = format!(
        "{message}; who owns the node does that at its own machine, or ask again with yes=true"
    );
    let fix = format!("kith doorway keys revoke {name}");
    Failure::new(FailureKind::Conflict, message, fix)
}

#[cfg(test)]
mod tests;
