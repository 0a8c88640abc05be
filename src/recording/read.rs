//! Reads a recording. What cannot be read is named by its line, and does not block what comes after it.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use tower_llm_layers::UtcTime;

use super::record::{RecordedAttempt, RecordedCall, RecordingLine, VERSION};

/// The longest line that is read, in bytes.
const LONGEST_LINE: u64 = 16 << 20;
/// The most lines that are named.
const MOST_NAMED: usize = 20;
/// A year: no recording has a longer time in it.
const LONGEST_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

/// A recording that was read.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Recording {
    /// When it began.
    pub began: UtcTime,
    /// The calls in the order in which they came; their times count from `began`.
    pub calls: Vec<RecordedCall>,
    /// Calls that the recorder could not write.
    pub lost: u64,
    /// The first lines that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// How many there are.
    pub unreadable_lines: u64,
    /// Whether the last line was cut, as by a process that was killed. It counts as not written.
    pub is_truncated: bool,
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it. It never repeats the line.
    pub problem: String,
}

/// Why a file is no recording.
#[derive(Debug)]
#[non_exhaustive]
pub enum RecordingError {
    /// It cannot be read.
    Io(io::Error),
    /// It does not begin with the header of a recording.
    NoHeader {
        /// The line, from 1.
        line: u64,
    },
    /// Another version has written it.
    Version {
        /// The line, from 1.
        line: u64,
        /// The version that it says.
        found: u32,
    },
    /// There is no call in it.
    NoCalls {
        /// How many lines it has.
        lines: u64,
        /// The first line that could not be read.
        unreadable: Option<Unreadable>,
    },
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NoHeader { line } => write!(
                f,
                "line {line}: not a recording: it begins with a line `{{\"recording\": …}}`, as a recorder writes it"
            ),
            Self::Version { line, found } => write!(
                f,
                "line {line}: version {found} of the format, and this program reads up to {VERSION}: use the program that has written it, or a newer one"
            ),
            Self::NoCalls { lines, unreadable } => {
                write!(f, "no call in its {lines} lines")?;
                match unreadable {
                    Some(first) => write!(f, "; line {}: {}", first.line, first.problem),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for RecordingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for RecordingError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Recording {
    /// Reads a file. Waits for the disk.
    ///
    /// # Errors
    ///
    /// If it is no recording of a version that is known, or has no call.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        Self::read(BufReader::new(File::open(path)?))
    }

    /// Reads a recording from anywhere.
    ///
    /// # Errors
    ///
    /// If it is no recording of a version that is known, or has no call.
    pub fn read(mut from: impl BufRead) -> Result<Self, RecordingError> {
        let mut recording = Self::default();
        // When the first recording and the present one of the file began.
        let mut began: Option<(u64, u64)> = None;
        let (mut bytes, mut number) = (Vec::new(), 0);
        while let Some(is_whole) = next_line(&mut from, &mut bytes)? {
            number += 1;
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            match (serde_json::from_slice(&bytes), began) {
                (Ok(RecordingLine::Recording(header)), _) => {
                    if header.version != VERSION {
                        let found = header.version;
                        return Err(RecordingError::Version { line: number, found });
                    }
                    let first = began.map_or(header.began_ms, |(first, _)| first);
                    began = Some((first, header.began_ms));
                }
                (_, None) => return Err(RecordingError::NoHeader { line: number }),
                (Ok(RecordingLine::Lost(lost)), _) => recording.lost = recording.lost.saturating_add(lost.calls),
                (Ok(RecordingLine::Call(mut call)), Some((first, present))) => {
                    if call.is_possible() {
                        call.shift(present.saturating_sub(first).min(LONGEST_MS));
                        recording.calls.push(*call);
                    } else {
                        recording.cannot_read(number, "a time beyond a year".to_owned());
                    }
                }
                (Err(_), _) if !is_whole => recording.is_truncated = true,
                // The parser's own words may quote the text.
                (Err(error), _) => {
                    recording.cannot_read(number, format!("no line of a recording, at column {}", error.column()));
                }
            }
        }
        let Some((first, _)) = began else {
            return Err(RecordingError::NoHeader { line: number.max(1) });
        };
        if recording.calls.is_empty() {
            return Err(RecordingError::NoCalls {
                lines: number,
                unreadable: recording.unreadable.into_iter().next(),
            });
        }
        recording.began = UtcTime::from_millis(first);
        recording.calls.sort_by_key(|call| call.at_ms);
        Ok(recording)
    }

    fn cannot_read(&mut self, line: u64, problem: String) {
        self.unreadable_lines += 1;
        if self.unreadable.len() < MOST_NAMED {
            self.unreadable.push(Unreadable { line, problem });
        }
    }
}

/// The next line, and whether it ends with a newline; `None` at the end. Of one that is too long the beginning is there.
fn next_line(from: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<Option<bool>> {
    bytes.clear();
    if from.by_ref().take(LONGEST_LINE).read_until(b'\n', bytes)? == 0 {
        return Ok(None);
    }
    let is_whole = bytes.ends_with(b"\n");
    if is_whole || (bytes.len() as u64) < LONGEST_LINE {
        return Ok(Some(is_whole));
    }
    let mut rest = Vec::new();
    loop {
        rest.clear();
        let read = from.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut rest)?;
        if read == 0 || rest.ends_with(b"\n") {
            return Ok(Some(read > 0));
        }
    }
}

impl RecordedCall {
    fn is_possible(&self) -> bool {
        let attempts = self.attempts.iter().flat_map(RecordedAttempt::times);
        let own = [Some(self.at_ms), self.deadline_ms, self.first_ms, Some(self.whole_ms)];
        own.into_iter().flatten().chain(attempts).all(|time| time <= LONGEST_MS)
    }

    /// Times count from so much earlier.
    fn shift(&mut self, by: u64) {
        self.at_ms += by;
        for attempt in &mut self.attempts {
            attempt.at_ms += by;
        }
    }
}

impl RecordedAttempt {
    fn times(&self) -> impl Iterator<Item = u64> {
        let gaps = self.chunks.iter().fold(0_u64, |sum, chunk| sum.saturating_add(chunk.0));
        let reset = self.limit.map(|limit| limit.reset_ms);
        let times = [
            Some(self.at_ms),
            self.head_ms,
            Some(self.end_ms),
            Some(gaps),
            self.retry_after_ms,
            reset,
        ];
        times.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "{\"recording\":{\"version\":1,\"began_ms\":1000}}\n";

    fn call(at: u64) -> String {
        format!(
            "{{\"call\":{{\"at_ms\":{at},\"api\":\"chat\",\"prompt_bytes\":1,\"outcome\":\"left\",\"whole_ms\":2}}}}\n"
        )
    }

    fn read(text: &str) -> Result<Recording, String> {
        Recording::read(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_cut_last_line_is_no_problem_and_any_other_is_named() {
        let cut = call(9);
        let text = format!(
            "{HEADER}{}garbled\n\n{{\"foreign\":1}}\n\u{1}{{\n{}{}",
            call(5),
            call(3),
            cut.get(..cut.len() / 2).unwrap_or_default()
        );
        let recording = read(&text).unwrap();
        let times: Vec<_> = recording.calls.iter().map(|call| call.at_ms).collect();
        assert_eq!((times, recording.is_truncated), (vec![3, 5], true));
        let named: Vec<_> = recording.unreadable.iter().map(|named| named.line).collect();
        assert_eq!((named, recording.unreadable_lines), (vec![3, 5, 6], 3));
    }

    #[test]
    fn a_later_run_counts_from_the_first() {
        let second = HEADER.replace("1000", "61000");
        let recording = read(&format!("{HEADER}{}{second}{}", call(7), call(2))).unwrap();
        let times: Vec<_> = recording.calls.iter().map(|call| call.at_ms).collect();
        assert_eq!((times, recording.began.millis()), (vec![7, 60_002], 1_000));
    }

    #[test]
    fn what_is_no_recording_is_refused_with_its_line() {
        for (text, part) in [
            (String::new(), "line 1: not a recording"),
            (call(1), "line 1: not a recording"),
            ("\n\n[1]\n".to_owned(), "line 3: not a recording"),
            (HEADER.replace(":1,", ":2,"), "line 1: version 2"),
            (
                format!("{HEADER}{}{}", call(1), HEADER.replace(":1,", ":9,")),
                "line 3: version 9",
            ),
            (HEADER.to_owned(), "no call in its 1 lines"),
            (format!("{HEADER}{{}}\n"), "line 2: no line of a recording"),
            (format!("{HEADER}{}", call(u64::MAX)), "line 2: a time beyond a year"),
        ] {
            let told = read(&text).unwrap_err();
            assert!(told.contains(part), "{text}: {told}");
        }
    }

    #[test]
    fn a_line_without_an_end_takes_bounded_memory() {
        let long = "x".repeat(usize::try_from(LONGEST_LINE).unwrap() * 2 + 7);
        let recording = read(&format!("{HEADER}{long}\n{}", call(1))).unwrap();
        assert_eq!((recording.calls.len(), recording.unreadable[0].line), (1, 2));
    }

    #[test]
    fn lost_calls_are_summed() {
        let recording = read(&format!(
            "{HEADER}{{\"lost\":{{\"calls\":3}}}}\n{}{{\"lost\":{{\"calls\":4}}}}\n",
            call(1)
        ))
        .unwrap();
        assert_eq!(recording.lost, 7);
    }
}
