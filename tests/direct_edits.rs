//! What the stack itself changes in a request is in the words of the upstream that it goes to.

use crate::support::{
    ask, call,
    raw::{KEY, Raw, chunk, done, events},
};
use tower_openrouter::{
    ApiKey, Candidate, ChatRequest, Stack,
    layers::{WorstCasePrice, budget::Budget, cost::UnknownPrice},
    transport::{Dialect, TokenLimitField, Upstream},
};

/// The body that this upstream is sent for a stream of this request, under a budget that shortens to 400 tokens at most.
async fn sent(raw: &Raw, upstream: Upstream, request: ChatRequest) -> String {
    let price = WorstCasePrice::new().answer_token("0.001".parse().unwrap());
    let candidate = Candidate::new(upstream.name(), "gpt-5-mini").unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new(KEY).unwrap())
        .chain([candidate])
        .budget(Budget::usd("all", "0.4").unwrap())
        .unknown_price(UnknownPrice::Assume(price))
        .build()
        .unwrap();
    let got = call(&stack, true, request).await;
    assert!(got.error.is_none(), "{:?}", got.error);
    let seen = raw.seen().pop().unwrap();
    seen.split_once("\r\n\r\n").unwrap().1.to_owned()
}

async fn raw() -> Raw {
    Raw::always(vec![events(), chunk("Sky", "\"stop\""), done()]).await
}

#[tokio::test(start_paused = true)]
async fn openai_itself_is_limited_in_the_field_that_all_of_its_models_take() {
    for (request, tokens) in [
        (ask(), 400),
        (ask().max_tokens(300), 300),
        (ask().max_tokens(4_000), 400),
        (ask().extra("max_completion_tokens", 300), 300),
        (ask().max_tokens(350).extra("max_completion_tokens", 300), 300),
    ] {
        let raw = raw().await;
        let openai = Upstream::new("openai", raw.url(), Dialect::OpenAi).unwrap();
        let body = sent(&raw, openai, request).await;
        assert!(body.contains(&format!("\"max_completion_tokens\":{tokens}")), "{body}");
        assert!(!body.contains("\"max_tokens\""), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_of_unknown_words_keeps_those_of_the_client_and_gets_the_oldest_otherwise() {
    for (request, there, absent) in [
        (ask(), "\"max_tokens\":400", "max_completion_tokens"),
        (ask().max_tokens(300), "\"max_tokens\":300", "max_completion_tokens"),
        (
            ask().extra("max_completion_tokens", 4_000),
            "\"max_completion_tokens\":400",
            "\"max_tokens\"",
        ),
    ] {
        let raw = raw().await;
        let local = Upstream::new("local", raw.url(), Dialect::OpenAi).unwrap();
        let body = sent(&raw, local, request).await;
        assert!(body.contains(there) && !body.contains(absent), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_is_limited_in_the_field_that_is_set_for_it() {
    for request in [
        ask(),
        ask().max_tokens(4_000),
        ask().extra("max_completion_tokens", 4_000),
    ] {
        let raw = raw().await;
        let local = Upstream::new("local", raw.url(), Dialect::OpenAi).unwrap();
        let body = sent(&raw, local.token_limit_field(TokenLimitField::MaxTokens), request).await;
        assert!(
            body.contains("\"max_tokens\":400") && !body.contains("max_completion_tokens"),
            "{body}"
        );
    }
}
