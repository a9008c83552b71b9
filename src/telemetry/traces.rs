//! Traces, for a collector that takes OTLP over HTTP. Where it is, what it is told and how much of it is said by the environment, in
//! the variables of OpenTelemetry's specification: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.

use std::env;
use std::fmt;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanBuilder, Status, TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

pub use opentelemetry::Value as Attribute;

use super::otlp::Otlp;

/// The variables that say where the collector is.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// What says how it is spoken to.
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
/// The name of what is traced, unless somebody says another one.
const SERVICE: &str = "service.name";

/// Tells a collector what was done. What it doesn't take is lost.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

// The collector's headers, which may hold a token, are somewhere in there.
impl fmt::Debug for Traces {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Traces").finish_non_exhaustive()
    }
}

/// Something that was done, with its parts.
#[derive(Clone, Debug)]
pub struct Span {
    /// What.
    pub name: &'static str,
    /// When it began.
    pub start: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// What is to be known of it.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// What went wrong.
    pub error: Option<String>,
    /// The parts, which are children in the trace.
    pub parts: Vec<Span>,
}

impl Span {
    /// Something without parts, of which nothing is to be known.
    pub fn new(name: &'static str, start: SystemTime, took: Duration) -> Self {
        Self { name, start, took, attributes: Vec::new(), error: None, parts: Vec::new() }
    }
}

impl Traces {
    /// Traces as the environment has them; none unless it names a collector.
    ///
    /// # Errors
    /// What is wrong with what it says.
    pub fn from_environment() -> Result<Option<Self>, String> {
        let is_off = said("OTEL_SDK_DISABLED").is_some_and(|off| off.eq_ignore_ascii_case("true"))
            || said("OTEL_TRACES_EXPORTER").is_some_and(|exporter| exporter == "none");
        if is_off || ENDPOINTS.iter().all(|name| said(name).is_none()) {
            return Ok(None);
        }
        if let Some(protocol) = PROTOCOLS.iter().find_map(|name| said(name)).filter(|protocol| protocol != "http/protobuf") {
            return Err(format!("traces can't be sent by {protocol:?}: set {} to http/protobuf", PROTOCOLS[1]));
        }
        let client = Otlp::new(said("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE").or_else(|| said("OTEL_EXPORTER_OTLP_CERTIFICATE")))?;
        let exporter = SpanExporter::builder().with_http().with_protocol(opentelemetry_otlp::Protocol::HttpBinary).with_http_client(client);
        // The error may tell of a header, and so of a token.
        let exporter = exporter.build().map_err(|_| format!("one of {} and their headers can't be used", ENDPOINTS.join(", ")))?;
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        Ok(Some(Self { provider, tracer }))
    }

    /// Tells of something that is over.
    pub fn tell(&self, span: Span) {
        self.tell_within(span, &Context::new());
    }

    fn tell_within(&self, span: Span, parent: &Context) {
        let Span { name, start, took, attributes, error, parts } = span;
        let attributes = attributes.into_iter().map(|(name, value)| KeyValue::new(name, value));
        let builder = SpanBuilder::from_name(name).with_start_time(start).with_attributes(attributes);
        let within = parent.with_span(builder.start_with_context(&self.tracer, parent));
        parts.into_iter().for_each(|part| self.tell_within(part, &within));
        if let Some(error) = error {
            within.span().set_status(Status::error(error));
        }
        within.span().end_with_timestamp(start + took);
    }

    /// Sends what has not been sent yet, if that takes no longer than this.
    pub fn stop(&self, patience: Duration) {
        // Whoever isn't there to take it now is told nothing more.
        _ = self.provider.shutdown_with_timeout(patience);
    }
}

/// What is traced, as `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let said = Resource::builder().with_attribute(version.clone()).build();
    let is_named = said.get(&SERVICE.into()).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    if is_named { said } else { Resource::builder().with_service_name(env!("CARGO_PKG_NAME")).with_attribute(version).build() }
}

/// What a variable says; one that is empty says nothing.
fn said(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
