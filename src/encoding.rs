//! Bodies that came compressed, though nothing asked for that.

use std::{error::Error as StdError, fmt, io::Write};

use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

type Cause = Box<dyn StdError + Send + Sync>;

/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Takes the `Content-Encoding` of a response off its body.
///
/// The first bytes decide: some servers name an encoding and do not use it, some use gzip and do not say so, and `deflate` is one of two
/// formats.
pub(crate) enum Decoder {
    Undecided {
        named: Named,
        start: Vec<u8>,
    },
    Gzip(MultiGzDecoder<Vec<u8>>),
    Zlib(ZlibDecoder<Vec<u8>>),
    Deflate(DeflateDecoder<Vec<u8>>),
    /// It was not encoded after all.
    Plain,
}

/// What the header says.
#[derive(Clone)]
pub(crate) enum Named {
    Nothing,
    Gzip,
    Deflate,
    Unknown(UnknownEncoding),
}

/// The body came in an encoding that is not read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownEncoding(String);

impl fmt::Display for UnknownEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the upstream sent its answer with the content encoding `{}`, which was not asked for and cannot be read",
            self.0
        )
    }
}

impl StdError for UnknownEncoding {}

impl Decoder {
    /// The decoder for a response with this head.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let named = headers.get_all(header::CONTENT_ENCODING).iter();
        let named: Vec<String> = named
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
            .collect();
        // The last was applied last. What is no encoding at all means nothing.
        let last = named.iter().rev().find_map(|name| match name.as_str() {
            "" | "identity" | "none" | "utf-8" | "chunked" | "aws-chunked" => None,
            name if name.contains('/') => None,
            "gzip" | "x-gzip" => Some(Named::Gzip),
            "deflate" => Some(Named::Deflate),
            name => Some(Named::Unknown(UnknownEncoding(name.chars().take(40).collect()))),
        });
        Self::Undecided {
            named: last.unwrap_or(Named::Nothing),
            start: Vec::new(),
        }
    }

    /// Whether the bytes pass unchanged from here on.
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// What a body that begins so is.
    fn decided(begin: [u8; 2], start: &[u8], named: &Named) -> Result<Self, Cause> {
        Ok(match named {
            _ if begin == GZIP => Self::Gzip(MultiGzDecoder::new(Vec::new())),
            Named::Deflate if is_zlib(&begin) => Self::Zlib(ZlibDecoder::new(Vec::new())),
            Named::Deflate if !looks_plain(start) => Self::Deflate(DeflateDecoder::new(Vec::new())),
            Named::Unknown(encoding) if !looks_plain(start) && !looks_written(start) => {
                return Err(encoding.clone().into());
            }
            _ => Self::Plain,
        })
    }

    /// The bytes of these, and of those before them, that can be decoded by now.
    pub(crate) fn decode(&mut self, bytes: &Bytes) -> Result<Bytes, Cause> {
        if let Self::Undecided { start, named } = self {
            let joined = if start.is_empty() {
                bytes.clone()
            } else {
                [start.as_slice(), bytes].concat().into()
            };
            let Some(begin) = joined.first_chunk::<2>() else {
                *start = joined.to_vec();
                return Ok(Bytes::new());
            };
            *self = Self::decided(*begin, &joined, named)?;
            return self.decode(&joined);
        }
        match self {
            Self::Gzip(decoder) => written(decoder, MultiGzDecoder::get_mut, bytes),
            Self::Zlib(decoder) => written(decoder, ZlibDecoder::get_mut, bytes),
            Self::Deflate(decoder) => written(decoder, DeflateDecoder::get_mut, bytes),
            Self::Plain | Self::Undecided { .. } => Ok(bytes.clone()),
        }
    }

    /// What is left at the end of the body; an error if the encoded text is cut short.
    pub(crate) fn finish(&mut self) -> Result<Option<Bytes>, Cause> {
        let rest = match std::mem::replace(self, Self::Plain) {
            Self::Undecided { start, .. } => start,
            Self::Gzip(decoder) => decoder.finish()?,
            Self::Zlib(decoder) => decoder.finish()?,
            Self::Deflate(decoder) => decoder.finish()?,
            Self::Plain => Vec::new(),
        };
        Ok((!rest.is_empty()).then(|| rest.into()))
    }
}

/// All of a body that came at once; as it is if it cannot be decoded.
pub(crate) fn decoded(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, Cause> {
    let mut decoder = Decoder::of(headers);
    let mut whole = decoder.decode(body)?.to_vec();
    // Of an error that was cut short the beginning says enough.
    if let Ok(Some(rest)) = decoder.finish() {
        whole.extend_from_slice(&rest);
    }
    Ok(whole.into())
}

/// Whether it begins with the header of RFC 1950: the method, and a check over both bytes. `deflate` means that format.
pub(crate) fn is_zlib(body: &[u8]) -> bool {
    body.first_chunk()
        .is_some_and(|begin: &[u8; 2]| begin[0] & 0x0f == 8 && u16::from_be_bytes(*begin).is_multiple_of(31))
}

fn looks_plain(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
    matches!(start.first(), Some(b'{' | b'[' | b'<' | b':'))
        || start.starts_with(b"data")
        || start.starts_with(b"event")
}

/// Whether it begins like words: what is encoded hardly ever does.
fn looks_written(start: &[u8]) -> bool {
    const ENOUGH: usize = 8;
    let is_written = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    start.len() >= ENOUGH && start.iter().take(4 * ENOUGH).all(is_written)
}

fn written<W: Write>(decoder: &mut W, out: fn(&mut W) -> &mut Vec<u8>, bytes: &[u8]) -> Result<Bytes, Cause> {
    decoder.write_all(bytes)?;
    // An event is returned as soon as it has come.
    decoder.flush()?;
    Ok(std::mem::take(out(decoder)).into())
}
