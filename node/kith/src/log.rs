//! Logs go to standard error; answers to standard output.

use tracing_subscriber::EnvFilter;

/// Starts logging: warnings, more with `-v`, or what `KITH_LOG` says.
pub fn start(verbose: u8, is_json: bool) {
    let level = match verbose {
        0 => "error,node_core=warn,node_runtime=warn,data_plane_libp2p=warn,kith=warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("KITH_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, as in tests, changes nothing.
    let _ = if is_json { builder.json().try_init() } else { builder.with_target(false).try_init() };
}
