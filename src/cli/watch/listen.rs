//! What others may ask the process: whether it is well, what it has done; and whom it listens to.

use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use super::Told;
use super::args::ProcessArgs;
use crate::diagnostic::Diagnostic;
use crate::server::hook::{Heard, Hooks, Receiver};
use crate::server::{Artifacts, Limits, Routes, Server};
use crate::source::read_secret;
use crate::telemetry::Metrics;
use crate::watch::Readiness;
use crate::watch::config::WatchConfig;

/// Webhooks, which are counted and passed on.
pub(super) fn hooks(tell: Sender<Told>, metrics: &Arc<Metrics>) -> Arc<Hooks> {
    let (tell, metrics) = (Mutex::new(tell), Arc::clone(metrics));
    Arc::new(Hooks::new(move |receiver, heard| {
        metrics.webhook(receiver, heard.word());
        if let Heard::Push(push) = heard {
            _ = tell.lock().unwrap_or_else(PoisonError::into_inner).send(Told::Push(receiver.to_owned(), push.clone()));
        }
    }))
}

/// Who may call.
///
/// # Errors
/// A way of signing that nobody has.
pub(super) fn receivers(config: &WatchConfig) -> Result<Vec<Receiver>, Diagnostic> {
    let with_hooks = config.sources.iter().filter_map(|source| Some((source, source.webhook.as_ref()?)));
    let receiver = |(source, webhook): (&crate::watch::config::SourceConfig, &crate::watch::config::WebhookConfig)| {
        let kind = webhook.kind.parse().map_err(|message| Diagnostic::error(format!("webhook of source {}: {message}", source.name)))?;
        let path = webhook.token_file.clone();
        // It is read whenever somebody calls, so that it may change.
        let token = move || read_secret(Path::new(&path)).ok().map(|token| token.trimmed()).filter(|token| !token.is_empty());
        Ok(Receiver { name: source.name.clone(), namespace: String::new(), kind, token: Arc::new(token) })
    };
    with_hooks.map(receiver).collect()
}

/// Starts to listen at each address that is named; at one that is named twice only once.
///
/// # Errors
/// An address can't be listened at.
pub(super) fn start(
    args: &ProcessArgs,
    metrics: &Arc<Metrics>,
    ready: &Arc<Mutex<Vec<Readiness>>>,
    (hooks, artifacts): (&Arc<Hooks>, &Artifacts),
) -> Result<Vec<Server>, Diagnostic> {
    let (ready, metrics) = (Arc::clone(ready), Arc::clone(metrics));
    let is_ready = move || {
        let ready = ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.iter().all(Readiness::is_ready) { Ok(()) } else { Err("not everything that is live is known yet".to_owned()) }
    };
    let wanted = [
        (&args.webhook_listen, Routes::new().hooks(Arc::clone(hooks))),
        (&args.health_listen, Routes::new().health(|| Ok(()), is_ready)),
        (&args.artifact_listen, Routes::new().artifacts(artifacts.clone())),
        (&args.metrics_listen, Routes::new().metrics(move || metrics.text())),
    ];
    let mut by_address: Vec<(&str, Routes)> = Vec::new();
    for (address, routes) in wanted {
        let Some(address) = address else { continue };
        match by_address.iter().position(|(known, _)| known == address) {
            Some(at) => {
                let (_, known) = by_address.swap_remove(at);
                by_address.push((address, known.and(routes)));
            }
            None => by_address.push((address, routes)),
        }
    }
    by_address.into_iter().map(|(address, routes)| listen(address, routes)).collect()
}

fn listen(address: &str, routes: Routes) -> Result<Server, Diagnostic> {
    let server = Server::start(address, Limits::default(), move |request| routes.answer(request));
    let server = server.map_err(|error| Diagnostic::error(error.to_string()))?;
    tracing::info!(address = server.address().to_string(), "listening");
    Ok(server)
}
