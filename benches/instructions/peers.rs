//! Makes so many calls of one whole stack of a peer, or of ours with the same layers: the counterpart of `counted`.
//!
//! `counted_peers SUBJECT CALLS`

use std::env;
use std::error::Error;
use std::hint::black_box;

use tower_openrouter_subjects::leaf::Leaf;
use tower_openrouter_subjects::liter::{self, Theirs};
use tower_openrouter_subjects::{drive, ours, peers};

fn their_calls(times: usize, mut service: impl Theirs) {
    let request = liter::request();
    for _ in 0..times {
        assert!(
            drive::call(&mut service, black_box(&request).clone()).is_some(),
            "it answers"
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [subject, times] = &arguments[..] else {
        return Err("usage: counted_peers SUBJECT CALLS".into());
    };
    let times = times.parse()?;
    // Timers want a runtime to be there, though nothing here waits.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _inside = runtime.enter();
    match &**subject {
        "inner" => drive::calls(times, Leaf::new(1)),
        "ours_whole" => drive::calls(times, ours::ready_stack(1)),
        "ours_same" => drive::calls(times, ours::same_as_peers(Leaf::new(1))),
        "tower-resilience" => drive::calls(times, peers::resilience_stack(&Leaf::new(1))),
        "liter-llm_inner" => their_calls(times, liter::Leaf::default()),
        "liter-llm" => their_calls(times, liter::stack()),
        _ => return Err(format!("no subject is named `{subject}`").into()),
    }
    Ok(())
}
