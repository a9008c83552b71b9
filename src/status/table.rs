//! Rows as lines of a table, in the words of `kubectl get`.

use super::{Row, Sets, age};
use crate::health::line;

/// Which columns there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The namespace, as objects of several are shown.
    pub has_namespaces: bool,
    /// The object that the message is about, and the message in any case.
    pub is_wide: bool,
    /// Less columns, for a narrow terminal: the message tells what isn't ready.
    pub is_narrow: bool,
}

/// Columns that a narrow table has not.
const FURTHER: [&str; 3] = ["RESOURCEREADY", "INFERENCEREADY", "REVISION"];

/// The names of the columns.
pub fn head(view: View) -> Vec<String> {
    columns(view).map(ToOwned::to_owned).collect()
}

fn columns(view: View) -> impl Iterator<Item = &'static str> {
    let names = [
        "NAMESPACE",
        "NAME",
        "INSTANCE",
        "RESOURCEREADY",
        "INFERENCEREADY",
        "WORKSPACEREADY",
        "NODES",
        "PODS",
        "REVISION",
        "AGE",
        "OBJECT",
        "MESSAGE",
    ];
    names.into_iter().filter(move |name| match *name {
        "NAMESPACE" => view.has_namespaces,
        "OBJECT" => view.is_wide,
        name => !view.is_narrow || !FURTHER.contains(&name),
    })
}

/// A row as text, `now` being the seconds since 1970.
pub fn cells(row: &Row, sets: &Sets, view: View, now: i64) -> Vec<String> {
    let truth = |is_true| match is_true {
        Some(true) => "True".to_owned(),
        Some(false) => "False".to_owned(),
        None => "Unknown".to_owned(),
    };
    let none = || "<none>".to_owned();
    let cell = |column| match column {
        "NAMESPACE" => row.owner.namespace.to_string(),
        "NAME" => row.name(),
        "INSTANCE" => row.instance_type.as_deref().map_or_else(none, line),
        "RESOURCEREADY" => truth(row.resource_ready),
        "INFERENCEREADY" => truth(row.inference_ready),
        "WORKSPACEREADY" => truth(Some(row.is_ready())),
        "NODES" => row.nodes.to_string(),
        "PODS" => row.pods.to_string(),
        "REVISION" => sets.revisions(&row.sets).unwrap_or_else(none),
        "AGE" => row.created.as_deref().map_or_else(|| "<unknown>".to_owned(), |created| age(created, now)),
        "OBJECT" => row.about.as_ref().map_or_else(none, super::ObjectRef::resource_name),
        // A row that is ready needs no message.
        _ if view.is_wide || !row.is_ready() => row.health.message.clone(),
        _ => String::new(),
    };
    columns(view).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::status::rows;

    #[test]
    fn lines_of_a_table() {
        let labels = |name: &str| json!({(name): "phi", "applyset.kubernetes.io/part-of": "one"});
        let status = json!({"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "observedGeneration": 1});
        let deployment = |name: &str, label: &str, rest: &serde_json::Value| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}, "status": rest,
                "metadata": {"name": name, "namespace": "n", "labels": labels(label), "creationTimestamp": "2026-01-02T00:00:00Z"}})
        };
        let objects = [deployment("phi", "kaito.sh/workspace", &status), deployment("rag", "kaito.sh/ragengine", &json!({}))];
        let parent = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prod", "namespace": "n",
            "labels": {"applyset.kubernetes.io/id": "one"},
            "annotations": {"kaito.sh/revision": "main@sha1:0123456789abcdef0123456789abcdef01234567"}}});
        let (sets, now) = (Sets::of(&[parent]), 1_767_312_000 + 125);
        let told = |view| -> Vec<String> { rows(&objects).iter().map(|row| cells(row, &sets, view, now).join("|")).collect() };
        // Without further columns; with all of them.
        let table = [
            (
                View::default(),
                [
                    "ragengine/phi|<none>|True|False|False|-|0/1|main@sha1:0123456|2m5s|MESSAGE",
                    "phi|<none>|True|True|True|-|1/1|main@sha1:0123456|2m5s|",
                ],
            ),
            (
                View { has_namespaces: true, is_wide: true, is_narrow: false },
                [
                    "n|ragengine/phi|<none>|True|False|False|-|0/1|main@sha1:0123456|2m5s|deployment.apps/rag|MESSAGE",
                    "n|phi|<none>|True|True|True|-|1/1|main@sha1:0123456|2m5s|deployment.apps/phi|MESSAGE",
                ],
            ),
            (
                View { has_namespaces: true, is_wide: false, is_narrow: true },
                ["n|ragengine/phi|<none>|False|-|0/1|2m5s|MESSAGE", "n|phi|<none>|True|-|1/1|2m5s|"],
            ),
        ];
        for (view, want) in table {
            let rows = rows(&objects);
            let want: Vec<String> = want.iter().zip(&rows).map(|(line, row)| line.replace("MESSAGE", &row.health.message)).collect();
            assert_eq!(told(view), want);
            assert_eq!(head(view).len(), want[0].split('|').count());
        }
    }
}
