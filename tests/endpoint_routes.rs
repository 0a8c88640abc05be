//! All APIs mounted as one service: paths, methods, headers, the list of models.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower_openrouter::{
    Api, ApiKey, Candidate, Catalogue, ChatBody, ChatServiceExt, Error, FailureKind, Stack, endpoint::Envelope,
    layers::fallback::RequestedModel,
};

use crate::support::mounted::{ask, json, post, send, stack_over};

const CHAT: &str = r#"{"id":"gen-1","choices":[{"index":0,"message":{"content":"Oslo."},"finish_reason":"stop"}]}"#;

/// Answers only if nothing else was sent than these.
fn empty(method: Method, path: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Full::default())
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_path_leads_to_its_api() {
    let endpoints = stack_over(|request| {
        let api = request.body();
        assert!(api.as_chat().is_some(), "the path decides");
        Ok(ChatBody::from_plain(Full::from(CHAT)))
    })
    .into_endpoints();
    for path in [
        "/v1/chat/completions",
        "/api/v1/chat/completions",
        "http://host/v1/chat/completions?x=/v1/models",
    ] {
        let (parts, text) = send(endpoints.clone(), post(path, ask(Api::Chat))).await;
        assert_eq!((parts.status, text.as_str()), (StatusCode::OK, CHAT), "{path}");
        assert_eq!(parts.headers["x-llm-model"], "demo/model");
    }
}

#[tokio::test(start_paused = true)]
async fn no_trick_with_a_path_reaches_a_route() {
    let endpoints = stack_over(|_| panic!("it is not sent")).into_endpoints();
    for path in [
        "/",
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/V1/chat/completions",
        "/v1/Chat/Completions",
        "/v1/chat%2Fcompletions",
        "/%761/chat/completions",
        "/v1/%2e%2e/v1/chat/completions",
        "/v1/../v1/chat/completions",
        "/v1/models/../chat/completions",
        "/v1/chat/completions;x=1",
        "/v1/chat",
        "/v1",
        "/v1/",
        "/chat/completions",
        "/api/chat/completions",
        "/api/v1/v1/chat/completions",
        "/api//v1/chat/completions",
        "/v1/completions",
        "/v1/models/",
        "/v1/models//gpt-5",
        "/v1/models/%2e%2e/chat/completions",
        "/v1/responses/resp_1",
        "*",
    ] {
        let (parts, text) = send(endpoints.clone(), post(path, ask(Api::Chat))).await;
        assert_eq!(parts.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(parts.headers["content-type"], "application/json", "{path}");
        let error = json(&text);
        if path.starts_with("/api") {
            assert_eq!(error["error"]["code"], 404, "{path}");
            assert_eq!(error["error"]["metadata"]["error_type"], "unknown_url", "{path}");
        } else {
            assert_eq!(error["error"]["code"], "unknown_url", "{path}");
        }
        assert!(text.contains("/v1/chat/completions"), "{path}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_anthropics_clients_try_is_not_there_in_their_own_envelope() {
    let endpoints = stack_over(|_| panic!("it is not sent")).into_endpoints();
    for path in [
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/api/v1/messages/",
        "//v1/messages",
    ] {
        let (parts, text) = send(endpoints.clone(), post(path, ask(Api::Messages))).await;
        assert_eq!(parts.status, StatusCode::NOT_FOUND, "{path}");
        let error = json(&text);
        assert_eq!(
            (&error["type"], &error["error"]["type"]),
            (&json!("error"), &json!("not_found_error"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn other_methods_get_405_with_what_is_allowed() {
    let endpoints = stack_over(|_| panic!("it is not sent")).into_endpoints();
    for (path, allowed) in [
        ("/v1/chat/completions", "POST"),
        ("/v1/responses", "POST"),
        ("/v1/messages", "POST"),
        ("/v1/embeddings", "POST"),
        ("/v1/models", "GET, HEAD"),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            if allowed.contains(method) {
                continue;
            }
            for root in ["", "/api"] {
                let request = empty(method.parse().unwrap(), &format!("{root}{path}"));
                let (parts, text) = send(endpoints.clone(), request).await;
                assert_eq!(parts.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
                assert_eq!(parts.headers["allow"], allowed, "{method} {path}");
                assert!(
                    json(&text)["error"]["message"].as_str().unwrap().contains(method),
                    "{text}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn head_gets_the_head_alone() {
    let endpoints = stack_over(|_| panic!("it is not sent")).into_endpoints();
    for (path, status) in [
        ("/v1/models", StatusCode::OK),
        ("/v1/messages", StatusCode::METHOD_NOT_ALLOWED),
        ("/nowhere", StatusCode::NOT_FOUND),
    ] {
        let (get, body) = send(endpoints.clone(), empty(Method::GET, path)).await;
        let (head, none) = send(endpoints.clone(), empty(Method::HEAD, path)).await;
        assert_eq!((head.status, none.as_str()), (status, ""), "{path}");
        assert_eq!(head.headers["content-type"], get.headers["content-type"]);
        if status == StatusCode::OK || status == StatusCode::NOT_FOUND {
            assert_eq!(head.headers["content-length"], body.len().to_string(), "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clients_secrets_go_nowhere() {
    let secrets = ["authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"];
    let stack = || {
        stack_over(move |request| {
            for name in secrets {
                let sent = request.headers().get(name).map(|value| value.to_str().unwrap());
                assert!(sent.is_none_or(|sent| !sent.contains("clients-own")), "{name}");
            }
            let has = |name: &str| request.headers().contains_key(name);
            assert_eq!(has("x-feature"), has("x-team"));
            let message = if has("x-team") { "passed" } else { "dropped" };
            Err(Error::new(FailureKind::Overloaded, message))
        })
    };
    for api in Api::ALL {
        let request = || {
            let mut request = post(&format!("/v1/{}", api.path()), ask(api));
            for name in secrets.into_iter().chain(["x-feature", "x-team"]) {
                let value = "Bearer clients-own".parse().unwrap();
                request.headers_mut().insert(name, value);
            }
            request
        };
        let (_, text) = send(stack().into_endpoints(), request()).await;
        assert!(text.contains("dropped") && !text.contains("clients-own"), "{text}");
        // Not even if the endpoint is set to pass them; other headers are passed.
        let (mut all, mut one) = (stack().into_endpoints(), stack().into_endpoint(api));
        for name in secrets.into_iter().chain(["x-feature", "x-team"]) {
            all = all.pass_header(name.parse().unwrap());
            one = one.pass_header(name.parse().unwrap());
        }
        for (_, text) in [send(all, request()).await, send(one, request()).await] {
            assert!(text.contains("passed") && !text.contains("clients-own"), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_version_of_anthropics_api_goes_along_with_messages_alone() {
    for api in Api::ALL {
        let stack = stack_over(move |request| {
            let version = request.headers().get("anthropic-version");
            let expected = (api == Api::Messages).then_some("2026-10-21");
            assert_eq!(version.map(|version| version.to_str().unwrap()), expected);
            Err(Error::new(FailureKind::Overloaded, "sent"))
        });
        let mut request = post("/", ask(api));
        let version = "2026-10-21".parse().unwrap();
        request.headers_mut().insert("anthropic-version", version);
        let (_, text) = send(stack.into_endpoint(api), request).await;
        assert!(text.contains("sent"), "{text}");
    }
}

fn catalogue() -> Catalogue {
    let rows = [
        json!({"id": "openai/gpt-5", "canonical_slug": "openai/gpt-5-2026", "name": "GPT-5", "created": 1_750_000_000,
            "context_length": 400_000, "pricing": {"prompt": "0.00000125", "completion": "0.00001"}, "new_member": [1]}),
        json!({"id": "acme/small", "name": "Small", "created": 7}),
    ];
    Catalogue::new(rows.map(|row| serde_json::from_value(row).unwrap()))
}

async fn models(stack: Stack, path: &str) -> Value {
    let (parts, text) = send(stack.into_endpoints(), empty(Method::GET, path)).await;
    assert_eq!(parts.status, StatusCode::OK, "{text}");
    assert_eq!(parts.headers["content-type"], "application/json");
    json(&text)
}

fn ids(list: &Value) -> Vec<&str> {
    let rows = list["data"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_list_has_the_chain_and_then_the_catalogue() {
    let builder =
        || Stack::openrouter(ApiKey::new("sk-or-v1-x").unwrap()).chain(["openai/gpt-5:nitro", "openai/gpt-5"]);
    let stack = builder().catalogue(Arc::new(catalogue())).build().unwrap();
    let list = models(stack.clone(), "/v1/models").await;
    assert_eq!(list["object"], "list");
    assert_eq!(ids(&list), ["openai/gpt-5:nitro", "openai/gpt-5", "acme/small"]);
    assert_eq!(
        list["data"][0],
        json!({"id": "openai/gpt-5:nitro", "object": "model", "created": 1_750_000_000, "owned_by": "openai"})
    );
    let list = models(stack, "/api/v1/models").await;
    assert_eq!(
        (&list["total_count"], &list["links"]["next"]),
        (&json!(3), &Value::Null)
    );
    let row = &list["data"][1];
    assert_eq!(
        (&row["name"], &row["context_length"]),
        (&json!("GPT-5"), &json!(400_000))
    );
    assert_eq!(row["new_member"], json!([1]), "what is not known is kept");
    // What OpenRouter's SDKs cannot do without.
    let small = &list["data"][2];
    assert_eq!(small["canonical_slug"], "acme/small");
    for name in [
        "context_length",
        "default_parameters",
        "per_request_limits",
        "supported_voices",
    ] {
        assert!(small.as_object().unwrap().contains_key(name), "{name}");
    }
    assert_eq!(small["top_provider"]["is_moderated"], false);
}

/// OpenRouter's clients request the next page until one is not full.
#[tokio::test(start_paused = true)]
async fn the_list_of_openrouter_has_pages() {
    let build = || {
        let builder =
            Stack::openrouter(ApiKey::new("sk-or-v1-x").unwrap()).chain(["openai/gpt-5:nitro", "openai/gpt-5"]);
        builder.catalogue(Arc::new(catalogue())).build().unwrap()
    };
    let all = ["openai/gpt-5:nitro", "openai/gpt-5", "acme/small"];
    for (query, expected) in [
        ("limit=2", &all[..2]),
        ("offset=2&limit=2", &all[2..]),
        ("offset=3", &[]),
        ("offset=1", &all[1..]),
    ] {
        let list = models(build(), &format!("/api/v1/models?{query}")).await;
        assert_eq!(
            (ids(&list), &list["total_count"]),
            (expected.to_vec(), &json!(3)),
            "{query}"
        );
        // OpenAI's list has none.
        assert_eq!(
            ids(&models(build(), &format!("/v1/models?{query}")).await),
            all,
            "{query}"
        );
    }
    let (parts, text) = send(build().into_endpoints(), empty(Method::GET, "/api/v1/models?limit=0")).await;
    assert_eq!(
        (parts.status, &json(&text)["error"]["param"]),
        (StatusCode::BAD_REQUEST, &json!("limit"))
    );
    // What is filtered out is on no page.
    let endpoint = build()
        .into_models_endpoint()
        .envelope(Envelope::OpenRouter)
        .catalogue(catalogue());
    let some = endpoint.filter(|model| !model.ends_with(":nitro"));
    let (_, text) = send(some, empty(Method::GET, "/any?limit=1")).await;
    assert_eq!(
        (ids(&json(&text)), &json(&text)["total_count"]),
        (vec!["openai/gpt-5"], &json!(2))
    );
}

#[tokio::test(start_paused = true)]
async fn one_model_has_its_row_and_its_link_leads_somewhere() {
    let stack = Stack::openrouter(ApiKey::new("sk-or-v1-x").unwrap())
        .catalogue(Arc::new(catalogue()))
        .build()
        .unwrap();
    let list = models(stack.clone(), "/v1/models").await;
    let whole = models(stack.clone(), "/api/v1/models").await;
    for place in [0, 1] {
        let (row, row_of_openrouter) = (&list["data"][place], &whole["data"][place]);
        let id = row["id"].as_str().unwrap();
        // The SDKs of OpenAI escape the slash.
        for spelt in [id.to_owned(), id.replace('/', "%2F")] {
            assert_eq!(models(stack.clone(), &format!("/v1/models/{spelt}")).await, *row);
        }
        let path = format!("/api/v1/models/{id}");
        assert_eq!(models(stack.clone(), &path).await["data"], *row_of_openrouter);
        let link = row_of_openrouter["links"]["details"].as_str().unwrap();
        let details = models(stack.clone(), link).await;
        let data = &details["data"];
        for name in ["id", "name", "created", "architecture"] {
            assert_eq!(data[name], row_of_openrouter[name], "{name}");
        }
        assert!(data["description"].is_string());
        assert_eq!(data["endpoints"][0]["pricing"], row_of_openrouter["pricing"]);
        assert!(data["endpoints"][0]["context_length"].is_u64());
    }
    for path in ["/v1/models/acme/large", "/api/v1/models/acme/large/endpoints"] {
        let (parts, text) = send(stack.clone().into_endpoints(), empty(Method::GET, path)).await;
        assert_eq!(parts.status, StatusCode::NOT_FOUND, "{path}");
        assert!(text.contains("model_not_found"), "{text}");
    }
    let request = empty(Method::DELETE, "/v1/models/acme/small");
    let (parts, _) = send(stack.into_endpoints(), request).await;
    assert_eq!(parts.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(start_paused = true)]
async fn the_list_has_only_what_a_client_may_request() {
    let builder = || Stack::openrouter(ApiKey::new("sk-or-v1-x").unwrap());
    let fixed = builder()
        .chain([Candidate::new("openrouter", "acme/small").unwrap()])
        .requested_model(RequestedModel::Ignored)
        .catalogue(Arc::new(catalogue()))
        .build()
        .unwrap();
    assert_eq!(ids(&models(fixed, "/v1/models").await), ["acme/small"]);
    let open = builder().catalogue(Arc::new(catalogue())).build().unwrap();
    assert_eq!(ids(&models(open, "/v1/models").await), ["acme/small", "openai/gpt-5"]);
    let unknown = builder().build().unwrap();
    assert!(ids(&models(unknown.clone(), "/v1/models").await).is_empty());
    // A catalogue may be given to the list alone.
    let (_, text) = send(
        unknown.clone().into_endpoints().catalogue(catalogue()),
        empty(Method::GET, "/v1/models"),
    )
    .await;
    assert_eq!(ids(&json(&text)), ["acme/small", "openai/gpt-5"]);
    let single = unknown
        .into_models_endpoint()
        .catalogue(catalogue())
        .envelope(Envelope::OpenRouter);
    let (_, text) = send(single, empty(Method::GET, "/any/path")).await;
    assert_eq!(json(&text)["total_count"], 2);
}
