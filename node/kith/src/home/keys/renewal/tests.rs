use std::time::Duration;

use node_core::{Request, Response, request::Identity};
use node_runtime::{Indexing, Network, StartConfig, start};

use super::*;
use crate::home::keys::load_or_create;

struct Place {
    _folder: tempfile::TempDir,
    home: Home,
}

/// What a node says of itself that was started on the directory as it is.
async fn look(home: &Home) -> (Identity, Vec<(DeviceId, bool)>, usize) {
    let (keys, _) = load_or_create(home, KeySeal::Plain).expect("opens");
    let started = start(StartConfig {
        data_dir: home.root().to_owned(),
        keys,
        agent_name: "Ada".into(),
        device_name: "laptop".into(),
        sync_interval: Duration::from_secs(1_800),
        network: Network::None,
        indexing: Indexing::WhenAsked,
    });
    let started = started.await.expect("starts");
    let ask = |request| started.handle.request(request);
    let Ok(Response::Identity(identity)) = ask(Request::Identity).await else {
        panic!("no answer")
    };
    let Ok(Response::Devices(devices)) = ask(Request::Devices).await else { panic!("no answer") };
    let Ok(Response::Spaces(spaces)) = ask(Request::Spaces).await else { panic!("no answer") };
    let devices = devices.into_iter().map(|it| (it.device, it.is_revoked)).collect();
    let seen = (identity, devices, spaces.len());
    started.stop().await;
    seen
}

async fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home { root: folder.path().to_owned() };
    look(&home).await;
    Place { _folder: folder, home }
}

fn read(home: &Home) -> (Secrets, Lock) {
    let bytes = fs::read(home.keys()).expect("is there");
    open(home, &bytes, &KeySeal::Plain).expect("opens")
}

#[tokio::test]
async fn a_device_takes_new_keys_and_takes_back_the_old_ones() {
    let Place { _folder, home } = place().await;
    let (before, _, spaces) = look(&home).await;
    let (old, new) = renew(&home, &KeySeal::Plain).expect("has the root");
    assert_eq!(old, before.device);
    let (after, devices, spaces_after) = look(&home).await;
    assert_eq!((after.device, after.agent), (new, before.agent));
    assert_eq!((after.name, after.device_name), (before.name, before.device_name));
    assert_eq!(spaces_after, spaces);
    let expected = std::collections::BTreeSet::from([(old, true), (new, false)]);
    assert_eq!(devices.into_iter().collect::<std::collections::BTreeSet<_>>(), expected);
    let again = renew(&home, &KeySeal::Plain).expect("has the root");
    assert_eq!(again.0, new, "as often as one likes");
    assert_eq!(look(&home).await.1.len(), 3);
}

/// As it is when the process ends after each of the steps.
#[tokio::test]
async fn what_was_begun_opens_and_is_finished() {
    // After the first: the old keys, and running it again takes those that were drawn.
    let Place { _folder, home } = place().await;
    let (mut secrets, lock) = read(&home);
    let old = secrets.keys().expect("good").device.device();
    let secret = |number: u8| BASE64.encode(&[number; 32]);
    secrets.next = Some((secret(70), secret(71)));
    let drawn = secrets.next().expect("good").device.device();
    write(&home, &secrets, &lock).expect("writes");
    assert_eq!(look(&home).await.0.device, old);
    assert_eq!(renew(&home, &KeySeal::Plain).expect("goes on"), (old, drawn));
    assert_eq!(look(&home).await.0.device, drawn);

    // After the second: the new keys, without running it again.
    let Place { _folder, home } = place().await;
    let (mut secrets, lock) = read(&home);
    let keys = secrets.keys().expect("good");
    let old = keys.device.device();
    secrets.next = Some((secret(72), secret(73)));
    let next = secrets.next().expect("good");
    write(&home, &secrets, &lock).expect("writes");
    hand_over(home.root(), keys, &next).expect("has the root");
    let (identity, devices, _) = look(&home).await;
    assert_eq!(identity.device, next.device.device());
    assert!(devices.contains(&(old, true)), "{devices:?}");
    assert!(read(&home).0.next.is_none(), "it is done");

    // After the third it is done once more.
    let Place { _folder, home } = place().await;
    let (mut secrets, lock) = read(&home);
    let keys = secrets.keys().expect("good");
    secrets.next = Some((secret(74), secret(75)));
    let next = secrets.next().expect("good");
    write(&home, &secrets, &lock).expect("writes");
    hand_over(home.root(), keys, &next).expect("has the root");
    hand_over_rest(home.root(), &secrets.keys().expect("good"), &next).expect("writes");
    assert_eq!(look(&home).await.0.device, next.device.device());

    // Running it again finishes it, and does not begin another one.
    let Place { _folder, home } = place().await;
    let (mut secrets, lock) = read(&home);
    let keys = secrets.keys().expect("good");
    let old = keys.device.device();
    secrets.next = Some((secret(76), secret(77)));
    let next = secrets.next().expect("good");
    write(&home, &secrets, &lock).expect("writes");
    hand_over(home.root(), keys, &next).expect("has the root");
    assert_eq!(renew(&home, &KeySeal::Plain).expect("goes on"), (old, next.device.device()));
}
