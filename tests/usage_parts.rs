//! Each part of a usage is paid at its own price, in whatever place an upstream reports it.

use std::sync::Arc;

use crate::support::{
    ask, call,
    ledger::Kept,
    prices::{of, usd},
    raw::{Raw, Step, done, events, json, send},
};
use tower_openrouter::{
    ApiRequest, MessagesRequest, ResponsesRequest, UsdAmount,
    layers::ledger::{Entry, EntryState},
};

/// Micro-dollars for a token: 1 of prompt, 10 of answer, 2 written to the cache for minutes, 4 for an hour. A search costs a cent.
const ROW: &str = r#"{"id":"acme/priced","context_length":100000,"pricing":{"prompt":"0.000001","completion":"0.00001",
    "input_cache_read":"0.0000001","input_cache_write":"0.000002","input_cache_write_1h":"0.000004","web_search":"0.01"}}"#;

fn micro(dollars: u64) -> UsdAmount {
    UsdAmount::from_pico(i128::from(dollars) * 1_000_000)
}

/// The entry of a chat's response with this usage.
async fn chat(usage: &str, streamed: bool) -> Entry {
    let usage = usage.replace('\n', "");
    let whole = format!(
        r#"{{"id":"gen-1","choices":[{{"index":0,"message":{{"role":"assistant","content":"Sky"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
    );
    let chunks = format!(
        "data: {{\"id\":\"gen-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"Sky\"}},\"finish_reason\":\"stop\"}}]}}\n\ndata: {{\"id\":\"gen-1\",\"choices\":[],\"usage\":{usage}}}\n\n"
    );
    let steps = if streamed {
        vec![events(), send(chunks), done()]
    } else {
        vec![json(), send(whole)]
    };
    let raw = Raw::always(steps).await;
    let kept = Kept::new();
    let stack = raw
        .builder()
        .chain(["acme/priced"])
        .prices(Arc::new(of(&[ROW])))
        .ledger(kept.clone())
        .build()
        .unwrap();
    let got = call(&stack, streamed, ask()).await;
    assert!(got.error.is_none(), "{usage}: {:?}", got.error);
    kept.entries().remove(0)
}

/// The entry of a message with this usage.
async fn message(usage: &str) -> Entry {
    message_of(r#"{"type":"text","text":"Sky"}"#, usage).await
}

/// The same of a message of these blocks.
async fn message_of(blocks: &str, usage: &str) -> Entry {
    let whole = format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"acme/priced","content":[{blocks}],"stop_reason":"end_turn","usage":{usage}}}"#
    );
    let request: MessagesRequest =
        r#"{"model":"acme/priced","max_tokens":500,"messages":[{"role":"user","content":"Why?"}]}"#
            .parse()
            .unwrap();
    entry_of(vec![json(), send(whole)], request.into_http()).await
}

/// The entry of a response with these items and this usage: plain, or streamed item by item.
async fn response_of(items: &[&str], usage: &str, streamed: bool) -> Entry {
    let response = format!(
        r#"{{"id":"resp_1","object":"response","status":"completed","model":"acme/priced","output":[{}],"usage":{usage}}}"#,
        items.join(",")
    );
    let steps = if streamed {
        let items = items.iter().enumerate();
        let done = items.map(|(at, item)| {
            format!("data: {{\"type\":\"response.output_item.done\",\"output_index\":{at},\"item\":{item}}}\n\n")
        });
        let end = format!("data: {{\"type\":\"response.completed\",\"response\":{response}}}\n\n");
        vec![events(), send(done.collect::<String>() + &end)]
    } else {
        vec![json(), send(response)]
    };
    let request: ResponsesRequest =
        format!(r#"{{"model":"acme/priced","input":"Why?","max_output_tokens":500,"stream":{streamed}}}"#)
            .parse()
            .unwrap();
    entry_of(steps, request.into_http()).await
}

/// The only entry of a call that is answered so.
async fn entry_of(steps: Vec<Step>, request: http::Request<ApiRequest>) -> Entry {
    let raw = Raw::always(steps).await;
    let kept = Kept::new();
    let stack = raw
        .builder()
        .chain(["acme/priced"])
        .prices(Arc::new(of(&[ROW])))
        .ledger(kept.clone())
        .build()
        .unwrap();
    let response = tower::ServiceExt::oneshot(stack, request).await.unwrap();
    let mut answer = tower_openrouter::Answer::new(response);
    while answer.next_frame().await.is_some() {}
    drop(answer);
    kept.entries().remove(0)
}

#[tokio::test(start_paused = true)]
async fn reasoning_beside_the_answer_is_paid() {
    for (usage, answer) in [
        (
            r#"{"prompt_tokens":10120,"completion_tokens":1499,"total_tokens":14428,"completion_tokens_details":{"reasoning_tokens":2809}}"#,
            4_308,
        ),
        (
            r#"{"prompt_tokens":20,"completion_tokens":424,"total_tokens":1016}"#,
            996,
        ),
        (r#"{"prompt_tokens":20,"completion_tokens":0,"total_tokens":60}"#, 40),
        (
            r#"{"prompt_tokens":279,"completion_tokens":6,"total_tokens":374,"completion_tokens_details":{"reasoning_tokens":89}}"#,
            95,
        ),
        (
            r#"{"promptTokenCount":20,"candidatesTokenCount":424,"totalTokenCount":1016}"#,
            996,
        ),
        // A total of the cached tokens as well is no answer.
        (
            r#"{"inputTokens":20,"outputTokens":30,"totalTokens":1050,"cacheReadInputTokens":1000}"#,
            30,
        ),
        // A total that is smaller, or the sum, changes nothing.
        (r#"{"prompt_tokens":20,"completion_tokens":30,"total_tokens":40}"#, 30),
        (r#"{"prompt_tokens":20,"completion_tokens":30,"total_tokens":50}"#, 30),
    ] {
        for streamed in [false, true] {
            let entry = chat(usage, streamed).await;
            assert_eq!(
                (entry.usage.answer, entry.state),
                (answer, EntryState::Settled),
                "{usage}"
            );
        }
    }
    let entry = chat(
        r#"{"prompt_tokens":20,"completion_tokens":424,"total_tokens":1016}"#,
        false,
    )
    .await;
    assert_eq!(entry.estimate, Some(micro(20 + 9_960)));
}

/// Gemini counts what its tools found in the total alone.
#[tokio::test(start_paused = true)]
async fn what_tools_added_to_the_prompt_is_paid_as_prompt() {
    for (usage, prompt, answer) in [
        (
            r#"{"prompt_tokens":151,"completion_tokens":1089,"total_tokens":20689,"completion_tokens_details":{"reasoning_tokens":1120}}"#,
            18_480,
            2_209,
        ),
        (
            r#"{"promptTokenCount":151,"candidatesTokenCount":1089,"thoughtsTokenCount":1120,"toolUsePromptTokenCount":18329,"totalTokenCount":20689}"#,
            18_480,
            2_209,
        ),
        (
            r#"{"promptTokenCount":20,"candidatesTokenCount":30,"toolUsePromptTokenCount":100,"totalTokenCount":150}"#,
            120,
            30,
        ),
    ] {
        for streamed in [false, true] {
            let entry = chat(usage, streamed).await;
            assert_eq!((entry.usage.prompt, entry.usage.answer), (prompt, answer), "{usage}");
            assert_eq!(entry.estimate, Some(micro(prompt + answer * 10)), "{usage}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pictures_in_the_prompt_are_read_under_both_names() {
    for usage in [
        r#"{"prompt_tokens":120,"completion_tokens":10,"prompt_tokens_details":{"image_tokens":85}}"#,
        r#"{"input_tokens":120,"output_tokens":10,"input_tokens_details":{"image_tokens":85}}"#,
    ] {
        assert_eq!(chat(usage, false).await.usage.images, 85, "{usage}");
    }
}

/// What a stream of messages says of the prompt at its start is final.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_interrupted_is_paid_by_what_its_start_counted() {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"acme/priced","content":[],"usage":{"input_tokens":10,"cache_creation_input_tokens":1000,"output_tokens":1}}}"#;
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"The sky is blue."}}"#;
    let stream: String = [start, block, delta].map(|event| format!("data: {event}\n\n")).concat();
    let raw = Raw::always(vec![events(), send(stream)]).await;
    let kept = Kept::new();
    let stack = raw
        .builder()
        .chain(["acme/priced"])
        .prices(Arc::new(of(&[ROW])))
        .ledger(kept.clone())
        .build()
        .unwrap();
    let request: MessagesRequest =
        r#"{"model":"acme/priced","max_tokens":500,"stream":true,"messages":[{"role":"user","content":"Why?"}]}"#
            .parse()
            .unwrap();
    let response = tower::ServiceExt::oneshot(stack, request.into_http()).await.unwrap();
    let mut answer = tower_openrouter::Answer::new(response);
    while answer.next_frame().await.is_some_and(|frame| frame.is_ok()) {}
    drop(answer);
    let entry = kept.entries().remove(0);
    assert_eq!((entry.state, entry.usage.prompt), (EntryState::Estimated, 1_010));
    assert_eq!((entry.usage.cache_written, entry.usage.answer), (1_000, 3));
    assert_eq!(entry.estimate, Some(micro(10 + 1_000 * 2 + 30)));
}

/// What the upstream's own tools found is shown, and is none of the model's tokens.
#[tokio::test(start_paused = true)]
async fn results_of_the_upstreams_tools_are_no_tokens_of_the_answer() {
    let found = "the sky is blue because of scattering ".repeat(2_000);
    let usage = r#"{"input_tokens":105,"cache_read_input_tokens":100,"output_tokens":20}"#;
    let block = format!(
        r#"{{"type":"web_search_tool_result","tool_use_id":"s","content":[{{"type":"web_search_result","text":"{found}"}}]}}"#
    );
    let entry = message_of(&format!(r#"{block},{{"type":"text","text":"Sky"}}"#), usage).await;
    assert_eq!(entry.state, EntryState::Settled);
    assert_eq!((entry.usage.answer, entry.usage.cached), (20, 100));
}

/// Another model writes the summary of OpenAI's thoughts: it is in no count.
#[tokio::test(start_paused = true)]
async fn the_summary_of_a_thought_is_no_token_of_the_answer() {
    let summary = "**Calculating** I need to compute the travel time. ".repeat(20);
    let usage = r#"{"input_tokens":42,"output_tokens":41,"output_tokens_details":{"reasoning_tokens":32}}"#;
    let thought = format!(
        r#"{{"type":"reasoning","id":"rs_1","encrypted_content":"gAAAAA","summary":[{{"type":"summary_text","text":"{summary}"}}]}}"#
    );
    let text =
        r#"{"type":"message","id":"msg_1","role":"assistant","content":[{"type":"output_text","text":"12:00"}]}"#;
    for streamed in [false, true] {
        let entry = response_of(&[&thought, text], usage, streamed).await;
        assert_eq!(entry.state, EntryState::Settled, "{streamed}");
        assert_eq!((entry.usage.prompt, entry.usage.answer), (42, 41), "{streamed}");
        assert_eq!(entry.usage.reasoning, 32, "{streamed}");
        // The thought itself is: no count is less than what was shown.
        let shown = thought
            .replace("summary_text", "reasoning_text")
            .replace("summary", "content");
        let entry = response_of(&[&shown, text], usage, streamed).await;
        assert_eq!(entry.state, EntryState::Estimated, "{streamed}");
        assert!(entry.usage.answer > 150, "{streamed}: {:?}", entry.usage);
    }
}

#[tokio::test(start_paused = true)]
async fn rounds_of_other_models_are_not_paid_at_the_price_of_the_answer() {
    for iterations in [
        r#"{"type":"message","model":"claude-fable-5","input_tokens":408,"output_tokens":0},
            {"type":"fallback_message","model":"claude-opus-4-8","input_tokens":412,"output_tokens":264}"#,
        r#"{"type":"message","input_tokens":412,"output_tokens":264},
            {"type":"advisor_message","model":"claude-opus-4-8","input_tokens":5000,"output_tokens":900}"#,
    ] {
        let usage = format!(r#"{{"input_tokens":412,"output_tokens":264,"iterations":[{iterations}]}}"#);
        let entry = message(&usage.replace('\n', "")).await;
        assert_eq!((entry.usage.prompt, entry.usage.answer), (412, 264), "{iterations}");
        assert_eq!(entry.estimate, Some(micro(412 + 2_640)), "{iterations}");
    }
}

#[tokio::test(start_paused = true)]
async fn sound_beside_the_prompt_is_paid_as_prompt() {
    // Mistral's Voxtral, seen in both forms.
    let usage = r#"{"prompt_audio_seconds":5,"prompt_tokens":11,"completion_tokens":15,"total_tokens":401,
        "prompt_tokens_details":{"audio_tokens":375,"cached_tokens":0}}"#;
    for streamed in [false, true] {
        let entry = chat(usage, streamed).await;
        assert_eq!((entry.usage.prompt, entry.usage.audio), (386, 375));
        assert_eq!((entry.usage.answer, entry.usage.reasoning), (15, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn fractions_of_tokens_are_counts() {
    for (usage, prompt, answer) in [
        // BerriAI/litellm issue 28024.
        (
            r#"{"prompt_tokens":15,"completion_tokens":14417.92,"total_tokens":14432.92}"#,
            15,
            14_418,
        ),
        (
            r#"{"prompt_tokens":12.25,"completion_tokens":37,"total_tokens":49.25}"#,
            13,
            37,
        ),
    ] {
        for streamed in [false, true] {
            let entry = chat(usage, streamed).await;
            assert_eq!(entry.state, EntryState::Settled, "{usage}");
            assert_eq!((entry.usage.prompt, entry.usage.answer), (prompt, answer), "{usage}");
            assert_eq!(entry.estimate, Some(micro(prompt + answer * 10)), "{usage}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_to_the_cache_for_an_hour_is_paid_as_one() {
    let usage = r#"{"input_tokens":100,"cache_creation_input_tokens":3000,"cache_read_input_tokens":0,"output_tokens":10,
        "cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":2000}}"#;
    let entry = message(usage).await;
    assert_eq!((entry.usage.prompt, entry.usage.cache_written), (3_100, 3_000));
    assert_eq!(entry.estimate, Some(micro(100 + 1_000 * 2 + 2_000 * 4 + 100)));
    // More for an hour than was written in all is no more than that.
    let broken = r#"{"input_tokens":100,"cache_creation_input_tokens":1000,"output_tokens":10,
        "cache_creation":{"ephemeral_1h_input_tokens":5000}}"#;
    assert_eq!(message(broken).await.estimate, Some(micro(100 + 1_000 * 4 + 100)));
    // The parts alone make the whole.
    let parts = r#"{"input_tokens":100,"output_tokens":10,
        "cache_creation":{"ephemeral_5m_input_tokens":1000,"ephemeral_1h_input_tokens":2000}}"#;
    let entry = message(parts).await;
    assert_eq!((entry.usage.prompt, entry.usage.cache_written), (3_100, 3_000));
}

#[tokio::test(start_paused = true)]
async fn a_write_to_the_cache_inside_the_details_of_the_prompt_is_paid_as_one() {
    let usage = r#"{"prompt_tokens":1605,"completion_tokens":10,"total_tokens":1615,
        "prompt_tokens_details":{"cached_tokens":0,"cache_creation_input_tokens":1605,"cache_type":"ephemeral"}}"#;
    for streamed in [false, true] {
        let entry = chat(usage, streamed).await;
        assert_eq!(entry.usage.cache_written, 1_605);
        assert_eq!(entry.estimate, Some(micro(1_605 * 2 + 100)));
    }
}

#[tokio::test(start_paused = true)]
async fn searches_are_paid_in_anthropics_spelling() {
    let usage = r#"{"input_tokens":105,"output_tokens":6039,"server_tool_use":{"web_search_requests":1}}"#;
    let paid = usd("0.01").saturating_add(micro(105 + 60_390));
    assert_eq!(message(usage).await.estimate, Some(paid));
    let usage = r#"{"prompt_tokens":105,"completion_tokens":6039,"server_tool_use":{"web_search_requests":1}}"#;
    assert_eq!(chat(usage, false).await.estimate, Some(paid));
}
