//! Keys of what is sent: each changes the bytes or the headers of a request, the upstream that gets it, or the connections.

use super::{
    keys::{CandidateRow, Row},
    scene::{Scene, plain, streamed},
};

/// What an answer that is no JSON does not fit.
const SCHEMA: &str =
    r#"{"response_format":{"type":"json_schema","json_schema":{"name":"a","strict":true,"schema":{"type":"object"}}}}"#;

/// A provider that interrupts each answer.
const FAILING: Scene = streamed("GOOD").by_openai("cut@2");

/// A document whose only state is that of the providers.
macro_rules! providers {
    ($settings:literal) => {
        concat!(
            "chain = ['SECOND']\ncircuit_breaker = 'off'\nprovider_health = ",
            $settings
        )
    };
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("upstream[].name", "chain = ['a:MODEL']\nupstream = [{ name = @, base_url = 'BASE', key = 'KEY' }]", ["'a'", "'b'"], plain("GOOD").may_not_build()),
    ("upstream[].base_url", "chain = ['a:MODEL']\nupstream = [{ name = 'a', base_url = @, key = 'KEY' }]", ["'BASE'", "'http://127.0.0.1:1/v1'"], plain("GOOD")),
    ("upstream[].dialect", "chain = ['a:MODEL']\nupstream = [{ name = 'a', base_url = 'BASE', key = 'KEY', dialect = @ }]", ["'openrouter'", "'openai'"], plain("GOOD").with(r#"{"top_k":5}"#)),
    ("upstream[].token_limit_field", "chain = ['a:MODEL']\nupstream = [{ name = 'a', base_url = 'BASE', key = 'KEY', token_limit_field = @ }]", ["'max_tokens'", "'max_completion_tokens'"], plain("GOOD").with(r#"{"max_tokens":50}"#)),
    ("upstream[].apis", "chain = ['a:MODEL']\nupstream = [{ name = 'a', base_url = 'BASE', key = 'KEY', apis = @ }]", ["['chat']", "['responses']"], plain("GOOD")),
    ("upstream[].key", "[[upstream]]\nname = 'openrouter'\nbase_url = 'BASE'\nkey = @", ["", "'KEY'"], plain("GOOD")),
    ("attribution.title", "attribution.title = @", ["'a'", "'b'"], plain("GOOD")),
    ("attribution.url", "attribution.url = @", ["'https://a.example'", "'https://b.example'"], plain("GOOD")),
    ("attribution.categories", "attribution.categories = @", ["'a'", "'b'"], plain("GOOD")),
    ("connections.pool_idle_timeout", "connections.pool_idle_timeout = @", ["'30s'", "'5m'"], streamed("GOOD").calls(2).apart(100).counting_connections()),
    ("connections.pool_max_idle", "connections.pool_max_idle = @", ["0", "128"], streamed("GOOD").calls(3).counting_connections()),
    ("connections.shards", "connections.shards = @", ["1", "3"], streamed("GOOD").calls(9).counting_connections()),
    ("max_event_bytes", "max_event_bytes = @", ["1000", "100000"], streamed("big-event=5000")),
    ("server_side_fallback", "chain = ['MODEL', 'SECOND']\nserver_side_fallback = @", ["false", "true"], plain("GOOD")),
    ("router_metadata", "router_metadata = @", ["false", "true"], plain("GOOD")),
    ("stream_upstream", "stream_upstream = @", ["'on_request'", "'always'"], plain("GOOD")),
    ("conformance.streams", "conformance.streams = @", ["false", "true"], streamed("GOOD").with(SCHEMA)),

    ("provider_health.min_calls", providers!("{ min_calls = @ }"), ["2", "4"], FAILING.calls(6)),
    ("provider_health.error_ratio", providers!("{ min_calls = 2, error_ratio = @ }"), ["0.3", "0.9"], streamed("GOOD").by_openai("2xok,2xcut@2,ok").calls(6)),
    ("provider_health.window_calls", providers!("{ min_calls = 2, error_ratio = 0.9, window_calls = @ }"), ["2", "50"], streamed("GOOD").by_openai("4xok,cut@2").calls(8)),
    ("provider_health.window_time", providers!("{ min_calls = 3, window_time = @ }"), ["'1s'", "'5m'"], FAILING.calls(5).apart(10)),
    ("provider_health.ignore_for", providers!("{ min_calls = 2, ignore_for = @ }"), ["'5s'", "'60s'"], streamed("GOOD").by_openai("2xcut@2,ok").calls(4).apart(10)),
    ("provider_health.ignore_at_most", providers!("{ min_calls = 2, ignore_for = '5s', ignore_at_most = @ }"), ["'5s'", "'10m'"], FAILING.calls(8).apart(6)),
    ("provider_health.slugs", providers!("{ min_calls = 2, slugs = @ }"), ["{ OpenAI = 'a' }", "{ OpenAI = 'b' }"], FAILING.calls(4)),
];

/// Keys of the entries of both lists of candidates: the entry, and further lines of the document.
#[rustfmt::skip]
pub(super) const OF_CANDIDATES: &[CandidateRow] = &[
    ("upstream", "upstream = @, model = 'MODEL'",
        "upstream = [{ name = 'openrouter', base_url = 'BASE', key = 'KEY' }, { name = 'a', base_url = 'BASE', key = 'KEY' }, { name = 'b', base_url = 'http://127.0.0.1:1/v1', key = 'KEY' }]",
        ["'a'", "'b'"], plain("GOOD")),
    ("model", "model = @", "", ["'MODEL'", "'x/y'"], plain("GOOD")),
    ("parameters", "model = 'MODEL', parameters = @", "", ["{ seed = 1 }", "{ seed = 2 }"], plain("GOOD")),
    ("without_parameters", "model = 'MODEL', without_parameters = @", "", ["['seed']", "['top_p']"], plain("GOOD").with(r#"{"seed":1,"top_p":0.5}"#)),
    ("timeouts.first_token", "model = 'MODEL', timeouts.first_token = @", "", ["'1s'", "'9s'"], streamed("hang")),
    ("timeouts.response", "model = 'MODEL', timeouts.response = @", "", ["'1s'", "'9s'"], plain("hang")),
    ("timeouts.idle", "model = 'MODEL', timeouts.idle = @", "", ["'1s'", "'25s'"], streamed("words=9;stall=20s@3")),
];
