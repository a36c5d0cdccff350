//! When a usage limit is reset, out of what the program says: `resets 3:33pm (UTC)`, `limit resets
//! Nov 24, 6:15pm`, `retrying in 1h (9:57pm)`, `Continuing automatically at 3:33pm`. It names the time
//! of day in its own time zone, whole minutes, and the date only where the day is another.

use std::time::{Duration, SystemTime};

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::decide::Failure;

/// What stands before the time, without white space.
const BEFORE: [&str; 5] =
    ["resets", "resetat", "Continuingautomaticallyat", "continueautomaticallyat", "retryingin"];
/// In the text of a limit that is reset within five hours.
const FIVE_HOURS: &str = "5-hour";

/// A time of day that has passed is that of the next day, unless it has passed just now: the program
/// goes on more than a minute after the reset, and until then its words stand on the screen.
const JUST_NOW: Duration = Duration::from_secs(15 * 60);
/// Of a limit of five hours even one that has passed long ago was no tomorrow.
const LONG_AGO: Duration = Duration::from_secs(18 * 60 * 60);
/// A date has no year. None is further ahead than the rest of the year that begins so long ago.
const DATE_AGO: Duration = Duration::from_secs(300 * 24 * 60 * 60);

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A limit with the time of its reset, if `text` says that; every other failure as it is.
pub(super) fn dated(failure: Failure, text: &str, now: SystemTime) -> Failure {
    match failure {
        Failure::Limited { until: None } => Failure::Limited { until: reset(text, now) },
        Failure::Limited { until: Some(_) }
        | Failure::LoggedOut
        | Failure::Unpaid
        | Failure::Misconfigured
        | Failure::Errored
        | Failure::Wedged(_) => failure,
    }
}

/// When the limit is reset that `text` tells of; none if it does not say so. It may have passed.
pub(super) fn reset(text: &str, now: SystemTime) -> Option<SystemTime> {
    reset_from(text, now, &TimeZone::system())
}

fn reset_from(text: &str, now: SystemTime, local: &TimeZone) -> Option<SystemTime> {
    // Where a pane breaks its lines says nothing.
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let now = Timestamp::try_from(now).ok()?;
    let mut places = BEFORE.iter().flat_map(|words| {
        let after = text.match_indices(words).filter_map(|(at, _)| text.get(at + words.len()..));
        after.map(move |rest| (words, rest))
    });
    let told = places.find_map(|(words, rest)| {
        // How long it takes stands before when that is.
        let rest = if *words == "retryingin" { rest.split_once('(')?.1 } else { rest };
        Told::read(rest.strip_prefix("at").unwrap_or(rest))
    })?;
    let zone = match &told.zone {
        Some(name) => TimeZone::get(name).ok()?,
        None => local.clone(),
    };
    let five_hours = text.contains(FIVE_HOURS);
    told.next(now, &zone, five_hours).map(SystemTime::from)
}

/// A time as it is told.
struct Told {
    /// Month and day.
    date: Option<(i8, i8)>,
    time: Time,
    zone: Option<String>,
}

impl Told {
    /// Reads what `text` begins with.
    fn read(text: &str) -> Option<Self> {
        let (date, text) = match date(text) {
            Some((date, rest)) => (Some(date), rest),
            None => (None, text),
        };
        let (time, rest) = time(text)?;
        let zone = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        Some(Self { date, time, zone: zone.map(|(name, _)| name.to_owned()) })
    }

    fn next(&self, now: Timestamp, zone: &TimeZone, five_hours: bool) -> Option<Timestamp> {
        let today = now.to_zoned(zone.clone()).date();
        let at = |date: Date| {
            let there = date.to_datetime(self.time).to_zoned(zone.clone());
            there.ok().map(|there| there.timestamp())
        };
        let first_after = |ago: Duration, dates: [Option<Date>; 3]| {
            let from = now.checked_sub(ago).ok()?;
            dates.into_iter().flatten().filter_map(at).find(|at| *at >= from)
        };
        match self.date {
            Some((month, day)) => {
                let of = |year| Date::new(year, month, day).ok();
                first_after(DATE_AGO, [-1, 0, 1].map(|more| of(today.year() + more)))
            }
            None => {
                let ago = if five_hours { LONG_AGO } else { JUST_NOW };
                let dates = [-1, 0, 1].map(|days: i64| today.checked_add(days.days()).ok());
                first_after(ago, dates)
            }
        }
    }
}

/// `Nov24,`, and what follows.
fn date(text: &str) -> Option<((i8, i8), &str)> {
    let word = text.find(|c: char| !c.is_ascii_alphabetic())?;
    let name = text.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|month| *month == name).filter(|_| word >= 3)?;
    let (day, rest) = number(text.get(word..)?)?;
    let rest = rest.strip_prefix(',').unwrap_or(rest);
    let rest = rest.strip_prefix("at").unwrap_or(rest);
    Some(((i8::try_from(month + 1).ok()?, day), rest))
}

/// `3:33pm`, `3pm`, `15:33`, and what follows.
fn time(text: &str) -> Option<(Time, &str)> {
    let (hour, rest) = number(text)?;
    let (minute, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest).map(|(minute, rest)| (Some(minute), rest))?,
        None => (None, rest),
    };
    let half = rest.get(..2).map(str::to_ascii_lowercase);
    let afternoon = match half.as_deref() {
        Some("am") => Some(false),
        Some("pm") => Some(true),
        Some(_) | None => None,
    };
    let hour = match afternoon {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(afternoon) => hour % 12 + if afternoon { 12 } else { 0 },
        // A number alone may be anything.
        None => minute.map(|_| hour)?,
    };
    let rest = if afternoon.is_some() { rest.get(2..)? } else { rest };
    Some((Time::new(hour, minute.unwrap_or(0), 0, 0).ok()?, rest))
}

/// One of one or two digits, and what follows.
fn number(text: &str) -> Option<(i8, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let digits = text.get(..end).filter(|digits| digits.len() <= 2)?;
    Some((digits.parse().ok()?, text.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is then in UTC, and the clocks of the house show an hour more.
    fn reads(text: &str, now: &str) -> Option<String> {
        let local = TimeZone::fixed(jiff::tz::offset(1));
        let now: Timestamp = now.parse().unwrap();
        let reset = reset_from(text, now.into(), &local)?;
        Some(Timestamp::try_from(reset).unwrap().to_string())
    }

    const NOON: &str = "2026-11-21T12:00:00Z";

    #[test]
    fn a_reset_is_read_in_its_own_time_zone() {
        for (text, reset) in [
            ("You've hit your 5-hour limit · resets 3:33pm (UTC)", "2026-11-21T15:33:00Z"),
            ("You've hit your 5-hour limit · resets 4:20pm (Asia/Tbilisi)", "2026-11-21T12:20:00Z"),
            ("You've hit your limit · resets 3pm (Europe/Berlin)", "2026-11-21T14:00:00Z"),
            ("weekly limit · resets Nov 24, 1:40pm (UTC)", "2026-11-24T13:40:00Z"),
            ("weekly limit · resets Nov 24 at 1pm (UTC)", "2026-11-24T13:00:00Z"),
            ("weekly limit · resets November 24, 1pm (UTC)", "2026-11-24T13:00:00Z"),
            ("resets Nov 24, 9:32\npm (U\nTC)", "2026-11-24T21:32:00Z"),
            (
                "Automatic continue stopped · the usage limit now resets more than 24 hours out\n \
                 ⎿  You've hit your weekly limit · resets Nov 24, 9:42pm (UTC)",
                "2026-11-24T21:42:00Z",
            ),
            ("resets 15:33 (UTC)", "2026-11-21T15:33:00Z"),
            ("Your limit will reset at 12am (UTC).", "2026-11-22T00:00:00Z"),
            ("resets 12:30pm (UTC)", "2026-11-21T12:30:00Z"),
        ] {
            assert_eq!(reads(text, NOON).as_deref(), Some(reset), "{text}");
        }
    }

    #[test]
    fn without_a_zone_it_is_the_time_of_the_house() {
        for (text, reset) in [
            ("⚠ Usage limit reached · limit resets 7:03pm", "2026-11-21T18:03:00Z"),
            ("Continuing automatically at 3:33pm · Esc to cancel", "2026-11-21T14:33:00Z"),
            ("set to continue automatically at 3:33pm", "2026-11-21T14:33:00Z"),
            ("continue automatically at Nov 24, 6:15pm", "2026-11-24T17:15:00Z"),
            ("Limit reached · retrying in 1h (9:57pm) · attempt 1/300", "2026-11-21T20:57:00Z"),
            (
                "Weekly limit reached · retrying in 5h (Nov 22, 8:57pm) · attempt 1/300",
                "2026-11-22T19:57:00Z",
            ),
            ("resets 1PM", "2026-11-21T12:00:00Z"),
        ] {
            assert_eq!(reads(text, NOON).as_deref(), Some(reset), "{text}");
        }
    }

    #[test]
    fn what_has_passed_comes_again_unless_it_has_passed_just_now() {
        for (text, now, reset) in [
            ("resets 11:30am (UTC)", "2026-11-21T13:00:00Z", "2026-11-22T11:30:00Z"),
            ("resets 11:30am (UTC)", "2026-11-21T11:31:10Z", "2026-11-21T11:30:00Z"),
            ("resets 11:50pm (UTC)", "2026-11-22T00:01:00Z", "2026-11-21T23:50:00Z"),
            ("5-hour limit · resets 11:30am (UTC)", "2026-11-21T18:00:00Z", "2026-11-21T11:30:00Z"),
            ("5-hour limit · resets 2am (UTC)", "2026-11-21T21:30:00Z", "2026-11-22T02:00:00Z"),
            ("resets Nov 24, 1pm (UTC)", "2026-11-25T13:00:00Z", "2026-11-24T13:00:00Z"),
            ("resets Jan 2, 1pm (UTC)", "2026-12-30T13:00:00Z", "2027-01-02T13:00:00Z"),
            ("resets Dec 30, 1pm (UTC)", "2027-01-02T13:00:00Z", "2026-12-30T13:00:00Z"),
            ("resets Feb 29, 1pm (UTC)", "2028-02-27T13:00:00Z", "2028-02-29T13:00:00Z"),
        ] {
            assert_eq!(reads(text, now).as_deref(), Some(reset), "{text} at {now}");
        }
    }

    #[test]
    fn nonsense_says_nothing() {
        for text in [
            "",
            "You've hit your 5-hour limit",
            "resets soon",
            "resets 3",
            "resets in 3 hours",
            "resets 25:00 (UTC)",
            "resets 13pm (UTC)",
            "resets 0am (UTC)",
            "resets 3:99pm (UTC)",
            "resets 3:pm",
            "resets 1234pm",
            "resets Nov 31, 1pm (UTC)",
            "resets Nov 24",
            "resets 3pm (Middle/Earth)",
            "retrying in 2s · attempt 3/10",
            "resets 3\u{e9}\u{e9}",
        ] {
            assert_eq!(reads(text, NOON), None, "{text}");
        }
    }
}
