//! Blobs between two transports.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use data_plane_core::net::{NetCommand, NetEvent};
use node_model::{BlobId, DeviceId};

use crate::node::{Node, Transport, soon};

/// Bytes that differ from blob to blob and within each.
fn content(seed: u32, len: usize) -> Bytes {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

async fn hold(node: &Node, contents: &[Bytes]) -> Vec<BlobId> {
    let mut held = Vec::new();
    for content in contents {
        held.push(node.blobs.add(content.clone()).await.expect("stored"));
    }
    node.blobs.sync(&held).await.expect("durable");
    held
}

/// A job without a limit.
fn everything(job: u64, device: DeviceId, blobs: Vec<BlobId>) -> NetCommand {
    NetCommand::Fetch { job, device, blobs, bytes_max: u64::MAX }
}

/// What came of a job.
#[derive(Debug, Default)]
struct Outcome {
    fetched: BTreeMap<BlobId, u64>,
    refused: BTreeSet<BlobId>,
    error: Option<String>,
}

/// Runs a job to its end; the provider allows what `may` says.
async fn fetch(
    requester: &mut Node,
    provider: &mut Node,
    blobs: Vec<BlobId>,
    may: impl Fn(BlobId) -> bool,
) -> Outcome {
    let device = provider.device;
    requester.command(everything(7, device, blobs)).await;
    let mut outcome = Outcome::default();
    loop {
        tokio::select! {
            event = requester.next() => {
                if let NetEvent::BlobFetched { job: 7, blob, bytes } = event {
                    let size = requester.blobs.size(blob).await.expect("the store works");
                    assert_eq!(size, Some(bytes));
                    outcome.fetched.insert(blob, bytes);
                } else if let NetEvent::BlobRefused { job: 7, blob } = event {
                    outcome.refused.insert(blob);
                } else if let NetEvent::FetchEnded { job: 7, error } = event {
                    return Outcome { error, ..outcome };
                }
            }
            event = provider.next() => {
                if let NetEvent::BlobsRequested { request, device, blobs } = event {
                    assert_eq!(device, requester.device);
                    let allowed = blobs.iter().map(|blob| may(*blob)).collect();
                    provider.command(NetCommand::Answer { request, allowed }).await;
                }
            }
        }
    }
}

async fn arrives_whole(transport: Transport) {
    let (mut a, mut b) = Node::connected_pair(transport).await;
    let sizes = [1, 1_024, 16 * 1024, 16 * 1024 + 1, 300_000, 5_000_000];
    let contents: Vec<Bytes> = (1..).zip(sizes).map(|(seed, len)| content(seed, len)).collect();
    let blobs = hold(&b, &contents).await;
    let outcome = fetch(&mut a, &mut b, blobs.clone(), |_| true).await;
    assert_eq!(outcome.error, None);
    for (blob, content) in blobs.iter().zip(&contents) {
        assert_eq!(outcome.fetched.get(blob), Some(&(content.len() as u64)));
        let read = a.blobs.read(*blob, 0, content.len()).await.expect("it is here");
        assert_eq!(read, *content);
    }
    // The second time nothing is asked for.
    let again = fetch(&mut a, &mut b, blobs, |_| false).await;
    assert_eq!((again.fetched, again.error), (outcome.fetched, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_arrive_whole_over_tcp() {
    arrives_whole(Transport::Tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_arrive_whole_over_quic() {
    arrives_whole(Transport::Quic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_blobs_take_several_requests() {
    let (mut a, mut b) = Node::connected_pair(Transport::Tcp).await;
    let contents: Vec<Bytes> = (0..300).map(|seed| content(seed, 3_000)).collect();
    let blobs = hold(&b, &contents).await;
    let outcome = fetch(&mut a, &mut b, blobs.clone(), |_| true).await;
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.fetched.into_keys().collect::<BTreeSet<_>>(), blobs.into_iter().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_looks_like_what_is_not_there() {
    let (mut a, mut b) = Node::connected_pair(Transport::Tcp).await;
    let held = hold(&b, &[content(1, 10), content(2, 10), content(3, 10)]).await;
    let (allowed, forbidden, absent) = (held[0], held[1], BlobId([9; 32]));
    let blobs = vec![forbidden, allowed, absent];
    let outcome = fetch(&mut a, &mut b, blobs, |blob| blob != forbidden).await;
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.fetched, BTreeMap::from([(allowed, 10)]));
    assert_eq!(outcome.refused, BTreeSet::from([forbidden, absent]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_goes_on_where_the_connection_broke() {
    let (mut a, mut b) = Node::connected_pair(Transport::Tcp).await;
    let whole = content(5, 64 * 1024 * 1024);
    let blob = hold(&b, std::slice::from_ref(&whole)).await[0];
    a.command(everything(1, b.device, vec![blob])).await;
    let asked = b.event(|event| matches!(event, NetEvent::BlobsRequested { .. })).await;
    let NetEvent::BlobsRequested { request, .. } = asked else { panic!("{asked:?}") };
    b.command(NetCommand::Answer { request, allowed: vec![true] }).await;
    // Cut it once the first verified part is stored.
    soon(async {
        while a.blobs.missing(blob).await.expect("the store works").boundaries() == [0] {
            tokio::task::yield_now().await;
        }
    })
    .await;
    b.command(NetCommand::Disconnect { device: a.device }).await;
    let ended = a.event(|event| matches!(event, NetEvent::FetchEnded { .. })).await;
    assert!(matches!(ended, NetEvent::FetchEnded { job: 1, error: Some(_) }), "{ended:?}");
    a.event(|event| matches!(event, NetEvent::Disconnected { .. })).await;
    assert_eq!(a.blobs.size(blob).await.expect("the store works"), None);
    assert_ne!(a.blobs.missing(blob).await.expect("the store works").boundaries(), [0]);
    a.dial(b.device, &b.network.listening).await;
    a.event(|event| matches!(event, NetEvent::Connected { .. })).await;
    let outcome = fetch(&mut a, &mut b, vec![blob], |_| true).await;
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.fetched, BTreeMap::from([(blob, whole.len() as u64)]));
    let read = a.blobs.read(blob, 0, whole.len()).await.expect("it is here");
    assert!(read == whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_no_blobs_until_it_is_admitted() {
    let (mut a, mut b) = Node::strangers(Transport::Tcp).await;
    let blob = hold(&b, &[content(1, 10)]).await[0];
    a.command(everything(1, b.device, vec![blob])).await;
    b.command(NetCommand::Admit { device: a.device }).await;
    let asked = b.event(|event| matches!(event, NetEvent::BlobsRequested { .. })).await;
    let NetEvent::BlobsRequested { request, device, blobs } = asked else { panic!("{asked:?}") };
    assert_eq!((device, blobs), (a.device, vec![blob]));
    // Whoever is forbidden meanwhile gets nothing of what was under way.
    b.command(NetCommand::Forbid { device: a.device }).await;
    b.command(NetCommand::Answer { request, allowed: vec![true] }).await;
    let ended = a.event(|event| matches!(event, NetEvent::FetchEnded { .. })).await;
    assert!(matches!(ended, NetEvent::FetchEnded { job: 1, error: Some(_) }), "{ended:?}");
    assert_eq!(a.blobs.size(blob).await.expect("the store works"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_beyond_the_cap_wait_their_turn() {
    let (mut a, mut b) = Node::connected_pair(Transport::Tcp).await;
    let contents: Vec<Bytes> = (0..40).map(|seed| content(seed, 500)).collect();
    let blobs = hold(&b, &contents).await;
    let device = b.device;
    for (job, blob) in (0..).zip(&blobs) {
        a.command(everything(job, device, vec![*blob])).await;
    }
    let mut ended = BTreeSet::new();
    while ended.len() < blobs.len() {
        tokio::select! {
            event = a.next() => {
                if let NetEvent::FetchEnded { job, error } = event {
                    assert_eq!(error, None);
                    ended.insert(job);
                }
            }
            event = b.next() => {
                if let NetEvent::BlobsRequested { request, blobs, .. } = event {
                    let allowed = vec![true; blobs.len()];
                    b.command(NetCommand::Answer { request, allowed }).await;
                }
            }
        }
    }
    assert!(a.network.events.try_recv().is_err());
}
