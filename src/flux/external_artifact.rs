//! The object that tells Flux where an artifact is which somebody else makes: `ExternalArtifact` (RFC-0012 of `fluxcd/flux2`).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::image::{REVISION, SOURCE};
use crate::manifest::ObjectRef;

const GROUP: &str = "source.toolkit.fluxcd.io";
const KIND: &str = "ExternalArtifact";

/// An artifact that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its digest: `sha256:...`.
    pub digest: String,
    /// Its bytes.
    pub size: usize,
    /// Where it is, from the root of what is served.
    pub path: String,
    /// Where it is.
    pub url: String,
    /// The repository that it is made from, if it is made from one.
    pub source: Option<String>,
    /// Its revision there, as Flux writes it.
    pub revision: Option<String>,
}

/// The name of the object.
pub fn artifact_of(namespace: &str, name: &str) -> ObjectRef {
    ObjectRef::new(GROUP, KIND, Some(namespace), name)
}

/// The object; `of` is what the artifact is made for.
pub fn external_artifact(namespace: &str, name: &str, of: &ObjectRef) -> Value {
    let api_version = if of.group.is_empty() { "v1".to_owned() } else { format!("{}/v1", of.group) };
    let source = json!({"apiVersion": api_version, "kind": of.kind, "name": of.name, "namespace": of.namespace});
    json!({
        "apiVersion": format!("{GROUP}/v1"),
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"sourceRef": source},
    })
}

/// The status of the object: where the artifact is, or why there is no newer one. Then what was published before stays, with which Flux
/// goes on. What says the same as `live` keeps its time. The revision is that of the content, so that Flux applies only what is new.
pub fn artifact_status(live: &Value, published: Result<&Published, &str>, now: &str) -> Value {
    let known = &live["status"];
    let (artifact, status, reason, message) = match published {
        Ok(published) => {
            let known = &known["artifact"];
            let updated = if known["digest"] == published.digest.as_str() { known["lastUpdateTime"].as_str() } else { None };
            let metadata = [(SOURCE, &published.source), (REVISION, &published.revision)];
            let metadata: BTreeMap<&str, &String> =
                metadata.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
            let artifact = json!({
                "digest": published.digest,
                "lastUpdateTime": updated.unwrap_or(now),
                "metadata": metadata,
                "path": published.path,
                "revision": format!("latest@{}", published.digest),
                "size": published.size,
                "url": published.url,
            });
            (
                artifact,
                "True",
                "Succeeded",
                format!("stored artifact for revision {}", published.revision.as_deref().unwrap_or("of the files")),
            )
        }
        Err(why) => (known["artifact"].clone(), "False", "BuildFailed", why.to_owned()),
    };
    let before = known["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let since = before.filter(|before| before["status"] == status).and_then(|before| before["lastTransitionTime"].as_str());
    let mut ready =
        json!({"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": since.unwrap_or(now)});
    if let Some(generation) = live["metadata"]["generation"].as_i64() {
        ready["observedGeneration"] = generation.into();
    }
    let mut status = json!({"conditions": [ready]});
    if !artifact.is_null() {
        status["artifact"] = artifact;
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_keeps_its_time() {
        let one = Published {
            digest: "sha256:a".to_owned(),
            size: 1,
            path: "n/x/a.tar.gz".to_owned(),
            url: "http://h/n/x/a.tar.gz".to_owned(),
            source: Some("https://git".to_owned()),
            revision: Some("main@sha1:1".to_owned()),
        };
        let live = |status: &Value| json!({"metadata": {"generation": 1}, "status": status});
        let first = artifact_status(&live(&Value::Null), Ok(&one), "1");
        assert_eq!(first["artifact"]["revision"], "latest@sha256:a");
        assert_eq!(artifact_status(&live(&first), Ok(&one), "2"), first);
        // Another commit that is rendered to the same is no news.
        let same = Published { revision: Some("main@sha1:2".to_owned()), ..one.clone() };
        let second = artifact_status(&live(&first), Ok(&same), "3");
        assert_eq!(
            (&second["artifact"]["lastUpdateTime"], &second["artifact"]["metadata"][REVISION]),
            (&json!("1"), &json!("main@sha1:2"))
        );
        let failed = artifact_status(&live(&second), Err("broken"), "4");
        assert_eq!(failed["artifact"], second["artifact"]);
        assert_eq!((&failed["conditions"][0]["status"], &failed["conditions"][0]["lastTransitionTime"]), (&json!("False"), &json!("4")));
        let other = Published { digest: "sha256:b".to_owned(), ..one };
        assert_eq!(artifact_status(&live(&failed), Ok(&other), "5")["artifact"]["lastUpdateTime"], "5");
        assert_eq!(artifact_status(&live(&Value::Null), Err("broken"), "1")["artifact"], Value::Null);
    }
}
