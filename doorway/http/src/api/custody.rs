//! Who holds what: `GET /api/v1/custody`.

use axum::{Json, extract::State};
use node_core::request::{CustodyInfo, HolderInfo, Layer, LocationInfo, SignedInfo};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Answer, devices::Place};
use crate::{ask, config::App, extract::Search};

/// What to look at; everything, if nothing is said.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only this space: its id, a unique beginning of it, or its name.
    space: Option<String>,
}

/// For what of a space a device signed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Signed {
    /// How many of the entries that this node keeps.
    entries: u64,
    /// When, by its clock.
    at: String,
}

impl From<SignedInfo> for Signed {
    fn from(SignedInfo { entries, at }: SignedInfo) -> Self {
        Self { entries, at: at.rfc3339() }
    }
}

/// What a device announced to hold of a space.
#[derive(Serialize, ToSchema)]
pub(crate) struct Announced {
    /// Entries and files.
    bytes: u64,
    until: Option<String>,
}

impl From<LocationInfo> for Announced {
    fn from(LocationInfo { bytes, expires_at }: LocationInfo) -> Self {
        Self { bytes, until: expires_at.map(|at| at.rfc3339()) }
    }
}

/// A device that may hold a space, and what is known of what it holds.
#[derive(Serialize, ToSchema)]
pub(crate) struct Holder {
    device: String,
    device_name: String,
    agent: String,
    name: String,
    /// What its agent says of it, as in the list of devices.
    class: Option<&'static str>,
    site: Option<String>,
    region: Option<String>,
    /// Whether it is this one.
    this: bool,
    /// `custodian`, `reader`, `writer` or `admin`.
    role: &'static str,
    /// Whether they are no member, and keep a sealed copy for the founder by their relationship.
    keeper: bool,
    /// The layer of the relationship, if there is one.
    relation: Option<&'static str>,
    /// How urgent it is to serve them.
    priority: Option<&'static str>,
    /// `same-site`, `same-region` or `elsewhere`.
    nearness: &'static str,
    /// Whether it is connected with this node, or is this node.
    connected: bool,
    /// Whether both said since they connected that they hold the same of the space.
    equal: bool,
    /// `null` where it signed for nothing yet.
    signed: Option<Signed>,
    /// `null` where it announced nothing, or not lately.
    announced: Option<Announced>,
    /// When both last confirmed that everything shared is equal.
    last_sync: Option<String>,
    addresses: Vec<String>,
}

impl From<HolderInfo> for Holder {
    fn from(info: HolderInfo) -> Self {
        let Place { class, site, region } = info.description.into();
        Self {
            device: info.device.to_string(),
            device_name: info.device_name,
            agent: info.agent.to_string(),
            name: info.name,
            class,
            site,
            region,
            this: info.is_this,
            role: info.role.word(),
            keeper: info.is_keeper,
            relation: info.layer.map(|layer| layer.word()),
            priority: info.layer.map(Layer::priority),
            nearness: info.nearness.word(),
            connected: info.is_connected,
            equal: info.is_equal,
            signed: info.signed.map(Signed::from),
            announced: info.location.map(Announced::from),
            last_sync: info.last_sync.map(|at| at.rfc3339()),
            addresses: info.addresses,
        }
    }
}

/// A space, and who holds it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Held {
    space: String,
    name: String,
    /// Who founded it.
    founder: String,
    /// Entries that this node keeps of it.
    entries: u64,
    /// Those of them for which nobody else signed: they would be lost with this device.
    only_here: u64,
    /// Places beside that of this device where all of them are. What would be lost together
    /// is one place: what stands in one site, or all devices of a person of which no site is
    /// known.
    places: usize,
    /// What would be left without this device, in words.
    words: String,
    /// Every device that may hold it: this one, then who is connected, who is near, who is
    /// close. Files are not signed for.
    holders: Vec<Holder>,
}

/// What would be left of a space without this device.
pub(crate) fn words(info: &CustodyInfo) -> String {
    let CustodyInfo { entries, only_here, places, .. } = info;
    match (entries, places) {
        (0, _) => "empty".to_owned(),
        (_, 1) => "all of it is in one other place".to_owned(),
        (_, 2..) => format!("all of it is in {places} other places"),
        (_, 0) if only_here == entries => "only on this device".to_owned(),
        (_, 0) if *only_here > 0 => {
            format!("{only_here} of {entries} entries are only on this device")
        }
        (_, 0) => "all of it is on other devices, but no other place is known to have all of it"
            .to_owned(),
    }
}

impl From<CustodyInfo> for Held {
    fn from(info: CustodyInfo) -> Self {
        Self {
            words: words(&info),
            space: info.info.space.to_string(),
            name: info.info.name,
            founder: info.founder,
            entries: info.entries,
            only_here: info.only_here,
            places: info.places,
            holders: info.holders.into_iter().map(Holder::from).collect(),
        }
    }
}

/// Who holds what.
#[derive(Serialize, ToSchema)]
pub(crate) struct Custody {
    spaces: Vec<Held>,
}

/// Who holds which space, where, and since when is that known?
#[utoipa::path(get, path = "/api/v1/custody", params(Wanted), responses((status = 200, body = Custody, description = "Spaces, and who holds them")))]
pub(crate) async fn list(
    State(app): State<App>,
    Search(Wanted { space }): Search<Wanted>,
) -> Answer<Custody> {
    let space = match space {
        Some(text) => Some(ask::space(&app.handle, &text).await?.space),
        None => None,
    };
    let spaces = ask::custody(&app.handle, space).await?;
    Ok(Json(Custody { spaces: spaces.into_iter().map(Held::from).collect() }))
}
