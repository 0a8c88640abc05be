//! What commands print.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

/// Why a command has failed. Prints as its message.
#[derive(Debug)]
pub struct Failed(String);

impl Failed {
    /// For this reason.
    pub(super) fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::new(error)
    }
}

/// Prints a line to standard output. A reader that has gone is no failure. A name that an upstream or a client chose moves no cursor of a terminal.
pub(super) fn say(line: impl fmt::Display) -> Result<(), Failed> {
    let is_hidden = |letter: char| letter.is_control() && letter != '\n';
    let line = line.to_string().replace(is_hidden, "\u{fffd}");
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints why a command has failed.
pub(super) fn complain(error: &dyn fmt::Display) -> ExitCode {
    drop(writeln!(io::stderr().lock(), "{error}"));
    ExitCode::FAILURE
}
