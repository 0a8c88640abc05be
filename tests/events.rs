//! Events over a channel: they say what the log says, and a receiver that does not read holds no call up.

use std::{sync::Arc, time::Duration};

use crate::support::{FIRST, SECOND, World, ask, call};
use tower_openrouter::{
    Attempt, Candidate, ChatServiceExt, Outcome,
    layers::{
        FixedPrices, WorstCasePrice,
        budget::{Budget, Window},
        circuit_breaker::CircuitPolicy,
        events::{Event, EventKind, EventReceiver, channel},
        fallback::Hedge,
        resume::ResumeLayer,
    },
};

fn all(receiver: &mut EventReceiver) -> Vec<Event> {
    std::iter::from_fn(|| receiver.try_recv()).collect()
}

/// What an ended line says: a note may be added to it later.
fn told(line: &Attempt) -> impl PartialEq + std::fmt::Debug + use<> {
    let candidate = line.candidate.as_ref().map(|candidate| candidate.model().to_owned());
    (
        (line.number, candidate, line.outcome, line.is_sent),
        (line.status, line.first_token, line.duration),
        (line.cost, line.cost_is_estimate),
        line.summary.clone(),
    )
}

fn lines(events: &[Event]) -> Vec<&Attempt> {
    let lines = events.iter().filter_map(|event| match &event.kind {
        EventKind::AttemptEnded(line) | EventKind::CandidateSkipped(line) => Some(&**line),
        _ => None,
    });
    lines.collect()
}

/// The names of the others, in order.
fn decisions(events: &[Event]) -> Vec<String> {
    let name = |candidate: &Candidate| candidate.model().rsplit('/').next().unwrap_or_default().to_owned();
    let said = events.iter().filter_map(|event| {
        Some(match &event.kind {
            EventKind::Retry { candidate, after, .. } => format!("retry {} {after}", name(candidate.as_ref()?)),
            EventKind::Fallback { from, to, after } => format!("{} to {} {after}", name(from), name(to)),
            EventKind::Hedge { candidate } => format!("hedge {}", name(candidate)),
            EventKind::CircuitOpened { candidate, .. } => format!("opened {}", name(candidate)),
            EventKind::CircuitProbed { candidate } => format!("probed {}", name(candidate)),
            EventKind::CircuitClosed { candidate } => format!("closed {}", name(candidate)),
            EventKind::BudgetRefused { budget, .. } => format!("refused {budget}"),
            EventKind::BudgetCrossed { budget, percent, .. } => format!("{budget} {percent}"),
            EventKind::Degraded(mark) => format!("degraded {}", mark.source.as_str()),
            _ => return None,
        })
    });
    said.collect()
}

#[tokio::test(start_paused = true)]
async fn events_say_what_the_log_says() {
    for (plan, expected) in [
        ("GOOD", vec![]),
        ("1x500,GOOD", vec!["retry gpt-5 upstream"]),
        ("500", vec!["retry gpt-5 upstream", "gpt-5 to gpt-4o-mini upstream"]),
        ("404", vec!["gpt-5 to gpt-4o-mini no_endpoint"]),
        ("hang", vec!["hedge gpt-4o-mini"]),
        ("1xGOOD;cut@3,GOOD", vec![]),
        ("400-policy", vec![]),
    ] {
        for streamed in [true, false] {
            let world = World::new(plan).await;
            let (sender, mut receiver) = channel(100);
            let stack = world
                .builder()
                .chain([FIRST, SECOND])
                .hedge(Hedge::after(Duration::from_secs(5)))
                .resume(ResumeLayer::new())
                .events(sender)
                .build()
                .unwrap();
            assert!(stack.describe().contains("events over a channel"));
            for number in 1..=2 {
                let got = call(&stack, streamed, ask()).await;
                let events = all(&mut receiver);
                assert!(events.iter().all(|event| event.call == number), "{plan}");
                // Of two at once the loser ends first.
                let mut ended: Vec<_> = lines(&events).into_iter().cloned().collect();
                ended.sort_by_key(|line| line.number);
                let ended: Vec<_> = ended.iter().map(told).collect();
                let logged: Vec<_> = got.lines.iter().map(told).collect();
                assert_eq!(format!("{ended:?}"), format!("{logged:?}"), "{plan}");
                // A plain call that is cut is retried, since nothing was shown.
                if number == 1 && (streamed || !plan.contains("cut")) {
                    assert_eq!(decisions(&events), expected, "{plan} {streamed}");
                }
            }
            assert_eq!(receiver.lost(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_circuit_tells_each_of_its_states() {
    let world = World::new("3x500,GOOD").await;
    let (sender, mut receiver) = channel(100);
    let policy = CircuitPolicy::new()
        .min_calls(3)
        .open_for(Duration::from_secs(5), Duration::from_secs(5));
    let stack = world
        .builder()
        .chain([FIRST, SECOND])
        .attempts_per_candidate(1)
        .circuit_breaker(policy)
        .events(sender)
        .build()
        .unwrap();
    for _ in 0..4 {
        call(&stack, false, ask()).await;
    }
    tokio::time::advance(Duration::from_secs(60)).await;
    call(&stack, false, ask()).await;
    call(&stack, false, ask()).await;
    let said = decisions(&all(&mut receiver));
    let circuit: Vec<_> = said.iter().filter(|said| said.ends_with("ed gpt-5")).collect();
    assert_eq!(
        circuit.first().map(|said| said.as_str()),
        Some("opened gpt-5"),
        "{said:?}"
    );
    assert!(circuit.iter().any(|said| *said == "probed gpt-5"), "{said:?}");
    assert_eq!(
        circuit.last().map(|said| said.as_str()),
        Some("closed gpt-5"),
        "{said:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_degraded_answer_is_an_event() {
    let world = World::new("503;no-hint").await;
    let (sender, mut receiver) = channel(100);
    let stack = world
        .builder()
        .chain([FIRST])
        .cheaper([SECOND])
        .events(sender)
        .build()
        .unwrap();
    call(&stack, true, ask()).await;
    let said = decisions(&all(&mut receiver));
    assert_eq!(
        said.last().map(String::as_str),
        Some("degraded cheaper_model"),
        "{said:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_budget_tells_what_it_refuses_and_how_full_it_is() {
    let world = World::new("GOOD").await;
    let (sender, mut receiver) = channel(1_000);
    let price = WorstCasePrice::new().answer_token("0.0000006".parse().unwrap());
    let prices = FixedPrices::new([(Candidate::new("openrouter", SECOND).unwrap(), price)]);
    let stack = world
        .builder()
        .chain([SECOND])
        .prices(Arc::new(prices))
        .budget(Budget::usd("all", "0.0001").unwrap().per(Window::Day))
        .events(sender)
        .build()
        .unwrap();
    for _ in 0..40 {
        call(&stack, false, ask().max_tokens(16)).await;
    }
    let said = decisions(&all(&mut receiver));
    for expected in ["all 50", "all 80", "refused all"] {
        assert!(said.iter().any(|said| said == expected), "{expected}: {said:?}");
    }
    assert_eq!(said.iter().filter(|said| *said == "all 50").count(), 1, "once");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_does_not_read_holds_no_call_up() {
    let world = World::new("500").await;
    let (sender, mut receiver) = channel(1);
    let stack = world.builder().chain([FIRST, SECOND]).events(sender).build().unwrap();
    for _ in 0..3 {
        assert_eq!(call(&stack, true, ask()).await.kind(), None);
    }
    assert_eq!(all(&mut receiver).len(), 1);
    assert!(receiver.lost() > 10, "{}", receiver.lost());
    drop(receiver);
    assert_eq!(call(&stack, true, ask()).await.kind(), None);
    // So is the attempt of a caller that leaves.
    let (sender, mut receiver) = channel(10);
    let stack = world.builder().chain([SECOND]).events(sender).build().unwrap();
    drop(stack.stream(ask()).await.unwrap());
    let events = all(&mut receiver);
    assert_eq!(lines(&events)[0].outcome, Outcome::Dropped, "{events:?}");
}
