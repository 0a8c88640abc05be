//! Every route, and who may call it.

use crate::support::{ADMIN_TOKEN, APIS, CLIENT_KEY, OTHER_KEY, Place, Said, key, streamed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_api_answers_a_client_with_a_key_and_the_upstream_sees_its_own_key_alone() {
    let place = Place::start(&key("acme", CLIENT_KEY, "")).await;
    for (path, body) in APIS {
        for prefix in ["", "/api"] {
            let said = place.post(&format!("{prefix}{path}"), CLIENT_KEY, body).await;
            assert_eq!(said.status, 200, "{path}: {said:?}");
            assert_eq!(said.headers["x-llm-attempts"], "1", "{path}");
        }
    }
    let said = place
        .post("/v1/chat/completions", CLIENT_KEY, &streamed("openai/gpt-4o-mini", 50))
        .await;
    assert!(said.text.ends_with("data: [DONE]\n\n"), "{said:?}");
    for attempt in place.simulator.report().attempts {
        for (name, value) in &attempt.headers {
            assert!(
                !value.contains("CLIENTSECRET") && !value.ends_with("33b8"),
                "{name}: {value}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_presented_as_anthropic_s_clients_do_and_an_id_comes_back() {
    let place = Place::start(&key("acme", CLIENT_KEY, "")).await;
    let request = place.http.post(place.url("/v1/messages")).body(APIS[2].1);
    let said = Said::of(request.header("x-api-key", CLIENT_KEY).header("x-request-id", "call-1")).await;
    assert_eq!(
        (said.status, said.headers["x-request-id"].to_str().unwrap()),
        (200, "call-1"),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_sees_the_models_that_it_allows_and_its_own_limits() {
    let rules = "models = [\"openai/*\"]\nconcurrency = 3\nrequests = { amount = 60, per = \"1m\" }\n\
                 budget = [{ usd = \"1.50\", per = \"day\" }, { usd = \"20\", per = \"month\" }]\nexpires = \"2099-01-01\"";
    let chain = "chain = [\"openai/gpt-4o-mini\", \"google/gemini-2.5-flash\"]\n";
    let place = Place::start(&format!(
        "{chain}{}{}",
        key("acme", CLIENT_KEY, rules),
        key("other", OTHER_KEY, "")
    ))
    .await;
    let ids = async |key: &str| -> Vec<String> {
        let list = place.get("/v1/models", key).await.json();
        let rows = list["data"].as_array().unwrap();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let (some, all) = (ids(CLIENT_KEY).await, ids(OTHER_KEY).await);
    assert!(
        !some.is_empty() && some.iter().all(|id| id.starts_with("openai/")),
        "{some:?}"
    );
    assert!(all.contains(&"google/gemini-2.5-flash".to_owned()), "{all:?}");

    assert_eq!(place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await.status, 200);
    for path in ["/v1/key", "/api/v1/key"] {
        let own = place.get(path, CLIENT_KEY).await.json()["data"].clone();
        assert_eq!(
            (own["name"].as_str(), own["limits"]["concurrency"].as_u64()),
            (Some("acme"), Some(3)),
            "{own}"
        );
        assert_eq!(own["limits"]["requests"]["amount"], 60, "{own}");
        assert!(own["expires"].as_str().unwrap().starts_with("2099-01-01"), "{own}");
        let budgets = own["budgets"].as_array().unwrap();
        assert_eq!(budgets.len(), 2, "{own}");
        for (budget, window) in budgets.iter().zip(["day", "month"]) {
            assert_eq!(
                (budget["per"].as_str(), budget["reserved"].as_str()),
                (Some(window), Some("0.00")),
                "{own}"
            );
            assert_ne!(budget["spent"], "0.00", "{own}");
            assert!(budget["resets"].is_string(), "{own}");
        }
    }
    let other = place.get("/v1/key", OTHER_KEY).await.json()["data"].clone();
    assert_eq!(other["budgets"], serde_json::json!([]));
    for member in ["limit", "limit_remaining", "limit_reset"] {
        assert!(
            other.as_object().unwrap().contains_key(member) && other[member].is_null(),
            "{other}"
        );
    }
    // One model, as the key allows.
    for (model, key, status) in [
        ("openai/gpt-4o-mini", CLIENT_KEY, 200),
        ("google/gemini-2.5-flash", CLIENT_KEY, 404),
        ("google/gemini-2.5-flash", OTHER_KEY, 200),
        ("acme/unknown", OTHER_KEY, 404),
    ] {
        for path in [
            format!("/v1/models/{model}"),
            format!("/v1/models/{}", model.replace('/', "%2F")),
            format!("/api/v1/models/{model}"),
            format!("/api/v1/models/{model}/endpoints"),
        ] {
            let said = place.get(&path, key).await;
            assert_eq!(said.status, status, "{path}: {said:?}");
            let word = if status == 200 { model } else { "model_not_found" };
            assert!(said.text.contains(word), "{said:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_described_as_openrouter_s_sdks_read_it() {
    let folder = crate::support::Folder::new();
    let rest = format!(
        "storage.sqlite = \"{}\"\n{}",
        folder.path("gateway.db").display(),
        key(
            "acme",
            CLIENT_KEY,
            "budget = [{ usd = \"1.50\", per = \"day\" }, { usd = \"20\", per = \"month\" }]"
        )
    );
    let place = Place::start(&rest).await;
    assert_eq!(place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await.status, 200);
    let own = place.get("/api/v1/key", CLIENT_KEY).await.json()["data"].clone();
    assert_eq!(
        (&own["label"], &own["limit"], &own["limit_reset"]),
        (&"acme".into(), &1.5.into(), &"daily".into())
    );
    let number = |member: &str| own[member].as_f64().unwrap_or_else(|| panic!("{member}: {own}"));
    let spent = number("usage");
    assert!(spent > 0.0 && spent < 1.0, "{own}");
    assert!(
        (number("limit") - number("limit_remaining") - spent).abs() < 1e-9,
        "{own}"
    );
    for member in ["usage_daily", "usage_weekly", "usage_monthly"] {
        assert!(number(member) <= spent, "{member}: {own}");
    }
    assert!((number("usage_daily") - spent).abs() < 1e-9, "{own}");
    for member in [
        "byok_usage",
        "byok_usage_daily",
        "byok_usage_weekly",
        "byok_usage_monthly",
    ] {
        assert_eq!(own[member], 0, "{member}");
    }
    for member in [
        "include_byok_in_limit",
        "is_free_tier",
        "is_management_key",
        "is_provisioning_key",
    ] {
        assert!(own[member].is_boolean(), "{member}: {own}");
    }
    assert_eq!(own["rate_limit"]["requests"], -1);
    // Another method has the envelope of the API.
    for (path, word) in [("/v1/key", "method_not_allowed"), ("/api/v1/key", "\"code\":405")] {
        let said = place.post(path, CLIENT_KEY, "{}").await;
        assert_eq!(
            (said.status, said.headers["allow"].to_str().unwrap()),
            (405, "GET, HEAD"),
            "{said:?}"
        );
        assert!(said.text.contains(word), "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_open_to_all_and_the_admin_side_needs_the_token() {
    let folder = crate::support::Folder::new();
    let token = folder.write("token", ADMIN_TOKEN);
    let rest = format!(
        "admin.token = \"file:{}\"\n{}",
        token.display(),
        key("acme", CLIENT_KEY, "")
    );
    let place = Place::start(&rest).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(place.get(path, "").await.status, 200, "{path}");
    }
    for (key, status) in [("", 401), (CLIENT_KEY, 401), (ADMIN_TOKEN, 200)] {
        for path in ["/metrics", "/", "/api/calls", "/api/spend", "/api/health"] {
            assert_eq!(place.get(path, key).await.status, status, "{path}");
        }
    }
    let basic = place
        .http
        .get(place.url("/metrics"))
        .basic_auth("anyone", Some(ADMIN_TOKEN));
    assert_eq!(Said::of(basic).await.status, 200, "as a browser sends it");
    assert_eq!(
        place.post(APIS[0].0, ADMIN_TOKEN, APIS[0].1).await.status,
        401,
        "it is no client key"
    );

    assert_eq!(place.post(APIS[0].0, CLIENT_KEY, APIS[0].1).await.status, 200);
    let metrics = place.get("/metrics", ADMIN_TOKEN).await.text;
    assert!(metrics.contains("gen_ai_client_inference_duration"), "{metrics}");
    let calls = place.get("/api/calls", ADMIN_TOKEN).await.json();
    assert_eq!(calls["calls"].as_array().map(Vec::len), Some(1), "{calls}");
    let page = place.get("/", ADMIN_TOKEN).await.text;
    assert!(page.contains("acme"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_side_has_an_address_of_its_own_if_it_is_given_one() {
    let place = Place::start(&format!(
        "admin.listen = \"127.0.0.1:0\"\n{}",
        key("acme", CLIENT_KEY, "")
    ))
    .await;
    assert_ne!(place.running.address, place.running.admin);
    assert_eq!(
        place.get("/metrics", CLIENT_KEY).await.status,
        404,
        "the clients' address does not have it"
    );
    assert_eq!(place.get("/", CLIENT_KEY).await.status, 404, "nor the page");
    let url = format!("http://{}", place.running.admin);
    assert_eq!(Said::of(place.http.get(format!("{url}/metrics"))).await.status, 200);
    assert_eq!(Said::of(place.http.get(format!("{url}/healthz"))).await.status, 200);
    assert_eq!(
        Said::of(place.http.post(format!("{url}/v1/messages"))).await.status,
        404
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_keys_this_machine_calls_and_no_page_of_another_site_does() {
    let place = Place::start("").await;
    assert_eq!(place.post(APIS[0].0, "", APIS[0].1).await.status, 200);
    assert_eq!(
        place.post(APIS[0].0, "sk-anything", APIS[0].1).await.status,
        200,
        "SDKs must send some key"
    );
    assert_eq!(place.get("/v1/key", "").await.status, 404);
    for (name, value) in [("origin", "https://evil.example"), ("host", "evil.example")] {
        let request = place
            .http
            .post(place.url(APIS[0].0))
            .body(APIS[0].1)
            .header(name, value);
        assert_eq!(Said::of(request).await.status, 403, "{name}");
        let request = place.http.get(place.url("/metrics")).header(name, value);
        assert_eq!(Said::of(request).await.status, 403, "{name}");
    }
}
