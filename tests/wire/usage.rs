//! What answers and failures cost, as upstreams write it.

use tower_openrouter::{ChatServiceExt, stream_upstream::StreamUpstreamMode};

use super::{Case, recorded::*, stack, upstream};
use crate::support::{FIRST, ask, call, ledger::Kept, raw::send};

/// The bill, and the tokens of the prompt and of the answer, of the only attempt.
async fn recorded(case: &Case) -> (Option<String>, u64, u64) {
    let raw = upstream(case).await;
    let kept = Kept::new();
    let stack = stack(&raw).chain([FIRST]).ledger(kept.clone()).build().unwrap();
    drop(call(&stack, case.streamed, ask()).await);
    let entries = kept.entries();
    assert_eq!(entries.len(), 1, "{}", case.what);
    let entry = &entries[0];
    (
        entry.bill.map(|bill| bill.to_string()),
        entry.usage.prompt,
        entry.usage.answer,
    )
}

fn with_usage(usage: &str) -> Vec<Case> {
    let last = format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\n");
    vec![
        plain("in a plain answer", good_answer("").replace(USAGE, usage)),
        stream("behind the finish", say("Hello") + &stop() + &last + DONE),
        stream(
            "with the finish",
            say("Hello") + &stop().replace("}\n\n", &format!(",\"usage\":{usage}}}\n\n")) + DONE,
        ),
        stream("behind the end", say("Hello") + &stop() + DONE + &last),
    ]
}

#[tokio::test(start_paused = true)]
async fn usage_is_read_under_its_many_names() {
    for (usage, bill, prompt, answer) in [
        (USAGE, Some("$0.0000076"), 15, 9),
        (r#"{"input_tokens":15,"output_tokens":9}"#, None, 15, 9),
        (r#"{"inputTokens":15,"outputTokens":9,"totalTokens":24}"#, None, 15, 9),
        (
            r#"{"prompt_tokens":15,"completion_tokens":9,"cost_in_usd_ticks":76000}"#,
            Some("$0.0000076"),
            15,
            9,
        ),
        (
            r#"{"prompt_tokens":15,"completion_tokens":9,"estimated_cost":0.0000076}"#,
            Some("$0.0000076"),
            15,
            9,
        ),
        (
            r#"{"prompt_tokens":15,"completion_tokens":9,"cost":{"input_tokens_cost":0.1,"total_cost":0.0000076}}"#,
            None,
            15,
            9,
        ),
        (r#"{"prompt_tokens":15,"total_tokens":24}"#, None, 15, 9),
    ] {
        for case in with_usage(usage) {
            let (told, in_prompt, in_answer) = recorded(&case).await;
            assert_eq!((in_prompt, in_answer), (prompt, answer), "{} {usage}", case.what);
            if bill.is_some() {
                assert_eq!(told.as_deref(), bill, "{} {usage}", case.what);
            }
        }
    }
    for case in [
        stream(
            "in x_groq",
            say("Hello")
                + &stop().replace(
                    "}\n\n",
                    ",\"x_groq\":{\"id\":\"r\",\"usage\":{\"prompt_tokens\":15,\"completion_tokens\":9}}}\n\n",
                )
                + DONE,
        ),
        stream(
            "in the choice",
            say("Hello")
                + &part(
                    "{}",
                    "\"stop\",\"usage\":{\"prompt_tokens\":15,\"completion_tokens\":9}",
                )
                + DONE,
        ),
    ] {
        let (_, prompt, answer) = recorded(&case).await;
        assert_eq!((prompt, answer), (15, 9), "{}", case.what);
    }
}

/// Of running usage the last counts, and it is never added.
#[tokio::test(start_paused = true)]
async fn the_last_usage_counts() {
    let running = |text: String, tokens: u32| {
        text.replace(
            "}\n\n",
            &format!(",\"usage\":{{\"prompt_tokens\":15,\"completion_tokens\":{tokens}}}}}\n\n"),
        )
    };
    let text = running(say("Hello"), 1) + &running(say(" world"), 2) + &running(stop(), 9) + DONE;
    assert_eq!(recorded(&stream("running usage", text)).await, (None, 15, 9));
}

/// An answer that failed has its cost all the same.
#[tokio::test(start_paused = true)]
async fn a_failure_is_billed_as_it_says() {
    let usage = r#","usage":{"prompt_tokens":1500,"completion_tokens":900,"total_tokens":2400,"cost":0.5}}"#;
    let failed = r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"Provider disconnected"}"#;
    let choice = r#"{"choices":[{"message":{"content":"Hello wor"},"finish_reason":"error","error":{"code":502,"message":"Provider disconnected"}}]"#;
    for case in [
        stream(
            "in an error event",
            say("Hello") + &event(&format!("{failed}{usage}")) + DONE,
        ),
        stream("in a first error event", event(&format!("{failed}{usage}"))),
        plain("in a failed choice", format!("{choice}{usage}")),
        plain(
            "beside an error",
            format!(
                "{}{usage}",
                r#"{"error":{"code":502,"message":"Provider disconnected"}"#
            ),
        ),
        plain("in an empty answer", format!("{}{usage}", r#"{"choices":[]"#)),
    ] {
        let (bill, ..) = recorded(&case).await;
        assert_eq!(bill.as_deref(), Some("$0.50"), "{}", case.what);
    }
}

/// Usage that comes in several chunks: each figure is the one that was reported last.
#[tokio::test(start_paused = true)]
async fn usage_over_several_chunks_is_put_together() {
    let usage = |json: &str| format!("data: {{\"choices\":[],\"usage\":{json}}}\n\n");
    for (what, chunks) in [
        (
            "a part in each",
            [
                r#"{"prompt_tokens":15}"#,
                r#"{"completion_tokens":9}"#,
                r#"{"cost":0.0000076}"#,
            ],
        ),
        (
            "figures that rise",
            [
                r#"{"prompt_tokens":15,"completion_tokens":1}"#,
                r#"{"completion_tokens":9,"cost":0.0000076}"#,
                r#"{"prompt_tokens":null,"completion_tokens":9}"#,
            ],
        ),
        (
            "the cost first",
            [
                r#"{"cost":0.0000076}"#,
                r#"{"prompt_tokens":15,"completion_tokens":2}"#,
                r#"{"completion_tokens":9}"#,
            ],
        ),
    ] {
        let [first, second, third] = chunks.map(usage);
        for body in [
            [&say("Hello"), &stop(), &first, &second, &third, DONE].concat(),
            [&first, &say("Hello"), &second, &stop(), &third, DONE].concat(),
        ] {
            let told = recorded(&stream(what, body.clone())).await;
            assert_eq!(told, (Some("$0.0000076".to_owned()), 15, 9), "{what}: {body}");
        }
    }
}

/// The same of what a caller reads, streamed and put together.
#[tokio::test(start_paused = true)]
async fn usage_over_several_chunks_is_one_for_the_caller() {
    let usage = |json: &str| format!("data: {{\"choices\":[],\"usage\":{json}}}\n\n");
    let body = [
        &say("Hello"),
        &stop(),
        &usage(r#"{"prompt_tokens":15}"#),
        &usage(r#"{"completion_tokens":9}"#),
        &usage(r#"{"cost":0.0000076}"#),
        DONE,
    ]
    .concat();
    let raw = upstream(&stream("in parts", body)).await;
    let stack = stack(&raw).chain([FIRST]).build().unwrap();
    let mut answer = stack.stream(ask()).await.unwrap();
    while let Some(frame) = answer.next_frame().await {
        frame.unwrap();
    }
    let streamed = answer.usage().unwrap();
    let mut request = ask().into_http();
    request.extensions_mut().insert(StreamUpstreamMode::On);
    let whole = stack.complete(request).await.unwrap().response.usage.unwrap();
    for usage in [streamed, whole] {
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (Some(15), Some(9)));
        assert_eq!(usage.cost.unwrap().to_string(), "0.0000076");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cost_in_a_header_is_the_bill_of_a_plain_answer() {
    let tokens = r#"{"prompt_tokens":15,"completion_tokens":9}"#;
    let own = r#"{"prompt_tokens":15,"completion_tokens":9,"cost":0.5}"#;
    for (usage, header, bill) in [
        (tokens, "0.0000076", Some("$0.0000076")),
        (tokens, "7.6e-06", Some("$0.0000076")),
        (own, "0.0000076", Some("$0.50")),
        (tokens, "None", None),
        (tokens, "-1", None),
        (tokens, "1}", None),
    ] {
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-litellm-response-cost: {header}\r\n\r\n");
        let case = Case {
            what: "a header",
            streamed: false,
            steps: vec![send(head), send(good_answer("").replace(USAGE, usage))],
        };
        let (told, prompt, answer) = recorded(&case).await;
        assert_eq!((told.as_deref(), prompt, answer), (bill, 15, 9), "{header}: {usage}");
    }
}
