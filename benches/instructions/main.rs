//! Makes so many calls of one subject, and nothing else: for callgrind and dhat, which count what the process does.
//!
//! `counted SUBJECT CALLS`, or `counted sizes` for the sizes of types; `benches/instructions/run` starts it twice for each subject and
//! prints the difference by call.
#![expect(clippy::print_stdout, reason = "the table of sizes is what it is for")]

// The subjects of the other benches, without the peers' graphs, which take minutes to link.
#[path = "../subjects/src/answers.rs"]
#[expect(dead_code, unreachable_pub, reason = "the other benches use the rest")]
mod answers;
mod dialects;
#[path = "../subjects/src/drive.rs"]
#[expect(dead_code, unreachable_pub, reason = "the other benches use the rest")]
mod drive;
#[path = "../subjects/src/events.rs"]
#[expect(unreachable_pub, reason = "it is a part of a library")]
mod events;
#[path = "../subjects/src/failing.rs"]
#[expect(unreachable_pub, reason = "it is a part of a library")]
mod failing;
mod layers;
#[path = "../subjects/src/leaf.rs"]
#[expect(unreachable_pub, reason = "it is a part of a library")]
mod leaf;
#[path = "../subjects/src/ours.rs"]
#[expect(dead_code, unreachable_pub, reason = "the other benches use the rest")]
mod ours;
#[path = "../subjects/src/pieces.rs"]
#[expect(unreachable_pub, reason = "it is a part of a library")]
mod pieces;
#[path = "../subjects/src/prompt.rs"]
#[expect(dead_code, unreachable_pub, reason = "the other benches use the rest")]
mod prompt;
mod readers;
mod sizes;
mod typed;

use std::env;
use std::error::Error;

/// What is counted, and what one call of it is.
fn count(subject: &str, calls: usize) -> bool {
    layers::count(subject, calls)
        || readers::count(subject, calls)
        || typed::count(subject, calls)
        || dialects::count(subject, calls)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["sizes"] => sizes::print(),
        [subject, calls] => {
            // Layers' timers want a runtime to be there, though nothing here waits.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            let _inside = runtime.enter();
            if !count(subject, calls.parse()?) {
                return Err(format!("no subject is named `{subject}`").into());
            }
        }
        _ => return Err("usage: counted SUBJECT CALLS, or counted sizes".into()),
    }
    Ok(())
}
