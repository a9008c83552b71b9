//! An address that is listened on, in a thread of its own, until it is dropped.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::{self, Service};
use super::{Request, Response, ServerError};

/// How long requests that are being answered have when the server stops.
const GRACE: Duration = Duration::from_millis(700);
/// How long to wait when the system refuses a connection: mostly since there are too many open files.
const RECOVER: Duration = Duration::from_millis(200);

/// What one client, and all together, may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once. Further ones wait until the system lets them in.
    pub connections: usize,
    /// How long a client has for the head of a request, and may be silent between two.
    pub head_time: Duration,
    /// How long it has for the body.
    pub body_time: Duration,
    /// How long a connection is used for further requests.
    pub connection_time: Duration,
    /// The bytes of a body; more is answered by 413.
    pub body: usize,
    /// The bytes of all bodies that are held at once; more is answered by 503.
    pub all_bodies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(10),
            connection_time: Duration::from_secs(300),
            body: 5 << 20,
            all_bodies: 32 << 20,
        }
    }
}

/// A server that listens until it is dropped, which takes less than a second.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on `HOST:PORT`, or on `:PORT` of all addresses of the machine, and gives every request to `answer`, one at a time.
    /// Port 0 is any that is free.
    ///
    /// # Errors
    /// The address is none or can't be had.
    pub fn start(
        address: &str,
        limits: Limits,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Result<Self, ServerError> {
        let listener = listen(address)?;
        let start = |error| ServerError::Start { address: address.to_owned(), error };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(start)?;
        let (listener, bound) = adopt(&runtime, listener).map_err(start)?;
        let (stop, stopped) = watch::channel(false);
        let service = Arc::new(Service { answer: Box::new(answer), limits, bodies: Semaphore::new(limits.all_bodies) });
        let run = move || runtime.block_on(serve(listener, &service, stopped));
        let thread = thread::Builder::new().name(format!("http:{}", bound.port())).spawn(run).map_err(start)?;
        Ok(Self { address: bound, stop, thread: Some(thread) })
    }

    /// The address, with the port that it has got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

fn listen(address: &str) -> Result<TcpListener, ServerError> {
    let bad = || ServerError::Address(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
    let port: u16 = port.parse().map_err(|_| bad())?;
    let fail = |error| ServerError::Listen { address: address.to_owned(), error };
    if host.is_empty() {
        // The first is for IPv4 too, but not every machine has IPv6.
        return TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port))).map_err(fail);
    }
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(fail)?.collect();
    TcpListener::bind(&*addresses).map_err(fail)
}

fn adopt(runtime: &Runtime, listener: TcpListener) -> io::Result<(tokio::net::TcpListener, SocketAddr)> {
    let bound = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let _inside = runtime.enter();
    Ok((tokio::net::TcpListener::from_std(listener)?, bound))
}

async fn serve(listener: tokio::net::TcpListener, service: &Arc<Service>, mut stopped: watch::Receiver<bool>) {
    let most = service.limits.connections.max(1);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = open.join_next() => {}
            accepted = listener.accept(), if open.len() < most => match accepted {
                Ok((stream, _)) => { open.spawn(connection::serve(stream, Arc::clone(service), stopped.clone())); }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(RECOVER).await;
                }
            },
        }
    }
    drop(listener);
    // What isn't done by then is cut off as `open` is dropped.
    _ = timeout(GRACE, async { while open.join_next().await.is_some() {} }).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["127.0.0.1:0", "localhost:0", ":0"] {
            assert!(listen(good).is_ok(), "{good}");
        }
        for bad in ["", "9292", ":", "localhost", "127.0.0.1:65536", ":http", "127.0.0.1:-1"] {
            assert!(matches!(listen(bad), Err(ServerError::Address(_))), "{bad}");
        }
        let taken = listen("127.0.0.1:0").unwrap();
        let error = listen(&taken.local_addr().unwrap().to_string()).unwrap_err().to_string();
        assert!(error.contains("another program listens there"), "{error}");
    }
}
