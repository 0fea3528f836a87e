//! The spaces of this node: what it is in, what it keeps for others, and which is its own.

use node_model::{AttestationId, DeviceId, Entropy, SpaceId, Timestamp, cbor};

use super::{Trust, TrustError, label::LABEL_BINDING};
use crate::{
    keyring::Standing,
    words::{Reach, Role},
};

/// Name of the note that remembers the person's own space.
const HOME_NOTE: &str = "home-space";

/// What the person's own space is called.
const HOME_NAME: &str = "Private";

impl Trust {
    /// Our role in a space that we are in.
    #[must_use]
    pub fn role_in(&self, space: SpaceId) -> Option<Role> {
        Some(self.graph.spaces.get(&space)?.members.get(&self.agent())?.role)
    }

    /// Our role in a space, where we keep it for its founder, too.
    #[must_use]
    pub fn standing_in(&self, space: SpaceId) -> Option<Role> {
        self.role_in(space).or_else(|| self.is_keeper(space).then_some(Role::Custodian))
    }

    /// Whether we are in a space only to keep it for its founder.
    #[must_use]
    pub fn is_keeper(&self, space: SpaceId) -> bool {
        self.graph.keeper(space, self.agent()).is_some()
    }

    /// Whether a device is of somebody who keeps a space for its founder.
    #[must_use]
    pub fn is_kept_on(&self, space: SpaceId, device: DeviceId) -> bool {
        self.graph.agents_of(device).any(|agent| self.graph.keeper(space, agent).is_some())
    }

    /// Spaces that we are a member of, or were: what we received stays ours to read. And those
    /// that we keep for others.
    pub fn spaces(&self) -> impl Iterator<Item = SpaceId> {
        let me = self.agent();
        self.graph
            .spaces
            .iter()
            .filter(move |(id, space)| {
                space.members.contains_key(&me)
                    || self.keyring.epochs(**id).next().is_some()
                    || self.is_keeper(**id)
            })
            .map(|(id, _)| *id)
    }

    /// The person's own space, for progress and notes.
    #[must_use]
    pub fn home_space(&self) -> Option<SpaceId> {
        let noted = self.note(HOME_NOTE);
        // A linked device has none of its own: it takes the agent's first. And so does one that
        // came back by the recovery phrase, once it hears of the one before.
        if noted.is_some() && !self.is_restored() {
            return noted;
        }
        let founded_at = |space: &SpaceId| {
            let founding = self.attestations.get(&AttestationId(space.0));
            (founding.map(|founding| founding.issued_at), *space)
        };
        let first = self.spaces().filter(|space| self.is_home(*space)).min_by_key(founded_at);
        first.or(noted)
    }

    fn is_home(&self, space: SpaceId) -> bool {
        let is_own = self.graph.spaces.get(&space).is_some_and(|facts| {
            facts.founder == self.agent()
                && facts.reach == Reach::Private
                && facts.members.len() == 1
        });
        is_own && self.label_of(space).as_deref() == Some(HOME_NAME)
    }

    /// Makes the person's own space, where there is none.
    pub(super) fn found_home(
        &mut self,
        entropy: &mut Entropy,
        now: Timestamp,
    ) -> Result<(), TrustError> {
        let me = self.agent();
        // Whoever comes back has one, and those who keep it will tell.
        let comes_back =
            self.is_restored() && self.attestations.values().all(|said| said.issuer == me);
        if self.keys.root().is_some() && !comes_back && self.home_space().is_none() {
            let label = (LABEL_BINDING, HOME_NAME);
            let (home, drafts) = self.draft_space(entropy, now, label, Reach::Private, true);
            self.commit(drafts, &[(HOME_NOTE.to_owned(), cbor::encode(&home))], now)?;
        }
        Ok(())
    }

    pub(super) fn is_restored(&self) -> bool {
        matches!(self.keys.standing, Standing::Root { is_restored: true, .. })
    }
}
