//! What happened, as one hash: two runs of one seed must have the same.

use std::time::Duration;

/// The running hash; prints every event too if it is verbose.
pub(crate) struct Trace {
    hasher: blake3::Hasher,
    events: u64,
    is_verbose: bool,
}

impl Trace {
    pub(crate) fn new(is_verbose: bool) -> Self {
        Self { hasher: blake3::Hasher::new(), events: 0, is_verbose }
    }

    /// Notes an event at a machine. `text` is for people only.
    pub(crate) fn note(
        &mut self,
        now: Duration,
        machine: usize,
        kind: &str,
        payload: &[u8],
        text: impl FnOnce() -> String,
    ) {
        self.events += 1;
        let length = payload.len() as u64;
        self.hasher
            .update(&(now.as_nanos() as u64).to_le_bytes())
            .update(&(machine as u64).to_le_bytes())
            .update(kind.as_bytes())
            .update(&length.to_le_bytes())
            .update(payload);
        if self.is_verbose {
            print(&format!("{:>11.6}s  {machine}  {kind:<12} {}", now.as_secs_f64(), text()));
        }
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

#[expect(clippy::print_stderr, reason = "the log of a replayed seed is for a person")]
pub(crate) fn print(line: &str) {
    eprintln!("{line}");
}
