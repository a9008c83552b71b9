//! Deletes what somebody asked for, and waits until it is gone.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use kube::api::{DeleteParams, PropagationPolicy};
use tokio::time::{Instant, sleep};

use super::Cluster;
use super::error::{ClusterError, words};
use super::kinds::Kinds;
use super::look::AT_ONCE;
use crate::apply::DryRun;
use crate::delete::{Cascade, Doomed};
use crate::manifest::ObjectRef;

/// How often a server may fail to answer while something is waited for, and how long to leave it alone then.
const MOST_SILENCES: u32 = 5;
const SILENCE: Duration = Duration::from_secs(2);

impl Cluster {
    /// Asks the server to delete objects, many at a time, and passes on whether it takes it, or its words if it doesn't, in the order
    /// of the objects. What is being deleted already isn't asked for again.
    ///
    /// # Errors
    /// The server doesn't answer. What it took until then has been passed on.
    pub fn delete_all(
        &self,
        kinds: &Kinds,
        objects: &[Doomed],
        (cascade, dry_run): (Cascade, DryRun),
        take: &mut dyn FnMut(&Doomed, Result<(), String>),
    ) -> Result<(), ClusterError> {
        let policy = match cascade {
            Cascade::Background => PropagationPolicy::Background,
            Cascade::Foreground => PropagationPolicy::Foreground,
            Cascade::Orphan => PropagationPolicy::Orphan,
        };
        let params = DeleteParams { dry_run: dry_run == DryRun::Server, propagation_policy: Some(policy), ..DeleteParams::default() };
        self.wait(async {
            let asks = stream::iter(objects).map(|doomed| {
                let params = params.clone();
                async move {
                    let Some(kind) = kinds.of(&doomed.object).filter(|_| dry_run != DryRun::Client && !doomed.is_going) else {
                        return Ok((doomed, Ok(())));
                    };
                    let answer = self.delete_object(kind, &doomed.object, params).await?;
                    Ok::<_, ClusterError>((doomed, answer.map_err(|status| words(&status))))
                }
            });
            let mut answers = asks.buffered(AT_ONCE);
            while let Some(answer) = answers.next().await {
                let (doomed, answer) = answer?;
                take(doomed, answer);
            }
            Ok(())
        })
    }

    /// Waits until objects are gone; those that aren't in time, each with the finalizers that keep it.
    ///
    /// # Errors
    /// The server doesn't answer, or doesn't let them be read.
    pub fn wait_until_gone(
        &self,
        kinds: &Kinds,
        objects: &[Doomed],
        patience: Duration,
    ) -> Result<Vec<(ObjectRef, Vec<String>)>, ClusterError> {
        self.wait(async {
            let start = Instant::now();
            let waits = stream::iter(objects).map(|doomed| async move {
                let Some(kind) = kinds.of(&doomed.object) else { return Ok(None) };
                let mut silences = 0;
                loop {
                    let left = patience.saturating_sub(start.elapsed());
                    match self.until_gone(kind, &doomed.object, left).await {
                        // A server may be away for a moment while a node takes minutes to go.
                        Err(ClusterError::Unreachable { .. }) if silences < MOST_SILENCES => {
                            silences += 1;
                            sleep(SILENCE).await;
                        }
                        kept => return Ok::<_, ClusterError>(kept?.map(|finalizers| (doomed.reference.clone(), finalizers))),
                    }
                }
            });
            let stuck: Vec<Option<_>> = waits.buffered(AT_ONCE).try_collect().await?;
            Ok(stuck.into_iter().flatten().collect())
        })
    }
}
