//! The values that TOML has no type for: durations, sizes, and tables that are nothing but tables.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::{
    Error as AnyError, MapAccessDeserializer, StrDeserializer, UnitDeserializer,
};
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// The longest duration that is believed: beyond it, it is a typing error.
const LONGEST: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// The units of a duration, largest first, each in milliseconds.
const TIMES: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The units of a size, each with how many bits its factor shifts by.
const SIZES: [(&str, u32); 8] = [
    ("K", 10),
    ("KiB", 10),
    ("M", 20),
    ("MiB", 20),
    ("G", 30),
    ("GiB", 30),
    ("T", 40),
    ("TiB", 40),
];

/// A length of time: `"200ms"`, `"30s"`, `"5m"`, `"24h"`, `"1h30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawDuration(pub Duration);

impl<'de> Deserialize<'de> for RawDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = RawDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"30s\", in quotes and with a unit")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawDuration, E> {
                parse_duration(text).map(RawDuration).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<RawDuration, E> {
                let number = number.unsigned_abs();
                Err(E::custom(format!(
                    "is a number without a unit; write \"{number}s\" if seconds are meant"
                )))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// A number of bytes: `"512K"`, `"64MiB"`, `"2G"`, or an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSize(pub u64);

impl<'de> Deserialize<'de> for RawSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = RawSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"2G\", or a whole number of bytes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<RawSize, E> {
                parse_size(text).map(RawSize).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<RawSize, E> {
                u64::try_from(number)
                    .map(RawSize)
                    .map_err(|_| E::custom("is below zero; write a number of bytes, or \"2G\""))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// A table. A derived struct alone would also accept an array, taking its items for the fields in
/// the order in which we happen to declare them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Table<T>(pub T);

impl<T> Deref for Table<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = Table<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // The struct's own words for what it expects are to be had from its error only.
                let error = T::deserialize(UnitDeserializer::<AnyError>::new()).err();
                let error = error.map(|error| error.to_string()).unwrap_or_default();
                f.write_str(error.split_once(", expected ").map_or("a table", |(_, words)| words))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Table)
            }
        }
        deserializer.deserialize_any(OnlyMap(PhantomData))
    }
}

/// A word of a closed list. A derived enum alone would also look into tables for it.
pub(super) fn word<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Text<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one word in quotes")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            T::deserialize(StrDeserializer::new(text))
        }
    }
    deserializer.deserialize_any(Text(PhantomData)).map(Some)
}

/// One or more numbers, each with its unit, the larger units first.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{text:?} is no duration; write whole numbers with d, h, m, s or ms, the larger \
             first, such as \"30s\" or \"1h30m\""
        )
    };
    if text.is_empty() {
        return Err(wrong());
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("{text:?} has no unit; write \"{text}s\" if seconds are meant"));
    }
    let mut rest = text;
    let mut units = TIMES.iter();
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(until(rest, |c| !c.is_ascii_digit()));
        let (unit, after) = after.split_at(until(after, |c| c.is_ascii_digit()));
        // Going on where the last unit was found makes "5m5m" and "1m2h" errors.
        let factor = units.find(|(name, _)| *name == unit).map(|(_, millis)| *millis);
        let (Ok(number), Some(factor)) = (digits.parse::<u64>(), factor) else {
            return Err(wrong());
        };
        let part = number.checked_mul(factor).map(Duration::from_millis);
        sum = match part.and_then(|part| sum.checked_add(part)) {
            Some(sum) if sum <= LONGEST => sum,
            Some(_) | None => {
                return Err(format!("{text:?} is too long; write at most \"3650d\""));
            }
        };
        rest = after;
    }
    Ok(sum)
}

/// A number of bytes, or a number with K, M, G or T, each 1024 of the one before.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "{text:?} is no size; write a whole number with K, M, G or T (also KiB, MiB, GiB, \
             TiB; 1K = 1024), such as \"2G\""
        )
    };
    let (digits, unit) = text.split_at(until(text, |c| !c.is_ascii_digit()));
    let shift = match unit {
        "" => 0,
        unit => SIZES.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1,
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("{text:?} is too large; write less"))
}

/// Where in `text` the first such character is, or its length.
fn until(text: &str, stop: impl Fn(char) -> bool) -> usize {
    text.find(stop).unwrap_or(text.len())
}
