//! The date of a row in NanoClaw's database: one millisecond after all that is there, so that the
//! row is seen and no later message of a person is behind it. Dates are compared as texts there, so
//! the text is what must be later. Not here: what is there.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

/// How NanoClaw writes dates; only so do texts sort as dates do.
const FORM: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// So much before now is the date of the first row of all: the message of a person bears the second
/// in which it was sent, and comes in a little later.
const BEFORE_NOW: Duration = Duration::from_secs(3);

/// The date of the next row. `latest` is the latest text there is; `now` counts only if there is
/// none. `None`: no date is later than that text.
pub(crate) fn after(latest: &str, now: SystemTime) -> Option<String> {
    if latest.is_empty() {
        return Some(written(Timestamp::try_from(now.checked_sub(BEFORE_NOW)?).ok()?));
    }
    let latest_at = latest.parse::<Timestamp>().ok()?;
    let next = whole(latest_at)?.checked_add(SignedDuration::from_millis(1)).ok()?;
    // A channel may write whole seconds without a fraction, or another zone's hour: such a text can
    // be later than its date.
    let candidates = [Some(next), next_second(next), as_if_utc(latest).and_then(next_second)];
    let mut texts = candidates.into_iter().flatten().map(written);
    // A year before the first is written with a sign, and sorts nowhere.
    texts.find(|text| text.as_str() > latest && !text.starts_with('-'))
}

/// The time that such a text means.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

fn written(at: Timestamp) -> String {
    at.strftime(FORM).to_string()
}

/// Without what is less than a millisecond.
fn whole(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_millisecond(at.as_millisecond()).ok()
}

fn next_second(at: Timestamp) -> Option<Timestamp> {
    let second = Timestamp::from_second(at.as_second()).ok()?;
    second.checked_add(SignedDuration::try_from(Duration::from_secs(1)).ok()?).ok()
}

/// The digits of a date, read without its zone.
fn as_if_utc(text: &str) -> Option<Timestamp> {
    format!("{}Z", text.get(..19)?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> SystemTime {
        parse("2026-05-27T10:00:00.500Z").unwrap()
    }

    #[test]
    fn it_is_a_millisecond_later_than_all_and_now_only_if_there_is_nothing() {
        for (latest, next) in [
            ("", "2026-05-27T09:59:57.500Z"),
            ("2026-05-27T06:15:25.000Z", "2026-05-27T06:15:25.001Z"),
            ("2026-05-27T06:15:25.999Z", "2026-05-27T06:15:26.000Z"),
            ("2030-01-01T00:00:00.000Z", "2030-01-01T00:00:00.001Z"),
            // The text without a fraction sorts behind all of its second.
            ("2026-05-27T06:15:25Z", "2026-05-27T06:15:26.000Z"),
            ("2026-05-27T06:15:25.123456Z", "2026-05-27T06:15:25.124Z"),
            ("2026-05-27T08:15:25+02:00", "2026-05-27T08:15:26.000Z"),
        ] {
            let text = after(latest, now()).unwrap();
            assert_eq!(text, next, "after {latest:?}");
            assert!(text.as_str() > latest);
        }
    }

    #[test]
    fn after_a_text_that_is_no_date_there_is_nothing() {
        assert_eq!(after("zzz", now()), None);
        assert_eq!(after("9999-12-31T23:59:59.999Z", now()), None);
        assert_eq!(after("-000001-05-27T06:15:25Z", now()), None);
    }
}
