//! What an answer took in several rounds, which Anthropic's servers list one by one.

use super::Usage;
use crate::json::{Cursor, member};

/// The sums over the rounds.
#[derive(Default)]
pub(super) struct Iterations {
    pub(super) prompt: Option<u64>,
    pub(super) answer: Option<u64>,
    pub(super) cached: u64,
    pub(super) cache_written: u64,
    pub(super) cache_written_1h: u64,
}

impl Iterations {
    /// Of the list under `iterations`; sums of nothing if there is none. The counts beside the list leave out what a compaction took: only the
    /// sums are what is billed.
    ///
    /// The tokens of an advisor have the price of another model. If a fallback model answered, a model that declined without output is not billed.
    pub(super) fn read(list: Option<&str>) -> Self {
        let Some(list) = list else { return Self::default() };
        let has_fallback = has_fallback(list);
        let mut sums = Self::default();
        let walked = Cursor::lenient(list.as_bytes()).array_or_skip(|round| {
            let raw = round.raw()?;
            if is_of(raw, "advisor_message") {
                return Ok(());
            }
            if let Some(round) = Usage::from_json(raw) {
                let is_declined = has_fallback && is_of(raw, "message") && round.own_answer() == Some(0);
                if !is_declined {
                    sums.add(&round);
                }
            }
            Ok(())
        });
        walked.map_or_else(|_| Self::default(), |()| sums)
    }

    fn add(&mut self, round: &Usage) {
        let (prompt, answer) = round.own_counts();
        self.prompt = sum(self.prompt, prompt);
        self.answer = sum(self.answer, answer);
        self.cached = self.cached.saturating_add(round.cached_tokens());
        self.cache_written = self.cache_written.saturating_add(round.cache_write_tokens());
        self.cache_written_1h = self.cache_written_1h.saturating_add(round.cache_written_for_an_hour());
    }
}

fn has_fallback(list: &str) -> bool {
    let mut found = false;
    let walked = Cursor::lenient(list.as_bytes()).array_or_skip(|round| {
        found |= is_of(round.raw()?, "fallback_message");
        Ok(())
    });
    walked.is_ok() && found
}

/// Whether a round has this type.
fn is_of(round: &[u8], kind: &str) -> bool {
    member(round, "type").is_some_and(|own| own.is(kind))
}

fn sum(first: Option<u64>, second: Option<u64>) -> Option<u64> {
    match (first, second) {
        (Some(first), Some(second)) => Some(first.saturating_add(second)),
        (first, second) => first.or(second),
    }
}

#[cfg(test)]
mod tests {
    use crate::usage::{Usage, usage_counts};

    fn usage(raw: &str) -> Usage {
        Usage::from_json(raw.as_bytes()).unwrap()
    }

    #[test]
    fn what_the_rounds_took_is_summed() {
        let raw = r#"{"input_tokens":23000,"output_tokens":1000,"cache_read_input_tokens":7,"iterations":[
            {"type":"compaction","input_tokens":180000,"output_tokens":3500,"cache_creation_input_tokens":11,
                "cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":10}},
            {"type":"message","input_tokens":23000,"output_tokens":1000,"cache_read_input_tokens":7}]}"#;
        let usage = usage(raw);
        let counts = usage.counts();
        assert_eq!((counts.prompt, counts.answer), (Some(203_018), Some(4_500)));
        assert_eq!(
            (counts.cached, counts.cache_written, counts.cache_written_1h),
            (7, 11, 10)
        );
        assert_eq!(usage.reported_output_tokens(), Some(4_500));
        assert_eq!(usage_counts(raw.as_bytes()).as_ref(), Some(&counts));
    }

    #[test]
    fn rounds_that_are_not_billed_at_the_model_s_price_are_left_out() {
        for (beside, iterations, prompt, answer) in [
            (
                (412, 264),
                r#"{"type":"message","input_tokens":408,"output_tokens":0,"cache_read_input_tokens":9},
                    {"type":"fallback_message","input_tokens":412,"output_tokens":264}"#,
                412,
                264,
            ),
            // A compaction before the fallback is billed, and so is a model that declined behind a part of its output.
            (
                (412, 264),
                r#"{"type":"compaction","input_tokens":1000,"output_tokens":50},
                    {"type":"message","input_tokens":408,"output_tokens":0},
                    {"type":"fallback_message","input_tokens":412,"output_tokens":264}"#,
                1_412,
                314,
            ),
            (
                (412, 264),
                r#"{"type":"message","input_tokens":408,"output_tokens":30},
                    {"type":"fallback_message","input_tokens":412,"output_tokens":264}"#,
                820,
                294,
            ),
            // Without a fallback a round without output is one like any other.
            (
                (412, 264),
                r#"{"type":"message","input_tokens":408,"output_tokens":0},
                    {"type":"message","input_tokens":412,"output_tokens":264}"#,
                820,
                264,
            ),
            (
                (412, 264),
                r#"{"type":"message","input_tokens":412,"output_tokens":264},
                    {"type":"advisor_message","input_tokens":5000,"output_tokens":900}"#,
                412,
                264,
            ),
            // Nothing but an advisor: what stands beside the list counts.
            (
                (3, 4),
                r#"{"type":"advisor_message","input_tokens":9,"output_tokens":9}"#,
                3,
                4,
            ),
        ] {
            let raw = format!(
                r#"{{"input_tokens":{},"output_tokens":{},"iterations":[{iterations}]}}"#,
                beside.0, beside.1
            );
            let usage = usage(&raw);
            let counts = usage.counts();
            assert_eq!((counts.prompt, counts.answer), (Some(prompt), Some(answer)), "{raw}");
            assert_eq!(counts.cached, 0, "{raw}");
            assert_eq!(usage.reported_output_tokens(), Some(answer), "{raw}");
            assert_eq!(usage_counts(raw.as_bytes()).as_ref(), Some(&counts), "{raw}");
        }
    }

    #[test]
    fn rounds_that_say_nothing_take_nothing_away() {
        for iterations in [
            "[]",
            "null",
            "{}",
            "7",
            r#"[null,7,{"type":"message"}]"#,
            r#"[{"input_tokens":1,"output_tokens":1}]"#,
        ] {
            let raw = format!(
                r#"{{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":5,"iterations":{iterations}}}"#
            );
            let usage = usage(&raw);
            let counts = usage.counts();
            assert_eq!(
                (counts.prompt, counts.answer, counts.cached),
                (Some(8), Some(4), 5),
                "{iterations}"
            );
        }
        // A round within a round is not counted: no server writes one.
        let nested = usage(
            r#"{"iterations":[{"input_tokens":1,"output_tokens":2,"iterations":[{"input_tokens":9,"output_tokens":9}]}]}"#,
        );
        assert_eq!((nested.counts().prompt, nested.counts().answer), (Some(1), Some(2)));
        let huge = usage(
            r#"{"input_tokens":1,"iterations":[{"input_tokens":18446744073709551615},{"input_tokens":18446744073709551615}]}"#,
        );
        assert_eq!(huge.counts().prompt, Some(u64::MAX));
    }
}
