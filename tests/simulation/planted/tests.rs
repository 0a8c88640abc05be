//! Each planted bug is found.

use super::Plant;
use crate::run::run;

/// Runs seeds until the bug is found, and asserts that it is found by this invariant, and not without the bug.
fn is_found(plant: Plant, by: &str) {
    is_found_in(plant, "", by);
}

/// The same in a call of one API.
fn is_found_in(plant: Plant, api: &str, by: &str) {
    let found = (0..2_000).find_map(|seed| {
        let report = run(seed, plant);
        let told = report
            .wrong
            .into_iter()
            .find(|wrong| wrong.contains(by) && wrong.contains(api));
        told.map(|told| (seed, told))
    });
    let Some((seed, told)) = found else {
        panic!("{plant:?} was not found in 2000 seeds");
    };
    println!("{plant:?} was found by seed {seed}: {told}");
    let without = run(seed, Plant::None).wrong;
    assert!(without.is_empty(), "seed {seed} fails without the bug: {without:#?}");
}

#[test]
fn an_attempt_that_is_sent_twice_is_found() {
    is_found(Plant::CallsTwice, "2 exchanges, 1 entries");
}

#[test]
fn an_interrupted_answer_that_ends_cleanly_is_found() {
    is_found(Plant::EndsCleanly, "invariant 2");
}

#[test]
fn a_forgotten_settle_is_found() {
    is_found(Plant::ForgetsSettle, "invariant 5");
}

#[test]
fn a_lost_entry_is_found() {
    is_found(Plant::DropsEntry, "1 exchanges, 0 entries");
}

#[test]
fn a_repeated_text_is_found() {
    is_found(Plant::RepeatsText, "invariant 3");
}

#[test]
fn a_leaked_reservation_is_found() {
    is_found(Plant::LeaksReservation, "reserved of");
}

#[test]
fn an_attempt_beyond_the_cap_is_found() {
    is_found(Plant::CapOffByOne, "invariant 4: call");
}

#[test]
fn a_doubled_usage_is_found() {
    is_found(Plant::DoublesUsage, "was charged and reported");
}

#[test]
fn a_held_connection_is_found() {
    is_found(Plant::HoldsConnection, "invariant 7");
}

#[test]
fn a_callers_mistake_that_opens_a_circuit_is_found() {
    is_found(Plant::TellsBreaker, "invariant 8");
}

#[test]
fn a_clock_that_goes_back_and_empties_accounts_is_found() {
    is_found(Plant::ForgetsOnStep, "settled and reserved");
}

#[test]
fn an_instruction_that_names_other_characters_is_found() {
    is_found(Plant::NamesOthers, "asked to begin with");
}

#[test]
fn an_answer_from_the_start_that_is_joined_is_found() {
    is_found(Plant::JoinsRestart, "invariant 3: it got");
}

#[test]
fn an_interrupted_answer_that_ends_cleanly_is_found_in_every_api_of_text() {
    for api in ["(responses ", "(messages "] {
        is_found_in(Plant::EndsCleanly, api, "invariant 2");
    }
}

#[test]
fn a_repeated_text_is_found_in_every_api_of_text() {
    for api in ["(responses ", "(messages "] {
        is_found_in(Plant::RepeatsText, api, "invariant 3");
    }
}

#[test]
fn a_doubled_usage_is_found_in_every_api() {
    for api in ["(responses)", "(messages)", "(embeddings)"] {
        is_found_in(Plant::DoublesUsage, api, "was charged and reported");
    }
}

#[test]
fn a_key_that_is_not_looked_at_is_found() {
    is_found(Plant::IgnoresKeys, "was answered, and made again");
}
