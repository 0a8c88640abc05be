//! Callers that come, read, dawdle and leave as they like, over an upstream that does what it likes.

use std::time::Duration;

use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::time::{sleep, timeout};
use tower_llm_layers::Stage;

use super::TestService;
use crate::support::{
    Beat, Leaf, Step, TestFrame, ask, cases, in_virtual_time, join_all, millis, secs, step, streamed,
};

/// What one caller does.
#[derive(Debug, Clone)]
struct Caller {
    comes_after: u64,
    dawdles: u64,
    leaves_after: Option<usize>,
    patience: Duration,
}

fn caller() -> impl Strategy<Value = Caller> {
    let leaves = proptest::option::weighted(0.4, 0_usize..6);
    (0_u64..60, prop_oneof![2 => Just(0), 1 => 0_u64..50], leaves, 1_u64..400).prop_map(
        |(comes_after, dawdles, leaves_after, patience)| Caller {
            comes_after: comes_after * 500,
            dawdles,
            leaves_after,
            patience: secs(patience),
        },
    )
}

#[derive(Debug, PartialEq)]
enum Seen {
    Whole(Vec<TestFrame>),
    Part,
    Failed,
    Left,
    OutOfPatience,
}

async fn acts(service: &TestService, caller: &Caller) -> Seen {
    sleep(millis(caller.comes_after)).await;
    let reads = async {
        let Ok(response) = ask(service, streamed()).await else {
            return Seen::Failed;
        };
        let mut body = response.into_body();
        let mut frames: Vec<TestFrame> = Vec::new();
        loop {
            if caller.leaves_after.is_some_and(|most| frames.len() >= most) {
                return Seen::Left;
            }
            match body.frame().await {
                Some(Ok(frame)) => {
                    let frame = frame.into_data().expect("there are no trailers");
                    let last = frames.last().map_or(0, |last| last.index);
                    assert!(frames.is_empty() || frame.index > last, "in order");
                    frames.push(frame);
                }
                Some(Err(_)) => return Seen::Part,
                None => return Seen::Whole(frames),
            }
            sleep(millis(caller.dawdles)).await;
        }
    };
    timeout(caller.patience, reads).await.unwrap_or(Seen::OutOfPatience)
}

/// The frames that an upstream gives before it breaks, signs of life apart.
fn given(steps: &[Step]) -> Vec<Vec<Stage>> {
    let whole = steps.iter().filter_map(|step| match step {
        Step::Answer(_, beats) => beats
            .iter()
            .filter_map(|beat| match beat {
                Beat::Frame(stage) => Some(Some(*stage)),
                Beat::Fail(_) | Beat::Stall => Some(None),
                _ => None,
            })
            .collect::<Option<Vec<_>>>(),
        _ => None,
    });
    let ok = vec![Stage::Content, Stage::Finish];
    whole.chain([ok]).map(visible).collect()
}

fn visible(stages: Vec<Stage>) -> Vec<Stage> {
    stages.into_iter().filter(|stage| *stage != Stage::KeepAlive).collect()
}

fn never_ends(step: &Step) -> bool {
    match step {
        Step::Hang => true,
        Step::Answer(_, beats) => beats.iter().any(|beat| matches!(beat, Beat::Stall)),
        Step::Fail(..) => false,
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn every_caller_gets_a_whole_answer_or_an_error(
        steps in proptest::collection::vec(step(), 1..4),
        callers in proptest::collection::vec(caller(), 1..7),
    ) {
        in_virtual_time(async {
            let leaf = Leaf::new(steps.clone());
            let probe = leaf.probe();
            let service = super::over(leaf);
            let acting = callers.iter().map(|caller| acts(&service, caller));
            let seen = join_all(acting).await;
            let possible = given(&steps);
            let lasts: Duration = steps.iter().map(longest).sum();
            for (caller, seen) in callers.iter().zip(&seen) {
                match seen {
                    Seen::Whole(frames) => {
                        let stages = visible(frames.iter().map(|frame| frame.stage).collect());
                        assert!(possible.contains(&stages), "{stages:?} of {possible:?}");
                    }
                    Seen::OutOfPatience => {
                        let slow = lasts + millis(caller.dawdles * 20) >= caller.patience;
                        assert!(slow || steps.iter().any(never_ends), "{caller:?} hangs");
                    }
                    Seen::Part | Seen::Failed | Seen::Left => {}
                }
            }
            assert!(probe.calls() <= callers.len());
            assert_eq!(service.coalescable_calls(), 0);
            probe.assert_quiet();
        });
    }
}

/// The longest that a step takes.
fn longest(step: &Step) -> Duration {
    match step {
        Step::Hang => Duration::ZERO,
        Step::Fail(after, _) => *after,
        Step::Answer(after, beats) => beats.iter().fold(*after, |sum, beat| match beat {
            Beat::Pause(pause) => sum + *pause,
            _ => sum,
        }),
    }
}
