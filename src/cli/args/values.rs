//! Words of the command line that are more than text.

/// How many lines of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Lines(pub(in crate::cli) usize);

impl std::str::FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self(usize::MAX)),
            number => {
                number.parse().map(Self).map_err(|_| "a number of lines, or `all`".to_owned())
            }
        }
    }
}

pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| std::time::Duration::try_from(duration).ok())
        .ok_or_else(|| "a duration such as 30s, 5m or 24h".to_owned())
}

pub(super) fn typeable(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("there is nothing to type".to_owned());
    }
    if text.contains(|c: char| c.is_control() && c != '\n') {
        return Err("plain text, without control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A text that says something.
pub(super) fn not_blank(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text.to_owned())
}
