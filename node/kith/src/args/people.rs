//! The arguments of `kith relation`, `kith custody` and `kith circle`.

use clap::Subcommand;

/// `kith relation`.
#[derive(Debug, Subcommand)]
pub enum Relation {
    /// List your relationships, and those that others ask for
    List,
    /// Say that you are related to somebody; it holds once they say so too
    #[command(
        after_help = "Examples:\n  kith relation add Bo --layer reciprocal\n  kith relation add Bo --layer invested --keep true --quota-gb 20 --expires 365d\n  kith relation add Bo --kind brother"
    )]
    Add {
        /// The agent's id (did:key:…), a node's id, or a name that only one has
        agent: String,
        /// How close: sovereign, reciprocal, invested or gift
        #[arg(long, default_value = "reciprocal")]
        layer: String,
        /// Whether you keep copies for them; by default as the layer says
        #[arg(long, value_name = "BOOL")]
        keep: Option<bool>,
        /// Whether they may keep copies for you; by default as the layer says
        #[arg(long, value_name = "BOOL")]
        let_keep: Option<bool>,
        /// How much you keep for them, in GB; by default as the layer says
        #[arg(long, value_name = "GB")]
        quota_gb: Option<u64>,
        /// They may ask for your recovery in an emergency
        #[arg(long)]
        emergency: bool,
        /// After which time it ends by itself
        #[arg(long, value_name = "TIME", value_parser = crate::duration::parse)]
        expires: Option<std::time::Duration>,
        /// What they are to you, in your words: sister, neighbour. They see it, nobody else does;
        /// '' takes it back, and what is left out stays
        #[arg(long, value_name = "WORDS")]
        kind: Option<String>,
    },
    /// End a relationship
    End {
        /// The agent's id (did:key:…), a node's id, or a name that only one has
        agent: String,
    },
    /// Stand for something about somebody, for others to see
    #[command(after_help = "Examples:\n  kith relation vouch Bo \"repairs bicycles well\"")]
    Vouch {
        /// The agent's id (did:key:…), a node's id, or a name that only one has
        agent: String,
        /// What you stand for
        text: String,
    },
}

/// `kith custody`.
#[derive(Debug, Subcommand)]
pub enum Custody {
    /// List the devices that hold your spaces, and what of them
    #[command(
        after_help = "Examples:\n  kith custody list\n  kith custody list album\n\nA device holds what it signed for when both were in sync; one that has not met this one yet\nmay only have announced how much it holds. What would be lost together is one place: what\nstands in one site (kith device describe --site), or all devices of a person of which no\nsite is known. Files are not signed for."
    )]
    List {
        /// Only this space: name, id or the beginning of the id
        space: Option<String>,
    },
}

/// `kith circle`.
#[derive(Debug, Subcommand)]
pub enum Circle {
    /// Make a circle
    #[command(
        after_help = "Examples:\n  kith circle new family\n  kith circle add family Bo\n  kith space grant album family reader\n\nWhoever is in a circle reads its name and sees who else is in it. Members of a space that\nit is let into see who is in it, too, but not what it is called."
    )]
    New {
        /// Its name
        name: String,
    },
    /// List your circles: who is in them, and which spaces they open
    List,
    /// Add somebody, to everything that the circle is let into
    #[command(
        after_help = "Examples:\n  kith circle add family Bo\n  kith space grant family Bo admin     lets Bo add people, too"
    )]
    Add {
        /// The circle: name, id or the beginning of the id
        circle: String,
        /// Whom: the agent's id (did:key:…), a node's id, or a name that only one has;
        /// or another circle, for all who are in it
        agent: String,
    },
    /// Remove somebody, from everything that they are in by the circle
    #[command(
        after_help = "Examples:\n  kith circle remove family Bo\n  kith space leave family              takes yourself out\n\nThe keys of these spaces change: what is written from now on Bo cannot read. What Bo\nreceived stays readable to Bo."
    )]
    Remove {
        /// The circle: name, id or the beginning of the id
        circle: String,
        /// Whom: the agent's id (did:key:…), a node's id, or a name that only one has
        agent: String,
    },
}
