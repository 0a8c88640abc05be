//! Request bodies that come compressed.

use std::io::Read;

use bytes::{Buf, Bytes};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::task::yield_now;

use super::{body_budget::BodyBytes, problem::Problem};
use crate::encoding::is_zlib;

/// How much is decoded before other tasks get their turn.
const A_TURN: usize = 64 * 1024;

/// What a client that gets 415 may use instead.
const READ: HeaderValue = HeaderValue::from_static("gzip, deflate");

/// A `Content-Encoding` that is decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    /// The encoding of a request with these headers; `None` if it has none.
    ///
    /// # Errors
    ///
    /// 415 for any other, and for several on top of each other.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Unsupported> {
        let mut coding = None;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
            for name in value.split(',').map(str::trim) {
                let next = match name {
                    "" | "identity" => continue,
                    "gzip" | "x-gzip" => Self::Gzip,
                    "deflate" => Self::Deflate,
                    _ => return Err(Unsupported(name.to_owned())),
                };
                if coding.replace(next).is_some() {
                    return Err(Unsupported(value));
                }
            }
        }
        Ok(coding)
    }

    /// The body without its encoding.
    ///
    /// # Errors
    ///
    /// 413 if it is larger than the limit, 503 if there is no room for it, 400 if it is not in this encoding.
    pub(super) async fn decode(self, body: Bytes, largest: usize, counted: &mut BodyBytes) -> Result<Bytes, Problem> {
        let (is_zlib, compressed) = (is_zlib(&body), body.len());
        let reader = body.reader();
        let mut decoder: Box<dyn Read + Send> = match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(reader)),
            Self::Deflate if is_zlib => Box::new(ZlibDecoder::new(reader)),
            // Some clients leave the frame out.
            Self::Deflate => Box::new(DeflateDecoder::new(reader)),
        };
        let mut decoded = Vec::new();
        let mut block = vec![0; A_TURN];
        loop {
            let read = decoder.read(&mut block).map_err(|_| {
                let message = format!(
                    "the request body is not valid {}, as its Content-Encoding says",
                    self.name()
                );
                Problem::new(StatusCode::BAD_REQUEST, "unreadable_body", message)
            })?;
            if read == 0 {
                counted.shrink(decoded.len());
                return Ok(decoded.into());
            }
            if decoded.len() + read > largest {
                return Err(Problem::too_large(largest));
            }
            counted.cover(compressed + decoded.len() + read)?;
            decoded.extend_from_slice(block.get(..read).unwrap_or_default());
            yield_now().await;
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// An encoding that is not decoded here.
#[derive(Debug)]
pub(super) struct Unsupported(String);

impl From<Unsupported> for Problem {
    fn from(Unsupported(name): Unsupported) -> Self {
        let name: String = name.chars().filter(|letter| !letter.is_control()).take(40).collect();
        let message = format!(
            "the content encoding `{name}` is not read here: send the body as it is, or with gzip or deflate, or put a layer that decodes it in front"
        );
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", message)
            .header(header::ACCEPT_ENCODING, READ)
    }
}
