//! What is on its way between processes and the server: a request is answered when somebody says so, and how.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex};

use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame};
use kaito::cluster::Service;
use kube::client::Body;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, service_fn};

use crate::server::{Answer, Question};

type Answered = Result<Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError>;

/// A request that wasn't answered yet.
pub(crate) struct Flight {
    /// Whose it is: the number of the process' life.
    pub from: usize,
    pub question: Question,
    pub since: Instant,
    reply: oneshot::Sender<Answered>,
}

/// Everything that is on its way.
#[derive(Default)]
pub(crate) struct Net {
    flights: BTreeMap<u64, Flight>,
    count: u64,
}

/// A watch, by which lines are sent.
pub(crate) type Lines = mpsc::UnboundedSender<Frame<Bytes>>;

impl Net {
    pub(crate) fn flights(&self) -> impl Iterator<Item = (u64, &Flight)> {
        self.flights.iter().map(|(number, flight)| (*number, flight))
    }

    pub(crate) fn take(&mut self, number: u64) -> Option<Flight> {
        self.flights.remove(&number)
    }
}

impl Flight {
    pub(crate) fn answer(self, answer: Answer) {
        // Who was killed hears nothing.
        _ = self.reply.send(Ok(answer.response()));
    }

    /// There is no answer.
    pub(crate) fn fail(self) {
        _ = self.reply.send(Err("simulated: the connection was reset".into()));
    }

    /// Begins a watch.
    pub(crate) fn stream(self) -> Lines {
        let (lines, sent) = mpsc::unbounded_channel();
        let sent = stream::unfold(sent, |mut sent| async move { sent.recv().await.map(|line| (Ok(line), sent)) });
        let body = StreamBody::new(sent.boxed()).boxed_unsync();
        let response = Response::builder().status(200).header("content-type", "application/json").body(body);
        _ = self.reply.send(Ok(response.expect("this is a response")));
        lines
    }
}

/// A line of a watch.
pub(crate) fn line(json: String) -> Frame<Bytes> {
    Frame::data(Bytes::from(json))
}

/// The way from a process to the server.
pub(crate) fn service(net: &Arc<Mutex<Net>>, from: usize) -> Service {
    let net = Arc::clone(net);
    BoxCloneSyncService::new(service_fn(move |request: Request<Body>| {
        let (reply, answered) = oneshot::channel();
        let mut net = net.lock().unwrap();
        net.count += 1;
        let number = net.count;
        net.flights.insert(number, Flight { from, question: Question::of(request), since: Instant::now(), reply });
        answered.then(|answered| ready(answered.unwrap_or_else(|_| Err("simulated: the process was killed".into()))))
    }))
}
