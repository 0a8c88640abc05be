//! Under which path of the endpoints a client's call is answered.

use std::str::FromStr;

use http::{Uri, uri::PathAndQuery};
use tower_openrouter::endpoint::Envelope;

/// The path of the endpoints for a call to this URL: `/v1/…` with OpenAI's envelope of errors, `/api/v1/…` with OpenRouter's.
///
/// A client's base URL may stand behind a prefix of its own, so the last `/v1/` counts; without one the whole path is the name of the call.
/// Which names there are, the endpoints know: any other gets their 404.
pub(crate) fn endpoint_path(uri: &Uri, envelope: Option<Envelope>) -> Option<PathAndQuery> {
    let path = uri.path();
    let (base, name) = path.rsplit_once("/v1/").unwrap_or(("", path.trim_start_matches('/')));
    let is_openrouter = match envelope {
        Some(envelope) => envelope == Envelope::OpenRouter,
        None => base.ends_with("/api"),
    };
    let base = if is_openrouter { "/api/v1/" } else { "/v1/" };
    if path.strip_prefix(base) == Some(name) {
        return None;
    }
    PathAndQuery::from_str(&format!("{base}{name}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(uri: &'static str, envelope: Option<Envelope>) -> String {
        let uri = Uri::from_static(uri);
        endpoint_path(&uri, envelope).map_or_else(|| uri.path().to_owned(), |path| path.to_string())
    }

    #[test]
    fn what_follows_the_last_version_names_the_call() {
        for (uri, path) in [
            ("https://api.openai.com/v1/chat/completions", "/v1/chat/completions"),
            ("https://openrouter.ai/api/v1/responses", "/api/v1/responses"),
            ("http://gateway/openai/v1/embeddings?x=1", "/v1/embeddings"),
            ("http://gateway/v1/proxy/api/v1/messages", "/api/v1/messages"),
            ("http://gateway/chat/completions", "/v1/chat/completions"),
            ("/models", "/v1/models"),
            ("https://api.openai.com/v1/threads/7/messages", "/v1/threads/7/messages"),
            ("https://api.openai.com/", "/v1/"),
        ] {
            assert_eq!(path_of(uri, None), path, "{uri}");
        }
    }

    #[test]
    fn an_envelope_that_is_set_wins_over_the_path() {
        for uri in [
            "https://openrouter.ai/api/v1/models",
            "https://api.openai.com/v1/models",
        ] {
            assert_eq!(path_of(uri, Some(Envelope::OpenAi)), "/v1/models", "{uri}");
            assert_eq!(path_of(uri, Some(Envelope::OpenRouter)), "/api/v1/models", "{uri}");
        }
    }
}
