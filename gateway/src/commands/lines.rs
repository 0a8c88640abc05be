//! Lines of the log, each of them whole.

use std::{
    fs::File,
    io::{self, Write},
    sync::{PoisonError, RwLock},
};

use tracing_subscriber::fmt::MakeWriter;

/// The longest write to a pipe, in bytes, that the system does not mix with another one.
const PIPE_BUF: usize = 4_096;

/// Writes lines to a file, each at once. Lines up to [`PIPE_BUF`] wait for none of their kind in this process: the system keeps them whole. A longer one
/// that a full pipe takes in parts is written alone.
#[derive(Debug)]
pub(super) struct Lines {
    file: File,
    long: RwLock<()>,
}

/// Writes one line.
#[derive(Debug)]
pub(super) struct Line<'a>(&'a Lines);

impl Lines {
    /// To this file.
    pub(super) const fn new(file: File) -> Self {
        Self {
            file,
            long: RwLock::new(()),
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Lines { file, long } = self.0;
        let mut file = file;
        if line.len() <= PIPE_BUF {
            let _beside_others = long.read().unwrap_or_else(PoisonError::into_inner);
            return file.write(line);
        }
        let _alone = long.write().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        (&self.0.file).flush()
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::fd::OwnedFd, thread};

    use super::*;

    #[test]
    fn long_lines_in_a_full_pipe_are_not_mixed_with_those_of_other_threads() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = Lines::new(File::from(OwnedFd::from(writer)));
        let reading = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        thread::scope(|scope| {
            for (letter, length) in [("a", 200_000), ("b", 10), ("c", 100_000)] {
                let lines = &lines;
                scope.spawn(move || {
                    let line = letter.repeat(length) + "\n";
                    for _ in 0..20 {
                        lines.make_writer().write_all(line.as_bytes()).unwrap();
                    }
                });
            }
        });
        drop(lines);
        let text = reading.join().unwrap();
        assert_eq!(text.lines().count(), 60);
        for line in text.lines() {
            let first = line.chars().next();
            assert!(line.chars().all(|letter| Some(letter) == first));
        }
    }
}
