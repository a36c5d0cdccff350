//! The headers by which a subscriber learns how much of the limits is used up.

use std::time::Duration;

/// The window of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// Five hours.
    FiveHours,
    /// A week.
    SevenDays,
}

impl Window {
    /// How long a limit that was reached has still to go, if nobody says.
    pub(super) fn usually_left(self) -> Duration {
        Duration::from_secs(match self {
            Self::FiveHours => 30 * 60,
            Self::SevenDays => 3 * 24 * 60 * 60,
        })
    }
}

/// How much of both limits is used.
pub(super) struct Usage {
    /// The window whose limit is reached, and when that is over, in seconds since 1970.
    reached: Option<(Window, u64)>,
}

impl Usage {
    /// Little of both.
    pub(super) fn little() -> Self {
        Self { reached: None }
    }

    /// All of one.
    pub(super) fn reached(window: Window, resets_at: u64) -> Self {
        Self { reached: Some((window, resets_at)) }
    }

    /// The headers of an answer that is given `now`, in seconds since 1970.
    pub(super) fn headers(&self, now: u64) -> Vec<(&'static str, String)> {
        let of = |window: Window| match self.reached {
            Some((reached, reset)) if reached == window => ("rejected", "1.0", reset),
            Some(_) | None => ("allowed", "0.12", now + window.usually_left().as_secs()),
        };
        let five_hours = of(Window::FiveHours);
        let seven_days = of(Window::SevenDays);
        let (claim, decisive) = match self.reached {
            Some((Window::SevenDays, _)) => ("seven_day", seven_days),
            Some((Window::FiveHours, _)) | None => ("five_hour", five_hours),
        };
        vec![
            ("anthropic-ratelimit-unified-status", decisive.0.to_owned()),
            ("anthropic-ratelimit-unified-reset", decisive.2.to_string()),
            ("anthropic-ratelimit-unified-representative-claim", claim.to_owned()),
            ("anthropic-ratelimit-unified-5h-status", five_hours.0.to_owned()),
            ("anthropic-ratelimit-unified-5h-utilization", five_hours.1.to_owned()),
            ("anthropic-ratelimit-unified-5h-reset", five_hours.2.to_string()),
            ("anthropic-ratelimit-unified-7d-status", seven_days.0.to_owned()),
            ("anthropic-ratelimit-unified-7d-utilization", seven_days.1.to_owned()),
            ("anthropic-ratelimit-unified-7d-reset", seven_days.2.to_string()),
            ("anthropic-ratelimit-unified-overage-status", "rejected".to_owned()),
            (
                "anthropic-ratelimit-unified-overage-disabled-reason",
                "org_level_disabled".to_owned(),
            ),
        ]
    }
}
