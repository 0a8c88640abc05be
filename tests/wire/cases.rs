//! The recorded responses in `cases/`, byte for byte: `cases/table.tsv` says of each file what every way to call must give.
//!
//! A `p-` file answers a plain call and an `s-` file a stream. A `.parts.jsonl` file has pieces, each with the seconds to wait before it.

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use serde_json::Value;

use super::{Case, assert_bad, assert_good};
use crate::support::raw::{Step, send};

const TABLE: &str = "table.tsv";

/// What the table says of one file.
struct Row {
    file: &'static str,
    is_good: bool,
    /// The text of a good answer; of a bad one, what a stream shows before it fails.
    text: &'static str,
    /// The upstream's words in the error, if it sent some.
    words: &'static str,
    /// What the document of a good answer has.
    has: &'static str,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire/cases")
}

fn rows() -> Vec<Row> {
    let table: &'static str = fs::read_to_string(folder().join(TABLE)).unwrap().leak();
    table.lines().skip(1).map(row).collect()
}

fn row(line: &'static str) -> Row {
    let columns: Vec<&'static str> = line.split('\t').collect();
    let [file, answer, text, words, has, what] = *columns else {
        panic!("six columns: {line}");
    };
    assert!(!what.is_empty(), "{file}: what is it?");
    assert!(file.starts_with("p-") || file.starts_with("s-"), "{file}");
    let is_good = answer == "good";
    assert!(is_good || answer == "bad", "{file}: {answer}");
    let unused = if is_good { words } else { has };
    assert!(unused.is_empty(), "{file}: {unused} is not checked");
    Row {
        file,
        is_good,
        text,
        words,
        has,
    }
}

fn case(file: &'static str) -> Case {
    let bytes = fs::read(folder().join(file)).unwrap();
    let steps = if file.ends_with(".parts.jsonl") {
        String::from_utf8(bytes).unwrap().lines().flat_map(timed).collect()
    } else {
        vec![send(bytes)]
    };
    Case {
        what: file,
        streamed: file.starts_with("s-"),
        steps,
    }
}

fn timed(line: &str) -> [Step; 2] {
    let piece: Value = serde_json::from_str(line).unwrap();
    let wait = Duration::from_secs_f64(piece["wait"].as_f64().unwrap());
    [Step::Wait(wait), send(piece["text"].as_str().unwrap())]
}

/// All rows of this kind, each in every form.
async fn run(kind: &str, is_good: bool) {
    let all = rows().into_iter();
    let rows: Vec<Row> = all
        .filter(|row| row.is_good == is_good && row.file.starts_with(kind))
        .collect();
    assert!(!rows.is_empty());
    for row in rows {
        let case = case(row.file);
        if is_good {
            assert_good(&case, row.text, row.has).await;
        } else {
            assert_bad(&case, row.text, row.words).await;
        }
    }
}

#[test]
fn every_file_has_a_row_and_every_row_has_a_file() {
    let rows = rows();
    let named: BTreeSet<String> = rows.iter().map(|row| row.file.to_owned()).collect();
    assert_eq!(named.len(), rows.len(), "a file has two rows");
    let files = fs::read_dir(folder()).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|file| file != TABLE).collect();
    assert_eq!(files, named);
}

#[tokio::test(start_paused = true)]
async fn good_plain_answers_are_read_in_every_form() {
    run("p-", true).await;
}

#[tokio::test(start_paused = true)]
async fn bad_plain_answers_are_failures_in_every_form() {
    run("p-", false).await;
}

#[tokio::test(start_paused = true)]
async fn good_streams_are_read_in_every_form() {
    run("s-", true).await;
}

#[tokio::test(start_paused = true)]
async fn bad_streams_are_failures_in_every_form() {
    run("s-", false).await;
}
