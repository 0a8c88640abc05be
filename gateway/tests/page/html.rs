//! The page as HTML: complete without JavaScript, and safe whatever names requests bring.

use http::{Request, header};
use openrouter_gateway::calls::Calls;

use super::support::{FIRST, KEY, SECOND, World, chat, tagged};

#[tokio::test]
async fn the_page_is_whole_without_javascript() {
    let world = World::new("503;no-hint").await;
    let empty = world.page("/").await;
    assert!(empty.contains("No calls yet") && empty.contains("No budget is set") && empty.contains(">Idle<"));
    world.call(tagged(chat(FIRST, false), &[("key", "ci")])).await;
    let page = world.page("/").await;
    for part in [
        "100 % answered",
        ">rescued<",
        "<details class=\"call\"",
        FIRST,
        SECOND,
        "<svg",
        "role=\"img\"",
        "<noscript><meta http-equiv=\"refresh\"",
        "lang=\"en\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "nothing from elsewhere"
    );
    assert!(
        !page.contains(" style=") && !page.contains(" onclick="),
        "the policy would refuse it"
    );
    assert!(!page.contains(KEY));
    let filtered = world.page("/?outcome=failed").await;
    assert!(filtered.contains("No call matches the filter") && !filtered.contains("id=\"call-1\""));
}

#[tokio::test]
async fn hostile_names_stay_text() {
    let world = World::with("", Calls::new(), None).await;
    let script = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u{202e}gnp";
    world
        .call(tagged(
            chat(script, true),
            &[("key", script_tag()), ("team", "<b>\"'&")],
        ))
        .await;
    let query =
        "/?key=%22%3E%3Cscript%3Ealert(3)%3C/script%3E&model=%3Cb%3E&tag=%22%20onfocus%3Dx&by=tag:%3Ci%3E&span=%22";
    let spend = "/?by=key";
    for path in ["/", query, spend] {
        let page = world.page(path).await;
        for part in ["<script>alert", "<img src=x", "<b>", "<i>", "\" onfocus", "\u{202e}"] {
            assert!(!page.contains(part), "{path}: {part}");
        }
    }
    let page = world.page("/").await;
    assert!(page.contains("&#60;script&#62;alert(1)"), "shown as text");
    let calls = world.get("/api/calls").await;
    assert_eq!(calls.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(calls.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
}

const fn script_tag() -> &'static str {
    "<script>alert(4)</script>"
}

#[tokio::test]
async fn every_response_has_the_policy() {
    let world = World::new("ok").await;
    for path in [
        "/",
        "/page.css",
        "/page.js",
        "/icon.svg",
        "/api/calls",
        "/api/spend",
        "/api/health",
    ] {
        let response = world.get(path).await;
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
    }
    // Not the endpoints beside it.
    let models = world.get("/v1/models").await;
    assert!(!models.headers().contains_key(header::CONTENT_SECURITY_POLICY));
}

#[tokio::test]
async fn a_known_file_is_not_sent_again() {
    let world = World::new("ok").await;
    for path in ["/page.css", "/page.js", "/icon.svg"] {
        let first = world.get(path).await;
        let etag = first.headers()[header::ETAG].clone();
        let again = Request::get(path)
            .header(header::IF_NONE_MATCH, etag)
            .body(axum::body::Body::empty())
            .unwrap();
        assert_eq!(world.send(again).await.status(), 304, "{path}");
        let other = Request::get(path)
            .header(header::IF_NONE_MATCH, "\"x\"")
            .body(axum::body::Body::empty())
            .unwrap();
        assert_eq!(world.send(other).await.status(), 200, "{path}");
    }
}
