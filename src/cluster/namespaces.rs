//! Whether the namespaces are there that objects are wanted in.

use std::collections::BTreeSet;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Cluster;
use super::ask::coming_namespaces;
use super::error::ClusterError;
use super::kinds::{Kind, Kinds};
use super::look::{AT_ONCE, all};
use crate::apply::{Refusal, Why};
use crate::diff::live::{AllWanted, Live, Wanted};
use crate::manifest::ObjectRef;

impl Cluster {
    /// Takes out what is wanted in namespaces that are neither there nor come with it, and all else of the same Workspaces: a node
    /// would be made for nothing. A namespace in which something is, or that may not be read, is taken to be there.
    ///
    /// # Errors
    /// The server doesn't answer.
    pub fn nowhere(&self, kinds: &Kinds, wanted: &mut AllWanted) -> Result<Vec<Refusal>, ClusterError> {
        let namespace_of = |wanted: &Wanted| kinds.of(&wanted.desired).and_then(|kind| self.key(kind, &wanted.desired).0);
        let is_there = |wanted: &&Wanted| matches!(wanted.live, Live::Object(_) | Live::Settled(_));
        let mut unsure: BTreeSet<String> = all(wanted).filter_map(namespace_of).collect();
        for namespace in all(wanted).filter(is_there).filter_map(namespace_of).chain(coming_namespaces(wanted)) {
            unsure.remove(&namespace);
        }
        let missing = self.wait(self.missing(unsure))?;
        let mut refusals = Vec::new();
        wanted.retain(|owner, objects| {
            let count = refusals.len();
            objects.retain(|reference, wanted| {
                let Some(namespace) = namespace_of(wanted).filter(|namespace| missing.contains(namespace)) else { return true };
                let reference = ObjectRef::of(&wanted.desired).unwrap_or_else(|_| reference.clone());
                refusals.push(Refusal { owner: owner.clone(), reference, why: Why::NoNamespace { namespace } });
                false
            });
            owner.is_none() || refusals.len() == count
        });
        Ok(refusals)
    }

    /// Those of these namespaces that aren't there.
    async fn missing(&self, namespaces: BTreeSet<String>) -> Result<BTreeSet<String>, ClusterError> {
        let mut kind = Kind::core("namespaces");
        kind.is_namespaced = false;
        let gets = stream::iter(namespaces).map(|name| {
            let kind = &kind;
            async move {
                match self.get(kind, &(None, name.clone())).await {
                    Ok(found) => Ok(found.is_none().then_some(name)),
                    Err(ClusterError::Refused { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            }
        });
        let missing: Vec<Option<String>> = gets.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(missing.into_iter().flatten().collect())
    }
}
