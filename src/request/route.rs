//! What a request pins beside its model: by this the health of a candidate is kept apart.

use smallvec::SmallVec;
use tower_llm_layers::Route;

use openrouter_wire::{document::Document, json::Cursor};

/// The preferences that restrict which providers serve the request. An order without fallbacks and one with them are different routes.
const PINNING: [&str; 5] = ["only", "order", "ignore", "quantizations", "allow_fallbacks"];

/// The route that `provider` pins; what cannot be read pins nothing.
pub(crate) fn pinned_by(document: &Document) -> Route {
    let Some(provider) = document.get("provider") else {
        return Route::FREE;
    };
    let mut parts: SmallVec<[&[u8]; 8]> = SmallVec::new();
    let read = Cursor::new(provider).object_or_skip(|name, value| {
        let raw = value.raw()?;
        let pins = PINNING.iter().find(|pinning| name.is(pinning));
        if let Some(name) = pins.filter(|_| !matches!(raw, b"null" | b"[]")) {
            parts.extend([name.as_bytes(), raw]);
        }
        Ok(())
    });
    match read {
        Ok(_) => Route::of(parts),
        Err(_) => Route::FREE,
    }
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
}
