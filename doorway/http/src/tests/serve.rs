//! Over real sockets.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::oneshot,
    time::timeout,
};

use super::*;
use crate::{serve_tcp, serve_unix};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn both_doors_answer_and_stop() {
    let house = House::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve_tcp(listener, house.tcp.clone(), async {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let ask = format!("GET /health HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.expect("sent");
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    stop.send(()).expect("still serving");
    timeout(SOON, serving).await.expect("stops").expect("no panic");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("node.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve_unix(listener, house.socket.clone(), async {
        let _ = stopped.await;
    }));
    let mut stream = UnixStream::connect(&path).await.expect("a connection");
    let ask = b"GET /api/v1/info HTTP/1.1\r\nHost: kith\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"agent\":\"did:key:"));
    stop.send(()).expect("still serving");
    timeout(SOON, serving).await.expect("stops").expect("no panic");
}

#[tokio::test]
async fn a_listener_that_never_ends_is_cut() {
    let house = House::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve_tcp(listener, house.tcp.clone(), async {
        let _ = stopped.await;
    }));
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let ask = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(ask.as_bytes()).await.expect("sent");
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.expect("answered");
    house.found("a space that makes an event").await;
    stop.send(()).expect("still serving");
    timeout(SOON, serving).await.expect("stops").expect("no panic");
}
