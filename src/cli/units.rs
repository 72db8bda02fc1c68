//! Times and sizes as people write them.

use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Reads a time such as `500ms`, `2s`, `1.5m` or `1h`.
///
/// # Errors
///
/// If it is not one of that form.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let (number, unit) = split(text);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "" => bail!("the unit is missing: ms, s, m or h"),
        _ => bail!("{unit:?} is no unit of time; there are ms, s, m and h"),
    };
    let number: f64 = number.parse().context("it starts with no number")?;
    Duration::try_from_secs_f64(number * seconds).context("it is out of range")
}

/// Reads a number of bytes such as `65536`, `64KiB`, `64MiB` or `1.5GiB`.
///
/// # Errors
///
/// If it is not one of that form.
pub(crate) fn bytes(text: &str) -> Result<usize> {
    let (number, unit) = split(text);
    let shift = match unit {
        "" | "B" => 0,
        "KiB" | "K" | "k" => 10,
        "MiB" | "M" => 20,
        "GiB" | "G" => 30,
        "TiB" | "T" => 40,
        _ => bail!("{unit:?} is no unit of size; there are B, KiB, MiB, GiB and TiB"),
    };
    let too_large = "it is out of range";
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().context("it starts with no number")?;
    let scale = 1_u64 << shift;
    let mut bytes = whole.checked_mul(scale).context(too_large)?;
    if !fraction.is_empty() {
        let fraction: f64 = format!("0.{fraction}").parse().context("it starts with no number")?;
        // At most a TiB, and rounded: exact in f64.
        bytes = bytes.checked_add((fraction * scale as f64) as u64).context(too_large)?;
    }
    usize::try_from(bytes).context(too_large)
}

/// The digits a text starts with, and the rest.
fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, duration};

    #[test]
    fn times() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("1m", 60_000),
            ("1.5s", 1_500),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text).ok(), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "2", "s", "2 days", "-1s", "1.2.3s", "99999999999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, size) in [
            ("0", 0),
            ("65536", 65_536),
            ("64KiB", 65_536),
            ("64MiB", 67_108_864),
            ("1.5GiB", 1_610_612_736),
        ] {
            assert_eq!(bytes(text).ok(), Some(size), "{text}");
        }
        for text in ["", "MiB", "64MB", "-1", "1.x", "99999999999999999999", "99999999TiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
