//! A doorway in front of a real node, asked in the process.

mod access;
mod api;
mod audit;
mod circles;
mod conflicts;
mod custody;
mod description;
mod devices;
mod doctor;
mod doorway;
mod files;
mod guests;
mod keys;
mod pages;
mod part;
mod progress;
mod query;
mod search;
mod serve;
mod visit;
mod web;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header, request::Builder},
};
use http_body_util::BodyExt;
use node_model::SpaceId;
use node_runtime::{
    Network, Progress,
    testing::{TestNode, test_node},
};
use serde_json::Value;
use tower::ServiceExt;

use crate::{Access, DoorwayConfig, LocalToken, ProgramKeys, router};

const HOST: &str = "127.0.0.1:8420";
const TOKEN: &str = "token-of-the-test";
const CODE: &str = "code-of-the-test";
const SESSION: &str = "session-of-the-test";

/// A node with both of its doors.
struct House {
    node: TestNode,
    tcp: Router,
    socket: Router,
    config: Arc<DoorwayConfig>,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    #[track_caller]
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(&name).map_or("", |value| value.to_str().expect("text"))
    }
}

impl House {
    async fn new() -> Self {
        Self::of(test_node("Ada", Network::None).await)
    }

    fn of(node: TestNode) -> Self {
        let config = Arc::new(DoorwayConfig {
            token: LocalToken::new(TOKEN),
            entry_code: CODE.to_owned(),
            session: SESSION.to_owned(),
            hosts: vec![HOST.to_owned(), "localhost:8420".to_owned()],
            keys: ProgramKeys::at(node.folder.path().join("program-keys.json")),
            web: Some(node.folder.path().join("web")),
        });
        let tcp = router(node.handle.clone(), Access::Loopback, Arc::clone(&config));
        let socket = router(node.handle.clone(), Access::LocalSocket, Arc::clone(&config));
        Self { node, tcp, socket, config }
    }

    /// As after a restart: nobody has asked anything yet.
    fn open_again(&mut self) {
        let config = Arc::clone(&self.config);
        self.tcp = router(self.node.handle.clone(), Access::Loopback, config);
    }

    /// A house with the guide in a space.
    async fn with_guide() -> (Self, SpaceId) {
        let house = Self::new().await;
        let space = house.found("guide").await;
        let (progress, _) = tokio::sync::watch::channel(Progress::default());
        house.node.handle.import(space, guide(), progress).await.expect("the guide");
        (house, space)
    }

    async fn found(&self, name: &str) -> SpaceId {
        let made = self.post("/api/v1/spaces", &serde_json::json!({ "name": name })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        made.json()["space"].as_str().expect("an id").parse().expect("an id")
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        send(&self.tcp, request).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(by_token(Method::GET, path).body(Body::empty()).expect("a request")).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.with_json(Method::POST, path, body).await
    }

    async fn with_json(&self, method: Method, path: &str, body: &Value) -> Reply {
        let request = by_token(method, path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// As a browser with a session.
    async fn page(&self, path: &str) -> Reply {
        self.send(by_session(Method::GET, path).body(Body::empty()).expect("a request")).await
    }

    /// A form of a page, as a browser sends it.
    async fn submit(&self, path: &str, form: &str) -> Reply {
        let request = by_session(Method::POST, path)
            .header(header::ORIGIN, format!("http://{HOST}"))
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).expect("a request")).await
    }
}

async fn send(router: &Router, request: Request<Body>) -> Reply {
    let response = router.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes().to_vec();
    Reply { status: parts.status, headers: parts.headers, body }
}

fn bare(method: Method, path: &str) -> Builder {
    Request::builder().method(method).uri(path)
}

fn stranger(method: Method, path: &str) -> Builder {
    bare(method, path).header(header::HOST, HOST)
}

fn by_token(method: Method, path: &str) -> Builder {
    stranger(method, path).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
}

fn by_session(method: Method, path: &str) -> Builder {
    stranger(method, path).header(header::COOKIE, format!("a=b; kith_8420={SESSION}"))
}

fn guide() -> PathBuf {
    // Tests run in their package's folder.
    std::fs::canonicalize("../../node/kith/guide").expect("the guide")
}
