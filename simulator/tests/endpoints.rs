//! The calls of the API.

use crate::common::{KEY, ask, chat, exchange, get, request};
use openrouter_simulator::Simulator;
use serde_json::{Value, json};

#[tokio::test]
async fn the_catalogue_pages_and_filters() {
    let simulator = Simulator::start().await.unwrap();
    let all = get(&simulator, "/api/v1/models").await;
    assert_eq!(all.header("cache-control"), Some("public, max-age=120"));
    let all = all.json();
    let total = all["data"].as_array().unwrap().len();
    assert_eq!(
        (all["total_count"].as_u64(), &all["links"]["next"]),
        (Some(total as u64), &Value::Null)
    );
    assert!(total >= 11);

    let (mut ids, mut next) = (Vec::new(), Some("/api/v1/models?limit=4&context=1000".to_owned()));
    while let Some(path) = next {
        let page = get(&simulator, &path).await.json();
        assert!(page["data"].as_array().unwrap().len() <= 4);
        ids.extend(page["data"].as_array().unwrap().iter().map(|m| m["id"].clone()));
        next = page["links"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(
        ids,
        all["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["id"].clone())
            .collect::<Vec<_>>()
    );

    for (query, has, lacks) in [
        (
            "supported_parameters=structured_outputs,tools",
            "openai/gpt-5",
            "meta-llama/llama-3.3-70b-instruct",
        ),
        ("q=claude", "anthropic/claude-sonnet-4.5", "openai/gpt-5"),
        ("context=1000000", "google/gemini-2.5-flash", "openai/gpt-5"),
        (
            "output_modalities=embeddings",
            "openai/text-embedding-3-small",
            "openai/gpt-5",
        ),
    ] {
        let text = get(&simulator, &format!("/v1/models?{query}")).await.text();
        assert!(
            text.contains(&format!("\"id\":\"{has}\"")) && !text.contains(&format!("\"id\":\"{lacks}\"")),
            "{query}"
        );
    }
    assert_eq!(get(&simulator, "/api/v1/models?limit=0").await.status, 400);
    let find = |id: &str| {
        all["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|m| m["id"] == id)
            .unwrap()
            .clone()
    };
    assert_eq!(
        find("openai/gpt-4o-mini")["pricing"],
        json!({"prompt": "0.00000015", "completion": "0.0000006", "input_cache_read": "0.000000075"})
    );
    assert_eq!(find("openrouter/auto")["pricing"]["prompt"], "-1");
    assert_eq!(find("demo/model:free")["pricing"]["completion"], "0");
    assert_eq!(
        find("anthropic/claude-sonnet-4.5")["pricing"]["overrides"][0]["min_prompt_tokens"],
        200_000
    );
}

#[tokio::test]
async fn one_model_and_its_endpoints() {
    let simulator = Simulator::start().await.unwrap();
    let model = get(&simulator, "/api/v1/model/openai/gpt-5:nitro").await.json();
    assert_eq!(model["data"]["canonical_slug"], "openai/gpt-5-2025-08-07");
    let combined = get(&simulator, "/api/v1/model/demo/model:free:floor:online")
        .await
        .json();
    assert_eq!(combined["data"]["id"], "demo/model:free");
    assert_eq!(get(&simulator, "/api/v1/model/no/such").await.status, 404);
    let offers = get(&simulator, "/api/v1/models/deepseek/deepseek-v3.2/endpoints")
        .await
        .json();
    let offers = offers["data"]["endpoints"].as_array().unwrap();
    assert_eq!((offers.len(), offers[1]["tag"].as_str()), (3, Some("deepinfra/fp4")));
    assert_eq!(offers[0]["latency_last_30m"]["p50"], 1450.0);
    let nobody = exchange(
        simulator.addr(),
        &request("GET", "/api/v1/models/openai/gpt-5/endpoints", &[], b""),
    )
    .await
    .unwrap();
    assert_eq!(
        (
            nobody.status,
            &nobody.json()["data"]["endpoints"][0]["latency_last_30m"]
        ),
        (200, &Value::Null)
    );
    simulator.plan("/models", "502-html").unwrap();
    assert_eq!(get(&simulator, "/api/v1/models").await.status, 502);
}

#[tokio::test]
async fn embeddings_depend_on_the_text_alone() {
    let simulator = Simulator::start().await.unwrap();
    let ask = |body: Value| {
        let simulator = simulator.clone();
        async move {
            let key = format!("Bearer {KEY}");
            let bytes = request(
                "POST",
                "/api/v1/embeddings",
                &[("authorization", &key)],
                body.to_string().as_bytes(),
            );
            exchange(simulator.addr(), &bytes).await.unwrap()
        }
    };
    let model = "openai/text-embedding-3-small";
    let reply = ask(json!({"model": model, "input": ["abcdefgh", "xy", "abcdefgh"], "dimensions": 8})).await;
    assert!(
        reply
            .text()
            .contains("\"usage\":{\"prompt_tokens\":5,\"total_tokens\":5,\"cost\":0.0000001}"),
        "{}",
        reply.text()
    );
    let data = reply.json()["data"].clone();
    assert_eq!(data[0]["embedding"].as_array().unwrap().len(), 8);
    assert_eq!(data[0]["embedding"], data[2]["embedding"]);
    assert_ne!(data[0]["embedding"], data[1]["embedding"]);
    let base64 = ask(json!({"model": model, "input": "x", "dimensions": 3, "encoding_format": "base64"})).await;
    assert_eq!(base64.json()["data"][0]["embedding"].as_str().unwrap().len(), 16);
    assert_eq!(ask(json!({"model": "sim/503", "input": "x"})).await.status, 503);
    assert_eq!(ask(json!({"model": "no/such", "input": "x"})).await.status, 400);
}

#[tokio::test]
async fn json_is_answered_if_json_is_requested() {
    let simulator = Simulator::start().await.unwrap();
    let mut body = ask("openai/gpt-4o-mini", true);
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object",
        "required": ["city", "degrees"], "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}}}}});
    let said = chat(&simulator, &body).await.said();
    assert_eq!(
        serde_json::from_str::<Value>(&said).unwrap(),
        json!({"city": "Oslo", "degrees": 1})
    );
    body["response_format"] = json!({"type": "json_object"});
    assert!(
        serde_json::from_str::<Value>(&chat(&simulator, &body).await.said())
            .unwrap()
            .is_object()
    );
}

#[tokio::test]
async fn malformed_requests() {
    let simulator = Simulator::start().await.unwrap();
    let key = format!("Bearer {KEY}");
    let post = |body: Vec<u8>| {
        let bytes = request("POST", "/api/v1/chat/completions", &[("authorization", &key)], &body);
        async { exchange(simulator.addr(), &{ bytes }).await.unwrap() }
    };
    assert_eq!(post(b"{\"model\":".to_vec()).await.status, 400);
    assert_eq!(post(b"{\"model\":\"demo/model\"}".to_vec()).await.status, 400);
    assert_eq!(
        post(b"{\"model\":\"demo/model\",\"messages\":[]}".to_vec())
            .await
            .status,
        400
    );
    let large = post(vec![b' '; (20 << 20) + 1]).await;
    assert_eq!(
        (large.status, large.json()["error"]["metadata"]["error_type"].as_str()),
        (413, Some("payload_too_large"))
    );
    assert_eq!(get(&simulator, "/api/v1/nothing").await.status, 404);
}
