//! What attestations say: the kinds, their bodies and their bounds.

mod body;
mod in_space;

use node_model::{
    AgentId, AttestationId, DeviceId, DocumentId, EntryId, Epoch, SpaceId, Timestamp,
    cbor::{self, at_most},
    limit::NAME_BYTES_MAX,
    sign::{Domain, Signature, Verifier},
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub(super) use self::body::Body;
use self::{
    body::{bounded, bounded_bytes},
    in_space::{
        EpochBody, FoundingBody, GrantBody, LocationBody, PurgeBody, RevocationBody,
        WitnessReceiptBody,
    },
};
use super::{
    AttestationError,
    parts::{DevicePin, EntryPin, Party, Scope, Terms},
};
use crate::{
    keyring::{KeyId, WrappedKey},
    sites::{ClassCode, Description, Label},
    words::{CustodyStep, Reach, Role},
};

/// Most devices that one epoch attestation wraps a key for, so that it stays
/// below [`ATTESTATION_BYTES_MAX`]; more devices take more attestations.
pub const WRAPS_MAX: usize = 3;

/// Most heads that a membership statement names as what its issuer knew.
pub const AFTER_MAX: usize = 6;

/// Most reasons that a new key names why somebody has keys no more, so that it stays below the
/// budget beside [`WRAPS_MAX`] wraps.
pub const LOSSES_MAX: usize = 5;

/// Most pins in one revocation, so that it stays below the budget.
pub const PINS_MAX: usize = 6;

/// Most documents in one purge, so that it stays below the budget.
pub const PURGED_MAX: usize = 24;

/// Longest sealed label of a space: a name and its seal.
pub(super) const LABEL_BYTES_MAX: usize = NAME_BYTES_MAX + node_model::seal::OVERHEAD_BYTES;

/// Longest sealed share of a recovery secret.
const SHARE_BYTES_MAX: usize = 512;

/// Longest word in an economic event or a location: a name, not a text.
const WORD_BYTES_MAX: usize = 64;

/// What an attestation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The issuer's root key admits a device.
    DeviceLink {
        /// The device's signing key.
        device: DeviceId,
        /// The device's X25519 key for HPKE.
        hpke: [u8; 32],
        /// What its owner calls it.
        name: String,
        /// The device's own signature over the issuer's id: nobody can claim a
        /// device that does not agree.
        consent: Signature,
    },
    /// The issuer takes a device back. Several revocations of one device add up.
    DeviceRevocation {
        /// Which.
        device: DeviceId,
        /// What of it still counts; at most [`PINS_MAX`].
        pins: Vec<DevicePin>,
    },
    /// What the issuer wants to be called.
    Profile {
        /// A name for people.
        name: String,
    },
    /// The issuer's side of a relationship.
    Relationship {
        /// The other side.
        with: AgentId,
        /// What it consists of; `None` ends it.
        terms: Option<Terms>,
    },
    /// The issuer stands for something about another agent: an event witnessed,
    /// a skill, an acquaintance.
    Vouch {
        /// About whom.
        subject: AgentId,
        /// What, in the issuer's words.
        text: String,
    },
    /// Founds a space; the space's id is this attestation's.
    SpaceFounding {
        /// Makes the id unique.
        nonce: [u8; 16],
        /// How far the space may travel.
        reach: Reach,
        /// The space's name, sealed with the first epoch's key.
        label: Vec<u8>,
        /// Whether new members read what was written before them.
        has_open_history: bool,
    },
    /// Admits a party to a space.
    SpaceGrant {
        /// The space.
        space: SpaceId,
        /// Who is admitted.
        party: Party,
        /// What they may do.
        role: Role,
        /// Heads of the membership statements that the issuer knew.
        after: Vec<AttestationId>,
    },
    /// Removes a party from a space, or the issuer itself.
    SpaceRevocation {
        /// The space.
        space: SpaceId,
        /// Who is removed.
        party: Party,
        /// Their last entries that count; those after them do not.
        pins: Vec<EntryPin>,
        /// Heads of the membership statements that the issuer knew.
        after: Vec<AttestationId>,
    },
    /// An epoch's key, wrapped to devices.
    SpaceEpoch {
        /// The space.
        space: SpaceId,
        /// Which epoch. Two members may make one of the same number.
        epoch: Epoch,
        /// Which key of that number.
        key: KeyId,
        /// Whether the issuer made it, or hands on one that it was given.
        is_new: bool,
        /// The key, once for each device; at most [`WRAPS_MAX`].
        wraps: Vec<WrappedKey>,
        /// Of a new key: why some have it no more who had older ones, at most [`LOSSES_MAX`]
        /// statements. Whoever does not know them does not know whom it is kept from.
        after: Vec<AttestationId>,
    },
    /// A device holds a space, or a collection in it, until the attestation expires.
    Location {
        /// The space.
        space: SpaceId,
        /// A collection in it; empty is the whole space.
        collection: String,
        /// The device.
        device: DeviceId,
        /// Bytes that it holds.
        bytes: u64,
    },
    /// A step in an agreement to keep something for somebody.
    Custody {
        /// The other side.
        with: AgentId,
        /// What is kept.
        space: SpaceId,
        /// Which step.
        step: CustodyStep,
        /// How much at most, in bytes.
        bytes: u64,
    },
    /// Something of value changed hands: ValueFlows' words, one side's account.
    EconomicEvent {
        /// The other side.
        with: AgentId,
        /// Such as `transfer-custody` or `use`.
        action: String,
        /// How much.
        quantity: u64,
        /// Of what, such as `byte-month`.
        unit: String,
    },
    /// A share of a recovery secret, for one holder. Kept and passed on; nothing
    /// reads it yet.
    RecoveryShare {
        /// Who keeps it.
        holder: AgentId,
        /// Which splitting it belongs to.
        set: [u8; 16],
        /// How many shares of it restore the secret.
        threshold: u8,
        /// The share, sealed to the holder.
        share: Vec<u8>,
    },
    /// The issuer saw an entry at a time. Kept and passed on; nothing reads it yet.
    WitnessReceipt {
        /// The space.
        space: SpaceId,
        /// The entry.
        entry: EntryId,
        /// When, by the witness's clock.
        accepted_at: Timestamp,
    },
    /// What the issuer says of one of its devices: all of it, in place of what was said
    /// before.
    DeviceDescription {
        /// Which.
        device: DeviceId,
        /// What it is, and where.
        description: Description,
    },
    /// Documents of a space are gone for good, and stay out.
    DocumentPurge {
        /// The space.
        space: SpaceId,
        /// Which; at least one, at most [`PURGED_MAX`].
        documents: Vec<DocumentId>,
        /// Heads of the membership statements that the issuer knew.
        after: Vec<AttestationId>,
    },
    /// A kind that this version does not know: kept and passed on, never obeyed.
    Unknown {
        /// Its number.
        kind: u16,
        /// Its scope.
        scope: Scope,
        /// Its bytes.
        body: Vec<u8>,
    },
}

#[derive(Serialize, Deserialize)]
struct DeviceLinkBody(DeviceId, #[serde(with = "serde_bytes")] [u8; 32], String, Signature);
#[derive(Serialize, Deserialize)]
struct DeviceRevocationBody(
    DeviceId,
    #[serde(deserialize_with = "at_most::<PINS_MAX, _, _>")] Vec<DevicePin>,
);
#[derive(Serialize, Deserialize)]
struct ProfileBody(String);
#[derive(Serialize, Deserialize)]
struct RelationshipBody(AgentId, Option<Terms>);
#[derive(Serialize, Deserialize)]
struct VouchBody(AgentId, String);
#[derive(Serialize, Deserialize)]
struct CustodyBody(AgentId, SpaceId, CustodyStep, u64);
#[derive(Serialize, Deserialize)]
struct EconomicEventBody(AgentId, String, u64, String);
#[derive(Serialize, Deserialize)]
struct RecoveryShareBody(AgentId, #[serde(with = "serde_bytes")] [u8; 16], u8, ByteBuf);
#[derive(Serialize, Deserialize)]
struct DescriptionBody(DeviceId, Option<ClassCode>, Option<Label>, Option<Label>);

const KIND_DEVICE_LINK: u16 = 1;
const KIND_DEVICE_REVOCATION: u16 = 2;
const KIND_PROFILE: u16 = 3;
const KIND_RELATIONSHIP: u16 = 4;
const KIND_SPACE_FOUNDING: u16 = 5;
const KIND_SPACE_GRANT: u16 = 6;
const KIND_SPACE_REVOCATION: u16 = 7;
const KIND_SPACE_EPOCH: u16 = 8;
const KIND_VOUCH: u16 = 9;
const KIND_CUSTODY: u16 = 10;
const KIND_LOCATION: u16 = 11;
const KIND_ECONOMIC_EVENT: u16 = 12;
const KIND_RECOVERY_SHARE: u16 = 13;
const KIND_WITNESS_RECEIPT: u16 = 14;
const KIND_DEVICE_DESCRIPTION: u16 = 15;
const KIND_DOCUMENT_PURGE: u16 = 16;

impl Claim {
    /// In which chain of its issuer a claim stands.
    #[must_use]
    pub fn scope(&self, issuer: AgentId) -> Scope {
        match self {
            Self::DeviceLink { .. }
            | Self::DeviceRevocation { .. }
            | Self::Profile { .. }
            | Self::Vouch { .. }
            | Self::DeviceDescription { .. } => Scope(issuer.0),
            Self::Relationship { with: other, .. }
            | Self::Custody { with: other, .. }
            | Self::EconomicEvent { with: other, .. }
            | Self::RecoveryShare { holder: other, .. } => Scope(other.0),
            Self::SpaceFounding { .. } => Scope::FOUNDING,
            Self::SpaceGrant { space, .. }
            | Self::SpaceRevocation { space, .. }
            | Self::SpaceEpoch { space, .. }
            | Self::Location { space, .. }
            | Self::DocumentPurge { space, .. }
            | Self::WitnessReceipt { space, .. } => Scope(space.0),
            Self::Unknown { scope, .. } => *scope,
        }
    }

    pub(super) fn encode(&self) -> (u16, Vec<u8>) {
        match self {
            Self::DeviceLink { device, hpke, name, consent } => {
                let body = DeviceLinkBody(*device, *hpke, name.clone(), *consent);
                (KIND_DEVICE_LINK, cbor::encode(&body))
            }
            Self::DeviceRevocation { device, pins } => {
                let body = DeviceRevocationBody(*device, pins.clone());
                (KIND_DEVICE_REVOCATION, cbor::encode(&body))
            }
            Self::Profile { name } => (KIND_PROFILE, cbor::encode(&ProfileBody(name.clone()))),
            Self::Relationship { with, terms } => {
                (KIND_RELATIONSHIP, cbor::encode(&RelationshipBody(*with, terms.clone())))
            }
            Self::Vouch { subject, text } => {
                (KIND_VOUCH, cbor::encode(&VouchBody(*subject, text.clone())))
            }
            Self::SpaceFounding { nonce, reach, label, has_open_history } => {
                let label = ByteBuf::from(label.clone());
                let body = FoundingBody(*nonce, *reach, label, *has_open_history);
                (KIND_SPACE_FOUNDING, cbor::encode(&body))
            }
            Self::SpaceGrant { space, party, role, after } => {
                let body = GrantBody(*space, *party, *role, after.clone());
                (KIND_SPACE_GRANT, cbor::encode(&body))
            }
            Self::SpaceRevocation { space, party, pins, after } => {
                let body = RevocationBody(*space, *party, pins.clone(), after.clone());
                (KIND_SPACE_REVOCATION, cbor::encode(&body))
            }
            Self::SpaceEpoch { space, epoch, key, is_new, wraps, after } => {
                let (wraps, after) = (wraps.clone(), after.clone());
                let body = EpochBody(*space, *epoch, *key, *is_new, wraps, after);
                (KIND_SPACE_EPOCH, cbor::encode(&body))
            }
            Self::Location { space, collection, device, bytes } => {
                let body = LocationBody(*space, collection.clone(), *device, *bytes);
                (KIND_LOCATION, cbor::encode(&body))
            }
            Self::Custody { with, space, step, bytes } => {
                (KIND_CUSTODY, cbor::encode(&CustodyBody(*with, *space, *step, *bytes)))
            }
            Self::EconomicEvent { with, action, quantity, unit } => {
                let body = EconomicEventBody(*with, action.clone(), *quantity, unit.clone());
                (KIND_ECONOMIC_EVENT, cbor::encode(&body))
            }
            Self::RecoveryShare { holder, set, threshold, share } => {
                let share = ByteBuf::from(share.clone());
                let body = RecoveryShareBody(*holder, *set, *threshold, share);
                (KIND_RECOVERY_SHARE, cbor::encode(&body))
            }
            Self::WitnessReceipt { space, entry, accepted_at } => {
                let body = WitnessReceiptBody(*space, *entry, *accepted_at);
                (KIND_WITNESS_RECEIPT, cbor::encode(&body))
            }
            Self::DeviceDescription { device, description } => {
                let Description { class, site, region } = description.clone();
                let body = DescriptionBody(*device, class, site, region);
                (KIND_DEVICE_DESCRIPTION, cbor::encode(&body))
            }
            Self::DocumentPurge { space, documents, after } => {
                let body = PurgeBody(*space, documents.clone(), after.clone());
                (KIND_DOCUMENT_PURGE, cbor::encode(&body))
            }
            Self::Unknown { kind, body, .. } => (*kind, body.clone()),
        }
    }

    pub(super) fn decode(
        issuer: AgentId,
        scope: Scope,
        kind: u16,
        body: Body<'_>,
    ) -> Result<Self, AttestationError> {
        let claim = match kind {
            KIND_DEVICE_LINK => {
                let DeviceLinkBody(device, hpke, name, consent) = body.read()?;
                Self::DeviceLink { device, hpke, name: bounded(name, NAME_BYTES_MAX)?, consent }
            }
            KIND_DEVICE_REVOCATION => {
                let DeviceRevocationBody(device, pins) = body.read()?;
                Self::DeviceRevocation { device, pins }
            }
            KIND_PROFILE => {
                Self::Profile { name: bounded(body.read::<ProfileBody>()?.0, NAME_BYTES_MAX)? }
            }
            KIND_RELATIONSHIP => {
                let RelationshipBody(with, terms) = body.read()?;
                Self::Relationship { with, terms }
            }
            KIND_VOUCH => {
                let VouchBody(subject, text) = body.read()?;
                Self::Vouch { subject, text: bounded(text, NAME_BYTES_MAX)? }
            }
            KIND_CUSTODY => {
                let CustodyBody(with, space, step, bytes) = body.read()?;
                Self::Custody { with, space, step, bytes }
            }
            KIND_ECONOMIC_EVENT => {
                let EconomicEventBody(with, action, quantity, unit) = body.read()?;
                let (action, unit) =
                    (bounded(action, WORD_BYTES_MAX)?, bounded(unit, WORD_BYTES_MAX)?);
                Self::EconomicEvent { with, action, quantity, unit }
            }
            KIND_RECOVERY_SHARE => {
                let RecoveryShareBody(holder, set, threshold, share) = body.read()?;
                let share = bounded_bytes(share, SHARE_BYTES_MAX)?;
                Self::RecoveryShare { holder, set, threshold, share }
            }
            KIND_DEVICE_DESCRIPTION => body.read::<DescriptionBody>()?.into(),
            kind => match in_space::decode(kind, body)? {
                Some(claim) => claim,
                None => Self::Unknown { kind, scope, body: body.bytes.to_vec() },
            },
        };
        if claim.scope(issuer) == scope { Ok(claim) } else { Err(AttestationError::Claim) }
    }

    /// Whether a statement of this kind may end by itself. What others build upon may
    /// not: the end of one would take what came after it along.
    #[must_use]
    pub fn may_expire(&self) -> bool {
        match self {
            Self::Profile { .. }
            | Self::Relationship { .. }
            | Self::Vouch { .. }
            | Self::Location { .. }
            | Self::Custody { .. }
            | Self::EconomicEvent { .. }
            | Self::RecoveryShare { .. }
            | Self::WitnessReceipt { .. }
            | Self::DeviceDescription { .. }
            | Self::Unknown { .. } => true,
            Self::DeviceLink { .. }
            | Self::DeviceRevocation { .. }
            | Self::SpaceFounding { .. }
            | Self::SpaceGrant { .. }
            | Self::SpaceRevocation { .. }
            | Self::SpaceEpoch { .. }
            | Self::DocumentPurge { .. } => false,
        }
    }

    /// Checks what is signed inside a claim.
    pub(super) fn verify(&self, issuer: AgentId) -> Result<(), AttestationError> {
        if let Self::DeviceLink { device, consent, .. } = self {
            Verifier::new(&device.0)?.verify(Domain::DeviceLink, &issuer.0, consent)?;
        }
        Ok(())
    }
}

impl From<DescriptionBody> for Claim {
    fn from(DescriptionBody(device, class, site, region): DescriptionBody) -> Self {
        Self::DeviceDescription { device, description: Description { class, site, region } }
    }
}
