//! Canaries: secrets that tests plant wherever kaito is given one, and the search for them in whatever comes out.
//!
//! All that kaito prints and logs in tests comes by here, what it tells API servers, receivers of notifications, collectors of traces and whoever
//! asks it over HTTP, and the files that it writes. A test sees to it that nobody starts kaito who forgets it. How much was searched is kept in a
//! file, which `scripts/nightly.sh` adds up.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::{fs, iter};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;

/// How credentials begin that are in the sources of tests. A new one begins like the first.
const CREDENTIALS: [&str; 3] = ["hunter-of-", "hf_verysecret", "It's a Secret to Everybody"];
/// How values begin that stand in Secrets of repositories, and other people's files. Manifests hold them, and nothing else does.
const VALUES: [&str; 5] = ["hunter", "canary-of-another-tenant", "correct-horse", "hf_abcdefghijklmnop", "hf_ponmlkjihgfedcba"];
/// The letters of a line of a key below which it might be found anywhere.
const SHORTEST: usize = 16;

/// Every form in which a credential may come out.
fn credentials() -> &'static Mutex<Vec<String>> {
    static FORMS: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
    FORMS.get_or_init(|| Mutex::new(CREDENTIALS.iter().flat_map(|secret| disguised(secret)).collect()))
}

/// The same for values.
fn values() -> &'static [String] {
    static FORMS: OnceLock<Vec<String>> = OnceLock::new();
    FORMS.get_or_init(|| VALUES.iter().flat_map(|secret| disguised(secret)).collect())
}

/// A secret as it is, in hexadecimal digits, escaped as in an address and in JSON, and in base64 after any number of bytes.
fn disguised(secret: &str) -> Vec<String> {
    let digits = secret.bytes().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    });
    let escaped = secret.replace(' ', "%20").replace('\'', "%27");
    let json = serde_json::Value::from(secret).to_string().trim_matches('"').to_owned();
    let encoded = (0..3).map(|before| {
        let text = BASE64_STANDARD_NO_PAD.encode(["\0".repeat(before).as_str(), secret].concat());
        // What the bytes around have a part in is left out.
        let bits = (before + secret.len()) * 8;
        text[(before * 8).div_ceil(6)..bits / 6].to_owned()
    });
    let mut forms: Vec<String> = [secret.to_owned(), digits, escaped, json].into_iter().chain(encoded).collect();
    forms.dedup();
    forms
}

/// Takes a credential that is made while tests run, a token or a key of several lines, and gives it back.
pub(crate) fn plant<T: AsRef<str>>(secret: T) -> T {
    let lines = secret.as_ref().lines().filter(|line| line.len() >= SHORTEST && !line.starts_with("-----"));
    let mut known = credentials().lock().unwrap();
    for form in lines.flat_map(disguised) {
        if !known.contains(&form) {
            known.push(form);
        }
    }
    secret
}

/// That no canary is in something that kaito has let out. `what` is that: `stdout`, `log`.
pub(crate) fn hides_secrets(what: &str, text: &str) {
    let found = values().iter().find(|form| text.contains(form.as_str()));
    assert!(found.is_none(), "a secret is shown in {what}, as {found:?}:\n{text}");
    hides_credentials(what, text);
}

/// That no credential is in something, though there may be Secrets in it: manifests that somebody has asked for.
pub(crate) fn hides_credentials(what: &str, text: &str) {
    count(what, text.len());
    let found = credentials().lock().unwrap().iter().find(|form| text.contains(form.as_str())).cloned();
    assert!(found.is_none(), "a credential is shown in {what}, as {found:?}:\n{text}");
}

/// That no canary is in a file, if it is there: a log that kaito writes for as long as it runs.
pub(crate) fn file_hides_secrets(path: &Path) {
    if let Ok(bytes) = fs::read(path) {
        hides_secrets("log", &String::from_utf8_lossy(&bytes));
    }
}

/// Notes that so many bytes were searched.
fn count(what: &str, bytes: usize) {
    static SEARCHED: OnceLock<Mutex<File>> = OnceLock::new();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("searched-for-canaries");
    let file = SEARCHED.get_or_init(|| Mutex::new(File::create(path).unwrap()));
    writeln!(file.lock().unwrap(), "{what} {bytes}").unwrap();
}

/// Who starts kaito and lets nothing come by here, as it keeps nothing of what is said.
const SILENT: [&str; 1] = ["tests/cluster/interrupted.rs"];

/// Files of tests that start kaito by themselves, and never search what it says.
fn forgetful() -> Vec<String> {
    let mut open = vec!["tests".into()];
    iter::from_fn(|| {
        let path: std::path::PathBuf = open.pop()?;
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            return Some(None);
        }
        let text = fs::read_to_string(&path).ok().filter(|_| path.extension().is_some_and(|extension| extension == "rs"))?;
        Some(forgets(&text).then(|| path.display().to_string()))
    })
    .flatten()
    .collect()
}

fn forgets(text: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    has(&["kaito()", "CARGO_BIN_EXE_kaito", ".command("])
        && has(&[".spawn()", ".output()", ".status()"])
        && !has(&["hides_secrets", "Watching::of"])
}

#[test]
fn nobody_forgets_to_search() {
    let forgetful: Vec<String> = forgetful().into_iter().filter(|file| !SILENT.contains(&file.as_str())).collect();
    assert_eq!(forgetful, [] as [String; 0]);
    assert!(forgets("kaito().spawn()") && forgets("kaito()\n.output()") && !forgets("finish(&mut kaito())"));
}

/// A leak is found wherever it is and whatever it looks like.
#[test]
fn what_is_planted_is_found() {
    let is_found = |text: &str| std::panic::catch_unwind(|| hides_secrets("test", text)).is_err();
    let made = plant("0123456789abcdef-made-for-this-test");
    let key = "-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIEIA7of\nshort\n-----END KEY-----\n";
    plant(key);
    let basic = BASE64_STANDARD_NO_PAD.encode(format!("user:{made}"));
    let [_, digits, ..] = &disguised(made)[..] else { panic!("there are no digits") };
    for leak in [
        "password: hunter2",
        "https://me:hunter-of-git@host/",
        "It%27s%20a%20Secret%20to%20Everybody",
        &format!("token {made}."),
        &format!("Authorization: Basic {basic}"),
        &BASE64_STANDARD_NO_PAD.encode(format!("u:{made}")),
        &BASE64_STANDARD_NO_PAD.encode(format!("me:{made}")),
        digits,
        "MC4CAQAwBQYDK2VwBCIEIA7of",
        "aHVudGVyMg",
    ] {
        assert!(is_found(leak), "{leak}");
    }
    for harmless in ["-----BEGIN KEY-----", "short", "password: ***", ""] {
        assert!(!is_found(harmless), "{harmless}");
    }
    let in_manifest = |text: &str| std::panic::catch_unwind(|| hides_credentials("test", text)).is_err();
    assert!(in_manifest(made) && in_manifest("hunter-of-git") && !in_manifest("hunter2"));
}
