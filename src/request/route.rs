//! What a request pins beside its model: by this the health of a candidate is kept apart.

use smallvec::SmallVec;
use tower_llm_layers::Route;

use openrouter_wire::{
    document::Document,
    json::{Cursor, is_text, text},
};

/// Whether this value of a preference restricts which providers serve.
type Restricts = fn(&[u8]) -> bool;

/// The preferences that can restrict which providers serve the request. An order without fallbacks and one with them are different routes.
/// Those that only sort (`sort`, `preferred_min_throughput`, `preferred_max_latency`) and the providers' own `options` restrict nothing.
const PINNING: [(&str, Restricts); 10] = [
    ("only", is_given),
    ("order", is_given),
    ("ignore", is_given),
    ("quantizations", is_given),
    ("allow_fallbacks", is_given),
    ("zdr", is_true),
    ("require_parameters", is_true),
    ("enforce_distillable_text", is_true),
    ("data_collection", is_deny),
    ("max_price", names_price),
];

/// The fields that choose a tier, and their values for the usual one. Another tier has its own endpoints with their own capacity: they may fail
/// while the usual ones are healthy.
const TIERS: [(&str, &[&str]); 2] = [
    ("service_tier", &["auto", "default", "standard", "standard_only"]),
    ("speed", &["standard"]),
];

/// The route that the preferences and the tier pin; what cannot be read pins nothing.
pub(crate) fn pinned_by(document: &Document) -> Route {
    let mut parts: SmallVec<[&[u8]; 8]> = SmallVec::new();
    if let Some(provider) = document.get("provider") {
        let read = Cursor::new(provider).object_or_skip(|name, value| {
            let raw = value.raw()?;
            let pins = PINNING.iter().find(|(pinning, _)| name.is(pinning));
            if let Some((name, _)) = pins.filter(|(_, restricts)| restricts(raw)) {
                parts.extend([name.as_bytes(), raw]);
            }
            Ok(())
        });
        if read.is_err() {
            parts.clear();
        }
    }
    for (field, usual) in TIERS {
        if let Some(raw) = document.get(field)
            && let Some(tier) = text(raw)
            && !usual.iter().any(|usual| tier.is(usual))
        {
            parts.extend([field.as_bytes(), raw]);
        }
    }
    Route::of(parts)
}

fn is_given(raw: &[u8]) -> bool {
    !matches!(raw, b"null" | b"[]")
}

fn is_true(raw: &[u8]) -> bool {
    raw == b"true"
}

fn is_deny(raw: &[u8]) -> bool {
    is_text(raw, "deny")
}

/// Whether a ceiling names a price at all.
fn names_price(raw: &[u8]) -> bool {
    let mut found = false;
    let read = Cursor::new(raw).object_or_skip(|_, price| {
        found |= price.raw()? != b"null";
        Ok(())
    });
    read.is_ok() && found
}

#[cfg(test)]
mod tests {
    use tower_llm_layers::LlmRequest;

    use crate::ChatRequest;

    #[test]
    fn what_names_providers_pins_and_what_sorts_them_does_not() {
        let route = |provider: &str| {
            let provider: serde_json::Value = serde_json::from_str(provider).unwrap();
            ChatRequest::user("Hi").extra("provider", provider).pinned_route()
        };
        for free in [r#"{"sort":"price"}"#, r#"{"only":null,"order":[]}"#, "{}", "7", "null"] {
            assert!(route(free).is_free(), "{free}");
        }
        assert!(ChatRequest::user("Hi").pinned_route().is_free());
        let only = route(r#"{"only":["acme"]}"#);
        assert!(!only.is_free());
        assert_eq!(only, route(r#"{"sort":"price","only":["acme"]}"#));
        for other in [
            r#"{"only":["other"]}"#,
            r#"{"order":["acme"]}"#,
            r#"{"only":["acme"],"allow_fallbacks":false}"#,
        ] {
            assert_ne!(only, route(other), "{other}");
            assert!(!route(other).is_free(), "{other}");
        }
    }

    /// Invariant 8: each hard filter keeps its failures to itself, and what filters nothing shares the candidate's health.
    #[test]
    fn each_hard_filter_pins_and_its_harmless_values_do_not() {
        let route = |provider: &str| {
            let provider: serde_json::Value = serde_json::from_str(provider).unwrap();
            ChatRequest::user("Hi").extra("provider", provider).pinned_route()
        };
        for pinned in [
            r#"{"zdr":true}"#,
            r#"{"data_collection":"deny"}"#,
            r#"{"require_parameters":true}"#,
            r#"{"enforce_distillable_text":true}"#,
            r#"{"max_price":{"completion":"2"}}"#,
            r#"{"max_price":{"prompt":1,"image":null}}"#,
        ] {
            assert!(!route(pinned).is_free(), "{pinned}");
        }
        for free in [
            r#"{"zdr":false,"require_parameters":null,"enforce_distillable_text":false}"#,
            r#"{"data_collection":"allow"}"#,
            r#"{"data_collection":null,"zdr":null}"#,
            r#"{"max_price":{},"sort":{"by":"price","partition":"none"}}"#,
            r#"{"max_price":{"prompt":null}}"#,
            r#"{"max_price":null,"preferred_min_throughput":50,"preferred_max_latency":{"p90":3}}"#,
            r#"{"options":{"acme":{"zdr":true}}}"#,
        ] {
            assert!(route(free).is_free(), "{free}");
        }
        assert_ne!(route(r#"{"zdr":true}"#), route(r#"{"require_parameters":true}"#));
        assert_ne!(
            route(r#"{"max_price":{"prompt":1}}"#),
            route(r#"{"max_price":{"prompt":2}}"#)
        );
    }

    #[test]
    fn a_tier_of_its_own_pins_and_the_usual_one_does_not() {
        let route = |field: &str, value: serde_json::Value| ChatRequest::user("Hi").extra(field, value).pinned_route();
        for tier in ["flex", "priority", "fast", "scale", "ultrafast"] {
            assert!(!route("service_tier", tier.into()).is_free(), "{tier}");
        }
        for tier in ["auto", "default", "standard", "standard_only"] {
            assert!(route("service_tier", tier.into()).is_free(), "{tier}");
        }
        assert!(route("service_tier", serde_json::Value::Null).is_free());
        assert_ne!(
            route("service_tier", "flex".into()),
            route("service_tier", "priority".into())
        );
        assert!(!route("speed", "fast".into()).is_free());
        assert!(route("speed", "standard".into()).is_free());
    }
}
