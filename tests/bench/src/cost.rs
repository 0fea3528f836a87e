//! What work costs: time, CPU seconds and memory of this process.

use std::{fs, time::Instant};

use serde_json::{Value, json};

/// Ticks of `/proc` a second: `USER_HZ`, 100 on every Linux that we know.
const TICKS: f64 = 100.0;

/// A running measurement.
pub struct Meter {
    start: Instant,
    cpu: f64,
}

impl Meter {
    /// Begins.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub fn start() -> Self {
        // The high-water mark begins again here (man 5 proc, clear_refs).
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self { start: Instant::now(), cpu: cpu_seconds() }
    }

    /// Begins, for the time only.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub fn start_clock() -> Self {
        Self { start: Instant::now(), cpu: 0.0 }
    }

    /// Seconds since the start.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// CPU seconds of this process since the start.
    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds() - self.cpu
    }

    /// What it came to.
    #[must_use]
    pub fn stop(&self) -> Value {
        json!({
            "seconds": rounded(self.seconds()),
            "cpu_seconds": rounded(self.cpu_seconds()),
            "peak_mb": rounded(memory_mb("VmHWM:")),
        })
    }
}

/// Bytes that went over loopback since the machine started: both ways, with all headers. Of
/// every process, so nothing else may use it meanwhile.
#[must_use]
pub fn loopback_bytes() -> u64 {
    let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = devices.lines().find_map(|line| line.trim_start().strip_prefix("lo:"));
    // What is sent is received as well; it is counted once.
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// The middle and the slowest of a hundred, in milliseconds.
#[must_use]
pub fn quantiles(mut times: Vec<f64>) -> Value {
    times.sort_by(f64::total_cmp);
    let at = |part: usize| rounded(times[(times.len() * part / 100).min(times.len() - 1)]);
    json!({"p50_ms": at(50), "p99_ms": at(99), "count": times.len()})
}

/// CPU seconds of this process, user and system.
#[must_use]
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold blanks.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: f64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / TICKS
}

/// Memory of this process in MB (10⁶ bytes): `VmRSS:` now, `VmHWM:` at its peak.
#[must_use]
pub fn memory_mb(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    let kib: f64 = line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0.0);
    kib * 1_024.0 / 1_000_000.0
}

/// Three digits after the point.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
