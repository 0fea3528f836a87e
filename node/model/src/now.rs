use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Wall-clock time in milliseconds since the Unix epoch. Shown to people and
/// used for expiry; never decides an order or a right (decision 11).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time plus `duration`, at most the largest representable time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// `YYYY-MM-DDTHH:MM:SSZ`, in UTC.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let seconds = self.0 / 1_000;
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// Reads a time of RFC 3339, such as `2026-11-21T14:00:00Z` or with `+01:00`. A
    /// fraction of a second is dropped. `None` when it is none, or before 1970.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        if !text.is_ascii() || text.len() < "YYYY-MM-DDTHH:MM:SSZ".len() {
            return None;
        }
        let (moment, rest) = text.split_at("YYYY-MM-DDTHH:MM:SS".len());
        let number = |at: usize, digits: usize| -> Option<u64> {
            let part = &moment[at..at + digits];
            part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
        };
        let marks = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
        if !marks.iter().all(|(at, mark)| moment[*at..].to_ascii_uppercase().starts_with(mark)) {
            return None;
        }
        let days = days_from_civil(number(0, 4)?, number(5, 2)?, number(8, 2)?)?;
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
        let east = seconds_east(rest)?;
        let seconds = i64::try_from(seconds).ok()?.checked_sub(east)?;
        u64::try_from(seconds).ok()?.checked_mul(1_000).map(Self)
    }
}

/// What stands behind the seconds: a fraction, if any, then `Z` or hours and minutes.
fn seconds_east(rest: &str) -> Option<i64> {
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
        None => rest,
    };
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('+') { 1 } else { -1 };
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    let number = |part: &str, max: i64| -> Option<i64> {
        let is_two = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        is_two.then(|| part.parse().ok())?.filter(|number| *number <= max)
    };
    Some(sign * (number(hours, 23)? * 3_600 + number(minutes, 59)? * 60))
}

/// A date to days since 1970-01-01; `None` for no date, or an earlier one.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let month_index = (month + 9) % 12;
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

/// Days since 1970-01-01 to a proleptic Gregorian date; the algorithm is Howard
/// Hinnant's `civil_from_days` ("chrono-Compatible Low-Level Date Algorithms").
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

/// The moment at which a core is called: monotonic time for timers, wall time
/// for what people see and for expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Time since the node started; never goes back.
    pub monotonic: Duration,
    /// What the wall clock says; may jump.
    pub wall: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_rfc3339() {
        assert_eq!(Timestamp(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(951_782_399_000).rfc3339(), "2000-02-28T23:59:59Z");
        assert_eq!(Timestamp(951_782_400_000).rfc3339(), "2000-02-29T00:00:00Z");
        assert_eq!(Timestamp(1_795_219_200_000).rfc3339(), "2026-11-21T00:00:00Z");
    }

    #[test]
    fn rfc3339_reads_back_and_nothing_else_does() {
        for millis in [0, 951_782_399_000, 951_782_400_000, 1_795_219_200_000, 4_102_444_799_000] {
            let time = Timestamp(millis);
            assert_eq!(Timestamp::from_rfc3339(&time.rfc3339()), Some(time));
        }
        let noon = Some(Timestamp(1_795_262_400_000));
        for text in [
            "2026-11-21T12:00:00Z",
            "2026-11-21t12:00:00.987z",
            "2026-11-21T13:30:00+01:30",
            "2026-11-21T04:00:00-08:00",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), noon, "{text}");
        }
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T12:00:00",
            "2026-11-21 12:00:00Z",
            "2026-02-29T12:00:00Z",
            "2026-13-01T12:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T12:00:00.Z",
            "2026-11-21T12:00:00+1:00",
            "2026-11-21T12:00:00+99:00",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "+026-11-21T12:00:00Z",
            "2026-11-21T12:00:00Zé",
        ] {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text}");
        }
    }
}
