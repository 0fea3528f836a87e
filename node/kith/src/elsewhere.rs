//! The doorway of another node, reached by plain HTTP on this machine: directly or through
//! a tunnel.
//!
//! Invariant: nothing that the other side says is believed or shown before it was read as
//! what it must be; whoever listens on a port may answer here.
//! Non-goal: TLS. Between machines the tunnel protects; what it ends at is on this one.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, Request, Response, StatusCode, Uri, header},
};
use bytes::Bytes;
use node_core::{Failure, FailureKind, Mend};
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    client::{exchange, request_of_peer},
    error::CliError,
};

/// A doorway answers these questions at once; a tunnel around the world takes a second.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Largest answer that is read; those that make sense have 300 bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A doorway that is not this data directory's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    host: String,
    addresses: Vec<SocketAddr>,
}

impl Elsewhere {
    /// Reads the address of a doorway, such as `http://127.0.0.1:4718`.
    pub(crate) fn at(url: &str) -> Result<Self, CliError> {
        let fix = "http://127.0.0.1:4718, or what else `kith up` printed there";
        let wrong = |message: &str| CliError::usage(message, fix);
        let uri: Uri = url.parse().map_err(|_| wrong("this is no address of a doorway"))?;
        if uri.scheme_str() == Some("https") {
            let message = "this program speaks no TLS; a doorway's address is http://HOST:PORT";
            let fix = "let a tunnel on this machine do it (ssh -L, stunnel), and use its end: \
                       http://127.0.0.1:PORT";
            return Err(CliError::usage(message, fix));
        }
        if uri.scheme_str() != Some("http") || !matches!(uri.path(), "" | "/") {
            return Err(wrong("a doorway's address is http://HOST:PORT"));
        }
        let (Some(authority), Some(port)) = (uri.authority(), uri.port_u16()) else {
            return Err(wrong("the address lacks the port"));
        };
        let name = authority.host();
        let plain = name.trim_start_matches('[').trim_end_matches(']');
        let machines: Vec<IpAddr> = match plain.parse() {
            Ok(ip) => vec![ip],
            Err(_) if name.eq_ignore_ascii_case("localhost") => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            Err(_) => vec![],
        };
        if machines.is_empty() || !machines.iter().all(IpAddr::is_loopback) {
            let message = "that is another machine, and what goes there by plain HTTP everybody \
                           on the way can read";
            let fix = "ssh -N -L 4718:127.0.0.1:4718 THERE, then the same with \
                       http://127.0.0.1:4718";
            return Err(CliError::usage(message, fix));
        }
        let addresses = machines.into_iter().map(|machine| SocketAddr::new(machine, port));
        let host = format!("{name}:{port}");
        Ok(Self { host, addresses: addresses.collect() })
    }

    /// Its name and port: what stands in `Host`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// `POST`s a JSON document, with a token of this doorway or without one.
    pub(crate) async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Value, CliError> {
        let request = Request::builder().method(Method::POST).uri(path);
        let request = match token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        let request = request
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into())
            .map_err(|_| self.odd())?;
        let answered = async { self.read(self.ask(request).await?, ANSWER_BYTES_MAX).await };
        let bytes = self.in_time(ANSWER_TIMEOUT, answered).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.odd())
    }

    /// Asks as the device whose token of this doorway it is, with bytes.
    pub(crate) async fn as_peer(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Body,
    ) -> Result<Response<Body>, CliError> {
        let request = request_of_peer(method, (&self.host, path), token, body);
        self.ask(request.map_err(|_| self.odd())?).await
    }

    /// Does something that takes so long at most.
    pub(crate) async fn in_time<T>(
        &self,
        time_max: Duration,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        timeout(time_max, work).await.map_err(|_| self.silent(&"no answer in time"))?
    }

    async fn ask(&self, request: Request<Body>) -> Result<Response<Body>, CliError> {
        let stream = TcpStream::connect(&self.addresses[..]).await;
        let stream = stream.map_err(|error| self.silent(&error))?;
        let response = exchange(stream, request).await.map_err(|error| self.silent(&error))?;
        match response.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(response),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Err(self.refused()),
            StatusCode::MISDIRECTED_REQUEST => Err(self.misnamed()),
            StatusCode::CONFLICT => Err(self.interrupted()),
            StatusCode::GATEWAY_TIMEOUT => Err(self.silent(&"it is busy or stopping")),
            _ => Err(self.odd()),
        }
    }

    /// Reads an answer that has so many bytes at most.
    pub(crate) async fn read(
        &self,
        response: Response<Body>,
        bytes_max: usize,
    ) -> Result<Bytes, CliError> {
        axum::body::to_bytes(response.into_body(), bytes_max).await.map_err(|_| self.odd())
    }

    /// It does not speak as a doorway does.
    pub(crate) fn odd(&self) -> CliError {
        let message = format!("what answers at {} is no doorway, or of another version", self.host);
        let fix = "look at the address that `kith up` printed there";
        Failure::new(FailureKind::Unreachable, message, fix).into()
    }

    fn silent(&self, error: &dyn std::fmt::Display) -> CliError {
        let message = format!("the doorway at {} cannot be reached: {error}", self.host);
        let fix = "check that its node runs (kith up), and the tunnel";
        Failure::new(FailureKind::Unreachable, message, fix).into()
    }

    /// What was being carried stands still.
    pub(crate) fn stalled(&self) -> CliError {
        let message = format!("what goes to or from the doorway at {} stands still", self.host);
        let fix = "run the same command again; it goes on from there";
        Failure::new(FailureKind::Unreachable, message, fix).into()
    }

    fn refused(&self) -> CliError {
        let message = format!(
            "the doorway at {} does not let this device in: it does not know it as one of its \
             person's or as a peer's, or not any more; the device that the person began with can \
             link it",
            self.host
        );
        Failure::refused(message, &Mend::LinkDevice).into()
    }

    fn interrupted(&self) -> CliError {
        let message =
            format!("another visit of this device at {} took the place of this", self.host);
        let fix = "run the same command again; it goes on from there";
        Failure::new(FailureKind::Conflict, message, fix).into()
    }

    fn misnamed(&self) -> CliError {
        let message = format!("the doorway does not know itself as {}", self.host);
        let fix = "use the very address that `kith up` printed there; a tunnel needs the same port";
        Failure::new(FailureKind::NotFound, message, fix).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_spoken_to_in_the_clear() {
        for (url, host) in [
            ("http://127.0.0.1:4718", "127.0.0.1:4718"),
            ("http://127.0.0.1:4718/", "127.0.0.1:4718"),
            ("http://localhost:1", "localhost:1"),
            ("http://[::1]:4718", "[::1]:4718"),
            ("http://127.9.9.9:80", "127.9.9.9:80"),
        ] {
            let there = Elsewhere::at(url).expect(url);
            assert_eq!(there.host(), host);
            assert!(there.addresses.iter().all(|address| address.ip().is_loopback()));
        }
        for url in [
            "http://192.168.1.7:4718",
            "http://rack:4718",
            "http://localhost.evil.example:4718",
            "http://127.0.0.1.evil.example:4718",
            "http://127.0.0.1@evil.example:4718",
            "http://0.0.0.0:4718",
            "http://[::]:4718",
            "http://[::ffff:192.168.1.7]:4718",
        ] {
            let refused = Elsewhere::at(url).expect_err(url);
            assert!(refused.message.contains("another machine"), "{url}: {}", refused.message);
        }
        for url in [
            "",
            "127.0.0.1:4718",
            "https://127.0.0.1:4718",
            "http://127.0.0.1",
            "http://127.0.0.1:4718/enter/code",
            "http://127.0.0.1:99999",
            "kith token",
        ] {
            let refused = Elsewhere::at(url).expect_err(url);
            assert_eq!((refused.exit, &*refused.code), (2, "invalid"), "{url}");
        }
    }
}
