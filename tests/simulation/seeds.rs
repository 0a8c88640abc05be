//! Seeds, one after the other, in four shards; each that fails is printed with the command that replays it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    planted::Plant,
    run::{Report, run, run_and_tell},
};

/// Shards run side by side.
const SHARDS: u64 = 4;

/// Seeds of a run that does not say how many.
const SEEDS: u64 = 2_000;

/// A shard tells its progress after so many seeds.
const PROGRESS: u64 = 250;

/// Failing seeds after which a shard ends.
const ENOUGH: usize = 5;

fn variable(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse()
        .unwrap_or_else(|_| panic!("{name}={text:?}: give a number"))
}

/// Runs the seeds of this shard.
fn shard(number: u64) {
    let (first, count) = (variable("FIRST_SEED", 0), variable("SEEDS", SEEDS));
    let (mut done, mut calls, mut exchanges) = (0, 0, 0);
    let mut failed = Vec::new();
    for seed in (first..first + count).filter(|seed| seed % SHARDS == number) {
        let report = well(seed, Plant::None, count == 1);
        (calls, exchanges) = (calls + report.calls, exchanges + report.exchanges);
        done += 1;
        if count == 1 {
            eprintln!("{}", report.story);
        }
        if !report.wrong.is_empty() {
            let told = format!("seed {seed}: {:#?}\n  replay: {}", report.wrong, command(seed));
            eprintln!("{told}");
            failed.push(told);
        }
        if done % PROGRESS == 0 {
            let failures = failed.len();
            eprintln!(
                "shard {number}: {done} seeds, {calls} calls, {exchanges} exchanges, {failures} failed; resume with FIRST_SEED={}",
                seed + 1
            );
        }
        if failed.len() >= ENOUGH {
            break;
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A run; a panic is one more thing that is wrong.
fn well(seed: u64, plant: Plant, tells: bool) -> Report {
    catch_unwind(AssertUnwindSafe(|| run_and_tell(seed, plant, tells))).unwrap_or_else(|panic| {
        let told = panic.downcast_ref::<String>().cloned();
        let told = told.or_else(|| panic.downcast_ref::<&str>().map(|told| (*told).to_owned()));
        Report {
            wrong: vec![format!("panicked: {}", told.unwrap_or_default())],
            trace: 0,
            calls: 0,
            exchanges: 0,
            story: String::new(),
        }
    })
}

fn command(seed: u64) -> String {
    format!("FIRST_SEED={seed} SEEDS=1 cargo test --all-features --test simulation seeds -- --nocapture")
}

#[test]
fn seeds_of_shard_0_hold_the_invariants() {
    shard(0);
}

#[test]
fn seeds_of_shard_1_hold_the_invariants() {
    shard(1);
}

#[test]
fn seeds_of_shard_2_hold_the_invariants() {
    shard(2);
}

#[test]
fn seeds_of_shard_3_hold_the_invariants() {
    shard(3);
}

/// A seed that is replayed does the same again.
#[test]
fn a_seed_decides_everything() {
    for seed in 0..25 {
        let [one, other] = [(); 2].map(|()| run(seed, Plant::None));
        if one.trace != other.trace {
            let [one, other] = [(); 2].map(|()| run_and_tell(seed, Plant::None, true).story);
            panic!("seed {seed}: {one}\n\n{other}");
        }
    }
}
