//! The SSH keys that may sign, as OpenSSH keeps them (ssh-keygen(1), under "allowed signers"); a line that is a public key alone is
//! one that always may.

use jiff::civil::DateTime;
use russh::keys::PublicKey;
use russh::keys::ssh_key::public::KeyData;

use crate::source::git::remote::fits;

/// What git signs for.
pub(super) const NAMESPACE: &str = "git";

/// A key that may sign, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Allowed {
    /// Whose key it is, by what the line says.
    pub principals: String,
    pub key: KeyData,
    /// Patterns of what it may sign for; anything without them.
    namespaces: Option<String>,
    /// Seconds since 1970.
    valid_after: Option<i64>,
    valid_before: Option<i64>,
}

/// What stands before a key.
#[derive(Default)]
struct Options {
    namespaces: Option<String>,
    valid_after: Option<i64>,
    valid_before: Option<i64>,
}

/// Reads the lines of a file; the error names the line.
pub(super) fn read(text: &str) -> Result<Vec<Allowed>, String> {
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let told = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    told.map(|(number, line)| read_line(line).map_err(|why| format!("line {number}: {why}"))).collect()
}

fn read_line(line: &str) -> Result<Allowed, String> {
    if let Ok(key) = line.parse::<PublicKey>() {
        let principals = String::from_utf8_lossy(key.comment().as_bytes()).into_owned();
        return Ok(Allowed { principals, key: key.key_data().clone(), namespaces: None, valid_after: None, valid_before: None });
    }
    let (principals, rest) = word(line)?;
    if principals.is_empty() || principals.split(',').all(|principal| principal.starts_with('!')) {
        return Err("it names nobody whose key it is".to_owned());
    }
    let (options, key) = if let Ok(key) = rest.parse::<PublicKey>() {
        (Options::default(), key)
    } else {
        let (told, rest) = word(rest)?;
        let key = rest.parse::<PublicKey>().map_err(|_| "there is no public key in it, such as ssh-ed25519 AAAA...".to_owned())?;
        (Options::read(told)?, key)
    };
    let Options { namespaces, valid_after, valid_before } = options;
    let principals = principals.trim_matches('"').to_owned();
    Ok(Allowed { principals, key: key.key_data().clone(), namespaces, valid_after, valid_before })
}

/// The first word, which may have blanks within quotes, and what follows it.
fn word(line: &str) -> Result<(&str, &str), String> {
    let mut is_quoted = false;
    let end = line.find(|character: char| {
        is_quoted ^= character == '"';
        character.is_whitespace() && !is_quoted
    });
    if is_quoted {
        return Err("a quotation mark is missing".to_owned());
    }
    let (first, rest) = line.split_at(end.unwrap_or(line.len()));
    Ok((first, rest.trim_start()))
}

impl Options {
    fn read(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        let mut is_quoted = false;
        let told = text.split(|character: char| {
            is_quoted ^= character == '"';
            character == ',' && !is_quoted
        });
        for option in told {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            match (name.to_lowercase().as_str(), value) {
                ("namespaces", Some(patterns)) => options.namespaces = Some(patterns.to_owned()),
                ("valid-after", Some(time)) => options.valid_after = Some(seconds(time)?),
                ("valid-before", Some(time)) => options.valid_before = Some(seconds(time)?),
                ("cert-authority", _) => {
                    return Err("authorities that certify keys are not known here: list the keys that they certify".to_owned());
                }
                ("namespaces" | "valid-after" | "valid-before", None) => return Err(format!("write {name}=\"...\", with quotation marks")),
                _ => return Err(format!("{name:?} is neither a key nor one of namespaces, valid-after and valid-before")),
            }
        }
        match (options.valid_after, options.valid_before) {
            (Some(after), Some(before)) if after >= before => Err("it ends to be valid before it begins".to_owned()),
            _ => Ok(options),
        }
    }
}

/// A moment as `YYYYMMDD[HHMM[SS]]`, with or without a `Z`. It is UTC in any case: what is valid shouldn't hang on where this runs.
fn seconds(text: &str) -> Result<i64, String> {
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let number = |from: usize, to: usize| digits.get(from..to).map_or(Ok(0), str::parse::<i8>).ok();
    let moment = || {
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) || ![8, 12, 14].contains(&digits.len()) {
            return None;
        }
        let year = digits[..4].parse().ok()?;
        let moment = DateTime::new(year, number(4, 6)?, number(6, 8)?, number(8, 10)?, number(10, 12)?, number(12, 14)?, 0).ok()?;
        jiff::tz::Offset::UTC.to_timestamp(moment).ok().map(jiff::Timestamp::as_second)
    };
    moment().ok_or_else(|| format!("{text:?} is no moment: write YYYYMMDD or YYYYMMDDHHMM"))
}

impl Allowed {
    /// What keeps it from signing for git at this moment, in seconds since 1970.
    pub(super) fn restriction(&self, at: i64) -> Option<String> {
        if self.namespaces.as_deref().is_some_and(|patterns| !is_among(patterns, NAMESPACE)) {
            return Some(format!("may not sign for {NAMESPACE}, but for {}", self.namespaces.as_deref().unwrap_or_default()));
        }
        match (self.valid_after, self.valid_before) {
            (Some(after), _) if at < after => {
                Some(format!("is valid from {} on, and the commit is of {}", super::day(after), super::day(at)))
            }
            (_, Some(before)) if at > before => {
                Some(format!("was valid until {}, and the commit is of {}", super::day(before), super::day(at)))
            }
            _ => None,
        }
    }
}

/// Whether a name fits one of some patterns, and none that excludes it.
fn is_among(patterns: &str, name: &str) -> bool {
    let mut excluded = patterns.split(',').filter_map(|pattern| pattern.strip_prefix('!'));
    !excluded.any(|pattern| fits(pattern, name)) && patterns.split(',').any(|pattern| fits(pattern, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";
    /// 2024-06-01.
    const JUNE: i64 = 1_717_200_000;

    #[test]
    fn lines() {
        let table = [
            (format!("dev@example.com {KEY}"), Ok("dev@example.com")),
            (format!("# who\n\n  dev@example.com,*@example.org\t{KEY} a # comment"), Ok("dev@example.com,*@example.org")),
            (format!("\"a person\" {KEY}"), Ok("a person")),
            (format!("{KEY} flux@example.com"), Ok("flux@example.com")),
            (KEY.to_owned(), Ok("")),
            (format!("dev namespaces=\"git\" {KEY}"), Ok("dev")),
            (format!("dev Namespaces=\"file,g*\",valid-after=\"20240601\" {KEY}"), Ok("dev")),
            (format!("dev namespaces=\"file\" {KEY}"), Err("may not sign for git, but for file")),
            (format!("dev namespaces=\"*,!git\" {KEY}"), Err("may not sign for git")),
            (format!("dev valid-after=\"20240602\" {KEY}"), Err("is valid from 2024-06-02T00:00:00Z on")),
            (format!("dev valid-after=\"202406010001Z\" {KEY}"), Err("is valid from 2024-06-01T00:01:00Z on")),
            (format!("dev valid-before=\"20240531235959\" {KEY}"), Err("was valid until 2024-05-31T23:59:59Z")),
            (format!("dev valid-before=\"20240601Z\" {KEY}"), Ok("dev")),
        ];
        for (text, want) in table {
            let allowed = read(&text).unwrap().remove(0);
            match (allowed.restriction(JUNE), want) {
                (None, Ok(principals)) => assert_eq!(allowed.principals, principals, "{text}"),
                (Some(why), Err(want)) => assert!(why.contains(want), "{text}: {why}"),
                (have, want) => panic!("{text}: {have:?}, not {want:?}"),
            }
        }
        let faults = [
            ("dev@example.com".to_owned(), "there is no public key in it"),
            (format!("{KEY}\ndev ssh-ed25519 AAAA"), "line 2: "),
            (format!("!dev {KEY}"), "names nobody"),
            (format!("dev cert-authority {KEY}"), "list the keys that they certify"),
            (format!("dev cert-authority,namespaces=\"git\" {KEY}"), "list the keys that they certify"),
            (format!("dev namespaces=git {KEY}"), "with quotation marks"),
            (format!("dev namespaces=\"git {KEY}"), "a quotation mark is missing"),
            (format!("dev verify-required {KEY}"), "\"verify-required\" is neither"),
            (format!("dev valid-after=\"2024-06-01\" {KEY}"), "is no moment"),
            (format!("dev valid-after=\"20241301\" {KEY}"), "is no moment"),
            (format!("dev valid-after=\"20240601\",valid-before=\"20240601\" {KEY}"), "ends to be valid before it begins"),
        ];
        for (text, want) in faults {
            let why = read(&text).unwrap_err();
            assert!(why.contains(want), "{text}: {why}");
        }
    }
}
