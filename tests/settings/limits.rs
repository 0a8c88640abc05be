//! Keys of limits and of answers that need no upstream: each changes what many calls get, or how many of them are sent.

use super::{
    keys::Row,
    scene::{Scene, plain},
};

const GOOD: Scene = plain("GOOD");
/// Two calls of two tenants.
const TENANTS: Scene = GOOD.calls(2).with(r#"{"tags":{"tenant":"t#"}}"#);
/// Calls whose use of tokens is small, and known before.
const SMALL: Scene = GOOD.calls(2).with(r#"{"max_tokens":50}"#);
/// Calls that overlap.
const LONG: Scene = plain("slow-headers=5s;GOOD").at_once();
/// A model that is overloaded once, and then called four times at once.
const SHAKEN: Scene = plain("1x503;no-hint,slow-headers=5s;GOOD").calls(5).pause(1).at_once();
/// Two calls with one idempotency key.
const KEYED: Scene = GOOD.calls(2).with(r#"{"key":"k"}"#);

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    ("tenant_limits.requests.amount", "tenant_limits = { requests = { amount = @, per = '1h' }, tenant = 'global' }", ["1", "20"], TENANTS),
    ("tenant_limits.requests.per", "tenant_limits = { requests = { amount = 1, per = @ }, tenant = 'global' }", ["'1s'", "'1h'"], GOOD.calls(2).apart(10)),
    ("tenant_limits.requests.burst", "tenant_limits = { requests = { amount = 5, per = '1h', burst = @ }, tenant = 'global' }", ["1", "2"], TENANTS),
    ("tenant_limits.tokens.amount", "tenant_limits = { tokens = { amount = @, per = '1h' }, tenant = 'global' }", ["1", "1000000"], SMALL),
    ("tenant_limits.tokens.per", "tenant_limits = { tokens = { amount = 10, per = @ }, tenant = 'global' }", ["'1s'", "'1h'"], SMALL.apart(60)),
    ("tenant_limits.tokens.burst", "tenant_limits = { tokens = { amount = 10000, per = '1h', burst = @ }, tenant = 'global' }", ["1", "10000"], SMALL),
    ("tenant_limits.concurrency", "tenant_limits = { concurrency = @, tenant = 'global' }", ["1", "2"], LONG.calls(2)),
    ("tenant_limits.tenant", "tenant_limits = { requests = { amount = 1, per = '1h' }, tenant = @ }", ["'global'", "'tag:tenant'"], TENANTS),
    ("tenant_limits.max_wait", "tenant_limits = { concurrency = 1, tenant = 'global', max_wait = @ }", ["'0s'", "'1m'"], LONG.calls(2)),
    ("upstream_limits.requests.amount", "upstream_limits = { requests = { amount = @, per = '1h' } }", ["1", "20"], GOOD.calls(2)),
    ("upstream_limits.requests.per", "upstream_limits = { requests = { amount = 1, per = @ } }", ["'1s'", "'1h'"], GOOD.calls(2).apart(10)),
    ("upstream_limits.requests.burst", "upstream_limits = { requests = { amount = 5, per = '1h', burst = @ } }", ["1", "2"], GOOD.calls(2)),
    ("upstream_limits.tokens.amount", "upstream_limits = { tokens = { amount = @, per = '1h' } }", ["1", "1000000"], SMALL),
    ("upstream_limits.tokens.per", "upstream_limits = { tokens = { amount = 10, per = @ } }", ["'1s'", "'1h'"], SMALL.apart(60)),
    ("upstream_limits.tokens.burst", "upstream_limits = { tokens = { amount = 10000, per = '1h', burst = @ } }", ["1", "10000"], SMALL),
    ("upstream_limits.concurrency", "upstream_limits = { concurrency = @ }", ["1", "2"], LONG.calls(2)),
    ("upstream_limits.max_wait", "upstream_limits = { concurrency = 1, max_wait = @ }", ["'0s'", "'1m'"], LONG.calls(2)),
    ("adaptive_concurrency.initial", "adaptive_concurrency = { queue = 0, initial = @ }", ["1", "2"], LONG.calls(2)),
    ("adaptive_concurrency.queue", "adaptive_concurrency = { initial = 1, ceiling = 1, queue = @ }", ["0", "5"], LONG.calls(3)),
    ("adaptive_concurrency.floor", "attempts = 1\nadaptive_concurrency = { queue = 0, initial = 4, decrease = 0.1, floor = @ }", ["1", "4"], SHAKEN),
    ("adaptive_concurrency.decrease", "attempts = 1\nadaptive_concurrency = { queue = 0, initial = 4, decrease = @ }", ["0.3", "0.9"], SHAKEN),

    ("cache.bytes", "cache = { bytes = @, tenant = 'global' }", ["0", "100000"], TENANTS),
    ("cache.tenant", "cache = { bytes = 100000, tenant = @ }", ["'global'", "'tag:tenant'"], TENANTS),
    ("cache.time_to_live", "cache = { bytes = 100000, tenant = 'global', time_to_live = @ }", ["'1s'", "'5m'"], GOOD.calls(2).apart(10)),
    ("cache.stale_if_error", "cache = { bytes = 100000, tenant = 'global', time_to_live = '1s', stale_if_error = @ }", ["'0s'", "'1h'"], plain("1xGOOD,503;no-hint").calls(2).apart(10)),
    ("cache.largest", "cache = { bytes = 100000, tenant = 'global', largest = @ }", ["1", "100000"], GOOD.calls(2)),
    ("cache.single_flight", "cache = { bytes = 100000, tenant = 'global', single_flight = @ }", ["true", "false"], LONG.calls(2)),
    ("cache.only_temperature_zero", "cache = { bytes = 100000, tenant = 'global', only_temperature_zero = @ }", ["true", "false"], GOOD.calls(2)),
    ("cache.ignore_header", "cache = { bytes = 100000, tenant = 'global', ignore_header = @ }", ["['x-a']", "['x-b']"], GOOD.calls(2).with(r#"{"header":"h#"}"#)),
    ("idempotency.bytes", "idempotency = { bytes = @, tenant = 'global' }", ["1", "100000"], KEYED),
    // The second key takes the place of the first.
    ("idempotency.max_keys", "idempotency = { bytes = 100000, tenant = 'global', max_keys = @ }", ["1", "9"], GOOD.calls(3).with(r#"{"key":"k&"}"#)),
    ("idempotency.keep_for", "idempotency = { bytes = 100000, tenant = 'global', keep_for = @ }", ["'1s'", "'1h'"], KEYED.apart(10)),
    ("idempotency.largest", "idempotency = { bytes = 100000, tenant = 'global', largest = @ }", ["1", "100000"], KEYED),
    ("idempotency.in_flight", "idempotency = { bytes = 100000, tenant = 'global', in_flight = @ }", ["'wait'", "'refuse'"], LONG.calls(2).with(r#"{"key":"k"}"#)),
    ("idempotency.ignore_header", "idempotency = { bytes = 100000, tenant = 'global', ignore_header = @ }", ["['x-a']", "['x-b']"], GOOD.calls(2).with(r#"{"key":"k","header":"h#"}"#)),
];
