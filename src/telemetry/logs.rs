//! Logs: one line for each event of `tracing`, with its fields and those of the spans around it.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::Serializer as _;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::SetGlobalDefaultError;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// This program's own events.
const OWN: &str = env!("CARGO_PKG_NAME");

/// What a line of a log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-01-02T03:04:05.678Z INFO reconciled source=prod objects=4`.
    #[default]
    Text,
    /// `{"ts":"2026-01-02T03:04:05.678Z","level":"info","msg":"reconciled","source":"prod","objects":4}`: the names that the
    /// logs of controller-runtime have.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("no format of logs: text, json".to_owned()),
        }
    }
}

/// The level of a name: `error`, `warn`, `info`, `debug` or `trace`.
///
/// # Errors
/// It is none of these.
pub fn level(name: &str) -> Result<Level, String> {
    const LEVELS: [Level; 5] = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    let found = LEVELS.into_iter().find(|level| level.as_str().to_lowercase() == name);
    found.ok_or_else(|| "no level of logs: error, warn, info, debug, trace".to_owned())
}

/// Gives all that is logged from now on to `write`, a line at a time with its end, and the time by `clock`.
///
/// # Errors
/// That was done before.
pub fn start_logs(
    format: LogFormat,
    level: Level,
    clock: fn() -> SystemTime,
    write: impl Fn(&str) + Send + Sync + 'static,
) -> Result<(), SetGlobalDefaultError> {
    tracing::subscriber::set_global_default(subscriber(format, level, clock, write))
}

/// What turns events into lines.
pub fn subscriber(
    format: LogFormat,
    level: Level,
    clock: fn() -> SystemTime,
    write: impl Fn(&str) + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    // Libraries may log what they send and receive, so only their warnings are wanted.
    let levels = Targets::new().with_target(OWN, level).with_default(level.min(Level::WARN));
    tracing_subscriber::registry().with(Lines { format, clock, write }.with_filter(levels))
}

struct Lines<W> {
    format: LogFormat,
    clock: fn() -> SystemTime,
    write: W,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, W: Fn(&str) + 'static> Layer<S> for Lines<W> {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                outer.0.iter().for_each(|(name, value)| fields.set(name, value.clone()));
            }
        }
        event.record(&mut fields);
        if event.metadata().target().split("::").next() != Some(OWN) {
            fields.set("logger", event.metadata().target().into());
        }
        let millis = (self.clock)().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let moment = i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or_default();
        let message = fields.take_message();
        let moment = format!("{moment:.3}");
        (self.write)(&match self.format {
            LogFormat::Text => text(&moment, *event.metadata().level(), &message, &fields),
            LogFormat::Json => json(&moment, *event.metadata().level(), &message, &fields),
        });
    }
}

/// Fields in the order in which they were set.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, name: &'static str, value: Value) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
    }

    fn take_message(&mut self) -> String {
        let Some(at) = self.0.iter().position(|(name, _)| *name == "message") else { return String::new() };
        self.0.remove(at).1.as_str().unwrap_or_default().to_owned()
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.set(field.name(), value.to_string().into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }
}

fn text(moment: &str, level: Level, message: &str, fields: &Fields) -> String {
    let mut line = format!("{moment} {level} ");
    // Nobody can begin a line of their own, or hide one.
    message.chars().for_each(|c| if is_visible(c) { line.push(c) } else { line.extend(c.escape_debug()) });
    for (name, value) in &fields.0 {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let is_plain = !value.is_empty() && value.chars().all(|c| is_visible(c) && !c.is_whitespace() && c != '"' && c != '\\');
        _ = if is_plain { write!(line, " {name}={value}") } else { write!(line, " {name}={value:?}") };
    }
    line.push('\n');
    line
}

fn json(moment: &str, level: Level, message: &str, fields: &Fields) -> String {
    let level = level.as_str().to_lowercase();
    let first = [("ts", moment.into()), ("level", level.into()), ("msg", message.into())];
    let mut bytes = Vec::new();
    // Values of strings and numbers can always be written.
    _ = serde_json::Serializer::new(&mut bytes).collect_map(first.iter().chain(&fields.0).map(|(name, value)| (name, value)));
    let mut line = String::with_capacity(bytes.len() + 1);
    for c in String::from_utf8_lossy(&bytes).chars() {
        if is_visible(c) {
            line.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| _ = write!(line, "\\u{unit:04x}"));
        }
    }
    line.push('\n');
    line
}

/// Whether a character shows and moves nothing: no control character, none that turns the direction of text.
fn is_visible(c: char) -> bool {
    c.escape_debug().len() <= 2 && !c.is_control()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    fn logged(format: LogFormat, level: Level, act: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(String::new()));
        let log = Arc::clone(&lines);
        let clock = || UNIX_EPOCH + Duration::from_millis(1_767_323_045_678);
        let subscriber = subscriber(format, level, clock, move |line| log.lock().unwrap().push_str(line));
        tracing::subscriber::with_default(subscriber, act);
        lines.lock().unwrap().clone()
    }

    fn reconcile() {
        let span = tracing::info_span!("reconcile", source = "prod", revision = tracing::field::Empty);
        span.record("revision", "main@sha1:0f3c");
        let _inside = span.enter();
        tracing::info!(objects = 4, took = 0.25, is_first = true, "reconciled");
        let error = std::io::Error::other("no such \"ref\"");
        tracing::error!(error = &error as &dyn std::error::Error, source = "other", name = "", "could not fetch {}", "main");
    }

    #[test]
    fn lines() {
        assert_eq!(
            logged(LogFormat::Text, Level::INFO, reconcile),
            "2026-01-02T03:04:05.678Z INFO reconciled source=prod revision=main@sha1:0f3c objects=4 took=0.25 is_first=true\n\
             2026-01-02T03:04:05.678Z ERROR could not fetch main revision=main@sha1:0f3c error=\"no such \\\"ref\\\"\" source=other name=\"\"\n"
        );
        assert_eq!(
            logged(LogFormat::Json, Level::INFO, reconcile),
            "{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"msg\":\"reconciled\",\"source\":\"prod\",\
             \"revision\":\"main@sha1:0f3c\",\"objects\":4,\"took\":0.25,\"is_first\":true}\n\
             {\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"error\",\"msg\":\"could not fetch main\",\"revision\":\"main@sha1:0f3c\",\
             \"error\":\"no such \\\"ref\\\"\",\"source\":\"other\",\"name\":\"\"}\n"
        );
    }

    #[test]
    fn nothing_moves_the_terminal() {
        for hostile in ["a\nb", "a\r\x1b[2Kb", "\u{7f}", "\u{9b}31m", "\u{202e}txt", "\u{2028}", "\u{0}"] {
            for format in [LogFormat::Text, LogFormat::Json] {
                let line = logged(format, Level::INFO, || tracing::info!(value = hostile, shown = ?hostile, "{hostile}"));
                let (line, end) = line.split_at(line.len() - 1);
                assert_eq!(end, "\n");
                assert!(line.chars().all(|c| !c.is_control() && !"\u{202e}\u{2028}".contains(c)), "{line:?}");
                if format == LogFormat::Json {
                    let read: Value = serde_json::from_str(line).unwrap();
                    assert_eq!((&read["value"], &read["msg"]), (&Value::from(hostile), &Value::from(hostile)));
                }
            }
        }
        let line = logged(LogFormat::Text, Level::INFO, || tracing::info!(name = "Zoë", "größer „als“ it's \"it\""));
        assert_eq!(line, "2026-01-02T03:04:05.678Z INFO größer „als“ it's \"it\" name=Zoë\n");
    }

    #[test]
    fn levels() {
        let act = || {
            tracing::trace!("trace");
            tracing::debug!("debug");
            tracing::info!("info");
            tracing::warn!("warn");
            tracing::error!("error");
            tracing::info!(target: "kube_client", "its info");
            tracing::warn!(target: "kube_client", "its warning");
            tracing::warn!(target: "kaitoish", "not ours");
        };
        for (name, count) in [("error", 1), ("warn", 4), ("info", 5), ("debug", 6), ("trace", 7)] {
            let log = logged(LogFormat::Text, level(name).unwrap(), act);
            assert_eq!(log.lines().count(), count, "{name}: {log}");
            assert!(!log.contains("its info"), "{log}");
            assert_eq!(log.contains("its warning logger=kube_client"), name != "error", "{log}");
        }
        assert!(level("WARN").is_err() && level("").is_err() && level("off").unwrap_err().contains("debug"));
        assert_eq!(("json".parse(), "text".parse()), (Ok(LogFormat::Json), Ok(LogFormat::Text)));
        assert!("yaml".parse::<LogFormat>().unwrap_err().contains("text, json"));
    }
}
