//! What this node says of its agent's devices.

use node_model::{DeviceId, Timestamp};

use super::{Trust, TrustError};
use crate::{attestation::Claim, sites::Description};

impl Trust {
    /// Says what one of our devices is and where it stands, in place of what was said of
    /// it before. Any of our devices may say it of any other.
    ///
    /// # Errors
    /// [`TrustError::NotOwnDevice`], [`TrustError::Ledger`].
    pub fn describe_device(
        &mut self,
        now: Timestamp,
        device: DeviceId,
        description: Description,
    ) -> Result<(), TrustError> {
        let known = self.graph.link(device, self.agent()).filter(|own| own.revoked.is_none());
        let known = known.ok_or(TrustError::NotOwnDevice(device))?;
        if known.description == description {
            return Ok(());
        }
        self.say_now(now, Claim::DeviceDescription { device, description })
    }
}

#[cfg(test)]
mod tests;
