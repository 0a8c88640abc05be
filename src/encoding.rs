//! Bodies that came compressed, though nothing asked for that.

use std::{error::Error as StdError, fmt, io::Write, iter};

use bytes::Bytes;
use flate2::write::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::{HeaderMap, header};

type Cause = Box<dyn StdError + Send + Sync>;

/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Encodings that are taken off one body at most: a proxy may compress what came compressed.
const MOST_ENCODINGS: usize = 4;

/// The most that one piece of a body may expand to, in bytes, in each of its encodings: as much as the largest event may have by default. A
/// piece is what the connection gives at once, some hundred kilobytes at most, so no text comes near it.
const MOST_AT_ONCE: usize = if cfg!(test) { 4 * 1024 * 1024 } else { 64 * 1024 * 1024 };

/// The most that is decoded of a body that came at once, in bytes: an error's first words say enough.
const MOST_OF_ERROR: usize = 1024 * 1024;

/// How many bytes a decoder gets in one go: none expands them more than about a thousandfold before its output is looked at.
const SLICE: usize = 1024;

/// Takes the `Content-Encoding` of a response off its body: what was applied last comes off first.
pub(crate) struct Decoder {
    last: Encoding,
    /// Those that were applied before it, from the last to the first.
    before: Vec<Encoding>,
}

/// Takes one encoding off.
///
/// The first bytes decide: some servers name an encoding and do not use it, some use gzip and do not say so, and `deflate` is one of two
/// formats.
enum Encoding {
    Undecided {
        named: Named,
        start: Vec<u8>,
    },
    Gzip(GzDecoder<Vec<u8>>),
    Zlib(ZlibDecoder<Vec<u8>>),
    Deflate(DeflateDecoder<Vec<u8>>),
    /// A member of gzip has ended, and the piece behind it with what may be the first byte of another one.
    BetweenMembers,
    /// The encoded text is whole. What stands behind it, such as padding or a line end, is ignored, as gzip(1) and browsers do.
    Ended,
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
            "the upstream sent its answer with the content encoding `{}`, which was not requested and is not supported",
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
        // What is no encoding at all means nothing.
        let mut named = named.iter().rev().filter_map(|name| match name.as_str() {
            "" | "identity" | "none" | "utf-8" | "chunked" | "aws-chunked" => None,
            name if name.contains('/') => None,
            "gzip" | "x-gzip" => Some(Named::Gzip),
            "deflate" => Some(Named::Deflate),
            name => Some(Named::Unknown(UnknownEncoding(name.chars().take(40).collect()))),
        });
        let last = Encoding::undecided(named.next().unwrap_or(Named::Nothing));
        let before = named.take(MOST_ENCODINGS - 1).map(Encoding::undecided).collect();
        Self { last, before }
    }

    /// Whether the bytes pass unchanged from here on.
    pub(crate) fn is_plain(&self) -> bool {
        let all = iter::once(&self.last).chain(&self.before);
        all.into_iter().all(|encoding| matches!(encoding, Encoding::Plain))
    }

    /// The bytes of these, and of those before them, that can be decoded by now.
    pub(crate) fn decode(&mut self, bytes: &Bytes) -> Result<Bytes, Cause> {
        let bytes = self.last.decode(bytes)?;
        self.before
            .iter_mut()
            .try_fold(bytes, |bytes, encoding| encoding.decode(&bytes))
    }

    /// What is left at the end of the body; an error if the encoded text is cut short.
    pub(crate) fn finish(&mut self) -> Result<Option<Bytes>, Cause> {
        let mut rest = self.last.finish()?;
        for encoding in &mut self.before {
            let mut left = encoding.decode(&rest.into())?.to_vec();
            left.extend_from_slice(&encoding.finish()?);
            rest = left;
        }
        Ok((!rest.is_empty()).then(|| rest.into()))
    }
}

impl Encoding {
    const fn undecided(named: Named) -> Self {
        Self::Undecided {
            named,
            start: Vec::new(),
        }
    }

    /// What a body that begins so is.
    fn decided(begin: [u8; 2], start: &[u8], named: &Named) -> Result<Self, Cause> {
        Ok(match named {
            _ if begin == GZIP => Self::Gzip(GzDecoder::new(Vec::new())),
            Named::Deflate if is_zlib(&begin) => Self::Zlib(ZlibDecoder::new(Vec::new())),
            Named::Deflate if !looks_plain(start) => Self::Deflate(DeflateDecoder::new(Vec::new())),
            Named::Unknown(encoding) if !looks_plain(start) && !looks_written(start) => {
                return Err(encoding.clone().into());
            }
            _ => Self::Plain,
        })
    }

    fn decode(&mut self, bytes: &Bytes) -> Result<Bytes, Cause> {
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
        if matches!(self, Self::Plain) {
            return Ok(bytes.clone());
        }
        match std::mem::replace(self, Self::Ended) {
            Self::Gzip(decoder) => self.members(decoder, bytes),
            Self::BetweenMembers if bytes.is_empty() => {
                *self = Self::BetweenMembers;
                Ok(Bytes::new())
            }
            Self::BetweenMembers if bytes.first() == GZIP.last() => {
                let joined = [GZIP.get(..1).unwrap_or_default(), bytes].concat();
                self.members(GzDecoder::new(Vec::new()), &joined)
            }
            Self::Zlib(mut decoder) => {
                let rest = written(&mut decoder, ZlibDecoder::get_ref, bytes)?;
                if !rest.is_empty() {
                    return Ok(decoder.finish()?.into());
                }
                // An event is returned as soon as it has come.
                decoder.flush()?;
                let out = std::mem::take(decoder.get_mut());
                *self = Self::Zlib(decoder);
                Ok(out.into())
            }
            Self::Deflate(mut decoder) => {
                let rest = written(&mut decoder, DeflateDecoder::get_ref, bytes)?;
                if !rest.is_empty() {
                    return Ok(decoder.finish()?.into());
                }
                decoder.flush()?;
                let out = std::mem::take(decoder.get_mut());
                *self = Self::Deflate(decoder);
                Ok(out.into())
            }
            Self::BetweenMembers | Self::Ended | Self::Plain | Self::Undecided { .. } => Ok(Bytes::new()),
        }
    }

    /// The bytes of this member of gzip, and of those behind it.
    fn members(&mut self, mut decoder: GzDecoder<Vec<u8>>, mut bytes: &[u8]) -> Result<Bytes, Cause> {
        loop {
            bytes = written(&mut decoder, GzDecoder::get_ref, bytes)?;
            if bytes.is_empty() {
                decoder.flush()?;
                let out = std::mem::take(decoder.get_mut());
                *self = Self::Gzip(decoder);
                return Ok(out.into());
            }
            let out = decoder.finish()?;
            if !bytes.starts_with(&GZIP) {
                let is_start = bytes.len() == 1 && bytes.first() == GZIP.first();
                if is_start {
                    *self = Self::BetweenMembers;
                }
                return Ok(out.into());
            }
            decoder = GzDecoder::new(out);
        }
    }

    fn finish(&mut self) -> Result<Vec<u8>, Cause> {
        Ok(match std::mem::replace(self, Self::Plain) {
            Self::Undecided { start, .. } => start,
            Self::Gzip(decoder) => decoder.finish()?,
            Self::Zlib(decoder) => decoder.finish()?,
            Self::Deflate(decoder) => decoder.finish()?,
            Self::Plain | Self::BetweenMembers | Self::Ended => Vec::new(),
        })
    }
}

/// All of a body that came at once; as it is if it cannot be decoded.
pub(crate) fn decoded(headers: &HeaderMap, body: &Bytes) -> Result<Bytes, Cause> {
    let mut decoder = Decoder::of(headers);
    let mut whole = Vec::new();
    for slice in body.chunks(SLICE) {
        whole.extend_from_slice(&decoder.decode(&body.slice_ref(slice))?);
        if whole.len() > MOST_OF_ERROR {
            return Ok(whole.into());
        }
    }
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

/// Gives a decoder these bytes. Returns those that it does not take, because its text has ended before them.
fn written<'a, W: Write>(decoder: &mut W, out: fn(&W) -> &Vec<u8>, mut bytes: &'a [u8]) -> Result<&'a [u8], Cause> {
    while !bytes.is_empty() {
        let taken = decoder.write(bytes.get(..SLICE).unwrap_or(bytes))?;
        if taken == 0 {
            break;
        }
        if out(decoder).len() > MOST_AT_ONCE {
            return Err(format!("a compressed piece of it expands to more than {MOST_AT_ONCE} bytes").into());
        }
        bytes = bytes.get(taken..).unwrap_or_default();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn named(encodings: &str) -> HeaderMap {
        [(header::CONTENT_ENCODING, encodings.parse().unwrap())]
            .into_iter()
            .collect()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// What a body decodes to that comes in pieces of so many bytes.
    fn in_pieces(encoding: &str, body: &[u8], size: usize) -> Result<Vec<u8>, Cause> {
        let mut decoder = Decoder::of(&named(encoding));
        let mut whole = Vec::new();
        for piece in body.chunks(size) {
            whole.extend_from_slice(&decoder.decode(&Bytes::copy_from_slice(piece))?);
        }
        whole.extend(decoder.finish()?.into_iter().flatten());
        Ok(whole)
    }

    /// Padding, a line end of a template, a byte that could begin another member.
    #[test]
    fn what_stands_behind_a_whole_text_is_ignored() {
        let text = b"{\"error\":\"no\"}";
        for (encoding, body) in [
            ("gzip", gzip(text)),
            ("deflate", zlib(text)),
            ("deflate", deflate(text)),
        ] {
            for behind in [&b""[..], b"\n", &[0; 32], b"\x1f", b"\x1fx", b"words behind it"] {
                let whole = [body.as_slice(), behind].concat();
                for size in [1, 2, 7, whole.len()] {
                    let decoded = in_pieces(encoding, &whole, size).unwrap();
                    assert_eq!(decoded, text, "{encoding}, {behind:?}, in pieces of {size}");
                }
            }
        }
    }

    #[test]
    fn several_members_are_one_text_and_none_may_be_cut() {
        let body = [gzip(b"{\"a\":"), gzip(b"1"), gzip(b"}")].concat();
        for size in [1, 2, 3, 7, body.len()] {
            assert_eq!(in_pieces("gzip", &body, size).unwrap(), b"{\"a\":1}", "{size}");
            let padded = [body.as_slice(), &[0; 8]].concat();
            assert_eq!(in_pieces("gzip", &padded, size).unwrap(), b"{\"a\":1}", "{size}");
            for cut in [1, 8, 15] {
                let cut = body.get(..body.len() - cut).unwrap();
                assert!(in_pieces("gzip", cut, size).is_err(), "{size}");
            }
        }
    }

    /// Some kilobytes that would be a gigabyte.
    #[test]
    fn what_expands_without_end_is_an_error() {
        let zeros = gzip(&vec![0; 512 * 1024]);
        let once = zeros.repeat(2_000);
        let twice = gzip(&once);
        assert!(twice.len() < 64 * 1024, "{}", twice.len());
        for (encodings, body) in [("gzip", once), ("gzip, gzip", twice)] {
            let error = Decoder::of(&named(encodings)).decode(&body.into()).unwrap_err();
            assert!(
                error.to_string().contains("expands to more than"),
                "{encodings}: {error}"
            );
        }
    }

    #[test]
    fn of_an_error_the_beginning_is_decoded() {
        let long = format!("{{\"error\":\"{}\"}}", "no ".repeat(MOST_OF_ERROR));
        let whole = decoded(&named("gzip"), &gzip(long.as_bytes()).into()).unwrap();
        assert!(whole.starts_with(b"{\"error\":\"no no"));
        assert!(
            (MOST_OF_ERROR..MOST_OF_ERROR + 2 * SLICE * 1_032).contains(&whole.len()),
            "{}",
            whole.len()
        );
    }
}
