//! Kubernetes quantities of memory and storage: `27.31Gi`, `80Gi`, `500M`.
//!
//! Source: the Kubernetes API conventions on resource quantities.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What JSON schemas call the format.
pub const FORMAT: &str = "quantity";

/// A quantity as it was written, known to be one.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("format" = FORMAT))]
pub struct Quantity {
    text: String,
    bytes: u64,
}

impl Quantity {
    /// The bytes, a fraction rounded up.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Default for Quantity {
    fn default() -> Self {
        Self { text: "0".to_owned(), bytes: 0 }
    }
}

impl TryFrom<String> for Quantity {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // More than a PiB is a slip of the pen.
        match bytes(&text).filter(|bytes| *bytes <= 1 << 50) {
            Some(bytes) => Ok(Self { text, bytes }),
            None => Err(format!("{text:?} is no size: write it as 80Gi")),
        }
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.text
    }
}

/// One GiB in bytes.
pub const GIB: u64 = 1 << 30;

/// The bytes of a quantity, a fraction of a byte rounded up as Kubernetes does; `None` if it isn't one.
pub fn bytes(text: &str) -> Option<u64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits_end);
    let factor: u128 = match suffix {
        "" => 1,
        "k" => 1000,
        "M" => 1000_u128.pow(2),
        "G" => 1000_u128.pow(3),
        "T" => 1000_u128.pow(4),
        "P" => 1000_u128.pow(5),
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 || whole.len() > 18 {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    u64::try_from(digits.checked_mul(factor)?.div_ceil(scale)).ok()
}

/// Whether two quantities are exactly the same, however they are written: `0.5` and `500m`, `1024Mi` and `1Gi`.
pub fn is_same(one: &str, other: &str) -> bool {
    nano(one).is_some_and(|amount| nano(other) == Some(amount))
}

/// The billionths of a quantity, the least part that Kubernetes keeps, rounded up as it does; `None` if it isn't one.
fn nano(text: &str) -> Option<u128> {
    const NANO: u128 = 1_000_000_000;
    let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits_end);
    let factor: u128 = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => NANO,
        "k" => NANO * 1000,
        "M" => NANO * 1000_u128.pow(2),
        "G" => NANO * 1000_u128.pow(3),
        "T" => NANO * 1000_u128.pow(4),
        "P" => NANO * 1000_u128.pow(5),
        "E" => NANO * 1000_u128.pow(6),
        "Ki" => NANO << 10,
        "Mi" => NANO << 20,
        "Gi" => NANO << 30,
        "Ti" => NANO << 40,
        "Pi" => NANO << 50,
        "Ei" => NANO << 60,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_number = !(whole.is_empty() && fraction.is_empty()) && whole.len() <= 18 && fraction.len() <= 9 && !fraction.contains('.');
    let digits: u128 = is_number.then(|| format!("{whole}{fraction}").parse().ok()).flatten()?;
    Some(digits.checked_mul(factor)?.div_ceil(10_u128.pow(u32::try_from(fraction.len()).ok()?)))
}

/// Bytes in GiB, for people: `27.31 GiB`, `80 GiB`.
pub fn gib_text(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
    let gib = bytes as f64 / GIB as f64;
    let text = format!("{gib:.2}");
    format!("{} GiB", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Nanoseconds of a duration as Go's `time.ParseDuration` reads it; `None` if it isn't one.
pub fn nanoseconds(text: &str) -> Option<u128> {
    const UNITS: [(&str, u128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let mut rest = text;
    let mut sum = 0_u128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &tail[..unit_end])?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || whole.len() > 12 || fraction.len() > 12 {
            return None;
        }
        let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
        sum += digits * unit / 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        rest = &tail[unit_end..];
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same() {
        let table = [
            ("0.5", "500m", true),
            ("1024Mi", "1Gi", true),
            ("1", "1.000", true),
            ("1000m", "1", true),
            ("0.5", "1", false),
            ("1Gi", "1G", false),
            ("1E", "1000P", true),
            ("1Ei", "1024Pi", true),
            ("x", "x", false),
            ("1.2.3", "1.2.3", false),
            ("", "", false),
        ];
        for (one, other, want) in table {
            assert_eq!(is_same(one, other), want, "{one} and {other}");
        }
    }

    #[test]
    fn quantities() {
        let table = [
            ("80Gi", Some(80 * GIB)),
            ("27.31Gi", Some(29_323_889_214)),
            ("1024Gi", Some(1 << 40)),
            ("0.5Ki", Some(512)),
            ("500M", Some(500_000_000)),
            ("12", Some(12)),
            (".5Ki", Some(512)),
            ("", None),
            ("Gi", None),
            ("80 Gi", None),
            ("1e3", None),
            ("-1", None),
        ];
        for (text, want) in table {
            assert_eq!(bytes(text), want, "{text}");
        }
        assert_eq!(gib_text(29_323_889_214), "27.31 GiB");
        assert_eq!(gib_text(80 * GIB), "80 GiB");
    }
}
