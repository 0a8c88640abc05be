//! Attempts never pass their caps, whatever happens upstream.

use proptest::{collection::vec, prelude::*};
use tower_llm_layers::{AttemptLog, Outcome, fallback::Chain, retry::RetryBudget};

use super::Stack;
use crate::support::{Leaf, ask, candidate, cases, in_virtual_time, read, step, streamed};

/// `a`, `b`, … each twice at most: at the router, and straight.
fn chain_of(length: usize) -> Chain {
    let names = ["a", "b", "direct/c", "d"].into_iter().take(length);
    Chain::new(names.map(candidate)).unwrap()
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn no_call_passes_its_cap_and_no_candidate_its_tries(
        steps in vec(step(), 40),
        length in 1_usize..=4,
        cap in 1_u32..8,
        tries in 1_u32..5,
        silent: bool,
    ) {
        in_virtual_time(async move {
            let leaf = Leaf::new(steps);
            let probe = leaf.probe();
            let budget = RetryBudget::new(10.0, 10.0);
            let stack = Stack { cap, tries, budget, silent, chain: chain_of(length) }.over(leaf);
            let mut request = streamed();
            request.body_mut().max_tokens = Some(400);
            let log = match ask(&stack, request).await {
                Ok(response) => {
                    let log = response.extensions().get::<AttemptLog>().unwrap().clone();
                    read(response.into_body()).await;
                    log
                }
                Err(error) => error.log().clone(),
            };
            let models = probe.models();
            prop_assert!(models.len() <= cap as usize, "{models:?}");
            prop_assert_eq!(log.sent(), models.len());
            for model in ["a", "b", "c", "d"] {
                let own = models.iter().filter(|asked| *asked == model).count();
                prop_assert!(own <= tries as usize, "{own} of {model}");
            }
            // In the order of the chain, and never back.
            prop_assert!(models.is_sorted(), "{models:?}");
            // One line each, numbered, and closed.
            let lines = log.attempts();
            let sent = lines.iter().filter(|line| line.outcome != Outcome::Skipped);
            for (number, line) in (1..).zip(sent) {
                prop_assert_eq!(line.number, number);
                prop_assert!(!matches!(line.outcome, Outcome::Waiting | Outcome::Answering));
                prop_assert!(line.duration.is_some());
            }
            probe.assert_quiet();
            Ok(())
        })?;
    }

    #[test]
    fn no_process_passes_its_ratio(
        steps in vec(vec(step(), 6), 60),
        percent in 0_u32..40,
    ) {
        in_virtual_time(async move {
            let ratio = f64::from(percent) / 100.0;
            let budget = RetryBudget::new(ratio, 0.0);
            let (mut retries, mut turns) = (0_usize, 0_usize);
            for steps in steps {
                let leaf = Leaf::new(steps);
                let probe = leaf.probe();
                let stack = Stack {
                    tries: 4,
                    budget: budget.clone(),
                    ..Stack::of(chain_of(3))
                };
                drop(ask(&stack.over(leaf), streamed()).await);
                let mut models = probe.models();
                let sent = models.len();
                models.dedup();
                retries += sent - models.len();
                turns += models.len();
                probe.assert_quiet();
            }
            let most = ratio * f64::from(u32::try_from(turns).unwrap());
            prop_assert!(f64::from(u32::try_from(retries).unwrap()) <= most + 1e-6);
            Ok(())
        })?;
    }
}
