//! Text of others, made fit for a terminal.

/// A text without characters that a terminal obeys or that turn the direction of what is around them: they are shown as a box. Lines and tabs stay.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| *c != '\r').map(|c| if is_command(c) { '\u{fffd}' } else { c }).collect()
}

/// Control characters, those of a single byte of old terminals among them, and those of bidirectional text, which can hide what is there.
fn is_command(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_a_terminal() {
        let table = [
            ("Grüß Gott\n\t👍🏽 नमस्ते", "Grüß Gott\n\t👍🏽 नमस्ते"),
            ("one\r\ntwo\rthree", "one\ntwothree"),
            ("\u{1b}]0;title\u{7}\u{1b}[2J", "\u{fffd}]0;title\u{fffd}\u{fffd}[2J"),
            ("\u{9b}31m\u{7f}\0", "\u{fffd}31m\u{fffd}\u{fffd}"),
            ("a\u{202e}b\u{2066}c", "a\u{fffd}b\u{fffd}c"),
        ];
        for (text, want) in table {
            assert_eq!(printable(text), want);
        }
    }
}
