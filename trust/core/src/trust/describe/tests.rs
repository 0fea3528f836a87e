use super::*;
use crate::{
    sites::{ClassCode, FailureDomain},
    trust::tests::{NOW, device, garden, meet},
    words::{DeviceClass, Role},
};

fn in_house(class: DeviceClass) -> Description {
    let site = Some("house".parse().expect("it is a label"));
    Description { class: Some(class.into()), site, region: None }
}

#[test]
fn whoever_shares_a_space_learns_where_a_device_stands() {
    let ([mut ada, mut bo, ..], _) = garden([Role::Reader; 3]);
    let mut eve = device(5, 0);
    let rack = ada.device();
    ada.describe_device(NOW, rack, in_house(DeviceClass::HomeRack)).expect("it is hers");
    meet(&mut [&mut ada, &mut bo]);
    let at_bo = |bo: &Trust| bo.graph().devices[&rack].description.clone();
    assert_eq!(at_bo(&bo), in_house(DeviceClass::HomeRack));
    assert_eq!(bo.graph().failure_domain(rack), FailureDomain::Site("house".to_owned()));
    assert_eq!(bo.visible_to(eve.agent()).iter().filter(|id| is_of(&bo, **id, &ada)).count(), 0);
    eve.describe_device(NOW, rack, Description::default()).expect_err("it is not Eve's");
}

fn is_of(trust: &Trust, id: node_model::AttestationId, issuer: &Trust) -> bool {
    trust.attestation(id).is_some_and(|said| said.issuer == issuer.agent())
}

#[test]
fn each_device_of_an_agent_may_describe_all_of_them() {
    let (mut laptop, mut phone) = (device(1, 0), device(1, 1));
    meet(&mut [&mut laptop, &mut phone]);
    laptop.describe_device(NOW, phone.device(), in_house(DeviceClass::Phone)).expect("it may");
    meet(&mut [&mut laptop, &mut phone]);
    let count = phone.attestation_count();
    phone.describe_device(NOW, phone.device(), in_house(DeviceClass::Phone)).expect("it may");
    assert_eq!(phone.attestation_count(), count, "what is said already is not said again");
    phone.describe_device(NOW, phone.device(), in_house(DeviceClass::Desktop)).expect("it may");
    meet(&mut [&mut laptop, &mut phone]);
    let known = &laptop.graph().devices[&phone.device()].description;
    assert_eq!(known.class, Some(ClassCode::from(DeviceClass::Desktop)));
    let nobody = DeviceId([9; 32]);
    let refused = phone.describe_device(NOW, nobody, in_house(DeviceClass::Phone));
    assert!(matches!(refused, Err(TrustError::NotOwnDevice(_))));
}
