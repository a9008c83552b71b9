//! Who of several processes leads: a Lease that one of them holds, as client-go's `leaderelection` has it, so that others can tell too.
//!
//! Nobody compares clocks. Who wants a lease that another one holds waits until it hasn't changed for as long as it lasts, by a clock
//! of its own that knows no jumps; who holds it stops to lead before that, unless it could be renewed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::{Api, Error};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::Connection;
use super::error::{ClusterError, chain};
use super::host::{Host, wait_for};

/// How long to try to give a lease back, when a process ends that has little time for it.
const RELEASE: Duration = Duration::from_secs(3);

/// An election: the Lease, who stands for it, and its times, each with the name that client-go has for it.
#[derive(Clone, Debug)]
pub struct Election {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The name of the Lease.
    pub name: String,
    /// Who this is. No other process may be called the same.
    pub identity: String,
    /// How long others leave a lease alone that isn't renewed (`LeaseDuration`).
    pub duration: Duration,
    /// How long the leader leads without renewing it (`RenewDeadline`); less than `duration`.
    pub renew_deadline: Duration,
    /// How often it is renewed, and how often others look (`RetryPeriod`); less than `renew_deadline`.
    pub retry_period: Duration,
}

/// What has become of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// It leads from now on.
    Gained,
    /// It leads no more: what only a leader may do must end before `duration` is over.
    Lost,
}

/// Somebody who stands for election in a thread of its own. Dropping it is like being killed: others wait until the lease has run out.
pub struct Candidate {
    renew_deadline: Duration,
    renewed: Renewed,
    host: Arc<dyn Host>,
    stop: oneshot::Sender<()>,
    /// Its end is that of what stands for election.
    ended: oneshot::Receiver<()>,
}

/// When the lease was renewed the last time, while it is ours. It was asked for then, and the server wrote it a little later.
type Renewed = Arc<Mutex<Option<Instant>>>;

impl Election {
    /// What is wrong with the times, if they could give two leaders, or none for long.
    pub fn fault(&self) -> Option<String> {
        let Self { duration, renew_deadline, retry_period, .. } = self;
        let says = |less: &str, more: &str| Some(format!("the {less} must be less than the {more}"));
        match () {
            () if retry_period.is_zero() => Some("the retry period must be more than nothing".to_owned()),
            () if renew_deadline >= duration => says("renew deadline", "lease duration"),
            () if retry_period >= renew_deadline => says("retry period", "renew deadline"),
            () => None,
        }
    }

    /// Stands for election until the candidate goes. `take` is called in another thread whenever this process begins or ceases to lead.
    ///
    /// # Errors
    /// The cluster's configuration can't be used, or there can't be another thread. A cluster that doesn't answer is no error: without
    /// it nobody leads.
    pub fn stand(self, connection: &Connection, take: impl Fn(Leadership) + Send + Sync + 'static) -> Result<Candidate, ClusterError> {
        let cluster = connection.cluster()?;
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel::<()>();
        let (renew_deadline, renewed) = (self.renew_deadline, Renewed::default());
        let leases = Api::namespaced(cluster.client, &self.namespace);
        let mut standing = Standing { election: self, leases, take, renewed: Arc::clone(&renewed), observed: None, has_failed: false };
        let stand = async move {
            let _end = end;
            let stopped = match select(Box::pin(standing.stand()), stopped).await {
                Either::Left(((), _)) => return,
                Either::Right((stopped, _)) => stopped,
            };
            // Otherwise nobody asks any more.
            if stopped.is_ok() {
                standing.release().await;
            }
        };
        cluster.host.spawn("lease", Box::pin(stand)).map_err(ClusterError::Runtime)?;
        Ok(Candidate { renew_deadline, renewed, host: cluster.host, stop, ended })
    }
}

impl Candidate {
    /// Whether this process leads, at this very moment. It is to be asked before what only a leader may do: who was asleep for long
    /// isn't told in time.
    pub fn leads(&self) -> bool {
        self.asks()()
    }

    /// Asks the same, wherever that is needed.
    pub fn asks(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let (renewed, deadline) = (Arc::clone(&self.renewed), self.renew_deadline);
        move || read(&renewed).is_some_and(|renewed| renewed.elapsed() < deadline)
    }

    /// Gives the lease back, if it is ours, so that another one can lead at once. Nothing that only a leader may do may go on by now.
    pub fn release(self) {
        // If it has no ears any more, it has ended.
        _ = self.stop.send(());
        _ = wait_for(&*self.host, self.ended);
    }
}

/// A process that stands for election.
struct Standing<T> {
    election: Election,
    leases: Api<Lease>,
    take: T,
    renewed: Renewed,
    /// The lease as it was seen, and since when it is like that.
    observed: Option<(Lease, Instant)>,
    /// Whether it wasn't known the last time who leads.
    has_failed: bool,
}

impl<T: Fn(Leadership)> Standing<T> {
    async fn stand(&mut self) {
        let Election { renew_deadline, retry_period, .. } = self.election;
        loop {
            let left = self.left();
            match timeout(left.unwrap_or(renew_deadline), self.acquire_or_renew()).await {
                Ok(Ok(Some(asked))) => self.gain(asked),
                Ok(Ok(None)) => self.lose(),
                Ok(Err(error)) => self.fail(&chain(&error)),
                Err(_) => self.fail("there is no answer in time"),
            }
            let left = self.left();
            if left.is_some_and(|left| left.is_zero()) {
                self.lose();
            }
            sleep(left.unwrap_or(retry_period).min(retry_period)).await;
        }
    }

    /// How long this process may still lead, if it does.
    fn left(&self) -> Option<Duration> {
        read(&self.renewed).map(|renewed| self.election.renew_deadline.saturating_sub(renewed.elapsed()))
    }

    /// It isn't known who leads. Only the first of several times in a row is for everybody to see.
    fn fail(&mut self, error: &str) {
        if std::mem::replace(&mut self.has_failed, true) {
            tracing::debug!(error, "the lease can't be had");
        } else {
            tracing::warn!(error, "the lease can't be had: it is tried again and again");
        }
    }

    fn gain(&mut self, asked: Instant) {
        self.has_failed = false;
        if write(&self.renewed, Some(asked)).is_none() {
            tracing::info!(identity = self.election.identity, "this process leads");
            (self.take)(Leadership::Gained);
        }
    }

    fn lose(&mut self) {
        self.has_failed = false;
        if write(&self.renewed, None).is_some() {
            tracing::warn!(identity = self.election.identity, "this process leads no more");
            (self.take)(Leadership::Lost);
        }
    }

    /// Tries once: when the lease was asked for, if it is ours now; `None` if it is another's.
    async fn acquire_or_renew(&mut self) -> Result<Option<Instant>, Error> {
        // While it is ours nobody else writes it.
        if let Some((lease, _)) = self.observed.clone().filter(|(lease, _)| self.is_ours(lease))
            && let Ok(renewed) = self.put(lease).await
        {
            return Ok(Some(renewed));
        }
        let Some(live) = self.leases.get_opt(&self.election.name).await? else {
            return self.write_new().await.map(Some).or_else(taken);
        };
        self.observe(live.clone());
        if self.is_ours(&live) || self.is_free() { self.put(live).await.map(Some).or_else(taken) } else { Ok(None) }
    }

    fn observe(&mut self, live: Lease) {
        let since = self.observed.take().filter(|(lease, _)| lease.spec == live.spec).map_or_else(Instant::now, |(_, since)| since);
        self.observed = Some((live, since));
    }

    fn is_ours(&self, lease: &Lease) -> bool {
        holder(lease) == Some(self.election.identity.as_str())
    }

    /// Whether nobody has the lease that was seen, or has left it alone for as long as it lasts.
    fn is_free(&self) -> bool {
        self.observed.as_ref().is_none_or(|(lease, since)| {
            let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
            holder(lease).is_none() || since.elapsed() >= seconds.map_or(self.election.duration, Duration::from_secs)
        })
    }

    async fn write_new(&mut self) -> Result<Instant, Error> {
        let mut lease = Lease::default();
        lease.metadata.name = Some(self.election.name.clone());
        lease.spec = Some(self.spec(&lease));
        let asked = Instant::now();
        let written = self.leases.create(&PostParams::default(), &lease).await?;
        self.observe(written);
        Ok(asked)
    }

    /// Writes the lease as ours, unless somebody has written it since.
    async fn put(&mut self, mut lease: Lease) -> Result<Instant, Error> {
        lease.spec = Some(self.spec(&lease));
        let asked = Instant::now();
        let written = self.leases.replace(&self.election.name, &PostParams::default(), &lease).await?;
        self.observe(written);
        Ok(asked)
    }

    /// What the lease says when it is ours.
    fn spec(&self, was: &Lease) -> LeaseSpec {
        let now = || Some(MicroTime(Timestamp::now()));
        let (is_ours, held) = (self.is_ours(was), was.spec.clone().unwrap_or_default());
        let transitions = held.lease_transitions.map_or(0, |count| if is_ours { count } else { count.saturating_add(1) });
        LeaseSpec {
            holder_identity: Some(self.election.identity.clone()),
            lease_duration_seconds: Some(seconds(self.election.duration)),
            acquire_time: if is_ours { held.acquire_time } else { now() },
            renew_time: now(),
            lease_transitions: Some(transitions),
            ..held
        }
    }

    async fn release(&mut self) {
        write(&self.renewed, None);
        let identity = &self.election.identity;
        match timeout(RELEASE, self.give_back()).await {
            Ok(Ok(())) => tracing::info!(identity, "this process stands for election no more"),
            Ok(Err(error)) => tracing::warn!(identity, error = chain(&error), "the lease can't be given back"),
            Err(_) => tracing::warn!(identity, "the lease can't be given back: there is no answer in time"),
        }
    }

    async fn give_back(&self) -> Result<(), Error> {
        // What was asked last may have been written though nobody waited for the answer, so that it must be read anew, and may be ours
        // though we don't lead.
        while let Some(mut lease) = self.leases.get_opt(&self.election.name).await?.filter(|lease| self.is_ours(lease)) {
            let mut spec = self.spec(&lease);
            // As client-go leaves it: it runs out at once even for those who don't look who has it.
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            spec.acquire_time.clone_from(&spec.renew_time);
            lease.spec = Some(spec);
            match self.leases.replace(&self.election.name, &PostParams::default(), &lease).await {
                Err(Error::Api(status)) if status.code == 409 => {}
                answer => return answer.map(drop),
            }
        }
        Ok(())
    }
}

/// Somebody else was faster, which is no error.
fn taken(error: Error) -> Result<Option<Instant>, Error> {
    if matches!(&error, Error::Api(status) if status.code == 409) { Ok(None) } else { Err(error) }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// Whole seconds, and at least one.
fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(i32::MAX).max(1)
}

fn read(renewed: &Renewed) -> Option<Instant> {
    *renewed.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes when it was renewed, and gives back what stood there.
fn write(renewed: &Renewed, at: Option<Instant>) -> Option<Instant> {
    std::mem::replace(&mut *renewed.lock().unwrap_or_else(PoisonError::into_inner), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_times() {
        for (duration, renew_deadline, retry_period, fault) in [
            (15_000, 10_000, 2_000, None),
            (10_000, 10_000, 2_000, Some("the renew deadline must be less than the lease duration")),
            (15_000, 2_000, 2_000, Some("the retry period must be less than the renew deadline")),
            (15_000, 10_000, 0, Some("the retry period must be more than nothing")),
        ] {
            let [duration, renew_deadline, retry_period] = [duration, renew_deadline, retry_period].map(Duration::from_millis);
            let (namespace, name, identity) = ("a".to_owned(), "b".to_owned(), "c".to_owned());
            let election = Election { namespace, name, identity, duration, renew_deadline, retry_period };
            assert_eq!(election.fault().as_deref(), fault);
        }
    }

    #[test]
    fn whole_seconds() {
        for (milliseconds, want) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (15_000, 15), (u64::MAX, i32::MAX)] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), want);
        }
    }
}
