//! Whole numbers on spans.

/// A count as OpenTelemetry knows it: its exporters write any other integer of `tracing` as a string.
#[expect(clippy::cast_possible_wrap, reason = "it is bounded just before")]
pub(crate) const fn whole(count: u64) -> i64 {
    if count > i64::MAX as u64 {
        i64::MAX
    } else {
        count as i64
    }
}
