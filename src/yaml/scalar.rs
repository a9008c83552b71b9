//! What a plain scalar means to kubectl: Go's `sigs.k8s.io/yaml`, which is YAML 1.1 as `gopkg.in/yaml.v2` has it.
//!
//! One exception: a bare `y` or `n` is a string here, as in YAML 1.2 and for most YAML libraries, since people mean the letter.
//! It is written in quotes, so that Go reads the letter too.

use serde_json::Number;

use super::node::Kind;

/// The meaning of an unquoted scalar.
pub(super) enum Scalar {
    /// The string that it is.
    Text,
    /// Something else.
    Other(Kind),
    /// `.inf` and `.nan`, which JSON can't say.
    NotFinite,
}

/// What an unquoted scalar means.
pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Other(Kind::Null),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => return Scalar::Other(Kind::Bool(true)),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => return Scalar::Other(Kind::Bool(false)),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" => {
            return Scalar::NotFinite;
        }
        _ => {}
    }
    let number = match text.as_bytes()[0] {
        b'0'..=b'9' | b'+' | b'-' => number(&text.replace('_', "")),
        b'.' => float(text),
        _ => None,
    };
    number.map_or(Scalar::Text, |number| Scalar::Other(Kind::Number(number)))
}

fn number(text: &str) -> Option<Number> {
    integer(text).or_else(|| float(text))
}

/// An integer as `strconv.ParseInt` with base 0 reads it: 0x, 0o, 0b and a leading 0 for octal.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if !negative {
        return Some(magnitude.into());
    }
    0_i64.checked_sub_unsigned(magnitude).map(Number::from)
}

/// A decimal number; one without a fraction becomes an integer, as it does on its way through Go's JSON.
fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mantissa_end = unsigned.find(['e', 'E']).unwrap_or(unsigned.len());
    let mantissa = &unsigned[..mantissa_end];
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let well_formed = digits > 0 && mantissa.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && digits + 1 >= mantissa.len();
    if !well_formed {
        return None;
    }
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Some((value as i64).into());
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_go_reads() {
        let table = [
            ("yes", "true"),
            ("off", "false"),
            ("y", "\"y\""),
            ("N", "\"N\""),
            ("~", "null"),
            ("Null", "null"),
            ("nUll", "\"nUll\""),
            ("1_000", "1000"),
            ("0644", "420"),
            ("012", "10"),
            ("08", "8"),
            ("0o14", "12"),
            ("0x1F", "31"),
            ("0b11", "3"),
            ("1e3", "1000"),
            ("1.10", "1.1"),
            (".5", "0.5"),
            ("1.", "1"),
            ("+5", "5"),
            ("-0x10", "-16"),
            ("--5", "\"--5\""),
            ("1.2.3", "\"1.2.3\""),
            ("12:30:45", "\"12:30:45\""),
            ("2001-01-01", "\"2001-01-01\""),
            ("1e", "\"1e\""),
            (".", "\".\""),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("0x", "\"0x\""),
        ];
        for (text, want) in table {
            let kind = match resolve(text) {
                Scalar::Text => Kind::String(text.into()),
                Scalar::Other(kind) => kind,
                Scalar::NotFinite => panic!("{text}"),
            };
            let node = super::super::Node { span: 0..0, kind };
            assert_eq!(node.to_value().to_string(), want, "{text}");
        }
        assert!(matches!(resolve(".inf"), Scalar::NotFinite));
    }
}
