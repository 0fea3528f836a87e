use trust_core::sites::FailureDomain;

use super::*;
use crate::request::{ClusterInfo, DescriptionChange, Nearness, PeerInfo};

impl Company {
    fn describe(&mut self, at: usize, site: &str, region: &str) -> Result<Response, Failure> {
        let change = DescriptionChange {
            class: Some("home-rack".into()),
            site: Some(site.into()),
            region: Some(region.into()),
        };
        let device = self.devices[at];
        self.ask(at, Request::DescribeDevice { device, change })
    }

    fn clusters(&mut self, at: usize) -> Vec<ClusterInfo> {
        let Ok(Response::Clusters(clusters)) = self.ask(at, Request::Clusters) else {
            panic!("no clusters");
        };
        clusters
    }

    fn peer(&mut self, at: usize, of: usize) -> PeerInfo {
        let Ok(Response::Peers(peers)) = self.ask(at, Request::Peers) else {
            panic!("no peers");
        };
        let device = self.devices[of];
        peers.into_iter().find(|peer| peer.device == device).expect("they know each other")
    }
}

#[test]
fn two_nodes_learn_where_the_other_stands() {
    let mut company = Company::new(2);
    let ticket = company.ticket(0, None);
    company.accept(1, ticket).expect("they relate");
    assert!(company.clusters(0).is_empty(), "nobody said anything");

    company.describe(0, "House", "valley").expect("it is theirs");
    company.describe(1, " house ", "").expect("it is theirs");
    for (at, other) in [(0, 1), (1, 0)] {
        let shown = company.peer(at, other).description;
        assert_eq!(shown.class.map(|class| class.word()), Some("home-rack"));
        let clusters = company.clusters(at);
        let [one] = clusters.as_slice() else { panic!("one place: {clusters:?}") };
        assert_eq!((one.nearness, one.region.as_deref()), (Nearness::SameSite, Some("valley")));
        assert!(one.devices.iter().all(|device| device.is_connected));
        let devices: BTreeSet<DeviceId> = one.devices.iter().map(|it| it.device).collect();
        assert_eq!(devices, company.devices.iter().copied().collect());
        let graph = company.nodes[at].trust().graph();
        let house = FailureDomain::Site("house".to_owned());
        assert!(devices.iter().all(|device| graph.failure_domain(*device) == house));
    }
    company.describe(1, "mill", "Valley").expect("it is theirs");
    let places: Vec<_> = company.clusters(0).into_iter().map(|it| (it.site, it.nearness)).collect();
    let place = |site: &str, nearness| (Some(site.to_owned()), nearness);
    assert_eq!(places, [place("House", Nearness::SameSite), place("mill", Nearness::SameRegion)]);
}

#[test]
fn near_is_who_is_related_and_names_the_same_place() {
    let mut company = Company::new(3);
    let space = company.space(0);
    for guest in [1, 2] {
        let ticket = company.ticket(0, Some(space));
        company.accept(guest, ticket).expect("joins the space");
    }
    for (at, site) in [(0, "house"), (1, "mill"), (2, "mill")] {
        company.describe(at, site, "").expect("it is theirs");
    }
    // Near is whoever is related, not whoever says the same.
    let related = |company: &Company| {
        [0, 2].map(|other| company.nodes[1].shares[&company.devices[other]].nearness)
    };
    assert_eq!(related(&company), [data_plane_core::plane::Nearness::Elsewhere; 2]);
    let ticket = company.ticket(2, None);
    company.accept(1, ticket).expect("they relate");
    let [elsewhere, near] = related(&company);
    assert!(near < elsewhere, "{near:?} {elsewhere:?}");
}

#[test]
fn only_ones_own_devices_are_described() {
    let mut company = Company::new(2);
    let ticket = company.ticket(0, None);
    company.accept(1, ticket).expect("they relate");
    let device = company.devices[1];
    let change = DescriptionChange { site: Some("house".into()), ..DescriptionChange::default() };
    let refused = company.ask(0, Request::DescribeDevice { device, change });
    assert_eq!(refused.expect_err("it is theirs").kind, FailureKind::NotFound);
    let refused = company.describe(0, "a\u{7}b", "").expect_err("it rings the bell");
    assert_eq!(refused.kind, FailureKind::Invalid);
    assert!(company.clusters(0).is_empty() && company.clusters(1).is_empty());
}
