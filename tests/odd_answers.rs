//! Good answers as servers write them, through the typed calls: each is read at the first attempt, and no text is lost.

use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::Full;
use tower::service_fn;
use tower_openrouter::response::UsageExt as _;
use tower_openrouter::{
    ApiKey, ApiRequest, AttemptLog, ChatBody, ChatRequest, ChatServiceExt, Completion, Error, Stack,
    response::ChatResponse, stream_upstream::StreamUpstreamMode,
};

/// What comes of a plain call whose answer is this body, or this stream if it begins with `data:`.
async fn complete(body: String) -> Result<Completion, Error> {
    let streamed = body.starts_with("data:");
    let service = service_fn(
        move |_: Request<ApiRequest>| -> BoxFuture<'static, Result<Response<ChatBody>, Error>> {
            let full = Full::from(body.clone());
            let body = if streamed {
                ChatBody::from_event_stream(full)
            } else {
                ChatBody::from_plain(full)
            };
            Box::pin(async move { Ok(Response::new(body)) })
        },
    );
    let stack = Stack::openrouter(ApiKey::new("sk-or-v1-s3cr3t").unwrap())
        .chain(["demo/model"])
        .build_over(service)
        .unwrap();
    let mut request = ChatRequest::user("Hi").into_http();
    request.extensions_mut().insert(if streamed {
        StreamUpstreamMode::On
    } else {
        StreamUpstreamMode::Off
    });
    let answer = stack.complete(request).await?;
    let attempts = answer.attempts.as_ref().map(AttemptLog::sent);
    assert_eq!(attempts, Some(1), "a good answer is not bought twice");
    Ok(answer)
}

fn plain(choice: &str, more: &str) -> String {
    format!(
        r#"{{"id":"gen-1","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,{choice},"finish_reason":"stop"}}]{more}}}"#
    )
}

fn stream(choices: &[&str]) -> String {
    let chunk = |choice: &&str| {
        format!(
            "data: {{\"id\":\"gen-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{choice}]}}\n\n"
        )
    };
    let chunks: String = choices.iter().map(chunk).collect();
    format!(
        "{chunks}data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":15,\"completion_tokens\":9,\"total_tokens\":24,\"cost\":7.6e-06}}}}\n\ndata: [DONE]\n\n"
    )
}

async fn read(body: String) -> ChatResponse {
    let shown = body.chars().take(300).collect::<String>();
    complete(body)
        .await
        .map_err(|error| format!("{error}: {shown}"))
        .unwrap()
        .response
}

#[tokio::test(start_paused = true)]
async fn plain_answers_are_read_with_all_their_text() {
    let deep = format!(",\"deep\":{}{}", "[".repeat(500), "]".repeat(500));
    let usage =
        ",\"usage\":{\"prompt_tokens\":15.0,\"completion_tokens\":\"9\",\"total_tokens\":24.0,\"cost\":\"0.0000076\"}";
    for (choice, more, text) in [
        (
            r#""message":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Hello world"}]}"#,
            "",
            "Hello world",
        ),
        (
            r#""message":{"role":"assistant","content":"Hello world \ud83d"}"#,
            "",
            "Hello world \u{fffd}",
        ),
        (
            r#""message":{"role":"assistant","content":"Hello world"},"logprobs":{"content":[{"token":"a","logprob":-Infinity,"top_logprobs":[]}]}"#,
            "",
            "Hello world",
        ),
        (
            r#""message":{"role":"assistant","content":"Hello world"}"#,
            usage,
            "Hello world",
        ),
        (
            r#""message":{"role":"assistant","content":"Hello world"}"#,
            &deep,
            "Hello world",
        ),
        (
            r#""message":{"role":"assistant","content":"Hello world"}"#,
            ",\"x\":[NaN,1e999]",
            "Hello world",
        ),
        (
            r#""message":{"role":"assistant","content":"Hello world","tool_calls":["odd"],"annotations":[null]}"#,
            "",
            "Hello world",
        ),
        (
            r#""delta":{"role":"assistant","content":"Hello world"}"#,
            "",
            "Hello world",
        ),
        (r#""text":"Hello world""#, "", "Hello world"),
    ] {
        let answer = read(plain(choice, more)).await;
        assert_eq!(answer.text(), Some(text), "{choice}");
        if more == usage {
            let usage = answer.usage.unwrap();
            assert_eq!(
                (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens),
                (Some(15), Some(9), Some(24))
            );
            assert_eq!(
                usage.charged().unwrap().map(|cost| cost.to_string()).as_deref(),
                Some("$0.0000076")
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn streamed_answers_are_put_together_with_all_their_text() {
    const STOP: &str = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
    for (choices, text) in [
        (
            &[
                r#"{"index":0,"delta":{"content":"Hello"}}"#,
                r#"{"index":0,"delta":{"content":" world \ud83d"}}"#,
                r#"{"index":0,"delta":{"content":"\ude00"}}"#,
                STOP,
            ][..],
            "Hello world \u{1f600}",
        ),
        (
            &[
                r#"{"index":0,"finish_reason":null,"message":{"role":"assistant","content":"Hello"},"delta":{"role":"assistant","content":"Hello"}}"#,
                r#"{"index":0,"finish_reason":null,"message":{"role":"assistant","content":"Hello world"},"delta":{"role":"assistant","content":" world"}}"#,
                r#"{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello world"},"delta":{"role":"assistant","content":""}}"#,
            ],
            "Hello world",
        ),
        (
            &[
                r#"{"index":0,"delta":{"content":"Hello"}}"#,
                r#"{"index":0,"delta":{"content":"x","content":" world"}}"#,
                STOP,
            ],
            "Hello world",
        ),
        (
            &[
                r#"{"index":0,"delta":{"content":"Hello"}}"#,
                r#"{"index":0,"delta":{"content":" world"}}"#,
                r#"{"index":0,"message":{"role":"assistant","content":"Hello world"},"finish_reason":"stop"}"#,
            ],
            "Hello world",
        ),
        (
            &[
                r#"{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}"#,
                r#"{"index":0,"delta":{"content":"Hello"},"logprobs":{"content":[{"logprob":-Infinity}]}}"#,
                r#"{"index":0,"delta":{"content":[{"type":"text","text":" world"}]}}"#,
                STOP,
            ],
            "Hello world",
        ),
    ] {
        let answer = read(stream(choices)).await;
        assert_eq!(answer.text(), Some(text), "{choices:?}");
        assert_eq!(answer.usage.and_then(|usage| usage.total_tokens), Some(24));
    }
    let thought = read(stream(&[
        r#"{"index":0,"delta":{"reasoning_text":"I "}}"#,
        r#"{"index":0,"delta":{"reasoning_text":"think"}}"#,
        r#"{"index":0,"delta":{"content":"Hello"}}"#,
        STOP,
    ]))
    .await;
    assert_eq!(thought.choices[0].message.reasoning_text().as_deref(), Some("I think"));
    let called = read(stream(&[
        r#"{"index":0,"delta":{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}}"#,
        r#"{"index":0,"delta":{"function_call":{"arguments":"{\"x\""}}}"#,
        r#"{"index":0,"delta":{"function_call":{"arguments":":1}"}}}"#,
        r#"{"index":0,"delta":{},"finish_reason":"function_call"}"#,
    ]))
    .await;
    let call = called.choices[0].message.function_call.as_ref().unwrap();
    assert_eq!(
        (call.name.as_deref(), call.arguments.as_deref()),
        (Some("f"), Some("{\"x\":1}"))
    );
}
