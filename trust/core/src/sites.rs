//! Where devices stand: which are lost together, and which are near.
//!
//! An agent says of its devices what they are and where: in which *site* (a house, an
//! office: what one fire takes) and in which *region*. Labels are words, not proofs.
//!
//! Invariants: everything here is a function of the graph, and decides no right. Who
//! names no place has one failure domain, however many devices.
//! Non-goals: finding out where a device is; guessing what nobody said.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, DeviceId};
use serde::{Deserialize, Serialize};

use crate::{graph::Graph, words::DeviceClass};

/// Longest label: the name of a place, not an address; what somebody is to one, not a story.
pub const LABEL_BYTES_MAX: usize = 64;

/// The name of a site or a region, or what somebody is to one, as its agent writes it: it may be
/// shown as it is.
///
/// Two labels mean the same place if they differ only in case, in spaces, and in what
/// cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// Text that is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this has 1 to {LABEL_BYTES_MAX} bytes of printable text in one line")]
pub struct BadLabel;

impl Label {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is equal for all labels that mean one place.
    fn meaning(&self) -> String {
        let seen: String = self.0.chars().filter(|letter| !is_joiner(*letter)).collect();
        seen.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
    }
}

impl TryFrom<String> for Label {
    type Error = BadLabel;
    fn try_from(text: String) -> Result<Self, BadLabel> {
        let is_shown = text.chars().any(|letter| !letter.is_whitespace() && !is_joiner(letter));
        let is_safe = !text.chars().any(is_unprintable);
        if text.len() <= LABEL_BYTES_MAX && is_shown && is_safe {
            Ok(Self(text))
        } else {
            Err(BadLabel)
        }
    }
}

impl std::str::FromStr for Label {
    type Err = BadLabel;
    fn from_str(text: &str) -> Result<Self, BadLabel> {
        text.trim().to_owned().try_into()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

/// What moves the cursor, breaks the line, turns the direction or shows nothing where
/// it stands alone: with it a label could pass for other text on a screen.
fn is_unprintable(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

/// What joins or varies letters, as several scripts and signs need it, and shows nothing
/// itself.
fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200c}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// What kind of machine a device is, as it is sent: a later version may know more kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassCode(pub u8);

impl ClassCode {
    /// The word for it; `unknown` if this version has none.
    #[must_use]
    pub fn word(self) -> &'static str {
        DeviceClass::try_from(self.0).map_or("unknown", DeviceClass::word)
    }
}

impl From<DeviceClass> for ClassCode {
    fn from(class: DeviceClass) -> Self {
        Self(class.into())
    }
}

/// What an agent says of one of its devices; nothing is said at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// What it is.
    pub class: Option<ClassCode>,
    /// What it would be lost with.
    pub site: Option<Label>,
    /// What it is near to.
    pub region: Option<Label>,
}

impl Description {
    /// In words that follow the name of a device.
    #[must_use]
    pub fn in_words(&self) -> String {
        let class = self.class.map(|class| match DeviceClass::try_from(class.0) {
            Ok(class) => format!("is a {class}"),
            Err(_) => "is of a class that this version does not know".to_owned(),
        });
        let site = self.site.as_ref().map(|site| format!("stands in “{}”", site.text()));
        let region = self.region.as_ref().map(|region| format!("belongs to “{}”", region.text()));
        let words: Vec<String> = [class, site, region].into_iter().flatten().collect();
        if words.is_empty() { "is not described".to_owned() } else { words.join(", ") }
    }
}

/// What is lost together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureDomain {
    /// Everything in a site.
    Site(String),
    /// All devices of a person of which no site is known: they may lie in one bag.
    Somewhere(Option<AgentId>),
}

/// How near a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// In the same site: the local cluster.
    SameSite,
    /// In the same region: the regional cluster.
    SameRegion,
    /// Anywhere.
    Elsewhere,
}

impl Nearness {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::SameSite => "same-site",
            Self::SameRegion => "same-region",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// Devices in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The site; `None` for those that name only a region.
    pub site: Option<Label>,
    /// The region that one of them names, ours first.
    pub region: Option<Label>,
    /// The devices, ours first.
    pub devices: Vec<DeviceId>,
}

impl Graph {
    /// What a device is lost with. Of equal labels all are one site, whoever uses them:
    /// who is related to whom among others is not known here, and one domain too few
    /// is safer than one too many.
    #[must_use]
    pub fn failure_domain(&self, device: DeviceId) -> FailureDomain {
        let somewhere = || FailureDomain::Somewhere(self.agent_of(device));
        self.site_of(device).map_or_else(somewhere, FailureDomain::Site)
    }

    fn site_of(&self, device: DeviceId) -> Option<String> {
        Some(self.description(device)?.site.as_ref()?.meaning())
    }

    /// How near `there` is to `here`. Only devices of one agent or of related ones are
    /// near each other: strangers may call their place what they like.
    #[must_use]
    pub fn nearness(&self, here: DeviceId, there: DeviceId) -> Nearness {
        let (Some(one), Some(other)) = (self.agent_of(here), self.agent_of(there)) else {
            return Nearness::Elsewhere;
        };
        if one != other && self.relationship(one, other).is_none() {
            return Nearness::Elsewhere;
        }
        let region = |device| Some(self.description(device)?.region.as_ref()?.meaning());
        let is_same_site = self.site_of(here).is_some_and(|it| Some(it) == self.site_of(there));
        if here == there || is_same_site {
            Nearness::SameSite
        } else if region(here).is_some_and(|here| Some(here) == region(there)) {
            Nearness::SameRegion
        } else {
            Nearness::Elsewhere
        }
    }

    /// The places of an agent's devices and of those related to it, in order of what
    /// they are called. A device that names no place is in none.
    #[must_use]
    pub fn clusters(&self, me: AgentId) -> Vec<Cluster> {
        let related = self.sides.keys().filter(|(one, _)| *one == me).map(|(_, other)| *other);
        let related: BTreeSet<AgentId> =
            related.filter(|other| self.relationship(me, *other).is_some()).collect();
        let others = related.into_iter().filter(|other| *other != me);
        let mut clusters: BTreeMap<(Option<String>, Option<String>), Cluster> = BTreeMap::new();
        for (id, device) in [me].into_iter().chain(others).flat_map(|it| self.devices_of(it)) {
            let Description { class: _, site, region } = &device.description;
            let place = match (site, region) {
                (Some(site), _) => (Some(site.meaning()), None),
                (None, Some(region)) => (None, Some(region.meaning())),
                (None, None) => continue,
            };
            let cluster = clusters.entry(place).or_insert_with(|| Cluster {
                site: site.clone(),
                region: None,
                devices: Vec::new(),
            });
            cluster.devices.push(id);
            cluster.region = cluster.region.take().or_else(|| region.clone());
        }
        clusters.into_values().collect()
    }

    fn description(&self, device: DeviceId) -> Option<&Description> {
        self.devices.get(&device).map(|device| &device.description)
    }
}

#[cfg(test)]
mod tests;
