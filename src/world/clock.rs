//! The two clocks, and how a date is written. Not here: waiting.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::decide::{Mono, Now};

/// Reads both clocks.
pub fn now() -> Now {
    Now { mono: Mono::from_boot(since_boot()), wall: SystemTime::now() }
}

/// How long the machine has been up, suspend included (`CLOCK_BOOTTIME`).
pub fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}

/// `2026-05-27T06:15:25Z`: UTC, whole seconds.
pub fn rfc3339(at: SystemTime) -> String {
    whole_second(at).to_string()
}

/// The time that an RFC 3339 text names, whatever its offset; `None` if it is none.
pub fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

/// The time that a date of HTTP names (`Wed, 27 May 2026 06:15:25 GMT`); `None` if it is none.
pub fn parse_http_date(text: &str) -> Option<SystemTime> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| SystemTime::from(zoned.timestamp()))
}

/// `20260527T061525Z`: a date that fits into a file's name and sorts there.
pub fn stamp(at: SystemTime) -> String {
    whole_second(at).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A clock so wrong that no date can be made of it reads as the epoch: a wrong date is no reason
/// to fail.
fn whole_second(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at)
        .and_then(|exact| Timestamp::from_second(exact.as_second()))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_in_utc_and_read_back() {
        let at = SystemTime::UNIX_EPOCH + Duration::new(1_779_862_525, 900_000_000);
        assert_eq!(rfc3339(at), "2026-05-27T06:15:25Z");
        assert_eq!(stamp(at), "20260527T061525Z");
        let back = parse_rfc3339("2026-05-27T08:15:25+02:00").unwrap();
        assert_eq!(rfc3339(back), rfc3339(at));
        assert_eq!(parse_rfc3339("last tuesday"), None);
    }

    #[test]
    fn the_monotonic_clock_does_not_go_back() {
        let earlier = now();
        assert!(now().mono >= earlier.mono);
    }
}
