//! What a command says when it failed.

use node_core::{Failure, FailureKind};
use serde_json::{Value, json};

/// An error: what happened, what state it left, what mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    /// A stable code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What state it left.
    pub state: String,
    /// What mends it.
    pub fix: String,
    /// The process's exit code.
    pub exit: u8,
}

impl CliError {
    /// Wrong usage; nothing was done.
    pub fn usage(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Failure::new(FailureKind::Invalid, message, fix).into()
    }

    /// Something of this machine did not work; nothing was changed.
    pub fn machine(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Failure::new(FailureKind::Storage, message, fix).into()
    }

    /// From the problem document of an HTTP answer.
    pub fn from_problem(problem: &Value, status: u16) -> Self {
        let text = |key: &str| problem.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        let code = text("code").unwrap_or_else(|| "failed".to_owned());
        let message = text("detail").or_else(|| text("message")).or_else(|| text("title"));
        Self {
            exit: exit_of(&code),
            code,
            message: message.unwrap_or_else(|| format!("the node answered with status {status}")),
            state: text("state").unwrap_or_else(|| "nothing was changed".to_owned()),
            fix: text("fix").unwrap_or_else(|| "kith status".to_owned()),
        }
    }

    /// For `--json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Self { code, message, state, fix, exit: _ } = self;
        json!({"error": {"code": code, "message": message, "state": state, "fix": fix}})
    }
}

/// Exit codes by error code; everything else that failed is 1.
fn exit_of(code: &str) -> u8 {
    match code {
        "invalid" => 2,
        "not-allowed" => 3,
        "not-found" => 4,
        "unreachable" => 5,
        _ => 1,
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        let Failure { kind, message, state, fix } = failure;
        let code = kind.code().to_owned();
        Self { exit: exit_of(&code), code, message, state, fix }
    }
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { message, state, fix, .. } = self;
        write!(f, "error: {message}\n  state: {state}\n  to mend it: {fix}")
    }
}
