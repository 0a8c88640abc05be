//! One run: everything that a seed decides, from the first arrival to the checks.

use std::{
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{advance, sleep},
};
use tower_openrouter::layers::{UtcTime, budget::Window};

use super::{
    call::{Call, Form, Leave},
    caller::{Caller, Seen},
    checks::Evidence,
    planted::Plant,
    record::Record,
    setup::Setup,
    stack::{Built, build},
    upstream::Shared,
};

/// What came of a run.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// What is wrong; empty if all is well.
    pub(crate) wrong: Vec<String>,
    /// Everything that happened, in short: equal runs have equal traces.
    pub(crate) trace: u64,
    pub(crate) calls: usize,
    pub(crate) exchanges: usize,
    /// The setup, the calls and the exchanges, for people: of a run in which something is wrong, or that is to tell it.
    pub(crate) story: String,
}

/// After this every verdict must have ended.
const LONG: Duration = Duration::from_secs(26 * 3_600);

/// The whole story of one of so many runs is written, to be searched for keys.
const STORIES: u64 = 16;

/// Runs a seed.
pub(crate) fn run(seed: u64, plant: Plant) -> Report {
    run_and_tell(seed, plant, false)
}

/// The same, and tells the story of the run even if all is well.
pub(crate) fn run_and_tell(seed: u64, plant: Plant, tells: bool) -> Report {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(simulate(seed, plant, tells))
}

async fn simulate(seed: u64, plant: Plant, tells: bool) -> Report {
    let setup = Setup::of(seed);
    start_clock(setup.before_midnight).await;
    let record = Arc::new(Record::new());
    let shared = Arc::new(Shared {
        seed,
        setup: setup.clone(),
        record: Arc::clone(&record),
        plant,
    });
    let calls = Call::all(seed, &setup);
    let built = match build(&shared) {
        Ok(built) => built,
        Err(refused) => {
            let wrong = vec![format!("the builder refuses the setup: {refused}")];
            return Report {
                wrong,
                trace: 0,
                calls: 0,
                exchanges: 0,
                story: format!("{setup:#?}"),
            };
        }
    };
    let mut callers = JoinSet::new();
    for call in calls {
        callers.spawn(Caller::new(call, &built.stack, &record, &setup).run());
    }
    if let Some((at, by)) = setup.jump {
        sleep(at).await;
        advance(by).await;
    }
    let mut seen = Vec::new();
    let mut wrong = Vec::new();
    while let Some(joined) = callers.join_next().await {
        match joined {
            Ok(ended) => seen.push(ended),
            Err(panic) => wrong.push(format!("a caller's task panicked: {panic}")),
        }
        if !setup_excuses_circuits(&setup) {
            wrong.extend(record.read(|exchanges| built.open_circuits(exchanges)));
        }
    }
    record.recover();
    let after = afterwards(&setup, &built, &record).await;
    if let Some(reconciler) = &built.reconciler {
        if let (Some(_), Some(ledger)) = (setup.jump, &built.ledger) {
            // The jump ended the time in which bills are requested: a later run does so.
            reconciler.resume(ledger.entries());
        }
        sleep(LONG).await;
        let pending = reconciler.pending();
        if pending > 0 {
            wrong.push(format!("{pending} late bills are pending after a day"));
        }
    }
    let jumped = setup.jump.is_some();
    let evidence = Evidence {
        seed,
        setup: &setup,
        built: &built,
        seen,
        after,
        exchanges: record.exchanges(),
        entries: built.ledger.as_ref().map(|ledger| ledger.entries()),
        took: record.now(),
        jumped,
    };
    wrong.extend(record.all_wrong());
    wrong.extend(evidence.wrong());
    // Text of every run is searched for keys; the whole story takes longer to write than many a run.
    let is_written = tells || !wrong.is_empty() || seed.is_multiple_of(STORIES);
    let story = if is_written {
        story(&evidence)
    } else {
        errors(&evidence)
    };
    if story.contains("sk-or-v1-simulated") {
        wrong.push(
            "invariant 9: a key is printed in an error, a log of attempts, an entry, or the description".to_owned(),
        );
    }
    wrong.dedup();
    Report {
        wrong,
        trace: trace(&evidence),
        calls: evidence.seen.len(),
        exchanges: evidence.exchanges.len(),
        story,
    }
}

/// Runs the clock to a time of day that the seed decides: so long before a month begins.
async fn start_clock(before: Duration) {
    let now = UtcTime::now();
    let month = Window::Month.end(now).unwrap();
    let start = month.before(before);
    // Within the last minutes of a month the next one's end is as good.
    let start = if start > now {
        start
    } else {
        Window::Month.end(month).unwrap().before(before)
    };
    advance(start.since(now)).await;
}

/// A jump of the clock, or a slow first token that counts, excuses an open circuit.
fn setup_excuses_circuits(setup: &Setup) -> bool {
    setup.jump.is_some() || setup.slow_circuits
}

/// Calls after a long time in which the upstream is well.
async fn afterwards(setup: &Setup, built: &Built, record: &Arc<Record>) -> Vec<(Call, Seen)> {
    sleep(LONG).await;
    let mut after = Vec::new();
    for index in 0..6 {
        let call = Call {
            index: 1_000 + index,
            at: Duration::from_secs(120),
            question: index,
            tenant: 0,
            api: tower_openrouter::Api::Chat,
            form: Form::Stream,
            leave: Leave::Never,
            deadline: None,
            max_tokens: Some(40),
            reads_slowly: None,
            model: None,
            is_pinned: false,
            is_batch: false,
            has_tags: true,
            bypasses_cache: false,
            key: None,
        };
        after.push(Caller::new(call, &built.stack, record, setup).run().await);
    }
    after
}

fn trace(evidence: &Evidence<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for exchange in &evidence.exchanges {
        (
            exchange.call,
            exchange.attempt,
            &exchange.model,
            exchange.began,
            exchange.closed,
        )
            .hash(&mut hasher);
        (exchange.taken, exchange.fate).hash(&mut hasher);
    }
    for (call, seen) in &evidence.seen {
        (call.index, &seen.text, seen.ended, format!("{:?}", seen.ending)).hash(&mut hasher);
    }
    hasher.finish()
}

/// What the errors of all calls say.
fn errors(evidence: &Evidence<'_>) -> String {
    let all = evidence.seen.iter().chain(&evidence.after);
    all.map(|(_, seen)| seen.error.as_str()).collect()
}

fn story(evidence: &Evidence<'_>) -> String {
    let mut story = format!("{:#?}\n{}\n", evidence.setup, evidence.built.stack.describe());
    for (call, seen) in evidence.seen.iter().chain(&evidence.after) {
        writeln!(story, "\n{call:?}\n  {seen:?}").unwrap();
        for exchange in evidence.exchanges.iter().filter(|exchange| exchange.call == call.index) {
            let Some(bytes) = exchange.written.bytes.get(..exchange.taken) else {
                continue;
            };
            writeln!(
                story,
                "  attempt {} {} {:?} {:?} to {:?}, shown {:?}, whole {:?}, dropped {}, charge {}: {}",
                exchange.attempt,
                exchange.model,
                exchange.fate,
                exchange.began,
                exchange.closed,
                exchange.shown,
                exchange.whole,
                exchange.was_dropped,
                exchange.charge,
                String::from_utf8_lossy(bytes).escape_debug()
            )
            .unwrap();
        }
    }
    for entry in evidence.entries.iter().flatten() {
        writeln!(story, "{entry:?}").unwrap();
    }
    story
}
