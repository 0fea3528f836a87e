//! temporary
use std::sync::Arc;
use doorway_http::*;
use node_runtime::{Network, Progress, testing::test_node};
#[tokio::main]
async fn main() {
    let node = test_node("Ada", Network::None).await;
    let h = node.handle.clone();
    let node_core::Response::Space(s) = h.request(node_core::Request::FoundSpace { name: "The guide".into(), reach: node_core::request::Reach::Invited }).await.unwrap() else { panic!() };
    let (p, _) = tokio::sync::watch::channel(Progress::default());
    h.import(s.space, concat!(env!("CARGO_MANIFEST_DIR"), "/../../node/kith/guide").into(), p).await.unwrap();
    let config = Arc::new(DoorwayConfig { token: LocalToken::new("tok"), entry_code: "code".into(), session: "sess".into(), hosts: vec!["127.0.0.1:8420".into()] });
    let l = tokio::net::TcpListener::bind("127.0.0.1:8420").await.unwrap();
    println!("{}", s.space);
    serve_tcp(l, router(h, Access::Loopback, config), async { let _ = tokio::signal::ctrl_c().await; }).await;
    drop(node);
}
