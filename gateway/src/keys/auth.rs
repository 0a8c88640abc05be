//! Authenticates callers in front of the endpoints.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::body::Body;
use futures_util::{TryFutureExt, future::Either};
use http::{HeaderMap, HeaderName, Request, Response, Uri, header};
use http_body::Body as HttpBody;
use tower_layer::Layer;
use tower_service::Service;

use super::{KeyRing, Presented, refusal_log::RefusalLog, refuse::Refused};

/// The headers by which clients present keys.
const API_KEY: [HeaderName; 2] = [HeaderName::from_static("x-api-key"), HeaderName::from_static("api-key")];

/// Lets a request through if it presents a client key in force, and leaves the key in its extensions: an [`Arc<ClientKey>`](super::ClientKey), and
/// [`Tags`](tower_openrouter::Tags) with its name. The key itself is taken out of the headers.
///
/// It refuses before the body is read, in the envelope of the called API.
///
/// # Cancellation
///
/// There is nothing to end: it acts before the call.
#[derive(Debug, Clone)]
pub struct AuthLayer {
    ring: KeyRing,
    log: RefusalLog,
}

/// The service of [`AuthLayer`].
#[derive(Debug, Clone)]
pub struct Auth<S> {
    inner: S,
    ring: KeyRing,
    log: RefusalLog,
}

/// The future of [`Auth`].
pub type AuthFuture<F> = Either<Ready<Result<Response<Body>, Infallible>>, F>;

impl AuthLayer {
    /// By these keys.
    #[must_use]
    pub fn new(ring: KeyRing) -> Self {
        Self {
            ring,
            log: RefusalLog::default(),
        }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth {
            inner,
            ring: self.ring.clone(),
            log: self.log.clone(),
        }
    }
}

impl<S> Auth<S> {
    /// Whether the request is let through.
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Refused> {
        let presented = presented(request.headers_mut());
        let key = match presented.as_deref().map(|key| self.ring.find(key)) {
            Some(Presented::InForce(key)) => key,
            Some(Presented::Expired(key, at)) => return Err(Refused::Expired(key.name.to_string(), at)),
            Some(Presented::Revoked(key)) => return Err(Refused::Revoked(key.name.to_string())),
            // Clients must send some key, also to a gateway that needs none.
            found if !self.ring.is_required() => {
                drop(found);
                return if is_cross_site(request.headers(), request.uri()) {
                    Err(Refused::CrossSite)
                } else {
                    Ok(())
                };
            }
            Some(Presented::Unknown) => return Err(Refused::Unknown),
            None => return Err(Refused::Missing),
        };
        // Of the request's own span: each line of the call has it.
        tracing::Span::current().record("key", &*key.name);
        let extensions = request.extensions_mut();
        extensions.insert(key.tags().clone());
        extensions.insert(key);
        Ok(())
    }
}

/// Takes the presented key out of the headers.
fn presented(headers: &mut HeaderMap) -> Option<Vec<u8>> {
    let bearer = headers.remove(header::AUTHORIZATION);
    let keys = API_KEY.map(|name| headers.remove(name));
    let bearer = bearer.as_ref().and_then(|value| {
        let (scheme, key) = value.as_bytes().split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key.trim_ascii())
    });
    let keys = keys.iter().flatten().map(|value| value.as_bytes().trim_ascii());
    bearer
        .into_iter()
        .chain(keys)
        .find(|key| !key.is_empty())
        .map(<[u8]>::to_vec)
}

/// Headers that a proxy adds, such as the address of its client.
fn is_of_proxy(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "forwarded" | "via" | "x-real-ip") || name.starts_with("x-forwarded-")
}

/// Whether it may come from another machine or another site: a page of another site sends it, or calls this machine by a name of its own (a browser
/// on this machine reaches loopback addresses), or a proxy on this machine passes it on.
pub(crate) fn is_cross_site(headers: &HeaderMap, uri: &Uri) -> bool {
    let is_local = |host: &str| {
        let host = host
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|digit| digit.is_ascii_digit()))
            .map_or(host, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || host
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback())
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(http::uri::Authority::as_str));
    let origin = headers.get(header::ORIGIN).map(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        origin.split_once("://").map_or(origin, |(_, host)| host)
    });
    !host.is_some_and(is_local) || origin.is_some_and(|origin| !is_local(origin)) || headers.keys().any(is_of_proxy)
}

impl<S, B, C> Service<Request<B>> for Auth<S>
where
    S: Service<Request<B>, Response = Response<C>, Error = Infallible>,
    C: HttpBody<Data = bytes::Bytes> + Send + 'static,
    C::Error: Into<tower::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = AuthFuture<futures_util::future::MapOk<S::Future, fn(Response<C>) -> Response<Body>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.admit(&mut request) {
            Ok(()) => Either::Right(
                self.inner
                    .call(request)
                    .map_ok((|response: Response<C>| response.map(Body::new)) as _),
            ),
            Err(refused) => {
                self.log.refused(refused.word(), refused.key(), request.uri().path());
                let response = refused.refusal().into_response(request.uri().path());
                Either::Left(ready(Ok(response.map(Body::new))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_key_is_presented_as_each_sdk_does() {
        for (pairs, key) in [
            (&[("authorization", "Bearer a")][..], Some("a")),
            (&[("authorization", "bearer  a ")], Some("a")),
            (&[("x-api-key", "a")], Some("a")),
            (&[("api-key", "a")], Some("a")),
            (&[("authorization", "Bearer a"), ("x-api-key", "b")], Some("a")),
            (&[("authorization", "Basic a"), ("x-api-key", "b")], Some("b")),
            (&[("authorization", "Bearer ")], None),
            (&[("authorization", "a")], None),
            (&[], None),
        ] {
            let mut headers = headers(pairs);
            let presented = presented(&mut headers);
            assert_eq!(presented.as_deref(), key.map(str::as_bytes), "{pairs:?}");
            assert!(headers.is_empty(), "it is taken out");
        }
    }

    #[test]
    fn headers_show_a_page_of_another_site_and_a_proxy() {
        let uri = Uri::from_static("/v1/models");
        for (pairs, crosses) in [
            (&[("host", "127.0.0.1:8080")][..], false),
            (
                &[("host", "localhost:8080"), ("origin", "http://localhost:8080")],
                false,
            ),
            (&[("host", "[::1]:8080")], false),
            (&[("host", "[::1]"), ("origin", "http://[::1]")], false),
            (&[("host", "evil.example")], true),
            (&[("host", "127.0.0.1:8080"), ("origin", "https://evil.example")], true),
            (&[("host", "127.0.0.1:8080"), ("origin", "null")], true),
            // A proxy on this machine that puts the address it calls into `Host`.
            (&[("host", "127.0.0.1:8080"), ("forwarded", "for=203.0.113.9")], true),
            (&[("host", "127.0.0.1:8080"), ("x-forwarded-for", "203.0.113.9")], true),
            (&[("host", "127.0.0.1:8080"), ("x-forwarded-proto", "https")], true),
            (&[("host", "127.0.0.1:8080"), ("x-real-ip", "203.0.113.9")], true),
            (&[("host", "127.0.0.1:8080"), ("via", "1.1 proxy")], true),
            (&[], true),
        ] {
            assert_eq!(is_cross_site(&headers(pairs), &uri), crosses, "{pairs:?}");
        }
        let uri = Uri::from_static("http://127.0.0.1:8080/v1/models");
        assert!(
            !is_cross_site(&HeaderMap::new(), &uri),
            "HTTP/2 has the authority in the URI"
        );
    }
}
