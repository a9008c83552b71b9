//! Secrets: one that is known is a [`Secret`]; and what looks like one, as names of variables, flags and fields that hold one, and tokens,
//! passwords and keys within texts.
//!
//! The latter are rules of thumb. What they miss is shown, so that a name or a form too many is the lesser evil.

mod secret;

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

pub use secret::{Secret, hide};

/// Parts of names that hold secrets, in small letters and without what stands between words.
const NAMES: [&str; 13] = [
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "apikey",
    "accesskey",
    "privatekey",
    "accountkey",
    "storagekey",
    "credential",
    "connectionstring",
    "authorization",
];

/// Parts of names that hold none, though one of the above is in them: limits, and what models call tokens.
const HARMLESS: [&str; 12] = [
    "tokens",
    "tokenizer",
    "bostoken",
    "eostoken",
    "padtoken",
    "unktoken",
    "septoken",
    "clstoken",
    "masktoken",
    "stoptoken",
    "imagetoken",
    "tokenid",
];

/// How names of fields end that say where a secret is: `secretName`, `tokenSecretRef`, `imagePullSecret`.
const REFERENCES: [&str; 7] = ["Secret", "Secrets", "Name", "Ref", "Namespace", "Path", "File"];

/// How tokens of known services begin.
const PREFIXES: &str = "hf_|ghp_|gho_|ghs_|github_pat_|glpat-|sk-|xoxb-|AKIA|eyJ";

/// A form in which secrets stand in texts; its last group is the secret.
struct Form {
    /// One of these is in every text of that form: to look for them is quick.
    needles: &'static [&'static str],
    regex: Regex,
}

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let form = |needles, regex: &str| Form { needles, regex: Regex::new(regex).expect("the form is a regular expression") };
    let prefixes: &[&str] = &["hf_", "gh", "glpat-", "sk-", "xoxb-", "AKIA", "eyJ"];
    vec![
        // https://me:password@host, and https://token@host.
        form(&["://"], r#"[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@"']*:([^/\s@"']+)@"#),
        form(&["://"], r#"[Hh][Tt][Tt][Pp][Ss]?://([^/\s:@"']+)@"#),
        form(&["earer", "uthorization"], r"(?:[Bb]earer|[Aa]uthorization:[ \t]*[A-Za-z]+)[ \t]+([A-Za-z0-9._~+/=-]{6,})"),
        form(prefixes, &format!(r#"(?:^|[\s"'=:,(])((?:{PREFIXES})[A-Za-z0-9_.+/=-]{{12,}})"#)),
        form(&["PRIVATE KEY"], r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*([^-]*[^-\s])"),
    ]
});

/// A name and its value: `TOKEN=...`, `password: ...`, `"apiKey": "..."`, `--api-key ...`.
static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    let value = r#"("(?:[^"\\]|\\.)+"|'[^']+'|\\"[^"\\]+\\"|[^\s"'\\,;&})\]]+)"#;
    let pair = format!(r#"(?:(--[A-Za-z][A-Za-z0-9_.-]*)[ \t]+|([A-Za-z][A-Za-z0-9_.-]*)\\?["']?[ \t]*[:=][ \t]*){value}"#);
    Regex::new(&pair).expect("a pair is a regular expression")
});

/// Whether a variable or flag of that name holds a secret.
pub fn is_name(name: &str) -> bool {
    // The secret of a token is no limit on tokens.
    let name = plain(name).replace("tokensecret", "secret");
    names_secret(&name) && !HARMLESS.iter().any(|part| name.contains(part))
}

/// A text's letters and digits, small.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn names_secret(plain: &str) -> bool {
    NAMES.iter().any(|part| plain.contains(part))
}

/// Whether a field of that name holds a secret, and not the name of one or the path to it.
pub fn is_field(name: &str) -> bool {
    let is_reference = name == "secret" || REFERENCES.iter().any(|end| name.ends_with(end));
    is_name(name) && (!is_reference || name == "clientSecret")
}

/// Where secrets stand in a text, in their order and none within another.
pub fn in_text(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for form in FORMS.iter().filter(|form| form.needles.iter().any(|needle| text.contains(needle))) {
        found.extend(form.regex.captures_iter(text).filter_map(|captures| Some(captures.get(1)?.range())));
    }
    if names_secret(&plain(text)) {
        found.extend(PAIR.captures_iter(text).filter_map(|captures| of_pair(&captures)));
    }
    found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    found.dedup_by(|next, last| next.start < last.end);
    found
}

/// Where the value of a pair stands, without its quotes, if its name holds a secret.
fn of_pair(captures: &Captures<'_>) -> Option<Range<usize>> {
    let value = captures.get(3)?;
    let is_secret = match (captures.get(1), captures.get(2)) {
        (Some(flag), _) => is_name(flag.as_str()) && !value.as_str().starts_with('-'),
        (_, name) => is_field(name?.as_str()),
    };
    let bare = value.as_str().trim_matches(['"', '\'', '\\']);
    let start = value.start() + value.as_str().find(bare)?;
    (is_secret && !is_harmless(bare)).then_some(start..start + bare.len())
}

/// Whether a value only says where the secret comes from, or that there is one or none: `$(HF_TOKEN)`, `true`.
fn is_harmless(value: &str) -> bool {
    let variable = value.strip_prefix('$').map(|name| name.trim_matches(['(', ')', '{', '}']));
    let is_variable = variable.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    is_variable || matches!(value, "" | "true" | "false" | "null" | "None" | "|" | "|-" | ">" | ">-" | "Bearer" | "Basic" | "Token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let table = [
            ("HF_TOKEN", true, true),
            ("--api-key", true, true),
            ("AZURE_STORAGE_KEY", true, true),
            ("ConnectionString", true, true),
            ("Authorization", true, true),
            ("clientSecret", true, true),
            ("JWT_SECRET", true, true),
            ("secretName", true, false),
            ("imagePullSecrets", true, false),
            ("tokenSecretRef", true, false),
            ("--max-num-batched-tokens", false, false),
            ("--tokenizer-mode", false, false),
            ("eos_token", false, false),
            ("key", false, false),
        ];
        for (name, holds, is_value) in table {
            assert_eq!((is_name(name), is_field(name)), (holds, is_value), "{name}");
        }
    }

    #[test]
    fn texts() {
        let table = [
            ("HF_TOKEN=one serve --api-key two --port 1", "HF_TOKEN=* serve --api-key * --port 1"),
            ("serve --api-key='a b' --max-num-batched-tokens=5", "serve --api-key='*' --max-num-batched-tokens=5"),
            ("serve --api-key $KEY --token=$(HF_TOKEN) --api-key --port 1", "serve --api-key $KEY --token=$(HF_TOKEN) --api-key --port 1"),
            ("postgres://me:pass@db:5432/x", "postgres://me:*@db:5432/x"),
            ("https://abc@github.com/o/r ssh://git@github.com/o/r", "https://*@github.com/o/r ssh://git@github.com/o/r"),
            ("http://host:8080/a@b oci://r:5000/x@sha256:0", "http://host:8080/a@b oci://r:5000/x@sha256:0"),
            ("AccountName=x;AccountKey=abc==;Suffix=y", "AccountName=x;AccountKey=*;Suffix=y"),
            ("auth:\n  password: hunter2\n  use_token: true\n", "auth:\n  password: *\n  use_token: true\n"),
            (r#"{"token": "a b", "n": 1}"#, r#"{"token": "*", "n": 1}"#),
            (r#"{\"token\":\"ab\"}"#, r#"{\"token\":\"*\"}"#),
            ("Authorization: Bearer abcdef123", "Authorization: Bearer *"),
            ("Authorization: Basic dXNlcjpw", "Authorization: Basic *"),
            ("hf: hf_abcdefghijklmnop.", "hf: *"),
            ("image: reg.io/hf_abcdefghijklmnop", "image: reg.io/hf_abcdefghijklmnop"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nMII\nAB\n-----END RSA PRIVATE KEY-----",
                "-----BEGIN RSA PRIVATE KEY-----\n*\n-----END RSA PRIVATE KEY-----",
            ),
            ("max-model-len: 8192\nsecretName: a\n", "max-model-len: 8192\nsecretName: a\n"),
            ("token: hf_abcdefghijklmnop", "token: *"),
        ];
        for (text, want) in table {
            let mut shown = text.to_owned();
            for range in in_text(text).into_iter().rev() {
                shown.replace_range(range, "*");
            }
            assert_eq!(shown, want);
        }
    }
}
