//! Durations and moments as people write them.

use std::time::Duration;

use node_model::Timestamp;
use node_runtime::Clock;

/// Reads `90s`, `15m`, `24h`, `7d`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time: write 90s, 15m, 24h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

/// Reads a day (its beginning in UTC), a time as RFC 3339 has it, or how long ago.
///
/// # Errors
/// What is wrong with it.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    let at = Timestamp::from_rfc3339(text);
    if let Some(at) = at.or_else(|| Timestamp::from_rfc3339(&format!("{text}T00:00:00Z"))) {
        return Ok(at);
    }
    let ago = parse(text).map_err(|_| {
        format!("{text:?} is no moment: write 2026-01-01, 2026-01-01T12:00:00Z or 30d")
    })?;
    let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    Ok(Timestamp(Clock::start().now().wall.0.saturating_sub(ago)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(parse("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(parse("2d"), Ok(Duration::from_secs(172_800)));
        for wrong in ["", "m", "0s", "15", "-1m", "1.5h", "99999999999999999999s", "9ü"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn moments_are_read() {
        let day = moment("2026-11-21").expect("a day");
        assert_eq!(moment("2026-11-21T00:00:00Z"), Ok(day));
        assert_eq!(moment("99999999d"), Ok(Timestamp(0)));
        assert!(moment("1d").expect("yesterday") < moment("1h").expect("an hour ago"));
        for wrong in ["", "2026-13-01", "2026-11", "yesterday", "1"] {
            assert!(moment(wrong).is_err(), "{wrong:?}");
        }
    }
}
