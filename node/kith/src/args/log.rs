use clap::Args;

/// `kith log`.
#[derive(Debug, Args)]
pub struct Log {
    /// Of the last so many hours
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=876_600))]
    pub hours: u32,
    /// Only these: search, forward (a peer was asked), access, or dropped where records are missing
    #[arg(long, value_name = "EVENT", value_parser = ["search", "forward", "access", "dropped"], hide_possible_values = true)]
    pub event: Option<String>,
}
