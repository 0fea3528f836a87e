//! A folder that is kept up to date, while it hangs and afterwards.

use acceptance::{Home, HungMount, Inside, in_own_mounts, list, skip, text, until};
use serde_json::json;

use super::folder::{apart, new_folder};

async fn has(home: &Home, doc: &str) -> bool {
    home.kith(&["doc", "get", "album", doc]).run().await.exit == 0
}

/// Waits until the only folder is in this state.
async fn folder_is(home: &Home, state: &str) {
    until(&format!("the folder to be {state}"), async || {
        let status = home.kith(&["status"]).json().await;
        let [folder] = list(&status, "folders") else { panic!("one folder: {status}") };
        (text(folder, "state") == state).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_hangs_delays_nothing_and_what_was_missed_follows() {
    let name = "hung::a_folder_that_hangs_delays_nothing_and_what_was_missed_follows";
    if in_own_mounts(name) == Inside::No {
        return;
    }
    let (ada, ben, mule) = apart().await;
    let folder = new_folder(&ada, "share");
    let path = folder.to_str().expect("plain");
    for home in [&ada, &ben] {
        home.kith(&["sync", "--folder", path, "--every", "1s"]).json().await;
    }
    // Their ports have changed since they met: there is only the folder between them.
    let (ada_runs, ben_runs) = (ada.up().ready().await, ben.up().ready().await);
    let first = ada.new_document("album", &json!({"title": "first"})).await;
    until("Ben to have it", async || has(&ben, &first).await.then_some(())).await;
    folder_is(&ada, "synced").await;

    let Some(hung) = HungMount::begin(&folder) else {
        return skip("this machine allows no fuse in a namespace");
    };
    folder_is(&ada, "not-answering").await;
    let missed = ada.new_document("album", &json!({"title": "missed"})).await;
    let mule_runs = mule.up().ready().await;
    ada.kith(&["peer", "add", mule_runs.node(), mule_runs.listen()]).json().await;
    ada.sync_with(mule_runs.node()).await;
    ada_runs.stop().await;
    let ada_runs = ada.up().ready().await;
    folder_is(&ada, "not-answering").await;
    let both = ada.new_document("album", &json!({"title": "missed, too"})).await;
    assert!(!has(&ben, &missed).await && !has(&ben, &both).await);

    drop(hung);
    until("Ben to have all", async || {
        (has(&ben, &missed).await && has(&ben, &both).await).then_some(())
    })
    .await;
    folder_is(&ada, "synced").await;
    folder_is(&ben, "synced").await;

    ada.kith(&["sync", "--folder", path, "--stop"]).json().await;
    assert_eq!(list(&ada.kith(&["status"]).json().await, "folders").len(), 0);
    ada.kith(&["sync", "--folder", path, "--stop"]).fails().await.is(4, "not-found");
    ada.kith(&["sync", "--folder", path, "--every", "31d"]).fails().await.is(2, "invalid");
    for running in [ada_runs, ben_runs, mule_runs] {
        running.stop().await;
    }
}
