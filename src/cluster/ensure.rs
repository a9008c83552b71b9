//! An object that this process keeps for others to read.

use kube::api::PatchParams;
use serde_json::Value;

use super::Cluster;
use super::error::{ClusterError, words};
use super::kinds::Kinds;

impl Cluster {
    /// Sees to it that an object is there with this `spec`, by a server-side apply as this field manager unless it is; gives back what is
    /// there, or why it can't be.
    ///
    /// # Errors
    /// The server doesn't answer, or doesn't let it be read.
    pub fn ensure(&self, kinds: &mut Kinds, object: &Value, manager: &str) -> Result<Result<Value, String>, ClusterError> {
        self.wait(async {
            self.learn(kinds, [object]).await?;
            let Some(kind) = kinds.of(object) else {
                return Ok(Err(format!("the cluster knows no {} of {}", object["kind"], object["apiVersion"])));
            };
            let live = self.get(kind, &self.key(kind, object)).await?;
            if let Some(live) = live.filter(|live| live["spec"] == object["spec"]) {
                return Ok(Ok(live));
            }
            let params = PatchParams { force: true, ..PatchParams::apply(manager) };
            Ok(self.apply_object(kind, object, &params).await?.map_err(|status| words(&status)))
        })
    }
}
