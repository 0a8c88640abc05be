//! A cached response as a store of one's own keeps it, in memory or as bytes.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use tokio::time::Instant;

use super::entry::{Entry, Head};
use crate::{StorableFrame, UtcTime};

/// The first byte of the byte form: another form gets another number.
const FORM: u8 = 1;

/// How far the writer's clock may be ahead of the reader's.
const AHEAD: Duration = Duration::from_secs(5);

/// A whole response, as a [`CacheStore`](super::CacheStore) keeps it. Cheap to clone.
pub struct CachedResponse<D>(pub(super) Arc<Entry<D>>);

impl<D> CachedResponse<D> {
    /// How long ago its last frame came.
    #[must_use]
    pub fn age(&self) -> Duration {
        Instant::now().saturating_duration_since(self.0.came)
    }

    /// How much longer it may be used, as a fresh or a stale response; zero if it is over.
    #[must_use]
    pub fn remaining_time_to_live(&self) -> Duration {
        self.0.keep_for.saturating_sub(self.age())
    }

    /// The memory that it holds, in bytes: see [`Frame::size_in_bytes`](crate::Frame::size_in_bytes).
    #[must_use]
    pub fn size_in_bytes(&self) -> usize {
        self.0.bytes
    }

    /// Its frames, trailers apart.
    #[must_use]
    pub fn frames(&self) -> &[D] {
        &self.0.frames
    }
}

impl<D: StorableFrame + Clone> CachedResponse<D> {
    /// As bytes for a store outside of this process: its head without cookies, its frames, when it came, and how long it may be used. `None` for
    /// a degraded response, whose mark has no byte form.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let entry = &*self.0;
        if entry.head.degraded.is_some() {
            return None;
        }
        let mut out = Vec::with_capacity(entry.bytes);
        out.push(FORM);
        out.extend(entry.head.status.as_u16().to_be_bytes());
        out.push(number_of(entry.head.version)?);
        out.extend(UtcTime::at(entry.came).millis().to_be_bytes());
        let keep_for = u64::try_from(entry.keep_for.as_millis()).unwrap_or(u64::MAX);
        out.extend(keep_for.to_be_bytes());
        write_headers(&mut out, &entry.head.headers)?;
        out.push(u8::from(entry.trailers.is_some()));
        if let Some(trailers) = &entry.trailers {
            write_headers(&mut out, trailers)?;
        }
        let mut frame_bytes = Vec::new();
        for frame in &entry.frames {
            frame_bytes.clear();
            frame.write_bytes(&mut frame_bytes);
            write_part(&mut out, &frame_bytes)?;
        }
        Some(out)
    }

    /// The response of these bytes; `None` if they are not the whole of one, are of another form, or if it is over. Time that has passed
    /// elsewhere is measured by the wall clock; `None` as well if the response came more than five seconds in the future.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Reader(bytes);
        if bytes.number::<1>()? != [FORM] {
            return None;
        }
        let status = StatusCode::from_u16(u16::from_be_bytes(bytes.number()?)).ok()?;
        let version = version_of(u8::from_be_bytes(bytes.number()?))?;
        let came = UtcTime::from_millis(u64::from_be_bytes(bytes.number()?));
        let keep_for = Duration::from_millis(u64::from_be_bytes(bytes.number()?));
        let now = UtcTime::now();
        let age = now.since(came);
        if age >= keep_for || came.since(now) > AHEAD {
            return None;
        }
        let head = Head::read(status, version, read_headers(&mut bytes)?);
        let trailers = match bytes.number::<1>()? {
            [0] => None,
            [1] => Some(read_headers(&mut bytes)?),
            _ => return None,
        };
        let mut frames = Vec::new();
        while !bytes.0.is_empty() {
            frames.push(D::from_bytes(bytes.part()?)?);
        }
        let came = Instant::now().checked_sub(age)?;
        let entry = Entry::read(Arc::new(head), frames.into(), trailers, (came, keep_for));
        Some(Self(Arc::new(entry)))
    }
}

/// Versions by their number in the bytes.
const VERSIONS: [Version; 5] = [
    Version::HTTP_09,
    Version::HTTP_10,
    Version::HTTP_11,
    Version::HTTP_2,
    Version::HTTP_3,
];

fn number_of(version: Version) -> Option<u8> {
    let index = VERSIONS.iter().position(|known| *known == version)?;
    u8::try_from(index).ok()
}

fn version_of(number: u8) -> Option<Version> {
    VERSIONS.get(usize::from(number)).copied()
}

/// Its length and itself; `None` beyond 4 GB.
fn write_part(out: &mut Vec<u8>, part: &[u8]) -> Option<()> {
    out.extend(u32::try_from(part.len()).ok()?.to_be_bytes());
    out.extend_from_slice(part);
    Some(())
}

fn write_headers(out: &mut Vec<u8>, headers: &HeaderMap) -> Option<()> {
    out.extend(u32::try_from(headers.len()).ok()?.to_be_bytes());
    for (name, value) in headers {
        write_part(out, name.as_str().as_bytes())?;
        write_part(out, value.as_bytes())?;
    }
    Some(())
}

fn read_headers(bytes: &mut Reader<'_>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for _ in 0..u32::from_be_bytes(bytes.number()?) {
        let name = HeaderName::from_bytes(bytes.part()?).ok()?;
        headers
            .try_append(name, HeaderValue::from_bytes(bytes.part()?).ok()?)
            .ok()?;
    }
    Some(headers)
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*number)
    }

    fn part(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(u32::from_be_bytes(self.number()?)).ok()?;
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }
}

impl<D> Clone for CachedResponse<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D> fmt::Debug for CachedResponse<D> {
    /// Never what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedResponse")
            .field("age", &self.age())
            .field("bytes", &self.size_in_bytes())
            .finish_non_exhaustive()
    }
}
