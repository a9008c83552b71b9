//! Workflow commands, which GitHub Actions turns into annotations of a run and its pull request.
//!
//! Source: GitHub's "Workflow commands for GitHub Actions", and `@actions/core` for the escapes.

use crate::diagnostic::visible;

/// A line `::COMMAND NAME=VALUE,...::MESSAGE`.
pub(crate) fn command(command: &str, properties: &[(&str, String)], message: &str) -> String {
    let properties: Vec<String> = properties.iter().map(|(name, value)| format!("{name}={}", property(&visible(value)))).collect();
    format!("::{command} {}::{}\n", properties.join(","), data(&visible(message)))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn what_ends_a_command_is_escaped() {
        assert_eq!(data("50%\r\n::error::a, b"), "50%25%0D%0A::error::a, b");
        assert_eq!(property("C:\\a,b%"), "C%3A\\a%2Cb%25");
    }
}
