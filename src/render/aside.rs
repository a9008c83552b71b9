//! Values that a template has put aside, and the scalars with tokens in whose place they belong.

use std::fmt::Write;

use serde_json::Value;
use smol_str::{SmolStr, SmolStrBuilder, ToSmolStr};

use crate::yaml;

/// What stands around the number of a value that was put aside; characters of Unicode's private use area.
pub(super) const OPEN: char = '\u{E0F0}';
/// See [`OPEN`].
pub(super) const CLOSE: char = '\u{E0F1}';

/// What stands before a scalar that the template has in quotes: it stays a string, whatever its value.
pub(super) const QUOTED: char = '\u{E0F2}';

/// Whether a template holds the characters that belong to tokens.
pub(super) fn holds_tokens(text: &str) -> bool {
    // They all begin with this byte, which hardly any text has, and which is found sooner.
    text.as_bytes().contains(&0xEE) && text.contains([OPEN, CLOSE, QUOTED])
}

/// A value that was put aside.
#[derive(Clone, Debug)]
pub(super) enum Aside {
    /// A string, as nearly all are.
    Text(SmolStr),
    /// Anything else.
    Other(Value),
}

impl Aside {
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.to_string()),
            Self::Other(value) => value.clone(),
        }
    }

    /// As a part of a string.
    fn append(&self, out: &mut impl Write) {
        _ = match self {
            Self::Text(text) => out.write_str(text),
            Self::Other(value) => write!(out, "{value}"),
        };
    }
}

/// A scalar with tokens.
#[derive(Debug)]
pub(super) enum Scalar {
    /// One token and nothing else: the value as it is.
    Whole(usize),
    /// A string with values in it.
    Text(Vec<Part>),
}

/// A part of a string: what the template has there, or the number of a value.
#[derive(Debug)]
pub(super) enum Part {
    Text(String),
    Value(usize),
}

impl Scalar {
    /// Finds the tokens.
    pub(super) fn of(text: &str) -> Self {
        let whole = text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)).and_then(|number| number.parse().ok());
        if let Some(number) = whole {
            return Self::Whole(number);
        }
        let mut parts = Vec::new();
        let mut rest = text.strip_prefix(QUOTED).unwrap_or(text);
        while let Some((before, (number, after))) = rest.split_once(OPEN).and_then(|(before, rest)| Some((before, rest.split_once(CLOSE)?)))
        {
            parts.push(Part::Text(before.to_owned()));
            parts.extend(number.parse().ok().map(Part::Value));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Self::Text(parts)
    }

    /// With the values in their places.
    pub(super) fn fill(&self, values: &[Aside]) -> Aside {
        match self {
            Self::Whole(number) => values.get(*number).cloned().unwrap_or(Aside::Text(SmolStr::default())),
            Self::Text(parts) => {
                let mut text = SmolStrBuilder::new();
                append(parts, values, &mut text);
                Aside::Text(text.finish())
            }
        }
    }

    /// With the values in their places, if it is a string that holds something.
    pub(super) fn fill_text(&self, values: &[Aside]) -> Option<SmolStr> {
        match self.fill(values) {
            Aside::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// With the values in their places, as a key.
    ///
    /// # Errors
    /// A mapping, a list or nothing can't be one.
    pub(super) fn fill_key(&self, values: &[Aside]) -> Result<SmolStr, String> {
        match self.fill(values) {
            Aside::Text(text) => Ok(text),
            Aside::Other(Value::Bool(value)) => Ok(value.to_smolstr()),
            Aside::Other(Value::Number(value)) => Ok(value.to_smolstr()),
            Aside::Other(other) => Err(format!("{other} can't be a key")),
        }
    }

    /// Appends it as it stands behind `key: `; `false` if that takes more than one line. `space` is for what it needs meanwhile.
    pub(super) fn to_yaml(&self, values: &[Aside], space: &mut String, out: &mut String) -> bool {
        match self {
            Self::Whole(number) => match values.get(*number) {
                Some(Aside::Text(text)) => yaml::text_to_yaml(text, out),
                Some(Aside::Other(value)) => yaml::scalar_to_yaml(value, out),
                None => yaml::text_to_yaml("", out),
            },
            Self::Text(parts) => {
                space.clear();
                append(parts, values, space);
                yaml::text_to_yaml(space, out)
            }
        }
    }
}

fn append(parts: &[Part], values: &[Aside], out: &mut impl Write) {
    for part in parts {
        match part {
            Part::Text(text) => _ = out.write_str(text),
            Part::Value(number) => values.get(*number).into_iter().for_each(|value| value.append(out)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_stand_where_their_tokens_stood() {
        let values = [Aside::Text("a".into()), Aside::Other(json!(7)), Aside::Other(json!({"b": true}))];
        let token = |number: usize| format!("{OPEN}{number}{CLOSE}");
        // The scalar and what becomes of it, then of it as a key.
        let table = [
            ("plain".to_owned(), json!("plain"), Some("plain")),
            (token(0), json!("a"), Some("a")),
            (token(1), json!(7), Some("7")),
            (token(2), json!({"b": true}), None),
            (format!("{QUOTED}{}", token(1)), json!("7"), Some("7")),
            (format!("{}{}", token(0), token(1)), json!("a7"), Some("a7")),
            (format!("x-{}-y{}", token(1), token(2)), json!("x-7-y{\"b\":true}"), Some("x-7-y{\"b\":true}")),
        ];
        for (text, want, key) in table {
            let scalar = Scalar::of(&text);
            assert_eq!(scalar.fill(&values).to_value(), want, "{text}");
            assert_eq!(scalar.fill_key(&values).ok().as_deref(), key, "{text}");
            let mut line = String::new();
            let mut whole = String::new();
            yaml::to_yaml(&json!({"k": want}), &mut whole);
            if scalar.to_yaml(&values, &mut String::new(), &mut line) {
                assert_eq!(format!("k: {line}\n"), whole, "{text}");
            }
        }
    }
}
