//! Words of others in conditions of ours, without what is another at each try.
//!
//! A cloud puts the id of the request and the time into every refusal. A condition that repeated them would be written, and
//! wake up all who watch it, each time that the same thing is refused again.

use crate::health::line;

/// What stands for what is another each time.
const HIDDEN: &str = "*";

/// A text as one short line without ids of requests and without moments.
pub(super) fn calm(text: &str) -> String {
    let text = without(&line(text), |c| c.is_ascii_alphanumeric() || "-:.+".contains(c), is_moment);
    without(&text, |c| c.is_ascii_alphanumeric() || c == '-', is_id)
}

/// A text with those of its words hidden that are such; what a word is made of differs.
fn without(text: &str, is_part: fn(char) -> bool, is_such: fn(&str) -> bool) -> String {
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, word) = rest.split_at(start);
        let (word, after) = word.split_at(word.find(|c| !is_part(c)).unwrap_or(word.len()));
        left.push_str(before);
        // The end of a sentence is none of the word.
        let bare = word.trim_end_matches(['.', ':', '-', '+']);
        left.push_str(if is_such(bare) { HIDDEN } else { bare });
        left.push_str(&word[bare.len()..]);
        rest = after;
    }
    left + rest
}

fn is_moment(word: &str) -> bool {
    word.len() >= 20 && word.parse::<jiff::Timestamp>().is_ok()
}

/// A UUID, or many hexadecimal digits.
fn is_id(word: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths = |word: &str| word.split('-').map(str::len).collect::<Vec<_>>();
    let is_uuid = || lengths(word) == [8, 4, 4, 4, 12] && word.split('-').all(is_hex);
    let is_long = || word.len() >= 16 && is_hex(word) && word.bytes().any(|byte| byte.is_ascii_digit());
    is_uuid() || is_long()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_another_each_time_is_hidden() {
        let table = [
            ("no capacity in westus3", "no capacity in westus3"),
            ("RequestId: 6f1c2b7e-9a51-4a3f-8c1d-0e2f3a4b5c6d, no quota.", "RequestId: *, no quota."),
            ("of /subscriptions/6F1C2B7E-9A51-4A3F-8C1D-0E2F3A4B5C6D/x", "of /subscriptions/*/x"),
            (r#"{"timestamp":"2026-03-02T08:00:00.123Z","code":"QuotaExceeded"}"#, r#"{"timestamp":"*","code":"QuotaExceeded"}"#),
            ("at 2026-03-02T08:00:00+01:00: it failed", "at *: it failed"),
            ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace *"),
            ("Standard_NC24ads_A100_v4 needs 24 of 0 cores", "Standard_NC24ads_A100_v4 needs 24 of 0 cores"),
            ("aks-wsphi4a1b2c-12345678-vmss000000 is gone", "aks-wsphi4a1b2c-12345678-vmss000000 is gone"),
            ("two\nlines", "two lines"),
            ("", ""),
        ];
        for (text, want) in table {
            assert_eq!(calm(text), want, "{text}");
        }
    }
}
