//! Writes what the cluster says of an object, and notes on it: its `.status`, its labels and annotations.

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams};
use kube::core::Status;
use serde_json::{Value, json};

use super::Cluster;
use super::error::{ClusterError, words};
use super::kinds::Kinds;
use crate::diff::live::is_status_settled;

/// Why an apply fails of an object that somebody has written in an older version, which lacks some of these fields: the server compares
/// what each has written in the version in which it was. A patch of another kind is not compared.
const UNCOMPARABLE: &str = "field not declared in schema";

/// What became of a write to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// It was like that already; nothing was asked.
    Unchanged,
    /// The object as it is now.
    Written(Value),
    /// The object isn't there, or the server doesn't know its kind.
    Absent,
    /// Another object has the name since; or, where a status is written, this one has changed: it is to be read again.
    Changed,
    /// The server refuses, in its words.
    Refused(String),
}

impl Cluster {
    /// Writes the `.status` of an object by a server-side apply as this field manager, unless `live` says that it is like that. What
    /// the manager wrote before and `status` no longer says goes; what others wrote stays where it isn't wanted otherwise.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn write_status(&self, kinds: &mut Kinds, live: &Value, status: &Value, manager: &str) -> Result<Written, ClusterError> {
        if is_status_settled(status, live, manager) {
            return Ok(Written::Unchanged);
        }
        let mut object = json!({"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": {}, "status": status});
        // A status says something of an object as it was seen. Of what names the object, the server heeds only this here.
        identify(&mut object, live, &["name", "namespace", "resourceVersion"]);
        let params = PatchParams { force: true, ..PatchParams::apply(manager) };
        let written =
            self.patch(kinds, live, |request, name| request.patch_subresource("status", name, &params, &Patch::Apply(&object)))?;
        if !matches!(&written, Written::Refused(why) if why.contains(UNCOMPARABLE)) {
            return Ok(written);
        }
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        self.patch(kinds, live, |request, name| request.patch_subresource("status", name, &params, &Patch::Merge(&object)))
    }

    /// Sets labels and annotations of an object, or takes away those that are `None`, unless `live` says that they are like that.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn annotate(
        &self,
        kinds: &mut Kinds,
        live: &Value,
        annotations: &BTreeMap<String, Option<String>>,
        labels: &BTreeMap<String, Option<String>>,
        manager: &str,
    ) -> Result<Written, ClusterError> {
        let is_like_that = |field: &str, wanted: &BTreeMap<String, Option<String>>| {
            wanted.iter().all(|(name, value)| live["metadata"][field][name].as_str() == value.as_deref())
        };
        if is_like_that("annotations", annotations) && is_like_that("labels", labels) {
            return Ok(Written::Unchanged);
        }
        let mut change = json!({"metadata": {"annotations": annotations, "labels": labels}});
        identify(&mut change, live, &["uid"]);
        let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
        self.patch(kinds, live, |request, name| request.patch(name, &params, &Patch::Merge(&change)))
    }

    fn patch(
        &self,
        kinds: &mut Kinds,
        live: &Value,
        ask: impl FnOnce(&kube::core::Request, &str) -> Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Written, ClusterError> {
        self.wait(async {
            self.learn(kinds, [live]).await?;
            let Some(kind) = kinds.of(live) else { return Ok(Written::Absent) };
            let (namespace, name) = self.key(kind, live);
            let path = kind.path(namespace.as_deref());
            let request = ask(&kube::core::Request::new(path.as_str()), &name).map_err(|error| self.unaskable(&path, error))?;
            Ok(self.request(request).await?.map_or_else(refused, Written::Written))
        })
    }
}

/// Says of which object it is, by these fields.
fn identify(object: &mut Value, live: &Value, fields: &[&str]) {
    for field in fields {
        if let Some(text) = live["metadata"][field].as_str() {
            object["metadata"][field] = text.into();
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what it is made of is at its end")]
fn refused(status: Status) -> Written {
    match status.code {
        404 => Written::Absent,
        409 => Written::Changed,
        // Another uid is an attempt to change it.
        422 if status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.field == "metadata.uid") => Written::Changed,
        _ => Written::Refused(words(&status)),
    }
}
