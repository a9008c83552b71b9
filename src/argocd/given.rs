//! From the environment that Argo CD gives a plugin to flags.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::parameters::{Form, PARAMETERS, Parameter};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::options::FeatureGates;

/// What an Application says of a parameter, as flags of `kaito render`.
#[derive(Debug, PartialEq, Eq)]
pub struct Given {
    /// Where it is said, for messages: `parameter cloud`, `ARGOCD_ENV_CLOUD`.
    pub origin: String,
    /// The flags.
    pub words: Vec<String>,
}

/// A parameter as Argo CD sends it.
#[derive(Debug, Default, Deserialize)]
struct Sent {
    name: String,
    string: Option<String>,
    array: Option<Vec<String>>,
    map: Option<BTreeMap<String, String>>,
}

/// What an Application says, one entry for each parameter that has a value: a parameter wins over a variable of its `plugin.env`,
/// and that over the default. No message holds a value of the environment.
pub fn given(variables: &BTreeMap<String, String>, findings: &mut Vec<Diagnostic>) -> Vec<Given> {
    let sent = match variables.get("ARGOCD_APP_PARAMETERS") {
        Some(json) => from_json(json, findings),
        None => PARAMETERS.iter().filter_map(|parameter| from_variables(parameter, variables)).collect(),
    };
    findings.extend(sent.iter().filter(|sent| !PARAMETERS.iter().any(|known| known.name == sent.name)).map(unknown));
    findings.extend(variables.keys().filter_map(|name| unknown_variable(name)));
    let mut given = Vec::new();
    for parameter in &PARAMETERS {
        // Said twice, the last counts.
        let by_parameter = sent.iter().rev().find(|sent| sent.name == parameter.name);
        let by_parameter = by_parameter.map(|sent| (format!("parameter {}", parameter.name), texts(parameter, sent)));
        let variable = format!("ARGOCD_ENV_{}", parameter.variable);
        let by_variable = variables.get(&variable).map(|text| (variable, Some(split(parameter, text))));
        let by_default = || (format!("parameter {}", parameter.name), Some(split(parameter, parameter.default)));
        // An empty field of a form is none.
        let says_something = |(_, texts): &(String, Option<Vec<String>>)| texts.as_ref().is_none_or(|texts| !texts.is_empty());
        let (origin, texts) = by_parameter.filter(says_something).or(by_variable.filter(says_something)).unwrap_or_else(by_default);
        match texts.map(|texts| words(parameter, &texts)) {
            Some(Ok(words)) if words.is_empty() => {}
            Some(Ok(words)) => given.push(Given { origin, words }),
            Some(Err(help)) => findings.push(Diagnostic::error(format!("{origin} has another form")).help(help)),
            None => findings.push(Diagnostic::error(format!("{origin} has another form")).help("give it as a string")),
        }
    }
    given
}

/// The parameters of `ARGOCD_APP_PARAMETERS`, which is `null` where an Application has none.
fn from_json(json: &str, findings: &mut Vec<Diagnostic>) -> Vec<Sent> {
    match serde_json::from_str::<Option<Vec<Sent>>>(json) {
        Ok(sent) => sent.unwrap_or_default(),
        Err(error) => {
            // serde's words quote what stands there.
            let finding = Diagnostic::error(format!("ARGOCD_APP_PARAMETERS is no list of parameters (column {})", error.column()));
            findings.push(finding.help(r#"Argo CD writes [{"name": "cloud", "string": "aws"}, {"name": "paths", "array": ["models"]}]"#));
            Vec::new()
        }
    }
}

/// A parameter from its variables, whose names Argo CD writes in capitals: `PARAM_CLOUD`, `PARAM_PATHS_0`, `PARAM_FEATUREGATES_MODELMIRROR`.
fn from_variables(parameter: &Parameter, variables: &BTreeMap<String, String>) -> Option<Sent> {
    let base = format!("PARAM_{}", parameter.name.to_uppercase());
    let string = variables.get(&base).cloned();
    let below = |key: &str| variables.get(&format!("{base}_{key}")).cloned();
    let array: Vec<String> = (0..).map_while(|at: usize| below(&at.to_string())).collect();
    let map: BTreeMap<String, String> =
        FeatureGates::names().filter_map(|gate| Some((gate.to_owned(), below(&gate.to_uppercase())?))).collect();
    let array = Some(array).filter(|array| parameter.form == Form::List && !array.is_empty());
    let map = Some(map).filter(|map| parameter.form == Form::Map && !map.is_empty());
    let is_given = string.is_some() || array.is_some() || map.is_some();
    is_given.then(|| Sent { name: parameter.name.to_owned(), string, array, map })
}

/// The texts that a parameter holds; `None` if it has a form that it can't have.
fn texts(parameter: &Parameter, sent: &Sent) -> Option<Vec<String>> {
    match (parameter.form, sent) {
        (Form::Map, Sent { map: Some(map), .. }) => Some(map.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        (Form::Map | Form::List, Sent { array: Some(array), .. }) => Some(array.clone()),
        (_, Sent { string: Some(string), .. }) => Some(split(parameter, string)),
        (_, Sent { array: None, map: None, .. }) => Some(Vec::new()),
        _ => None,
    }
}

/// The texts of a text.
fn split(parameter: &Parameter, text: &str) -> Vec<String> {
    let parts: Vec<&str> = match parameter.form {
        Form::List | Form::Map => text.split(',').collect(),
        _ => vec![text],
    };
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect()
}

fn words(parameter: &Parameter, texts: &[String]) -> Result<Vec<String>, &'static str> {
    let flag = parameter.flag;
    match (parameter.form, texts) {
        (Form::Switch | Form::Boolean, [text]) if text != "true" && text != "false" => Err("write true or false"),
        (Form::Switch, [text]) => Ok((text == "true").then(|| format!("--{flag}")).into_iter().collect()),
        _ => Ok(texts.iter().map(|text| format!("--{flag}={text}")).collect()),
    }
}

fn unknown(sent: &Sent) -> Diagnostic {
    let finding = Diagnostic::error(format!("there is no parameter {:?}", sent.name));
    let names = PARAMETERS.iter().map(|known| known.name);
    let help = did_you_mean(&sent.name, names.clone());
    finding.help(help.unwrap_or_else(|| format!("the parameters are {}", names.collect::<Vec<_>>().join(", "))))
}

/// A variable that was meant for kaito, and may be misspelled.
fn unknown_variable(name: &str) -> Option<Diagnostic> {
    let rest = name.strip_prefix("ARGOCD_ENV_")?;
    if PARAMETERS.iter().any(|known| known.variable == rest) {
        return None;
    }
    let finding = Diagnostic::warning(format!("kaito knows no variable {name}, and leaves it alone"));
    Some(match did_you_mean(rest, PARAMETERS.iter().map(|known| known.variable)) {
        Some(help) => finding.help(help),
        None => finding,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> (String, String) {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut findings = Vec::new();
        let words: Vec<String> = given(&variables, &mut findings).into_iter().flat_map(|given| given.words).collect();
        (words.join(" "), findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn words_of_environments() {
        const JSON: &str = "ARGOCD_APP_PARAMETERS";
        type Variables = &'static [(&'static str, &'static str)];
        let table: [(Variables, &str, &str); 15] = [
            (&[], "--filename=.", ""),
            (&[(JSON, "null")], "--filename=.", ""),
            (&[("ARGOCD_ENV_NODE_PROVISIONER", "karpenter")], "--filename=. --node-provisioner=karpenter", ""),
            (&[(JSON, r#"[{"name": "cloud", "string": "aws"}]"#), ("ARGOCD_ENV_CLOUD", "arc")], "--filename=. --cloud=aws", ""),
            (&[(JSON, r#"[{"name": "cloud", "string": ""}]"#), ("ARGOCD_ENV_CLOUD", "arc")], "--filename=. --cloud=arc", ""),
            (&[(JSON, r#"[{"name": "paths", "array": ["a", "b"]}]"#)], "--filename=a --filename=b", ""),
            (&[(JSON, r#"[{"name": "paths", "array": []}]"#)], "--filename=.", ""),
            (&[(JSON, r#"[{"name": "paths", "string": "a, b"}]"#)], "--filename=a --filename=b", ""),
            (
                &[(JSON, r#"[{"name": "featureGates", "map": {"ModelMirror": "true"}}]"#)],
                "--filename=. --feature-gates=ModelMirror=true",
                "",
            ),
            (&[("PARAM_FEATUREGATES_MODELMIRROR", "true"), ("PARAM_PATHS_0", "a")], "--filename=a --feature-gates=ModelMirror=true", ""),
            (
                &[(JSON, r#"[{"name": "syncWaves", "string": "true"}, {"name": "recursive", "string": "false"}]"#)],
                "--filename=. --sync-waves",
                "",
            ),
            (&[(JSON, r#"[{"name": "recursive", "string": "yes"}]"#)], "--filename=.", "parameter recursive has another form"),
            (&[(JSON, r#"[{"name": "cloud", "array": ["aws"]}]"#)], "--filename=.", "parameter cloud has another form"),
            (&[(JSON, r#"[{"name": "clouds", "string": "aws"}]"#)], "--filename=.", r#"there is no parameter "clouds""#),
            (&[("ARGOCD_ENV_CLUOD", "aws")], "--filename=.", "kaito knows no variable ARGOCD_ENV_CLUOD, and leaves it alone"),
        ];
        for (variables, words, message) in table {
            assert_eq!(told(variables), (words.to_owned(), message.to_owned()), "{variables:?}");
        }
    }

    #[test]
    fn no_message_tells_a_value() {
        for json in
            ["hf_secret", r#"[{"name": 1, "string": "hf_secret"}]"#, r#"["hf_secret"]"#, r#"[{"name": "cloud", "array": "hf_secret"}]"#]
        {
            let (_, message) = told(&[("ARGOCD_APP_PARAMETERS", json)]);
            assert!(message.starts_with("ARGOCD_APP_PARAMETERS is no list") && !message.contains("hf_secret"), "{message}");
        }
    }
}
