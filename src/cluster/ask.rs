//! What the server would make of an apply.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use kube::api::{Patch, PatchParams, ValidationDirective};
use kube::core::Status;
use serde_json::Value;

use super::Cluster;
use super::error::{ClusterError, words};
use super::kinds::{Kind, Kinds};
use super::look::{AT_ONCE, all};
use crate::apply::is_of_operator;
use crate::diff::live::{AllWanted, Answer, Conflict, Live, Wanted, spelled_as};
use crate::manifest::ObjectRef;

impl Cluster {
    /// Asks about everything of which it isn't known what an apply would do, or about really everything.
    pub(super) async fn ask(&self, kinds: &Kinds, wanted: &mut AllWanted, manager: &str, really_all: bool) -> Result<(), ClusterError> {
        let coming = coming_namespaces(wanted);
        let is_asked = |wanted: &Wanted| {
            let namespace = wanted.desired.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or(&self.namespace);
            // Nothing can be tried in a namespace that comes with the same apply.
            let is_possible = wanted.live != Live::UnknownKind && !coming.contains(namespace);
            is_possible && (really_all || wanted.must_be_asked(manager))
        };
        let asked: Vec<(&ObjectRef, &mut Wanted)> = wanted.values_mut().flatten().filter(|(_, wanted)| is_asked(wanted)).collect();
        let asks = stream::iter(asked).map(|(reference, wanted)| self.try_one(kinds, reference, wanted, manager));
        asks.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await.map(drop)
    }

    async fn try_one(&self, kinds: &Kinds, reference: &ObjectRef, wanted: &mut Wanted, manager: &str) -> Result<(), ClusterError> {
        let Some(kind) = kinds.of(&wanted.desired) else { return Ok(()) };
        if reference.unfit_name().is_some() {
            wanted.answer = Some(Answer::Refused("its name, or that of its namespace, is none".to_owned()));
            return Ok(());
        }
        let mut params = PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply(manager).dry_run() };
        // As an apply would send it.
        if let Live::Object(live) = &wanted.live {
            wanted.desired = spelled_as(&wanted.desired, live);
            params.force = is_of_operator(live, manager);
        }
        wanted.answer = Some(match self.apply_object(kind, &wanted.desired, &params).await? {
            Ok(object) => Answer::Applied(object),
            Err(status) => {
                let conflicts = conflicts(&status);
                if conflicts.is_empty() {
                    Answer::Refused(words(&status))
                } else {
                    params.force = true;
                    let forced = self.apply_object(kind, &wanted.desired, &params).await?.map_err(|status| words(&status));
                    Answer::Conflicts { conflicts, forced }
                }
            }
        });
        Ok(())
    }

    pub(super) async fn apply_object(
        &self,
        kind: &Kind,
        object: &Value,
        params: &PatchParams,
    ) -> Result<Result<Value, Status>, ClusterError> {
        let (namespace, name) = self.key(kind, object);
        let path = kind.path(namespace.as_deref());
        let request = kube::core::Request::new(path.as_str()).patch(&name, params, &Patch::Apply(object));
        self.request(request.map_err(|error| self.unaskable(&path, error))?).await
    }
}

/// The namespaces that are wanted and not there yet.
pub(super) fn coming_namespaces(wanted: &AllWanted) -> BTreeSet<String> {
    let new = all(wanted).filter(|wanted| wanted.live == Live::Absent && wanted.desired["kind"] == "Namespace");
    new.filter_map(|wanted| Some(wanted.desired.pointer("/metadata/name")?.as_str()?.to_owned())).collect()
}

/// The fields that belong to others, if that is why an apply is refused.
pub(super) fn conflicts(status: &Status) -> Vec<Conflict> {
    let causes = status.details.iter().flat_map(|details| &details.causes).filter(|cause| cause.reason == "FieldManagerConflict");
    // The message is: conflict with "kubectl-edit" using apps/v1
    let manager = |message: &str| message.split('"').nth(1).unwrap_or(message).to_owned();
    causes.map(|cause| Conflict { field: cause.field.clone(), manager: manager(&cause.message) }).collect()
}
