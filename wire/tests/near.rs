//! Texts that are near to those of a kept corpus: the harness of the tests that give a reader any bytes.
//!
//! A run is short. With `TOWER_OPENROUTER_PROPERTY_SECONDS` set, each test runs for so many seconds with other seeds, and its readers have equal
//! shares of them, but no reader less than one round. `scripts/test --properties SECONDS` sets it so that all tests together have that time. By hand,
//! give nextest `--profile properties` as well: the default profile ends a test after two minutes. Put the bytes of a failure into the folder of its
//! reader in `wire/tests/corpus`.

use std::{
    fmt, fs,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngSeed, TestCaseError, TestRunner},
};

use super::CORPUS;

/// How many texts a reader is given if no time is set.
const TEXTS: u32 = 160;
/// The longest text.
const LONGEST: usize = 4096;

/// The kept texts for one reader, each with the name of its file.
pub(crate) fn kept(reader: &str) -> Vec<(String, Bytes)> {
    let folder = format!("{CORPUS}/{reader}");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "a corpus of nothing proves nothing");
    let named = |file: std::path::PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        (name, Bytes::from(fs::read(file).unwrap()))
    };
    files.into_iter().map(named).collect()
}

/// Whether a member of this name has a value somewhere in a text, and not null.
pub(crate) fn has_value(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let rest = text.get(at + name.len()..).unwrap_or_default();
        let value = rest.trim_start_matches(|mark: char| mark.is_whitespace() || matches!(mark, '"' | '\\' | ':'));
        !value.is_empty() && !value.starts_with("null")
    })
}

/// One thing that is done to a text.
#[derive(Debug, Clone)]
enum Edit {
    Cut(Index),
    Remove(Index, Index),
    Repeat(Index, Index),
    Insert(Index, Vec<u8>),
    Flip(Index, u8),
    Join(Index, Vec<u8>),
}

const TOKENS: &[&str] = &[
    "data: ",
    "\n",
    "\n\n",
    "\r",
    "\r\n",
    "[DONE]",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\ud83d",
    "\\u0000",
    "null",
    "NaN",
    "1e999",
    "\u{feff}",
    ": x\n",
    "event: error\n",
    "\"error\":",
    "\"choices\":",
    "\"delta\":",
    "\"message\":",
    "\"usage\":",
    "\"finish_reason\":\"stop\"",
    "event: ",
    "event: ping\n",
    "\"type\":",
    "\"type\":\"error\",",
    "response.",
    "response.completed",
    "response.output_item.done",
    "\"response\":{",
    "\"output\":[",
    "\"item\":",
    "\"status\":\"completed\"",
    "\"sequence_number\":",
    "message_start",
    "message_delta",
    "message_stop",
    "content_block",
    "\"content_block\":{",
    "\"content\":[",
    "\"stop_reason\":\"end_turn\"",
    "\"index\":",
    "\"data\":[",
    "\"embedding\":",
    "\"embedding\":[",
    "AAAAPw==",
    "\"input\":",
    "\"model\":",
    "\"stream\":true",
    "<html>",
    "\0",
];

fn edit(texts: Vec<Vec<u8>>) -> impl Strategy<Value = Edit> {
    let token = || select(TOKENS.to_vec()).prop_map(|token| token.as_bytes().to_vec());
    let index = any::<Index>;
    prop_oneof![
        1 => index().prop_map(Edit::Cut),
        1 => (index(), index()).prop_map(|(from, to)| Edit::Remove(from, to)),
        1 => (index(), index()).prop_map(|(from, to)| Edit::Repeat(from, to)),
        3 => (index(), token()).prop_map(|(at, token)| Edit::Insert(at, token)),
        1 => (index(), any::<u8>()).prop_map(|(at, byte)| Edit::Flip(at, byte)),
        1 => (index(), select(texts)).prop_map(|(at, text)| Edit::Join(at, text)),
    ]
}

fn edited(mut text: Vec<u8>, edits: Vec<Edit>) -> Bytes {
    for edit in edits {
        let end = text.len() + 1;
        let range = |from: Index, to: Index| {
            let (from, to) = (from.index(end), to.index(end));
            from.min(to)..from.max(to)
        };
        match edit {
            Edit::Cut(at) => text.truncate(at.index(end)),
            Edit::Remove(from, to) => drop(text.drain(range(from, to))),
            Edit::Repeat(from, to) => {
                let piece = text[range(from, to)].to_vec();
                text.extend(piece);
            }
            Edit::Insert(at, token) => drop(text.splice(at.index(end)..at.index(end), token)),
            Edit::Flip(at, byte) if !text.is_empty() => {
                let at = at.index(text.len());
                text[at] ^= byte;
            }
            Edit::Flip(..) => {}
            Edit::Join(at, other) => {
                text.truncate(at.index(end));
                text.extend(other);
            }
        }
    }
    text.truncate(LONGEST);
    text.into()
}

/// Tries readers that need nothing but the text. Once in a test: its time is shared among the folders.
pub(crate) fn try_reader(folders: &[&str], test: impl Fn(&Bytes) -> Result<(), TestCaseError>) {
    let readers: Vec<_> = folders.iter().map(|folder| ((), *folder)).collect();
    try_readers(&readers, |(), text| test(text));
}

/// The same of readers with a key, such as the API that they read: each is tried on its corpus as it is, and on texts near to it.
pub(crate) fn try_readers<K: Copy + fmt::Debug>(
    readers: &[(K, &str)],
    test: impl Fn(K, &Bytes) -> Result<(), TestCaseError>,
) {
    // By these names `scripts/test --properties` counts the tests. A test has a thread of its own, unless all of them share the main one.
    let thread = std::thread::current();
    let test_name = thread
        .name()
        .filter(|name| *name != "main")
        .and_then(|name| name.rsplit("::").next());
    assert!(
        test_name.is_none_or(|name| name.starts_with("any_")),
        "name it any_…: {test_name:?}"
    );
    let seconds = std::env::var("TOWER_OPENROUTER_PROPERTY_SECONDS").ok();
    let seconds: f64 = seconds.map_or(0.0, |seconds| seconds.parse().unwrap());
    let share = Duration::from_secs_f64(seconds) / u32::try_from(readers.len()).unwrap();
    for (key, folder) in readers {
        try_one(&format!("{key:?} {folder}"), kept(folder), share, |text| {
            test(*key, text)
        });
    }
}

fn try_one(
    reader: &str,
    kept: Vec<(String, Bytes)>,
    time: Duration,
    test: impl Fn(&Bytes) -> Result<(), TestCaseError>,
) {
    for (name, text) in &kept {
        let result = test(text);
        assert!(result.is_ok(), "{reader}/{name}: {}", result.unwrap_err());
    }
    let texts: Vec<Vec<u8>> = kept.into_iter().map(|(_, text)| text.to_vec()).collect();
    #[expect(clippy::disallowed_methods, reason = "real time: what is tried has no clock")]
    let begun = Instant::now();
    for seed in 0xB17E5_u64.. {
        let config = Config {
            cases: TEXTS,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(seed),
            ..Config::default()
        };
        let near =
            (select(texts.clone()), vec(edit(texts.clone()), 1..5)).prop_map(|(text, edits)| edited(text, edits));
        let result = TestRunner::new(config).run(&near, |text| test(&text));
        assert!(result.is_ok(), "{reader}, seed {seed:#x}: {}", result.unwrap_err());
        if begun.elapsed() >= time {
            return;
        }
    }
}
