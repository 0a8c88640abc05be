//! Verdicts on providers, without a router.

use std::time::Duration;

use super::{
    ProviderHealth, ProviderPolicy, ProviderState,
    health::{MOST, MOST_LEFT_OUT},
};
use crate::Candidate;

const S: Duration = Duration::from_secs(1);

fn health(policy: ProviderPolicy) -> (ProviderHealth, Candidate) {
    let policy = policy.min_calls(2).window(4, 60 * S).ignore_for(10 * S, 40 * S);
    (
        ProviderHealth::new(policy).unwrap(),
        Candidate::new("router", "m").unwrap(),
    )
}

fn state(health: &ProviderHealth, name: &str) -> ProviderState {
    let report = health.report();
    report.iter().find(|row| *row.provider == *name).unwrap().state
}

fn left_out(health: &ProviderHealth, candidate: &Candidate) -> Vec<String> {
    let routing = health.routing(candidate);
    health.give_back(candidate, routing.probe);
    routing.ignore.iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn each_verdict_says_when_it_is_looked_at_again_and_doubles() {
    let (health, candidate) = health(ProviderPolicy::new());
    health.ended(&candidate, "Bad One", true, None);
    assert!(left_out(&health, &candidate).is_empty(), "one is not enough");
    health.ended(&candidate, "Bad One", true, None);
    for seconds in [10, 20, 40, 40] {
        let probe_in = seconds * S;
        assert_eq!(state(&health, "Bad One"), ProviderState::Ignored { probe_in });
        assert_eq!(left_out(&health, &candidate), ["bad-one"]);
        tokio::time::advance(probe_in).await;
        let probing = health.routing(&candidate);
        assert_eq!((probing.ignore.len(), &*probing.order[0]), (0, "bad-one"));
        // While it is probed the others leave it out.
        assert_eq!(left_out(&health, &candidate), ["bad-one"]);
        assert!(matches!(state(&health, "Bad One"), ProviderState::Probed { .. }));
        health.probed(&candidate, &probing.probe.unwrap(), Some("Good"), Some(false));
    }
    tokio::time::advance(40 * S).await;
    // A probe that says nothing gives its place to the next.
    let probe = health.routing(&candidate).probe.unwrap();
    health.probed(&candidate, &probe, None, None);
    let probe = health.routing(&candidate).probe.unwrap();
    health.probed(&candidate, &probe, Some("Bad One"), Some(false));
    assert_eq!(state(&health, "Bad One"), ProviderState::Healthy);
    assert!(left_out(&health, &candidate).is_empty());
    // One that never ends is replaced.
    for _ in 0..2 {
        health.ended(&candidate, "Bad One", true, None);
    }
    tokio::time::advance(10 * S).await;
    let lost = health.routing(&candidate).probe.unwrap();
    tokio::time::advance(60 * S).await;
    let probe = health.routing(&candidate).probe.unwrap();
    health.probed(&candidate, &lost, Some("Bad One"), Some(true));
    health.probed(&candidate, &probe, Some("Bad One"), Some(false));
    assert_eq!(
        state(&health, "Bad One"),
        ProviderState::Healthy,
        "the late one decides nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_alone_is_not_left_out_again_until_another_has_answered() {
    let (health, candidate) = health(ProviderPolicy::new());
    let fail = || (0..2).for_each(|_| health.ended(&candidate, "Only", true, None));
    fail();
    assert_eq!(left_out(&health, &candidate), ["only"]);
    health.lift(&candidate);
    fail();
    assert!(left_out(&health, &candidate).is_empty());
    health.ended(&candidate, "Other", false, None);
    fail();
    assert_eq!(left_out(&health, &candidate), ["only"]);
}

#[tokio::test(start_paused = true)]
async fn the_fastest_go_first_if_two_are_known() {
    let (health, candidate) = health(ProviderPolicy::new().prefer_fast(true));
    for (name, time) in [("Slow", 3), ("Slow", 3), ("Fast", 1)] {
        health.ended(&candidate, name, false, Some(time * S));
        assert!(health.routing(&candidate).order.is_empty());
    }
    health.ended(&candidate, "Fast", false, Some(S));
    let order = health.routing(&candidate).order;
    assert_eq!(order.iter().map(|slug| &**slug).collect::<Vec<_>>(), ["fast", "slow"]);
    let report = health.report();
    let slow = report.iter().find(|row| &*row.provider == "Slow").unwrap();
    assert_eq!((slow.calls, slow.uptime, slow.first_token), (2, 1.0, Some(3 * S)));
}

#[tokio::test(start_paused = true)]
async fn state_is_bounded_whatever_names_come() {
    let (health, candidate) = health(ProviderPolicy::new());
    for number in 0..2 * MOST {
        health.ended(&candidate, &format!("provider {number}"), true, None);
    }
    assert_eq!(health.report().len(), MOST);
    tokio::time::advance(61 * S).await;
    health.ended(&candidate, "new", true, None);
    assert_eq!(health.report().len(), 1, "those of the past make room");
    assert!(health.routing(&candidate).ignore.len() <= MOST_LEFT_OUT);
}
