//! The least that a pod template must be, so that a StatefulSet can be made of it.
//!
//! Kaito takes any template; the API server then refuses what is wrong here. Everything else in it is the user's business.

use serde_json::{Map, Value};

use super::{Check, at};
use crate::rule;
use crate::spec::names;
use crate::yaml::Step;

impl Check<'_> {
    pub(super) fn template(&mut self, template: &Map<String, Value>) {
        let base = at!["inference", "template"];
        for field in template.keys().filter(|field| !matches!(field.as_str(), "metadata" | "spec")) {
            self.say(
                rule::UNKNOWN_FIELD.says("unknown field").help("the fields here are metadata, spec"),
                at!["inference", "template", field.as_str()],
            );
        }
        if !matches!(template.get("metadata"), None | Some(Value::Null | Value::Object(_))) {
            self.say(rule::WRONG_TYPE.says("expected a mapping"), at!["inference", "template", "metadata"]);
        }
        for (key, value) in
            template.get("metadata").and_then(|metadata| metadata.get("labels")).and_then(Value::as_object).into_iter().flatten()
        {
            if !value.is_string() {
                let finding = rule::WRONG_TYPE.says(format!("expected a string, found {value}")).help("put it in quotes");
                self.say(finding, at!["inference", "template", "metadata", "labels", key.as_str()]);
            }
        }
        let Some(spec) = template.get("spec").and_then(Value::as_object) else {
            let finding = rule::INVALID_TEMPLATE.says("the template has no spec").help("write it as the template of a StatefulSet");
            return self.say(finding, base);
        };
        if spec.get("restartPolicy").is_some_and(|policy| policy != "Always") {
            let finding = rule::INVALID_TEMPLATE.says("pods that serve are always restarted").help("leave the field out");
            self.say(finding, at!["inference", "template", "spec", "restartPolicy"]);
        }
        for field in ["tolerations", "volumes", "imagePullSecrets"] {
            self.list(spec, field);
        }
        let containers = self.list(spec, "containers");
        if containers.is_empty() {
            let finding = rule::INVALID_TEMPLATE.says("the pod has no containers").help("give it at least one, with a name and an image");
            self.say(finding, at!["inference", "template", "spec"]);
        }
        self.containers("containers", containers);
        let init_containers = self.list(spec, "initContainers");
        self.containers("initContainers", init_containers);
    }

    /// The items of a field that is a list if it is there.
    fn list<'v>(&mut self, spec: &'v Map<String, Value>, field: &'static str) -> &'v [Value] {
        match spec.get(field) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.say(rule::WRONG_TYPE.says("expected a list"), at!["inference", "template", "spec", field]);
                &[]
            }
        }
    }

    fn containers(&mut self, field: &'static str, containers: &[Value]) {
        for (index, container) in containers.iter().enumerate() {
            let name = container["name"].as_str().unwrap_or_default();
            let place = at!["inference", "template", "spec", field, index, "name"];
            if !names::is_dns_label(name) {
                self.say(
                    rule::INVALID_NAME
                        .says(format!("{name:?} is no name for a container"))
                        .help("use lower-case letters, digits and dashes"),
                    place,
                );
            } else if containers[..index].iter().any(|other| other["name"] == name) {
                self.say(rule::INVALID_TEMPLATE.says(format!("two containers are called {name:?}")), place);
            }
            for (number, env) in container["env"].as_array().into_iter().flatten().enumerate() {
                if !matches!(env["value"], Value::Null | Value::String(_)) {
                    let finding = rule::WRONG_TYPE.says(format!("expected a string, found {}", env["value"])).help("put it in quotes");
                    self.say(finding, at!["inference", "template", "spec", field, index, "env", number, "value"]);
                }
            }
        }
    }
}
