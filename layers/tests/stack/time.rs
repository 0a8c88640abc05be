//! An answer or a typed error by the deadline, whatever happens upstream.

use proptest::{collection::vec, prelude::*};
use tokio::time::Instant;
use tower_llm_layers::{FailureKind, Phase, Stage};

use super::Stack;
use crate::support::{
    Beat, Leaf, Step, ask, cases, chain, fails, in_virtual_time, millis, read, secs, step, streamed, within,
};

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn everything_ends_by_the_deadline(
        steps in vec(step(), 40),
        tries in 1_u32..5,
        limit in 1_u64..90_000,
    ) {
        in_virtual_time(async move {
            let leaf = Leaf::new(steps);
            let probe = leaf.probe();
            let stack = Stack { tries, ..Stack::of(chain(["a", "b", "c"])) }.over(leaf);
            let mut request = streamed();
            let left = format!("{limit}ms");
            request.headers_mut().insert("x-request-timeout-ms", left.parse().unwrap());
            let begun = Instant::now();
            let (shown, error) = match ask(&stack, request).await {
                Ok(response) => {
                    let shown = Some(probe.calls());
                    (shown, read(response.into_body()).await.error)
                }
                Err(error) => (None, Some(error)),
            };
            prop_assert!(begun.elapsed() <= millis(limit), "{:?}", begun.elapsed());
            for seen in probe.seen() {
                prop_assert!(seen.remaining.unwrap() > secs(0), "sent past the deadline");
            }
            if let Some(calls) = shown {
                prop_assert_eq!(probe.calls(), calls, "nothing is sent once content was shown");
            }
            if begun.elapsed() < millis(limit)
                && let Some(error) = error
            {
                prop_assert_ne!(error.kind, FailureKind::Timeout(Phase::Deadline));
            }
            probe.assert_quiet();
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn no_back_off_readiness_or_stream_outlives_it() {
    let stall = Step::body([Beat::Frame(Stage::Content), Beat::Pause(secs(29)), ALIVE, Beat::Stall]);
    let rows = [
        (Leaf::new([Step::Hang]), 7),
        (Leaf::new([stall]), 40),
        (
            Leaf::new([Step::fail(fails(FailureKind::Reset))]).ready_after(secs(60)),
            50,
        ),
    ];
    for (leaf, limit) in rows {
        let probe = leaf.probe();
        let stack = Stack::of(chain(["a"])).over(leaf);
        let mut request = streamed();
        let begun = Instant::now();
        let (error, _) = within(async {
            // The time of the first readiness is the caller's own.
            let mut stack = stack.clone();
            let ready = tower::ServiceExt::ready(&mut stack).await.unwrap();
            let end = Instant::now() + secs(limit);
            request.body_mut().call.limit_deadline(end);
            let error = match Box::pin(tower::Service::call(ready, request)).await {
                Ok(response) => read(Box::pin(response.into_body())).await.error.unwrap(),
                Err(error) => error,
            };
            assert_eq!(Instant::now(), end);
            error
        })
        .await;
        assert!(begun.elapsed() >= secs(limit));
        assert_eq!(error.kind, FailureKind::Timeout(Phase::Deadline));
        probe.assert_quiet();
    }
}

const ALIVE: Beat = Beat::Frame(Stage::KeepAlive);
