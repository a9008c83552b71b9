//! How bad each rule is: the table's levels, what `lint` in `kaito.yaml` says, and flags over both.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ALL, Rule};
use crate::diagnostic::{Diagnostic, Severity};

/// `lint` in `kaito.yaml`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LintConfig {
    /// The least level at which `kaito lint` fails; `error` if absent.
    pub fail_on: Option<FailOn>,
    /// Levels of rules in the place of their own.
    #[serde(default)]
    #[schemars(extend("propertyNames" = names_of_rules()))]
    pub rules: BTreeMap<String, Level>,
}

fn names_of_rules() -> Value {
    json!({ "enum": ALL.iter().map(|rule| rule.id).collect::<Vec<_>>() })
}

impl LintConfig {
    /// The names in `rules` that no rule has.
    pub fn unknown_rules(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str).filter(|id| Rule::by_id(id).is_none())
    }
}

/// The level of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing is said.
    Off,
    /// Something to know.
    Note,
    /// It will hardly do what was meant.
    Warning,
    /// It must not be so.
    Error,
}

impl Level {
    fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Note => Some(Severity::Note),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
        }
    }
}

/// The least level at which `kaito lint` fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FailOn {
    /// Errors alone.
    #[default]
    Error,
    /// Warnings too.
    Warning,
    /// Notes too.
    Note,
}

impl FailOn {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Note];

    /// The name as flags spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    /// The one of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Whether a finding of this severity is reason to fail.
    pub fn includes(self, severity: Severity) -> bool {
        match self {
            Self::Error => severity == Severity::Error,
            Self::Warning => severity != Severity::Note,
            Self::Note => true,
        }
    }
}

/// The levels of all rules, resolved.
#[derive(Debug, Default)]
pub struct Levels(BTreeMap<String, Level>);

impl Levels {
    /// The levels of `kaito.yaml`, and the rules that flags switch off.
    pub fn new(config: &LintConfig, disabled: &[&'static Rule]) -> Self {
        let off = disabled.iter().map(|rule| (rule.id.to_owned(), Level::Off));
        Self(config.rules.clone().into_iter().chain(off).collect())
    }

    /// How bad a finding is; `None` if nothing is to be said. One that no level was given for keeps its own.
    pub fn severity(&self, finding: &Diagnostic) -> Option<Severity> {
        self.0.get(finding.rule().id).map_or(Some(finding.severity), |level| level.severity())
    }
}
