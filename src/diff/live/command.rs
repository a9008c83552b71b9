//! Commands that say the same with their flags in another order: Kaito's operator writes them in the order that chance has it, and a pod
//! is no other one for that.

/// A part of a command.
#[derive(Debug, PartialEq, Eq)]
enum Part<'t> {
    /// A word that is no flag, an operator of the shell, or the end of a line.
    Word(&'t str),
    /// Flags beside each other, by name, each with its value.
    Flags(Vec<(&'t str, Option<&'t str>)>),
}

/// Whether two texts for a shell are the same but for the order of flags that stand beside each other. Flags of one name keep theirs.
pub(super) fn is_same_command(one: &str, other: &str) -> bool {
    let has_flags = |text: &str| text.contains(" --");
    one == other
        || (one.len() == other.len()
            && has_flags(one)
            && has_flags(other)
            && parts(one).is_some_and(|parts_of_one| Some(parts_of_one) == parts(other)))
}

fn parts(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let mut words = words(text)?.into_iter().peekable();
    while let Some(word) = words.next() {
        if !word.starts_with("--") || word == "--" {
            parts.push(Part::Word(word));
            continue;
        }
        let flag = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, words.next_if(|next| !next.starts_with(['-', ';', '&', '|', '(', ')', '\n']))),
        };
        match parts.last_mut() {
            Some(Part::Flags(flags)) => flags.push(flag),
            _ => parts.push(Part::Flags(vec![flag])),
        }
    }
    for part in &mut parts {
        if let Part::Flags(flags) = part {
            flags.sort_by_key(|(name, _)| *name);
        }
    }
    Some(parts)
}

/// The words of a text with their quotes; operators of the shell and ends of lines are words too. None if a quote has no end.
fn words(text: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut is_escaped) = (None, None, false);
    for (at, c) in text.char_indices() {
        let was_escaped = std::mem::replace(&mut is_escaped, false);
        let is_separator = !was_escaped && quote.is_none() && (c.is_whitespace() || ";&|()".contains(c));
        if is_separator {
            words.extend(start.take().map(|start| &text[start..at]));
            words.extend((!matches!(c, ' ' | '\t' | '\r')).then(|| &text[at..at + c.len_utf8()]));
            continue;
        }
        start.get_or_insert(at);
        match (c, quote) {
            _ if was_escaped => {}
            ('\\', None | Some('"')) => is_escaped = true,
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    words.extend(start.map(|start| &text[start..]));
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let table = [
            ("serve --a=1 --b", "serve --b --a=1", true),
            ("serve --a=1 --b", "serve --b --a=2", false),
            ("serve --a=1 --b", "serve --a=1 --c", false),
            ("serve --a 1 --b 2", "serve --b 2 --a 1", true),
            ("serve --a 1 --b 2", "serve --a 2 --b 1", false),
            ("serve --a=1 --a=2", "serve --a=2 --a=1", false),
            ("serve --a=1 --a=2 --b", "serve --b --a=1 --a=2", true),
            ("go --a=1 x --b=2", "go --b=2 x --a=1", false),
            ("one --a=1; two --b=2", "one --b=2; two --a=1", false),
            ("if x; then one --a=1 --b=2; fi", "if x; then one --b=2 --a=1; fi", true),
            ("one --a && two --b=2 --c=3", "one --a && two --c=3 --b=2", true),
            ("one --a=1 --b=2\ntwo --c=3", "one --a=1 --c=3\ntwo --b=2", false),
            ("s --c='{\"a\": 1}' --d=\"$X\"", "s --d=\"$X\" --c='{\"a\": 1}'", true),
            ("s --c='$X' --d=1", "s --d=1 --c=\"$X\"", false),
            ("s --c='x --d=1", "s --d=1 --c='x", false),
            (r"s --c=\ x --d", r"s --d --c=\ x", true),
            ("s -- --a --b", "s -- --b --a", true),
            ("one two", "two one", false),
            ("serve --a=1", "serve --a=1", true),
            ("", "", true),
        ];
        for (one, other, want) in table {
            assert_eq!(is_same_command(one, other), want, "{one} and {other}");
            assert_eq!(is_same_command(other, one), want, "{other} and {one}");
        }
    }
}
