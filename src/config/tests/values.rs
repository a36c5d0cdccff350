//! Durations and sizes in every form.

use super::*;

fn stop_grace(written: &str) -> Result<Duration, String> {
    let text = format!("[services.a]\ncommand = ['a']\nstop_grace = {written}");
    parse(&text).map(|config| unit(&config, "a").stop_grace).map_err(|error| error.to_string())
}

fn memory_max(written: &str) -> Result<u64, String> {
    let text = format!("[services.a]\ncommand = ['a']\nmemory_max = {written}");
    let unit = parse(&text).map(|config| unit(&config, "a"));
    unit.map(|unit| unit.memory_max.unwrap()).map_err(|error| error.to_string())
}

#[test]
fn every_form_of_a_duration_is_understood() {
    for (written, millis) in [
        ("'0s'", 0),
        ("'200ms'", 200),
        ("'30s'", 30_000),
        ("'5m'", 300_000),
        ("'24h'", 86_400_000),
        ("'2d'", 172_800_000),
        ("'1h30m'", 5_400_000),
        ("'1d2h3m4s5ms'", 93_784_005),
        ("'1m500ms'", 60_500),
        ("'3650d'", 315_360_000_000),
    ] {
        assert_eq!(stop_grace(written), Ok(Duration::from_millis(millis)), "{written}");
    }
}

#[test]
fn what_is_no_duration_is_told_with_an_example() {
    let no_duration = "is no duration; write whole numbers with d, h, m, s or ms, the larger \
                       first, such as \"30s\" or \"1h30m\"";
    let too_long = "is too long; write at most \"3650d\"";
    for (text, what) in [
        ("", no_duration),
        ("s", no_duration),
        ("30 s", no_duration),
        ("-5s", no_duration),
        ("1.5h", no_duration),
        ("30S", no_duration),
        ("5min", no_duration),
        ("1m1h", no_duration),
        ("5m5m", no_duration),
        ("1h30", no_duration),
        ("never", no_duration),
        ("٣s", no_duration),
        ("99999999999999999999s", no_duration),
        ("3651d", too_long),
        ("18446744073709551615d", too_long),
        ("30", "has no unit; write \"30s\" if seconds are meant"),
    ] {
        let expected = format!("/etc/s.toml:3: services.a.stop_grace: {text:?} {what}");
        assert_eq!(stop_grace(&format!("'{text}'")), Err(expected), "{text}");
    }
}

#[test]
fn every_form_of_a_size_is_understood() {
    for (written, bytes) in [
        ("1", 1),
        ("1_000", 1000),
        ("'4096'", 4096),
        ("'512K'", 512 << 10),
        ("'512KiB'", 512 << 10),
        ("'64M'", 64 << 20),
        ("'64MiB'", 64 << 20),
        ("'2G'", 2 << 30),
        ("'2GiB'", 2 << 30),
        ("'1T'", 1 << 40),
        ("'1TiB'", 1 << 40),
    ] {
        assert_eq!(memory_max(written), Ok(bytes), "{written}");
    }
}

#[test]
fn what_is_no_size_is_told_with_an_example() {
    let no_size = "is no size; write a whole number with K, M, G or T (also KiB, MiB, GiB, TiB; \
                   1K = 1024), such as \"2G\"";
    for text in ["", "G", "2GB", "2g", "1.5G", "-1G", "2 G", "99999999999999999999"] {
        let expected = format!("/etc/s.toml:3: services.a.memory_max: {text:?} {no_size}");
        assert_eq!(memory_max(&format!("'{text}'")), Err(expected), "{text}");
    }
    let too_large = memory_max("'18446744073709551615T'").unwrap_err();
    assert!(too_large.ends_with("is too large; write less"), "{too_large}");
}
