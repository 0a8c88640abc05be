//! What the crates below log, alone in its process: a subscriber is seen by all threads' callsites.

use std::sync::atomic::Ordering;

use crate::support::{
    ask, call,
    log::Log,
    raw::{Raw, chunk, done, echoes, events},
};

/// With every crate below logging all it can.
#[tokio::test(start_paused = true)]
async fn no_crate_below_logs_the_key() {
    let (log, guard) = Log::listen("trace");
    let mut scripts = echoes();
    scripts.push(vec![events(), chunk("Sky", "\"stop\""), done()]);
    let count = scripts.len();
    let (raw, turn) = Raw::in_turn(scripts).await;
    let stack = raw.alone();
    for number in 0..count {
        turn.store(number, Ordering::Relaxed);
        let got = call(&stack, true, ask()).await;
        assert_eq!(got.error.is_none(), number + 1 == count);
    }
    drop(guard);
    let logged = log.text();
    assert!(
        logged.contains("attempt failed") && logged.contains("hyper"),
        "{logged}"
    );
    let leak = logged
        .lines()
        .find(|line| line.contains("s3cr3") || line.contains("Why is the sky"));
    assert_eq!(leak, None);
}
