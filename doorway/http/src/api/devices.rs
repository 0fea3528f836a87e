//! What devices are, where they stand, and which are near each other.

use axum::{Json, extract::State};
use node_core::{
    Request,
    request::{ClusterInfo, Description, DescriptionChange, DeviceInfo},
};
use node_model::DeviceId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, Done, parse};
use crate::{
    ask,
    audit::{self, Thing},
    config::App,
    extract::{JsonBody, Params},
};

/// What an agent says of a device, as its own fields in several answers.
pub(crate) struct Place {
    pub(crate) class: Option<&'static str>,
    pub(crate) site: Option<String>,
    pub(crate) region: Option<String>,
}

impl From<Description> for Place {
    fn from(description: Description) -> Self {
        let Description { class, site, region } = description;
        Self {
            class: class.map(|class| class.word()),
            site: site.map(String::from),
            region: region.map(String::from),
        }
    }
}

/// A device, and what its agent says of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Described {
    device: String,
    class: Option<&'static str>,
    site: Option<String>,
    region: Option<String>,
}

impl From<(DeviceId, Description)> for Described {
    fn from((device, description): (DeviceId, Description)) -> Self {
        let Place { class, site, region } = description.into();
        Self { device: device.to_string(), class, site, region }
    }
}

/// One of our devices.
#[derive(Serialize, ToSchema)]
pub(crate) struct Device {
    device: String,
    name: String,
    /// `phone`, `laptop`, `desktop`, `home-rack`, `regional-rack` or `doorway`;
    /// `unknown` if a later version said it.
    class: Option<&'static str>,
    /// Where it stands: what it would be lost with.
    site: Option<String>,
    /// What it is near to.
    region: Option<String>,
    /// Whether it is this one.
    this: bool,
    /// Whether it was taken back.
    revoked: bool,
}

impl From<DeviceInfo> for Device {
    fn from(info: DeviceInfo) -> Self {
        let Place { class, site, region } = info.description.into();
        Self {
            device: info.device.to_string(),
            name: info.name,
            class,
            site,
            region,
            this: info.is_this,
            revoked: info.is_revoked,
        }
    }
}

/// Our devices.
#[derive(Serialize, ToSchema)]
pub(crate) struct Devices {
    devices: Vec<Device>,
}

/// Which devices are ours?
#[utoipa::path(get, path = "/api/v1/devices", responses((status = 200, body = Devices, description = "Devices")))]
pub(crate) async fn list(State(app): State<App>) -> Answer<Devices> {
    let devices = ask::devices(&app.handle).await?.into_iter().map(Device::from);
    Ok(Json(Devices { devices: devices.collect() }))
}

/// What to say of a device. What is left out stays as it was; an empty text is said no
/// more.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewDescription {
    /// `phone`, `laptop`, `desktop`, `home-rack`, `regional-rack` or `doorway`.
    class: Option<String>,
    /// Where it stands: a house, an office. Devices in one site are lost together.
    site: Option<String>,
    /// What it is near to: a town, a valley.
    region: Option<String>,
}

/// Say what one of our devices is, and where it stands.
#[utoipa::path(patch, path = "/api/v1/devices/{device}", request_body = NewDescription, responses((status = 200, body = Device, description = "Said")))]
pub(crate) async fn describe(
    State(app): State<App>,
    Params(device): Params<String>,
    JsonBody(new): JsonBody<NewDescription>,
) -> Answer<Device> {
    let device: DeviceId = parse("device", &device)?;
    audit::concerns(Thing::Device(device));
    let NewDescription { class, site, region } = new;
    let change = DescriptionChange { class, site, region };
    ask::done(&app.handle, Request::DescribeDevice { device, change }).await?;
    let devices = ask::devices(&app.handle).await?;
    let said = devices.into_iter().find(|info| info.device == device);
    Ok(Json(said.ok_or_else(ask::unexpected)?.into()))
}

/// Take back one of our devices.
#[utoipa::path(delete, path = "/api/v1/devices/{device}", responses((status = 200, body = Done, description = "Taken back")))]
pub(crate) async fn revoke(State(app): State<App>, Params(device): Params<String>) -> Answer<Done> {
    let device: DeviceId = parse("device", &device)?;
    audit::concerns(Thing::Device(device));
    ask::done(&app.handle, Request::RevokeDevice { device }).await?;
    Ok(Done::YES)
}

/// A device in a place.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClusterDevice {
    device: String,
    agent: String,
    name: String,
    class: Option<&'static str>,
    /// Whether it is connected with this node, or is this node.
    connected: bool,
}

/// Devices in one place: ours, and those of people whom we are related to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Cluster {
    /// Where they stand; null for those of which only the region is known.
    site: Option<String>,
    region: Option<String>,
    /// How near this node is: `same-site` (the local cluster), `same-region` (the regional
    /// one) or `elsewhere`.
    nearness: &'static str,
    devices: Vec<ClusterDevice>,
}

impl From<ClusterInfo> for Cluster {
    fn from(info: ClusterInfo) -> Self {
        let devices = info.devices.into_iter().map(|device| ClusterDevice {
            device: device.device.to_string(),
            agent: device.agent.to_string(),
            name: device.name,
            class: Place::from(device.description).class,
            connected: device.is_connected,
        });
        Self {
            site: info.site,
            region: info.region,
            nearness: info.nearness.word(),
            devices: devices.collect(),
        }
    }
}

/// Places.
#[derive(Serialize, ToSchema)]
pub(crate) struct Clusters {
    clusters: Vec<Cluster>,
}

/// Who stands where?
#[utoipa::path(get, path = "/api/v1/clusters", responses((status = 200, body = Clusters, description = "Places, and the devices in them")))]
pub(crate) async fn clusters(State(app): State<App>) -> Answer<Clusters> {
    let clusters = ask::clusters(&app.handle).await?.into_iter().map(Cluster::from);
    Ok(Json(Clusters { clusters: clusters.collect() }))
}
