//! The rules about weights that are streamed from blob storage.
//!
//! Source: Kaito 0.12. It looks StorageClasses, ServiceAccounts and volumes up in the cluster; here those of the input are
//! looked at, and what isn't in the input is taken to be in the cluster.

use std::sync::Arc;

use fluent_uri::Uri;

use super::{Check, at};
use crate::config::{FILE_NAME, gate_is_off};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::options::Cloud;
use crate::plan::{BLOB_DRIVER, Mirror, Runtime, is_static, mirror_name, model_id, service_account, storage_class, streams};
use crate::preset::Model;
use crate::rule;
use crate::spec::names;
use crate::yaml::Step;

/// The annotations that mean something only where weights are streamed.
const ANNOTATIONS: [&str; 6] = [
    names::MODEL_MIRROR_STORAGE_CLASS,
    names::STREAMING_SERVICE_ACCOUNT,
    names::STATIC_MODEL_MIRROR,
    names::STREAM_DATAREFS_URL,
    names::STREAM_IDENTITY_CLIENT_ID,
    names::STREAM_SOURCE_TYPE,
];

/// What a container of a pod is called that fetches a token.
const FETCHER: &str = "fetch-sas";

const NAME: &[Step<'_>] = &[Step::Field("inference"), Step::Field("preset"), Step::Field("name")];

fn annotation(key: &str) -> [Step<'_>; 3] {
    [Step::Field("metadata"), Step::Field("annotations"), Step::Field(key)]
}

impl Check<'_> {
    pub(super) fn streaming(&mut self, model: &Model, runtime: Runtime) {
        let options = self.context.options;
        let given: Vec<&str> = ANNOTATIONS.into_iter().filter(|key| self.workspace.annotation(key).is_some()).collect();
        if !options.feature_gates.is_on("ModelStreaming") {
            if let Some(key) = given.first() {
                let finding = gate_is_off("ModelStreaming").help("it needs the gate ModelMirror too");
                self.say(finding, &annotation(key));
            }
            return;
        }
        if let Some(value) = self.workspace.annotation(names::MODEL_STREAMING).filter(|value| *value != "disabled") {
            let finding = rule::ANNOTATION_WITHOUT_EFFECT.says(format!("{value:?} has no effect: weights are streamed anyway"));
            self.say(finding.help("only \"disabled\" means something"), &annotation(names::MODEL_STREAMING));
        }
        if !streams(self.workspace, options) {
            if let Some(key) = given.first() {
                let because = if runtime == Runtime::Vllm { "streaming is disabled" } else { "only vLLM streams weights" };
                self.say(rule::ANNOTATION_WITHOUT_EFFECT.says(format!("the annotation has no effect: {because}")), &annotation(key));
            }
            return;
        }
        if options.cloud != Cloud::Azure {
            let finding = rule::STREAMING.says(format!("weights are streamed only on azure, and the cloud is {}", options.cloud.name()));
            self.say(
                finding.help(format!("set the annotation {}: disabled, or switch the gate ModelStreaming off", names::MODEL_STREAMING)),
                NAME,
            );
        }
        if self.workspace.annotation(names::USE_LOCAL_WEIGHTS) == Some("true") {
            let finding = rule::STREAMING_TRAP.says("the directory of the node is mounted, but the weights are streamed");
            let help = format!("set the annotation {}: disabled to read the directory", names::MODEL_STREAMING);
            self.say(finding.help(help), &annotation(names::USE_LOCAL_WEIGHTS));
        }
        self.streaming_account();
        if is_static(self.workspace) {
            self.own_storage();
        } else {
            self.no_own_storage();
            self.mirror(model);
        }
    }

    /// The ServiceAccount that downloads and streams.
    fn streaming_account(&mut self) {
        let options = self.context.options;
        let Some(name) = service_account(self.workspace, options) else {
            let finding = rule::STREAMING
                .says("streaming needs a ServiceAccount, and none is named")
                .help(format!("set the annotation {}, or modelStreaming.serviceAccount in {FILE_NAME}", names::STREAMING_SERVICE_ACCOUNT));
            return self.say(finding, NAME);
        };
        let at = self.annotation_or_name(names::STREAMING_SERVICE_ACCOUNT);
        if !names::is_dns_subdomain(name) {
            let finding = rule::INVALID_NAME.says(format!("{name:?} is no name for a ServiceAccount"));
            return self.say(finding.help("use lower-case letters, digits, dashes and dots"), &at);
        }
        let namespace = self.located.namespace.as_str();
        let storage = &self.context.mirrors.storage;
        match storage.service_account(namespace, name) {
            Some(account) if account.text(&["metadata", "annotations", names::WORKLOAD_IDENTITY_CLIENT_ID]).is_none_or(str::is_empty) => {
                let message = format!(
                    "the ServiceAccount {name} has no annotation {}, and no workload identity without",
                    names::WORKLOAD_IDENTITY_CLIENT_ID
                );
                let finding = account.finding(rule::STREAMING.says(message), at!["metadata", "annotations"]);
                self.findings.push(finding.help("write the client id of an identity there that may read the storage"));
            }
            Some(_) => {}
            None => storage.missing("ServiceAccount", Some(namespace), name).into_iter().for_each(|finding| self.say(finding, &at)),
        }
    }

    /// The annotation if the Workspace has it, else the model, whose streaming takes the default.
    fn annotation_or_name(&self, key: &'static str) -> [Step<'static>; 3] {
        let is_given = self.workspace.annotation(key).is_some_and(|value| !value.is_empty());
        if is_given { annotation(key) } else { [Step::Field("inference"), Step::Field("preset"), Step::Field("name")] }
    }

    /// Storage of the user's own, which gives out tokens.
    fn own_storage(&mut self) {
        let given = |key: &&str| self.workspace.annotation(key).is_some_and(|value| !value.is_empty());
        let missing: Vec<&str> = names::SAS_ANNOTATIONS.into_iter().filter(|key| !given(key)).collect();
        if !missing.is_empty() {
            let finding = rule::INVALID_ANNOTATION.says(format!("a static mirror needs the annotations {}", missing.join(", ")));
            let help = "or leave this one out: the weights are then mirrored";
            self.say(finding.help(help), &annotation(names::STATIC_MODEL_MIRROR));
        }
        if self.workspace.metadata.name == FETCHER {
            let finding = rule::INVALID_NAME.says(format!("the pod has another container called {FETCHER}"));
            self.say(finding.help("give the Workspace another name"), at!["metadata", "name"]);
        }
        let source_type = self.workspace.annotation(names::STREAM_SOURCE_TYPE).unwrap_or_default();
        if !matches!(source_type, "" | "public" | "byo") {
            let mut finding =
                rule::INVALID_ANNOTATION.says(format!("{source_type:?} is not allowed here")).help("allowed is public or byo");
            finding.help.extend(did_you_mean(source_type, ["public", "byo"]));
            self.say(finding, &annotation(names::STREAM_SOURCE_TYPE));
        }
        let Some(url) = self.workspace.annotation(names::STREAM_DATAREFS_URL).filter(|url| !url.is_empty()) else { return };
        let at = annotation(names::STREAM_DATAREFS_URL);
        let uri = Uri::parse(url).ok().filter(|uri| uri.authority().is_some_and(|authority| !authority.host().is_empty()));
        let Some(uri) = uri.filter(|uri| ["http", "https"].contains(&uri.scheme().as_str().to_lowercase().as_str())) else {
            let finding = rule::INVALID_ANNOTATION.says(format!("{url:?} is no URL")).help("write https://HOST/PATH");
            return self.say(finding, &at);
        };
        if uri.scheme().as_str().eq_ignore_ascii_case("http") {
            let finding = rule::STREAMING_TRAP.says("the identity's token goes to this URL, and http lets everybody on the way read it");
            self.say(finding.help("write https"), &at);
        }
        let path = uri.path().as_str().trim_end_matches('/');
        if source_type == "byo" && path.ends_with("/credentials") {
            let finding = rule::STREAMING_TRAP.says("the pod won't start: the URL of a byo model ends before /credentials");
            self.say(finding.help("leave /credentials out"), &at);
        }
        if source_type == "public" && !path.contains("/datarefs/") {
            let finding = rule::STREAMING_TRAP.says("the pod won't start: the URL of a public model has a part /datarefs/");
            self.say(finding.help("write https://HOST/.../registries/REGISTRY/datarefs/MODEL/versions/VERSION"), &at);
        }
    }

    /// Annotations about storage of the user's own where the weights are mirrored.
    fn no_own_storage(&mut self) {
        let given = names::SAS_ANNOTATIONS.into_iter().find(|key| self.workspace.annotation(key).is_some());
        if let Some(value) = self.workspace.annotation(names::STATIC_MODEL_MIRROR).filter(|value| value.eq_ignore_ascii_case("true")) {
            let finding = rule::ANNOTATION_WITHOUT_EFFECT
                .says(format!("{value:?} doesn't make the mirror static"))
                .help("Kaito wants exactly \"true\"");
            self.say(finding, &annotation(names::STATIC_MODEL_MIRROR));
        } else if let Some(key) = given {
            let finding = rule::ANNOTATION_WITHOUT_EFFECT.says("the annotation has no effect: the weights are mirrored");
            self.say(
                finding.help(format!("set {}: \"true\" to stream from storage of your own", names::STATIC_MODEL_MIRROR)),
                &annotation(key),
            );
        }
    }

    /// The mirror of the model, and the container behind it.
    fn mirror(&mut self, model: &Model) {
        let asked = self.workspace.preset().map_or("", |preset| preset.name.as_str());
        let id = model_id(asked, model);
        if !names::is_model_id(&id) {
            let finding = rule::STREAMING.says(format!("{id:?} is no model of Hugging Face, and can't be mirrored"));
            return self.say(finding.help("an id is organisation/model, of letters, digits, dashes, underscores and dots"), NAME);
        }
        let name = mirror_name(&id);
        let declared = self.context.input.mirrors.iter().find(|mirror| mirror.value.metadata.name == name);
        if let Some(mirror) = declared.filter(|mirror| mirror.value.is_static()) {
            let file = &mirror.document.file.name;
            let message = format!("the ModelMirror {name} in {file} is static: there is no claim to stream {id} from");
            let finding =
                rule::STREAMING.says(message).help(format!("make it managed, or set the annotation {}", names::STATIC_MODEL_MIRROR));
            return self.say(finding, NAME);
        }
        // A declared mirror at fault has been reported.
        let Some(mirror) = self.context.mirrors.get(&name) else { return };
        if !mirror.is_whole {
            let message = format!("the ModelMirror {name} couldn't be read whole, in {}", mirror.document.file.name);
            return self.say(rule::STREAMING.says(message).help("mend what is said of it there"), NAME);
        }
        if mirror.model_id != id {
            let message = format!("the ModelMirror {name} is of {}, and Kaito wants that name for {id}", mirror.model_id);
            return self.say(rule::STREAMING.says(message).help("give that mirror the name of its own model, or none at all"), NAME);
        }
        self.mirror_class(mirror);
        let is_spelled_otherwise = |other: &&Mirror<'_>| other.model_id != id && other.model_id.eq_ignore_ascii_case(&id);
        let other = self.context.mirrors.iter().find(is_spelled_otherwise);
        if let Some(other) = other.filter(|_| id != model.repository()) {
            let message = format!("{id} is mirrored once more, as {}: Kaito takes them for two models", other.model_id);
            let help = format!("spell it the same everywhere; {} in lower case is usual", model.repository());
            self.say(rule::STREAMING_TRAP.says(message).help(help), NAME);
        }
        match self.context.container(mirror) {
            Ok(Some(_)) => {}
            Ok(None) => self.say(unknown_container(mirror), NAME),
            Err(finding) => self.findings.push(finding),
        }
    }

    /// The StorageClass, which only counts for the Workspace that makes the mirror.
    fn mirror_class(&mut self, mirror: &Mirror<'_>) {
        let class = storage_class(self.workspace, self.context.options).unwrap_or_default();
        let makes_it = !mirror.is_declared && Arc::ptr_eq(&mirror.document.root, &self.located.document.root);
        let at = self.annotation_or_name(names::MODEL_MIRROR_STORAGE_CLASS);
        if makes_it && class.is_empty() {
            let help = format!("set the annotation {}, or modelStreaming.storageClass in {FILE_NAME}", names::MODEL_MIRROR_STORAGE_CLASS);
            self.say(rule::STREAMING.says("a mirror needs a StorageClass, and none is named").help(help), NAME);
        } else if makes_it {
            self.storage_class(class, &at);
        } else if self.workspace.annotation(names::MODEL_MIRROR_STORAGE_CLASS).is_some() && mirror.storage_class != class {
            let (id, of) = (&mirror.model_id, &mirror.storage_class);
            let message = format!(
                "the StorageClass has no effect: the mirror of {id} has {of:?}, from the {} in {}",
                mirror.owner(),
                mirror.document.file.name
            );
            self.say(rule::ANNOTATION_WITHOUT_EFFECT.says(message).help("a model has one mirror for all Workspaces"), &at);
        }
    }

    fn storage_class(&mut self, name: &str, at: &[Step<'_>]) {
        if !names::is_dns_subdomain(name) {
            let finding = rule::INVALID_NAME.says(format!("{name:?} is no name for a StorageClass"));
            return self.say(finding.help("use lower-case letters, digits, dashes and dots"), at);
        }
        let storage = &self.context.mirrors.storage;
        match storage.class(name) {
            Some(class) => {
                let provisioner = class.text(&["provisioner"]).unwrap_or_default();
                if provisioner != BLOB_DRIVER {
                    let message = format!("the StorageClass {name} is of {provisioner:?}, and weights are streamed from blob containers");
                    self.say(rule::STREAMING.says(message).help(format!("name a class of {BLOB_DRIVER}")), at);
                }
            }
            None => storage.missing("StorageClass", None, name).into_iter().for_each(|finding| self.say(finding, at)),
        }
    }
}

fn unknown_container(mirror: &Mirror<'_>) -> Diagnostic {
    let (id, namespace, name) = (&mirror.model_id, mirror.namespace, &mirror.name);
    let entry = format!("{{model: {id}, storageAccount: ..., container: ...}}");
    let class = "the StorageClass of the mirror with the parameters storageAccount and containerName";
    rule::STREAMING.says(format!(
        "the blob container with the weights of {id} isn't known; in a cluster Kaito reads it from the volume of the claim {namespace}/{name}"
    ))
    .help(format!("declare it in {FILE_NAME}: modelStreaming: {{containers: [{entry}]}}"))
    .help(format!("or add that PersistentVolume to the input (kubectl get pv -o yaml), or {class}"))
    .help(format!("where there is no volume yet, render the ModelMirror {name} by itself first"))
}
