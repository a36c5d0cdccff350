//! Where a letter stands: queued, delivered (NanoClaw has it), taken (its agent was woken by it), and
//! at its end done, dead or dropped. Not here: what moves it.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// Where a letter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nobody gets it until it is released.
    Held,
    /// To be given to NanoClaw.
    Queued,
    /// NanoClaw has it.
    Delivered,
    /// Its agent was woken by it.
    Taken,
    /// Acknowledged, or shown to have been worked on.
    Done,
    /// Given up.
    Dead,
    /// Taken out by hand.
    Dropped,
}

impl State {
    /// All of them, from the least advanced one.
    pub const ALL: [Self; 7] = [
        Self::Held,
        Self::Queued,
        Self::Delivered,
        Self::Taken,
        Self::Dead,
        Self::Dropped,
        Self::Done,
    ];

    /// Its word, in the ledger and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Taken => "taken",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }

    /// Reads what [`State::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing more will happen to it by itself.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Dead | Self::Dropped)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ToSql for State {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_str()))
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}
