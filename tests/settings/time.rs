//! Keys of time: each changes how long a call takes, or which one ends at its limit.

use super::{
    keys::Row,
    scene::{plain, streamed},
};

/// A finish in the midst of a stream whose end comes twenty seconds later.
const LATE_END: &str =
    r#"words=3;event=data:%20{"choices":[{"index":0%2C"delta":{}%2C"finish_reason":"stop"}]}@3;stall=20s@3"#;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("deadline", "deadline = @", ["'5s'", "'30s'"], plain("hang")),
    ("first_token_timeout", "first_token_timeout = @", ["'5s'", "'8s'"], streamed("hang")),
    ("response_timeout", "response_timeout = @", ["'5s'", "'8s'"], plain("hang")),
    ("last_candidate_grace", "last_candidate_grace = @", ["'1s'", "'9s'"], streamed("hang")),
    ("idle_timeout", "idle_timeout = @", ["'5s'", "'60s'"], streamed("words=9;stall=20s@3")),
    ("trailer_timeout", "trailer_timeout = @", ["'5s'", "'60s'"], streamed(LATE_END)),
    ("min_throughput.tokens", "deadline = '120s'\nmin_throughput = { tokens = @, window = '10s' }", ["4", "10"], streamed("delay=2s;words=30")),
    ("min_throughput.window", "deadline = '120s'\nmin_throughput = { tokens = 10, window = @ }", ["'10s'", "'60s'"], streamed("delay=2s;words=30")),
    ("hedge.after", "chain = ['MODEL', 'SECOND']\nhedge = { after = @, ratio = 1 }", ["'1s'", "'5s'"], streamed("first-token=9s;GOOD")),
    // One hedge is there at the start.
    ("hedge.ratio", "chain = ['MODEL', 'SECOND']\nhedge = { after = '1s', ratio = @ }", ["0.1", "1"], streamed("first-token=9s;GOOD").calls(3)),
    ("retry_timeouts", "deadline = '120s'\nretry_timeouts = @", ["false", "true"], streamed("hang")),
    ("backoff.base", "backoff.base = @", ["'0s'", "'8s'"], plain("503;no-hint")),
    ("backoff.max", "attempts_per_candidate = 3\nbackoff.base = '4s'\nbackoff.max = @", ["'4s'", "'8s'"], plain("503;no-hint")),
];
