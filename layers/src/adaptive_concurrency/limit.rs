//! How one limit is learned from the times of first tokens.

use std::time::Duration;

use super::ConcurrencyPolicy;

/// How much the newest first token weighs in what is usual, and in what is so of late.
const USUAL: f64 = 0.005;
const LATELY: f64 = 0.1;

/// The limit, and what it is learnt from.
#[derive(Debug)]
pub(super) struct Limit {
    policy: ConcurrencyPolicy,
    limit: f64,
    /// First tokens, in seconds: nothing before the first.
    usual: Option<f64>,
    lately: f64,
    /// Good answers since the limit was last changed by their pace.
    answers: u32,
    /// First tokens since their latency was last evaluated.
    timed: u32,
    /// How often it has gone down.
    cuts: u64,
}

impl Limit {
    pub(super) fn new(policy: ConcurrencyPolicy) -> Self {
        Self {
            policy,
            limit: f64::from(policy.initial),
            usual: None,
            lately: 0.0,
            answers: 0,
            timed: 0,
            cuts: 0,
        }
    }

    /// Attempts at once.
    pub(super) fn get(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two u32")]
        let limit = self.limit as u32;
        limit
    }

    /// How often it has gone down: an attempt that began before the last decrease does not count.
    pub(super) const fn cuts(&self) -> u64 {
        self.cuts
    }

    /// An attempt that began after so many cuts found the upstream overloaded. `true` if the limit goes down.
    pub(super) fn overloaded(&mut self, begun_after: u64) -> bool {
        if begun_after < self.cuts {
            return false;
        }
        self.cut();
        true
    }

    /// An answer began, after this long if that is known, while so many attempts were in flight. `true` if the limit has
    /// changed.
    pub(super) fn answered(&mut self, first_token: Option<Duration>, in_flight: u32) -> bool {
        if let Some(first_token) = first_token
            && self.is_slow_by(first_token.as_secs_f64())
        {
            self.cut();
            return true;
        }
        self.answers += 1;
        if self.answers < self.get().max(1) {
            return false;
        }
        self.answers = 0;
        // What is not used is not known to be too little.
        if in_flight.saturating_mul(2) < self.get() {
            return false;
        }
        let before = self.limit;
        self.limit = (self.limit + 1.0).min(f64::from(self.policy.ceiling));
        before < self.limit
    }

    /// Whether it is too slow of late: said once for each round of first tokens.
    fn is_slow_by(&mut self, time: f64) -> bool {
        let usual = *self.usual.get_or_insert_with(|| {
            self.lately = time;
            time
        });
        self.usual = Some(usual + (time - usual) * USUAL);
        self.lately += (time - self.lately) * LATELY;
        self.timed += 1;
        let round = self.timed >= self.get().max(1);
        if round {
            self.timed = 0;
        }
        round && self.lately > usual * self.policy.slower
    }

    fn cut(&mut self) {
        self.cuts += 1;
        self.answers = 0;
        self.timed = 0;
        self.limit = (self.limit * self.policy.decrease).max(f64::from(self.policy.floor));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(limit: &mut Limit, count: usize, millis: u64, in_flight: u32) {
        (0..count).for_each(|_| {
            limit.answered(Some(Duration::from_millis(millis)), in_flight);
        });
    }

    #[test]
    fn it_grows_by_one_for_each_round_of_answers_while_it_is_used() {
        let mut limit = Limit::new(ConcurrencyPolicy::new().initial(4).ceiling(6));
        answers(&mut limit, 3, 100, 4);
        assert_eq!(limit.get(), 4);
        answers(&mut limit, 1, 100, 4);
        assert_eq!(limit.get(), 5);
        answers(&mut limit, 5, 100, 3);
        assert_eq!(limit.get(), 6);
        answers(&mut limit, 60, 100, 6);
        assert_eq!(limit.get(), 6, "the ceiling");
        let mut idle = Limit::new(ConcurrencyPolicy::new().initial(4));
        answers(&mut idle, 40, 100, 1);
        assert_eq!(idle.get(), 4);
    }

    #[test]
    fn it_goes_down_once_for_those_that_were_under_way_together() {
        let mut limit = Limit::new(ConcurrencyPolicy::new().initial(10).decrease(0.5).floor(2));
        let begun = limit.cuts();
        assert!(limit.overloaded(begun));
        assert!(!limit.overloaded(begun));
        assert_eq!(limit.get(), 5);
        for _ in 0..9 {
            let begun = limit.cuts();
            limit.overloaded(begun);
        }
        assert_eq!(limit.get(), 2, "the floor");
    }

    #[test]
    fn it_goes_down_where_first_tokens_come_slower_than_usual() {
        for (slower, cut) in [(2.0, true), (9.0, false)] {
            let policy = ConcurrencyPolicy::new().initial(10).ceiling(10).slower(slower);
            let mut limit = Limit::new(policy);
            answers(&mut limit, 100, 100, 10);
            assert_eq!(limit.get(), 10);
            answers(&mut limit, 40, 400, 10);
            assert_eq!(limit.get() < 10, cut, "{slower}");
        }
    }
}
