//! The summary of a GitHub job: what is written to the file in `GITHUB_STEP_SUMMARY` is shown on the page of the workflow's run.

use std::fs::OpenOptions;
use std::io::Write as _;

/// The variable that names the file.
const VARIABLE: &str = "GITHUB_STEP_SUMMARY";

/// Adds to the summary, if there is one.
///
/// # Errors
/// Why it can't be written, in words.
pub(in crate::cli) fn append(markdown: &str) -> Result<(), String> {
    let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else { return Ok(()) };
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(markdown.as_bytes()))
        .map_err(|error| format!("the file of {VARIABLE} can't be written: {error}"))
}
