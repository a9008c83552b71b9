//! Canaries: secrets that tests plant wherever kaito is given one, and the search for them in whatever comes out.
//!
//! What `finish` and `Watching` run, what proxies of API servers are told, and what receivers of notifications get all come by here, so that
//! no test can forget it. How much that was is kept in a file for `scripts/nightly`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;

/// How the secrets begin that are in the sources of the tests. A new one begins like the first.
const BEGINNINGS: [&str; 4] = ["hunter", "canary-of-another-tenant", "hf_verysecret", "It's a Secret to Everybody"];
/// The letters of a line of a key below which it might be found anywhere.
const SHORTEST: usize = 16;

/// Every form in which a secret may come out.
fn forms() -> &'static Mutex<Vec<String>> {
    static FORMS: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
    FORMS.get_or_init(|| Mutex::new(BEGINNINGS.iter().flat_map(|secret| disguised(secret)).collect()))
}

/// A secret as it is, in hexadecimal digits, escaped as in an address, and in base64 after any number of bytes.
fn disguised(secret: &str) -> Vec<String> {
    let digits = secret.bytes().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    });
    let escaped = secret.replace(' ', "%20").replace('\'', "%27");
    let encoded = (0..3).map(|before| {
        let text = BASE64_STANDARD_NO_PAD.encode(["\0".repeat(before).as_str(), secret].concat());
        // What the bytes around have a part in is left out.
        let bits = (before + secret.len()) * 8;
        text[(before * 8).div_ceil(6)..bits / 6].to_owned()
    });
    [secret.to_owned(), digits, escaped].into_iter().chain(encoded).collect()
}

/// Takes a secret that is made while tests run: a token, or a key of several lines.
pub(crate) fn plant(secret: &str) {
    let lines = secret.lines().filter(|line| line.len() >= SHORTEST && !line.starts_with("-----"));
    let mut known = forms().lock().unwrap();
    for form in lines.flat_map(disguised) {
        if !known.contains(&form) {
            known.push(form);
        }
    }
}

/// That no canary is in something that kaito has let out. `what` is that: `stdout`, `log`.
pub(crate) fn hides_secrets(what: &str, text: &str) {
    count(what, text.len());
    let found = forms().lock().unwrap().iter().find(|form| text.contains(form.as_str())).cloned();
    assert!(found.is_none(), "a secret is shown in {what}, as {}:\n{text}", found.unwrap_or_default());
}

/// Notes that so many bytes were searched.
fn count(what: &str, bytes: usize) {
    static SEARCHED: OnceLock<Mutex<File>> = OnceLock::new();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("searched-for-canaries");
    let file = SEARCHED.get_or_init(|| Mutex::new(File::create(path).unwrap()));
    writeln!(file.lock().unwrap(), "{what} {bytes}").unwrap();
}
