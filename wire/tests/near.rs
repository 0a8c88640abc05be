//! Texts that are near to those of a kept corpus: the harness of the tests that give a reader any bytes.
//!
//! A run is short. With `TOWER_OPENROUTER_PROPERTY_SECONDS` set, each reader is tried for that long with other seeds; put the bytes of a failure into
//! the folder of its reader in `wire/tests/corpus`.

use std::{
    fs,
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

/// The kept texts for one reader.
fn corpus(reader: &str) -> Vec<Vec<u8>> {
    let folder = format!("{CORPUS}/{reader}");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "a corpus of nothing proves nothing");
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
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

const TOKENS: [&str; 30] = [
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

/// Tries a reader on its corpus as it is, and on texts near to it.
pub(crate) fn try_reader(reader: &str, test: impl Fn(&Bytes) -> Result<(), TestCaseError>) {
    let texts = corpus(reader);
    for text in &texts {
        let text = Bytes::from(text.clone());
        assert!(test(&text).is_ok(), "{reader}: {:?}", String::from_utf8_lossy(&text));
    }
    let seconds = std::env::var("TOWER_OPENROUTER_PROPERTY_SECONDS").ok();
    let time = seconds.map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds.parse().unwrap()));
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
