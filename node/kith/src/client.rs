//! Talks to the node of a data directory: to the one that runs, or to one that
//! is opened in this process for the time of a command. Both speak the HTTP API.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, Response, StatusCode, header},
};
use bytes::Bytes;
use doorway_http::{Access, DoorwayConfig, LocalToken, ProgramKeys};
use futures::StreamExt;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use node_runtime::{Indexing, Network, StartConfig, Started, start};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
};
use tower::ServiceExt;

use crate::{
    args::Global,
    error::CliError,
    home::{Home, KeySeal, Lock, Taken, load_or_create, take},
};

/// Largest JSON answer that is read into memory.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Longest line of a streamed answer.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What stands in `Host` of requests to our own node.
pub(crate) const OWN_HOST: &str = "kith";

/// Whether a command needs other nodes when none runs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It works on what is here.
    Here,
    /// It talks to others.
    Others,
}

/// A node to ask.
pub struct Client {
    way: Way,
}

enum Way {
    Socket(std::path::PathBuf),
    InProcess(Box<Opened>),
}

struct Opened {
    router: Router,
    started: Started,
    _lock: Lock,
}

/// The seal that the options ask for.
#[must_use]
pub fn key_seal(global: &Global) -> KeySeal {
    if global.plain_keys { KeySeal::Plain } else { KeySeal::Ask }
}

/// What a new identity is called: the person's login name and the machine's.
#[must_use]
pub fn default_names() -> (String, String) {
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|key| std::env::var(key).ok());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    (user.unwrap_or_else(|| "somebody".to_owned()), host)
}

impl Client {
    /// Finds the running node or opens the directory itself.
    ///
    /// # Errors
    /// [`CliError`].
    pub async fn connect(global: &Global, reach: Reach) -> Result<Self, CliError> {
        let home = Home::find(global.data_dir.as_deref())?;
        home.prepare()?;
        let lock = match take(&home).await? {
            Taken::Running(_, socket) => {
                return Ok(Self { way: Way::Socket(socket) });
            }
            Taken::Lock(lock) => lock,
        };
        let (keys, _) = load_or_create(&home, key_seal(global))?;
        let (agent_name, device_name) = default_names();
        let network = match reach {
            Reach::Here => Network::None,
            Reach::Others => Network::Listen {
                addresses: ["/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1"]
                    .map(ToOwned::to_owned)
                    .to_vec(),
                mdns: true,
                circuits: false,
            },
        };
        let started = start(StartConfig {
            data_dir: home.root().to_owned(),
            keys,
            agent_name,
            device_name,
            sync_interval: Duration::from_secs(30 * 60),
            network,
            indexing: Indexing::WhenAsked,
        })
        .await
        .map_err(|error| CliError::from(node_core::Failure::from(error)))?;
        let config = Arc::new(no_secrets(ProgramKeys::at(home.program_keys())));
        let router = doorway_http::router(started.handle.clone(), Access::LocalSocket, config);
        let opened = Opened { router, started, _lock: lock };
        Ok(Self { way: Way::InProcess(Box::new(opened)) })
    }

    /// Whether a node runs here beyond this command.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.way, Way::Socket(_))
    }

    /// Closes what was opened.
    pub async fn close(self) {
        match self.way {
            Way::Socket(_) => {}
            Way::InProcess(opened) => opened.started.stop().await,
        }
    }

    /// Asks; the answer is a JSON document.
    ///
    /// # Errors
    /// The node's problem document as a [`CliError`].
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, CliError> {
        let response = self.send(method, path, body).await?;
        let bytes = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
        let bytes = bytes.map_err(|error| lost(&error))?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|error| lost(&error))
    }

    /// `GET`s a JSON document.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.call(Method::GET, path, None).await
    }

    /// `POST`s a JSON document.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, CliError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `DELETE`s.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn delete(&self, path: &str) -> Result<Value, CliError> {
        self.call(Method::DELETE, path, None).await
    }

    /// `POST`s a JSON document and reads lines of JSON until one is a result.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn stream(
        &self,
        path: &str,
        body: Value,
        mut on_line: impl FnMut(&Value),
    ) -> Result<Value, CliError> {
        let response = self.send(Method::POST, path, Some(body)).await?;
        let mut pieces = response.into_body().into_data_stream();
        let mut pending = Vec::new();
        while let Some(piece) = pieces.next().await {
            pending.extend_from_slice(&piece.map_err(|error| lost(&error))?);
            if pending.len() > LINE_BYTES_MAX {
                return Err(lost(&"a line is too long"));
            }
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                let line: Value = serde_json::from_slice(&line).map_err(|error| lost(&error))?;
                if let Some(error) = line.get("error") {
                    return Err(CliError::from_problem(error, 500));
                }
                if let Some(result) = line.get("result") {
                    return Ok(result.clone());
                }
                on_line(&line);
            }
        }
        Err(lost(&"the answer ended early"))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn upload(&self, path: &str, body: Body, mime: &str) -> Result<Value, CliError> {
        let request = Request::builder()
            .method(Method::PUT)
            .uri(path)
            .header(header::HOST, OWN_HOST)
            .header(header::CONTENT_TYPE, mime)
            .body(body);
        let response = self.request(request.map_err(|error| lost(&error))?).await?;
        let bytes = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
        serde_json::from_slice(&bytes.map_err(|error| lost(&error))?).map_err(|error| lost(&error))
    }

    /// Asks as the device whose token it is, with bytes.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(crate) async fn as_peer(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Body,
    ) -> Result<Response<Body>, CliError> {
        let request = request_of_peer(method, (OWN_HOST, path), token, body);
        self.request(request.map_err(|error| lost(&error))?).await
    }

    /// Receives bytes.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn download(
        &self,
        path: &str,
        mut take: impl FnMut(Bytes) -> std::io::Result<()>,
    ) -> Result<(), CliError> {
        let response = self.send(Method::GET, path, None).await?;
        let mut pieces = response.into_body().into_data_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| lost(&error))?;
            take(piece).map_err(|error| {
                CliError::machine(
                    format!("could not write: {error}"),
                    "look at the disk and its permissions, then try again",
                )
            })?;
        }
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Response<Body>, CliError> {
        let builder = Request::builder().method(method).uri(path).header(header::HOST, OWN_HOST);
        let request = match body {
            Some(value) => builder
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(value.to_string())),
            None => builder.body(Body::empty()),
        };
        self.request(request.map_err(|error| lost(&error))?).await
    }

    async fn request(&self, request: Request<Body>) -> Result<Response<Body>, CliError> {
        let response = match &self.way {
            Way::InProcess(opened) => match opened.router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Way::Socket(path) => over_socket(path, request).await?,
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await;
        let problem = body.ok().and_then(|body| serde_json::from_slice(&body).ok());
        Err(CliError::from_problem(&problem.unwrap_or(Value::Null), StatusCode::as_u16(&status)))
    }
}

/// A request of the device whose token of that host it is.
pub(crate) fn request_of_peer(
    method: Method,
    (host, path): (&str, &str),
    token: &str,
    body: Body,
) -> Result<Request<Body>, axum::http::Error> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, host)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(body)
}

async fn over_socket(path: &Path, request: Request<Body>) -> Result<Response<Body>, CliError> {
    let stream = UnixStream::connect(path).await.map_err(|error| lost(&error))?;
    exchange(stream, request).await.map_err(|error| lost(&error))
}

/// Sends one request over a connection.
pub(crate) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> hyper::Result<Response<Body>> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the node ended");
        }
    });
    let response = sender.send_request(request).await?;
    Ok(response.map(|body| Body::new(body.map_err(axum::Error::new))))
}

pub(crate) fn lost(error: &dyn std::fmt::Display) -> CliError {
    let failure = node_core::Failure {
        kind: node_core::FailureKind::Unreachable,
        message: format!("the node did not answer as it should: {error}"),
        state: "what was asked may or may not be done".to_owned(),
        fix: "kith status".to_owned(),
    };
    failure.into()
}

/// A path segment or query value.
#[must_use]
pub fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// The socket and this process need none: who can open them is the owner.
pub(crate) fn no_secrets(keys: ProgramKeys) -> DoorwayConfig {
    DoorwayConfig {
        token: LocalToken::new(""),
        entry_code: String::new(),
        session: String::new(),
        hosts: vec![],
        keys,
        web: None,
    }
}
