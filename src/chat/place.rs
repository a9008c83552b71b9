//! Where a Workspace answers, from the live objects that it stands for.

use serde_json::Value;

use crate::diff::Owner;
use crate::status::owner_of;

/// The port of Kaito's images.
const PORT: u16 = 5000;

/// A port of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The port.
    pub port: u16,
}

/// The first pod of a Workspace that is ready, which of several nodes is the one that answers. None if there is none, or only pods of a tuning.
pub fn place(objects: &[Value], owner: &Owner) -> Option<Place> {
    let pods = objects.iter().filter(|object| object["kind"] == "Pod" && owner_of(object).as_ref() == Some(owner));
    let serving = pods.filter(|pod| is_ready(pod) && !is_of_job(pod));
    let name = |pod: &&Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    // The tenth comes after the second.
    let pod = serving.min_by_key(|pod| (name(pod).len(), name(pod)))?;
    Some(Place { namespace: pod["metadata"]["namespace"].as_str()?.to_owned(), pod: name(&pod), port: port(pod) })
}

fn is_ready(pod: &Value) -> bool {
    let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    pod["metadata"]["deletionTimestamp"].is_null()
        && conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn is_of_job(pod: &Value) -> bool {
    pod["metadata"]["ownerReferences"].as_array().into_iter().flatten().any(|owner| owner["kind"] == "Job")
}

/// Kaito's port if a container has it, and otherwise the first that there is.
fn port(pod: &Value) -> u16 {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let ports: Vec<u16> = ports.filter_map(|port| port["containerPort"].as_u64()?.try_into().ok()).collect();
    if ports.contains(&PORT) { PORT } else { ports.first().copied().unwrap_or(PORT) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, ready: &str, ports: &[u16], rest: Value) -> Value {
        let ports: Vec<Value> = ports.iter().map(|port| json!({"containerPort": port})).collect();
        let mut pod = rest;
        pod["kind"] = "Pod".into();
        pod["metadata"]["name"] = name.into();
        pod["metadata"]["namespace"] = "n".into();
        pod["metadata"]["labels"] = json!({"kaito.sh/workspace": "phi"});
        pod["spec"] = json!({"containers": [{"name": "a", "ports": ports}]});
        pod["status"] = json!({"conditions": [{"type": "Ready", "status": ready}]});
        pod
    }

    #[test]
    fn pods_that_answer() {
        let job = json!({"metadata": {"ownerReferences": [{"kind": "Job", "name": "phi"}]}});
        let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
        let table = [
            (vec![pod("phi-10", "True", &[5000], json!({})), pod("phi-2", "True", &[5000], json!({}))], Some(("phi-2", 5000))),
            (vec![pod("phi-0", "False", &[5000], json!({})), pod("phi-1", "True", &[], json!({}))], Some(("phi-1", 5000))),
            (vec![pod("phi-0", "True", &[8080, 9000], json!({}))], Some(("phi-0", 8080))),
            (vec![pod("phi-0", "True", &[5557, 5000], json!({}))], Some(("phi-0", 5000))),
            (vec![pod("phi-0", "False", &[5000], json!({}))], None),
            (vec![pod("phi-0", "True", &[5000], job)], None),
            (vec![pod("phi-0", "True", &[5000], going)], None),
            (vec![json!({"kind": "Pod", "metadata": {"name": "other", "namespace": "n"}})], None),
        ];
        let owner = Owner { kind: "Workspace", namespace: "n".into(), name: "phi".into() };
        for (pods, want) in table {
            let want = want.map(|(pod, port)| Place { namespace: "n".to_owned(), pod: pod.to_owned(), port });
            assert_eq!(place(&pods, &owner), want, "{pods:?}");
        }
    }
}
