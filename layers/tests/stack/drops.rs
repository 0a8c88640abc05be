//! A caller that leaves at any instant leaves nothing behind.

use std::pin::pin;

use proptest::{collection::vec, prelude::*};
use tower_llm_layers::Outcome;

use super::Stack;
use crate::support::{Leaf, ask, cases, chain, in_virtual_time, millis, read, step, streamed};

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_drop_at_any_instant_closes_every_line(
        steps in vec(step(), 40),
        leaves_at in prop_oneof![0_u64..3_000, 0_u64..60_000],
        ready_after in prop_oneof![Just(0_u64), 0_u64..2_000],
    ) {
        in_virtual_time(async move {
            let leaf = Leaf::new(steps).ready_after(millis(ready_after));
            let probe = leaf.probe();
            let limited = tower::limit::ConcurrencyLimit::new(leaf, 1);
            let stack = Stack::of(chain(["a", "b", "c"])).over(limited);
            let whole = async {
                if let Ok(response) = ask(&stack, streamed()).await {
                    read(response.into_body()).await;
                }
            };
            {
                let whole = pin!(whole);
                let _left = tokio::time::timeout(millis(leaves_at), whole).await;
            }
            probe.assert_quiet();
            prop_assert!(probe.counts().peak <= 1);
            for seen in probe.seen() {
                for line in seen.log.unwrap().attempts() {
                    prop_assert!(
                        !matches!(line.outcome, Outcome::Waiting | Outcome::Answering),
                        "{}", line
                    );
                }
            }
            // The permit is back.
            let next = tokio::time::timeout(millis(ready_after + 1), async {
                tower::ServiceExt::ready(&mut stack.clone()).await.is_ok()
            });
            prop_assert_eq!(next.await, Ok(true));
            Ok(())
        })?;
    }
}
