//! Decisions and what they rest on, in plain words.

use node_model::{AgentId, AttestationId, DeviceId};

use crate::{
    attestation::{Attestation, Claim, Party},
    decision::{Action, Verdict},
    trust::{Journalled, Trust},
};

/// A decision in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Who was or was not allowed what, and by which rule.
    pub sentence: String,
    /// What each statement that it rests on says.
    pub evidence: Vec<(AttestationId, String)>,
}

impl Trust {
    /// A decision in words.
    #[must_use]
    pub fn explain(&self, line: &Journalled) -> Explanation {
        let who = self.device_in_words(line.question.device);
        let space = line.question.action.space();
        let space = space.map(|space| {
            self.label_of(space)
                .map_or_else(|| format!("space {space}"), |name| format!("“{name}”"))
        });
        let space = space.as_deref().unwrap_or_default();
        let may = match line.decision.verdict {
            Verdict::Deny => "may not",
            Verdict::Sealed | Verdict::Full => "may",
        };
        let what = match (line.question.action, line.decision.verdict) {
            (Action::Connect, _) => "talk to this node".to_owned(),
            (Action::Hold(_), Verdict::Sealed) => format!("keep {space} sealed, without its keys"),
            (Action::Hold(_), Verdict::Deny | Verdict::Full) => format!("have {space}"),
            (Action::Write(_, None), _) => format!("write in {space}"),
            (Action::Write(_, Some((sequence, _))), _) => {
                format!("add entry {sequence} of theirs to {space}")
            }
            (Action::Administer(_), _) => format!("admit and remove people in {space}"),
            (Action::Keep(_, document), _) => format!("have document {document} in {space}"),
        };
        let rule = line.decision.rule.in_words();
        let evidence = line.decision.because.iter().map(|id| (*id, self.in_words(*id))).collect();
        Explanation { sentence: format!("{who} {may} {what}: {rule}"), evidence }
    }

    /// What a statement says.
    #[must_use]
    pub fn in_words(&self, id: AttestationId) -> String {
        match self.attestation(id) {
            Some(attestation) => self.statement_in_words(attestation),
            None => "a statement that is not here".to_owned(),
        }
    }

    fn statement_in_words(&self, attestation: &Attestation) -> String {
        let by = self.agent_in_words(attestation.issuer);
        let party = |party: &Party| match party {
            Party::Agent(agent) => self.agent_in_words(*agent),
            Party::Group(group) => format!("the members of {group}"),
        };
        match &attestation.claim {
            Claim::DeviceLink { name, .. } => format!("{by}: “{name}” is my device"),
            Claim::DeviceRevocation { device, .. } => {
                format!("{by}: {} is not mine any more", self.device_in_words(*device))
            }
            Claim::Profile { name } => format!("{by}: call me {name}"),
            Claim::Relationship { with, terms: Some(terms) } => {
                format!("{by}: I am related to {} ({})", self.agent_in_words(*with), terms.layer)
            }
            Claim::Relationship { with, terms: None } => {
                format!("{by}: I am not related to {} any more", self.agent_in_words(*with))
            }
            Claim::Vouch { subject, text } => {
                format!("{by}: I vouch for {}: {text}", self.agent_in_words(*subject))
            }
            Claim::SpaceFounding { reach, .. } => {
                format!("{by}: I founded this space, its reach is {reach}")
            }
            Claim::SpaceGrant { party: to, role, .. } => {
                if *to == Party::Agent(self.agent()) {
                    format!("{by}: you are a {role} of this space")
                } else {
                    format!("{by}: {} is a {role} of this space", party(to))
                }
            }
            Claim::SpaceRevocation { party: of, .. } => {
                if *of == Party::Agent(attestation.issuer) {
                    format!("{by}: I leave this space")
                } else {
                    let is = if *of == Party::Agent(self.agent()) { "are" } else { "is" };
                    format!("{by}: {} {is} not in this space any more", party(of))
                }
            }
            Claim::SpaceEpoch { epoch, wraps, is_new: false, .. } if wraps.is_empty() => {
                format!("{by}: what I was given of key {} of this space does not open", epoch.0)
            }
            Claim::SpaceEpoch { epoch, wraps, .. } => {
                format!("{by}: key {} of this space, for {} devices", epoch.0, wraps.len())
            }
            Claim::Location { device, bytes, .. } => {
                format!("{by}: {} holds {bytes} bytes of this space", self.device_in_words(*device))
            }
            Claim::Custody { with, step, bytes, .. } => {
                format!("{by} to {}: custody of {bytes} bytes: {step}", self.agent_in_words(*with))
            }
            Claim::EconomicEvent { with, action, quantity, unit } => {
                format!("{by} and {}: {action} {quantity} {unit}", self.agent_in_words(*with))
            }
            Claim::RecoveryShare { holder, .. } => {
                format!("{by}: {} keeps a share of my recovery", self.agent_in_words(*holder))
            }
            Claim::WitnessReceipt { accepted_at, .. } => {
                format!("{by}: I saw an entry at {}", accepted_at.rfc3339())
            }
            Claim::DeviceDescription { device, description } => {
                format!("{by}: {} {}", self.device_in_words(*device), description.in_words())
            }
            Claim::DocumentPurge { documents, .. } => {
                let documents: Vec<String> = documents.iter().map(ToString::to_string).collect();
                format!("{by}: purged for good from this space: {}", documents.join(", "))
            }
            Claim::Unknown { kind, .. } => {
                format!("{by}: a statement of kind {kind}, which this version does not know")
            }
        }
    }

    fn agent_in_words(&self, agent: AgentId) -> String {
        if agent == self.agent() { "you".to_owned() } else { self.name_of(agent) }
    }

    fn device_in_words(&self, device: DeviceId) -> String {
        let id = device.to_string();
        let end = &id[id.len() - 6..];
        let links = self.graph().links(device);
        let named = links.map(|it| format!("{}’s device “{}”", self.name_of(it.agent), it.name));
        let named: Vec<String> = named.collect();
        if named.is_empty() {
            format!("device …{end}")
        } else {
            format!("{} (…{end})", named.join(", also "))
        }
    }
}

#[cfg(test)]
mod tests;
