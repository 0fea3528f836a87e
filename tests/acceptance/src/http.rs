//! HTTP as programs and browsers speak it, with every header in the test's hands.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

use crate::wait::PATIENCE;

/// Somebody who knows where the doorway is, and what it gave to them.
#[derive(Clone)]
pub struct Browser {
    address: String,
    headers: HeaderMap,
}

impl Browser {
    pub(crate) fn new(address: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(address).expect("an address is plain"));
        Self { address: address.to_owned(), headers }
    }

    /// Where the doorway is: host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// With a header, in place of what it was before.
    ///
    /// # Panics
    /// When it is no header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a header's name");
        self.headers.insert(name, value.parse().expect("a header's value"));
        self
    }

    /// With the token of a data directory.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Gets a page.
    ///
    /// # Panics
    /// When the doorway does not answer.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Bytes::new()).await
    }

    /// Sends JSON.
    ///
    /// # Panics
    /// When the doorway does not answer.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let as_json = self.clone().with(CONTENT_TYPE.as_str(), "application/json");
        as_json.send("POST", path, body.to_string().into()).await
    }

    /// Sends anything.
    ///
    /// # Panics
    /// When the doorway does not answer.
    pub async fn send(&self, method: &str, path: &str, body: Bytes) -> Answer {
        let mut connection = self.connect().await.expect("the doorway is open");
        let answer = connection.send(method, path, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// A connection for several requests.
    ///
    /// # Errors
    /// When nobody is there.
    pub async fn connect(&self) -> Result<Connection, Lost> {
        let stream = TcpStream::connect(&self.address).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Its end shows in the sender.
        tokio::spawn(connection);
        Ok(Connection { sender, headers: self.headers.clone() })
    }
}

/// The other side went away.
pub type Lost = Box<dyn std::error::Error + Send + Sync>;

/// An open connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    headers: HeaderMap,
}

impl Connection {
    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send(&mut self, method: &str, path: &str, body: Bytes) -> Result<Answer, Lost> {
        let headers = self.headers.clone();
        self.send_with(headers, method, path, body).await
    }

    /// Sends a request whose body is of this type, and reads the whole answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send_as(
        &mut self,
        content_type: &'static str,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, Lost> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.send_with(headers, method, path, body).await
    }

    async fn send_with(
        &mut self,
        headers: HeaderMap,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, Lost> {
        let mut request = Request::builder().method(method).uri(path).body(Full::new(body))?;
        *request.headers_mut() = headers;
        let answering = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
        };
        timeout(PATIENCE, answering).await?
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, or nothing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
