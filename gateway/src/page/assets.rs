//! Styles, script and icon from the binary, and the headers of everything on the page's routes.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// No code and no style but our own files, and no other page around this one.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'",
);

const STYLES: Asset = Asset {
    kind: "text/css; charset=utf-8",
    text: include_str!("../../templates/page.css"),
};
const SCRIPT: Asset = Asset {
    kind: "text/javascript; charset=utf-8",
    text: include_str!("../../templates/page.js"),
};
const ICON: Asset = Asset {
    kind: "image/svg+xml",
    text: include_str!("../../templates/icon.svg"),
};

#[derive(Clone, Copy)]
struct Asset {
    kind: &'static str,
    text: &'static str,
}

pub(super) fn router() -> Router {
    let serve = |asset: Asset| get(move |headers: HeaderMap| async move { asset.respond(&headers) });
    Router::new()
        .route("/page.css", serve(STYLES))
        .route("/page.js", serve(SCRIPT))
        .route("/icon.svg", serve(ICON))
}

impl Asset {
    /// Changes with the text: a browser asks each time, and reloads after an update alone.
    fn etag(self) -> HeaderValue {
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))
    }

    fn respond(self, headers: &HeaderMap) -> Response {
        let etag = self.etag();
        let is_known = headers.get(header::IF_NONE_MATCH) == Some(&etag);
        let kind = HeaderValue::from_static(self.kind);
        let about = [
            (header::CONTENT_TYPE, kind),
            (header::ETAG, etag),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        if is_known {
            return (StatusCode::NOT_MODIFIED, about).into_response();
        }
        (about, self.text).into_response()
    }
}

/// The headers that every response of the page has.
pub(super) async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let always = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // The filters in an address are names of customers.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    for (name, value) in always {
        headers.insert(name, value);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
