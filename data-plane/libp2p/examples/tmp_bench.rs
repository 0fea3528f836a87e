#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used
)]
use bytes::Bytes;
use data_plane_core::net::*;
use data_plane_libp2p::*;
use data_plane_store::Blobs;
use node_model::DeviceId;
use std::time::Instant;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn device_of(seed: u8) -> DeviceId {
    let k = libp2p::identity::Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    DeviceId(k.public().try_into_ed25519().unwrap().to_bytes())
}
async fn node(seed: u8, listen: &str, dir: &std::path::Path) -> (Network, Blobs) {
    let blobs = Blobs::open(&dir.join(seed.to_string())).await.unwrap();
    let n = start(
        NetConfig {
            secret: [seed; 32].into(),
            listen: vec![listen.into()],
            mdns: false,
        },
        blobs.clone(),
    )
    .await
    .unwrap();
    (n, blobs)
}
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let listen = if args[1] == "quic" {
        "/ip4/127.0.0.1/udp/0/quic-v1"
    } else {
        "/ip4/127.0.0.1/tcp/0"
    };
    let count: usize = args[2].parse().unwrap();
    let size: usize = args[3].parse().unwrap();
    let dir = tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or("/tmp".into())).unwrap();
    let (mut a, _ab) = node(1, listen, dir.path()).await;
    let (mut b, bb) = node(2, listen, dir.path()).await;
    let (da, db) = (device_of(1), device_of(2));
    a.commands
        .send(NetCommand::Admit { device: db })
        .await
        .unwrap();
    b.commands
        .send(NetCommand::Admit { device: da })
        .await
        .unwrap();
    a.commands
        .send(NetCommand::Dial {
            device: db,
            addresses: b.listening.clone(),
        })
        .await
        .unwrap();
    while !matches!(a.events.recv().await.unwrap(), NetEvent::Connected { .. }) {}
    let t = Instant::now();
    let c = cpu();
    let mut ids = Vec::new();
    let mut st = 88172645463325252u64;
    for _ in 0..count {
        let mut v = vec![0u8; size];
        for ch in v.chunks_mut(8) {
            st ^= st << 13;
            st ^= st >> 7;
            st ^= st << 17;
            let l = ch.len();
            ch.copy_from_slice(&st.to_le_bytes()[..l]);
        }
        ids.push(bb.add(Bytes::from(v)).await.unwrap());
    }
    bb.sync(&ids).await.unwrap();
    println!("add: wall {:?} cpu {:.2}", t.elapsed(), cpu() - c);
    let bc = b.commands.clone();
    tokio::spawn(async move {
        while let Some(e) = b.events.recv().await {
            if let NetEvent::BlobsRequested { request, blobs, .. } = e {
                bc.send(NetCommand::Answer {
                    request,
                    allowed: vec![true; blobs.len()],
                })
                .await
                .unwrap();
            }
        }
    });
    let t = Instant::now();
    let c = cpu();
    let mut got = 0;
    for (job, list) in ids.chunks(2048).enumerate() {
        a.commands
            .send(NetCommand::Fetch {
                job: job as u64,
                device: db,
                blobs: list.to_vec(),
            })
            .await
            .unwrap();
        loop {
            match a.events.recv().await.unwrap() {
                NetEvent::BlobFetched { .. } => got += 1,
                NetEvent::FetchEnded { error, .. } => {
                    assert_eq!(error, None);
                    break;
                }
                _ => {}
            }
        }
    }
    println!("fetch {got}: wall {:?} cpu {:.2}", t.elapsed(), cpu() - c);
}
