//! Faults above the readers of events: assembling, limits, failures that no layer below has seen, and what a failure brings beside its error.

use std::{
    future::ready,
    sync::{Arc, Mutex},
};

use http::{Request, Response};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};
use tower_openrouter::{
    Answer, Api, ApiKey, ApiRequest, ChatBody, ChatFrame, ChatServiceExt, Error, Stack, layers::LlmRequest,
    stream_upstream::StreamUpstreamLayer,
};

use super::super::{
    FALLBACK, assert_bad, assert_good, gather, recorded::*, reported::call as through_endpoint, stack, text_of,
    upstream,
};
use super::{HELLO, request, typed_events};
use crate::support::{
    FIRST, SECOND, ask,
    ledger::Kept,
    raw::{Raw, events, send},
};

/// What a plain call that is streamed upstream, and a stream that is collected, put together of these deltas.
async fn put_together(deltas: &[&str]) -> [Value; 2] {
    let pieces: String = deltas.iter().map(|delta| part(delta, "null")).collect();
    let raw = upstream(&stream("pieces", pieces + &part("{}", "\"tool_calls\"") + DONE)).await;
    let alone = stack(&raw).chain([FIRST]).build().unwrap();
    let document = gather(&alone).await.unwrap();
    let collected = alone.stream(ask()).await.unwrap().into_completion().await.unwrap();
    [
        serde_json::from_slice(&document).unwrap(),
        serde_json::to_value(collected.response).unwrap(),
    ]
}

/// The source, the chunks, and the calls that they make.
type Assembled<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);

#[tokio::test(start_paused = true)]
async fn assembling_neither_overwrites_nor_doubles() {
    let rows: [Assembled<'_>; 4] = [
        (
            "su-kaka/gcli2api pull 406: each call in a chunk of its own, all at place 0",
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"get","arguments":"{\"city\":1}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"b","type":"function","function":{"name":"get","arguments":"{\"city\":2}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"get","arguments":"{\"city\":3}"}}]}"#,
            ],
            &[
                ("get", "{\"city\":1}"),
                ("get", "{\"city\":2}"),
                ("get", "{\"city\":3}"),
            ],
        ),
        (
            "jin-bo/agentao pull 117: no places",
            &[
                r#"{"tool_calls":[{"id":"a","function":{"name":"get_weather","arguments":""}}]}"#,
                r#"{"tool_calls":[{"function":{"arguments":"{\"city\":"}}]}"#,
                r#"{"tool_calls":[{"function":{"arguments":"1}"}}]}"#,
                r#"{"tool_calls":[{"id":"b","function":{"name":"get_time","arguments":"{\"tz\""}}]}"#,
                r#"{"tool_calls":[{"function":{"arguments":":2}"}}]}"#,
            ],
            &[("get_weather", "{\"city\":1}"), ("get_time", "{\"tz\":2}")],
        ),
        (
            "QwenLM/Qwen-Agent pull 943: two calls by turns, later pieces without a name and an id",
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"get","arguments":"{\"x\""}}]}"#,
                r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"set","arguments":"{\"y\""}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":null,"function":{"name":null,"arguments":":1}"}}]}"#,
                r#"{"tool_calls":[{"index":1,"id":null,"function":{"name":null,"arguments":":2}"}}]}"#,
            ],
            &[("get", "{\"x\":1}"), ("set", "{\"y\":2}")],
        ),
        (
            "oracle/langchain-oracle issue 253: each call has a head and pieces, all at place 0",
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"market","arguments":""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"idea\""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"signal","arguments":""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"idea\":2}"}}]}"#,
            ],
            &[("market", "{\"idea\":1}"), ("signal", "{\"idea\":2}")],
        ),
    ];
    for (what, deltas, expected) in rows {
        for document in put_together(deltas).await {
            let calls = document["choices"][0]["message"]["tool_calls"].as_array().unwrap();
            let functions = calls.iter().map(|call| &call["function"]);
            let found: Vec<(&str, &str)> = functions
                .map(|function| {
                    let (name, arguments) = (&function["name"], &function["arguments"]);
                    (name.as_str().unwrap(), arguments.as_str().unwrap())
                })
                .collect();
            assert_eq!(found, expected, "{what}: {document}");
        }
    }
    // agno-agi/agno pull 5802: one thought in pieces, and its signature without a text.
    let thought = [
        r#"{"reasoning_details":[{"type":"reasoning.text","text":"Let","format":"anthropic-claude-v1","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","text":" me.","format":"anthropic-claude-v1","index":0}]}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","signature":"Et8B","format":"anthropic-claude-v1","index":0}]}"#,
        r#"{"content":"So"}"#,
    ];
    let whole = json!([{"type": "reasoning.text", "text": "Let me.", "signature": "Et8B", "format": "anthropic-claude-v1", "index": 0}]);
    for document in put_together(&thought).await {
        assert_eq!(document["choices"][0]["message"]["reasoning_details"], whole);
    }
}

/// Seventy seconds of chunks before the text, more than the first token may take: each must count as a sign of the answer.
#[tokio::test(start_paused = true)]
async fn no_number_of_chunks_before_the_text_is_too_large() {
    let argument = |text: &str| {
        part(
            &format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{text}"}}}}]}}"#),
            "null",
        )
    };
    let head =
        r#"{"tool_calls":[{"index":0,"id":"c0","type":"function","function":{"name":"f","arguments":"{\"a\":\""}}]}"#;
    for (what, first, each, last, has) in [
        // atomantic/PortOS pull 7559: NVIDIA NIM, a role beside each piece.
        (
            "renamed reasoning",
            String::new(),
            part(
                r#"{"role":"assistant","content":null,"reasoning_content":"hm "}"#,
                "null",
            ),
            String::new(),
            "reasoning_content",
        ),
        // agentjido/req_llm pull 300: Gemini over OpenRouter.
        (
            "encrypted reasoning",
            String::new(),
            part(
                r#"{"content":"","reasoning_details":[{"type":"reasoning.encrypted","data":"Q2lR","format":"google-gemini-v1","index":0}]}"#,
                "null",
            ),
            String::new(),
            "reasoning.encrypted",
        ),
        // mezmo/aura issue 62: arguments that hold all of the answer.
        (
            "arguments",
            part(head, "null"),
            argument("x"),
            argument("\\\"}"),
            "arguments",
        ),
    ] {
        let pieces = std::iter::repeat_n((250, each), 280);
        let ends = [(0, last + &hello() + DONE)];
        let case = paused(what, [(0, first)].into_iter().chain(pieces).chain(ends));
        assert_good(&case, HELLO, has).await;
    }
    // SamSaffron/term-llm pull 347, googleapis/python-genai issue 2248: one event of more than a megabyte.
    let long = part(head, "null") + &argument(&"x".repeat(1_200_000)) + &argument("\\\"}");
    let case = stream("a long event", long + &hello() + DONE);
    assert_good(&case, HELLO, "\"cost\"").await;
}

/// The frames of a stream of this API, as far as it is one.
async fn frames(api: Api, body: String) -> Vec<ChatFrame> {
    let mut answer = Answer::new(Response::new(ChatBody::from_event_stream_of(api, body)));
    let mut frames = Vec::new();
    while let Some(Ok(frame)) = answer.next_frame().await {
        frames.push(frame);
    }
    frames
}

/// A text of chat and then the beginning of another API's answer are good frames each, and no answer together: only assembling finds that.
async fn assert_moves_on(api: Api, start: Value, good: String) {
    let other = if api == Api::Chat { Api::Responses } else { api };
    let mut broken = frames(Api::Chat, say("Hello") + &stop() + DONE).await;
    broken.extend(frames(other, typed_events(&[start])).await);
    let good = frames(api, good).await;
    assert!(broken.len() > 2 && good.len() > 2, "{api}");
    let called = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&called);
    let service = service_fn(move |request: Request<ApiRequest>| {
        let model = request.body().model().unwrap_or_default().to_owned();
        let frames = if model == FIRST { broken.clone() } else { good.clone() };
        log.lock().unwrap().push(model);
        let body = ChatBody::from_frames(frames.into_iter().map(Ok));
        ready(Ok::<_, Error>(Response::new(body)))
    });
    let stack = Stack::openrouter(ApiKey::new("sk-or-v1-0").unwrap())
        .chain([FIRST, SECOND])
        .stream_upstream(StreamUpstreamLayer::new())
        .build_over(service)
        .unwrap();
    let response = stack.oneshot(request(api, false)).await;
    let mut answer = Answer::new(response.unwrap_or_else(|error| panic!("{api}: {error:?}")));
    let frame = answer.next_frame().await.unwrap().unwrap();
    assert_eq!(frame.text().as_deref(), Some(HELLO), "{api}");
    assert_eq!(*called.lock().unwrap(), [FIRST, SECOND], "{api}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_found_above_the_chain_marks_the_candidate() {
    let created = || json!({"type": "response.created", "response": {"id": "r", "object": "response", "status": "in_progress", "output": []}});
    let started = || json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}});
    let responses = [
        created(),
        json!({"type": "response.output_text.delta", "output_index": 0, "delta": HELLO}),
        json!({"type": "response.completed", "response": {"id": "r", "object": "response", "status": "completed", "output": [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": HELLO}]}]}}),
    ];
    let messages = [
        started(),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": HELLO}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}),
        json!({"type": "message_stop"}),
    ];
    assert_moves_on(Api::Chat, created(), hello() + DONE).await;
    assert_moves_on(Api::Responses, created(), typed_events(&responses)).await;
    assert_moves_on(Api::Messages, started(), typed_events(&messages)).await;
    for case in [
        // BerriAI/litellm issue 40404: text, then silence and the close.
        paused("a silence behind text", [(0, say("Hello")), (30_000, String::new())]),
        // mnfst/llm-gateway issue 2709: a success without content.
        plain(
            "no content",
            answer(r#"{"role":"assistant","content":""}"#, "").replace(USAGE, "{}"),
        ),
        // decolua/9router issue 3242: a failure of the engine under status 200.
        with_type(
            "the engine's failure",
            true,
            "text/plain",
            "engine stream outcome=exhausted reason=invalid: model call unauthorized",
        ),
    ] {
        let what = case.what;
        let raw = upstream(&case).await;
        let document = gather(&stack(&raw).chain([FIRST, SECOND]).build().unwrap()).await;
        let document = document.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(text_of(&document), FALLBACK, "{what}");
        let seen = raw.seen();
        let calls = [FIRST, SECOND].map(|model| {
            seen.iter()
                .filter(|request| request.contains(&format!("\"{model}\"")))
                .count()
        });
        assert_eq!(calls, [1, 1], "{what}");
    }
}

/// The tokens of the prompt and of the answer, and the bill, of a call that fails.
async fn charged(api: Api, body: String) -> (u64, u64, Option<String>) {
    let raw = Raw::always(vec![events(), send(body)]).await;
    let kept = Kept::new();
    let stack = stack(&raw).chain([FIRST]).ledger(kept.clone()).build().unwrap();
    if let Ok(response) = stack.oneshot(request(api, true)).await {
        let mut answer = Answer::new(response);
        while let Some(Ok(_)) = answer.next_frame().await {}
    }
    let entries = kept.entries();
    assert_eq!(entries.len(), 1, "{api}");
    let entry = &entries[0];
    (
        entry.usage.prompt,
        entry.usage.answer,
        entry.bill.map(|bill| bill.to_string()),
    )
}

#[tokio::test(start_paused = true)]
async fn a_failed_document_is_read_for_more_than_its_error() {
    let refused = |raw: &str, provider: &str| {
        json!({"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": raw, "provider_name": provider, "is_byok": false}},
            "user_id": "org_x"})
        .to_string()
    };
    // diegosouzapw/OmniRoute issue 3044: the provider's own document, as a text.
    let raw = r#"{"error":{"type":"invalid_request_error","code":"invalid_request_error","message":"Model 'x' supports at most 1 image per prompt.","request_id":"r"}}"#;
    let case = status("a document in a text", "400 Bad Request", refused(raw, "Crucible"));
    assert_bad(&case, "", "at most 1 image per prompt").await;
    // decocms/studio pull 6827: the provider's own event, as a text.
    let raw = r#"data: {"error":{"code":"invalid_parameter_error","message":"'messages' must contain the word 'json' in some form"}}"#;
    let case = status("an event in a text", "400 Bad Request", refused(raw, "Alibaba"));
    assert_bad(&case, "", "must contain the word").await;
    for (what, json, words) in [
        // zendev-sh/goai pull 110: LM Studio says it twice.
        (
            "an error and its message",
            r#"{"error":{"message":"Compute error."},"message":"Compute error."}"#,
            "Compute error.",
        ),
        // use-agent-os/agent-os issue 2214: beside a model and choices.
        (
            "an error beside choices",
            r#"{"model":"gpt-4o","error":{"message":"the server had an error processing your request"},"choices":[]}"#,
            "the server had an error",
        ),
    ] {
        let case = stream(what, say("Hello") + &event(json) + DONE);
        assert_bad(&case, "Hello", words).await;
    }
    // diegosouzapw/OmniRoute pull 8210: NVIDIA's limit in the first chunk; here with what the attempt cost.
    let limit = event(
        r#"{"id":"g","object":"chat.completion.chunk","choices":[],"error":{"message":"Worker local total request limit reached (33/32)","code":502},"usage":{"prompt_tokens":1500,"completion_tokens":900,"cost":0.5}}"#,
    );
    assert_bad(&stream("a limit with usage", limit.clone()), "", "(33/32)").await;
    assert_eq!(charged(Api::Chat, limit).await, (1500, 900, Some("$0.50".to_owned())));
    // envoyproxy/ai-gateway pull 2184: what a failed response took.
    let failed = typed_events(&[
        json!({"type": "response.created", "response": {"id": "r", "object": "response", "status": "in_progress", "output": []}}),
        json!({"type": "response.failed", "response": {"id": "r", "object": "response", "status": "failed", "output": [],
            "error": {"code": "server_error", "message": "x"}, "usage": {"input_tokens": 1500, "output_tokens": 900, "cost": 0.5}}}),
    ]);
    assert_eq!(
        charged(Api::Responses, failed).await,
        (1500, 900, Some("$0.50".to_owned()))
    );
    // Wei-Shaw/sub2api issue 1471: an error in the same event as half of another one.
    let half = typed_events(&[json!({"type": "response.output_text.delta", "output_index": 0, "delta": "Hello"})])
        + "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"outp\n"
        + "data: {\"type\":\"error\",\"sequence_number\":0,\"error\":{\"type\":\"upstream_error\",\"message\":\"stream_read_error\"}}\n\n";
    let (_, text, requests) = through_endpoint(Api::Responses, true, vec![events(), send(half)]).await;
    assert!(text.contains("Hello") && text.contains("stream_read_error"), "{text}");
    assert!(!text.contains("response.completed") && requests == 1, "{text}");
}
