use node_model::Timestamp;

use super::*;
use crate::{
    attestation::{Attestation, Claim, Terms},
    tests_people::Person,
    words::Layer,
};

fn label(text: &str) -> Label {
    text.parse().expect("it is one")
}

fn said(site: &str, region: &str) -> Description {
    let named = |text: &str| (!text.is_empty()).then(|| label(text));
    Description {
        class: Some(DeviceClass::HomeRack.into()),
        site: named(site),
        region: named(region),
    }
}

fn describe(person: &mut Person, device: DeviceId, site: &str, region: &str) -> Attestation {
    person.say(Claim::DeviceDescription { device, description: said(site, region) })
}

fn relate(person: &mut Person, with: &Person) -> Attestation {
    let terms = Some(Terms::of(Layer::Reciprocal));
    person.say(Claim::Relationship { with: with.agent(), terms })
}

fn graph(all: &[Attestation]) -> Graph {
    Graph::derive(all.iter(), Timestamp(1_000))
}

/// Ada and Bo are related, Cy is a stranger; all are linked.
fn village() -> ([Person; 3], Vec<Attestation>) {
    let [mut ada, mut bo, mut cy] = [1, 2, 3].map(Person::new);
    let mut all = vec![ada.link(), bo.link(), cy.link()];
    all.extend([relate(&mut ada, &bo), relate(&mut bo, &ada)]);
    ([ada, bo, cy], all)
}

#[test]
fn a_label_is_one_short_line_that_can_be_printed() {
    let longest = "é".repeat(LABEL_BYTES_MAX / 2);
    for good in ["house", "  Elm street 7 ", "दुकान", "🏠", "خانه\u{200c}ها", longest.as_str()]
    {
        assert_eq!(label(good).text(), good.trim());
    }
    let too_long = format!("{longest}x");
    for bad in [
        "",
        "   ",
        "\u{200d}",
        "\u{fe0f} ",
        "two\nlines",
        "\u{1b}[31mred",
        "nul\0",
        "\u{9b}31m",
        "\u{202e}esuoh",
        "a\u{2066}b",
        "hou\u{200b}se",
        "\u{feff}house",
        "a\u{2028}b",
        too_long.as_str(),
    ] {
        assert_eq!(bad.parse::<Label>(), Err(BadLabel), "{bad:?}");
    }
}

#[test]
fn case_spaces_and_what_cannot_be_seen_make_no_other_place() {
    for same in ["House", " house", "HOUSE  ", "hou\u{200d}se", "house\u{fe0f}", "\u{3000}house"] {
        let read = Label::try_from(same.to_owned()).expect("it is one");
        assert_eq!(read.meaning(), label("house").meaning(), "{same:?}");
    }
    assert_eq!(label("Elm  street\u{a0}7").meaning(), label("elm street 7").meaning());
    assert_ne!(label("house 1").meaning(), label("house 2").meaning());
}

#[test]
fn devices_without_a_site_are_one_domain_for_each_person() {
    let ([mut ada, bo, cy], mut all) = village();
    all.push(describe(&mut ada, bo.id(), "house", ""));
    let empty = graph(&all);
    let domains: BTreeSet<FailureDomain> =
        [&ada, &bo, &cy].map(|it| empty.failure_domain(it.id())).into();
    assert_eq!(domains.len(), 3, "what Ada says of a device of Bo is nothing");
    assert_eq!(empty.failure_domain(DeviceId([9; 32])), FailureDomain::Somewhere(None));
}

#[test]
fn equal_sites_are_one_domain_whoever_names_them() {
    let ([mut ada, mut bo, mut cy], mut all) = village();
    let ids = [ada.id(), bo.id(), cy.id()];
    all.push(describe(&mut ada, ids[0], "House", "valley"));
    all.push(describe(&mut bo, ids[1], " house ", ""));
    all.push(describe(&mut cy, ids[2], "hou\u{200d}se", ""));
    let graph = graph(&all);
    let domains: BTreeSet<FailureDomain> = ids.map(|id| graph.failure_domain(id)).into();
    assert_eq!(domains, [FailureDomain::Site("house".to_owned())].into());
}

#[test]
fn the_last_description_holds_in_any_order_and_may_be_taken_back() {
    let ([mut ada, ..], mut all) = village();
    let id = ada.id();
    all.push(describe(&mut ada, id, "house", "valley"));
    all.push(describe(&mut ada, id, "office", ""));
    for _ in 0..2 {
        let domain = FailureDomain::Site("office".to_owned());
        assert_eq!(graph(&all).failure_domain(id), domain);
        assert_eq!(graph(&all).devices[&id].description.region, None);
        all.reverse();
    }
    let nothing = Claim::DeviceDescription { device: id, description: Description::default() };
    all.push(ada.say(nothing));
    let domain = FailureDomain::Somewhere(Some(ada.agent()));
    assert_eq!(graph(&all).failure_domain(id), domain);
}

#[test]
fn near_are_only_devices_of_one_agent_and_of_related_ones() {
    let ([mut ada, mut bo, mut cy], mut all) = village();
    let ids = [ada.id(), bo.id(), cy.id()];
    let nearness = |all: &[Attestation]| {
        let graph = graph(all);
        [ids[1], ids[2]].map(|there| graph.nearness(ids[0], there))
    };
    assert_eq!(nearness(&all), [Nearness::Elsewhere; 2]);
    all.push(describe(&mut ada, ids[0], "house", "valley"));
    all.push(describe(&mut bo, ids[1], "mill", "Valley"));
    all.push(describe(&mut cy, ids[2], "house", "valley"));
    assert_eq!(nearness(&all), [Nearness::SameRegion, Nearness::Elsewhere]);
    all.push(describe(&mut bo, ids[1], "house", ""));
    assert_eq!(nearness(&all), [Nearness::SameSite, Nearness::Elsewhere]);
    all.push(bo.say(Claim::Relationship { with: ada.agent(), terms: None }));
    assert_eq!(nearness(&all), [Nearness::Elsewhere; 2]);
    assert_eq!(graph(&all).nearness(ids[0], ids[0]), Nearness::SameSite);
}

#[test]
fn clusters_hold_who_names_a_place_ours_first() {
    let ([mut ada, mut bo, mut cy], mut all) = village();
    let ids = [ada.id(), bo.id(), cy.id()];
    assert_eq!(graph(&all).clusters(ada.agent()), []);
    all.push(describe(&mut bo, ids[1], "HOUSE", "hill"));
    all.push(describe(&mut cy, ids[2], "house", "sea"));
    all.push(describe(&mut ada, ids[0], "house", "valley"));
    let one = Cluster {
        site: Some(label("house")),
        region: Some(label("valley")),
        devices: vec![ids[0], ids[1]],
    };
    assert_eq!(graph(&all).clusters(ada.agent()), [one]);
    all.push(describe(&mut ada, ids[0], "", "Hill"));
    let (hill, house) = (Some(label("Hill")), Some(label("HOUSE")));
    let region = Cluster { site: None, region: hill, devices: vec![ids[0]] };
    let site = Cluster { site: house, region: Some(label("hill")), devices: vec![ids[1]] };
    assert_eq!(graph(&all).clusters(ada.agent()), [region, site]);
    assert_eq!(graph(&all).nearness(ids[0], ids[1]), Nearness::SameRegion);
}

#[test]
fn a_class_of_a_later_version_is_kept() {
    let ([mut ada, ..], mut all) = village();
    let class = Some(ClassCode(200));
    let description = Description { class, ..said("house", "") };
    all.push(ada.say(Claim::DeviceDescription { device: ada.id(), description }));
    let read = all.iter().map(|it| Attestation::read(it.bytes()).expect("it is good"));
    let graph = graph(&read.collect::<Vec<_>>());
    let kept = &graph.devices[&ada.id()].description;
    assert_eq!((kept.class, class.map(ClassCode::word)), (class, Some("unknown")));
    assert_eq!(kept.in_words(), "is of a class that this version does not know, stands in “house”");
}
