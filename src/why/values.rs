//! What the names in templates stand for: figures of the plan and fields of the user.

use crate::render::TemplateLine;

/// Where the value of a name comes from.
pub(super) struct Origin {
    /// Figures of the plan, by their names.
    pub figures: &'static [&'static str],
    /// Fields of the Workspace, RAGEngine or set.
    pub fields: &'static [&'static [&'static str]],
}

macro_rules! origins {
    ($($names:pat => [$($figure:literal),*] $([$($field:literal).+])*;)*) => {
        /// What is known of a name.
        pub(super) fn origin(name: &str) -> Option<Origin> {
            Some(match name {
                $($names => Origin { figures: &[$($figure),*], fields: &[$(&[$($field),+]),*] },)*
                _ => return None,
            })
        }
    };
}

origins! {
    "name" | "claim_name" | "pool_name" | "azure_name" | "leader" => [] ["metadata"."name"];
    "namespace" | "pool_namespace" => [] ["metadata"."namespace"];
    "replicas" => ["context for the estimate", "KV cache per token", "nodes"] ["resource"."count"] ["resource"."instanceType"];
    "distributed" => ["nodes", "workload"];
    "instance_type" => [] ["resource"."instanceType"] ["spec"."compute"."instanceType"];
    "selector" | "labels" => [] ["resource"."labelSelector"] ["spec"."compute"."labelSelector"];
    "node_labels" => ["node labels"] ["resource"."labelSelector"] ["spec"."compute"."labelSelector"];
    "pod_labels" | "inference_set" | "created_by" => [] ["metadata"."name"] ["metadata"."labels"];
    "disk" | "disk_gib" => ["disk"];
    "image_family" => ["node image"] ["metadata"."annotations"."kaito.sh/node-image-family"];
    "node_class_group" | "node_class_kind" | "node_class_name" => ["node class"] ["metadata"."annotations"."kaito.sh/node-class-name"];
    "drift_budget" => ["drift budget"];
    "pool" | "capi" | "aso" => ["node pool", "node image"];
    "load_balancer" => [] ["metadata"."annotations"."kaito.sh/enablelb"];
    "image" => ["image"] ["inference"."preset"."presetOptions"."image"];
    "command" => ["model", "preset", "runtime", "method", "processes", "argument"] ["inference"."preset"."name"] ["tuning"."preset"."name"];
    "runtime" | "kv_events" => ["runtime"] ["metadata"."annotations"."kaito.sh/runtime"];
    "gpus" => ["GPUs per node", "GPUs", "GPUs per pod"] ["resource"."instanceType"] ["resource"."partition"] ["spec"."compute"."instanceType"];
    "gpu_resource" => [] ["resource"."partition"."profile"];
    "port" | "sidecar_image" | "role" => ["port"] ["metadata"."labels"."kaito.sh/inference-role"];
    "benchmark" => ["startup probe"] ["metadata"."annotations"."kaito.sh/disable-benchmark"];
    "startup_failures" => ["startup budget"];
    "deep_gemm" | "cuda_toolkit" => ["model"] ["inference"."preset"."name"];
    "weights" | "local_path" => ["weights"] ["metadata"."annotations"."kaito.sh/use-local-weights"];
    "streaming" => ["weights", "service account"] ["metadata"."annotations"."kaito.sh/streaming-service-account"]
        ["metadata"."annotations"."inference.kaito.sh/stream-datarefs-url"]
        ["metadata"."annotations"."inference.kaito.sh/stream-identity-client-id"]
        ["metadata"."annotations"."inference.kaito.sh/stream-source-type"];
    "weights_image" => ["weights"] ["tuning"."preset"."name"];
    "config" => ["configuration"] ["inference"."config"] ["tuning"."config"];
    "token_secret" => [] ["inference"."preset"."presetOptions"."modelAccessSecret"];
    "image_adapters" | "volume_adapters" | "adapters" => [] ["inference"."adapters"];
    "image_pull_secrets" => [] ["inference"."adapters"] ["inference"."preset"."presetOptions"."imagePullSecrets"] ["tuning"."input"."imagePullSecrets"];
    "pod_metadata" => [] ["inference"."template"."metadata"] ["metadata"."labels"];
    "pod_spec" => [] ["inference"."template"."spec"];
    "target_modules" => ["target modules"] ["tuning"."preset"."name"];
    "output_dir" => ["results"] ["tuning"."config"];
    "training_config" => ["method", "configuration"] ["tuning"."method"];
    "input_urls" => [] ["tuning"."input"."urls"];
    "input_image" | "input_name" | "input_secrets" | "input_volume" => [] ["tuning"."input"];
    "output_image" | "output_volume" | "output_annotations" | "push_secret" => [] ["tuning"."output"];
    "storage_class" => [] ["spec"."storage"."storageClassName"] ["metadata"."annotations"."kaito.sh/model-mirror-storage-class"];
    "size" => [] ["spec"."storage"."size"] ["inference"."preset"."name"];
    "service_account" | "workload_identity" => [] ["spec"."serviceAccountName"]
        ["metadata"."annotations"."kaito.sh/streaming-service-account"];
    "access_secret" => [] ["spec"."source"."accessSecret"] ["inference"."preset"."presetOptions"."modelAccessSecret"];
    "model_id" => [] ["spec"."source"."modelID"] ["inference"."preset"."name"] ["spec"."embedding"];
    "model_access_secret" | "embedding_type" => [] ["spec"."embedding"];
    "vector_db" | "vector_db_url" | "vector_db_secret" => [] ["spec"."storage"."vectorDB"];
    "mount_path" | "claim" | "persist_dir" => ["vectors"] ["spec"."storage"];
    "context_window" | "inference_url" | "inference_secret" => [] ["spec"."inferenceService"];
    "guardrails" | "guardrails_config" => [] ["spec"."guardrails"];
    "runs_anywhere" => ["GPUs"] ["spec"."compute"];
}

/// Adds the names whose values a line of a template uses; that of a loop stands for what it runs over.
pub(super) fn names(line: &TemplateLine, found: &mut Vec<String>) {
    let loops: Vec<(String, String)> = line.within().iter().filter_map(|tag| loop_of(tag.text())).collect();
    for name in identifiers(&tags_of(line.text())) {
        let over = loops.iter().rev().find(|(variables, _)| variables.split(',').any(|variable| variable.trim() == name));
        let names = match over {
            Some((_, over)) => identifiers(over),
            None => vec![name],
        };
        found.extend(names.into_iter().filter(|name| !found.contains(name)).collect::<Vec<_>>());
    }
}

/// `key, value` and `pod_labels|items` of `{% for key, value in pod_labels|items %}`.
fn loop_of(tag: &str) -> Option<(String, String)> {
    let inner = tag.strip_prefix("{%")?.trim_start_matches('-').trim_start().strip_prefix("for ")?;
    let (variables, rest) = inner.split_once(" in ")?;
    let over = rest.split(" if ").next().unwrap_or(rest);
    Some((variables.to_owned(), over.trim_end_matches(['%', '}', '-', ' ']).to_owned()))
}

/// What stands in the tags of a line.
fn tags_of(line: &str) -> String {
    let mut inside = String::new();
    for (start, end) in [("{{", "}}"), ("{%", "%}")] {
        let mut rest = line;
        while let Some((tag, after)) = rest.split_once(start).and_then(|(_, rest)| rest.split_once(end)) {
            inside.push_str(tag);
            inside.push(' ');
            rest = after;
        }
    }
    inside
}

/// The names in an expression, without fields, filters and what stands in quotes.
fn identifiers(expression: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut quote = None;
    let mut name = String::new();
    let mut before = ' ';
    for c in expression.chars().chain([' ']) {
        if let Some(open) = quote {
            quote = (c != open).then_some(open);
            continue;
        }
        if c.is_alphanumeric() || c == '_' {
            name.push(c);
            continue;
        }
        if !name.is_empty() {
            let is_name = !matches!(before, '.' | '|') && !name.starts_with(|first: char| first.is_ascii_digit());
            let taken = std::mem::take(&mut name);
            if is_name && !names.contains(&taken) {
                names.push(taken);
            }
        }
        quote = matches!(c, '"' | '\'').then_some(c);
        if c != ' ' {
            before = c;
        } else if before == '.' || before == '|' {
            before = ' ';
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_expressions() {
        let table: [(&str, &[&str]); 5] = [
            ("replicas", &["replicas"]),
            ("\"LoadBalancer\" if load_balancer else \"ClusterIP\"", &["if", "load_balancer", "else"]),
            ("pod.affinity(node_labels)|indent(6)", &["pod", "node_labels"]),
            ("selector[\"karpenter.sh/nodepool\"]|default(\"kaito\")", &["selector"]),
            ("1 if deep_gemm else 0", &["if", "deep_gemm", "else"]),
        ];
        for (expression, want) in table {
            assert_eq!(identifiers(expression), want, "{expression}");
        }
        assert_eq!(loop_of("{% for key, value in pod_labels|items %}").unwrap().1, "pod_labels|items");
        assert_eq!(loop_of("{% for adapter in adapters if adapter.strength %}").unwrap().1, "adapters");
    }
}
