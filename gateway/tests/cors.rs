//! Clients in a browser: what a page of another origin may call and read.

use http::Method;
use reqwest::RequestBuilder;

use crate::support::{APIS, CLIENT_KEY, Place, Said, key, post};

const APP: &str = "https://chat.example.org";
const OTHER: &str = "https://evil.example";

fn preflight(place: &Place, path: &str, origin: &str) -> RequestBuilder {
    place
        .http
        .request(Method::OPTIONS, place.url(path))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,x-stainless-lang",
        )
}

fn allowed(said: &Said) -> Option<&str> {
    said.headers
        .get("access-control-allow-origin")
        .map(|value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_listed_origin_calls_and_reads_answers_and_errors() {
    let rest = format!("server.cors = [\"{APP}\"]\n{}", key("acme", CLIENT_KEY, ""));
    let place = Place::start(&rest).await;
    for (path, body) in APIS {
        for path in [path.to_owned(), format!("/api{path}")] {
            let asked = Said::of(preflight(&place, &path, APP)).await;
            assert_eq!((asked.status, allowed(&asked)), (200, Some(APP)), "{asked:?}");
            let headers = asked.headers["access-control-allow-headers"].to_str().unwrap();
            assert!(
                headers.contains("authorization") && headers.contains("x-stainless-lang"),
                "{headers}"
            );
            let request = post(&place.http, &place.url(&path), CLIENT_KEY, body).header("origin", APP);
            let said = Said::of(request).await;
            assert_eq!((said.status, allowed(&said)), (200, Some(APP)), "{said:?}");
            let exposed = said.headers["access-control-expose-headers"].to_str().unwrap();
            for name in [
                "x-llm-attempts",
                "x-llm-model",
                "x-llm-cache",
                "retry-after",
                // By this one the SDKs decide whether they call again.
                "x-should-retry",
                "ratelimit",
                "x-ratelimit-limit-requests",
                "x-ratelimit-remaining-requests",
                "x-ratelimit-reset-tokens",
                "x-generation-id",
                "x-openrouter-cache-status",
                "request-id",
                "x-request-id",
            ] {
                let is_exposed = exposed.split(',').any(|own| own.trim() == name);
                assert!(is_exposed, "{name}: {exposed}");
            }
            let refused = post(&place.http, &place.url(&path), "sk-gw-unknown", body).header("origin", APP);
            let refused = Said::of(refused).await;
            assert_eq!((refused.status, allowed(&refused)), (401, Some(APP)), "{refused:?}");
        }
    }
    // Another origin gets its answer, and its browser keeps it from the page.
    let asked = Said::of(preflight(&place, APIS[0].0, OTHER)).await;
    assert_eq!(allowed(&asked), None, "{asked:?}");
    // The admin side is no client route.
    for path in ["/", "/metrics", "/api/calls", "/readyz"] {
        let said = Said::of(place.http.get(place.url(path)).header("origin", APP)).await;
        assert_eq!(allowed(&said), None, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_off_by_default_and_a_listed_origin_is_no_other_site() {
    let place = Place::start("").await;
    let request = post(&place.http, &place.url(APIS[0].0), "", APIS[0].1).header("origin", APP);
    let said = Said::of(request).await;
    assert_eq!((said.status, allowed(&said)), (403, None), "{said:?}");
    let place = Place::start(&format!("server.cors = [\"{APP}\"]\n")).await;
    for (origin, status) in [(APP, 200), (OTHER, 403)] {
        let request = post(&place.http, &place.url(APIS[0].0), "", APIS[0].1).header("origin", origin);
        assert_eq!(Said::of(request).await.status, status, "{origin}");
    }
}
