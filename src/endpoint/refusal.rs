//! A refusal by a layer in front of the endpoints, in the shape of the API that was called.

use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::{EndpointBody, problem::Problem, router::shape_of};

/// A refusal by a layer in front of [`Endpoints`](super::Endpoints), such as one that authenticates callers. It is written in the envelope that the
/// SDK of the called API reads.
///
/// ```
/// use http::StatusCode;
/// use tower_openrouter::endpoint::Refusal;
///
/// let response = Refusal::new(StatusCode::UNAUTHORIZED, "invalid_api_key", "unknown key").into_response("/v1/messages");
/// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
/// ```
#[derive(Debug)]
pub struct Refusal(Problem);

impl Refusal {
    /// With this status, the stable word for it, and a message that says what to do.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(Problem::new(status, code, message))
    }

    /// With a header in its response.
    #[must_use]
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self(self.0.header(name, value))
    }

    /// The response to a request for this path. A path of no API gets the envelope of the API that was probably meant.
    #[must_use]
    pub fn into_response(self, path: &str) -> Response<EndpointBody> {
        self.0.into_response(shape_of(path))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;

    async fn refused(path: &str) -> Value {
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "invalid_api_key", "no such key");
        let response = refusal.into_response(path);
        assert_eq!(response.status(), 401, "{path}");
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_refusal_has_the_envelope_of_the_called_api() {
        for path in [
            "/v1/chat/completions",
            "/v1/responses",
            "/v1/embeddings",
            "/v1/models",
            "/nowhere",
        ] {
            assert_eq!(refused(path).await["error"]["code"], "invalid_api_key", "{path}");
        }
        for path in ["/api/v1/chat/completions", "/api/v1/models", "/api/v1/nowhere"] {
            assert_eq!(refused(path).await["error"]["code"], 401, "{path}");
        }
        for path in ["/v1/messages", "/api/v1/messages"] {
            assert_eq!(refused(path).await["error"]["type"], "authentication_error", "{path}");
        }
    }
}
