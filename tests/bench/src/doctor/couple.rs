//! Two that share a space: one is always a process, the other one may be a puppet.

use std::path::PathBuf;

use acceptance::{Home, until};
use serde_json::json;

use super::{inject::Misfortune, puppet::Puppet};
use crate::real::Member;

/// Room on the disk of a node that will be full: enough to start, little to fill.
const DISK: &str = "size=64m,mode=700";

/// The other one.
pub(super) enum Other {
    Process(Box<Member>),
    Puppet(Puppet),
}

/// Ada, who founded the space, and another one.
pub(super) struct Couple {
    pub(super) ada: Member,
    pub(super) other: Other,
    pub(super) space: String,
    /// Who connects the two, where they cannot dial each other.
    third: Option<Member>,
    /// Where Ada's own disk is mounted.
    disk: Option<PathBuf>,
}

impl Couple {
    /// Both run, are equal, and nothing is wrong.
    pub(super) async fn new(misfortune: Misfortune) -> Self {
        let home = Home::new();
        let disk = misfortune.needs_mounts().then(|| home.data_dir());
        if let Some(disk) = &disk {
            std::fs::create_dir(disk).expect("a folder can be made");
            let is_mounted = acceptance::mount(&["-t", "tmpfs", "-o", DISK, "tmpfs"], disk);
            assert!(is_mounted, "no tmpfs here: run it as unshare -rm, where that is permitted");
        }
        if misfortune.needs_circuit() {
            return Self::through_a_third().await;
        }
        let ada = Member::in_home("ada", home).await;
        let space = ada.found("album").await;
        let other = if misfortune.needs_puppet() {
            Other::Puppet(Puppet::new(&ada, &space).await)
        } else {
            let ben = Member::new("ben").await;
            ben.join(&ada, &space, "writer").await;
            Other::Process(Box::new(ben))
        };
        let couple = Self { ada, other, space, third: None, disk };
        couple.begun().await
    }

    /// Two that nobody can dial, and whom somebody else connects who has the space, too.
    async fn through_a_third() -> Self {
        let third = Member::new("carol").await;
        let space = third.found("album").await;
        let [ada, ben] = [Member::unreachable("ada").await, Member::unreachable("ben").await];
        for member in [&ada, &ben] {
            member.join(&third, &space, "writer").await;
        }
        let other = Other::Process(Box::new(ben));
        let couple = Self { ada, other, space, third: Some(third), disk: None };
        couple.begun().await
    }

    async fn begun(self) -> Self {
        self.ada.write(&self.space, json!({"title": "before"})).await;
        self.until_well().await;
        self
    }

    async fn until_well(&self) {
        // A puppet that does not speak yet is nobody to be equal with.
        if let Other::Process(ben) = &self.other {
            until("both to be well", async || {
                let is_well = self.ada.causes().await.is_empty() && ben.causes().await.is_empty();
                is_well.then_some(())
            })
            .await;
        }
    }

    /// The other one, as a process.
    pub(super) fn ben(&mut self) -> &mut Member {
        match &mut self.other {
            Other::Process(ben) => ben,
            Other::Puppet(_) => unreachable!("this misfortune has no puppet"),
        }
    }

    /// The other one's node id.
    pub(super) fn peer(&self) -> String {
        match &self.other {
            Other::Process(ben) => ben.node.clone(),
            Other::Puppet(puppet) => puppet.device().to_string(),
        }
    }

    /// Ends both.
    pub(super) async fn end(self) {
        let Self { mut ada, other, third, disk, .. } = self;
        ada.kill().await;
        drop((other, third));
        if let Some(disk) = disk {
            let unmount = tokio::process::Command::new("umount").arg(disk).status().await;
            assert!(unmount.is_ok_and(|status| status.success()), "it was mounted by us");
        }
    }
}
