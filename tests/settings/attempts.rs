//! Keys of attempts: each changes which models are called, how often, and what is given in the end.

use super::{
    keys::Row,
    scene::{Scene, plain, streamed},
};

const DOWN: Scene = plain("503;no-hint");

/// A document with both models, each called once a call.
macro_rules! two {
    ($settings:literal) => {
        concat!("chain = ['MODEL', 'SECOND']\nattempts_per_candidate = 1\n", $settings)
    };
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("chain", "chain = @", ["['MODEL']", "['MODEL', 'SECOND']"], DOWN),
    ("cheaper", "cheaper = @", ["[]", "['SECOND']"], DOWN),
    ("requested_model", "requested_model = @", ["'first'", "'ignored'"], plain("GOOD").with(r#"{"model":"SECOND"}"#)),
    ("fallback_on_refusal", "chain = ['MODEL', 'SECOND']\nfallback_on_refusal = @", ["false", "true"], plain("403-moderation")),
    ("fail_on_finish_reason[].reason", "chain = ['MODEL', 'SECOND']\nfail_on_finish_reason = [{ reason = @, kind = 'malformed' }]", ["'length'", "'tool_calls'"], plain("finish=length;GOOD")),
    ("fail_on_finish_reason[].kind", "chain = ['MODEL', 'SECOND']\nfail_on_finish_reason = [{ reason = 'length', kind = @ }]", ["'malformed'", "'content_filtered'"], plain("finish=length;GOOD")),
    ("attempts", "attempts = @", ["1", "2"], DOWN),
    ("attempts_per_candidate", "attempts_per_candidate = @", ["1", "3"], DOWN),
    ("max_retry_delay", "max_retry_delay = @", ["'5s'", "'15s'"], plain("429;retry-after=8")),
    ("max_retry_delay_with_fallback", "chain = ['MODEL', 'SECOND']\nmax_retry_delay_with_fallback = @", ["'5s'", "'15s'"], plain("429;retry-after=8")),
    ("retry_budget.ratio", "retry_budget = { floor = 0, ratio = @ }", ["0", "1"], DOWN.calls(3)),
    ("retry_budget.floor", "retry_budget = { ratio = 0, floor = @ }", ["0", "5"], DOWN.calls(3)),
    ("resume.times", "chain = ['MODEL', 'SECOND']\nresume.times = @", ["1", "2"], streamed("cut@3;GOOD").then("cut@2;GOOD")),
    ("canned_reply", "canned_reply = @", ["'Sorry.'", "'Not just now.'"], DOWN),

    ("circuit_breaker", two!("circuit_breaker = @"), ["{}", "'off'"], DOWN.calls(8)),
    ("circuit_breaker.window_calls", two!("circuit_breaker = { min_calls = 2, error_ratio = 0.9, window_calls = @ }"), ["2", "100"], plain("4xGOOD,503;no-hint").calls(9)),
    ("circuit_breaker.window_time", two!("circuit_breaker = { min_calls = 3, open_for = '60s', open_at_most = '60s', window_time = @ }"), ["'1s'", "'10m'"], DOWN.calls(6).apart(5)),
    ("circuit_breaker.min_calls", two!("circuit_breaker.min_calls = @"), ["2", "5"], DOWN.calls(8)),
    ("circuit_breaker.error_ratio", two!("circuit_breaker = { min_calls = 2, error_ratio = @ }"), ["0.3", "0.9"], plain("2xGOOD,2x503;no-hint,GOOD").calls(6)),
    ("circuit_breaker.slow.after", two!("circuit_breaker = { min_calls = 2, slow = { after = @, ratio = 0.5 } }"), ["'1s'", "'60s'"], streamed("first-token=5s;GOOD").calls(4)),
    ("circuit_breaker.slow.ratio", two!("circuit_breaker = { min_calls = 2, slow = { after = '1s', ratio = @ } }"), ["0.3", "0.9"], streamed("2xGOOD,2xfirst-token=5s;GOOD,GOOD").calls(5)),
    ("circuit_breaker.open_for", two!("circuit_breaker = { min_calls = 1, open_at_most = '60s', open_for = @ }"), ["'5s'", "'60s'"], DOWN.calls(3).apart(10)),
    ("circuit_breaker.open_at_most", two!("circuit_breaker = { min_calls = 1, open_for = '5s', open_at_most = @ }"), ["'5s'", "'60s'"], DOWN.calls(6).apart(6)),
    ("circuit_breaker.probes", two!("circuit_breaker = { min_calls = 1, probes = @ }"), ["1", "3"], plain("1x503;no-hint,slow-headers=1s;GOOD").calls(5).pause(6).at_once()),
    // After the last probe the traffic returns slowly.
    ("circuit_breaker.probe_successes", two!("circuit_breaker = { min_calls = 1, return_over = '10m', probe_successes = @ }"), ["1", "4"], plain("1x503;no-hint,GOOD").calls(6).pause(6).apart(1)),
    ("circuit_breaker.return_over", two!("circuit_breaker = { min_calls = 1, probe_successes = 1, return_over = @ }"), ["'1s'", "'10m'"], plain("1x503;no-hint,GOOD").calls(6).pause(6).apart(2)),
    ("circuit_breaker.last_resorts", "circuit_breaker = { min_calls = 1, last_resorts = @ }", ["0", "5"], DOWN.calls(3)),
];
