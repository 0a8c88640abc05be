//! Every refusal, in the envelope of the API that was called.

use serde_json::{Value, json};

use crate::support::{APIS, CLIENT_KEY, OTHER_KEY, Place, Said, key};

/// The word, and the message, as the SDK of this path reads them.
fn told(path: &str, said: &Said) -> (String, String) {
    let body = said.json();
    let error = &body["error"];
    let word = if path.ends_with("/messages") {
        assert_eq!(body["type"], "error", "{body}");
        &error["details"]["error_code"]
    } else if path.starts_with("/api/") {
        assert_eq!(error["code"], said.status, "{body}");
        &error["metadata"]["error_type"]
    } else {
        &error["code"]
    };
    (
        word.as_str().unwrap().to_owned(),
        error["message"].as_str().unwrap().to_owned(),
    )
}

/// Calls every API under both prefixes; each must answer with this status and word.
async fn all_refuse(
    place: &Place,
    key: &str,
    change: impl Fn(&str) -> String,
    status: u16,
    word: &str,
) -> Vec<(String, Said)> {
    let mut all = Vec::new();
    for (path, body) in APIS {
        for prefix in ["", "/api"] {
            let path = format!("{prefix}{path}");
            let said = place.post(&path, key, &change(body)).await;
            assert_eq!(said.status, status, "{path}: {said:?}");
            let (told, message) = told(&path, &said);
            assert_eq!(told, word, "{path}: {message}");
            all.push((message, said));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_missing_unknown_or_expired_gets_401() {
    let keys = key("acme", CLIENT_KEY, "") + &key("old", OTHER_KEY, "expires = \"2020-01-01\"");
    let place = Place::start(&keys).await;
    let same = |body: &str| body.to_owned();
    for (key, word) in [
        ("", "missing_api_key"),
        ("sk-gw-nobody", "invalid_api_key"),
        (OTHER_KEY, "api_key_expired"),
    ] {
        for (message, said) in all_refuse(&place, key, same, 401, word).await {
            assert_eq!(said.headers["www-authenticate"], "Bearer");
            assert!(!message.contains("SECRET") && !message.contains("nobody"), "{message}");
        }
    }
    for path in ["/v1/models", "/v1/key", "/v1/nowhere"] {
        assert_eq!(place.get(path, "").await.status, 401, "{path}");
    }
    assert!(
        place
            .simulator
            .report()
            .attempts
            .iter()
            .all(|seen| seen.method == "GET"),
        "nothing was called"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_a_key_does_not_allow_gets_404_however_it_is_named() {
    let place = Place::start(&key("acme", CLIENT_KEY, "models = [\"demo/*\"]")).await;
    let messages = all_refuse(&place, CLIENT_KEY, str::to_owned, 404, "model_not_found").await;
    assert!(
        messages.iter().all(|(message, _)| message.contains("demo/*")),
        "{messages:?}"
    );
    let with = |member: &str, value: Value| {
        let mut body: Value = serde_json::from_str(APIS[0].1).unwrap();
        body["model"] = json!("demo/model");
        body[member] = value;
        body.to_string()
    };
    assert_eq!(
        place.post(APIS[0].0, CLIENT_KEY, &with("n", json!(1))).await.status,
        200
    );
    for (member, value) in [
        ("models", json!(["demo/model", "openai/gpt-5"])),
        ("preset", json!("mine")),
        ("fallbacks", json!([{ "model": "openai/gpt-5" }])),
    ] {
        let said = place.post(APIS[0].0, CLIENT_KEY, &with(member, value)).await;
        assert_eq!(said.status, 404, "{member}: {said:?}");
    }
}

/// What goes upstream is what the rules of the key were applied to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alternatives_that_cannot_be_read_are_refused_and_both_of_two_lists_count() {
    let place = Place::start(&key("acme", CLIENT_KEY, "models = [\"*\"]")).await;
    for list in [
        r#""models":["\ud800","openai/gpt-5"]"#,
        r#""fallbacks":[{"model":"openai/gpt-5"},{}]"#,
    ] {
        let with_list = |body: &str| body.replacen('{', &format!("{{{list},"), 1);
        for (message, _) in all_refuse(&place, CLIENT_KEY, with_list, 400, "invalid_request").await {
            assert!(message.starts_with('`'), "{message}");
        }
    }
    let place = Place::start(&key("acme", CLIENT_KEY, "models = [\"openai/*\"]")).await;
    let twice = |body: &str| body.replacen('{', r#"{"models":["x/y"],"models":["openai/gpt-5"],"#, 1);
    all_refuse(&place, CLIENT_KEY, twice, 404, "model_not_found").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_budget_gets_402_with_what_is_spent_reserved_and_when_it_is_full_again() {
    let place = Place::start(&key(
        "acme",
        CLIENT_KEY,
        "budget = [{ usd = \"0.0000001\", per = \"day\" }]",
    ))
    .await;
    for (message, _) in all_refuse(&place, CLIENT_KEY, str::to_owned, 402, "budget_exceeded").await {
        for part in ["key/acme/day", "key=acme", "is spent", "is reserved"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_not_given_the_sums_of_a_budget_that_all_keys_share() {
    let shared = "budget = [{ name = \"all\", usd = \"0.0000001\", per = \"day\" }]\n";
    let place = Place::start(&(shared.to_owned() + &key("acme", CLIENT_KEY, ""))).await;
    for (message, _) in all_refuse(&place, CLIENT_KEY, str::to_owned, 402, "budget_exceeded").await {
        assert!(
            message.contains("`all`") && message.contains("needs at least $"),
            "{message}"
        );
        assert!(!message.contains("of $") && !message.contains("is spent"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_gets_429_with_the_time_to_wait_and_other_keys_pass() {
    let limit = "requests = { amount = 1, per = \"1h\", burst = 1 }";
    let place = Place::start(&(key("acme", CLIENT_KEY, limit) + &key("other", OTHER_KEY, limit))).await;
    assert_eq!(place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await.status, 200);
    for (_, said) in all_refuse(&place, CLIENT_KEY, str::to_owned, 429, "rate_limit_exceeded").await {
        let wait: u64 = said.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((3000..=3600).contains(&wait), "{wait}");
    }
    assert_eq!(place.post(APIS[0].0, OTHER_KEY, APIS[0].1).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_get_their_status_in_the_envelope() {
    let place = Place::start(&format!(
        "server.max_body_bytes = 4096\n{}",
        key("acme", CLIENT_KEY, "")
    ))
    .await;
    all_refuse(&place, CLIENT_KEY, |_| "{".to_owned(), 400, "invalid_request").await;
    all_refuse(&place, CLIENT_KEY, |_| "[]".to_owned(), 400, "invalid_request").await;
    all_refuse(
        &place,
        CLIENT_KEY,
        |_| format!("{{\"x\":\"{}\"}}", "a".repeat(5000)),
        413,
        "payload_too_large",
    )
    .await;
    for (path, _) in APIS {
        let said = place.get(path, CLIENT_KEY).await;
        assert_eq!(
            (said.status, told(path, &said).0.as_str()),
            (405, "method_not_allowed"),
            "{path}"
        );
        let request = place
            .http
            .post(place.url(path))
            .bearer_auth(CLIENT_KEY)
            .header("x-request-timeout-ms", "soon")
            .body(APIS[0].1);
        let said = Said::of(request).await;
        assert_eq!(said.status, 400, "{path}: {said:?}");
    }
    for path in [
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/V1/chat/completions",
        "/v1/chat/../models",
        "/v1/%63hat/completions",
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {CLIENT_KEY}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let answer = crate::support::raw(place.running.address, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}
