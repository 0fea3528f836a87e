//! The command line: devices, one's own and others.

use clap::Subcommand;

/// `kith device`.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// List your devices
    List,
    /// Add a device: without a ticket on the one you have, with its ticket on the new one
    #[command(
        after_help = "Examples:\n  kith device link              on the device that you began with: shows a ticket\n  kith device link kith1…       on the new device, before its node runs"
    )]
    Link {
        /// The ticket that your other device shows
        ticket: Option<String>,
        /// Do not ask whether the codes are the same
        #[arg(long, short)]
        yes: bool,
        /// How long a new ticket is good
        #[arg(long, value_name = "TIME", default_value = "5m", value_parser = crate::duration::parse)]
        expires: std::time::Duration,
        /// Do not wait for the new device to come
        #[arg(long)]
        no_wait: bool,
    },
    /// Say what a device of yours is and where it stands; what is left out stays as it was
    #[command(
        after_help = "Examples:\n  kith device describe --class laptop --site 'Elm street 7'\n  kith device describe 12D3Koo… --class home-rack --site 'Elm street 7' --region valley\n  kith device describe --site ''      takes it back\n\nDevices in one site are lost together: copies there count as one. Sites of the same name are\none site, also those of people related to you, so use a name that nobody uses for another\nplace. People related to you and members of your spaces see what you say."
    )]
    Describe {
        /// The device's node id; this one when left out
        device: Option<String>,
        /// What it is: phone, laptop, desktop, home-rack, regional-rack or doorway
        #[arg(long, required_unless_present_any = ["site", "region"])]
        class: Option<String>,
        /// Where it stands: a house, an office
        #[arg(long)]
        site: Option<String>,
        /// What it is near to: a town, a valley
        #[arg(long)]
        region: Option<String>,
    },
    /// Give this device new keys, because somebody may have seen the old ones; it keeps all it has
    #[command(
        after_help = "Examples:\n  kith device renew\n\nThe device gets another node id; others learn it when it comes to them. The old keys are taken\nback, and the keys of your spaces are changed. It needs your root key: on a device without it,\nlink the computer anew (kith device link) and take the old device back (kith device revoke).\nWhoever may have seen your 24 words is you: that this does not mend."
    )]
    Renew,
    /// Take a device back, because it is lost or stolen: changes the keys of your spaces
    Revoke {
        /// The device's node id
        device: String,
    },
}

/// `kith phrase`.
#[derive(Debug, Subcommand)]
pub enum Phrase {
    /// Show the words; write them on paper, whoever has them is you
    Show,
    /// Become yourself again on a new device, from the words
    #[command(
        after_help = "Examples:\n  kith phrase restore              asks for the words\n  kith phrase restore < words.txt"
    )]
    Restore,
}

/// `kith peer`.
#[derive(Debug, Subcommand)]
pub enum Peer {
    /// List the nodes that this one knows
    List,
    /// List which devices stand in one place: yours, and those of people related to you
    #[command(
        after_help = "Examples:\n  kith peer clusters\n\nWhat a device is and where it stands its owner says: kith device describe"
    )]
    Clusters,
    /// Say where a node may be found
    Add {
        /// Its node id
        peer: String,
        /// Multiaddrs, such as /ip4/192.168.1.7/tcp/4717
        #[arg(required = true)]
        addresses: Vec<String>,
    },
    /// Forget where a node may be found
    Remove {
        /// Its node id
        peer: String,
    },
}
