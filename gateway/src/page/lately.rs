//! What the calls of the last quarter of an hour say: which failed and why, whose keys were rejected, and which budgets refused.

use std::{collections::HashMap, hash::Hash, sync::Arc, time::Duration};

use tower_openrouter::layers::UtcTime;

use crate::calls::{AttemptRecord, CallOutcome, CallRecord, Calls, Filter};

/// Calls that ended longer ago are not looked at.
pub(super) const LATELY: Duration = Duration::from_secs(15 * 60);
/// What has not failed for so long, and was answered since, has ended.
const QUIET: Duration = Duration::from_secs(60);
/// A budget that has refused nothing for so long has ended to refuse, also if no call of those tags was answered since.
const QUIET_BUDGET: Duration = Duration::from_secs(5 * 60);

/// Calls of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) count: u64,
    /// When the first of them began.
    pub(super) since: UtcTime,
    /// When the last of them ended.
    pub(super) last: UtcTime,
    /// Whether it is over.
    pub(super) has_ended: bool,
}

/// All groups: those that last, then those that have ended, the largest first.
#[derive(Debug, Default)]
pub(super) struct Lately {
    /// Failed calls, by what they called and why they failed.
    pub(super) failures: Vec<((String, String), Group)>,
    /// Calls with an attempt whose key was rejected, by upstream, with the upstream's words of the last one: a request's id may be in them.
    pub(super) rejected_keys: Vec<((String, String), Group)>,
    /// Refused calls, by budget, as the refusal names it: `` `day` of key=acme``.
    pub(super) over_budget: Vec<(String, Group)>,
}

impl Lately {
    pub(super) fn read(calls: &Calls, now: UtcTime) -> Self {
        Self::of(calls.recent(&Filter::default(), usize::MAX), now)
    }

    /// Of these calls, the latest first.
    fn of(calls: impl IntoIterator<Item = Arc<CallRecord>>, now: UtcTime) -> Self {
        let from = now.before(LATELY);
        let (mut failures, mut rejected, mut over) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (mut words, mut refused) = (HashMap::new(), HashMap::new());
        // When what was called last gave an answer.
        let (mut answered, mut served, mut paid) = (HashMap::new(), HashMap::new(), HashMap::new());
        for call in calls {
            let ended = ended(&call);
            if ended < from {
                continue;
            }
            if let Some(attempt) = call.attempts.iter().rev().find(|attempt| is_rejected(attempt)) {
                let upstream = attempt.upstream.to_string();
                let own = attempt.reason.as_deref().unwrap_or("no reason is known");
                words.entry(upstream.clone()).or_insert_with(|| own.to_owned());
                note(&mut rejected, upstream, &call);
            }
            match call.outcome {
                CallOutcome::Answered => {
                    latest(&mut answered, called(&call), ended);
                    if let Some(attempt) = call.attempts.iter().rev().find(|attempt| attempt.outcome == "answered") {
                        latest(&mut served, attempt.upstream.to_string(), ended);
                        // A budget let it pass, which a cached response does not need.
                        latest(&mut paid, call.tags.clone(), ended);
                    }
                }
                CallOutcome::Failed | CallOutcome::Interrupted => {
                    let last = call.attempts.iter().rev().find(|attempt| attempt.number > 0);
                    // The rejected key says it.
                    if !last.is_some_and(is_rejected) {
                        note(&mut failures, (called(&call), why(&call, last)), &call);
                    }
                }
                CallOutcome::Refused => {
                    if let Some(budget) = refused_by(&call) {
                        refused.entry(budget.clone()).or_insert_with(|| call.tags.clone());
                        note(&mut over, budget, &call);
                    }
                }
                _ => {}
            }
        }
        let rejected = groups(rejected, |upstream: &String, last| {
            now.since(last) >= QUIET && served.get(upstream).is_some_and(|at| *at > last)
        });
        let rejected = rejected.into_iter().map(|(upstream, group)| {
            let words = words.remove(&upstream).unwrap_or_default();
            ((upstream, words), group)
        });
        Self {
            failures: groups(failures, |(called, _), last| {
                now.since(last) >= QUIET && answered.get(called).is_some_and(|at| *at > last)
            }),
            rejected_keys: rejected.collect(),
            over_budget: groups(over, |budget: &String, last| {
                // One call may be too large for a budget that carries others, and an operator may raise it.
                let tags = refused.get(budget);
                let has_room = tags.and_then(|tags| paid.get(tags)).is_some_and(|at| *at > last);
                now.since(last) >= if has_room { QUIET } else { QUIET_BUDGET }
            }),
        }
    }
}

fn ended(call: &CallRecord) -> UtcTime {
    call.at.after(Duration::from_millis(call.duration_ms))
}

fn note<K: Eq + Hash>(groups: &mut HashMap<K, Group>, key: K, call: &CallRecord) {
    let ended = ended(call);
    let group = groups.entry(key).or_insert(Group {
        count: 0,
        since: call.at,
        last: ended,
        has_ended: false,
    });
    group.count += 1;
    group.since = group.since.min(call.at);
    group.last = group.last.max(ended);
}

fn latest<K: Eq + Hash>(times: &mut HashMap<K, UtcTime>, key: K, at: UtcTime) {
    let known = times.entry(key).or_insert(at);
    *known = (*known).max(at);
}

fn groups<K: Ord>(found: HashMap<K, Group>, has_ended: impl Fn(&K, UtcTime) -> bool) -> Vec<(K, Group)> {
    let mut groups: Vec<_> = found.into_iter().collect();
    for (key, group) in &mut groups {
        group.has_ended = has_ended(key, group.last);
    }
    // What has ended last, and of each the largest first.
    groups.sort_by(|(one, a), (other, b)| (a.has_ended, b.count, one).cmp(&(b.has_ended, a.count, other)));
    groups
}

/// The model that a call requested, or the chain.
pub(super) fn called(call: &CallRecord) -> String {
    if let Some(model) = &call.requested
        && !model.is_empty()
    {
        return model.to_string();
    }
    match call.attempts.first() {
        Some(first) if !first.model.is_empty() => format!("the chain ({} first)", first.model),
        _ => "the chain".to_owned(),
    }
}

fn why(call: &CallRecord, last: Option<&AttemptRecord>) -> String {
    match (last, call.reason.as_deref()) {
        // What a time limit ended has failed by that limit, not by its last attempt.
        (Some(last), reason) if last.outcome != "dropped" || reason.is_none() => {
            let status = last.status.map(|status| format!(" ({status})")).unwrap_or_default();
            format!("{}{status} at {}", last.outcome.replace('_', " "), last.upstream)
        }
        (_, reason) => reason.unwrap_or("no reason is known").to_owned(),
    }
}

/// Whether the upstream rejected the key of this attempt.
fn is_rejected(attempt: &AttemptRecord) -> bool {
    attempt.is_sent && attempt.outcome == "auth"
}

/// The budget that refused a call, as the library's error names it.
fn refused_by(call: &CallRecord) -> Option<String> {
    let attempts = call.attempts.iter().rev().map(|attempt| attempt.reason.as_deref());
    let mut reasons = [call.reason.as_deref()].into_iter().chain(attempts).flatten();
    reasons.find_map(budget_in).map(str::to_owned)
}

fn budget_in(reason: &str) -> Option<&str> {
    let (_, rest) = reason.split_once("the budget ")?;
    rest.split_once(" cannot carry this").map(|(budget, _)| budget)
}

#[cfg(test)]
mod tests {
    use tower_openrouter::{
        Tags, UsdAmount,
        layers::budget::{Budget, Budgets, Refusal, RefusalReason},
    };

    use super::*;

    fn at(seconds: u64) -> UtcTime {
        UtcTime::from_millis((10_000 + seconds) * 1_000)
    }

    #[test]
    fn a_rejected_key_is_one_group_whatever_request_its_words_name() {
        let rejected = |seconds, words| {
            let call = CallRecord::at(at(seconds), CallOutcome::Failed);
            Arc::new(call.attempted("auth", words))
        };
        let calls = [rejected(30, "rejected (b2)"), rejected(20, "rejected (a1)")];
        let lately = Lately::of(calls, at(40));
        let [((upstream, words), group)] = &lately.rejected_keys[..] else {
            panic!("{lately:?}");
        };
        assert_eq!((&**upstream, &**words, group.count), ("openrouter", "rejected (b2)", 2));
        assert!(lately.failures.is_empty());
    }

    #[test]
    fn a_failure_names_its_status_or_the_limit_that_ended_it() {
        let mut failed = CallRecord::at(at(10), CallOutcome::Failed).attempted("upstream", "Internal Server Error");
        failed.attempts[0].status = Some(500);
        let mut late = CallRecord::at(at(10), CallOutcome::Failed).attempted("dropped", "");
        late.reason = Some("no answer within 180 s".into());
        for (call, words) in [
            (failed, "upstream (500) at openrouter"),
            (late, "no answer within 180 s"),
        ] {
            let lately = Lately::of([Arc::new(call)], at(20));
            let [((called, why), _)] = &lately.failures[..] else {
                panic!("{lately:?}");
            };
            assert_eq!((&**called, &**why), ("the chain (a/b first)", words));
        }
    }

    #[test]
    fn a_budget_that_carries_calls_of_the_same_tags_again_has_ended_to_refuse() {
        let of = |seconds, outcome, key| {
            let mut call = CallRecord::at(at(seconds), outcome);
            call.tags = Tags::new([("key", key)]).unwrap();
            call
        };
        let reason = "the budget `day` of key=acme cannot carry this";
        let refused = of(10, CallOutcome::Refused, "acme").attempted("budget_exceeded", reason);
        let answered = |seconds, key| of(seconds, CallOutcome::Answered, key);
        let paid = |seconds, key| answered(seconds, key).attempted("answered", "");
        for (later, now, has_ended) in [
            (vec![], 309, false),
            (vec![], 310, true),
            (vec![paid(20, "acme")], 69, false),
            (vec![paid(20, "acme")], 70, true),
            (vec![paid(20, "other")], 70, false),
            (vec![answered(20, "acme")], 70, false),
        ] {
            let calls = later.iter().chain([&refused]).cloned().map(Arc::new);
            let lately = Lately::of(calls, at(now));
            let [(budget, group)] = &lately.over_budget[..] else {
                panic!("{lately:?}");
            };
            assert_eq!(
                (&**budget, group.has_ended),
                ("`day` of key=acme", has_ended),
                "{now} {later:?}"
            );
        }
    }

    #[test]
    fn the_budget_that_refused_is_in_the_words_of_its_refusal() {
        let at = UtcTime::from_millis(0);
        let budgets = Budgets::new([Budget::usd("day", "5").unwrap().each("key")]).unwrap();
        let tags = Tags::new([("key", "acme")]).unwrap();
        let line = budgets.lines(&tags, "u", "m").pop().unwrap();
        let (settled, reserved) = ("4.99".parse().unwrap(), UsdAmount::ZERO);
        let reason = RefusalReason::Spent { settled, reserved };
        let refusal = Refusal::new(&line.budget, &line.account, reason, "1".parse().unwrap(), at);
        let text = format!("all failed: {refusal}");
        assert_eq!(budget_in(&text), Some("`day` of key=acme"));
        assert_eq!(budget_in("the budget of tokens is used up"), None);
    }

    #[test]
    fn a_group_ends_when_it_was_answered_since_and_is_quiet() {
        let at = |seconds: u64| UtcTime::from_millis(seconds * 1_000);
        let group = Group {
            count: 2,
            since: at(10),
            last: at(20),
            has_ended: false,
        };
        for (answered, now, has_ended) in [(30, 79, false), (30, 80, true), (15, 900, false)] {
            let found = HashMap::from([("a/b", group)]);
            let groups = groups(found, |_, last| at(now).since(last) >= QUIET && at(answered) > last);
            assert_eq!(groups[0].1.has_ended, has_ended, "{answered} {now}");
        }
    }
}
