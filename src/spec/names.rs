//! The labels and annotations of Kaito, spelled once, and the rules for Kubernetes names.
//!
//! Source: Kaito 0.12 (labels, annotations), `k8s.io/apimachinery/pkg/util/validation` (names).

#![expect(missing_docs, reason = "each constant is named after the key it holds")]

pub const WORKSPACE: &str = "kaito.sh/workspace";
pub const WORKSPACE_NAMESPACE: &str = "kaito.sh/workspacenamespace";
pub const KARPENTER_WORKSPACE_NAME: &str = "karpenter.kaito.sh/workspace-name";
pub const KARPENTER_WORKSPACE_NAMESPACE: &str = "karpenter.kaito.sh/workspace-namespace";
pub const KARPENTER_INFERENCE_SET: &str = "karpenter.kaito.sh/inferenceset";
pub const KARPENTER_INFERENCE_SET_NAMESPACE: &str = "karpenter.kaito.sh/inferenceset-namespace";
pub const RAG_ENGINE: &str = "kaito.sh/ragengine";
pub const RAG_ENGINE_NAMESPACE: &str = "kaito.sh/ragenginenamespace";
pub const INFERENCE_SET_CREATED_BY: &str = "inferenceset.kaito.sh/created-by";
pub const MULTI_ROLE_CREATED_BY: &str = "multiroleinference.kaito.sh/created-by";
pub const INFERENCE_ROLE: &str = "kaito.sh/inference-role";

pub const ENABLE_LB: &str = "kaito.sh/enablelb";
pub const RUNTIME: &str = "kaito.sh/runtime";
pub const BYPASS_RESOURCE_CHECKS: &str = "kaito.sh/bypass-resource-checks";
pub const NODE_IMAGE_FAMILY: &str = "kaito.sh/node-image-family";
pub const NODE_CLASS_NAME: &str = "kaito.sh/node-class-name";
pub const DISABLE_BENCHMARK: &str = "kaito.sh/disable-benchmark";
pub const PERFORMANCE_MODE: &str = "kaito.sh/performance-mode";
pub const USE_LOCAL_WEIGHTS: &str = "kaito.sh/use-local-weights";
/// Not Kaito's own: what `kaito lint` doesn't say of an object.
pub const LINT_IGNORE: &str = "kaito.sh/lint-ignore";
pub const MODEL_STREAMING: &str = "kaito.sh/model-streaming";
pub const MODEL_MIRROR_STORAGE_CLASS: &str = "kaito.sh/model-mirror-storage-class";
pub const STREAMING_SERVICE_ACCOUNT: &str = "kaito.sh/streaming-service-account";
pub const STATIC_MODEL_MIRROR: &str = "inference.kaito.sh/static-model-mirror";
pub const STREAM_DATAREFS_URL: &str = "inference.kaito.sh/stream-datarefs-url";
pub const STREAM_IDENTITY_CLIENT_ID: &str = "inference.kaito.sh/stream-identity-client-id";
pub const STREAM_SOURCE_TYPE: &str = "inference.kaito.sh/stream-source-type";

pub const WORKLOAD_IDENTITY_CLIENT_ID: &str = "azure.workload.identity/client-id";
pub const WORKLOAD_IDENTITY_USE: &str = "azure.workload.identity/use";

/// Every annotation of a Workspace that Kaito reads.
pub const ANNOTATIONS: [&str; 16] = [
    ENABLE_LB,
    RUNTIME,
    BYPASS_RESOURCE_CHECKS,
    NODE_IMAGE_FAMILY,
    NODE_CLASS_NAME,
    DISABLE_BENCHMARK,
    PERFORMANCE_MODE,
    USE_LOCAL_WEIGHTS,
    MODEL_STREAMING,
    MODEL_MIRROR_STORAGE_CLASS,
    STREAMING_SERVICE_ACCOUNT,
    "kaito.sh/upgrade-start-time",
    STATIC_MODEL_MIRROR,
    STREAM_DATAREFS_URL,
    STREAM_IDENTITY_CLIENT_ID,
    STREAM_SOURCE_TYPE,
];

/// The annotations that say where to stream from by tokens that run out; such a Workspace needs all three.
pub const SAS_ANNOTATIONS: [&str; 3] = [STREAM_DATAREFS_URL, STREAM_IDENTITY_CLIENT_ID, STREAM_SOURCE_TYPE];

/// Keys that Kaito drops from `labelSelector.matchLabels` in silence.
pub const RESERVED_SELECTOR_LABELS: [&str; 8] = [
    WORKSPACE,
    WORKSPACE_NAMESPACE,
    RAG_ENGINE,
    RAG_ENGINE_NAMESPACE,
    KARPENTER_WORKSPACE_NAME,
    KARPENTER_WORKSPACE_NAMESPACE,
    KARPENTER_INFERENCE_SET,
    KARPENTER_INFERENCE_SET_NAMESPACE,
];

/// Labels of a Workspace that its pods and selectors carry too.
pub const INHERITED_LABELS: [&str; 3] = [INFERENCE_SET_CREATED_BY, MULTI_ROLE_CREATED_BY, INFERENCE_ROLE];

/// Whether this is a DNS-1123 label: at most 63 of `a-z`, `0-9` and `-`, the first and last not `-`.
pub fn is_dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 63 && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// Whether this is a DNS-1123 subdomain: labels joined by dots, at most 253 characters.
pub fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(|part| part.len() <= 253 && is_dns_label_of_any_length(part))
}

/// Whether this can be the name of an object of whatever kind, or of its namespace: it stands between two slashes in the address at which
/// an API server is asked for it, as it is.
pub fn is_path_segment(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
    !matches!(name, "" | "." | "..") && name.bytes().all(fits)
}

fn is_dns_label_of_any_length(part: &str) -> bool {
    !part.is_empty()
        && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !part.starts_with('-')
        && !part.ends_with('-')
}

/// Whether this is the id of a model on Hugging Face: `model` or `organisation/model`, each of letters, digits, `-`, `_` and `.`,
/// the first alphanumeric or `_`. It becomes a folder, so that it leads nowhere else.
pub fn is_model_id(id: &str) -> bool {
    let fits = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
            && part.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
    };
    id.len() <= 96 && id.split('/').count() <= 2 && id.split('/').all(fits)
}

/// Whether this may be the value of a label: at most 63 of letters, digits, `-`, `_` and `.`, first and last alphanumeric.
pub fn is_label_value(value: &str) -> bool {
    value.is_empty() || (value.len() <= 63 && is_qualified_part(value))
}

/// Whether this may be the key of a label or annotation: `[prefix/]name`.
pub fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && name.len() <= 63 && is_qualified_part(name),
        None => key.len() <= 63 && is_qualified_part(key),
    }
}

fn is_qualified_part(part: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && ends(part.chars().next())
        && ends(part.chars().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_address() {
        for name in ["phi", "phi-4.models", "system:node", "a$b@c", "..."] {
            assert!(is_path_segment(name), "{name:?}");
        }
        for name in ["", ".", "..", "a/b", "../a", "a b", "a?dryRun=All", "a#b", "a%2fb", "a\0b", "a\nb", "\u{e9}", "a[b]", "a\\b"] {
            assert!(!is_path_segment(name), "{name:?}");
        }
    }
}
