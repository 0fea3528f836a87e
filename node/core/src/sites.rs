//! Requests about what devices are and where they stand.

use node_model::{DeviceId, Now};
use trust_core::{DeviceClass, TrustError, sites::BadLabel, sites::Label};

use crate::{
    failure::{Failure, FailureKind},
    node::Node,
    request::{ClusterDevice, ClusterInfo, DescriptionChange, Response},
};

impl Node {
    pub(crate) fn describe(
        &mut self,
        now: Now,
        device: DeviceId,
        change: &DescriptionChange,
    ) -> Result<Response, Failure> {
        let DescriptionChange { class, site, region } = change;
        let known = self.trust.graph().link(device, self.trust.agent());
        let mut said = known.ok_or(TrustError::NotOwnDevice(device))?.description.clone();
        if let Some(class) = class {
            said.class = one_or_none(class, class_of)?.map(DeviceClass::into);
        }
        if let Some(site) = site {
            said.site = one_or_none(site, place)?;
        }
        if let Some(region) = region {
            said.region = one_or_none(region, place)?;
        }
        self.trust.describe_device(now.wall, device, said)?;
        self.trust_changed(now);
        Ok(Response::Done)
    }

    pub(crate) fn clusters(&self) -> Vec<ClusterInfo> {
        let (own, graph) = (self.trust.device(), self.trust.graph());
        let clusters = graph.clusters(self.trust.agent()).into_iter().map(|cluster| {
            let nearness = cluster.devices.iter().map(|device| graph.nearness(own, *device));
            let nearness = nearness.min();
            let devices = cluster.devices.iter().filter_map(|device| {
                let facts = self.trust.link_of(*device)?;
                let is_connected = self.data.peer(*device).is_some_and(|peer| peer.is_connected);
                Some(ClusterDevice {
                    device: *device,
                    agent: facts.agent,
                    name: facts.name.clone(),
                    description: facts.description.clone(),
                    is_connected: is_connected || *device == own,
                })
            });
            ClusterInfo {
                devices: devices.collect(),
                nearness: nearness.unwrap_or(trust_core::Nearness::Elsewhere),
                site: cluster.site.map(String::from),
                region: cluster.region.map(String::from),
            }
        });
        clusters.collect()
    }
}

fn one_or_none<T>(
    text: &str,
    read: impl FnOnce(&str) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let text = text.trim();
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

fn class_of(text: &str) -> Result<DeviceClass, Failure> {
    text.parse().map_err(|_| {
        let words: Vec<&str> = DeviceClass::ALL.iter().map(|class| class.word()).collect();
        let message = format!("a device is one of these: {}", words.join(", "));
        Failure::new(FailureKind::Invalid, message, "kith device describe --help")
    })
}

fn place(text: &str) -> Result<Label, Failure> {
    text.parse().map_err(|error: BadLabel| {
        let fix = "kith device describe --help";
        Failure::new(FailureKind::Invalid, error.to_string(), fix)
    })
}
