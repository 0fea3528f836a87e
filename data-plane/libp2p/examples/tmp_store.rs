#![allow(missing_docs, clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used)]
use std::time::Instant;
use bytes::Bytes;
use data_plane_store::{Blobs, Ranges};
use tokio::io::*;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn main() {
    let n: usize = std::env::var("MAIN").map_or(2, |v| v.parse().unwrap());
    tokio::runtime::Builder::new_multi_thread().worker_threads(n).enable_all().build().unwrap().block_on(inner());
}
async fn inner() {
    let args: Vec<String> = std::env::args().collect();
    let count: usize = args[1].parse().unwrap();
    let size: usize = args[2].parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ab = Blobs::open(&dir.path().join("a")).await.unwrap();
    let bb = Blobs::open(&dir.path().join("b")).await.unwrap();
    let mut ids = Vec::new();
    let mut st = 88172645463325252u64;
    for _ in 0..count {
        let mut v = vec![0u8; size];
        for ch in v.chunks_mut(8) { st ^= st << 13; st ^= st >> 7; st ^= st << 17; let l = ch.len(); ch.copy_from_slice(&st.to_le_bytes()[..l]); }
        ids.push(bb.add(Bytes::from(v)).await.unwrap());
    }
    bb.sync(&ids).await.unwrap();
    let (near, far) = duplex(1 << 20);
    let t = Instant::now(); let c = cpu();
    let ids2 = ids.clone();
    let h = tokio::spawn(async move {
        let mut w = BufWriter::with_capacity(256 * 1024, near);
        for id in ids2 { bb.provide(id, &Ranges::all(), &mut w).await.unwrap(); }
        w.flush().await.unwrap();
    });
    let mut r = BufReader::with_capacity(256 * 1024, far);
    if args.len() > 3 { let mut sink = vec![0; 1 << 20]; let mut n = 0; loop { let k = r.read(&mut sink).await.unwrap(); if k == 0 { break } n += k; } println!("provide only {n}"); }
    else {
    for batch in ids.chunks(std::env::var("BATCH").map_or(64, |v| v.parse().unwrap())) {
        for id in batch { ab.receive(*id, &Ranges::all(), &mut r).await.unwrap(); }
        ab.sync(batch).await.unwrap();
    } }
    h.await.unwrap();
    println!("store only {count}x{size}: wall {:?} cpu {:.2}", t.elapsed(), cpu() - c);
}
