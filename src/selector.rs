//! Label selectors as kubectl's `-l` takes them.
//!
//! Source: `k8s.io/apimachinery/pkg/labels`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::spec::names;

/// A label selector: all of its requirements must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
    /// As it was written.
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
    Greater(i64),
    Less(i64),
}

impl Selector {
    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            match &requirement.test {
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
                Test::In(values) => value.is_some_and(|value| values.contains(value)),
                Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Test::Greater(than) => value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value > *than),
                Test::Less(than) => value.and_then(|value| value.parse::<i64>().ok()).is_some_and(|value| value < *than),
            }
        })
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let requirements = split_outside_parentheses(text).map(|part| requirement(part.trim())).collect::<Result<_, _>>()?;
        Ok(Self { requirements, text: text.to_owned() })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn split_outside_parentheses(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
}

fn requirement(part: &str) -> Result<Requirement, String> {
    if part.is_empty() {
        return Err("a comma stands where a requirement is wanted".to_owned());
    }
    let make = |key: &str, test: Test| {
        let key = key.trim();
        if !names::is_qualified_name(key) {
            return Err(format!("{part:?}: {key:?} is no key for a label"));
        }
        let values = match &test {
            Test::In(values) | Test::NotIn(values) => values.as_slice(),
            _ => &[],
        };
        match values.iter().find(|value| !names::is_label_value(value)) {
            Some(value) => Err(format!("{part:?}: {value:?} is no value for a label")),
            None => Ok(Requirement { key: key.to_owned(), test }),
        }
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some(key) = part.strip_prefix('!') {
        return make(key, Test::Absent);
    }
    if let Some((key, value)) = part.split_once("!=") {
        return make(key, Test::NotIn(one(value)));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return make(key, Test::In(one(value)));
    }
    if let Some((key, number)) = part.split_once(['>', '<']) {
        let number = number.trim().parse().map_err(|_| format!("{part:?}: {:?} is no integer", number.trim()))?;
        return make(key, if part.contains('>') { Test::Greater(number) } else { Test::Less(number) });
    }
    let Some((words, list)) = part.split_once('(') else { return make(part, Test::Exists) };
    let list = list.strip_suffix(')').ok_or_else(|| format!("{part:?} lacks its closing parenthesis"))?;
    let values: Vec<String> = list.split(',').map(|value| value.trim().to_owned()).collect();
    match words.split_whitespace().collect::<Vec<_>>().as_slice() {
        [key, "in"] => make(key, Test::In(values)),
        [key, "notin"] => make(key, Test::NotIn(values)),
        _ => Err(format!("{part:?} is neither `KEY in (A,B)` nor `KEY notin (A,B)`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_select_as_kubectls_do() {
        let labels: BTreeMap<String, String> =
            [("app", "a"), ("tier", "x"), ("gpus", "4")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let table = [
            ("app=a", true),
            ("app==a", true),
            ("app=b", false),
            ("app!=b", true),
            ("other!=b", true),
            ("app", true),
            ("!app", false),
            ("!other", true),
            ("app in (a, b),tier=x", true),
            ("app notin (a)", false),
            ("other in (a)", false),
            ("other notin (a)", true),
            ("", true),
            ("gpus>3", true),
            ("gpus > 4", false),
            ("gpus<5,app", true),
            ("tier>0", false),
            ("other<1", false),
        ];
        for (text, want) in table {
            assert_eq!(text.parse::<Selector>().expect(text).matches(&labels), want, "{text}");
        }
        for wrong in ["a b", "app in (a", "app of (a)", "=a", "app=a b", ",app=a", "app=a,", "app,,tier", "gpus>x"] {
            assert!(wrong.parse::<Selector>().is_err(), "{wrong}");
        }
    }
}
