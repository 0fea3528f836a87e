use clap::Args;

/// `kith token`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ssh -N -L 4718:127.0.0.1:4718 rack &\n  kith token http://127.0.0.1:4718\n\nThis device proves with its key that it is yours. The token has the rights of the file\nlocal-token there, for an hour, until that node ends, or until you take this device back.\nSend it as `Authorization: Bearer`. At the doorway of a peer it is good for what\n`kith sync --doorway URL` does, and for nothing else."
)]
pub struct Token {
    /// The doorway's address, as its `kith up` printed it; by a tunnel, with the same port
    pub url: String,
}
