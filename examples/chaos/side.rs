//! One side of the comparison: calls of one service to its own simulator.

use std::{cell::RefCell, rc::Rc, time::Duration};

use openrouter_simulator::Simulator;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tower_openrouter::{Answer, BoxStack, ChatRequest, ChatServiceExt, Error};

use crate::{
    storm::{ALL_DOWN, CALLS_A_SECOND, FIRST, SECONDS, turn},
    support::Fallible,
    tally::{Call, Outcome, Tally, share},
};

/// The longest wait of a caller for the whole answer.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct Side {
    pub(crate) name: &'static str,
    simulator: Simulator,
    service: BoxStack,
    pub(crate) tally: Rc<RefCell<Tally>>,
}

impl Side {
    pub(crate) fn new(name: &'static str, simulator: Simulator, service: BoxStack) -> Self {
        Self {
            name,
            simulator,
            service,
            tally: Rc::default(),
        }
    }

    /// Sends the same calls at the same times on every side, however they end, and sets the faults of each second.
    pub(crate) async fn run(&self, begun: Instant) -> Fallible {
        let mut calls = JoinSet::new();
        for number in 0..SECONDS * CALLS_A_SECOND {
            sleep_until(begun + Duration::from_millis(number * 1000 / CALLS_A_SECOND)).await;
            if number % CALLS_A_SECOND == 0 {
                turn(&self.simulator, number / CALLS_A_SECOND)?;
            }
            let (service, tally) = (self.service.clone(), Rc::clone(&self.tally));
            calls.spawn_local(async move {
                let call = call(&service, number, begun).await;
                tally.borrow_mut().note(call);
            });
        }
        while let Some(ended) = calls.join_next().await {
            ended?;
        }
        Ok(())
    }

    /// What the upstream billed, in dollars.
    pub(crate) fn billed(&self) -> f64 {
        self.simulator
            .billed_total()
            .to_string()
            .trim_start_matches('$')
            .parse()
            .unwrap_or(0.0)
    }

    /// The same for each answer of a model, in dollars. Failed attempts count; a canned reply is free and no answer of a model.
    pub(crate) fn billed_an_answer(&self) -> f64 {
        let answered = u32::try_from(self.tally.borrow().of_a_model()).unwrap_or(u32::MAX);
        self.billed() / f64::from(answered.max(1))
    }

    /// Attempts per call while all models were down, without the first two seconds.
    pub(crate) fn attempts_a_call_in_the_outage(&self) -> f64 {
        let from = ALL_DOWN.start + 2;
        let seen = self.simulator.report();
        let [from_time, end] = [from, ALL_DOWN.end].map(Duration::from_secs);
        let first = seen.attempts.first().map(|attempt| attempt.at).unwrap_or_default();
        let attempts = seen.attempts.iter().map(|attempt| attempt.at.saturating_sub(first));
        let attempts = attempts.filter(|at| *at >= from_time && *at < end).count();
        share(
            attempts,
            usize::try_from((ALL_DOWN.end - from) * CALLS_A_SECOND).unwrap_or(usize::MAX),
        )
    }
}

async fn call(service: &BoxStack, number: u64, begun: Instant) -> Call {
    let started = Instant::now();
    let mut first_token = None;
    let answered = async {
        let request = ChatRequest::user("How do tides work?").model(FIRST);
        let mut answer: Answer<_> = service.stream(request).await?;
        while let Some(text) = answer.next_text().await {
            text?;
            first_token.get_or_insert_with(|| started.elapsed());
        }
        Ok::<_, Error>(answer.degraded())
    };
    let outcome = match timeout(CALL_DEADLINE, answered).await {
        Ok(Ok(_)) if first_token.is_none() => Outcome::Failed("empty"),
        Ok(Ok(Some(mark))) => Outcome::Degraded(mark.source),
        Ok(Ok(None)) => Outcome::Full,
        Ok(Err(error)) => Outcome::Failed(error.kind().as_str()),
        Err(_) => Outcome::Failed("caller's deadline"),
    };
    Call {
        number,
        began: started - begun,
        ended: begun.elapsed(),
        first_token,
        outcome,
    }
}
