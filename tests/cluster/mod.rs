//! A real API server, which has the last word on what kaito renders: etcd and kube-apiserver, started once for all tests.
//!
//! `KUBEBUILDER_ASSETS` names a folder with these two and kubectl, as for any envtest; without it Go builds them once from
//! `tests/cluster/tools`, as it does the other programs, and they stay in the user's cache directory. Every test has namespaces of its own or
//! only asks what the server would do (`dryRun=All`), so that one cluster serves all. What has to become ready needs more than a
//! server: `living()` is a cluster with controllers, a scheduler, nodes of kwok's and Karpenter.

mod accepted;
mod account;
mod adoption;
mod apply;
mod chat;
mod client;
mod components;
mod crds;
mod delete;
mod event;
mod faults;
mod few;
mod gpu_provisioner;
mod helm;
mod import;
mod installed;
mod installed_rights;
mod interrupted;
mod kinds;
mod kubectl;
mod kubectl_plugins;
mod kubectl_sets;
mod lease;
mod live;
mod living;
mod manifest;
mod mishaps;
mod model;
mod modules;
mod notified;
mod process;
mod programs;
mod proxy;
mod quick_start;
mod rbac;
mod rbac_watch;
mod ready;
mod refused;
mod scene;
mod server;
mod source_cluster;
mod status;
mod wait;
mod watch;
mod watching;
mod will;
mod written;

use std::sync::OnceLock;

use client::Client;
use server::Server;

/// A running API server that knows the CRDs of what kaito reads and renders.
struct Cluster {
    client: Client,
    server: Server,
}

/// The cluster of this run of the tests; whoever needs it first starts it.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    start(&CLUSTER)
}

/// Another one, for tests that apply what others only try: what is there may decide whether a change is taken.
fn playground() -> &'static Cluster {
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    start(&CLUSTER)
}

/// One in which things become ready: its pods are scheduled, and run, as far as the API tells; Jobs end well at once. Nodes come from
/// NodeClaims of the gpu-provisioner's and NodePools with kwok's NodeClass; there is one node without GPUs, `system`.
fn living() -> &'static Cluster {
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    of(CLUSTER.get_or_init(|| {
        let cluster = Cluster::start()?;
        components::start(&cluster.server, &cluster.client)?;
        gpu_provisioner::play(cluster.server.client());
        Ok(cluster)
    }))
}

fn start(cluster: &'static OnceLock<Result<Cluster, String>>) -> &'static Cluster {
    of(cluster.get_or_init(Cluster::start))
}

fn of(started: &'static Result<Cluster, String>) -> &'static Cluster {
    started.as_ref().unwrap_or_else(|fault| panic!("there is no API server to test with\n{fault}"))
}

impl Cluster {
    /// An API server with all CRDs.
    fn start() -> Result<Self, String> {
        let server = Server::start()?;
        let client = server.client();
        crds::install(&client)?;
        Ok(Self { client, server })
    }
}
