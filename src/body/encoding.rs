//! Bodies that came compressed, though nothing asked for that.

use std::{error::Error as StdError, fmt, io::Write};

use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

type Cause = Box<dyn StdError + Send + Sync>;

/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Takes the `Content-Encoding` of a response off its body.
pub(super) enum Decoder {
    /// The first bytes decide: some servers name an encoding and do not use it, and `deflate` is one of two formats.
    Undecided {
        is_deflate: bool,
        start: Vec<u8>,
    },
    Gzip(MultiGzDecoder<Vec<u8>>),
    Zlib(ZlibDecoder<Vec<u8>>),
    Deflate(DeflateDecoder<Vec<u8>>),
    /// It was not encoded after all.
    Plain,
    Unknown(UnknownEncoding),
}

/// The body came in an encoding that is not read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnknownEncoding(String);

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
    /// The decoder for a response with this head; `None` if its body is not encoded.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let named = headers.get(header::CONTENT_ENCODING)?;
        let named = String::from_utf8_lossy(named.as_bytes()).trim().to_ascii_lowercase();
        let undecided = |is_deflate| Self::Undecided {
            is_deflate,
            start: Vec::new(),
        };
        Some(match named.as_str() {
            "" | "identity" | "none" | "utf-8" => return None,
            "gzip" | "x-gzip" => undecided(false),
            "deflate" => undecided(true),
            _ => Self::Unknown(UnknownEncoding(named.chars().take(40).collect())),
        })
    }

    /// The bytes of these, and of those before them, that can be decoded by now.
    pub(super) fn decode(&mut self, bytes: &Bytes) -> Result<Bytes, Cause> {
        if let Self::Undecided { start, is_deflate } = self {
            start.extend_from_slice(bytes);
            let Some(begin) = start.first_chunk::<2>() else {
                return Ok(Bytes::new());
            };
            let decoder = match (*begin, *is_deflate) {
                (GZIP, _) => Self::Gzip(MultiGzDecoder::new(Vec::new())),
                (_, true) if is_zlib(begin) => Self::Zlib(ZlibDecoder::new(Vec::new())),
                (_, true) if !looks_plain(start) => Self::Deflate(DeflateDecoder::new(Vec::new())),
                _ => Self::Plain,
            };
            let start = std::mem::take(start);
            *self = decoder;
            return self.decode(&start.into());
        }
        match self {
            Self::Gzip(decoder) => written(decoder, MultiGzDecoder::get_mut, bytes),
            Self::Zlib(decoder) => written(decoder, ZlibDecoder::get_mut, bytes),
            Self::Deflate(decoder) => written(decoder, DeflateDecoder::get_mut, bytes),
            Self::Plain | Self::Undecided { .. } => Ok(bytes.clone()),
            Self::Unknown(encoding) => Err(encoding.clone().into()),
        }
    }

    /// What is left at the end of the body; an error if the encoded text is cut short.
    pub(super) fn finish(&mut self) -> Result<Option<Bytes>, Cause> {
        let rest = match std::mem::replace(self, Self::Plain) {
            Self::Undecided { start, .. } => start,
            Self::Gzip(decoder) => decoder.finish()?,
            Self::Zlib(decoder) => decoder.finish()?,
            Self::Deflate(decoder) => decoder.finish()?,
            Self::Plain | Self::Unknown(_) => Vec::new(),
        };
        Ok((!rest.is_empty()).then(|| rest.into()))
    }
}

/// All of a body that came at once; as it is if it cannot be decoded.
pub(crate) fn decoded(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Cause> {
    let Some(mut decoder) = Decoder::of(headers) else {
        return Ok(body);
    };
    let mut whole = decoder.decode(&body)?.to_vec();
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
    let start = start.trim_ascii_start();
    matches!(start.first(), Some(b'{' | b'[' | b'<')) || start.starts_with(b"data") || start.starts_with(b"event")
}

fn written<W: Write>(decoder: &mut W, out: fn(&mut W) -> &mut Vec<u8>, bytes: &[u8]) -> Result<Bytes, Cause> {
    decoder.write_all(bytes)?;
    // An event is returned as soon as it has come.
    decoder.flush()?;
    Ok(std::mem::take(out(decoder)).into())
}
