//! The rules by which inputs are judged, each with a name that stays: what `kaito lint` lists, switches and reports.
//!
//! A rule is one entry of the table below. Whoever finds something says it with `rule::NAME.says(message)`.

mod levels;

pub use levels::{FailOn, Level, Levels, LintConfig};

use crate::diagnostic::{Diagnostic, Severity, did_you_mean};

/// A rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name by which people switch it.
    pub id: &'static str,
    /// How bad it is to break it, unless `kaito.yaml` says otherwise.
    pub level: Severity,
    /// What is wrong when it is broken, in one line.
    pub summary: &'static str,
}

impl Rule {
    /// A finding of this rule, without a place.
    pub fn says(&'static self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Some(self), self.level, message)
    }

    /// The rule of that name.
    pub fn by_id(id: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|rule| rule.id == id)
    }
}

/// What is said of a rule that doesn't exist.
pub fn no_such_rule(id: &str) -> Diagnostic {
    let mut finding = Diagnostic::error(format!("there is no rule {id:?}"));
    finding.help.extend(did_you_mean(id, ALL.iter().map(|rule| rule.id)));
    finding.help("`kaito lint --rules` shows them")
}

macro_rules! rules {
    ($($name:ident $level:ident $id:literal $summary:literal)*) => {
        $(#[doc = $summary] pub static $name: Rule = Rule { id: $id, level: Severity::$level, summary: $summary };)*

        /// Every rule: those about files, objects, Workspaces and several objects, in this order.
        pub static ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    GENERAL Error "general" "Something about the run itself: a file that can't be read, kaito.yaml, presets or templates at fault"
    MISPLACED_CONFIG Warning "misplaced-config" "A configuration of kaito that this run doesn't use"
    NEEDS_KUSTOMIZE Error "needs-kustomize" "A kustomization stands among the manifests and was not built"
    YAML_SYNTAX Error "yaml-syntax" "A text that isn't YAML as Kubernetes reads it: broken, a key twice, too large or too deep"
    NOT_AN_OBJECT Error "not-an-object" "A document that is no mapping, or has no apiVersion, kind or name"
    UNKNOWN_KIND Error "unknown-kind" "A kind or version of kaito.sh that doesn't exist, or that kaito doesn't render"
    UNKNOWN_FIELD Error "unknown-field" "A field that the type doesn't have"
    MISSING_FIELD Error "missing-field" "A field that must be there is missing"
    WRONG_TYPE Error "wrong-type" "A value of another type than the field's, such as a number in the place of a string"
    INVALID_VALUE Error "invalid-value" "A value that the field doesn't allow"
    NON_STRING_DATA Warning "non-string-data" "Data of a ConfigMap or Secret that YAML reads as something else than a string"

    INVALID_NAME Error "invalid-name" "A name that Kubernetes doesn't take"
    INVALID_LABEL Error "invalid-label" "A key or value that no label, annotation or NodePool may have"
    NAME_TOO_LONG Error "name-too-long" "A Workspace whose Services' names would be longer than 63 characters"
    NAME_TOO_LONG_FOR_PODS Warning "name-too-long-for-pods" "A Workspace whose pods can't carry the label controller-revision-hash"
    NAMESPACE_MISMATCH Error "namespace-mismatch" "An object of another namespace than the one that was asked for"
    FEATURE_GATE_OFF Error "feature-gate-off" "Something whose feature gate is off"
    INVALID_ANNOTATION Error "invalid-annotation" "An annotation of Kaito with a value that it refuses"
    UNKNOWN_ANNOTATION Warning "unknown-annotation" "An annotation of kaito.sh that Kaito doesn't know"
    ANNOTATION_WITHOUT_EFFECT Warning "annotation-without-effect" "An annotation whose value, place or node provisioner leaves it without effect"
    FIELD_WITHOUT_EFFECT Warning "field-without-effect" "A field that Kaito takes and never reads"

    EXACTLY_ONE Error "exactly-one" "Not exactly one of fields that exclude each other: inference and tuning, preset and template, sources of data"
    UNKNOWN_PRESET Error "unknown-preset" "A model that isn't in the catalog"
    PRESET_SPELLING Note "preset-spelling" "A model whose name is spelled otherwise than in the catalog"
    PRESET_RUNTIME Error "preset-runtime" "A model that the runtime, or tuning, doesn't support"
    UNKNOWN_INSTANCE_TYPE Error "unknown-instance-type" "A size of nodes that isn't in the table of the cloud"
    INSTANCE_TYPE_PRESENCE Error "instance-type-presence" "A size missing where nodes are made, or given where they are there already"
    INSTANCE_TYPE_SPELLING Warning "instance-type-spelling" "A size in other letters than the cloud's, which Kaito admits and then waits for"
    INSTANCE_TYPE_UNKNOWN_TO_KAITO Note "instance-type-unknown-to-kaito" "A size that Kaito's own admission would refuse"
    NOT_NVIDIA Warning "not-nvidia" "A size whose GPUs aren't NVIDIA's, while pods ask for nvidia.com/gpu"
    OLD_GPU Warning "old-gpu" "A GPU that can't do bfloat16 for a model that asks for it"
    UNKNOWN_NODE_CLASS Error "unknown-node-class" "A NodeClass that isn't declared, or none where one is needed"
    SMALL_DISK Warning "small-disk" "A NodeClass with less disk than the weights take"
    DISK_TOO_LARGE Error "disk-too-large" "Nodes that need a larger disk than the cloud has"
    DISK_WITHOUT_UNIT Warning "disk-without-unit" "A preset of Kaito 0.3 whose disk has no unit, which only its own gpu-provisioner reads as GB"
    INVALID_PARTITION Error "invalid-partition" "A part of GPUs that can't be had"
    GPU_MEMORY Error "gpu-memory" "Less GPU memory than the model needs"
    LITTLE_GPU_MEMORY Warning "little-gpu-memory" "Less GPU memory than it takes, where Kaito lets it pass"
    TOO_MANY_NODES Error "too-many-nodes" "More than 1000 nodes for one Workspace, or 100,000 for all"
    COUNT_IGNORED Note "count-ignored" "A resource.count that vLLM's own estimate replaces"
    UNFIT_NODES Error "unfit-nodes" "Nodes of one's own that are missing, unlike or not ready"
    RESERVED_LABEL Warning "reserved-label" "A label that Kaito drops from the selector in silence"
    MATCH_EXPRESSIONS Error "match-expressions" "An expression that Kaito doesn't admit in a selector"
    MATCH_EXPRESSIONS_IGNORED Warning "match-expressions-ignored" "An expression that Kaito admits in a selector and ignores"
    EMPTY_SELECTOR Error "empty-selector" "A selector of which no label is left"
    ANY_NODE Warning "any-node" "Pods that no label binds to the nodes meant for them"

    MISSING_CONFIG_MAP Error "missing-config-map" "A ConfigMap that is referred to and not in the input"
    CONFIG_MAP_NAMESPACE Warning "config-map-namespace" "A ConfigMap without a namespace for a Workspace that isn't in the default one"
    INVALID_CONFIG Error "invalid-config" "An inference or training configuration that Kaito refuses"
    UNSEEN_CONFIG Warning "unseen-config" "Something in a configuration that nobody reads, or that Kaito's estimate doesn't see"
    MISSING_SECRET Warning "missing-secret" "A Secret that is referred to and not in the input, nor anything that makes it"
    SECRET_KEY Warning "secret-key" "A Secret of the input without the key that is read from it"
    INVALID_ADAPTER Error "invalid-adapter" "An adapter that can't be loaded: too many, no source, a name twice, a strength on vLLM"
    ADAPTER_WITHOUT_EFFECT Warning "adapter-without-effect" "Something of an adapter that is ignored"
    ADAPTER_STRENGTH Warning "adapter-strength" "A strength that is no number from 0 to 1, or whose variable some clusters refuse"
    INVALID_IMAGE Error "invalid-image" "A text that is no reference of an image"
    UNPINNED_IMAGE Warning "unpinned-image" "Adapters or training data from an image that can change under its name"
    INVALID_VOLUME_SOURCE Error "invalid-volume-source" "A volumeSource that isn't one kind of volume"
    INVALID_TEMPLATE Error "invalid-template" "A pod template that an API server refuses"
    TEMPLATE_AFFINITY Warning "template-affinity" "An affinity of a pod template, which Kaito throws away"
    INVALID_TUNING Error "invalid-tuning" "A tuning that Kaito refuses: its method, its nodes, or no Secret to push with"
    TRAINING_URL Error "training-url" "Training data from what is no URL, or from a private place"
    TRAINING_FILE Warning "training-file" "Two files of training data of which one is kept"

    INVALID_ADDRESS Warning "invalid-address" "The address of a service that is none"
    UNKNOWN_VECTOR_DATABASE Warning "unknown-vector-database" "A vector database that Kaito's RAG service doesn't speak to"
    LOST_VECTORS Warning "lost-vectors" "A RAGEngine whose vectors are lost with its pod"

    DUPLICATE_OBJECT Error "duplicate-object" "The same object twice"
    OBJECT_CLASH Error "object-clash" "An object of one name from two Workspaces, or from one and the input"
    SHARED_NODES Warning "shared-nodes" "Workspaces that select the same nodes and together need more of them than there are"
    SHARED_LABELS Warning "shared-labels" "Pods bound by labels alone, which also select the nodes of another Workspace"
    AUTOSCALER_TARGET Warning "autoscaler-target" "An autoscaler of a set, which is not there once the set is rendered"
    STREAMING Error "streaming" "Weights that can't be streamed: no identity, no storage class, or no blob container that is known"
    INVALID_MIRROR Error "invalid-mirror" "A ModelMirror that Kaito refuses, or could make nothing of"
    STREAMING_TRAP Warning "streaming-trap" "Streaming that Kaito lets pass, and that surprises later"
    UNKNOWN_RULE Warning "unknown-rule" "An annotation kaito.sh/lint-ignore that names no rule"
}
