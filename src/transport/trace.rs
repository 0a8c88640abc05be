//! The span of an attempt: where it was sent, and its trace context for the upstream.

use http::HeaderMap;
use tower_llm_layers::observe::names;
use tracing::Span;

/// Records the destination of the request in the span in force, and puts that span's trace context into its headers, in the place of the caller's:
/// three attempts are three spans, and not one. Called while the attempt's span is entered.
pub(super) fn trace(request: &mut reqwest::Request) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    if let Some(host) = request.url().host_str() {
        span.record(names::SERVER_ADDRESS, host);
        span.record(names::SERVER_PORT, request.url().port_or_known_default().map(i64::from));
    }
    put_context(&span, request.headers_mut());
}

#[cfg(feature = "opentelemetry")]
fn put_context(span: &Span, headers: &mut HeaderMap) {
    use http::{HeaderName, HeaderValue};
    use opentelemetry::{global, propagation::Injector, trace::TraceContextExt as _};
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    /// Headers that a propagator writes.
    struct Headers<'a>(&'a mut HeaderMap);

    impl Injector for Headers<'_> {
        fn set(&mut self, key: &str, value: String) {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
                self.0.insert(name, value);
            }
        }
    }

    let context = span.context();
    // Without a span of OpenTelemetry's, the caller's own context is passed as it came.
    if context.span().span_context().is_valid() {
        global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut Headers(headers)));
    }
}

#[cfg(not(feature = "opentelemetry"))]
const fn put_context(_: &Span, _: &mut HeaderMap) {}
