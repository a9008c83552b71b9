//! Texts of others in messages of ours.

/// The length of a message, in characters; clouds answer in pages.
const LONGEST: usize = 400;

/// A text as one line of bearable length. Control characters, which a terminal obeys, become spaces.
pub fn line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c }).collect();
    let mut words = clean.split_whitespace();
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", line[..end].trim_end()),
        None => line,
    }
}

/// Characters that turn the direction of a text, or that nobody sees.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// `1 of 2 pods are`.
pub(super) fn of(some: i64, all: i64, what: &str) -> String {
    format!("{some} of {all} {what}s are")
}

/// `1 pod`, `2 pods`.
pub(super) fn count(number: i64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `what (reason): message`, of which the last two may be missing.
pub(super) fn because(what: &str, reason: &str, message: &str) -> String {
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    format!("{what}{reason}{message}")
}

/// `message (reason)`, without the reason if the message names it; `otherwise` if there is no message.
pub(super) fn told(message: &str, reason: &str, otherwise: &str) -> String {
    let message = if message.trim().is_empty() { otherwise } else { message.trim() };
    because(message, if message.contains(reason) { "" } else { reason }, "")
}
