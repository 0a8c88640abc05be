//! Where lines go: a file of bounded size, or a writer of the user's own.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::record::{Header, RecordingLine};

/// The longest first line that is looked at to tell a recording from another file.
const LONGEST_HEADER: u64 = 4_096;

/// Takes whole lines.
pub(super) enum Sink {
    /// A file.
    File(Box<FileSink>),
    /// Anything else.
    Writer(Box<dyn Write + Send>),
}

impl Sink {
    /// Writes one line, and hands it to the operating system.
    pub(super) fn write(&mut self, line: &RecordingLine) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        match self {
            Self::File(file) => file.write(&bytes),
            Self::Writer(writer) => writer.write_all(&bytes).and_then(|()| writer.flush()),
        }
    }
}

/// A file that becomes `FILE.1` when it is full: half of the bytes for each of the two.
pub(super) struct FileSink {
    path: PathBuf,
    file: File,
    header: Header,
    length: u64,
    /// The length with nothing but a header.
    empty: u64,
    most: u64,
    /// Whether the last line may have been written in part.
    is_torn: bool,
}

impl FileSink {
    /// Opens a file to append to it, and begins it with a header.
    pub(super) fn open(path: &Path, header: Header, max_bytes: u64) -> io::Result<Self> {
        let mut file = opened(path)?;
        let length = file.metadata()?.len();
        if length > 0 && !is_recording(&mut file)? {
            let message = "this file is not a recording: name another one";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let mut sink = Self {
            path: path.to_owned(),
            is_torn: length > 0 && !ends_with_newline(&mut file)?,
            file,
            header,
            length,
            empty: length,
            most: max_bytes / 2,
        };
        sink.append(&begin(header)?)?;
        sink.empty = sink.length - length;
        Ok(sink)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let size = line.len() as u64;
        if self.empty + size > self.most {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "one call is larger than the recording may be",
            ));
        }
        if self.length + size > self.most {
            self.turn()?;
        }
        self.append(line)
    }

    /// The file becomes the one before, and a new one begins.
    fn turn(&mut self) -> io::Result<()> {
        let mut before = self.path.clone().into_os_string();
        before.push(".1");
        std::fs::rename(&self.path, before)?;
        self.file = opened(&self.path)?;
        self.length = 0;
        self.is_torn = false;
        self.append(&begin(self.header)?)
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            // What stands before is no whole line, and must not spoil this one.
            self.file.write_all(b"\n")?;
            self.length += 1;
            self.is_torn = false;
        }
        let written = self.file.write_all(line);
        self.is_torn = written.is_err();
        // After a failure it may be less than that.
        self.length += line.len() as u64;
        written
    }
}

fn begin(header: Header) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&RecordingLine::Recording(header))?;
    line.push(b'\n');
    Ok(line)
}

/// Only its owner may read it: it tells what was called, and when.
fn opened(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn is_recording(file: &mut File) -> io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    let mut first = Vec::new();
    Read::by_ref(file).take(LONGEST_HEADER).read_to_end(&mut first)?;
    let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(matches!(serde_json::from_slice(line), Ok(RecordingLine::Recording(_))))
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
