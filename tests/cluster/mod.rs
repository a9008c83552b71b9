//! A real API server, which has the last word on what kaito renders: etcd and kube-apiserver, started once for all tests.
//!
//! `KUBEBUILDER_ASSETS` names a folder with the two programs, as for any envtest; otherwise Go builds them once from
//! `tests/cluster/tools` and they stay in the user's cache directory. Every test has namespaces of its own or only asks what
//! the server would do (`dryRun=All`), so that one cluster serves all.

mod accepted;
mod adoption;
mod apply;
mod client;
mod crds;
mod kinds;
mod live;
mod manifest;
mod programs;
mod proxy;
mod refused;
mod scene;
mod server;
mod will;

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

fn start(cluster: &'static OnceLock<Result<Cluster, String>>) -> &'static Cluster {
    let started = cluster.get_or_init(|| {
        let server = Server::start(&programs::folder()?)?;
        let client = server.client();
        crds::install(&client)?;
        Ok(Cluster { client, server })
    });
    started.as_ref().unwrap_or_else(|fault| panic!("there is no API server to test with\n{fault}"))
}
