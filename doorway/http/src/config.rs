use std::{fmt, path::PathBuf, sync::Arc};

use node_runtime::Handle;
use subtle::ConstantTimeEq;

use crate::{access::rate::Rates, keys::ProgramKeys};

/// The bearer token of programs on this device.
#[derive(Clone)]
pub struct LocalToken(String);

impl LocalToken {
    /// Takes the text of `<data-dir>/local-token`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn is(&self, offered: &str) -> bool {
        is_same(&self.0, offered)
    }
}

impl fmt::Debug for LocalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalToken(…)")
    }
}

/// What a doorway lets in. All but `hosts` is secret, and drawn anew at every
/// start except the token.
#[derive(Clone)]
pub struct DoorwayConfig {
    /// What programs carry.
    pub token: LocalToken,
    /// What `/enter/{code}` takes in exchange for a session.
    pub entry_code: String,
    /// What the cookie of a browser holds.
    pub session: String,
    /// Exact values of `Host`, such as `127.0.0.1:8420`.
    pub hosts: Vec<String>,
    /// What the programs may do that carry a key of their own.
    pub keys: ProgramKeys,
    /// Where the files of the web app are.
    pub web: Option<PathBuf>,
}

impl fmt::Debug for DoorwayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoorwayConfig").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// How a request comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Over loopback TCP, where any program and any website may knock.
    Loopback,
    /// Over a Unix socket of mode 0600: who opens it is the owner.
    LocalSocket,
}

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) handle: Handle,
    pub(crate) config: Arc<DoorwayConfig>,
    pub(crate) access: Access,
    pub(crate) rates: Arc<Rates>,
}

/// Compares secrets in a time that tells nothing but their length. An empty
/// secret is no secret.
pub(crate) fn is_same(secret: &str, offered: &str) -> bool {
    !secret.is_empty() && bool::from(secret.as_bytes().ct_eq(offered.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_compare_and_do_not_print() {
        let token = LocalToken::new("s3cret");
        assert!(token.is("s3cret") && !token.is("s3cre") && !token.is("S3cret"));
        assert!(!LocalToken::new("").is(""));
        assert!(!format!("{token:?}").contains("s3cret"));
    }
}
